//! The names of everything that is measured and traced, each with its unit and
//! sentence. What OpenTelemetry's conventions name has their name; the rest
//! begins with `sidecall.`.
//!
//! Labels of metrics come from enums and from the configuration, never from a
//! caller's text: what nobody configured counts as [`OTHER`].

/// A metric: its name, its unit (UCUM) and its sentence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metric {
    /// Dotted, as OpenTelemetry has it.
    pub name: &'static str,
    /// In UCUM; what is counted stands in braces.
    pub unit: &'static str,
    /// What it says.
    pub sentence: &'static str,
    /// The attributes that its points may have.
    pub labels: &'static [&'static str],
}

const fn metric(name: &'static str, unit: &'static str, sentence: &'static str) -> Metric {
    Metric { name, unit, sentence, labels: &[] }
}

impl Metric {
    const fn by(self, labels: &'static [&'static str]) -> Self {
        Self { labels, ..self }
    }
}

/// How long a call of a tool took, from its inputs being ready to its result.
/// Named by OpenTelemetry's conventions for generative AI.
pub const EXECUTE_TOOL_DURATION: Metric = metric(
    "gen_ai.execute_tool.duration",
    "s",
    "Time of a call, from its inputs being ready to its result.",
)
.by(&[attribute::TOOL_NAME, attribute::TOOL_TYPE, attribute::ERROR_TYPE]);
/// How long an RPC was open. Named by OpenTelemetry's conventions for RPC.
pub const RPC_DURATION: Metric = metric(
    "rpc.server.call.duration",
    "s",
    "Time of an RPC, from its request to its status.",
)
.by(&[attribute::RPC_SYSTEM, attribute::RPC_METHOD, attribute::RPC_STATUS, attribute::ERROR_TYPE]);
/// How long a batch took.
pub const BATCH_DURATION: Metric =
    metric("sidecall.batch.duration", "s", "Time of a batch, from accepted to its last result.");
/// How many calls a batch has.
pub const BATCH_WIDTH: Metric = metric("sidecall.batch.width", "{call}", "Calls of a batch.");
/// How long a batch's longest chain of dependencies is.
pub const BATCH_DEPTH: Metric = metric(
    "sidecall.batch.depth",
    "{call}",
    "Calls in the longest chain of dependencies of a batch.",
);
/// The running time that no concurrency could have saved.
pub const BATCH_CRITICAL_PATH: Metric = metric(
    "sidecall.batch.critical_path",
    "s",
    "Running time of the chain of calls that determined the batch's duration.",
);
/// What concurrency saved.
pub const BATCH_SAVED: Metric = metric(
    "sidecall.batch.saved",
    "s",
    "Time that a batch saved against its calls being run one by one.",
);
/// What no concurrency would have cost.
pub const BATCH_SEQUENTIAL: Metric = metric(
    "sidecall.batch.sequential",
    "s",
    "Time that a batch's calls would have taken one by one.",
);
/// How many attempts a call took.
pub const CALL_ATTEMPTS: Metric =
    metric("sidecall.call.attempts", "{attempt}", "Attempts that a call took.")
        .by(&[attribute::TOOL_NAME]);
/// Calls that are not terminal.
pub const CALLS_IN_FLIGHT: Metric =
    metric("sidecall.call.in_flight", "{call}", "Calls that were accepted and have not ended.");
/// How long a call waited, and for what.
pub const WAIT_DURATION: Metric =
    metric("sidecall.wait.duration", "s", "Time that a call waited, by what it waited for.")
        .by(&[attribute::WAIT_KIND, attribute::API]);
/// Attempts that were made again.
pub const RETRIES: Metric =
    metric("sidecall.retry.count", "{retry}", "Attempts that failed and were made again.").by(&[
        attribute::TOOL_NAME,
        attribute::API,
        attribute::ERROR_TYPE,
    ]);
/// Calls that a bucket had no token for in time.
pub const BUCKET_REFUSALS: Metric = metric(
    "sidecall.bucket.refusals",
    "{call}",
    "Calls that were answered at once, since their API's rate had no token for them in time.",
)
.by(&[attribute::API]);
/// How each API's breaker stands.
pub const BREAKER_STATE: Metric = metric(
    "sidecall.breaker.state",
    "{state}",
    "The state of an API's breaker: 0 closed, 1 half open, 2 open.",
)
.by(&[attribute::API]);
/// Memory that is in use.
pub const MEMORY_USAGE: Metric = metric(
    "sidecall.memory.usage",
    "By",
    "Memory in use of the bound that is used most, without files that lie unused.",
);
/// Memory that may be used.
pub const MEMORY_LIMIT: Metric =
    metric("sidecall.memory.limit", "By", "The bound of memory that is used most.");
/// Batches that were refused for want of memory.
pub const BATCHES_SHED: Metric = metric(
    "sidecall.batch.shed",
    "{batch}",
    "Batches that were refused, since too much of the memory was in use.",
);
/// Size of results.
pub const RESULT_SIZE: Metric =
    metric("sidecall.result.size", "By", "Size of a result, whole and as it was shown.")
        .by(&[attribute::STAGE, attribute::TOOL_NAME]);
/// What results cost the model.
pub const RESULT_TOKENS: Metric = metric(
    "sidecall.result.tokens",
    "{token}",
    "Tokens that a result is estimated to cost the model, at four bytes each.",
)
.by(&[attribute::TOOL_NAME]);
/// How long the model thought.
pub const THINK_DURATION: Metric = metric(
    "sidecall.session.think.duration",
    "s",
    "Time from the end of a session's batch to its next: the model and its agent thinking.",
);
/// How long a turn took.
pub const TURN_DURATION: Metric = metric(
    "sidecall.session.turn.duration",
    "s",
    "Time from the end of a session's batch to the end of its next: thinking and tools.",
);
/// Spans that were not sent.
pub const SPANS_DROPPED: Metric = metric(
    "sidecall.telemetry.dropped",
    "{span}",
    "Spans that were dropped, since the collector did not take them in time.",
);
/// Messages of metrics that were not sent.
pub const METRICS_FAILED: Metric = metric(
    "sidecall.telemetry.metrics.failed",
    "{message}",
    "Messages of metrics that the collector did not take; the next one says it again.",
);
/// Lines of the log that were not written.
pub const LOG_DROPPED: Metric = metric(
    "sidecall.log.dropped",
    "{line}",
    "Lines of the log that were dropped, since nobody read them in time.",
);
/// Configurations that were read while the process ran.
pub const CONFIG_RELOADS: Metric = metric(
    "sidecall.config.reloads",
    "{reload}",
    "Configurations that were read while the process ran, by what came of it: `applied` or `refused`.",
)
.by(&[attribute::RELOAD_OUTCOME]);
/// Which configuration runs.
pub const CONFIG_GENERATION: Metric = metric(
    "sidecall.config.generation",
    "{config}",
    "Configurations that the process has run, the present one among them.",
);
/// Whether the file is what runs.
pub const CONFIG_VALID: Metric = metric(
    "sidecall.config.valid",
    "{config}",
    "Whether the configuration's file, as it was last read, is what runs: 1, or 0 where it is faulty.",
);
/// Since when the present configuration runs.
pub const CONFIG_LOADED: Metric = metric(
    "sidecall.config.loaded",
    "s",
    "When the present configuration was taken over, in seconds since 1970.",
);
/// When the certificate of the TCP address ends.
pub const CERTIFICATE_ENDS: Metric = metric(
    "sidecall.tls.certificate.not_after",
    "s",
    "When the first of the certificates ends that are served by TLS, in seconds since 1970.",
);

/// Every metric there is.
pub const METRICS: &[Metric] = &[
    EXECUTE_TOOL_DURATION,
    RPC_DURATION,
    BATCH_DURATION,
    BATCH_WIDTH,
    BATCH_DEPTH,
    BATCH_CRITICAL_PATH,
    BATCH_SAVED,
    BATCH_SEQUENTIAL,
    CALL_ATTEMPTS,
    CALLS_IN_FLIGHT,
    WAIT_DURATION,
    RETRIES,
    BUCKET_REFUSALS,
    BREAKER_STATE,
    MEMORY_USAGE,
    MEMORY_LIMIT,
    BATCHES_SHED,
    RESULT_SIZE,
    RESULT_TOKENS,
    THINK_DURATION,
    TURN_DURATION,
    SPANS_DROPPED,
    METRICS_FAILED,
    LOG_DROPPED,
    CONFIG_RELOADS,
    CONFIG_GENERATION,
    CONFIG_VALID,
    CONFIG_LOADED,
    CERTIFICATE_ENDS,
];

/// Bounds of the buckets of `gen_ai.execute_tool.duration`, as the convention
/// has them, in seconds.
pub const TOOL_BUCKETS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Bounds of the buckets of `rpc.server.call.duration`, as the convention has
/// them, in seconds.
pub const RPC_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Bounds of the buckets of every other duration: those of RPCs and beyond, since
/// a batch is longer than an RPC usually is; in seconds.
pub const DURATION_BUCKETS: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0,
    300.0,
];
/// Bounds of the buckets of what is counted.
pub const COUNT_BUCKETS: [f64; 11] =
    [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
/// Bounds of the buckets of sizes and of tokens.
pub const SIZE_BUCKETS: [f64; 10] = [
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
];

/// Statuses of RPCs that are the server's fault, as the convention has them.
pub const RPC_FAULTS: [&str; 6] =
    ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];

/// The label of what is not in the configuration, as OpenTelemetry has it.
pub const OTHER: &str = "_OTHER";

/// Names of attributes.
pub mod attribute {
    /// What an operation of generative AI is: `execute_tool`.
    pub const OPERATION: &str = "gen_ai.operation.name";
    /// The tool.
    pub const TOOL_NAME: &str = "gen_ai.tool.name";
    /// The id of the `tool_use` block.
    pub const TOOL_CALL_ID: &str = "gen_ai.tool.call.id";
    /// `extension`: run beside the agent, against an API.
    pub const TOOL_TYPE: &str = "gen_ai.tool.type";
    /// What the model is told of the tool.
    pub const TOOL_DESCRIPTION: &str = "gen_ai.tool.description";
    /// A call's input, where it is captured.
    pub const TOOL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
    /// A call's result, where it is captured.
    pub const TOOL_RESULT: &str = "gen_ai.tool.call.result";
    /// The session.
    pub const CONVERSATION: &str = "gen_ai.conversation.id";
    /// What went wrong: a failure's code, or a status.
    pub const ERROR_TYPE: &str = "error.type";

    /// `grpc`.
    pub const RPC_SYSTEM: &str = "rpc.system.name";
    /// The service and method of an RPC.
    pub const RPC_METHOD: &str = "rpc.method";
    /// The status of an RPC, by name.
    pub const RPC_STATUS: &str = "rpc.status_code";

    /// The method of an HTTP request.
    pub const HTTP_METHOD: &str = "http.request.method";
    /// How often the request was sent before.
    pub const HTTP_RESEND: &str = "http.request.resend_count";
    /// The status of an HTTP response.
    pub const HTTP_STATUS: &str = "http.response.status_code";
    /// The path before its slots were filled.
    pub const URL_TEMPLATE: &str = "url.template";
    /// The address with all that came from the input taken out.
    pub const URL_FULL: &str = "url.full";
    /// The host.
    pub const SERVER_ADDRESS: &str = "server.address";
    /// The port.
    pub const SERVER_PORT: &str = "server.port";

    /// The batch.
    pub const BATCH_ID: &str = "sidecall.batch.id";
    /// Calls of the batch.
    pub const BATCH_WIDTH: &str = "sidecall.batch.width";
    /// Calls in its longest chain of dependencies.
    pub const BATCH_DEPTH: &str = "sidecall.batch.depth";
    /// What its calls would have taken one by one, in seconds.
    pub const BATCH_SEQUENTIAL: &str = "sidecall.batch.sequential";
    /// How a call ended.
    pub const OUTCOME: &str = "sidecall.call.outcome";
    /// Where its result came from.
    pub const SOURCE: &str = "sidecall.call.source";
    /// Its attempts.
    pub const ATTEMPTS: &str = "sidecall.call.attempts";
    /// The API.
    pub const API: &str = "sidecall.api";
    /// Whether the call determined the turn's time.
    pub const CRITICAL: &str = "sidecall.critical_path";
    /// The worker that an attempt went to.
    pub const WORKER: &str = "sidecall.worker.name";
    /// Why a call waited for another.
    pub const EDGE_REASON: &str = "sidecall.edge.reason";
    /// Which kind of dependency that is.
    pub const EDGE_KIND: &str = "sidecall.edge.kind";
    /// What was waited for.
    pub const WAIT_KIND: &str = "sidecall.wait.kind";
    /// What came of a configuration that was read: `applied` or `refused`.
    pub const RELOAD_OUTCOME: &str = "sidecall.config.outcome";
    /// Which size of a result this is: `whole` or `shown`.
    pub const STAGE: &str = "sidecall.result.stage";
    /// Bytes of the whole result.
    pub const RESULT_BYTES: &str = "sidecall.result.bytes";

    /// Seconds that a call waited for others.
    pub const WAIT_BLOCKED: &str = "sidecall.wait.dependencies";
    /// Seconds that it waited for locks.
    pub const WAIT_LOCKS: &str = "sidecall.wait.locks";
    /// Seconds that it waited for a place.
    pub const WAIT_CONCURRENCY: &str = "sidecall.wait.concurrency";
    /// Seconds that it waited for tokens.
    pub const WAIT_TOKENS: &str = "sidecall.wait.tokens";
    /// Seconds between its attempts.
    pub const WAIT_BACKOFF: &str = "sidecall.wait.backoff";
}

#[cfg(test)]
pub(super) mod tests;
