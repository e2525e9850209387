//! What a session may spend, and how often it may ask for the same.
//!
//! An agent that has lost its way makes the same call again and again, and no
//! warning stops it: the session's calls and their cost are counted over its
//! whole life, and a call that was made with the same input so many times in a
//! while is not made again. Time comes from the caller.
//!
//! - `repeat`: how often each input was given lately, in bounded memory;
//! - `table`: the sessions that are remembered, and which is forgotten first.

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    clock::Instant,
    model::{Digest, Failure, FailureCode, SessionId, Tenant, ToolName},
    sync::{Mutex, MutexGuard},
};

mod repeat;
mod table;
#[cfg(test)]
mod tests;

use repeat::{Guard, Mark};
use table::Table;

/// What every session may spend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Most calls.
    pub calls: Option<NonZeroU64>,
    /// Most that calls may cost together.
    pub cost: Option<NonZeroU64>,
    /// How often the same call may be made.
    pub repeat: Option<Repeat>,
    /// Most sessions that are remembered while none of their batches is open.
    pub remembered: NonZeroUsize,
    /// How long a session is remembered after it was last in use.
    pub idle: Duration,
}

/// How often the same call may be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Repeat {
    /// Most calls of one tool with one input.
    pub calls: NonZeroU32,
    /// In any time of this length.
    pub within: Duration,
}

impl Repeat {
    /// Most that may be allowed: more is no guard.
    pub const CALLS_MAX: u32 = 10_000;
}

impl Default for Settings {
    /// No budgets, and a guard that only a loop meets.
    fn default() -> Self {
        Self {
            calls: None,
            cost: None,
            repeat: Some(Repeat::default()),
            remembered: NonZeroUsize::MIN.saturating_add(9_999),
            idle: Duration::from_secs(24 * 3600),
        }
    }
}

impl Default for Repeat {
    fn default() -> Self {
        let calls = NonZeroU32::MIN.saturating_add(99);
        Self { calls, within: Duration::from_secs(600) }
    }
}

/// The budgets of all sessions.
#[derive(Debug)]
pub struct Budgets {
    rules: Mutex<Arc<Rules>>,
    table: Mutex<Table>,
    /// Sessions that there have been.
    numbers: AtomicU64,
}

/// What holds for every session.
#[derive(Debug)]
struct Rules {
    settings: Settings,
    guard: Option<Guard>,
}

/// One session's budget, held by its open batches.
#[derive(Debug)]
pub struct Session {
    /// Tells it from every other.
    number: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Those that held when the last of its batches came.
    rules: Arc<Rules>,
    /// Whether it may come to as many calls as the guard counts.
    is_guarded: bool,
    spent: Spent,
}

/// What a session has spent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Spent {
    /// Calls.
    pub calls: u64,
    /// What they cost.
    pub cost: u64,
    last: Instant,
}

/// A call that was counted; given back with [`Session::give_back`].
#[derive(Debug, Default)]
pub struct Counted {
    mark: Option<Mark>,
}

/// Why a call may not be made. Nothing was counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The session has made all of its calls.
    Calls {
        /// Those that it may make.
        max: NonZeroU64,
    },
    /// The call costs more than is left.
    Cost {
        /// What the session may spend.
        max: NonZeroU64,
        /// What it has spent.
        spent: u64,
        /// What the call costs.
        cost: u64,
    },
    /// The same call was made too often.
    Repeated {
        /// How often it may be made, and in what time.
        repeat: Repeat,
        /// When it may be made again.
        after: Duration,
    },
}

/// What is known of the sessions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// What each may spend.
    pub settings: Settings,
    /// Sessions that are remembered.
    pub sessions: usize,
    /// Those of them that have an open batch.
    pub open: usize,
    /// Those that have the least left first, then those that called last.
    pub lowest: Vec<SessionStatus>,
    /// Inputs that the guard knows of.
    pub inputs: usize,
}

/// One session's part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionStatus {
    /// Whose it is.
    pub tenant: Tenant,
    /// Its id.
    pub session: SessionId,
    /// Calls that it has made.
    pub calls: u64,
    /// What they cost.
    pub cost: u64,
}

impl Budgets {
    /// No session has called yet.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let guard = settings.repeat.map(|repeat| Guard::new(repeat, now));
        let rules = Mutex::new(Arc::new(Rules { settings, guard }));
        Self { rules, table: Mutex::default(), numbers: AtomicU64::new(0) }
    }

    /// What every session may spend from now on: from its next batch on. What it has
    /// spent is spent.
    pub fn reconfigure(&self, settings: Settings, now: Instant) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = settings.repeat.map(|repeat| match &rules.guard {
            Some(guard) => guard.under(repeat, now),
            None => Guard::new(repeat, now),
        });
        *rules = Arc::new(Rules { settings, guard });
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The session that a batch of so many calls belongs to. A batch that names
    /// none is a session of its own, which nobody can come back to.
    pub fn open(
        &self,
        tenant: &Tenant,
        session: Option<&SessionId>,
        calls: usize,
        now: Instant,
    ) -> Arc<Session> {
        let rules = self.rules();
        let new = |is_guarded| {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let spent = Spent { calls: 0, cost: 0, last: now };
            let state = State { rules: Arc::clone(&rules), is_guarded, spent };
            Arc::new(Session { number, state: Mutex::new(state) })
        };
        let Settings { repeat, .. } = &rules.settings;
        match session {
            Some(session) => {
                let key = (tenant.clone(), session.clone());
                let is_guarded = repeat.is_some();
                let session = self.table().open(key, &rules.settings, now, || new(is_guarded));
                session.comes_under(&rules, is_guarded);
                session
            }
            // One that is over before the guard would say a word needs none.
            None => new(repeat.is_some_and(|repeat| {
                u32::try_from(calls).is_ok_and(|calls| calls > repeat.calls.get())
            })),
        }
    }

    /// What is known of the sessions, at most so many of them by name.
    pub fn status(&self, most: usize) -> Status {
        let rules = self.rules();
        let Rules { settings, guard } = &*rules;
        let table = self.table();
        Status {
            settings: settings.clone(),
            sessions: table.len(),
            open: table.open_now(),
            lowest: table.lowest(most, settings),
            inputs: guard.as_ref().map_or(0, Guard::inputs),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Counts a call, unless it may not be made. `input` is asked for only where it
    /// matters. What the call costs is [paid](Self::pay) when it runs.
    ///
    /// # Errors
    ///
    /// [`Refused`] says what is spent; nothing was counted then.
    pub fn count(
        &self,
        tool: &ToolName,
        input: impl FnOnce() -> Digest,
        now: Instant,
    ) -> Result<Counted, Refused> {
        let mut state = self.lock();
        let State { rules, is_guarded, spent } = &mut *state;
        if let Some(max) = rules.settings.calls.filter(|max| spent.calls >= max.get()) {
            return Err(Refused::Calls { max });
        }
        let mark = match &rules.guard {
            Some(guard) if *is_guarded => Some(guard.take((self.number, tool, input()), now)?),
            _ => None,
        };
        spent.calls += 1;
        spent.last = now;
        Ok(Counted { mark })
    }

    /// Pays for a call that is going to run.
    ///
    /// # Errors
    ///
    /// [`Refused`] says what is left; nothing was paid then.
    pub fn pay(&self, cost: NonZeroU32) -> Result<(), Refused> {
        let mut state = self.lock();
        let (cost, paid) = (u64::from(cost.get()), state.spent.cost);
        let sum = paid.saturating_add(cost);
        if let Some(max) = state.rules.settings.cost.filter(|max| sum > max.get()) {
            return Err(Refused::Cost { max, spent: paid, cost });
        }
        state.spent.cost = sum;
        Ok(())
    }

    /// Takes back what was paid for a call that did not run after all.
    pub fn repay(&self, cost: NonZeroU32) {
        let spent = &mut self.lock().spent;
        spent.cost = spent.cost.saturating_sub(u64::from(cost.get()));
    }

    /// Takes a call back that was counted and is refused after all.
    pub fn give_back(&self, counted: Counted) {
        let State { rules, spent, .. } = &mut *self.lock();
        spent.calls = spent.calls.saturating_sub(1);
        // Where another guard counts by now, it knows of no such mark.
        if let (Some(guard), Some(mark)) = (&rules.guard, counted.mark) {
            guard.give_back(mark);
        }
    }

    /// A batch of it comes under these rules, and with it the others.
    fn comes_under(&self, rules: &Arc<Rules>, is_guarded: bool) {
        let mut state = self.lock();
        if !Arc::ptr_eq(&state.rules, rules) {
            (state.rules, state.is_guarded) = (Arc::clone(rules), is_guarded);
        }
    }

    /// What it has spent.
    fn spent(&self) -> Spent {
        self.lock().spent
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    /// What the model reads of it.
    pub fn failure(self, tool: &ToolName) -> Failure {
        match self {
            Self::Calls { max } => Failure::new(
                FailureCode::BudgetExceeded,
                format!(
                    "this session may make {max} calls and has made them all; this one was not \
                     run, and no other will be. Finish with what you have, and say that more \
                     needs a larger budget or another session."
                ),
            ),
            Self::Cost { max, spent, cost } => Failure::new(
                FailureCode::BudgetExceeded,
                format!(
                    "a call of {tool} costs {cost}, and of the {max} that this session may spend \
                     {spent} is spent and {} is left; it was not run. Finish with what you have, \
                     and say that more needs a larger budget or another session.",
                    max.get().saturating_sub(spent)
                ),
            ),
            Self::Repeated { repeat: Repeat { calls, within }, after } => Failure::new(
                FailureCode::Repeated,
                format!(
                    "this session has called {tool} with this very input {calls} times within \
                     {within:?}, which is the most that is allowed; it was not run again. The \
                     results are there already: use them, give another input, or do something \
                     else. If you wait for something to change, ask again in {after:.0?} at the \
                     earliest."
                ),
            ),
        }
    }
}
