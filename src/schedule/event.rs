//! What happens in a batch, as those above are told of it. The machine's own
//! events are others: see [`batch_state`](super::batch_state).

use std::{sync::Arc, time::Duration};

use crate::{
    backend::Progress,
    model::{BatchId, CallId, CallResult, Effect, Failure, Timings},
    plan::{Edge, Plan},
};

use super::Refusal;

/// What happens in a batch, in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// The batch will run. Always the first.
    Accepted(Arc<Accepted>),
    /// A call of a turn that is still coming has its place in the plan.
    Planned(Arc<Planned>),
    /// An attempt begins.
    Started {
        /// Place in the turn, from 0.
        index: usize,
        /// The call.
        call_id: CallId,
        /// 1 for the first.
        attempt: u32,
        /// Since the batch was accepted.
        at: Duration,
        /// Where its time went until now.
        timings: Timings,
    },
    /// An attempt failed, and another follows.
    Retrying {
        /// Place in the turn, from 0.
        index: usize,
        /// The call.
        call_id: CallId,
        /// The attempt that failed.
        attempt: u32,
        /// The wait before the next.
        delay: Duration,
        /// Why it failed.
        failure: Failure,
    },
    /// How far an attempt is, as its tool says; of what comes faster than it is
    /// read, the latest.
    Progress {
        /// Place in the turn, from 0.
        index: usize,
        /// The call.
        call_id: CallId,
        /// How far it is.
        progress: Progress,
    },
    /// A call is terminal. Exactly one for every call.
    Finished(Arc<CallResult>),
    /// Always the last, unless the batch was broken off.
    BatchFinished(Arc<BatchFinished>),
    /// The last in place of that: what came of a turn that was still coming is not
    /// valid, or more than is allowed. Every call that began is terminal.
    BrokenOff(Refusal),
}

/// A call of a turn that is still coming.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Place in the turn, from 0.
    pub index: usize,
    /// The call.
    pub call_id: CallId,
    /// Its tool.
    pub tool: Arc<str>,
    /// What running its tool twice means; `None` where there is no such tool.
    pub effect: Option<Effect>,
    /// Why it cannot run, as far as that is known for good.
    pub fault: Option<Failure>,
    /// Its expected running time.
    pub latency: Duration,
    /// Most calls in a chain before it.
    pub depth: usize,
    /// What it waits for, as far as that is known.
    pub edges: Vec<Edge>,
}

impl Event {
    /// What happens, without anything that came from the turn or from an API: for the
    /// log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Planned(_) => "call_planned",
            Self::Started { .. } => "started",
            Self::Retrying { .. } => "retrying",
            Self::Progress { .. } => "progress",
            Self::Finished(_) => "finished",
            Self::BatchFinished(_) => "batch_finished",
            Self::BrokenOff(_) => "broken_off",
        }
    }
}

/// What will run.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The batch's id.
    pub batch_id: BatchId,
    /// Ids and tools, in call order.
    pub calls: Vec<(CallId, Arc<str>)>,
    /// What depends on what. A node's fault is the result that its call gets.
    pub plan: Arc<Plan>,
    /// Expected running time of each call.
    pub latencies: Vec<Duration>,
    /// What running each call's tool twice means; `None` where there is no such
    /// tool.
    pub effects: Vec<Option<Effect>>,
    /// Whether more calls may come.
    pub is_growing: bool,
}

/// How a batch ended.
#[derive(Clone, Debug)]
pub struct BatchFinished {
    /// Every call's result, in call order.
    pub results: Vec<Arc<CallResult>>,
    /// From accepted to finished.
    pub duration: Duration,
    /// The sum of the calls' running times.
    pub sequential: Duration,
    /// The chain of calls that determined the duration, by place in the turn.
    pub critical_path: Vec<usize>,
}

/// Room for what tells of progress. More than that waits, the latest of each call,
/// until some of it was read.
pub(super) const PROGRESS_MAX: usize = 16;

/// Events that a batch of so many calls, each of so many attempts, can come to, those that
/// tell of progress aside.
pub(super) fn most_of(calls: usize, attempts: u32) -> usize {
    // Accepted and finished; of each call its place in the plan; of each attempt the
    // start, and the end or the retry.
    2 + calls.saturating_mul(1 + 2 * attempts as usize)
}
