//! Whether an API is asked at all: a circuit breaker.
//!
//! ```text
//!            too many failed             its time is over
//!  Closed ───────────────────► Open ──────────────────────► Half-open
//!    ▲                          ▲                             │    │
//!    │                          └────────── a probe failed ───┘    │
//!    └───────────────────────────── enough probes succeeded ───────┘
//! ```
//!
//! While it is closed every call goes. While it is open none does: an API that is
//! down gets no load, and whoever calls it learns so at once instead of after a
//! timeout. Half-open, a few calls are let through as probes and the others wait
//! for what comes of them. The words are those of Nygard, *Release It!* (2007).
//!
//! A failure is told here once, by the attempt that met it. What an attempt began
//! in one state says of its API counts in that state only: the answers of calls
//! that were sent before the breaker opened neither close it nor keep it open. An
//! attempt that ends without a verdict (it was cancelled, or refused with 429)
//! decides nothing.
//!
//! The time for which it stays open doubles with each probe that fails, up to a
//! bound. It is not drawn at random: what comes together when it is over is one
//! probe of each process, not its calls.

use std::{fmt, num::NonZeroU32, time::Duration};

use crate::{
    clock::Instant,
    model::{FailureCode, RetryAdvice},
};

mod window;

use window::Window;

/// When it opens, and for how long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Failures in a row that open it.
    pub failures: NonZeroU32,
    /// The part of the calls that opens it when they fail.
    pub rate: Option<FailureRate>,
    /// How long it stays open at first; doubled by each probe that fails.
    pub open: Duration,
    /// The longest that it stays open.
    pub open_max: Duration,
    /// Calls that are let through at once to see whether the API is back, and that
    /// must succeed for it to close.
    pub probes: NonZeroU32,
}

/// So many percent of the calls of a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FailureRate {
    /// Failures among the calls, in percent.
    pub percent: NonZeroU32,
    /// Calls that there must be before the rate means anything.
    pub calls: NonZeroU32,
    /// How far back it looks.
    pub window: Duration,
}

impl FailureRate {
    /// Calls that there must be, where nothing else is said.
    pub const CALLS: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
    /// How far back it looks, where nothing else is said.
    pub const WINDOW: Duration = Duration::from_secs(10);
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            failures: NonZeroU32::MIN.saturating_add(9),
            rate: None,
            open: Duration::from_secs(5),
            open_max: Duration::from_secs(60),
            probes: NonZeroU32::MIN,
        }
    }
}

/// What an attempt says of its API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It works: it answered, if only to say no.
    Works,
    /// It does not.
    Fails,
}

/// What the next call meets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// It may go.
    Free,
    /// Probes are under way; it has to wait for what comes of them.
    Probing,
    /// It would be in vain.
    Barred(Barred),
}

/// Why a call is not let through, and when the next one is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Barred {
    /// In how long the next probe may go.
    pub after: Duration,
    /// What opened the breaker.
    pub cause: Cause,
}

/// What opened a breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// So many failures in a row.
    InARow(u32),
    /// So many of so many calls within so long.
    Rate {
        /// Calls that failed.
        failed: u32,
        /// Calls that ended, failed or not.
        of: u32,
        /// Within so long.
        within: Duration,
    },
}

/// Names the state that an attempt was begun in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ticket(u64);

/// What a verdict changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Nobody is let through from now on.
    Opened(Barred),
    /// Everyone is.
    Closed,
}

/// What is to be seen of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Calls of the window and those of them that failed, where a rate is set.
    pub window: Option<(u32, u32)>,
    /// How often it has opened since the process began.
    pub opened: u64,
}

/// A state as it is to be seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Every call goes.
    Closed,
    /// None does.
    Open(Barred),
    /// So many probes are under way; the next call is one where there is room.
    HalfOpen {
        /// Probes under way.
        probes: u32,
        /// What had opened it.
        cause: Cause,
    },
}

/// One API's breaker.
#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    phase: Phase,
    /// Counts the phases, so that each attempt is known by the one it began in.
    number: u64,
    in_a_row: u32,
    window: Option<Window>,
    opened: u64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    Open {
        until: Instant,
        cause: Cause,
        /// Times that it opened since it was last closed.
        times: u32,
    },
    HalfOpen {
        /// Probes under way.
        out: u32,
        succeeded: u32,
        cause: Cause,
        times: u32,
    },
}

impl Breaker {
    /// A closed one.
    pub fn new(settings: Settings) -> Self {
        let window = settings.rate.map(|rate| Window::new(rate.window));
        Self { settings, phase: Phase::Closed, number: 0, in_a_row: 0, window, opened: 0 }
    }

    /// What the next call meets.
    pub fn entry(&self, now: Instant) -> Entry {
        match self.phase {
            Phase::Closed => Entry::Free,
            Phase::Open { until, cause, .. } if now < until => {
                Entry::Barred(Barred { after: until - now, cause })
            }
            Phase::Open { .. } => Entry::Free,
            Phase::HalfOpen { out, .. } if out < self.settings.probes.get() => Entry::Free,
            Phase::HalfOpen { .. } => Entry::Probing,
        }
    }

    /// An attempt begins, which [`entry`](Self::entry) let go.
    pub fn begin(&mut self, now: Instant) -> Ticket {
        // Open → Half-open: its time is over, and somebody has come.
        if let Phase::Open { until, cause, times } = self.phase {
            debug_assert!(until <= now, "an attempt passed an open breaker");
            self.enter(Phase::HalfOpen { out: 0, succeeded: 0, cause, times });
        }
        if let Phase::HalfOpen { out, .. } = &mut self.phase {
            *out += 1;
        }
        Ticket(self.number)
    }

    /// An attempt says something of its API. Its end is told on top of that.
    pub fn record(&mut self, ticket: Ticket, verdict: Verdict, now: Instant) -> Option<Change> {
        if ticket.0 != self.number {
            return None;
        }
        match verdict {
            Verdict::Works => self.in_a_row = 0,
            Verdict::Fails => self.in_a_row = self.in_a_row.saturating_add(1),
        }
        match (&mut self.phase, verdict) {
            // Closed → Open: too many failed.
            (Phase::Closed, _) => {
                if let Some(window) = &mut self.window {
                    window.count(verdict == Verdict::Fails, now);
                }
                let cause = self.too_many().filter(|_| verdict == Verdict::Fails)?;
                Some(self.open(cause, 1, now))
            }
            // Half-open → Closed: enough probes succeeded.
            (Phase::HalfOpen { succeeded, .. }, Verdict::Works) => {
                *succeeded += 1;
                (*succeeded >= self.settings.probes.get()).then(|| self.close())
            }
            // Half-open → Open: it is no better, and is left alone for longer.
            (Phase::HalfOpen { cause, times, .. }, Verdict::Fails) => {
                let (cause, times) = (*cause, times.saturating_add(1));
                Some(self.open(cause, times, now))
            }
            // Nobody is let through, so nobody has this phase's ticket.
            (Phase::Open { .. }, _) => None,
        }
    }

    /// An attempt is over, whatever came of it: a probe's place is free.
    pub fn end(&mut self, ticket: Ticket) {
        if let Phase::HalfOpen { out, .. } = &mut self.phase
            && ticket.0 == self.number
        {
            *out = out.saturating_sub(1);
        }
    }

    /// Other settings hold from now on. What it knows it keeps; of a window of
    /// another length nothing is known yet.
    pub fn reconfigure(&mut self, settings: Settings) {
        let length = |settings: &Settings| settings.rate.map(|rate| rate.window);
        if length(&settings) != length(&self.settings) {
            self.window = settings.rate.map(|rate| Window::new(rate.window));
        }
        self.settings = settings;
    }

    /// What is to be seen of it.
    pub fn status(&self, now: Instant) -> Status {
        let state = match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { until, cause, .. } if now < until => {
                State::Open(Barred { after: until - now, cause })
            }
            Phase::Open { cause, .. } => State::HalfOpen { probes: 0, cause },
            Phase::HalfOpen { out, cause, .. } => State::HalfOpen { probes: out, cause },
        };
        let window = self.window.as_ref().map(|window| window.counts(now));
        Status { state, failures_in_a_row: self.in_a_row, window, opened: self.opened }
    }

    fn too_many(&self) -> Option<Cause> {
        if self.in_a_row >= self.settings.failures.get() {
            return Some(Cause::InARow(self.in_a_row));
        }
        let (rate, window) = (self.settings.rate?, self.window.as_ref()?);
        let (of, failed) = window.total();
        let is_much = u64::from(failed) * 100 >= u64::from(rate.percent.get()) * u64::from(of);
        let cause = Cause::Rate { failed, of, within: rate.window };
        (of >= rate.calls.get() && is_much).then_some(cause)
    }

    fn open(&mut self, cause: Cause, times: u32, now: Instant) -> Change {
        let doubled = 2_u32.saturating_pow(times - 1);
        let after = self.settings.open.saturating_mul(doubled).min(self.settings.open_max);
        self.opened += 1;
        // What lies beyond the clock's end is as good as now: it cannot be waited for.
        self.enter(Phase::Open { until: now.checked_add(after).unwrap_or(now), cause, times });
        Change::Opened(Barred { after, cause })
    }

    fn close(&mut self) -> Change {
        self.enter(Phase::Closed);
        // What failed before says nothing of what works now.
        self.window = self.settings.rate.map(|rate| Window::new(rate.window));
        Change::Closed
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.number += 1;
    }
}

impl Verdict {
    /// What an attempt's failure says of its API; `None` where nothing.
    ///
    /// An answer says that it works, also one that refuses the call. A `429` says
    /// neither: it asks for a pause. A backend that will never do what was asked
    /// (its advice is [`RetryAdvice::Never`]: other credentials are needed, or
    /// another method) is no backend that is down.
    pub fn of_failure(code: FailureCode, advice: RetryAdvice) -> Option<Self> {
        use FailureCode as Code;
        match code {
            Code::BackendError if advice == RetryAdvice::Never => Some(Self::Works),
            Code::BackendError
            | Code::Unavailable
            | Code::AttemptTimeout
            | Code::DeadlineExceeded
            | Code::WorkerLost => Some(Self::Fails),
            Code::ToolError | Code::Conflict | Code::ResultTooLarge | Code::ResultInvalid => {
                Some(Self::Works)
            }
            Code::RateLimited
            | Code::Cancelled
            | Code::Internal
            | Code::InvalidInput
            | Code::UnknownTool
            | Code::Denied
            | Code::DependencyFailed
            | Code::BudgetExceeded
            | Code::Repeated
            | Code::LockTimeout
            | Code::Overloaded
            | Code::OutcomeUnknown => None,
        }
    }
}

impl fmt::Display for Cause {
    /// `its last 10 calls failed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InARow(1) => f.write_str("its last call failed"),
            Self::InARow(calls) => write!(f, "its last {calls} calls failed"),
            Self::Rate { failed, of, within } => {
                write!(f, "{failed} of its {of} calls in {within:?} failed")
            }
        }
    }
}

#[cfg(test)]
mod tests;
