//! What is told of a batch. Telling never waits: there is room for all that must be
//! told, and what tells of progress takes what is left.

use tokio::sync::mpsc;

use super::Ledger;
use crate::{
    backend::Progress,
    schedule::{Event, event, intake::Intake},
};

impl Ledger {
    /// How far an attempt is. False where there is no room to tell it: what must be
    /// told has its own.
    pub(in crate::schedule) fn progress(
        &self,
        intake: &Intake,
        call: usize,
        progress: &Progress,
    ) -> bool {
        let must = self.events.max_capacity() - event::PROGRESS_MAX;
        if self.events.capacity() <= must.saturating_sub(self.told) {
            return false;
        }
        let call_id = intake.calls[call].id.clone();
        let progress = progress.clone();
        tell(&self.events, Event::Progress { index: call, call_id, progress });
        true
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.told += 1;
        tell(&self.events, event);
    }
}

/// Sending never waits: the channel has room for all that a batch can tell.
pub(super) fn tell(events: &mpsc::Sender<Event>, event: Event) {
    if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event) {
        tracing::error!(?event, "A batch told more than it can");
        debug_assert!(false, "the channel of events is too small");
    }
}
