//! What comes before a call asks for anything: its time, its input, and whether
//! there is a result for it already.

use std::cmp::Reverse;

use super::{Dispatcher, Timer};
use crate::{
    clock::Instant,
    model::{Failure, FailureCode},
    schedule::batch_state::Event,
};

impl Dispatcher {
    /// The call's own parents are done: its clock starts, its input is made.
    pub(super) fn prepare(&mut self, call: usize) -> Result<Event, Failure> {
        let deadline = self.deadline_of(call)?;
        let input = self.ledger.input(&self.intake, call)?;
        let flight = &mut self.flights[call];
        flight.input = Some(input);
        flight.deadline = Some(deadline);
        self.timers.push(Reverse((deadline, call, Timer::Deadline)));
        self.count(call)?;
        self.reuse(call)
    }

    fn deadline_of(&mut self, call: usize) -> Result<Instant, Failure> {
        let now = self.now;
        let ready = self.ledger.ready(call, now);
        let Some(tool) = self.intake.tools[call].as_ref() else {
            // Its fault ended it before this could be asked for.
            return Err(Failure::new(FailureCode::Internal, "the call has no tool"));
        };
        let timeout =
            self.intake.calls[call].timeout.or(self.intake.call_timeout).unwrap_or(tool.timeout);
        let deadline =
            ready.checked_add(timeout).map_or(self.deadline, |own| own.min(self.deadline));
        if deadline <= now {
            return Err(Failure::new(
                FailureCode::DeadlineExceeded,
                "the batch's time was over before the call could start; it was not sent",
            ));
        }
        Ok(deadline)
    }
}
