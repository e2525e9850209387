//! A plan of a turn that is still being written.
//!
//! Each time that more of the turn is known it is planned again as a whole, around
//! the calls that are settled: those have begun, or ended, and what they waited for
//! is over. They keep the edges that they had, nothing that comes later stands
//! before one of them, and so the new edges can make no cycle with the old.

use super::{Call, Edge, Ordering, Plan, build_around};

/// Plans a turn again, of which `before` was the plan when less of it was known.
///
/// `is_settled` says of each call, in call order and as far as there were any
/// then, that it has begun or ended. A settled call has the edges of `before` into
/// it, those aside that come from a call that is not settled: it no longer waits
/// for that one. What it says of others is not looked at. Of the others each may
/// have other edges than before.
pub fn grow(calls: &[Call<'_>], ordering: Ordering, before: &Plan, is_settled: &[bool]) -> Plan {
    build_around(calls, ordering, &Settled { before: Some(before), is_settled })
}

/// What of a turn is settled before it is planned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled<'a> {
    before: Option<&'a Plan>,
    is_settled: &'a [bool],
}

impl<'a> Settled<'a> {
    /// Whether the call is.
    pub(super) fn has(&self, call: usize) -> bool {
        self.is_settled.get(call).copied().unwrap_or(false)
    }

    /// What a settled call waited for.
    pub(super) fn edges_into(&self, call: usize) -> impl Iterator<Item = Edge> + use<'a> {
        let settled = *self;
        let edges = self.before.map_or(&[][..], |before| before.parents(call));
        edges.iter().filter(move |edge| settled.has(edge.from)).cloned()
    }

    /// A sequence of all calls, with those that are settled before the others, in
    /// an order that their edges allow.
    pub(super) fn first<'s>(
        &'s self,
        sequence: impl Iterator<Item = usize> + Clone + 's,
    ) -> impl Iterator<Item = usize> + Clone + 's {
        let before = self.before.map_or(&[][..], |before| &before.order);
        let settled = before.iter().map(|&call| call as usize).filter(|&call| self.has(call));
        settled.chain(sequence.filter(|&call| !self.has(call)))
    }
}
