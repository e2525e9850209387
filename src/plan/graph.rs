//! Puts calls in an order that their edges allow, and finds what forbids one.
//!
//! Nothing here recurses: a turn may chain as many calls as it holds.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Edge, Strength, offsets, range};

pub(super) mod cycle;

/// Edges by one of their ends.
struct Adjacent {
    offsets: Vec<u32>,
    edges: Vec<u32>,
}

impl Adjacent {
    /// Those of `edges` that `kept` keeps, grouped by `end`.
    fn by(
        count: usize,
        edges: &[Edge],
        end: impl Fn(&Edge) -> usize,
        kept: impl Fn(&Edge) -> bool,
    ) -> Self {
        let offsets = offsets(count, edges.iter().filter(|edge| kept(edge)).map(&end));
        let mut next = offsets.clone();
        let mut places = vec![0; offsets[count] as usize];
        for (place, edge) in (0..).zip(edges).filter(|(_, edge)| kept(edge)) {
            let slot = &mut next[end(edge)];
            places[*slot as usize] = place;
            *slot += 1;
        }
        Self { offsets, edges: places }
    }

    fn of(&self, node: usize) -> &[u32] {
        &self.edges[range(&self.offsets, node)]
    }
}

/// Every call after all that it waits for, as near to block order as its edges
/// allow; shorter than the turn where calls wait for each other.
pub(super) fn sort(count: usize, edges: &[Edge]) -> Vec<u32> {
    // Models mostly refer back.
    if edges.iter().all(|edge| edge.from < edge.to) {
        return (0..).take(count).collect();
    }
    sort_giving_way(count, edges, |_| false).0
}

/// Drops edges that only order two calls where such an order cannot be kept.
///
/// An edge goes only if it lies on a circle of needs and orders, so never where
/// nothing stands against it. Whoever comes first in the turn goes first.
pub(super) fn drop_contrary_orders(count: usize, edges: &mut Vec<Edge>) {
    let component = cycle::components(count, edges, |_| true);
    let is_soft = |edge: &Edge| {
        edge.strength == Strength::Order && component[edge.from] == component[edge.to]
    };
    let (_, dropped) = sort_giving_way(count, edges, is_soft);
    let mut dropped = dropped.into_iter();
    edges.retain(|_| !dropped.next().unwrap_or(false));
}

/// All calls in the sequence nearest to block order that edges which nobody
/// wrote may follow: those give way to the others on a circle, and nowhere else.
pub(super) fn nearest_sequence(count: usize, edges: &[Edge]) -> Vec<u32> {
    let component = cycle::components(count, edges, |_| true);
    let is_soft = |edge: &Edge| edge.lift.is_some() && component[edge.from] == component[edge.to];
    let (mut order, _) = sort_giving_way(count, edges, is_soft);
    // Components are numbered from the last on. One after the other, so that
    // what gives way in one moves nobody in another.
    order.sort_by_key(|&call| Reverse(component[call as usize]));
    order
}

/// Kahn's algorithm, the first in the turn first. When nobody can go on, the
/// first call that waits only along soft edges goes, and those edges are
/// dropped. Gives the order and, for each edge, whether it was dropped.
fn sort_giving_way(
    count: usize,
    edges: &[Edge],
    is_soft: impl Fn(&Edge) -> bool,
) -> (Vec<u32>, Vec<bool>) {
    let children = Adjacent::by(count, edges, |edge| edge.from, |_| true);
    let parents = Adjacent::by(count, edges, |edge| edge.to, |edge| is_soft(edge));
    let mut hard = vec![0_u32; count];
    let mut soft = vec![0_u32; count];
    for edge in edges {
        let waits = if is_soft(edge) { &mut soft } else { &mut hard };
        waits[edge.to] += 1;
    }
    let nodes = || (0_u32..).take(count);
    let mut ready: BinaryHeap<Reverse<u32>> = nodes()
        .filter(|&node| hard[node as usize] + soft[node as usize] == 0)
        .map(Reverse)
        .collect();
    // All that wait along soft edges at most; some of them have gone meanwhile.
    let mut willing: BinaryHeap<Reverse<u32>> = nodes()
        .filter(|&node| hard[node as usize] == 0 && soft[node as usize] > 0)
        .map(Reverse)
        .collect();
    let mut is_done = vec![false; count];
    let mut dropped = vec![false; edges.len()];
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse(node)) = ready.pop().or_else(|| willing.pop()) {
        let place = node as usize;
        if std::mem::replace(&mut is_done[place], true) {
            continue;
        }
        order.push(node);
        if soft[place] > 0 {
            for &edge in parents.of(place) {
                dropped[edge as usize] = !is_done[edges[edge as usize].from];
            }
        }
        for &edge in children.of(place) {
            if dropped[edge as usize] {
                continue;
            }
            let edge = &edges[edge as usize];
            let waits = if is_soft(edge) { &mut soft } else { &mut hard };
            waits[edge.to] -= 1;
            match (hard[edge.to], soft[edge.to]) {
                (0, 0) => ready.push(Reverse(u32::try_from(edge.to).unwrap_or(u32::MAX))),
                (0, _) if !is_soft(edge) => {
                    willing.push(Reverse(u32::try_from(edge.to).unwrap_or(u32::MAX)));
                }
                _ => {}
            }
        }
    }
    (order, dropped)
}
