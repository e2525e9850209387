//! From a turn to its results.
//!
//! [`Scheduler::submit`] is the only door: it refuses a turn before any effect,
//! or accepts it and owns it to its end.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use crate::{
    clock::Instant,
    drain::Drain,
    model::{ApiName, BatchId, Call, CallId, CallResult, Ordering, Owner, SessionId},
    plan::Plan,
    registry::Registry,
};

/// The bounds of what is admitted and of what runs at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Most open batches of the process.
    pub batches_max: NonZeroUsize,
    /// Most calls of one batch.
    pub batch_calls_max: NonZeroUsize,
    /// Most bytes of all inputs of one batch.
    pub batch_bytes_max: NonZeroUsize,
    /// Most open calls of one session.
    pub session_calls_max: NonZeroUsize,
    /// Most open calls of the process.
    pub calls_max: NonZeroUsize,
    /// Attempts of one batch in flight at once.
    pub batch_concurrency: NonZeroUsize,
    /// Attempts of one session in flight at once.
    pub session_concurrency: NonZeroUsize,
    /// Attempts of the process in flight at once.
    pub concurrency: NonZeroUsize,
    /// Time for a batch where neither the request nor the RPC names one.
    pub batch_timeout: Duration,
    /// Attempts of each API in flight at once; APIs that name none are absent.
    pub api_concurrency: Vec<(ApiName, NonZeroUsize)>,
}

/// Accepts turns and owns them to their end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scheduler {}

/// A batch that was accepted. Dropping it cancels the batch.
#[derive(Debug)]
pub struct Running {
    /// Its id.
    pub batch_id: BatchId,
    /// What happens, until [`Event::BatchFinished`]. Never blocks the batch: the
    /// channel holds all that a batch can come to.
    pub events: mpsc::Receiver<Event>,
}

impl Scheduler {
    /// A scheduler that runs its batches as tasks of `drain`.
    pub fn new(registry: Arc<Registry>, settings: Settings, drain: Drain) -> Self {
        let _ = (registry, settings, drain);
        Self {}
    }

    /// Accepts a turn, or refuses it before any effect.
    ///
    /// # Errors
    ///
    /// [`Refusal`] says which bound or field, and whether waiting helps.
    pub fn submit(&self, submission: Submission) -> Result<Running, Refusal> {
        let _ = submission;
        Err(Refusal::TooLarge(String::new()))
    }

    /// Plans a turn as it would be accepted. Nothing is run.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), the bounds on what is open aside.
    pub fn plan(&self, submission: &Submission) -> Result<Accepted, Refusal> {
        let _ = submission;
        Err(Refusal::TooLarge(String::new()))
    }

    /// Cancels the open calls of a running batch of `owner`'s: those named, or
    /// all. Gives the ids of those that were open; `None` where no such batch
    /// runs, or it is somebody else's.
    pub fn cancel(
        &self,
        owner: &Owner,
        batch_id: &BatchId,
        call_ids: &[CallId],
    ) -> Option<Vec<CallId>> {
        let _ = (owner, batch_id, call_ids);
        None
    }
}

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
    /// What depends on what. A node's fault is the result that its call gets.
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
