//! The way to those who are told what happens.

use tokio::sync::mpsc;

use crate::{model::BatchId, schedule::Event, telemetry::propagate::TraceId};

/// The way, and whose it is.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) events: mpsc::Sender<Event>,
    batch_id: BatchId,
    trace: Option<TraceId>,
}

impl Way {
    pub(super) fn new(
        events: mpsc::Sender<Event>,
        batch_id: BatchId,
        trace: Option<TraceId>,
    ) -> Self {
        Self { events, batch_id, trace }
    }

    /// Sending never waits: the channel has room for all that a batch can tell.
    pub(super) fn tell(&self, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            tracing::error!(
                batch.id = %self.batch_id,
                trace.id = self.trace.as_ref().map(tracing::field::display),
                event = event.name(),
                "A batch told more than it can"
            );
            debug_assert!(false, "the channel of events is too small");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        time::Duration,
    };

    use super::*;
    use crate::{
        model::{CallId, Failure, FailureCode},
        schedule::tests::logging::Written,
    };

    #[test]
    fn a_batch_that_tells_too_much_says_which_it_is_and_nothing_that_came_from_outside() {
        let written = Written::default();
        let _logging = written.logs();
        let trace = TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        let (events, _held) = mpsc::channel(1);
        let way = Way::new(events, BatchId::try_new("b-1").unwrap(), Some(trace));
        for _ in 0..2 {
            let failure = Failure::new(FailureCode::ToolError, "canary");
            let call_id = CallId::try_new("canary").unwrap();
            let event =
                Event::Retrying { index: 0, call_id, attempt: 1, delay: Duration::ZERO, failure };
            // Where faults are looked for it also breaks.
            let _ = catch_unwind(AssertUnwindSafe(|| way.tell(event)));
        }
        let line = written.text();
        assert!(line.contains("A batch told more than it can"), "{line}");
        assert!(line.contains(" batch.id=b-1"), "{line}");
        assert!(line.contains(" trace.id=0af7651916cd43dd8448eb211c80319c"), "{line}");
        assert!(line.contains("retrying") && !line.contains("canary"), "{line}");
    }
}
