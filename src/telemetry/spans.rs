//! The only place that makes spans.
//!
//! They are built whole, with the times that the schedule wrote down, and not by
//! `tracing` spans that open and close around the work. A wait is known to be
//! worth showing only when it is over, the critical path only when the batch is;
//! and so nothing is allocated, locked or looked up while a call is under way. It
//! also keeps tracing a value that is handed down, where a `tracing` layer would
//! be one for the whole process.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    InstrumentationScope, KeyValue, Value,
    trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

use super::{
    capture::{self, Redactor},
    names::{self, attribute},
    record::{Call, Edge, Ended, EndedBatch, EndedRpc, Parent, Piece, What},
    told::ByTool,
    tracer::Item,
};
use crate::{
    clock::{Anchor, Instant},
    model::{Outcome, Secrets, Source, text::floor_char_boundary},
};

/// Shorter waits are told as attributes only.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// A span that takes no time is taken for a mistake.
const MOMENT: Duration = Duration::from_nanos(1);
/// Most bytes of a tool's description: a message's spans may all have one.
const DESCRIPTION_BYTES_MAX: usize = 1024;
/// Most links of a span, as OpenTelemetry has it by default.
const LINKS_MAX: usize = 128;

/// What is said of a tool in the spans of its calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: Arc<str>,
    /// What the model is told of it.
    pub description: Arc<str>,
    /// Its API.
    pub api: Arc<str>,
    /// `extension`, where it runs beside the agent against an API.
    pub kind: &'static str,
}

/// Tools by their names.
pub(super) fn by_name(tools: &[Tool]) -> HashMap<Arc<str>, Tool> {
    let shown = |tool: &Tool| Tool { description: cut(&tool.description), ..tool.clone() };
    tools.iter().map(|tool| (Arc::clone(&tool.name), shown(tool))).collect()
}

/// Makes spans of what was recorded.
#[derive(Debug)]
pub(super) struct Maker {
    scope: InstrumentationScope,
    tools: ByTool<Tool>,
    capture: capture::Settings,
    redactor: Redactor,
    ids: RandomIdGenerator,
}

impl Maker {
    /// Tells of these tools, and of their inputs and results so much.
    pub(super) fn new(tools: &[Tool], (capture, secrets): (capture::Settings, Secrets)) -> Self {
        let scope = InstrumentationScope::builder("sidecall")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        let redactor = Redactor::new(&capture, secrets);
        let tools = ByTool::new(by_name(tools));
        Self { scope, tools, capture, redactor, ids: RandomIdGenerator::default() }
    }

    /// What is told of tools.
    pub(super) fn tools(&self) -> &ByTool<Tool> {
        &self.tools
    }

    /// What is captured of inputs and results.
    pub(super) fn capture(&self) -> &capture::Settings {
        &self.capture
    }

    /// What is shown nowhere.
    pub(super) fn secrets(&self) -> &Secrets {
        self.redactor.secrets()
    }

    /// The spans of an item, parents first. Made one by one: a wide batch has
    /// tens of thousands.
    pub(super) fn spans<'a>(
        &'a self,
        item: &'a Item,
    ) -> Box<dyn Iterator<Item = SpanData> + Send + 'a> {
        match item {
            Item::Rpc(rpc) => Box::new(std::iter::once(self.rpc(rpc))),
            Item::Batch(batch) => {
                let mut edges: Vec<Vec<&Edge>> = batch.calls.iter().map(|_| Vec::new()).collect();
                for edge in &batch.edges {
                    edges[edge.to].push(edge);
                }
                let calls = batch.calls.iter().zip(edges).filter_map(move |(call, edges)| {
                    Some(self.call(batch, call, call.result.as_ref()?, &edges))
                });
                let pieces = batch.pieces.iter().filter_map(|piece| self.piece(batch, piece));
                Box::new(std::iter::once(self.batch(batch)).chain(calls).chain(pieces))
            }
        }
    }

    fn span(
        &self,
        own: SpanContext,
        parent: SpanId,
        name: impl Into<Cow<'static, str>>,
    ) -> SpanData {
        SpanData {
            span_context: own,
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }

    fn rpc(&self, rpc: &EndedRpc) -> SpanData {
        let Parent { span, is_remote } = rpc.parent;
        let status = rpc.status.unwrap_or("CANCELLED");
        let mut attributes = vec![
            KeyValue::new(attribute::RPC_SYSTEM, "grpc"),
            KeyValue::new(attribute::RPC_METHOD, Arc::clone(&rpc.method)),
            KeyValue::new(attribute::RPC_STATUS, status),
        ];
        let is_fault = names::RPC_FAULTS.contains(&status);
        if is_fault {
            attributes.push(KeyValue::new(attribute::ERROR_TYPE, status));
        }
        let (start_time, end_time) = times(&rpc.began, rpc.began.instant(), rpc.ended);
        SpanData {
            parent_span_is_remote: is_remote,
            span_kind: SpanKind::Server,
            start_time,
            end_time,
            attributes,
            status: if is_fault { Status::error(status) } else { Status::Unset },
            ..self.span(rpc.own.clone(), span, rpc.method.to_string())
        }
    }

    fn batch(&self, batch: &EndedBatch) -> SpanData {
        let Parent { span, is_remote } = batch.parent;
        let running = |call: &Call| call.result.as_ref().map(|result| result.timings.running);
        let sequential: Duration = batch.calls.iter().filter_map(running).sum();
        let mut attributes = vec![
            KeyValue::new(attribute::BATCH_ID, self.redactor.line(batch.batch_id.as_str())),
            KeyValue::new(attribute::BATCH_WIDTH, count(batch.calls.len())),
            KeyValue::new(attribute::BATCH_DEPTH, count(batch.depth)),
            KeyValue::new(attribute::BATCH_SEQUENTIAL, sequential.as_secs_f64()),
        ];
        if let Some(session) = &batch.session_id {
            let session = self.redactor.line(session.as_str());
            attributes.push(KeyValue::new(attribute::CONVERSATION, session));
        }
        let (start_time, end_time) = times(&batch.anchor, batch.began, batch.ended);
        SpanData {
            parent_span_is_remote: is_remote,
            start_time,
            end_time,
            attributes,
            ..self.span(batch.own.clone(), span, "batch")
        }
    }

    fn call(&self, batch: &EndedBatch, call: &Call, result: &Ended, links: &[&Edge]) -> SpanData {
        let offered = || call.offered.as_ref().map(|tool| self.shown(tool));
        let tool = self.tools.get(&result.tool).or_else(offered);
        let tool = tool.as_ref();
        // A name that no tool has is the model's own words: no name for a span.
        let name = tool.map_or_else(
            || "execute_tool".to_owned(),
            |tool| format!("execute_tool {}", tool.name),
        );
        let shown = match tool {
            Some(tool) => Value::from(Arc::clone(&tool.name)),
            None => Value::from(self.redactor.line(&result.tool)),
        };
        let waits = &result.timings;
        // Most have fifteen.
        let mut attributes = Vec::with_capacity(16);
        attributes.extend([
            KeyValue::new(attribute::OPERATION, "execute_tool"),
            KeyValue::new(attribute::TOOL_NAME, shown),
            KeyValue::new(attribute::TOOL_CALL_ID, self.redactor.line(result.call_id.as_str())),
            KeyValue::new(attribute::OUTCOME, outcome(result.outcome)),
            KeyValue::new(attribute::WAIT_BLOCKED, waits.blocked.as_secs_f64()),
            KeyValue::new(attribute::WAIT_LOCKS, waits.locked.as_secs_f64()),
            KeyValue::new(attribute::WAIT_CONCURRENCY, waits.queued.as_secs_f64()),
            KeyValue::new(attribute::WAIT_TOKENS, waits.throttled.as_secs_f64()),
            KeyValue::new(attribute::WAIT_BACKOFF, waits.backing_off.as_secs_f64()),
            KeyValue::new(attribute::RESULT_BYTES, count(result.bytes)),
            KeyValue::new(attribute::CRITICAL, call.is_critical),
        ]);
        if let Some(Tool { description, api, kind, .. }) = tool {
            attributes.push(KeyValue::new(attribute::TOOL_TYPE, *kind));
            attributes.push(KeyValue::new(attribute::TOOL_DESCRIPTION, Arc::clone(description)));
            attributes.push(KeyValue::new(attribute::API, Arc::clone(api)));
        }
        if let Some(source) = result.source {
            attributes.push(KeyValue::new(attribute::SOURCE, self::source(source)));
        }
        for (name, taken) in
            [(attribute::TOOL_ARGUMENTS, &call.input), (attribute::TOOL_RESULT, &result.captured)]
        {
            if let Some(taken) = taken {
                attributes.push(KeyValue::new(name, self.redactor.show(taken)));
            }
        }
        // The failure's message is for the model, and may quote what it wrote.
        let status = result.code.map_or(Status::Unset, |code| {
            attributes.push(KeyValue::new(attribute::ERROR_TYPE, code.as_str()));
            Status::error(code.as_str())
        });
        let mut spans = SpanLinks::default();
        spans.links.extend(links.iter().take(LINKS_MAX).map(|edge| self.link(batch, edge)));
        spans.dropped_count = dropped(links.len());
        let begin = batch.begin(call, result, links);
        let (start_time, end_time) = times(&batch.anchor, begin, result.at);
        SpanData {
            start_time,
            end_time,
            attributes,
            links: spans,
            status,
            ..self.span(within(batch, call.span), batch.own.span_id(), name)
        }
    }

    /// What a worker says of its tool: others chose it.
    fn shown(&self, tool: &Tool) -> Tool {
        let name = self.redactor.line(&tool.name).into();
        let description = cut(&self.redactor.line(&tool.description));
        Tool { name, description, api: Arc::clone(&tool.api), kind: tool.kind }
    }

    fn link(&self, batch: &EndedBatch, edge: &Edge) -> Link {
        let reason = match edge.kind {
            // The names of resources are made of inputs.
            Edge::RESOURCE if !self.capture.inputs => Value::from("the same resource"),
            _ => Value::from(self.redactor.line(&edge.reason)),
        };
        let attributes = vec![
            KeyValue::new(attribute::EDGE_KIND, edge.kind),
            KeyValue::new(attribute::EDGE_REASON, reason),
        ];
        Link::new(within(batch, batch.calls[edge.from].span), attributes, 0)
    }

    fn piece(&self, batch: &EndedBatch, piece: &Piece) -> Option<SpanData> {
        let Piece { call, what, from, to } = piece;
        let parent = batch.calls[*call].span;
        let (start_time, end_time) = times(&batch.anchor, *from, *to);
        let (name, kind) = match what {
            What::Attempt(attempt) => {
                let span = self.tried(batch, attempt, parent);
                return Some(SpanData { start_time, end_time, ..span });
            }
            What::Locks => ("wait for locks", "locks"),
            What::Concurrency => ("wait for a place", "concurrency"),
            What::Tokens => ("wait for tokens", "tokens"),
            What::Sharing => ("wait for an identical call", "sharing"),
            What::Backoff => ("back off", "backoff"),
        };
        if *to - *from < WAIT_MIN {
            return None;
        }
        // Nobody but its parent knows a wait, so that its id is made only here.
        let own = within(batch, self.ids.new_span_id());
        Some(SpanData {
            start_time,
            end_time,
            attributes: vec![KeyValue::new(attribute::WAIT_KIND, kind)],
            ..self.span(own, parent, name)
        })
    }
}

/// From when to when, by the wall. Every end is told a moment late: nothing takes no
/// time, and what is within another stays there.
fn times(anchor: &Anchor, from: Instant, to: Instant) -> (SystemTime, SystemTime) {
    (anchor.wall_of(from), anchor.wall_of(to.max(from) + MOMENT))
}

/// As much of a description as spans hold.
fn cut(description: &str) -> Arc<str> {
    description[..floor_char_boundary(description, DESCRIPTION_BYTES_MAX)].into()
}

/// A span of the batch's trace.
fn within(batch: &EndedBatch, span: SpanId) -> SpanContext {
    let state = batch.own.trace_state().clone();
    SpanContext::new(batch.own.trace_id(), span, TraceFlags::SAMPLED, false, state)
}

/// Bytes of a span that came from an input or a result.
pub(super) fn captured_bytes(span: &SpanData) -> usize {
    let is_captured = |pair: &&KeyValue| {
        [attribute::TOOL_ARGUMENTS, attribute::TOOL_RESULT].contains(&pair.key.as_str())
    };
    let captured = span.attributes.iter().filter(is_captured);
    captured.map(|pair| pair.value.as_str().len()).sum()
}

fn dropped(links: usize) -> u32 {
    u32::try_from(links.saturating_sub(LINKS_MAX)).unwrap_or(u32::MAX)
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A word for how a call ended.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Skipped => "skipped",
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Executed => "executed",
        Source::Shared => "shared",
        Source::Cached => "cached",
        Source::Fallback => "fallback",
    }
}

mod attempts;

#[cfg(test)]
mod tests;
