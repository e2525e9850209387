//! Attempts: how one is made, what its failure means, when the next one is.

use std::{cmp::Reverse, collections::BTreeMap, num::NonZeroU32, time::Duration};

use super::{Dispatcher, Task, Timer, refusals};
use crate::{
    backend::{self, Attempt, Reply, SentMark, Whose},
    limits::{Permit, Refused, Verdict},
    model::{Effect, Failure, FailureCode, RetryAdvice, Sent},
    retry,
    schedule::batch_state::{self, State},
};

impl Dispatcher {
    pub(super) fn run_attempt(&mut self, call: usize, number: u32) {
        let trace = self.ledger.started(&self.intake, call, number, self.now);
        self.note_attempt(call);
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
        flight.mark = Some(permit.mark());
        let sent = SentMark::default();
        flight.sent = Some(sent.clone());
        let key = (tool.effect == Effect::Keyed).then(|| self.intake.idempotency_key(call));
        let progress = self.reports.mark(call, number);
        let whose = Whose {
            call: self.intake.calls[call].id.clone(),
            batch: self.intake.accepted.batch_id.clone(),
            session: self.locksmith.session.clone(),
        };
        let attempt = Attempt { input, number, deadline, key, sent, trace, progress, whose };
        let held = (flight.locks.held(), flight.write.clone());
        let task = Task::attempt(call, &*tool.backend, attempt, (permit, held));
        self.track(call, task);
    }

    /// Tells how far attempts are. What finds no room is told with what comes next.
    pub(super) fn tell_progress(&mut self) {
        let mut untold = BTreeMap::new();
        for (call, report) in self.reports.take() {
            let number = report.attempt.get();
            let is_its = matches!(
                self.state.state(call),
                Some(State::Running { attempt }) if attempt == number
            );
            if is_its && !self.ledger.progress(&self.intake, call, &report.progress) {
                untold.insert(call, report);
            }
        }
        self.reports.give_back(untold);
    }

    /// Another attempt, or the end.
    pub(super) fn fail(&mut self, call: usize, error: backend::Error) {
        let sent = error.sent;
        let failure = self.failure_of(call, error);
        let event = match self.delay(call, &failure, sent) {
            Some(delay) => {
                self.flights[call].delay = delay;
                batch_state::Event::FailedForNow(call, failure, sent)
            }
            None => batch_state::Event::Failed(call, failure, sent),
        };
        self.flights[call].sent = None;
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
        // Nobody is let in before the API's pause is over.
        let pause = self.intake.tools[call].as_ref().map(|tool| self.scope.pause_left(&tool.api));
        let told = delay.max(pause.unwrap_or_default());
        self.ledger.retrying(&self.intake, (call, attempt), told, failure, now);
        self.timers.push(Reverse((now + delay, call, Timer::BackedOff)));
    }

    /// Why the gate refuses it, for the model.
    pub(super) fn refused(&self, call: usize, refused: Refused) -> Failure {
        let deadline = self.flights[call].deadline.unwrap_or(self.deadline);
        let left = deadline.saturating_duration_since(self.now);
        let was_attempted =
            matches!(self.state.state(call), Some(State::Queued { attempt }) if attempt > 1);
        match self.intake.tools[call].as_ref() {
            Some(tool) => refusals::refused(refused, &tool.api, left, was_attempted),
            None => Failure::new(FailureCode::Internal, "the call has no tool"),
        }
    }

    /// Takes in what an attempt's answer says of its API, then gives its rights
    /// back: whoever gets them next is bound by it.
    pub(super) fn learn(
        &mut self,
        call: usize,
        answer: &Result<Reply, backend::Error>,
        ran: Duration,
        permit: Option<Permit>,
    ) {
        let Some(tool) = self.intake.tools[call].as_ref() else {
            return;
        };
        // An upstream that asks to be left alone is left alone by everyone.
        let pause = match answer {
            Ok(reply) => reply.pause,
            Err(error) => error.retry_after.or(error.pause),
        };
        if let Some(wait) = pause {
            self.scope.pause(&tool.api, wait);
        }
        let verdict = match answer {
            Ok(_) => Some(Verdict::Works),
            Err(error) => self.verdict(call, error.code, error.retry, ran),
        };
        if let Some(permit) = permit {
            permit.end(verdict);
        }
    }

    /// An attempt did not even say that its time was over.
    pub(super) fn overran(&mut self, call: usize) {
        let ran = self.ledger.stopped(call, self.now);
        let (code, advice) = (FailureCode::DeadlineExceeded, RetryAdvice::SameInput);
        let verdict = self.verdict(call, code, advice, ran);
        if let (Some(verdict), Some(mark)) = (verdict, self.flights[call].mark.take()) {
            self.scope.report(mark, verdict);
        }
    }

    /// What a failure says of the API. One that was given less time than the tool
    /// usually takes says nothing by not being in time: whoever sends a turn names
    /// its times, and must not be able to bar an API for everyone.
    fn verdict(
        &self,
        call: usize,
        code: FailureCode,
        advice: RetryAdvice,
        ran: Duration,
    ) -> Option<Verdict> {
        let usual = self.intake.tools[call].as_ref()?.latency.expected();
        let is_short =
            code == FailureCode::DeadlineExceeded && ran < usual && !self.is_attempts_own(call);
        Verdict::of_failure(code, advice).filter(|_| !is_short)
    }

    /// Whether it is the attempt's own time that is over, not the call's.
    fn is_attempts_own(&self, call: usize) -> bool {
        let flight = &self.flights[call];
        flight.attempt_deadline < flight.deadline
            && flight.attempt_deadline.is_some_and(|deadline| deadline <= self.now)
    }

    /// The cause stays here; the message goes on to the model.
    fn failure_of(&self, call: usize, error: backend::Error) -> Failure {
        tracing::debug!(
            batch.id = %self.intake.accepted.batch_id,
            trace.id = self.intake.trace.as_ref().map(tracing::field::display),
            call.id = %self.intake.calls[call].id,
            tool = &*self.intake.calls[call].tool,
            code = error.code.as_str(),
            cause = error.cause.as_ref().map(tracing::field::display),
            "An attempt failed"
        );
        match error.into_failure() {
            Failure { code: FailureCode::DeadlineExceeded, message, .. }
                if self.is_attempts_own(call) =>
            {
                Failure::new(FailureCode::AttemptTimeout, message)
            }
            failure => failure,
        }
    }
}
