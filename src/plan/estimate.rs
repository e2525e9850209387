//! What a plan will take.

use std::time::Duration;

use super::{Edge, Plan, Strength};

/// What a plan will take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// One call after the other.
    pub sequential: Duration,
    /// Along the longest chain.
    pub critical_path: Duration,
    /// The calls of that chain, first to last, by place in the turn.
    pub critical: Vec<usize>,
    /// `sequential` by `critical_path`; 1 where nothing takes time.
    pub speedup: f64,
    /// Most calls that run at one depth.
    pub width: usize,
    /// Calls in the chain with the most calls.
    pub depth: usize,
    /// Most calls in a chain before each call, in call order.
    pub depths: Vec<usize>,
}

/// What takes time from each call on, along its longest chain, itself included.
/// The turn waits longest for the call that has the most before it.
pub fn remaining(plan: &Plan, latencies: &[Duration]) -> Vec<Duration> {
    let mut remaining = vec![Duration::ZERO; plan.nodes.len()];
    for call in plan.order().rev() {
        let after = plan.children(call).map(|edge| remaining[edge.to]).max().unwrap_or_default();
        let latency = latencies.get(call).copied().unwrap_or_default();
        remaining[call] = after.saturating_add(latency);
    }
    remaining
}

/// What `plan` will take if each call runs as long as `latencies` says, in call
/// order. Calls that cannot run, and those that need them, take no time.
pub fn estimate(plan: &Plan, latencies: &[Duration]) -> Estimate {
    let count = plan.nodes.len();
    let mut depths = vec![0; count];
    let mut ends = vec![Duration::ZERO; count];
    let mut runs = vec![false; count];
    // The parent that each call waits for longest.
    let mut awaited = vec![None; count];
    let mut sequential = Duration::ZERO;
    for call in plan.order() {
        let parents = plan.parents(call);
        let needs_met = |edge: &Edge| edge.strength != Strength::Need || runs[edge.from];
        runs[call] = plan.nodes[call].fault.is_none() && parents.iter().all(needs_met);
        depths[call] = parents.iter().map(|edge| depths[edge.from] + 1).max().unwrap_or(0);
        if !runs[call] {
            continue;
        }
        for edge in parents.iter().filter(|edge| runs[edge.from]) {
            if awaited[call].is_none() || ends[edge.from] > ends[call] {
                (awaited[call], ends[call]) = (Some(edge.from), ends[edge.from]);
            }
        }
        let latency = latencies.get(call).copied().unwrap_or_default();
        ends[call] = ends[call].saturating_add(latency);
        sequential = sequential.saturating_add(latency);
    }
    // Of chains that end together, the one whose last call stands first.
    let last = (0..count).filter(|&call| runs[call]).rev().max_by_key(|&call| ends[call]);
    let mut critical: Vec<usize> =
        std::iter::successors(last, |&call: &usize| awaited[call]).collect();
    critical.reverse();
    let critical_path = last.map_or(Duration::ZERO, |call| ends[call]);
    let speedup = match critical_path.as_secs_f64() {
        0.0 => 1.0,
        seconds => sequential.as_secs_f64() / seconds,
    };
    let depth = depths.iter().max().map_or(0, |deepest| deepest + 1);
    let mut widths = vec![0; depth];
    for call in (0..count).filter(|&call| runs[call]) {
        widths[depths[call]] += 1;
    }
    let width = widths.into_iter().max().unwrap_or(0);
    Estimate { sequential, critical_path, critical, speedup, width, depth, depths }
}
