//! What a call came to.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{CallId, Failure, FailureCode, Json};

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// The tool answered.
    Succeeded,
    /// It did not, or its answer was an error.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It never ran, since a call that it needs did not succeed.
    Skipped,
}

/// Where a result came from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Source {
    /// This call ran.
    Executed,
    /// An identical call of the batch ran.
    Shared,
    /// An earlier result was still valid.
    Cached,
    /// It failed for good, and its tool declares what is taken then.
    Fallback,
}

/// One block of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Plain text.
    Text(Arc<str>),
    /// JSON, as its source text.
    Json(Json),
    /// An image.
    Image {
        /// As the backend named it.
        media_type: Arc<str>,
        /// The bytes.
        data: Bytes,
    },
    /// Any other file.
    Document {
        /// As the backend named it.
        media_type: Arc<str>,
        /// The bytes.
        data: Bytes,
    },
    /// Something to be fetched by whoever wants it.
    Link {
        /// Where.
        uri: Arc<str>,
        /// What it is called.
        name: Arc<str>,
    },
}

impl Content {
    /// Bytes of the block's value.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Json(json) => json.as_str().len(),
            Self::Image { data, .. } | Self::Document { data, .. } => data.len(),
            Self::Link { uri, name } => uri.len() + name.len(),
        }
    }

    /// The same block for those who keep it for long: see [`Json::to_unparsed`].
    #[must_use]
    pub fn to_unparsed(&self) -> Self {
        match self {
            Self::Json(json) => Self::Json(json.to_unparsed()),
            Self::Text(_) | Self::Image { .. } | Self::Document { .. } | Self::Link { .. } => {
                self.clone()
            }
        }
    }
}

/// What was cut from a result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Truncation {
    /// Size of the whole result.
    pub whole_bytes: usize,
    /// Size of what is left.
    pub kept_bytes: usize,
}

/// Where a call's time went.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Timings {
    /// Waiting for the calls that it needs.
    pub blocked: Duration,
    /// Waiting for locks.
    pub locked: Duration,
    /// Waiting for a free place.
    pub queued: Duration,
    /// Waiting for tokens.
    pub throttled: Duration,
    /// Waiting between attempts.
    pub backing_off: Duration,
    /// In attempts.
    pub running: Duration,
}

/// One attempt of a call, and the waits before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AttemptTimings {
    /// When it began, since the batch was accepted.
    pub at: Duration,
    /// Waiting since the attempt before.
    pub backing_off: Duration,
    /// Waiting for a free place.
    pub queued: Duration,
    /// Waiting for tokens.
    pub throttled: Duration,
    /// In the attempt.
    pub running: Duration,
    /// What went wrong, if anything did.
    pub code: Option<FailureCode>,
}

/// What a call came to. Every accepted call comes to exactly one.
#[derive(Clone, Debug)]
pub struct CallResult {
    /// Place in the turn, from 0.
    pub index: usize,
    /// The call.
    pub call_id: CallId,
    /// The tool's name as the model wrote it.
    pub tool: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Where the content came from; none unless it succeeded.
    pub source: Option<Source>,
    /// What the model sees; empty where there is nothing to see.
    pub content: Vec<Content>,
    /// Set unless it succeeded.
    pub failure: Option<Failure>,
    /// Where its time went.
    pub timings: Timings,
    /// Each attempt in order; empty where there was no second one.
    pub attempts: Vec<AttemptTimings>,
    /// Set when `content` was cut.
    pub truncation: Option<Truncation>,
}

impl CallResult {
    /// Whether the model must read it as an error.
    pub fn is_error(&self) -> bool {
        self.outcome != Outcome::Succeeded
    }
}
