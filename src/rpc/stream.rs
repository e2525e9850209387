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
use crate::{format::Frame, proto::v1, schedule::Running, telemetry::propagate::TraceId};

mod parts;
mod writer;

use writer::Writer;

/// The answer to `ExecuteBatch`. Dropping it cancels the batch.
#[derive(Debug)]
pub struct Events {
    running: Running,
    writer: Writer,
    /// For the log.
    trace: Option<TraceId>,
    /// Counts the open streams: the process outlives them all.
    _open: TaskTrackerToken,
}

impl Events {
    /// The events of `running`, in messages of at most `bytes_max`.
    pub(super) fn new(
        running: Running,
        frame: Frame,
        bytes_max: usize,
        (open, trace): (TaskTrackerToken, Option<TraceId>),
    ) -> Self {
        Self { running, writer: Writer::new(frame, bytes_max), trace, _open: open }
    }

    /// Ready when the batch has begun. What it began with then leaves in one
    /// write with the head of the response, and wakes the caller once.
    pub(super) async fn begun(mut self) -> Self {
        if let Some(event) = self.running.events.recv().await {
            self.writer.take(event);
            while !self.writer.has_news()
                && let Ok(event) = self.running.events.try_recv()
            {
                self.writer.take(event);
            }
        }
        self
    }
}

impl Stream for Events {
    type Item = Result<v1::ExecuteBatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            // The end follows the last result at once: the two leave in one
            // write.
            if !self.writer.is_before_the_end()
                && let Some(event) = self.writer.next()
            {
                return Poll::Ready(Some(Ok(v1::ExecuteBatchResponse { event: Some(event) })));
            }
            if self.writer.has_ended() {
                return Poll::Ready(None);
            }
            match ready!(self.running.events.poll_recv(context)) {
                Some(event) => self.writer.take(event),
                None => {
                    self.writer.abandon();
                    let cause = "the batch ended without its last event";
                    return Poll::Ready(Some(Err(status::internal(cause, self.trace))));
                }
            }
        }
    }
}
