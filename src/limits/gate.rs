//! Concurrency of the process, of each API, of each session and of each batch,
//! granted together.
//!
//! Waiters queue by API. Within an API the batches take turns, and within a
//! batch its calls go first in, first out. A batch whose own or whose session's
//! cap is reached steps aside for the others; an API that is full, or a full
//! process, lets everyone wait in place.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use slab::Slab;

use crate::model::{ApiName, SessionId};

mod queue;

use queue::Queue;

/// The caps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Attempts of the process in flight at once.
    pub process: NonZeroUsize,
    /// Attempts of one session in flight at once.
    pub session: NonZeroUsize,
    /// Attempts of one batch in flight at once.
    pub batch: NonZeroUsize,
    /// Attempts of each API in flight at once; absent where it has no cap.
    pub apis: Vec<(ApiName, NonZeroUsize)>,
}

/// Grants the rights of attempts. Cheap to clone; all clones are one gate.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Mutex<Inner>>,
    settings: Arc<Settings>,
}

/// A batch at the gate. Its waits and permits hold it; with the last of them it
/// is forgotten.
#[derive(Debug)]
pub struct Scope {
    gate: Gate,
    batch: usize,
}

/// The rights of one attempt. Dropping it gives them back and wakes whoever is
/// next.
#[derive(Debug)]
pub struct Permit {
    scope: Arc<Scope>,
    api: usize,
}

/// A call that waits for its rights. Dropping it gives up its place.
#[derive(Debug)]
pub struct Wait {
    scope: Arc<Scope>,
    /// `None` once it was granted and taken.
    waiter: Option<usize>,
}

#[derive(Debug)]
struct Cap {
    used: usize,
    max: usize,
}

impl Cap {
    fn new(max: NonZeroUsize) -> Self {
        Self { used: 0, max: max.get() }
    }

    fn is_full(&self) -> bool {
        self.used >= self.max
    }
}

struct Inner {
    process: Cap,
    apis: Vec<Api>,
    /// Index in `apis` by name; the first stands for every API without a cap.
    names: HashMap<ApiName, usize>,
    /// Where the next look for a waiter begins, so that no API is always first.
    turn: usize,
    sessions: Slab<Session>,
    session_ids: HashMap<SessionId, usize>,
    batches: Slab<Batch>,
    waiters: Slab<Waiter>,
}

struct Api {
    cap: Option<Cap>,
    waiters: Queue,
}

impl Api {
    fn new(cap: Option<Cap>) -> Self {
        Self { cap, waiters: Queue::default() }
    }

    fn is_full(&self) -> bool {
        self.cap.as_ref().is_some_and(Cap::is_full)
    }
}

struct Session {
    cap: Cap,
    id: SessionId,
    batches: usize,
}

struct Batch {
    cap: Cap,
    session: usize,
}

struct Waiter {
    batch: usize,
    api: usize,
    state: WaiterState,
}

enum WaiterState {
    Queued(Option<Waker>),
    Granted,
}

impl Gate {
    /// A gate of these caps.
    pub fn new(settings: Settings) -> Self {
        let uncapped = Api::new(None);
        let mut apis = vec![uncapped];
        let mut names = HashMap::new();
        for (name, max) in &settings.apis {
            names.insert(name.clone(), apis.len());
            apis.push(Api::new(Some(Cap::new(*max))));
        }
        let inner = Inner {
            process: Cap::new(settings.process),
            apis,
            names,
            turn: 0,
            sessions: Slab::new(),
            session_ids: HashMap::new(),
            batches: Slab::new(),
            waiters: Slab::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), settings: Arc::new(settings) }
    }

    /// Lets a batch of that session in.
    pub fn open(&self, session: &SessionId) -> Arc<Scope> {
        let mut inner = self.lock();
        let session = match inner.session_ids.get(session) {
            Some(&key) => key,
            None => {
                let cap = Cap::new(self.settings.session);
                let key = inner.sessions.insert(Session { cap, id: session.clone(), batches: 0 });
                inner.session_ids.insert(session.clone(), key);
                key
            }
        };
        inner.sessions[session].batches += 1;
        let cap = Cap::new(self.settings.batch);
        let batch = inner.batches.insert(Batch { cap, session });
        drop(inner);
        Arc::new(Scope { gate: self.clone(), batch })
    }

    /// Attempts in flight in the whole process.
    pub fn in_flight(&self) -> usize {
        self.lock().process.used
    }

    /// Calls that wait here.
    pub fn waiting(&self) -> usize {
        self.lock().waiters.len()
    }

    /// A poisoned lock means a panic between two consistent states: the counts
    /// are whole at every point where something could panic.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Scope {
    /// Asks for the rights of one attempt at `api`.
    ///
    /// # Errors
    ///
    /// A [`Wait`] where they are not to be had at once.
    pub fn acquire(self: &Arc<Self>, api: &ApiName) -> Result<Permit, Wait> {
        let mut inner = self.gate.lock();
        let api = inner.names.get(api).copied().unwrap_or(0);
        if inner.apis[api].waiters.batches() == 0 && inner.has_room(self.batch, api) {
            inner.take(self.batch, api);
            drop(inner);
            return Ok(Permit { scope: Arc::clone(self), api });
        }
        let state = WaiterState::Queued(None);
        let waiter = inner.waiters.insert(Waiter { batch: self.batch, api, state });
        inner.apis[api].waiters.push(self.batch, waiter);
        // Others may wait for reasons of their own that do not hold here.
        let woken = inner.grant(api);
        drop(inner);
        wake(woken);
        Err(Wait { scope: Arc::clone(self), waiter: Some(waiter) })
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let mut inner = self.gate.lock();
        let session = inner.batches.remove(self.batch).session;
        inner.sessions[session].batches -= 1;
        if inner.sessions[session].batches == 0 {
            let id = inner.sessions.remove(session).id;
            inner.session_ids.remove(&id);
        }
    }
}

impl Future for Wait {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let Some(key) = self.waiter else {
            return Poll::Pending;
        };
        let mut inner = self.scope.gate.lock();
        match &mut inner.waiters[key].state {
            WaiterState::Queued(waker) => {
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    *waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
            WaiterState::Granted => {
                let api = inner.waiters.remove(key).api;
                drop(inner);
                self.waiter = None;
                Poll::Ready(Permit { scope: Arc::clone(&self.scope), api })
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some(key) = self.waiter.take() else {
            return;
        };
        let mut inner = self.scope.gate.lock();
        let Waiter { batch, api, state } = inner.waiters.remove(key);
        let woken = match state {
            WaiterState::Queued(_) => {
                inner.apis[api].waiters.remove(batch, key);
                Vec::new()
            }
            // Granted, and nobody will take it.
            WaiterState::Granted => inner.give_back(batch, api),
        };
        drop(inner);
        wake(woken);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let woken = self.scope.gate.lock().give_back(self.scope.batch, self.api);
        wake(woken);
    }
}

/// Outside the lock, since a waker may run anything.
fn wake(woken: Vec<Waker>) {
    for waker in woken {
        waker.wake();
    }
}

impl Inner {
    fn has_room(&self, batch: usize, api: usize) -> bool {
        !self.process.is_full() && !self.apis[api].is_full() && self.batch_has_room(batch)
    }

    fn batch_has_room(&self, batch: usize) -> bool {
        let batch = &self.batches[batch];
        !batch.cap.is_full() && !self.sessions[batch.session].cap.is_full()
    }

    fn take(&mut self, batch: usize, api: usize) {
        self.process.used += 1;
        if let Some(cap) = &mut self.apis[api].cap {
            cap.used += 1;
        }
        let batch = &mut self.batches[batch];
        batch.cap.used += 1;
        self.sessions[batch.session].cap.used += 1;
    }

    /// Gives one attempt's rights back and grants them to whoever is next: of
    /// the same API first, then of the others, in turn.
    fn give_back(&mut self, batch: usize, api: usize) -> Vec<Waker> {
        self.process.used -= 1;
        if let Some(cap) = &mut self.apis[api].cap {
            cap.used -= 1;
        }
        let batch = &mut self.batches[batch];
        batch.cap.used -= 1;
        self.sessions[batch.session].cap.used -= 1;

        if self.waiters.is_empty() {
            return Vec::new();
        }
        self.turn = (self.turn + 1) % self.apis.len();
        let mut woken = Vec::new();
        for offset in 0..self.apis.len() {
            let api = (self.turn + offset) % self.apis.len();
            woken.append(&mut self.grant(api));
        }
        woken
    }

    /// Grants to the waiters of `api` while there is room for them.
    fn grant(&mut self, api: usize) -> Vec<Waker> {
        let mut woken = Vec::new();
        let mut stepped_aside = 0;
        while stepped_aside < self.apis[api].waiters.batches() {
            if self.process.is_full() || self.apis[api].is_full() {
                break;
            }
            let Some(batch) = self.apis[api].waiters.next_batch() else {
                break;
            };
            if !self.batch_has_room(batch) {
                self.apis[api].waiters.step_aside(batch);
                stepped_aside += 1;
                continue;
            }
            stepped_aside = 0;
            if let Some(waiter) = self.apis[api].waiters.pop(batch) {
                self.take(batch, api);
                let state = &mut self.waiters[waiter].state;
                if let WaiterState::Queued(Some(waker)) =
                    std::mem::replace(state, WaiterState::Granted)
                {
                    woken.push(waker);
                }
            }
        }
        woken
    }
}

#[cfg(test)]
mod tests;
