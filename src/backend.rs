//! How an attempt is made.
//!
//! A backend knows nothing of batches, plans or limits: it gets one input, one
//! deadline, and answers once. Dropping the future is how an attempt is
//! cancelled: the upstream must notice (connection closed, child killed).
//! Only `app` constructs backends; only `schedule::executor` invokes them.

use std::{
    fmt,
    future::Future,
    num::NonZeroU32,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    clock::Instant,
    model::{
        BatchId, CallId, Content, Failure, FailureCode, FailureOrigin, Json, RetryAdvice, Sent,
        SessionId,
    },
    telemetry::outgoing::Outgoing,
};

pub mod http;
pub mod progress;
pub mod worker;

pub use progress::{Progress, ProgressMark};

/// One tool's way to its API.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Makes one attempt. Ends at its deadline at the latest, with an error
    /// that says in which phase it was.
    fn attempt(&self, attempt: Attempt) -> Pending;
}

/// An attempt under way. Dropping it cancels it.
pub type Pending = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

/// What a backend is given.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The resolved and validated input.
    pub input: Json,
    /// 1 for the first.
    pub number: NonZeroU32,
    /// When it must have ended.
    pub deadline: Instant,
    /// Names the call for a backend that honours it: stable over its attempts.
    /// Only tools whose effect is [`Keyed`](crate::model::Effect::Keyed) have one.
    pub key: Option<Arc<str>>,
    /// To be set before the first byte may leave.
    pub sent: SentMark,
    /// What it carries on of its caller's trace, where there is one.
    pub trace: Option<Arc<Outgoing>>,
    /// Where it says how far it is.
    pub progress: ProgressMark,
    /// What it is an attempt of.
    pub whose: Whose,
}

/// What an attempt is one of: names for those who follow it. Nothing is decided by
/// them.
#[derive(Clone, Debug)]
pub struct Whose {
    /// The call.
    pub call: CallId,
    /// Its batch.
    pub batch: BatchId,
    /// Its session; the batch's own where its caller named none.
    pub session: SessionId,
}

impl Whose {
    /// For tests that do not look at it.
    #[cfg(test)]
    pub(crate) fn nobodys() -> Self {
        let batch = BatchId::random();
        Self { call: CallId::positional(1), session: SessionId::from(&batch), batch }
    }
}

/// What a backend answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The whole result. Empty where there is nothing to see.
    pub content: Vec<Content>,
    /// How long the upstream asks everyone to leave it alone.
    pub pause: Option<Duration>,
}

impl Reply {
    /// What a backend answers that asks for nothing.
    pub fn new(content: Vec<Content>) -> Self {
        Self { content, pause: None }
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// What went wrong.
    pub code: FailureCode,
    /// Whose fault it was.
    pub origin: FailureOrigin,
    /// What can help.
    pub retry: RetryAdvice,
    /// For the model; without addresses and secrets.
    pub message: String,
    /// Whether it may have been sent. Set where it is known.
    pub sent: Sent,
    /// When the upstream said that the same call may succeed.
    pub retry_after: Option<Duration>,
    /// How long the upstream asks everyone to leave it alone, where it is not to be
    /// read of `retry_after`.
    pub pause: Option<Duration>,
    /// For the log.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with the origin and advice that are usual for its code, of an
    /// attempt that was not sent.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        let Failure { code, origin, retry, message, .. } = Failure::new(code, message);
        let (sent, retry_after, pause, cause) = (Sent::No, None, None, None);
        Self { code, origin, retry, message, sent, retry_after, pause, cause }
    }

    /// It may have been sent, and had no answer.
    #[must_use]
    pub fn maybe_sent(self) -> Self {
        Self { sent: Sent::Maybe, ..self }
    }

    /// It is the backend's answer.
    #[must_use]
    pub fn answered(self) -> Self {
        Self { sent: Sent::Answered, ..self }
    }

    /// With other advice.
    #[must_use]
    pub fn with_retry(self, retry: RetryAdvice) -> Self {
        Self { retry, ..self }
    }

    /// What the model is told.
    pub fn into_failure(self) -> Failure {
        let retry = match (self.retry, self.retry_after) {
            (RetryAdvice::SameInput, Some(after)) => RetryAdvice::After(after),
            (retry, _) => retry,
        };
        Failure { code: self.code, origin: self.origin, retry, message: self.message, attempts: 0 }
    }

    /// With what the log should know.
    #[must_use]
    pub fn because(self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }
}

/// Says whether an attempt that was dropped may have been sent. The executor
/// keeps one half, the backend marks the other.
#[derive(Clone, Debug, Default)]
pub struct SentMark(Arc<AtomicBool>);

impl SentMark {
    /// Bytes may leave from now on.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// What is known.
    pub fn get(&self) -> Sent {
        if self.0.load(Ordering::Acquire) { Sent::Maybe } else { Sent::No }
    }
}
