//! What a plan will take.

use std::time::Duration;

use super::{Edge, Plan, Strength};

/// The time from which a call waits no more, and for whom it waited longest.
type Freed = (Duration, Option<usize>);

/// What a plan will take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// One call after the other.
    pub sequential: Duration,
    /// Along the longest chain.
    pub critical_path: Duration,
    /// How much of that is for order that nobody wrote.
    pub order: Duration,
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

/// Most calls in a chain before each call, in call order.
pub fn depths(plan: &Plan) -> Vec<usize> {
    let mut depths = vec![0; plan.nodes.len()];
    for call in plan.order() {
        let before = plan.parents(call).iter().map(|edge| depths[edge.from] + 1);
        depths[call] = before.max().unwrap_or(0);
    }
    depths
}

/// Calls in the chain with the most calls, by the [`depths`] of all.
pub fn depth(depths: &[usize]) -> usize {
    depths.iter().max().map_or(0, |deepest| deepest + 1)
}

/// What takes time from each call on, along its longest chain, itself included.
/// The turn waits longest for the call that has the most before it.
pub fn remaining(plan: &Plan, latencies: &[Duration]) -> Vec<Duration> {
    let mut remaining = vec![Duration::ZERO; plan.nodes.len()];
    for call in plan.order().rev() {
        let latency = latencies.get(call).copied().unwrap_or_default();
        let after = |edge: &Edge| match edge.strength {
            // It is let go once this one begins.
            Strength::Keys => remaining[edge.to],
            _ => remaining[edge.to].saturating_add(latency),
        };
        remaining[call] = plan.children(call).map(after).fold(latency, Duration::max);
    }
    remaining
}

/// What `plan` will take if each call runs as long as `latencies` says, in call
/// order. Calls that cannot run, and those that need them, take no time.
pub fn estimate(plan: &Plan, latencies: &[Duration]) -> Estimate {
    let count = plan.nodes.len();
    let times = Times::new(plan, latencies, |_| true);
    let depths = depths(plan);
    let latency = |call: usize| latencies.get(call).copied().unwrap_or_default();
    let sequential = (0..count)
        .filter(|&call| times.runs[call])
        .fold(Duration::ZERO, |sum, call| sum.saturating_add(latency(call)));
    let last = times.last();
    let mut critical: Vec<usize> =
        std::iter::successors(last, |&call: &usize| times.freed[call].1).collect();
    critical.reverse();
    let critical_path = times.end();
    let order = match plan.edges.iter().any(|edge| edge.lift.is_some()) {
        true => {
            let without = Times::new(plan, latencies, |edge| edge.lift.is_none());
            critical_path.saturating_sub(without.end())
        }
        false => Duration::ZERO,
    };
    let speedup = match critical_path.as_secs_f64() {
        0.0 => 1.0,
        seconds => sequential.as_secs_f64() / seconds,
    };
    let depth = depth(&depths);
    let mut widths = vec![0; depth];
    for call in (0..count).filter(|&call| times.runs[call]) {
        widths[depths[call]] += 1;
    }
    let width = widths.into_iter().max().unwrap_or(0);
    Estimate { sequential, critical_path, order, critical, speedup, width, depth, depths }
}

/// Says of each edge that nobody wrote how much later its child starts for it:
/// nothing where another edge makes the child wait as long.
pub fn price(plan: &mut Plan, latencies: &[Duration]) {
    if plan.edges.iter().all(|edge| edge.lift.is_none()) {
        return;
    }
    let times = Times::new(plan, latencies, |_| true);
    for call in 0..plan.nodes.len() {
        let parents = super::range(&plan.parents, call);
        // The longest wait, and the longest of the others.
        let (mut longest, mut second) = ((Duration::ZERO, None), Duration::ZERO);
        for place in parents {
            let wait = times.frees(&plan.edges[place]).map_or(Duration::ZERO, |(wait, _)| wait);
            if wait > longest.0 {
                second = std::mem::replace(&mut longest, (wait, Some(place))).0;
            } else {
                second = second.max(wait);
            }
        }
        if let (wait, Some(place)) = longest
            && times.runs[call]
            && let Some(lift) = &mut plan.edges[place].lift
        {
            lift.cost = wait - second;
        }
    }
}

/// When each call runs.
struct Times {
    runs: Vec<bool>,
    /// When it waits no more.
    freed: Vec<Freed>,
    ends: Vec<Duration>,
}

impl Times {
    /// With those edges that count.
    fn new(plan: &Plan, latencies: &[Duration], counts: impl Fn(&Edge) -> bool) -> Self {
        let count = plan.nodes.len();
        let mut times = Self {
            runs: vec![false; count],
            freed: vec![(Duration::ZERO, None); count],
            ends: vec![Duration::ZERO; count],
        };
        for call in plan.order() {
            let parents = plan.parents(call);
            let needs_met = |edge: &Edge| edge.strength != Strength::Need || times.runs[edge.from];
            let runs = plan.nodes[call].fault.is_none() && parents.iter().all(needs_met);
            // One that does not run ends at once, but keeps its place in a line.
            let waits = |edge: &&Edge| counts(edge) && (runs || edge.in_line);
            let mut freed: Option<Freed> = None;
            for now in parents.iter().filter(waits).filter_map(|edge| times.frees(edge)) {
                if freed.is_none_or(|(until, _)| now.0 > until) {
                    freed = Some(now);
                }
            }
            let freed = freed.unwrap_or_default();
            let latency = latencies.get(call).copied().filter(|_| runs).unwrap_or_default();
            (times.runs[call], times.freed[call]) = (runs, freed);
            times.ends[call] = freed.0.saturating_add(latency);
        }
        times
    }

    /// From when on the child waits no more for this parent, and for whom it did;
    /// `None` where it never does.
    fn frees(&self, edge: &Edge) -> Option<Freed> {
        let parent = edge.from;
        match (self.runs[parent], edge.strength) {
            // Whom the parent waits for, the child does.
            (true, Strength::Keys) => Some(self.freed[parent]),
            (true, _) => Some((self.ends[parent], Some(parent))),
            (false, _) => edge.in_line.then_some(self.freed[parent]),
        }
    }

    /// The call that ends last; of chains that end together, the one whose last
    /// call stands first.
    fn last(&self) -> Option<usize> {
        let runs = (0..self.runs.len()).filter(|&call| self.runs[call]);
        runs.rev().max_by_key(|&call| self.ends[call])
    }

    fn end(&self) -> Duration {
        self.last().map_or(Duration::ZERO, |call| self.ends[call])
    }
}
