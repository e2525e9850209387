//! Why a call did not succeed.
//!
//! A failure has two readers. The message is written for the model: what
//! happened, whether trying again can help, what would be valid. Causes stay
//! in the log, beside it.

use std::{fmt, time::Duration};

/// What went wrong. The names are stable.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FailureCode {
    /// The input is not JSON, does not fit the schema, or a reference in it
    /// cannot be resolved.
    InvalidInput,
    /// No such tool for this caller.
    UnknownTool,
    /// Refused by a policy or a person.
    Denied,
    /// The tool ran and said no.
    ToolError,
    /// What it would change has changed meanwhile.
    Conflict,
    /// A call that it needs did not succeed.
    DependencyFailed,
    /// A rate limit would not let it run in time.
    RateLimited,
    /// The session's budget is spent.
    BudgetExceeded,
    /// The same call, again and again.
    Repeated,
    /// The backend could not be reached or does not serve at the moment.
    Unavailable,
    /// The backend failed.
    BackendError,
    /// An attempt took too long.
    AttemptTimeout,
    /// The call's or the batch's time is over.
    DeadlineExceeded,
    /// Cancelled.
    Cancelled,
    /// A lock was not to be had in time.
    LockTimeout,
    /// Too much is waiting already.
    Overloaded,
    /// The result is larger than the API may send.
    ResultTooLarge,
    /// The result is not what it says it is.
    ResultInvalid,
    /// It may have run, and nobody knows how it ended.
    OutcomeUnknown,
    /// The worker that ran it is gone.
    WorkerLost,
    /// A fault of Sidecall's.
    Internal,
}

impl FailureCode {
    /// Every code, in the order of the wire.
    pub const ALL: [Self; 21] = [
        Self::InvalidInput,
        Self::UnknownTool,
        Self::Denied,
        Self::ToolError,
        Self::Conflict,
        Self::DependencyFailed,
        Self::RateLimited,
        Self::BudgetExceeded,
        Self::Repeated,
        Self::Unavailable,
        Self::BackendError,
        Self::AttemptTimeout,
        Self::DeadlineExceeded,
        Self::Cancelled,
        Self::LockTimeout,
        Self::Overloaded,
        Self::ResultTooLarge,
        Self::ResultInvalid,
        Self::OutcomeUnknown,
        Self::WorkerLost,
        Self::Internal,
    ];

    /// The word for it, as models, logs and traces see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::UnknownTool => "unknown_tool",
            Self::Denied => "denied",
            Self::ToolError => "tool_error",
            Self::Conflict => "conflict",
            Self::DependencyFailed => "dependency_failed",
            Self::RateLimited => "rate_limited",
            Self::BudgetExceeded => "budget_exceeded",
            Self::Repeated => "repeated",
            Self::Unavailable => "unavailable",
            Self::BackendError => "backend_error",
            Self::AttemptTimeout => "attempt_timeout",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::LockTimeout => "lock_timeout",
            Self::Overloaded => "overloaded",
            Self::ResultTooLarge => "result_too_large",
            Self::ResultInvalid => "result_invalid",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::WorkerLost => "worker_lost",
            Self::Internal => "internal",
        }
    }

    /// Whether it says that the backend could not do it now, rather than that the
    /// call was wrong, refused or taken back.
    pub fn is_of_the_backend(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Unavailable
                | Self::BackendError
                | Self::AttemptTimeout
                | Self::DeadlineExceeded
                | Self::Overloaded
                | Self::ResultTooLarge
                | Self::ResultInvalid
        )
    }

    fn usual(self) -> (FailureOrigin, RetryAdvice) {
        use {FailureOrigin as O, RetryAdvice as R};
        match self {
            Self::InvalidInput => (O::Caller, R::ChangedInput),
            Self::UnknownTool => (O::Caller, R::ChangedInput),
            Self::Denied => (O::Sidecall, R::Never),
            Self::ToolError => (O::Backend, R::ChangedInput),
            Self::Conflict => (O::Backend, R::VerifyFirst),
            Self::DependencyFailed => (O::Caller, R::ChangedInput),
            Self::RateLimited => (O::Sidecall, R::SameInput),
            Self::BudgetExceeded => (O::Sidecall, R::Never),
            Self::Repeated => (O::Caller, R::ChangedInput),
            Self::Unavailable => (O::Backend, R::SameInput),
            Self::BackendError => (O::Backend, R::SameInput),
            Self::AttemptTimeout => (O::Backend, R::SameInput),
            Self::DeadlineExceeded => (O::Sidecall, R::SameInput),
            Self::Cancelled => (O::Caller, R::SameInput),
            Self::LockTimeout => (O::Sidecall, R::SameInput),
            Self::Overloaded => (O::Sidecall, R::SameInput),
            Self::ResultTooLarge => (O::Backend, R::ChangedInput),
            Self::ResultInvalid => (O::Backend, R::Never),
            Self::OutcomeUnknown => (O::Backend, R::VerifyFirst),
            Self::WorkerLost => (O::Backend, R::SameInput),
            Self::Internal => (O::Sidecall, R::SameInput),
        }
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose fault it was.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FailureOrigin {
    /// The turn's.
    Caller,
    /// Sidecall's, its limits included.
    Sidecall,
    /// The backend's.
    Backend,
}

/// What can help.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RetryAdvice {
    /// Nothing: the same call fails again.
    Never,
    /// The same call may succeed.
    SameInput,
    /// The same call may succeed after this long.
    After(Duration),
    /// Another input may succeed.
    ChangedInput,
    /// Find out first what has happened.
    VerifyFirst,
}

/// Why a call did not succeed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// What went wrong.
    pub code: FailureCode,
    /// Whose fault it was.
    pub origin: FailureOrigin,
    /// What can help.
    pub retry: RetryAdvice,
    /// For the model. Never empty.
    pub message: String,
    /// Attempts made.
    pub attempts: u32,
}

impl Failure {
    /// A failure with the origin and advice that are usual for its code.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        let (origin, retry) = code.usual();
        Self { code, origin, retry, message: message.into(), attempts: 0 }
    }

    /// With other advice.
    #[must_use]
    pub fn with_retry(self, retry: RetryAdvice) -> Self {
        Self { retry, ..self }
    }

    /// With another origin.
    #[must_use]
    pub fn with_origin(self, origin: FailureOrigin) -> Self {
        Self { origin, ..self }
    }

    /// After so many attempts.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }
}

impl fmt::Display for Failure {
    /// `code: message`, the text that the model reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
