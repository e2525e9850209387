//! Locks on resources by name: shared by those that read, or held by one that
//! writes.
//!
//! A request for several keys stands in the queue of each from the moment that it
//! asks, and holds none before it is first in all of them: all together or not at
//! all. In each queue those that stand against each other keep the order in which
//! they asked. A reader does not overtake a writer that waits, and a request
//! for many keys does not starve behind those for few. Since everybody waits only
//! for those that asked before, nobody waits in a circle.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use super::Lock;
use crate::{
    clock::{self, Instant},
    model::{BatchId, CallId, SessionId, Tenant, ToolName},
    sync::{Mutex, MutexGuard},
};

mod state;
mod status;

use state::State;

pub use status::{KeyStatus, Status};

/// Most keys held or waited for at once, each counted as often as it is asked for:
/// so much memory at most, whatever is asked.
pub const CLAIMS_MAX: usize = 1 << 18;

/// Who holds what. Cheap to clone; all clones are one table.
#[derive(Clone, Default)]
pub struct Table {
    state: Arc<Mutex<State>>,
}

/// The call that asks, for those that see it hold something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Its tenant. Names are each tenant's own.
    pub tenant: Tenant,
    /// Its session.
    pub session: SessionId,
    /// Its batch.
    pub batch: BatchId,
    /// The call.
    pub call: CallId,
    /// Its tool.
    pub tool: ToolName,
}

/// What comes of asking.
#[derive(Debug)]
pub enum Asked {
    /// All of it is held.
    Granted(Guard),
    /// Some of it is somebody else's, or somebody waits for it already.
    Waiting(Wait),
    /// So many are held and waited for that no more can be ([`CLAIMS_MAX`]).
    Full,
}

/// Locks that are held. Dropping it frees them and wakes whoever is next.
pub struct Guard {
    table: Table,
    request: usize,
}

/// A call that waits for its locks. Dropping it gives up its place.
pub struct Wait {
    table: Table,
    ticket: Ticket,
    /// Whether it was granted and taken.
    is_taken: bool,
}

/// Names a request that waits, and nothing once it does not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ticket {
    request: usize,
    number: u64,
}

/// What a request waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Obstacle {
    /// The key; the first, where there are several.
    pub key: Arc<str>,
    /// What is in the way.
    pub by: By,
}

/// What is in the way of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum By {
    /// One that writes, since so long.
    Writer(Holder, Duration),
    /// So many that read.
    Readers(usize),
    /// One that asked before and waits itself: for another key, or for those that
    /// read this one.
    Earlier(Holder),
}

impl Table {
    /// A table in which nothing is held.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for all of `locks`. Of a key that stands there twice the strongest
    /// access counts.
    pub fn ask(&self, holder: Holder, locks: &[Lock], now: Instant) -> Asked {
        let mut state = self.lock();
        if state.claims() + locks.len() > CLAIMS_MAX {
            return Asked::Full;
        }
        let (request, number) = state.ask(holder, locks, now);
        let is_granted = state.is_granted(request);
        drop(state);
        let table = self.clone();
        if is_granted {
            Asked::Granted(Guard { table, request })
        } else {
            let ticket = Ticket { request, number };
            Asked::Waiting(Wait { table, ticket, is_taken: false })
        }
    }

    /// What a request still waits for; `None` where it does not.
    pub fn obstacle(&self, ticket: Ticket, now: Instant) -> Option<Obstacle> {
        self.lock().obstacle(ticket, now)
    }

    /// What is held and waited for: of at most `most` keys, those that most wait
    /// for first. Of calls that are not `seen` nothing is told but how many there are,
    /// and nothing of a key at which no other call stands.
    pub fn status(&self, most: usize, now: Instant, seen: impl Fn(&Holder) -> bool) -> Status {
        self.lock().status(most, now, seen)
    }

    /// Requests that hold their locks.
    pub fn held(&self) -> usize {
        self.lock().held()
    }

    /// Requests that wait for theirs.
    pub fn waiting(&self) -> usize {
        self.lock().waiting()
    }

    fn release(&self, request: usize) {
        let woken = self.lock().release(request, clock::now);
        // A waker may run anything.
        for waker in woken {
            waker.wake();
        }
    }

    /// A poisoned lock means a panic between two consistent states: nothing in a
    /// change can panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.table.release(self.request);
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Wait {
    /// Names the request.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }
}

impl Future for Wait {
    type Output = Guard;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Guard> {
        let request = self.ticket.request;
        if self.is_taken || !self.table.lock().poll(request, context.waker()) {
            return Poll::Pending;
        }
        self.is_taken = true;
        Poll::Ready(Guard { table: self.table.clone(), request })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.is_taken {
            self.table.release(self.ticket.request);
        }
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
