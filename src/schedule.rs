//! From a turn to its results.
//!
//! [`Scheduler::submit`] is the only door: it refuses a turn before any effect,
//! or accepts it and owns it to its end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    clock::Instant,
    model::{BatchId, Call, CallId, CallResult, Failure, Ordering, Owner, SessionId},
    plan::Plan,
};

/// A turn to run.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Whose it is.
    pub owner: Owner,
    /// Its id; made here where the caller fixed none.
    pub batch_id: Option<BatchId>,
    /// The conversation that it belongs to; the batch itself where none is named.
    pub session_id: Option<SessionId>,
    /// Whether references in inputs are resolved.
    pub references: bool,
    /// Order where nothing else says so.
    pub ordering: Ordering,
    /// When the batch must have ended: the earliest of the RPC's deadline and the
    /// request's timeout.
    pub deadline: Option<Instant>,
    /// Time for each call that names none itself.
    pub call_timeout: Option<Duration>,
    /// In block order.
    pub calls: Vec<Call>,
    /// Hash of the content, to know a resent turn from another with its id.
    pub fingerprint: [u8; 32],
}

/// Why a turn is not run. Nothing has happened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Something in the request is wrong.
    #[error("the turn is not valid")]
    Invalid(Vec<Violation>),
    /// Over a bound of the process, which time may mend.
    #[error("{what}; try again in {retry_after:?}")]
    Exhausted {
        /// Which bound, with its value and what came.
        what: String,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// Over a bound that no waiting mends.
    #[error("{0}")]
    TooLarge(String),
    /// The process is ending.
    #[error("draining")]
    Draining {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The same batch is running.
    #[error("batch {0} is running already")]
    Running(BatchId),
    /// The same batch has ended a while ago.
    #[error("batch {0} has run already")]
    Finished(BatchId),
    /// The id belongs to another content.
    #[error("batch id {0} was used for another turn")]
    IdReused(BatchId),
}

/// One fault of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The field: `typed.tool_uses[2].id`.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub description: String,
}

/// What happens in a batch, in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// The batch will run. Always the first.
    Accepted(Arc<Accepted>),
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
    },
    /// A call is terminal. Exactly one for every call.
    Finished(Arc<CallResult>),
    /// Always the last.
    BatchFinished(Arc<BatchFinished>),
}

/// What will run.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The batch's id.
    pub batch_id: BatchId,
    /// Ids and tools, in call order.
    pub calls: Vec<(CallId, Arc<str>)>,
    /// What depends on what.
    pub plan: Arc<Plan>,
    /// Expected running time of each call.
    pub latencies: Vec<Duration>,
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

/// Results by call, for those who ask by id.
pub type ResultsById = BTreeMap<CallId, Arc<CallResult>>;

/// What `PlanBatch` gives: the plan of a turn that is not run.
#[derive(Clone, Debug)]
pub struct Planned {
    /// As it would be accepted.
    pub accepted: Accepted,
    /// The failure of each call that would not run.
    pub faults: Vec<Option<Failure>>,
}
