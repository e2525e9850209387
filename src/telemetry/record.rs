//! What is written down of RPCs and batches while they run. It becomes spans
//! only in the exporter's thread, so that a call pays for little more than a
//! few moments kept in a list.

use std::{sync::Arc, time::Duration};

use opentelemetry::trace::{SpanContext, SpanId};

use super::{capture::Taken, outgoing::Outgoing, propagate::Context, spans::Tool, tracer::Tracer};
use crate::{
    clock::{self, Anchor, Instant},
    model::{
        BatchId, CallId, CallResult, Content, FailureCode, Outcome, SessionId, Source, Timings,
    },
};

/// What a span belongs to.
#[derive(Clone, Debug)]
pub(super) struct Parent {
    pub(super) span: SpanId,
    pub(super) is_remote: bool,
}

impl Parent {
    pub(super) fn of(context: &Context) -> Self {
        let parent = context.parent.as_ref();
        Self {
            span: parent.map_or(SpanId::INVALID, SpanContext::span_id),
            is_remote: parent.is_some_and(SpanContext::is_remote),
        }
    }
}

/// An RPC that is being recorded. Dropped, it has ended.
#[derive(Debug)]
pub struct Rpc {
    pub(super) tracer: Tracer,
    pub(super) ended: Option<Box<EndedRpc>>,
}

/// An RPC that has ended.
#[derive(Debug)]
pub(super) struct EndedRpc {
    pub(super) own: SpanContext,
    pub(super) parent: Parent,
    /// When it began.
    pub(super) began: Anchor,
    pub(super) ended: Instant,
    /// `package.Service/Method`
    pub(super) method: Arc<str>,
    /// The status by name; none where the caller went away.
    pub(super) status: Option<&'static str>,
}

impl Rpc {
    /// Its status, by name: `INVALID_ARGUMENT`.
    pub fn has_status(&mut self, status: &'static str) {
        if let Some(ended) = &mut self.ended {
            ended.status = Some(status);
        }
    }
}

impl Drop for Rpc {
    fn drop(&mut self) {
        if let Some(mut rpc) = self.ended.take() {
            rpc.ended = clock::now();
            self.tracer.closes(1);
            self.tracer.take_rpc(rpc);
        }
    }
}

/// What a call is doing.
#[derive(Clone, Debug)]
pub enum Stage {
    /// Waiting for its locks.
    Locking,
    /// Waiting for its rights.
    Queued,
    /// Waiting for the answer of an identical call.
    Sharing,
    /// In its attempt of this number, from 1.
    Running(u32),
    /// Waiting for its next attempt.
    BackingOff,
}

/// A piece of a call's time.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) call: usize,
    pub(super) what: What,
    pub(super) from: Instant,
    pub(super) to: Instant,
}

#[derive(Debug)]
pub(super) enum What {
    Locks,
    Concurrency,
    Tokens,
    Sharing,
    Backoff,
    Attempt(Attempt),
}

/// An attempt, and how it failed.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) span: SpanId,
    pub(super) outgoing: Arc<Outgoing>,
    pub(super) code: Option<FailureCode>,
}

/// Why a call waits for another.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Place of the parent in the turn, from 0.
    pub from: usize,
    /// Place of the child.
    pub to: usize,
    /// Which kind of dependency it is.
    pub kind: &'static str,
    /// For people.
    pub reason: Arc<str>,
}

impl Edge {
    /// The kind of one between calls that touch the same resource. Its reason has the
    /// resource's name, which is made of inputs.
    pub const RESOURCE: &str = "resource";
}

/// A batch that is being recorded.
#[derive(Debug)]
pub struct Batch {
    tracer: Tracer,
    context: Context,
    ended: Box<EndedBatch>,
    open: Vec<Option<Open>>,
}

/// What a call is doing, and since when.
#[derive(Debug)]
struct Open {
    stage: Stage,
    since: Instant,
    attempt: Option<Attempt>,
}

/// A batch that has ended.
#[derive(Debug)]
pub(super) struct EndedBatch {
    pub(super) own: SpanContext,
    pub(super) parent: Parent,
    /// Tells the wall's time of all that is in it: its RPC's, so that both agree.
    pub(super) anchor: Anchor,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) batch_id: BatchId,
    pub(super) session_id: Option<SessionId>,
    pub(super) calls: Vec<Call>,
    pub(super) pieces: Vec<Piece>,
    pub(super) edges: Vec<Edge>,
    pub(super) depth: usize,
    captured_bytes: usize,
}

/// A call and what it came to.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) span: SpanId,
    pub(super) ready: Option<Instant>,
    /// The beginning of its input, where inputs are captured.
    pub(super) input: Option<Taken>,
    pub(super) result: Option<Ended>,
    /// Its tool, where it is a worker's.
    pub(super) offered: Option<Arc<Tool>>,
    pub(super) is_critical: bool,
}

/// What is kept of a call's result: nothing that came from its API, unless results
/// are captured.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) at: Instant,
    pub(super) call_id: CallId,
    pub(super) tool: Arc<str>,
    pub(super) outcome: Outcome,
    pub(super) source: Option<Source>,
    pub(super) code: Option<FailureCode>,
    pub(super) timings: Timings,
    pub(super) bytes: usize,
    /// Its beginning, where results are captured.
    pub(super) captured: Option<Taken>,
}

impl Batch {
    /// A batch of so many calls that begins now, as a child of `context`.
    pub(super) fn new(
        tracer: Tracer,
        context: &Context,
        own: SpanContext,
        (batch_id, session_id): (BatchId, Option<SessionId>),
        calls: usize,
        now: Instant,
    ) -> Self {
        tracer.opens(1);
        let ended = Box::new(EndedBatch {
            parent: Parent::of(context),
            anchor: context.began.unwrap_or_else(Anchor::now),
            began: now,
            ended: now,
            batch_id,
            session_id,
            calls: (0..calls).map(|_| Call::new(&tracer)).collect(),
            // Most calls wait once and run once.
            pieces: Vec::with_capacity(calls * 2),
            edges: Vec::new(),
            depth: 0,
            captured_bytes: 0,
            own: own.clone(),
        });
        let context = context.within(own);
        Self { tracer, context, ended, open: (0..calls).map(|_| None).collect() }
    }

    /// A call came that the batch did not begin with.
    pub fn came(&mut self) {
        self.ended.calls.push(Call::new(&self.tracer));
        self.open.push(None);
    }

    /// The call's inputs are there.
    pub fn ready(&mut self, call: usize, now: Instant) {
        self.ended.calls[call].ready.get_or_insert(now);
    }

    /// The call runs with this input, or would have. What was said first holds.
    pub fn takes(&mut self, call: usize, input: &str) {
        let (inputs_bytes_max, _) = self.tracer.captures();
        let Some(call) = self.ended.calls.get_mut(call).filter(|call| call.input.is_none()) else {
            return;
        };
        call.input = inputs_bytes_max.map(|bytes_max| Taken::of(input, bytes_max));
        self.ended.captured_bytes += call.input.as_ref().map_or(0, Taken::bytes);
    }

    /// The call begins to do something; what it did before is over.
    pub fn enters(&mut self, call: usize, stage: Stage, now: Instant) {
        self.leaves(call, None, now);
        self.open[call] = Some(Open { stage, since: now, attempt: None });
    }

    /// So much of the wait that is about to end was for tokens.
    pub fn was_throttled(&mut self, call: usize, throttled: Duration, now: Instant) {
        let Some(open) = &mut self.open[call] else { return };
        // The tokens came last: a place alone would have been granted before.
        let from = now.checked_sub(throttled).unwrap_or(now).max(open.since);
        if throttled.is_zero() || from == now {
            return;
        }
        let (since, to) = (open.since, from);
        open.since = now;
        self.piece(call, What::Concurrency, since, to);
        self.piece(call, What::Tokens, from, now);
    }

    /// The call's attempt begins. Gives what goes on with it.
    pub fn attempts(&mut self, call: usize, number: u32, now: Instant) -> Arc<Outgoing> {
        self.enters(call, Stage::Running(number), now);
        let span = self.tracer.new_span();
        let outgoing = Arc::new(Outgoing::new(self.context.carried(Some(span))));
        if let Some(open) = &mut self.open[call] {
            let outgoing = Arc::clone(&outgoing);
            open.attempt = Some(Attempt { number, span, outgoing, code: None });
        }
        outgoing
    }

    /// What the call did is over; with this failure where it was an attempt that
    /// failed.
    pub fn leaves(&mut self, call: usize, code: Option<FailureCode>, now: Instant) {
        let Some(Open { stage, since, attempt }) = self.open[call].take() else { return };
        let what = match (stage, attempt) {
            (Stage::Running(_), Some(attempt)) => What::Attempt(Attempt { code, ..attempt }),
            (Stage::Running(_), None) => return,
            (Stage::Locking, _) => What::Locks,
            (Stage::Queued, _) => What::Concurrency,
            (Stage::Sharing, _) => What::Sharing,
            (Stage::BackingOff, _) => What::Backoff,
        };
        self.piece(call, what, since, now);
    }

    /// The call's tool is a worker's.
    pub fn is_offered(&mut self, call: usize, tool: &Arc<Tool>) {
        if let Some(call) = self.ended.calls.get_mut(call) {
            call.offered = Some(Arc::clone(tool));
        }
    }

    /// The call is terminal.
    pub fn ends(&mut self, result: &CallResult, now: Instant) {
        let call = result.index;
        let code = result.failure.as_ref().map(|failure| failure.code);
        self.leaves(call, code, now);
        let shown = || result.content.iter().map(Content::size_bytes).sum();
        let (_, results_bytes_max) = self.tracer.captures();
        // The convention's: a failure is told by its code.
        let bytes_max = results_bytes_max.filter(|_| result.outcome == Outcome::Succeeded);
        let captured = bytes_max.map(|bytes_max| Taken::of_blocks(&result.content, bytes_max));
        self.ended.captured_bytes += captured.as_ref().map_or(0, Taken::bytes);
        self.ended.calls[call].result = Some(Ended {
            at: now,
            call_id: result.call_id.clone(),
            tool: Arc::clone(&result.tool),
            outcome: result.outcome,
            source: result.source,
            code,
            timings: result.timings,
            bytes: result.truncation.map_or_else(shown, |truncation| truncation.whole_bytes),
            captured,
        });
    }

    /// The batch has ended: hands it to the exporter. What has not ended by now
    /// never will.
    pub fn end(mut self, critical: &[usize], edges: Vec<Edge>, depth: usize, now: Instant) {
        for call in critical {
            self.ended.calls[*call].is_critical = true;
        }
        self.ended.edges = edges;
        self.ended.depth = depth;
        self.ended.ended = now;
        // A call without a result has no span, and what it began has none either.
        let without = self.ended.calls.iter().filter(|call| call.result.is_none()).count();
        self.tracer.opens(without + self.open.iter().flatten().count());
        self.tracer.closes(1);
        self.tracer.take_batch(self.ended);
    }

    fn piece(&mut self, call: usize, what: What, from: Instant, to: Instant) {
        // A call that waited for nothing has no wait to show.
        if to > from || matches!(what, What::Attempt(_)) {
            self.ended.pieces.push(Piece { call, what, from, to });
        }
    }
}

impl Call {
    fn new(tracer: &Tracer) -> Self {
        let (ready, input, result, offered) = (None, None, None, None);
        Self { span: tracer.new_span(), ready, input, result, offered, is_critical: false }
    }
}

impl EndedBatch {
    /// When a call began that ended so, behind these parents: once its inputs were
    /// there; one that was not run, once the last of its parents had ended.
    pub(super) fn begin(&self, call: &Call, result: &Ended, parents: &[&Edge]) -> Instant {
        let ended = |edge: &&Edge| Some(self.calls[edge.from].result.as_ref()?.at);
        let before = parents.iter().filter_map(ended).filter(|at| *at <= result.at).max();
        call.ready.or(before).unwrap_or(self.began)
    }

    /// Spans that it becomes at most.
    pub(super) fn spans_max(&self) -> usize {
        1 + self.calls.len() + self.pieces.len()
    }

    /// What it counts for while it waits: a KiB of what was captured as a span.
    pub(super) fn weight(&self) -> usize {
        self.spans_max() + self.captured_bytes.div_ceil(1 << 10)
    }

    /// Lets go what was captured.
    pub(super) fn forget_captured(&mut self) {
        self.captured_bytes = 0;
        for call in &mut self.calls {
            call.input = None;
            if let Some(result) = &mut call.result {
                result.captured = None;
            }
        }
    }
}
