//! What a call takes of its session's budget.
//!
//! It is counted once its input is known, before anybody looks for an answer that
//! is there already, and it pays what it costs when it is going to run itself. A
//! call that is refused takes nothing, whoever refuses it, and neither does one
//! that ends before its first attempt.

use super::Dispatcher;
use crate::model::Failure;

impl Dispatcher {
    /// Counts a call, whose input is made.
    pub(super) fn count(&mut self, call: usize) -> Result<(), Failure> {
        let flight = &mut self.flights[call];
        let (Some(tool), Some(input)) = (&self.intake.tools[call], &flight.input) else {
            return Ok(());
        };
        let digest = &mut flight.digest;
        let input = || *digest.get_or_insert_with(|| input.digest());
        let counted = self.session.count(&tool.name, input, self.now);
        flight.counted = Some(counted.map_err(|refused| refused.failure(&tool.name))?);
        Ok(())
    }

    /// Pays for a call that is going to run, if it has not paid yet: every attempt
    /// is of the same call.
    pub(super) fn pay(&mut self, call: usize) -> Result<(), Failure> {
        let flight = &mut self.flights[call];
        let Some(tool) = self.intake.tools[call].as_ref().filter(|_| !flight.has_paid) else {
            return Ok(());
        };
        match self.session.pay(tool.cost) {
            Ok(()) => {
                flight.has_paid = true;
                Ok(())
            }
            Err(refused) => {
                if let Some(counted) = flight.counted.take() {
                    self.session.give_back(counted);
                }
                Err(refused.failure(&tool.name))
            }
        }
    }

    /// Gives back what a call took that ended without an attempt.
    pub(super) fn give_back(&mut self, call: usize) {
        let flight = &mut self.flights[call];
        if let Some(counted) = flight.counted.take() {
            self.session.give_back(counted);
        }
        if std::mem::take(&mut flight.has_paid)
            && let Some(tool) = &self.intake.tools[call]
        {
            self.session.repay(tool.cost);
        }
    }
}
