//! Attempts: how one is made, what its failure means, when the next one is.

use std::{cmp::Reverse, num::NonZeroU32, time::Duration};

use super::{Dispatcher, Task, Timer};
use crate::{
    backend::{self, Attempt, SentMark},
    model::{Effect, Failure, FailureCode, RetryAdvice, Sent},
    retry,
    schedule::batch_state::{self, State},
};

/// The longest that an upstream's `Retry-After` is heeded for everyone: one that
/// asks for more has more wrong with it than its load.
const PAUSE_MAX: Duration = Duration::from_secs(60);

impl Dispatcher {
    pub(super) fn run_attempt(&mut self, call: usize, number: u32) {
        self.ledger.started(&self.intake, call, number, self.now);
        let flight = &mut self.flights[call];
        let (Some(tool), Some(permit), Some(input), Some(deadline), Some(number)) = (
            self.intake.tools[call].as_ref(),
            flight.permit.take(),
            flight.input.clone(),
            flight.deadline,
            NonZeroU32::new(number),
        ) else {
            let failure = Failure::new(FailureCode::Internal, "the call was run before its time");
            self.inbox.push_back(batch_state::Event::Failed(call, failure, Sent::No));
            return;
        };
        let now = self.now;
        let policy = tool.retry.as_ref();
        if let Some(policy) = policy.filter(|_| number == NonZeroU32::MIN) {
            policy.earn(now);
        }
        let own = policy.and_then(|policy| now.checked_add(policy.settings().attempt_timeout?));
        let deadline = own.map_or(deadline, |own| own.min(deadline));
        flight.attempt_deadline = Some(deadline);
        flight.sent = SentMark::default();
        let key = (tool.effect == Effect::Keyed).then(|| self.intake.idempotency_key(call));
        let trace = self.intake.passed_on.clone();
        let attempt = Attempt { input, number, deadline, key, sent: flight.sent.clone(), trace };
        let task = Task::attempt(call, &*tool.backend, attempt, permit);
        self.track(call, task);
    }

    /// Another attempt, or the end.
    pub(super) fn fail(&mut self, call: usize, error: backend::Error) {
        self.heed(call, &error);
        let sent = error.sent;
        let failure = self.failure_of(call, error);
        let event = match self.delay(call, &failure, sent) {
            Some(delay) => {
                self.flights[call].delay = delay;
                batch_state::Event::FailedForNow(call, failure, sent)
            }
            None => batch_state::Event::Failed(call, failure, sent),
        };
        self.flights[call].sent = SentMark::default();
        self.feed(event);
    }

    /// The wait before another attempt; `None` where there is none.
    fn delay(&self, call: usize, failure: &Failure, sent: Sent) -> Option<Duration> {
        let tool = self.intake.tools[call].as_ref()?;
        let Some(State::Running { attempt }) = self.state.state(call) else {
            return None;
        };
        let retry_after = match failure.retry {
            RetryAdvice::After(after) => Some(after),
            _ => None,
        };
        let (effect, code, advice) = (tool.effect, failure.code, failure.retry);
        let failed = retry::Failed { attempt, effect, code, advice, sent, retry_after };
        let deadline = self.flights[call].deadline?;
        tool.retry.as_ref()?.decide(failed, self.now, deadline, fastrand::f64())
    }

    pub(super) fn back_off(&mut self, call: usize, attempt: u32, failure: Failure) {
        let (delay, now) = (self.flights[call].delay, self.now);
        self.ledger.retrying(&self.intake, (call, attempt), delay, failure, now);
        self.timers.push(Reverse((now + delay, call, Timer::BackedOff)));
    }

    /// An upstream that asks to be left alone is left alone by everyone.
    fn heed(&self, call: usize, error: &backend::Error) {
        if let (Some(after), Some(tool)) = (error.retry_after, &self.intake.tools[call]) {
            self.scope.pause(&tool.api, self.now + after.min(PAUSE_MAX));
        }
    }

    /// The cause stays here; the message goes on to the model.
    fn failure_of(&self, call: usize, error: backend::Error) -> Failure {
        tracing::debug!(
            batch.id = %self.intake.accepted.batch_id,
            call.id = %self.intake.calls[call].id,
            tool = &*self.intake.calls[call].tool,
            code = error.code.as_str(),
            cause = error.cause.as_ref().map(tracing::field::display),
            "An attempt failed"
        );
        let flight = &self.flights[call];
        let is_attempts_own = flight.attempt_deadline < flight.deadline
            && flight.attempt_deadline.is_some_and(|deadline| deadline <= self.now);
        match error.into_failure() {
            Failure { code: FailureCode::DeadlineExceeded, message, .. } if is_attempts_own => {
                Failure::new(FailureCode::AttemptTimeout, message)
            }
            failure => failure,
        }
    }
}
