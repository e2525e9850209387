//! The waiters of one batch: the longest path first, by tool.

use std::{cmp::Reverse, collections::BTreeMap, num::NonZeroU32, time::Duration};

use super::Place;

/// A waiter and its cost.
pub(super) type Waiter = (usize, NonZeroU32);

/// The order within a batch.
type Rank = (Reverse<Duration>, u64);

#[derive(Debug)]
pub(super) struct Batch {
    /// Where it stands among the batches of its session.
    pub(super) turn: u64,
    /// Tokens that its waiters cost.
    pub(super) tokens: u64,
    /// By tool: one that is full must not hide another.
    lanes: Vec<(usize, BTreeMap<Rank, Waiter>)>,
}

impl Batch {
    pub(super) fn new(turn: u64) -> Self {
        Self { turn, tokens: 0, lanes: Vec::new() }
    }

    pub(super) fn push(&mut self, waiter: usize, place: &Place) {
        self.lane(place.tool).insert(rank(place), (waiter, place.cost));
        self.tokens += place.tokens();
    }

    /// Takes out who waits at this place. False where nobody does.
    pub(super) fn take_out(&mut self, place: &Place) -> bool {
        let is_found = self.lane(place.tool).remove(&rank(place)).is_some();
        if is_found {
            self.tokens -= place.tokens();
        }
        is_found
    }

    /// The waiter that goes first among those whose tool has room. Those tools that have
    /// none are added to `full`.
    pub(super) fn first(
        &self,
        has_room: impl Fn(usize) -> bool,
        full: &mut Vec<usize>,
    ) -> Option<Waiter> {
        let mut found: Option<(&Rank, &Waiter)> = None;
        for (tool, lane) in &self.lanes {
            let Some(first) = lane.first_key_value() else {
                continue;
            };
            if !has_room(*tool) {
                full.push(*tool);
            } else if found.is_none_or(|(rank, _)| first.0 < rank) {
                found = Some(first);
            }
        }
        found.map(|(_, waiter)| *waiter)
    }

    /// Tokens that go to those before this place.
    pub(super) fn before(&self, place: &Place) -> u64 {
        let lanes = self.lanes.iter().flat_map(|(_, lane)| lane.range(..rank(place)));
        lanes.map(|(_, (_, cost))| u64::from(cost.get())).sum()
    }

    /// Everyone, in no order.
    pub(super) fn into_waiters(self) -> impl Iterator<Item = Waiter> {
        self.lanes.into_iter().flat_map(|(_, lane)| lane.into_values())
    }

    fn lane(&mut self, tool: usize) -> &mut BTreeMap<Rank, Waiter> {
        let at = match self.lanes.iter().position(|(of, _)| *of == tool) {
            Some(at) => at,
            None => {
                self.lanes.push((tool, BTreeMap::new()));
                self.lanes.len() - 1
            }
        };
        &mut self.lanes[at].1
    }
}

fn rank(place: &Place) -> Rank {
    (Reverse(place.path), place.number)
}
