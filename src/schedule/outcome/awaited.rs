//! What a batch's duration was made of.

use super::Ledger;
use crate::plan::Plan;

impl Ledger {
    /// From the call that ended last, always to the one that it waited for last.
    pub(super) fn critical_path(&self, plan: &Plan) -> Vec<usize> {
        let mut path = Vec::new();
        let mut next = (0..self.slots.len()).max_by_key(|&call| self.slots[call].ended_at);
        while let Some(call) = next {
            path.push(call);
            // What it waited for last is the run that it shared.
            next = self.slots[call].leader.or_else(|| self.awaited(call, plan));
        }
        path.reverse();
        path
    }

    /// The parent whose end let the call go last.
    fn awaited(&self, call: usize, plan: &Plan) -> Option<usize> {
        let mut at = call;
        loop {
            let slot = &self.slots[at];
            let freed = slot.locked_at.or(slot.ready_at).or(slot.ended_at);
            // A parent that went on had only to be ready: the call waited for
            // whatever that one did.
            let let_go = |&parent: &usize| {
                let parent = &self.slots[parent];
                let has_ended = parent.ended_at <= freed;
                (if has_ended { parent.ended_at } else { parent.ready_at }, has_ended)
            };
            let parent = plan.parents(at).iter().map(|edge| edge.from).max_by_key(let_go)?;
            if let_go(&parent).1 {
                return Some(parent);
            }
            at = parent;
        }
    }
}
