//! The decisions of a batch, as a pure machine: `apply(event) -> actions`.
//!
//! No clock, no I/O, no async, no randomness and no unordered map: the same
//! events give the same actions, live and on replay. The
//! `dispatcher` is its only driver: it turns the world
//! into events and actions into the world.
//!
//! ```text
//!            parents met       input made        rights granted
//!  Blocked ──────────────► Preparing ──────► Queued ──────► Running
//!     │                        │                │              │
//!     └── skip, cancel ────────┴── reject ──────┴── time up ───┴──► Done
//! ```

use std::{collections::VecDeque, sync::Arc};

use crate::{
    model::{Failure, FailureCode, Outcome, Sent},
    plan::{Plan, Strength},
};

mod words;

pub use words::{Action, CancelReason, Ending, Event, Illegal, State, Traits};

/// All the state of one batch.
#[derive(Debug)]
pub struct BatchState {
    states: Vec<State>,
    traits: Vec<Traits>,
    /// For a call that did not succeed: the first failure of its chain.
    roots: Vec<usize>,
    plan: Arc<Plan>,
    faults: Vec<Option<Failure>>,
    open: usize,
    begun: bool,
}

impl BatchState {
    /// A batch of this plan; `traits` in call order.
    pub fn new(plan: Arc<Plan>, traits: Vec<Traits>) -> Self {
        let calls = plan.nodes.len();
        Self {
            states: (0..calls)
                .map(|call| State::Blocked { parents: plan.parents(call).len() })
                .collect(),
            traits,
            roots: (0..calls).collect(),
            faults: plan.nodes.iter().map(|node| node.fault.clone()).collect(),
            plan,
            open: calls,
            begun: false,
        }
    }

    /// Where a call stands.
    pub fn state(&self, call: usize) -> Option<State> {
        self.states.get(call).copied()
    }

    /// Calls that are not terminal.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Takes in an event and adds what must be done to `actions`, in order.
    ///
    /// # Errors
    ///
    /// [`Illegal`] where the call's state does not allow the event; nothing has
    /// changed then.
    pub fn apply(&mut self, event: Event, actions: &mut Vec<Action>) -> Result<(), Illegal> {
        let call = match (event.call(), &event) {
            (Some(call), _) => call,
            (None, Event::AllCancelled(reason, sent)) => {
                self.cancel_all(*reason, sent, actions);
                return Ok(());
            }
            (None, _) => return self.begin(actions),
        };
        let Some(state) = self.state(call) else {
            return Err(self.illegal(call, &event));
        };
        match (state, event) {
            // Preparing → Queued: ask for the rights.
            (State::Preparing, Event::Prepared(_)) => {
                self.states[call] = State::Queued;
                actions.push(Action::Enqueue(call));
            }
            // Preparing or Queued → Done: it never ran.
            (State::Preparing, Event::Rejected(_, failure))
            | (State::Queued, Event::Refused(_, failure)) => {
                self.finish(call, Ending::Failed(failure), actions);
            }
            // Queued → Running.
            (State::Queued, Event::Granted(_)) => {
                self.states[call] = State::Running { attempt: 1 };
                actions.push(Action::Run { call, attempt: 1 });
            }
            // Running → Done.
            (State::Running { .. }, Event::Succeeded(_)) => {
                self.finish(call, Ending::Succeeded, actions);
            }
            (State::Running { attempt }, Event::Failed(_, failure, sent)) => {
                let ending = self.failed(call, failure.with_attempts(attempt), sent);
                self.finish(call, ending, actions);
            }
            // Any but Done → Done, dropping what is under way.
            (State::Queued | State::Running { .. }, Event::TimeUp(_, sent)) => {
                actions.push(Action::Abandon(call));
                let ending = self.timed_out(call, state, sent);
                self.finish(call, ending, actions);
            }
            (
                State::Blocked { .. } | State::Preparing | State::Queued | State::Running { .. },
                Event::Cancelled(_, sent, reason),
            ) => {
                actions.push(Action::Abandon(call));
                let ending = self.cancelled(call, state, sent, reason);
                self.finish(call, ending, actions);
            }
            (_, event) => return Err(self.illegal(call, &event)),
        }
        Ok(())
    }

    fn begin(&mut self, actions: &mut Vec<Action>) -> Result<(), Illegal> {
        if self.begun {
            return Err(self.illegal(self.states.len(), &Event::Begun));
        }
        self.begun = true;
        if self.states.is_empty() {
            actions.push(Action::EndBatch);
        }
        for call in 0..self.states.len() {
            // A call that is already terminal was skipped by a fault before it.
            if let State::Blocked { parents } = self.states[call] {
                if let Some(fault) = self.faults[call].take() {
                    self.finish(call, Ending::Failed(fault), actions);
                } else if parents == 0 {
                    self.states[call] = State::Preparing;
                    actions.push(Action::Prepare(call));
                }
            }
        }
        Ok(())
    }

    /// Ends every open call as cancelled: none is skipped for another's sake, and
    /// none starts.
    fn cancel_all(
        &mut self,
        reason: CancelReason,
        sent: &[(usize, Sent)],
        actions: &mut Vec<Action>,
    ) {
        if self.open == 0 {
            return;
        }
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
        self.open = 0;
        actions.push(Action::EndBatch);
    }

    /// Ends `call` and tells those that wait for it: a call that needs it is
    /// skipped, and so on down; any other becomes ready when it was the last.
    fn finish(&mut self, call: usize, ending: Ending, actions: &mut Vec<Action>) {
        let plan = Arc::clone(&self.plan);
        let mut ended = VecDeque::from([(call, ending)]);
        while let Some((parent, ending)) = ended.pop_front() {
            let outcome = ending.outcome();
            if let Ending::Skipped { root, .. } = &ending {
                self.roots[parent] = *root;
            }
            self.states[parent] = State::Done(outcome);
            self.open -= 1;
            actions.push(Action::Finish(parent, ending));

            for edge in plan.children(parent) {
                let (child, strength) = (edge.to, edge.strength);
                let State::Blocked { parents } = self.states[child] else {
                    continue;
                };
                if outcome != Outcome::Succeeded && strength == Strength::Need {
                    // Done from here on, so that no second parent skips it again.
                    self.states[child] = State::Done(Outcome::Skipped);
                    let root = self.roots[parent];
                    ended.push_back((child, self.skipped(child, parent, root)));
                } else {
                    self.states[child] = State::Blocked { parents: parents - 1 };
                    if parents == 1 && self.begun && self.faults[child].is_none() {
                        self.states[child] = State::Preparing;
                        actions.push(Action::Prepare(child));
                    }
                }
            }
        }
        if self.open == 0 {
            actions.push(Action::EndBatch);
        }
    }

    /// A call that has a fault of its own says that, not its parent's.
    fn skipped(&mut self, child: usize, parent: usize, root: usize) -> Ending {
        match self.faults[child].take() {
            Some(fault) => Ending::Failed(fault),
            None => Ending::Skipped { parent, root },
        }
    }

    fn failed(&self, call: usize, failure: Failure, sent: Sent) -> Ending {
        if sent == Sent::Maybe && self.traits[call].is_effectful {
            return Ending::Failed(unknown(&failure.message, failure.attempts));
        }
        Ending::Failed(failure)
    }

    fn timed_out(&self, call: usize, state: State, sent: Sent) -> Ending {
        let (attempts, message) = match state {
            State::Running { attempt } => {
                (attempt, "the call's time was over before the tool answered")
            }
            _ => (0, "the call's time was over before its turn came; it was not sent"),
        };
        if attempts > 0 && sent == Sent::Maybe && self.traits[call].is_effectful {
            return Ending::Failed(unknown(message, attempts));
        }
        Ending::Failed(Failure::new(FailureCode::DeadlineExceeded, message).with_attempts(attempts))
    }

    fn cancelled(&self, call: usize, state: State, sent: Sent, reason: CancelReason) -> Ending {
        let State::Running { attempt: attempts } = state else {
            return Ending::Cancelled { reason, attempts: 0 };
        };
        if sent == Sent::Maybe && self.traits[call].is_effectful {
            return Ending::Failed(unknown("the call was cancelled while it ran", attempts));
        }
        Ending::Cancelled { reason, attempts }
    }

    fn illegal(&self, call: usize, event: &Event) -> Illegal {
        Illegal {
            call,
            state: self.state(call).unwrap_or(State::Blocked { parents: 0 }),
            event: format!("{event:?}"),
        }
    }
}

fn unknown(what: &str, attempts: u32) -> Failure {
    Failure::new(
        FailureCode::OutcomeUnknown,
        format!(
            "{what}; it may or may not have taken effect. Find out before trying again: a second \
             call could do it twice."
        ),
    )
    .with_attempts(attempts)
}

#[cfg(test)]
mod tests;
