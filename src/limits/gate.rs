//! The rights of an attempt: a place under every cap and a token of every
//! bucket, granted together or not at all.
//!
//! Nothing is held while something else is waited for, so that a throttled API
//! never eats the process's places. Waiters queue by API, in the order that
//! [`queue`] describes. A waiter that is short only of what is its batch's, its
//! session's, its owner's or its tool's own steps aside; one that is short of what all share
//! keeps its place, so that costly calls are not starved.
//!
//! Where an API's breaker is open, newcomers and waiters are answered at once. While
//! it probes, the others wait for what comes of it: they are granted when it closes
//! and answered when it opens again.
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

use super::breaker::{Barred, Change, Verdict};
use crate::{
    clock::{self, Instant},
    drain::Drain,
    model::{ApiName, Owner, SessionId, Tenant, ToolName},
    sync::{Mutex, MutexGuard},
};

mod api;
mod own;
mod queue;
mod settings;
mod state;

pub use settings::{Api, Per, Settings};

use queue::Place;
use state::{Aftermath, Keeper, Rights, State};
pub use state::{ApiStatus, BucketStatus, Level, Status, Usage, View, Whose};

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

/// Why a request is not granted, now or while it waited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The API's breaker is open.
    Barred(Barred),
    /// Its tokens will be there, or the API's pause over, only after its deadline: in
    /// so long.
    TooLate(Duration),
    /// So many wait already.
    QueueFull(usize),
}

/// The rights of one attempt. Dropping it gives its places back, not its
/// tokens, and wakes whoever is next. It says nothing of the API then, as fits an
/// attempt that was cancelled; one that came to something says so with
/// [`end`](Self::end).
#[derive(Debug)]
pub struct Permit {
    scope: Arc<Scope>,
    rights: Rights,
    /// How much of the wait was for tokens.
    throttled: Duration,
    verdict: Option<Verdict>,
}

/// Names an attempt to whoever learns what comes of it while somebody else holds
/// its rights.
#[derive(Clone, Copy, Debug)]
pub struct Mark(Rights);

/// A call that waits for its rights, or to hear that they are refused. Dropping it
/// gives up its place.
#[derive(Debug)]
pub struct Wait {
    scope: Arc<Scope>,
    /// `None` once it was answered.
    waiter: Option<usize>,
    /// Once it was answered: how much of it was for tokens.
    throttled: Duration,
}

/// Names a wait to whoever gives it up while somebody else holds it.
#[derive(Clone, Copy, Debug)]
pub struct Waiting(usize);

impl Gate {
    /// A gate of these limits, which keeps time by a task of `drain`.
    pub fn new(settings: Settings, drain: Drain) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(settings, clock::now()))),
            alarm: Arc::new(Notify::new()),
            drain,
        }
    }

    /// These limits hold from now on, for everyone who asks or waits. What is in
    /// flight, who waits, the tokens that were taken and what the breakers know stay
    /// as they are. The limits of an API that is gone hold on for the batches that
    /// came before.
    pub fn reconfigure(&self, settings: Settings) {
        let aftermath = self.lock().reconfigure(settings, clock::now());
        self.settle(aftermath);
    }

    /// These bounds of owners, where they have any, hold from now on for everyone.
    pub fn bound_owners(&self, max: impl Fn(&Owner) -> Option<NonZeroUsize>) {
        let aftermath = self.lock().rebound(max, clock::now());
        self.settle(aftermath);
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
    /// who were answered, and sees to it that somebody keeps time.
    fn settle(&self, aftermath: Aftermath) {
        let Aftermath { woken, has_new_alarm, change, .. } = aftermath;
        // A waker may run anything.
        wake(woken);
        if has_new_alarm {
            match self.lock().keeper() {
                Keeper::ToStart => self.drain.detach(self.clone().keep_time()),
                Keeper::ToTell => self.alarm.notify_one(),
                Keeper::NotNeeded => {}
            }
        }
        if let Some((api, change)) = change {
            tell(&api, change);
        }
    }

    /// Lets a batch of that tenant's session in.
    pub fn open(&self, tenant: &Tenant, session: &SessionId) -> Arc<Scope> {
        self.open_within(tenant, session, None)
    }

    /// The same of a session whose owner may have only so many attempts in flight, in
    /// all its sessions together. The number that was said last holds.
    pub fn open_within(
        &self,
        tenant: &Tenant,
        session: &SessionId,
        owner_max: Option<NonZeroUsize>,
    ) -> Arc<Scope> {
        let id = (tenant.clone(), session.clone());
        let (session, batch) = self.lock().open(id, owner_max);
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
        let (api, tool) = state.keys(request.api, request.tool, self.batch);
        let place = Place {
            session: self.session,
            batch: self.batch,
            tool,
            cost: request.cost,
            path: request.path,
            deadline: request.deadline,
            number: state.next_number(),
        };
        if let Some((rights, aftermath)) = state.grant_at_once(api, &place, now) {
            drop(state);
            self.gate.settle(aftermath);
            return Asked::Granted(Permit::new(Arc::clone(self), rights, Duration::ZERO));
        }
        if let Err(refused) = state.check(api, &place, now) {
            return Asked::Refused(refused);
        }
        let (waiter, aftermath) = state.enqueue(api, place, now);
        drop(state);
        self.gate.settle(aftermath);
        Asked::Waiting(Wait {
            scope: Arc::clone(self),
            waiter: Some(waiter),
            throttled: Duration::ZERO,
        })
    }

    /// Grants nothing to anyone at `api` for `wait`: the upstream asked to be left
    /// alone. Whoever cannot wait so long is answered at once. A pause is never made
    /// shorter, and none is longer than the API's settings allow.
    pub fn pause(&self, api: &ApiName, wait: Duration) {
        let aftermath = self.gate.lock().pause(api, wait, clock::now());
        self.gate.settle(aftermath);
    }

    /// How long nothing is granted at `api` yet, since it asked to be left alone.
    pub fn pause_left(&self, api: &ApiName) -> Duration {
        self.gate.lock().pause_left(api, clock::now())
    }

    /// Takes in what an attempt says of its API while somebody else still holds its
    /// rights.
    pub fn report(&self, mark: Mark, verdict: Verdict) {
        let Rights { api, ticket, .. } = mark.0;
        let aftermath = self.gate.lock().report(api, ticket, verdict, clock::now());
        self.gate.settle(aftermath);
    }

    /// How much of a wait, which nobody has heard the answer of, was for tokens.
    pub fn throttled(&self, Waiting(key): Waiting) -> Duration {
        self.gate.lock().throttled(key, clock::now())
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.gate.lock().close(self.batch);
    }
}

impl Permit {
    fn new(scope: Arc<Scope>, rights: Rights, throttled: Duration) -> Self {
        Self { scope, rights, throttled, verdict: None }
    }

    /// How much of the wait for it was for tokens.
    pub fn throttled(&self) -> Duration {
        self.throttled
    }

    /// Names the attempt.
    pub fn mark(&self) -> Mark {
        Mark(self.rights)
    }

    /// Gives the rights back with what the attempt says of its API, if anything.
    pub fn end(mut self, verdict: Option<Verdict>) {
        self.verdict = verdict;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let aftermath = self.scope.gate.lock().give_back(self.rights, self.verdict, clock::now());
        self.scope.gate.settle(aftermath);
    }
}

impl Wait {
    /// Names the wait, until it is answered.
    pub fn name(&self) -> Option<Waiting> {
        self.waiter.map(Waiting)
    }

    /// Once it was answered: how much of it was for tokens.
    pub fn throttled(&self) -> Duration {
        self.throttled
    }
}

impl Future for Wait {
    type Output = Result<Permit, Refused>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(key) = self.waiter else {
            return Poll::Pending;
        };
        let Some((answer, waiter)) = self.scope.gate.lock().poll(key, context.waker()) else {
            return Poll::Pending;
        };
        self.waiter = None;
        self.throttled = waiter.throttled;
        let permit = |rights| Permit::new(Arc::clone(&self.scope), rights, waiter.throttled);
        Poll::Ready(answer.map(permit))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some(key) = self.waiter.take() else {
            return;
        };
        let aftermath = self.scope.gate.lock().give_up(key, clock::now());
        self.scope.gate.settle(aftermath);
    }
}

/// Once for each change, for whoever runs the API or depends on it.
fn tell(api: &ApiName, change: Change) {
    match change {
        Change::Opened(Barred { after, cause }) => tracing::warn!(
            %api,
            %cause,
            breaker.open_ms = after.as_millis(),
            "An API's breaker has opened: its calls fail at once until one that is let through \
             succeeds"
        ),
        Change::Closed => tracing::info!(%api, "An API's breaker has closed: its calls go again"),
    }
}

fn wake(woken: Vec<Waker>) {
    for waker in woken {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
