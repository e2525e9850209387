//! A turn that comes bit by bit.
//!
//! What has begun is never called back, and what has not is planned anew each time
//! that more is known: how many it still waits for is counted again.

use std::sync::Arc;

use super::{Action, BatchState, Ending, Event, Growth, Illegal, Marks, State};
use crate::{
    model::Outcome,
    plan::{Edge, Strength},
};

impl BatchState {
    /// Whether the call has begun or ended: later plans leave it as it is.
    pub fn is_settled(&self, call: usize) -> bool {
        self.state(call).is_some_and(|state| !matches!(state, State::Blocked { .. }))
    }

    /// Whether its input was ever asked for.
    pub fn has_started(&self, call: usize) -> bool {
        self.marks.get(call).is_some_and(|marks| marks.has_started)
    }

    /// Takes in the calls that came and the plan of all, and does what that brings.
    pub(super) fn grow(
        &mut self,
        growth: &Growth,
        actions: &mut Vec<Action>,
    ) -> Result<(), Illegal> {
        let Growth { plan, traits, held, is_whole } = growth;
        let calls = plan.nodes.len();
        let fits = (self.states.len() + traits.len(), held.len()) == (calls, calls);
        if !self.is_growing || !fits {
            return Err(self.illegal(self.states.len(), &Event::Grown(growth.clone())));
        }
        self.open += traits.len();
        self.traits.extend_from_slice(traits);
        self.states.resize(calls, State::Blocked { parents: 0 });
        self.marks.resize(calls, Marks::default());
        self.faults.resize(calls, None);
        self.roots.extend(self.roots.len()..calls);
        self.plan = Arc::clone(plan);
        self.is_growing = !is_whole;
        self.count_anew(held);
        self.end_doomed(actions);
        for call in 0..calls {
            self.pass(call, actions);
        }
        for call in 0..calls {
            let is_free = self.states[call] == State::Blocked { parents: 0 };
            if is_free && !self.marks[call].is_held && self.faults[call].is_none() {
                self.prepare(call, actions);
            }
        }
        self.end_if_over(actions);
        Ok(())
    }

    /// Counts what each call still waits for.
    fn count_anew(&mut self, held: &[bool]) {
        let plan = Arc::clone(&self.plan);
        self.behind = vec![0; held.len()];
        for (call, is_held) in held.iter().enumerate() {
            let (mut parents, mut behind) = (0, 0);
            for edge in plan.parents(call).iter().filter(|edge| self.holds(edge)) {
                parents += 1;
                behind += u32::from(edge.in_line);
            }
            self.behind[call] = behind;
            if matches!(self.states[call], State::Blocked { .. }) {
                self.states[call] = State::Blocked { parents };
                self.marks[call].is_held = *is_held;
                if !is_held {
                    self.faults[call].clone_from(&plan.nodes[call].fault);
                }
            }
        }
    }

    /// Whether the parent has not let go of the child yet.
    fn holds(&self, edge: &Edge) -> bool {
        let parent = self.marks[edge.from];
        match (edge.in_line, edge.strength) {
            (false, _) => !parent.has_ended,
            (true, Strength::Keys) => !parent.is_known && !parent.has_passed,
            (true, _) => !parent.has_passed,
        }
    }

    /// Ends those that cannot run, and those that need one that has failed.
    fn end_doomed(&mut self, actions: &mut Vec<Action>) {
        let plan = Arc::clone(&self.plan);
        for call in 0..self.states.len() {
            if !matches!(self.states[call], State::Blocked { .. }) || self.marks[call].is_held {
                continue;
            }
            let failed = |edge: &&Edge| {
                let parent = self.states[edge.from];
                edge.strength == Strength::Need
                    && self.marks[edge.from].has_ended
                    && parent != State::Done(Outcome::Succeeded)
            };
            let ending = match plan.parents(call).iter().find(failed) {
                Some(edge) => self.skipped(call, edge.from, self.roots[edge.from]),
                None => match self.faults[call].take() {
                    Some(fault) => Ending::Failed(fault),
                    None => continue,
                },
            };
            // Done from here on, so that nobody else ends it.
            self.states[call] = State::Done(ending.outcome());
            self.ended.push_back((call, ending));
        }
        self.finish_those(actions);
    }
}
