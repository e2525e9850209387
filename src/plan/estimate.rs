//! What a plan will take.

use std::time::Duration;

use super::Plan;

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
    /// Most calls at one depth.
    pub width: usize,
    /// Calls in the chain with the most calls.
    pub depth: usize,
    /// Most calls in a chain before each call, in call order.
    pub depths: Vec<usize>,
}

/// What `plan` will take if each call runs as long as `latencies` says, in call
/// order. Calls that cannot run, and those that need them, take no time.
pub fn estimate(plan: &Plan, latencies: &[Duration]) -> Estimate {
    let _ = (plan, latencies);
    Estimate::default()
}
