//! The decisions of a batch, as a pure machine: `apply(event) -> actions`.
//!
//! No clock, no I/O, no async, no randomness and no unordered map: the same
//! events give the same actions, live and on replay. The
//! `dispatcher` is its only driver: it turns the world
//! into events and actions into the world.
//!
//! ```text
//!           parents met      input made       locks held     rights granted
//!  Blocked ───────────► Preparing ──► Locking ────► Queued ──────────► Running
//!     │                   │    ▲         │          │  ▲               │   │
//!     │         identical ▼    │         │          │  └─ BackingOff ◄─┘ failed
//!     │                 Sharing┘ leader  │          │         │      for now
//!     │                   │  gave up     │          │         │            │
//!     └─ skip, cancel ────┴─ reject ─────┴─ refuse ─┴─ time up ────────────┴─► Done
//! ```

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::{
    model::{Failure, Outcome, Sent},
    plan::{Plan, Strength},
};

mod endings;
mod growing;
mod line;
mod sharing;
mod words;

pub use words::{Action, CancelReason, Ending, Event, Growth, Illegal, State, Traits};

/// All the state of one batch.
#[derive(Debug)]
pub struct BatchState {
    states: Vec<State>,
    traits: Vec<Traits>,
    marks: Vec<Marks>,
    /// Of each call, edges into it that keep block order and still hold; empty
    /// where the plan has none.
    behind: Vec<u32>,
    /// For a call that did not succeed: the first failure of its chain.
    roots: Vec<usize>,
    /// Those that share the run of a call, in the order in which they came.
    followers: BTreeMap<usize, Vec<usize>>,
    /// Who runs for the followers of a call that gave up.
    heirs: BTreeMap<usize, usize>,
    plan: Arc<Plan>,
    /// Calls whose children are to be told, empty between events: kept for its
    /// room.
    ended: VecDeque<(usize, Ending)>,
    faults: Vec<Option<Failure>>,
    /// What the last attempt of a call that is made again failed with, in words.
    lasts: BTreeMap<usize, String>,
    open: usize,
    begun: bool,
    /// Whether calls may yet come.
    is_growing: bool,
    is_over: bool,
}

/// What is remembered of a call beside its state.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    /// It does not start before it is planned again.
    is_held: bool,
    /// Its input was asked for.
    has_started: bool,
    /// An attempt may have been sent and had no answer.
    maybe_done: bool,
    /// Those that wait to know what it reads and writes were told.
    is_known: bool,
    /// It has an answer that others may share.
    has_answer: bool,
    /// It ended, and those that need it were told.
    has_ended: bool,
    /// So did all before it in its line, and those behind it were told.
    has_passed: bool,
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
            marks: vec![Marks::default(); calls],
            behind: line::behind(&plan),
            roots: (0..calls).collect(),
            followers: BTreeMap::new(),
            heirs: BTreeMap::new(),
            lasts: BTreeMap::new(),
            faults: plan.nodes.iter().map(|node| node.fault.clone()).collect(),
            plan,
            ended: VecDeque::new(),
            open: calls,
            begun: false,
            is_growing: false,
            is_over: false,
        }
    }

    /// A batch whose calls are yet to come.
    pub fn growing() -> Self {
        Self { is_growing: true, ..Self::new(Arc::default(), Vec::new()) }
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
            (None, Event::Grown(growth)) => return self.grow(growth, actions),
            (None, _) => return self.begin(actions),
        };
        let Some(state) = self.state(call) else {
            return Err(self.illegal(call, &event));
        };
        match (state, event) {
            // Any but Done → Done, dropping what is under way.
            (
                State::Sharing { .. }
                | State::Queued { .. }
                | State::Running { .. }
                | State::BackingOff { .. },
                Event::TimeUp(_, sent),
            ) => {
                actions.push(Action::Abandon(call));
                let ending = self.timed_out(call, state, sent);
                self.finish(call, ending, actions);
                Ok(())
            }
            (
                State::Blocked { .. }
                | State::Preparing
                | State::Sharing { .. }
                | State::Locking
                | State::Queued { .. }
                | State::Running { .. }
                | State::BackingOff { .. },
                Event::Cancelled(_, sent, reason),
            ) => {
                actions.push(Action::Abandon(call));
                let ending = self.cancelled(call, state, sent, reason);
                self.finish(call, ending, actions);
                Ok(())
            }
            (State::Running { .. } | State::BackingOff { .. }, event) => {
                self.apply_to_running(call, state, event, actions)
            }
            (_, event) => self.apply_to_waiting(call, state, event, actions),
        }
    }

    /// What brings a call to an attempt, or tells that there will be none.
    fn apply_to_waiting(
        &mut self,
        call: usize,
        state: State,
        event: Event,
        actions: &mut Vec<Action>,
    ) -> Result<(), Illegal> {
        match (state, event) {
            // Preparing → Locking or Queued: ask for the locks, or for the rights.
            (State::Preparing, Event::Prepared(_)) => self.proceed(call, actions),
            // Preparing → Sharing, or Done where the other call is.
            (State::Preparing, Event::Shares(_, leader)) => self.share(call, leader, actions)?,
            // Preparing → Done: there is a result already, or there will be none.
            (State::Preparing, Event::Cached(_)) => self.finish(call, Ending::Cached, actions),
            (State::Preparing, Event::Rejected(_, failure)) => {
                self.finish(call, Ending::Failed(failure), actions);
            }
            // Locking → Queued: ask for the rights.
            (State::Locking, Event::Locked(_)) => {
                self.states[call] = State::Queued { attempt: 1 };
                actions.push(Action::Enqueue(call));
            }
            // Locking → Done: it never ran.
            (State::Locking, Event::Refused(_, failure)) => {
                actions.push(Action::Abandon(call));
                self.finish(call, Ending::Failed(failure), actions);
            }
            // Queued → Running.
            (State::Queued { attempt }, Event::Granted(_)) => {
                self.states[call] = State::Running { attempt };
                actions.push(Action::Run { call, attempt });
            }
            // Queued → Done: there will be no attempt, or no other.
            (State::Queued { attempt }, Event::Refused(_, failure)) => {
                let failure = self.quoting(call, failure.with_attempts(attempt - 1));
                let ending = self.failed(call, failure, Sent::No);
                self.finish(call, ending, actions);
            }
            (_, event) => return Err(self.illegal(call, &event)),
        }
        Ok(())
    }

    /// What comes of an attempt.
    fn apply_to_running(
        &mut self,
        call: usize,
        state: State,
        event: Event,
        actions: &mut Vec<Action>,
    ) -> Result<(), Illegal> {
        match (state, event) {
            // Running → BackingOff: it gives its rights back.
            (State::Running { attempt }, Event::FailedForNow(_, failure, sent)) => {
                self.failed_for_now(call, &failure, sent);
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
            (_, event) => return Err(self.illegal(call, &event)),
        }
        Ok(())
    }

    fn begin(&mut self, actions: &mut Vec<Action>) -> Result<(), Illegal> {
        if self.begun {
            return Err(self.illegal(self.states.len(), &Event::Begun));
        }
        self.begun = true;
        self.end_if_over(actions);
        for call in 0..self.states.len() {
            // A call that is already terminal was skipped by a fault before it.
            if let State::Blocked { parents } = self.states[call] {
                if let Some(fault) = self.faults[call].take() {
                    self.finish(call, Ending::Failed(fault), actions);
                } else if parents == 0 {
                    self.prepare(call, actions);
                }
            }
        }
        Ok(())
    }

    /// Nothing stands before the call any more.
    fn prepare(&mut self, call: usize, actions: &mut Vec<Action>) {
        self.marks[call].has_started = true;
        self.states[call] = State::Preparing;
        actions.push(Action::Prepare(call));
    }

    /// The call's input is made and nobody else answers it: on to its locks, or
    /// its rights.
    fn proceed(&mut self, call: usize, actions: &mut Vec<Action>) {
        if self.traits[call].has_claims {
            self.states[call] = State::Locking;
            actions.push(Action::Lock(call));
        } else {
            self.states[call] = State::Queued { attempt: 1 };
            actions.push(Action::Enqueue(call));
        }
        self.become_known(call, actions);
    }

    /// The call has taken its place among those that wait for the same locks, or
    /// will take none: those behind it may take theirs.
    fn become_known(&mut self, call: usize, actions: &mut Vec<Action>) {
        if std::mem::replace(&mut self.marks[call].is_known, true) {
            return;
        }
        let plan = Arc::clone(&self.plan);
        for edge in plan.children(call).filter(|edge| edge.strength == Strength::Keys) {
            self.step_up(edge.to, actions);
        }
    }

    /// One parent less to wait for.
    fn release(&mut self, child: usize, actions: &mut Vec<Action>) {
        let State::Blocked { parents } = self.states[child] else {
            return;
        };
        if self.marks[child].is_held {
            return;
        }
        self.states[child] = State::Blocked { parents: parents - 1 };
        if parents == 1 && self.begun && self.faults[child].is_none() {
            self.prepare(child, actions);
        }
    }

    /// Ends `call` and tells those that wait for it: a call that needs it is
    /// skipped, and so on down; any other becomes ready when it was the last.
    fn finish(&mut self, call: usize, ending: Ending, actions: &mut Vec<Action>) {
        self.ended.push_back((call, ending));
        self.finish_those(actions);
    }

    /// Does so for each that has ended.
    fn finish_those(&mut self, actions: &mut Vec<Action>) {
        let plan = Arc::clone(&self.plan);
        let mut ended = std::mem::take(&mut self.ended);
        while let Some((parent, ending)) = ended.pop_front() {
            let outcome = ending.outcome();
            if let Ending::Skipped { root, .. } = &ending {
                self.roots[parent] = *root;
            }
            self.states[parent] = State::Done(outcome);
            self.marks[parent].has_answer =
                matches!(ending, Ending::Succeeded | Ending::Shared { .. } | Ending::Cached);
            self.open -= 1;
            let shared = (!self.followers.is_empty()).then(|| ending.clone());
            actions.push(Action::Finish(parent, ending));
            if let Some(ending) = shared {
                self.answer_followers(parent, &ending, &mut ended, actions);
            }

            for edge in plan.children(parent) {
                let (child, strength) = (edge.to, edge.strength);
                if !matches!(self.states[child], State::Blocked { .. }) || self.marks[child].is_held
                {
                    continue;
                }
                if outcome != Outcome::Succeeded && strength == Strength::Need {
                    // Done from here on, so that no second parent skips it again.
                    self.states[child] = State::Done(Outcome::Skipped);
                    let root = self.roots[parent];
                    ended.push_back((child, self.skipped(child, parent, root)));
                } else if !edge.in_line {
                    self.release(child, actions);
                }
            }
            self.marks[parent].has_ended = true;
            self.pass(parent, actions);
        }
        self.ended = ended;
        self.end_if_over(actions);
    }

    /// Ends the batch, once, when every call has ended and no other can come.
    fn end_if_over(&mut self, actions: &mut Vec<Action>) {
        if self.open == 0 && !self.is_growing && !self.is_over {
            self.is_over = true;
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

    fn illegal(&self, call: usize, event: &Event) -> Illegal {
        Illegal {
            call,
            state: self.state(call).unwrap_or(State::Blocked { parents: 0 }),
            event: format!("{event:?}"),
        }
    }
}

#[cfg(test)]
mod tests;
