//! Identical calls: one runs, and answers the others.

use std::collections::VecDeque;

use super::{Action, BatchState, Ending, Event, Illegal, State};
use crate::model::{Failure, FailureCode};

impl BatchState {
    /// The call that runs, or has run, for those that are identical to `call`:
    /// itself, or who took over from it; `None` where nobody does.
    pub fn runner(&self, call: usize) -> Option<usize> {
        let runner = self.last_heir(call);
        match self.state(runner)? {
            State::Locking
            | State::Queued { .. }
            | State::Running { .. }
            | State::BackingOff { .. } => Some(runner),
            State::Done(_) if self.marks[runner].has_answer => Some(runner),
            State::Blocked { .. } | State::Preparing | State::Sharing { .. } | State::Done(_) => {
                None
            }
        }
    }

    /// Who took over from `call`, and from that one, and so on.
    fn last_heir(&self, call: usize) -> usize {
        let mut last = call;
        while let Some(heir) = self.heirs.get(&last) {
            last = *heir;
        }
        last
    }

    pub(super) fn share(
        &mut self,
        call: usize,
        leader: usize,
        actions: &mut Vec<Action>,
    ) -> Result<(), Illegal> {
        let last = self.last_heir(leader);
        let Some(leader) = self.runner(last).filter(|leader| *leader != call) else {
            if !matches!(self.state(last), Some(State::Done(_))) {
                return Err(self.illegal(call, &Event::Shares(call, leader)));
            }
            // It gave up in the same moment: this one runs for those to come.
            self.heirs.insert(last, call);
            self.proceed(call, actions);
            return Ok(());
        };
        if self.marks[leader].has_answer {
            self.finish(call, Ending::Shared { leader }, actions);
        } else {
            self.states[call] = State::Sharing { leader };
            self.followers.entry(leader).or_default().push(call);
            self.become_known(call, actions);
        }
        Ok(())
    }

    /// Ends those that share the run of `leader` as it ended, or lets the first of
    /// them run in its place where that says nothing of them.
    pub(super) fn answer_followers(
        &mut self,
        leader: usize,
        ending: &Ending,
        ended: &mut VecDeque<(usize, Ending)>,
        actions: &mut Vec<Action>,
    ) {
        let mut followers = self.followers.remove(&leader).unwrap_or_default();
        followers.retain(|call| matches!(self.states[*call], State::Sharing { .. }));
        if followers.is_empty() {
            return;
        }
        let shared = match ending {
            Ending::Succeeded | Ending::Shared { .. } | Ending::Cached => {
                Some(Ending::Shared { leader })
            }
            Ending::FellBack(_) => Some(ending.clone()),
            Ending::Failed(failure) if !is_its_own(failure) => Some(ending.clone()),
            Ending::Failed(_) | Ending::Cancelled { .. } | Ending::Skipped { .. } => None,
        };
        if let Some(shared) = shared {
            for call in followers {
                // Done from here on, so that nobody else ends it.
                self.states[call] = State::Done(shared.outcome());
                ended.push_back((call, shared.clone()));
            }
            return;
        }
        let heir = followers.remove(0);
        self.heirs.insert(leader, heir);
        for call in &followers {
            self.states[*call] = State::Sharing { leader: heir };
        }
        self.followers.insert(heir, followers);
        self.proceed(heir, actions);
    }
}

/// Whether a failure is for what only that call was short of: its time. An
/// identical call may have more of it.
fn is_its_own(failure: &Failure) -> bool {
    match failure.code {
        FailureCode::DeadlineExceeded | FailureCode::LockTimeout => true,
        FailureCode::RateLimited => failure.attempts == 0,
        _ => false,
    }
}
