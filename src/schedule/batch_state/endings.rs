//! How a call ends, by what is known of what its attempts did.

use super::{Action, BatchState, CancelReason, Ending, State};
use crate::model::{Failure, FailureCode, Sent};

impl BatchState {
    /// Ends every open call as cancelled: none is skipped for another's sake, and
    /// none starts.
    pub(super) fn cancel_all(
        &mut self,
        reason: CancelReason,
        sent: &[(usize, Sent)],
        actions: &mut Vec<Action>,
    ) {
        self.is_growing = false;
        let mut in_flight = vec![Sent::No; self.states.len()];
        for (call, sent) in sent {
            if let Some(known) = in_flight.get_mut(*call) {
                *known = *sent;
            }
        }
        for (call, sent) in in_flight.into_iter().enumerate() {
            let state = self.states[call];
            if matches!(state, State::Done(_)) {
                continue;
            }
            let ending = self.cancelled(call, state, sent, reason);
            self.states[call] = State::Done(ending.outcome());
            actions.push(Action::Abandon(call));
            actions.push(Action::Finish(call, ending));
        }
        self.followers.clear();
        self.open = 0;
        self.end_if_over(actions);
    }

    /// Takes in what an attempt's end says of its effect.
    pub(super) fn learn(&mut self, call: usize, sent: Sent) {
        match sent {
            Sent::No => {}
            Sent::Maybe => self.marks[call].maybe_done = true,
            Sent::Answered => self.marks[call].maybe_done = false,
        }
    }

    /// Takes in the end of an attempt that another follows.
    pub(super) fn failed_for_now(&mut self, call: usize, failure: &Failure, sent: Sent) {
        self.learn(call, sent);
        self.lasts.insert(call, failure.message.clone());
    }

    /// With what the call's attempt before failed with, where there was one: it
    /// says more of the tool than what kept the call from another.
    pub(super) fn quoting(&self, call: usize, mut failure: Failure) -> Failure {
        if let Some(last) = self.lasts.get(&call) {
            failure.message =
                format!("{} The attempt before failed: {last}", sentence(&failure.message));
        }
        failure
    }

    /// Whether nobody knows what an attempt of the call, the last or one before,
    /// has done, and somebody must.
    fn is_unknown(&mut self, call: usize, sent: Sent) -> bool {
        self.learn(call, sent);
        self.marks[call].maybe_done && self.traits[call].is_effectful
    }

    pub(super) fn failed(&mut self, call: usize, failure: Failure, sent: Sent) -> Ending {
        if self.is_unknown(call, sent) {
            return Ending::Failed(unknown(&failure.message, failure.attempts));
        }
        if self.traits[call].has_fallback && failure.code.is_of_the_backend() {
            return Ending::FellBack(failure);
        }
        Ending::Failed(failure)
    }

    pub(super) fn timed_out(&mut self, call: usize, state: State, sent: Sent) -> Ending {
        let attempts = attempts(state);
        let message = match state {
            State::Running { .. } => "the call's time was over before the tool answered",
            _ if attempts > 0 => "the call's time was over before it could be sent again",
            _ => "the call's time was over before its turn came; it was not sent",
        };
        let failure = Failure::new(FailureCode::DeadlineExceeded, message).with_attempts(attempts);
        let failure = self.quoting(call, failure);
        self.failed(call, failure, sent)
    }

    pub(super) fn cancelled(
        &mut self,
        call: usize,
        state: State,
        sent: Sent,
        reason: CancelReason,
    ) -> Ending {
        let attempts = attempts(state);
        if self.is_unknown(call, sent) {
            return Ending::Failed(unknown("the call was cancelled while it ran", attempts));
        }
        Ending::Cancelled { reason, attempts }
    }
}

/// Attempts that were begun.
fn attempts(state: State) -> u32 {
    match state {
        State::Running { attempt } | State::BackingOff { attempt } => attempt,
        State::Queued { attempt } => attempt - 1,
        State::Blocked { .. }
        | State::Preparing
        | State::Sharing { .. }
        | State::Locking
        | State::Done(_) => 0,
    }
}

fn unknown(what: &str, attempts: u32) -> Failure {
    Failure::new(
        FailureCode::OutcomeUnknown,
        format!(
            "{} The call may or may not have taken effect. Find out before trying again: a second \
             call could do it twice.",
            sentence(what)
        ),
    )
    .with_attempts(attempts)
}

/// The text with a full stop, where it has none.
fn sentence(text: &str) -> String {
    let text = text.trim_end();
    let stop = if text.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{text}{stop}")
}
