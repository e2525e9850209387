//! Who is traced, and the bounded way to the exporter.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use http::HeaderMap;
use opentelemetry::trace::{SpanContext, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use super::{
    capture,
    propagate::Context,
    queue::{Items, Queue, queue},
    record::{Batch, EndedBatch, EndedRpc, Parent, Rpc},
};
use crate::{
    clock::{Anchor, Instant},
    model::{BatchId, SessionId},
};

/// So many spans wake the exporter before its time: a message of the usual size.
const WORTH_WAKING_FOR: usize = 512;

/// What waits for the exporter.
#[derive(Debug)]
pub(super) enum Item {
    Rpc(Box<EndedRpc>),
    Batch(Box<EndedBatch>),
}

impl Item {
    /// Spans that it becomes at most.
    pub(super) fn spans_max(&self) -> usize {
        match self {
            Self::Rpc(_) => 1,
            Self::Batch(batch) => batch.spans_max(),
        }
    }

    /// What it counts for while it waits.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Rpc(_) => 1,
            Self::Batch(batch) => batch.weight(),
        }
    }
}

/// Decides who is traced, and takes what was recorded. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tracer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Queue,
    room: Room,
    /// Spans that were begun and have not ended.
    open: AtomicUsize,
    /// Of traces that begin here, those with a smaller number are taken.
    sampled_below: u64,
    /// Most bytes that are captured of an input and of a result, where they are.
    captures: (Option<usize>, Option<usize>),
    ids: RandomIdGenerator,
}

/// Room for spans that wait for the exporter, and how many found none.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Spans>);

#[derive(Debug)]
struct Spans {
    most: usize,
    waiting: AtomicUsize,
    dropped: AtomicU64,
    /// Of those, the ones that found no room.
    refused: AtomicU64,
}

impl Room {
    pub(super) fn new(most: usize) -> Self {
        let (dropped, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Spans { most, waiting: AtomicUsize::new(0), dropped, refused }))
    }

    fn take(&self, weight: usize) -> bool {
        let fits = |waiting: usize| Some(waiting + weight).filter(|sum| *sum <= self.0.most);
        self.0.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    pub(super) fn give_back(&self, weight: usize) {
        self.0.waiting.fetch_sub(weight, Ordering::Relaxed);
    }

    pub(super) fn lose(&self, spans: usize) {
        self.0.dropped.fetch_add(spans as u64, Ordering::Relaxed);
    }

    fn refuse(&self, spans: usize) {
        self.lose(spans);
        self.0.refused.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// Spans that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// What waits: spans, and each KiB of what was captured as one more.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

impl Tracer {
    /// A tracer that takes this part of the traces that begin here, and of the
    /// others those that their callers take; and of inputs and results what these
    /// settings say. Gives the other end of its queue.
    pub(super) fn new(
        ratio: f64,
        queue_spans_max: usize,
        capture: &capture::Settings,
    ) -> (Self, Items, Room) {
        // Every item is at least one span, so that the room is the tighter bound.
        let (queue, items) = queue(queue_spans_max, WORTH_WAKING_FOR.min(queue_spans_max / 2));
        let room = Room::new(queue_spans_max);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a part of all ids, as OpenTelemetry's own sampler counts it"
        )]
        let sampled_below = (ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        let ids = RandomIdGenerator::default();
        let captured = |is: bool| is.then_some(capture.bytes_max.get());
        let captures = (captured(capture.inputs), captured(capture.results));
        let open = AtomicUsize::new(0);
        let shared = Shared { queue, room: room.clone(), open, sampled_below, captures, ids };
        (Self { shared: Arc::new(shared) }, items, room)
    }

    /// An RPC with these headers begins. Gives the context of what it does, and
    /// the record of it where it is traced.
    pub fn rpc(&self, headers: &HeaderMap, method: &str) -> (Context, Option<Rpc>) {
        let context = Context::of(headers);
        let own = self.child(&context);
        if !own.is_sampled() {
            return (context.within(own), None);
        }
        // Its place is kept from here on: a span that comes later must not lose
        // its parent for want of room.
        if !self.shared.room.take(1) {
            self.shared.room.refuse(1);
            // It will never be there, and so nobody is to record what would be its
            // children.
            return (context.within(unsampled(&own)), None);
        }
        self.opens(1);
        let began = Anchor::now();
        let mut within = context.within(own.clone());
        within.began = Some(began);
        let ended = Box::new(EndedRpc {
            own,
            parent: Parent::of(&context),
            began,
            ended: began.instant(),
            method: method.into(),
            status: None,
        });
        (within, Some(Rpc { tracer: self.clone(), ended: Some(ended) }))
    }

    /// A batch of so many calls begins. Gives the context that its attempts are in,
    /// and the record of it where it is traced.
    pub fn batch(
        &self,
        context: &Context,
        ids: (BatchId, Option<SessionId>),
        calls: usize,
        now: Instant,
    ) -> (Context, Option<Box<Batch>>) {
        let own = self.child(context);
        let within = context.within(own.clone());
        let record = own
            .is_sampled()
            .then(|| Box::new(Batch::new(self.clone(), context, own, ids, calls, now)));
        (within, record)
    }

    /// A new span within `context`, sampled as its parent is, or else as the
    /// ratio has it.
    fn child(&self, context: &Context) -> SpanContext {
        let span = self.new_span();
        match &context.parent {
            Some(parent) => SpanContext::new(
                parent.trace_id(),
                span,
                parent.trace_flags(),
                false,
                parent.trace_state().clone(),
            ),
            None => {
                let trace = self.shared.ids.new_trace_id();
                let flags = TraceFlags::default().with_sampled(self.samples(trace));
                SpanContext::new(trace, span, flags, false, TraceState::NONE)
            }
        }
    }

    /// Spans that were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.shared.room.dropped()
    }

    /// Of those, the ones that found no room when they came. Nothing that was told
    /// lacks one of them.
    pub fn refused(&self) -> u64 {
        self.shared.room.0.refused.load(Ordering::Relaxed)
    }

    /// Spans that were begun and have not ended: those of RPCs and batches under way,
    /// and of batches that have ended those of calls, attempts and waits that did not.
    /// One whose record was lost stays open for ever, and will be in no trace.
    pub fn spans_open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    pub(super) fn opens(&self, spans: usize) {
        self.shared.open.fetch_add(spans, Ordering::Relaxed);
    }

    pub(super) fn closes(&self, spans: usize) {
        self.shared.open.fetch_sub(spans, Ordering::Relaxed);
    }

    /// A tracer of everything, with nobody behind it.
    #[cfg(test)]
    pub(crate) fn for_nobody() -> Self {
        Self::new(1.0, usize::MAX >> 4, &capture::Settings::default()).0
    }

    /// By the trace's id alone, so that everyone with this ratio decides alike.
    fn samples(&self, trace: TraceId) -> bool {
        let [.., a, b, c, d, e, f, g, h] = trace.to_bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1 < self.shared.sampled_below
    }

    /// Most bytes that are captured of an input and of a result; none where they are
    /// not.
    pub(super) fn captures(&self) -> (Option<usize>, Option<usize>) {
        self.shared.captures
    }

    pub(super) fn new_span(&self) -> opentelemetry::trace::SpanId {
        self.shared.ids.new_span_id()
    }

    /// Its room was kept when it began.
    pub(super) fn take_rpc(&self, rpc: Box<EndedRpc>) {
        self.send(Item::Rpc(rpc));
    }

    /// A batch is traced whole or not at all: half of it would be orphans.
    /// What was captured of it goes before the trace does.
    pub(super) fn take_batch(&self, mut batch: Box<EndedBatch>) {
        let room = &self.shared.room;
        let is_in = room.take(batch.weight()) || {
            let had_more = batch.weight() > batch.spans_max();
            batch.forget_captured();
            had_more && room.take(batch.weight())
        };
        match is_in {
            true => self.send(Item::Batch(batch)),
            false => room.refuse(batch.spans_max()),
        }
    }

    /// Never waits. Only an exporter that has ended takes nothing.
    fn send(&self, item: Item) {
        if let Err(item) = self.shared.queue.try_send(item) {
            self.shared.room.give_back(item.weight());
            self.shared.room.lose(item.spans_max());
        }
    }
}

/// The same span, which nobody records.
fn unsampled(span: &SpanContext) -> SpanContext {
    let flags = span.trace_flags().with_sampled(false);
    let state = span.trace_state().clone();
    SpanContext::new(span.trace_id(), span.span_id(), flags, span.is_remote(), state)
}
