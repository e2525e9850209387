//! The locks of a call: asked for once its input is made, held until it is
//! terminal.

use std::sync::Arc;

use super::{Dispatcher, Task, refusals};
use crate::{
    locks::{Asked, Guard, Holder, Lock, Table, Ticket},
    model::{Failure, FailureCode, SessionId},
    schedule::{batch_state::Event, intake::too_many, outcome::guarded},
};

/// Where the batch's calls ask for their locks.
#[derive(Debug)]
pub(in crate::schedule) struct Locksmith {
    pub(in crate::schedule) table: Table,
    pub(in crate::schedule) session: SessionId,
}

/// What a call has of its locks.
#[derive(Debug, Default)]
pub(super) enum Locks {
    /// It needs none, or has not asked.
    #[default]
    None,
    /// It waits for them.
    Wanted(Ticket),
    /// It holds them, for as long as this or an attempt of it is here.
    Held(Arc<Guard>),
}

impl Locks {
    /// What an attempt holds, so that one that was abandoned is gone before anybody
    /// else comes to what it touches.
    pub(super) fn held(&self) -> Option<Arc<Guard>> {
        match self {
            Self::Held(guard) => Some(Arc::clone(guard)),
            Self::None | Self::Wanted(_) => None,
        }
    }
}

impl Dispatcher {
    pub(super) fn lock(&mut self, call: usize) {
        let locks = match self.locks_of(call) {
            Ok(locks) => locks,
            Err(failure) => return self.inbox.push_back(Event::Refused(call, failure)),
        };
        let Some(tool) = &self.intake.tools[call] else {
            return;
        };
        let holder = Holder {
            tenant: self.intake.tenant.clone(),
            session: self.locksmith.session.clone(),
            batch: self.intake.accepted.batch_id.clone(),
            call: self.intake.calls[call].id.clone(),
            tool: tool.name.clone(),
        };
        match self.locksmith.table.ask(holder, &locks, self.now) {
            Asked::Granted(guard) => {
                self.flights[call].locks = Locks::Held(Arc::new(guard));
                self.inbox.push_back(Event::Locked(call));
            }
            Asked::Waiting(wait) => {
                self.ledger.locking(call, self.now);
                self.flights[call].locks = Locks::Wanted(wait.ticket());
                self.track(call, Task::lock(call, wait));
            }
            Asked::Full => {
                let message = "more calls than Sidecall keeps count of hold or wait for locks; \
                               it was not sent. Try again later.";
                let failure = Failure::new(FailureCode::Overloaded, message);
                self.inbox.push_back(Event::Refused(call, failure));
            }
        }
    }

    fn locks_of(&self, call: usize) -> Result<Vec<Lock>, Failure> {
        let (Some(tool), Some(input)) = (&self.intake.tools[call], &self.flights[call].input)
        else {
            return Ok(Vec::new());
        };
        guarded(|| tool.claims.locks(input).map_err(too_many))
    }

    pub(super) fn locked(&mut self, call: usize, guard: Guard) {
        self.ledger.locked(call, self.now);
        self.flights[call].locks = Locks::Held(Arc::new(guard));
        self.feed(Event::Locked(call));
    }

    /// The call's time is over and it has not got its locks.
    pub(super) fn lock_timed_out(&mut self, call: usize) {
        let obstacle = match self.flights[call].locks {
            Locks::Wanted(ticket) => self.locksmith.table.obstacle(ticket, self.now),
            Locks::None | Locks::Held(_) => None,
        };
        let waited = self.ledger.locked(call, self.now);
        let failure = refusals::lock_timed_out(obstacle, waited, &self.intake.accepted.batch_id);
        self.feed(Event::Refused(call, failure));
    }
}
