//! A turn as it comes in, and why it may be sent away.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Instant,
    model::{BatchId, Call, Ordering, SessionId},
    policy::Caller,
    telemetry::propagate,
};

/// A turn to run.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Whose it is.
    pub caller: Arc<Caller>,
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
    /// The trace that its caller is in.
    pub context: propagate::Context,
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
