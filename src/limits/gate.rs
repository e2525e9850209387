//! The rights of an attempt: a place under every cap and a token of every
//! bucket, granted together or not at all.
//!
//! Nothing is held while something else is waited for, so that a throttled API
//! never eats the process's places. Waiters queue by API, in the order that
//! [`queue`] describes. A waiter that is short only of what is its batch's, its
//! session's or its tool's own steps aside; one that is short of what all share
//! keeps its place, so that costly calls are not starved.
//!
//! Buckets fill by time alone, so somebody must look when they have: one task
//! for the whole gate sleeps until the next grant can be made. It is there only
//! while somebody waits for tokens.

use std::{
    fmt,
    future::Future,
    num::{NonZeroU32, NonZeroUsize},
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::sync::Notify;

use super::Rate;
use crate::{
    clock::{self, Instant},
    drain::Drain,
    model::{ApiName, SessionId, Tenant, ToolName},
    sync::{Mutex, MutexGuard},
};

mod api;
mod queue;
mod state;

use queue::Place;
use state::{Keeper, State, Waiter};

/// The caps and the rates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Attempts of the process in flight at once.
    pub process: NonZeroUsize,
    /// Attempts of one session in flight at once.
    pub session: NonZeroUsize,
    /// Attempts of one batch in flight at once.
    pub batch: NonZeroUsize,
    /// What holds for each API; one that has no limits may be absent.
    pub apis: Vec<Api>,
    /// Attempts of each tool in flight at once; absent where it has no cap.
    pub tools: Vec<(ToolName, NonZeroUsize)>,
}

/// What holds for one API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Api {
    /// Its name.
    pub name: ApiName,
    /// Its attempts in flight at once.
    pub concurrency: Option<NonZeroUsize>,
    /// Its buckets. A call pays its cost to each.
    pub rates: Vec<(Rate, Per)>,
    /// Calls that may wait for it.
    pub queue_max: NonZeroUsize,
}

/// Who shares a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Per {
    /// Everyone.
    Api,
    /// The calls of one session; each session has a bucket of its own.
    Session,
}

/// Grants the rights of attempts. Cheap to clone; all clones are one gate.
#[derive(Clone)]
pub struct Gate {
    state: Arc<Mutex<State>>,
    /// Rung when the next grant by time comes sooner than was thought, or none is
    /// waited for any more.
    alarm: Arc<Notify>,
    drain: Drain,
}

/// A batch at the gate. Its waits and permits hold it; with the last of them it
/// is forgotten.
#[derive(Debug)]
pub struct Scope {
    gate: Gate,
    session: usize,
    batch: usize,
}

/// What an attempt asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The API that it goes to.
    pub api: &'a ApiName,
    /// The tool that it is of.
    pub tool: &'a ToolName,
    /// Tokens that it takes from every bucket of the API.
    pub cost: NonZeroU32,
    /// What will take time in its batch from it on, itself included.
    pub path: Duration,
    /// When it must have ended.
    pub deadline: Instant,
}

/// What comes of it.
#[derive(Debug)]
pub enum Asked {
    /// It is granted.
    Granted(Permit),
    /// It has to wait.
    Waiting(Wait),
    /// It would wait in vain.
    Refused(Refused),
}

/// Why a request is not let into the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// Its tokens will be there only after its deadline: in so long.
    TooLate(Duration),
    /// So many wait already.
    QueueFull(usize),
}

/// The rights of one attempt. Dropping it gives its places back, not its
/// tokens, and wakes whoever is next.
#[derive(Debug)]
pub struct Permit {
    scope: Arc<Scope>,
    api: usize,
    tool: usize,
    /// How much of the wait was for tokens.
    throttled: Duration,
}

/// A call that waits for its rights. Dropping it gives up its place.
#[derive(Debug)]
pub struct Wait {
    scope: Arc<Scope>,
    /// `None` once it was granted and taken.
    waiter: Option<usize>,
}

impl Gate {
    /// A gate of these limits, which keeps time by a task of `drain`.
    pub fn new(settings: Settings, drain: Drain) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(settings))),
            alarm: Arc::new(Notify::new()),
            drain,
        }
    }

    /// Makes the grants that time allows, until none waits for it.
    async fn keep_time(self) {
        loop {
            let Some(next) = self.lock().next_alarm() else {
                return;
            };
            tokio::select! {
                () = self.drain.killed().cancelled() => return,
                () = self.alarm.notified() => {}
                () = clock::sleep_until(next) => {
                    let woken = self.lock().ring(clock::now());
                    wake(woken);
                }
            }
        }
    }

    /// Does what a change under the lock has left to do outside it: wakes those
    /// who were granted, and sees to it that somebody keeps time.
    fn settle(&self, woken: Vec<Waker>, has_new_alarm: bool) {
        // A waker may run anything.
        wake(woken);
        if has_new_alarm {
            match self.lock().keeper() {
                Keeper::ToStart => drop(self.drain.spawn(self.clone().keep_time())),
                Keeper::ToTell => self.alarm.notify_one(),
                Keeper::NotNeeded => {}
            }
        }
    }

    /// Lets a batch of that tenant's session in.
    pub fn open(&self, tenant: &Tenant, session: &SessionId) -> Arc<Scope> {
        let (session, batch) = self.lock().open((tenant.clone(), session.clone()));
        Arc::new(Scope { gate: self.clone(), session, batch })
    }

    /// Attempts in flight in the whole process.
    pub fn in_flight(&self) -> usize {
        self.lock().in_flight()
    }

    /// Calls that wait here.
    pub fn waiting(&self) -> usize {
        self.lock().waiting()
    }

    /// A poisoned lock means a panic between two consistent states: the counts
    /// are whole at every point where something could panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Scope {
    /// Asks for the rights of one attempt.
    pub fn ask(self: &Arc<Self>, request: Request<'_>) -> Asked {
        let now = clock::now();
        let mut state = self.gate.lock();
        let (api, tool) = state.keys(request.api, request.tool);
        let place = Place {
            session: self.session,
            batch: self.batch,
            tool,
            cost: request.cost,
            path: request.path,
            number: state.next_number(),
        };
        if state.grant_at_once(api, &place, now) {
            drop(state);
            let throttled = Duration::ZERO;
            return Asked::Granted(Permit { scope: Arc::clone(self), api, tool, throttled });
        }
        if let Err(refused) = state.check(api, &place, request.deadline, now) {
            return Asked::Refused(refused);
        }
        let (waiter, woken, has_new_alarm) = state.enqueue(api, place, now);
        drop(state);
        self.gate.settle(woken, has_new_alarm);
        Asked::Waiting(Wait { scope: Arc::clone(self), waiter: Some(waiter) })
    }

    /// Grants nothing to anyone at `api` before `until`: the upstream asked to
    /// be left alone. A pause is never made shorter.
    pub fn pause(&self, api: &ApiName, until: Instant) {
        let (woken, has_new_alarm) = self.gate.lock().pause(api, until, clock::now());
        self.gate.settle(woken, has_new_alarm);
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.gate.lock().close(self.batch);
    }
}

impl Permit {
    /// How much of the wait for it was for tokens.
    pub fn throttled(&self) -> Duration {
        self.throttled
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (woken, has_new_alarm) =
            self.scope.gate.lock().give_back(self.scope.batch, self.api, self.tool, clock::now());
        self.scope.gate.settle(woken, has_new_alarm);
    }
}

impl Future for Wait {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let Some(key) = self.waiter else {
            return Poll::Pending;
        };
        let Some(Waiter { api, place, throttled, .. }) =
            self.scope.gate.lock().poll(key, context.waker())
        else {
            return Poll::Pending;
        };
        self.waiter = None;
        let scope = Arc::clone(&self.scope);
        Poll::Ready(Permit { scope, api, tool: place.tool, throttled })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some(key) = self.waiter.take() else {
            return;
        };
        let (woken, has_new_alarm) = self.scope.gate.lock().give_up(key, clock::now());
        self.scope.gate.settle(woken, has_new_alarm);
    }
}

fn wake(woken: Vec<Waker>) {
    for waker in woken {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
