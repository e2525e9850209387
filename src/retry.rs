//! Whether a failed attempt is made again, and when.
//!
//! What running a tool twice means ([`Effect`]) decides whether it may be, the
//! failure whether it helps, the [`Budget`] whether the API can bear it. The
//! wait doubles with each attempt and is drawn at random from nothing to that
//! much ("full jitter": Brooker, *Exponential Backoff and Jitter*, 2015), so
//! that those who failed together do not come back together.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    clock::Instant,
    model::{Effect, FailureCode, RetryAdvice, Sent},
};

mod budget;

pub use budget::{Budget, Status};

/// How an API's failed attempts are made again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Attempts of a call, the first among them.
    pub attempts: NonZeroU32,
    /// The most that is waited before the second attempt; doubled from then on.
    pub base: Duration,
    /// The most that is ever waited.
    pub max: Duration,
    /// Retries as a part of the API's first attempts, in percent.
    pub budget_percent: u32,
    /// Time for one attempt, where it is less than the call's.
    pub attempt_timeout: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts: NonZeroU32::MIN.saturating_add(2),
            base: Duration::from_millis(100),
            max: Duration::from_secs(5),
            budget_percent: 20,
            attempt_timeout: None,
        }
    }
}

/// One API's retries.
#[derive(Debug)]
pub struct Policy {
    settings: Settings,
    budget: Budget,
}

/// What is known of a failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// 1 for the first.
    pub attempt: u32,
    /// What running the tool twice means.
    pub effect: Effect,
    /// What went wrong.
    pub code: FailureCode,
    /// What the backend says would help.
    pub advice: RetryAdvice,
    /// Whether it may have been sent.
    pub sent: Sent,
    /// How long the upstream asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl Policy {
    /// Retries by these settings, with a budget of their own.
    pub fn new(settings: Settings) -> Self {
        let budget = Budget::new(settings.budget_percent);
        Self { settings, budget }
    }

    /// Other settings for the same API: what its budget has seen still counts.
    #[must_use]
    pub fn reconfigured(&self, settings: Settings) -> Self {
        let budget = self.budget.at(settings.budget_percent);
        Self { settings, budget }
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What its budget comes to at this moment.
    pub fn status(&self, now: Instant) -> Status {
        self.budget.status(now)
    }

    /// A call's first attempt is made: part of a retry is earned.
    pub fn earn(&self, now: Instant) {
        self.budget.earn(now);
    }

    /// When another attempt is made; `None` where never. `random` is between 0
    /// and 1. No retry is begun that the deadline would cut off at once.
    pub fn decide(
        &self,
        failed: Failed,
        now: Instant,
        deadline: Instant,
        random: f64,
    ) -> Option<Duration> {
        if failed.attempt >= self.settings.attempts.get() || !may_be_repeated(failed) {
            return None;
        }
        if failed.code == FailureCode::WorkerLost {
            // What a lost worker had, others take at once: nobody bears it any more.
            return Some(Duration::ZERO);
        }
        let doublings = 2_u32.saturating_pow(failed.attempt.saturating_sub(1));
        let most = self.settings.base.saturating_mul(doublings).min(self.settings.max);
        let delay = most.mul_f64(random.clamp(0.0, 1.0));
        // The API is paused for that long; the wait for it is the gate's.
        let ready = delay.max(failed.retry_after.unwrap_or_default());
        if now.checked_add(ready).is_none_or(|ready| ready >= deadline) {
            return None;
        }
        self.budget.spend(now).then_some(delay)
    }
}

/// Whether a second attempt is safe, and can help.
fn may_be_repeated(failed: Failed) -> bool {
    let is_safe = match failed.effect {
        Effect::ReadOnly | Effect::Keyed | Effect::AtLeastOnce => true,
        // Provably not sent, or refused before it was processed.
        Effect::AtMostOnce => {
            failed.sent == Sent::No
                || failed.sent == Sent::Answered && failed.code == FailureCode::RateLimited
        }
    };
    // "Verify first" is said to a model, which has no key to say that it means the
    // same call.
    let can_help = !matches!(failed.advice, RetryAdvice::Never | RetryAdvice::ChangedInput)
        && matches!(
            failed.code,
            FailureCode::Unavailable
                | FailureCode::BackendError
                | FailureCode::AttemptTimeout
                | FailureCode::RateLimited
                | FailureCode::WorkerLost
        );
    is_safe && can_help
}

#[cfg(test)]
mod tests;
