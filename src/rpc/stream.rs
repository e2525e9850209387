//! A batch as a stream of messages: numbered without gaps, none over the size
//! that clients accept.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio_stream::Stream;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::Status;

use super::status;
use crate::{
    proto::v1,
    schedule::{Event, Refusal, Running},
    telemetry::propagate::TraceId,
};

mod frame;
mod parts;
mod writer;

pub(super) use frame::SharedFrame;
use writer::Writer;

/// The answer to `ExecuteBatch` and to `ExecuteStream`. Dropping it cancels the
/// batch.
#[derive(Debug)]
pub struct Events<M> {
    running: Running,
    writer: Writer,
    /// For the log.
    trace: Option<TraceId>,
    /// Why the batch was broken off.
    broken: Option<Refusal>,
    wrap: fn(v1::BatchEvent) -> M,
    /// Counts the open streams: the process outlives them all.
    _open: TaskTrackerToken,
}

impl<M> Events<M> {
    /// The events of `running`, in messages of at most `bytes_max`, each wrapped as
    /// its RPC has it.
    pub(super) fn new(
        running: Running,
        frame: impl Into<SharedFrame>,
        bytes_max: usize,
        wrap: fn(v1::BatchEvent) -> M,
        (open, trace): (TaskTrackerToken, Option<TraceId>),
    ) -> Self {
        let writer = Writer::new(frame, bytes_max);
        Self { running, writer, broken: None, wrap, trace, _open: open }
    }

    /// Ready when the batch has begun. What it began with then leaves in one
    /// write with the head of the response, and wakes the caller once.
    pub(super) async fn begun(mut self) -> Self {
        if let Some(event) = self.running.events.recv().await {
            self.take(event);
            while !self.writer.has_news()
                && let Ok(event) = self.running.events.try_recv()
            {
                self.take(event);
            }
        }
        self
    }

    fn take(&mut self, event: Event) {
        if let Event::BrokenOff(refusal) = &event {
            self.broken = Some(refusal.clone());
        }
        self.writer.take(event);
    }
}

impl<M> Stream for Events<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            // The end follows the last result at once: the two leave in one
            // write.
            if !self.writer.is_before_the_end()
                && let Some(event) = self.writer.next()
            {
                return Poll::Ready(Some(Ok((self.wrap)(event))));
            }
            if self.writer.has_ended() {
                return Poll::Ready(None);
            }
            if let Some(refusal) = self.broken.take() {
                self.writer.abandon();
                return Poll::Ready(Some(Err(status::refused(refusal))));
            }
            match ready!(self.running.events.poll_recv(context)) {
                Some(event) => self.take(event),
                None => {
                    self.writer.abandon();
                    let cause = "the batch ended without its last event";
                    return Poll::Ready(Some(Err(status::internal(cause, self.trace))));
                }
            }
        }
    }
}
