//! What is told of a batch. Telling never waits: there is room for all that must be
//! told, and what tells of progress takes what is left.

use tokio::sync::mpsc;

use super::Ledger;
use crate::{
    backend::Progress,
    schedule::{Event, event, intake::Intake},
};

impl Ledger {
    /// Those who are told.
    pub(in crate::schedule) fn events(&self) -> &mpsc::Sender<Event> {
        &self.way.events
    }

    /// How far an attempt is. False where there is no room to tell it: what must be
    /// told has its own.
    pub(in crate::schedule) fn progress(
        &self,
        intake: &Intake,
        call: usize,
        progress: &Progress,
    ) -> bool {
        let events = self.events();
        let must = events.max_capacity() - event::PROGRESS_MAX;
        if events.capacity() <= must.saturating_sub(self.told) {
            return false;
        }
        let call_id = intake.calls[call].id.clone();
        let progress = progress.clone();
        self.way.tell(Event::Progress { index: call, call_id, progress });
        true
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.told += 1;
        self.way.tell(event);
    }
}
