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
//!     │                        │               │  ▲            │  │
//!     │                        │               │  └─ BackingOff ◄─┘ failed for now
//!     └── skip, cancel ────────┴── reject ─────┴── time up ────┴──► Done
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
    /// Whether an attempt of the call may have been sent and had no answer.
    maybe_done: Vec<bool>,
    /// For a call that did not succeed: the first failure of its chain.
    roots: Vec<usize>,
    plan: Arc<Plan>,
    /// Calls whose children are to be told, empty between events: kept for its
    /// room.
    ended: VecDeque<(usize, Ending)>,
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
            maybe_done: vec![false; calls],
            roots: (0..calls).collect(),
            faults: plan.nodes.iter().map(|node| node.fault.clone()).collect(),
            plan,
            ended: VecDeque::new(),
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
                self.states[call] = State::Queued { attempt: 1 };
                actions.push(Action::Enqueue(call));
            }
            // Preparing or Queued → Done: it never ran.
            (State::Preparing, Event::Rejected(_, failure))
            | (State::Queued { attempt: 1 }, Event::Refused(_, failure)) => {
                self.finish(call, Ending::Failed(failure), actions);
            }
            // Queued → Done: there is no time for another attempt.
            (State::Queued { attempt }, Event::Refused(_, failure)) => {
                let ending = self.failed(call, failure.with_attempts(attempt - 1), Sent::No);
                self.finish(call, ending, actions);
            }
            // Queued → Running.
            (State::Queued { attempt }, Event::Granted(_)) => {
                self.states[call] = State::Running { attempt };
                actions.push(Action::Run { call, attempt });
            }
            // Running → BackingOff: it gives its rights back.
            (State::Running { attempt }, Event::FailedForNow(_, failure, sent)) => {
                self.learn(call, sent);
                self.states[call] = State::BackingOff { attempt };
                let failure = failure.with_attempts(attempt);
                actions.push(Action::BackOff { call, attempt, failure });
            }
            // BackingOff → Queued: every attempt pays anew.
            (State::BackingOff { attempt }, Event::BackedOff(_)) => {
                self.states[call] = State::Queued { attempt: attempt + 1 };
                actions.push(Action::Enqueue(call));
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
            (
                State::Queued { .. } | State::Running { .. } | State::BackingOff { .. },
                Event::TimeUp(_, sent),
            ) => {
                actions.push(Action::Abandon(call));
                let ending = self.timed_out(call, state, sent);
                self.finish(call, ending, actions);
            }
            (
                State::Blocked { .. }
                | State::Preparing
                | State::Queued { .. }
                | State::Running { .. }
                | State::BackingOff { .. },
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
        let mut ended = std::mem::take(&mut self.ended);
        ended.push_back((call, ending));
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
        self.ended = ended;
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

    /// Takes in what an attempt's end says of its effect.
    fn learn(&mut self, call: usize, sent: Sent) {
        match sent {
            Sent::No => {}
            Sent::Maybe => self.maybe_done[call] = true,
            Sent::Answered => self.maybe_done[call] = false,
        }
    }

    /// Whether nobody knows what an attempt of the call, the last or one before,
    /// has done, and somebody must.
    fn is_unknown(&mut self, call: usize, sent: Sent) -> bool {
        self.learn(call, sent);
        self.maybe_done[call] && self.traits[call].is_effectful
    }

    fn failed(&mut self, call: usize, failure: Failure, sent: Sent) -> Ending {
        if self.is_unknown(call, sent) {
            return Ending::Failed(unknown(&failure.message, failure.attempts));
        }
        if self.traits[call].has_fallback && failure.code.is_of_the_backend() {
            return Ending::FellBack(failure);
        }
        Ending::Failed(failure)
    }

    fn timed_out(&mut self, call: usize, state: State, sent: Sent) -> Ending {
        let (attempts, message) = match attempts(state) {
            0 => (0, "the call's time was over before its turn came; it was not sent"),
            attempts => (attempts, "the call's time was over before the tool answered"),
        };
        let failure = Failure::new(FailureCode::DeadlineExceeded, message);
        self.failed(call, failure.with_attempts(attempts), sent)
    }

    fn cancelled(&mut self, call: usize, state: State, sent: Sent, reason: CancelReason) -> Ending {
        let attempts = attempts(state);
        if self.is_unknown(call, sent) {
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

/// Attempts that were begun.
fn attempts(state: State) -> u32 {
    match state {
        State::Running { attempt } | State::BackingOff { attempt } => attempt,
        State::Queued { attempt } => attempt - 1,
        State::Blocked { .. } | State::Preparing | State::Done(_) => 0,
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
