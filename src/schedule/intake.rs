//! From a submission to a batch that is ready to run: tools looked up, inputs
//! checked, dependencies planned. Nothing has happened yet.

use std::{fmt::Write, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use super::{Accepted, Refusal, Settings, Submission, twins};
use crate::{
    clock::Instant,
    locks::TooMany,
    model::{BatchId, Call, Claim, Failure, FailureCode, Owner, Tenant},
    plan::{self, Plan},
    registry::{Latency, Tool, View},
    telemetry::{propagate::TraceId, spans},
};

mod growing;

pub(super) use growing::{Growing, Release, Told};

/// Most characters of an unreadable input that its failure quotes.
const ECHO_CHARS_MAX: usize = 400;

/// A batch that is ready to run.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) owner: Owner,
    /// Whose limits it counts against.
    pub(super) tenant: Tenant,
    /// For the log.
    pub(super) trace: Option<TraceId>,
    pub(super) accepted: Arc<Accepted>,
    pub(super) calls: Vec<Call>,
    /// `None` where the name is no tool's.
    pub(super) tools: Vec<Option<Arc<Tool>>>,
    /// By call, the group of those that may share its run.
    pub(super) twins: Vec<Option<usize>>,
    pub(super) plan: Arc<Plan>,
    /// What takes time from each call on, itself included.
    pub(super) paths: Vec<Duration>,
    pub(super) deadline: Option<Instant>,
    pub(super) call_timeout: Option<Duration>,
    /// Most bytes of an input that references were put into.
    pub(super) input_bytes_max: usize,
}

impl Intake {
    /// Names a call for a backend: the same over its attempts and when the turn
    /// is sent again, and another for every other call.
    pub(super) fn idempotency_key(&self, call: usize) -> Arc<str> {
        let mut hash = Sha256::new();
        let parts =
            [self.owner.as_str(), self.accepted.batch_id.as_str(), self.calls[call].id.as_str()];
        for part in parts {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let mut key = String::with_capacity(64);
        for byte in hash.finalize() {
            let _ = write!(key, "{byte:02x}");
        }
        key.into()
    }

    /// What is told of a call whose tool is a worker's.
    pub(super) fn offered(&self, call: usize) -> Option<&Arc<spans::Tool>> {
        self.tools.get(call)?.as_ref()?.offered.as_ref()
    }

    /// Whether its calls come one by one.
    pub(super) fn is_growing(&self) -> bool {
        self.accepted.is_growing
    }

    /// The turn's calls are yet to come.
    pub(super) fn will_grow(&mut self) {
        self.accepted = Arc::new(Accepted { is_growing: true, ..Accepted::clone(&self.accepted) });
    }

    /// How long the call is expected to run.
    pub(super) fn latency(&self, call: usize) -> Duration {
        latency(self.tools[call].as_deref())
    }

    /// Attempts of the call with the most.
    pub(super) fn attempts_max(&self) -> u32 {
        attempts_max(self.tools.iter().flatten())
    }
}

/// Attempts of a call of the tool with the most.
pub(super) fn attempts_max<'a>(tools: impl Iterator<Item = &'a Arc<Tool>>) -> u32 {
    let policies = tools.filter_map(|tool| tool.retry.as_ref());
    policies.map(|policy| policy.settings().attempts.get()).max().unwrap_or(1)
}

/// A call as the plan must know it. `references` says whether any are looked for.
fn planned<'a>(
    (call, tool): (&'a Call, Option<&'a Arc<Tool>>),
    references: bool,
    claims: &'a [Claim],
) -> plan::Call<'a> {
    plan::Call {
        id: &call.id,
        tool: &call.tool,
        is_known: tool.is_some(),
        input: call.input.as_ref().ok(),
        depends_on: &call.depends_on,
        after: tool.map_or(&[], |tool| &tool.after),
        references,
        turn: tool.and_then(|tool| tool.turn()),
        claims,
        series: call.series.as_ref().map(|series| &*series.name),
    }
}

/// Refuses what no waiting makes smaller.
pub(super) fn check_size(submission: &Submission, settings: &Settings) -> Result<(), Refusal> {
    let calls = submission.calls.len();
    if calls > settings.batch_calls_max.get() {
        return Err(Refusal::TooLarge(format!(
            "the turn has {calls} calls; bounds.batch_calls allows {}",
            settings.batch_calls_max
        )));
    }
    let bytes: usize = submission
        .calls
        .iter()
        .map(|call| call.input.as_ref().map_or_else(|text| text.len(), |json| json.as_str().len()))
        .sum();
    if bytes > settings.batch_bytes_max.get() {
        return Err(Refusal::TooLarge(format!(
            "the turn's inputs have {bytes} bytes; bounds.batch_bytes allows {}",
            settings.batch_bytes_max
        )));
    }
    Ok(())
}

/// Plans a turn and finds the calls that cannot run.
pub(super) fn take_in(
    submission: Submission,
    batch_id: BatchId,
    registry: &View,
    settings: &Settings,
) -> Intake {
    let mut calls = submission.calls;
    let tools: Vec<_> = calls.iter().map(|call| registry.get(&call.tool).cloned()).collect();

    let references = submission.references;
    let resolves = |tool: Option<&Tool>| references && tool.is_none_or(|tool| tool.references);
    let claims: Vec<_> = calls
        .iter()
        .zip(&tools)
        .map(|(call, tool)| claims(call, tool.as_deref(), resolves(tool.as_deref())))
        .collect();
    let mut plan = plan::build(
        &calls
            .iter()
            .zip(&tools)
            .zip(&claims)
            .map(|((call, tool), claims)| {
                let references = resolves(tool.as_deref());
                planned((call, tool.as_ref()), references, claims.as_deref().unwrap_or_default())
            })
            .collect::<Vec<_>>(),
        submission.ordering,
    );
    for (((call, tool), claims), node) in calls.iter().zip(&tools).zip(claims).zip(&mut plan.nodes)
    {
        // The first thing that is wrong with a call is the one to mend first.
        if let Some(fault) = own_fault(call, tool.as_deref(), registry) {
            node.fault = Some(fault);
        } else if node.fault.is_none() {
            node.fault =
                misfit(call, tool.as_deref(), node.template.as_ref()).or_else(|| claims.err());
        }
    }

    // Checked and planned, it is sent as text.
    for input in calls.iter_mut().filter_map(|call| call.input.as_mut().ok()) {
        input.forget_value();
    }

    let twins = twins::groups(&tools);
    let latencies: Vec<_> = tools.iter().map(|tool| latency(tool.as_deref())).collect();
    plan::price(&mut plan, &latencies);
    let plan = Arc::new(plan);
    let paths = plan::remaining(&plan, &latencies);
    let accepted = Arc::new(Accepted {
        batch_id,
        calls: calls.iter().map(|call| (call.id.clone(), Arc::clone(&call.tool))).collect(),
        plan: Arc::clone(&plan),
        latencies,
        effects: tools.iter().map(|tool| tool.as_ref().map(|tool| tool.effect)).collect(),
        is_growing: false,
    });
    let Submission { caller, deadline, call_timeout, context, .. } = submission;
    let input_bytes_max = settings.batch_bytes_max.get();
    Intake {
        owner: caller.owner.clone(),
        tenant: caller.tenant.clone(),
        trace: context.trace_id(),
        accepted,
        calls,
        tools,
        twins,
        plan,
        paths,
        deadline,
        call_timeout,
        input_bytes_max,
    }
}

/// How long a call of the tool takes, as far as that is known.
fn latency(tool: Option<&Tool>) -> Duration {
    tool.map_or(Latency::UNKNOWN, |tool| tool.latency.expected())
}

/// What a call reads and writes, as far as that is known before its references are
/// resolved, where they will be.
fn claims(call: &Call, tool: Option<&Tool>, references: bool) -> Result<Vec<Claim>, Failure> {
    match (tool, &call.input) {
        (Some(tool), Ok(input)) => tool.claims.expected(input, references).map_err(too_many),
        _ => Ok(Vec::new()),
    }
}

/// A call that claims more than a call may.
pub(super) fn too_many(error: TooMany) -> Failure {
    Failure::new(FailureCode::InvalidInput, error.to_string())
}

/// What is wrong with a call whatever else the turn holds.
fn own_fault(call: &Call, tool: Option<&Tool>, registry: &View) -> Option<Failure> {
    let Some(tool) = tool else {
        return Some(registry.unknown(&call.tool));
    };
    let text = call.input.as_ref().err()?;
    // Parsed once more: only here is it worth knowing what is wrong with it.
    let fault = match crate::model::Json::try_new(text.to_string()) {
        Ok(_) => "it is not an object".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(Failure::new(
        FailureCode::InvalidInput,
        format!(
            "the input is not a JSON object, so the tool was not run: {fault}. What came: {}. \
             Call it again with an input that fits this schema: {}",
            echo(text),
            tool.schema.source()
        ),
    ))
}

/// What the schema says of an input; of one with references in it, as far as
/// that can be said before they are resolved.
fn misfit(call: &Call, tool: Option<&Tool>, template: Option<&plan::Template>) -> Option<Failure> {
    let (tool, input) = (tool?, call.input.as_ref().ok()?);
    match template {
        None => tool.schema.check(input).err(),
        Some(template) => tool.schema.check_around(input, &template.pointers()).err(),
    }
}

fn echo(text: &str) -> String {
    match text.char_indices().nth(ECHO_CHARS_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}… ({} bytes in all)", &text[..end], text.len()),
    }
}
