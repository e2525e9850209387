//! Calls that keep block order.
//!
//! They stand in lines: whoever ends lets go those behind it. One that ends
//! before its turn, since it cannot run or is skipped, keeps its place: those
//! behind it wait for all that it would have waited for.

use std::sync::Arc;

use super::{Action, BatchState};
use crate::plan::{Plan, Strength};

/// Of each call, edges into it that keep block order; empty where there are
/// none.
pub(super) fn behind(plan: &Plan) -> Vec<u32> {
    if plan.edges.iter().all(|edge| !edge.in_line) {
        return Vec::new();
    }
    let mut behind = vec![0; plan.nodes.len()];
    for edge in plan.edges.iter().filter(|edge| edge.in_line) {
        behind[edge.to] += 1;
    }
    behind
}

impl BatchState {
    /// Lets go those behind a call that has ended, once all before it have.
    pub(super) fn pass(&mut self, call: usize, actions: &mut Vec<Action>) {
        if self.behind.is_empty() || !self.may_pass(call) {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let mut passing = vec![call];
        while let Some(call) = passing.pop() {
            self.marks[call].has_passed = true;
            let is_known = std::mem::replace(&mut self.marks[call].is_known, true);
            for edge in plan.children(call).filter(|edge| edge.in_line) {
                if is_known && edge.strength == Strength::Keys {
                    continue;
                }
                self.behind[edge.to] -= 1;
                self.release(edge.to, actions);
                if self.may_pass(edge.to) {
                    passing.push(edge.to);
                }
            }
        }
    }

    /// One edge less holds `call` in its line.
    pub(super) fn step_up(&mut self, call: usize, actions: &mut Vec<Action>) {
        self.behind[call] -= 1;
        self.release(call, actions);
        self.pass(call, actions);
    }

    fn may_pass(&self, call: usize) -> bool {
        let marks = self.marks[call];
        marks.has_ended && !marks.has_passed && self.behind[call] == 0
    }
}
