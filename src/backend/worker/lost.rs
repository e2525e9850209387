//! Workers that are gone, and what that means for their attempts.

use std::{sync::Arc, time::Duration};

use crate::{
    backend::Error,
    model::{FailureCode, RetryAdvice, ToolName},
};

/// Why a worker is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lost {
    /// Its connection is.
    Cut,
    /// It was not heard for so long.
    Hung(Duration),
    /// It closed its stream.
    Left,
    /// It said that it takes no more, and has ended what it had.
    Drained,
    /// It broke the rules of the stream.
    Faulty,
    /// This process is ending.
    Shutdown,
    /// Its caller may not offer its tools any more.
    Revoked,
}

impl Lost {
    /// What is said of the worker.
    pub fn words(self) -> String {
        match self {
            Self::Cut => "its connection was cut".to_owned(),
            Self::Hung(silence) => format!("it was not heard for {silence:.1?}"),
            Self::Left => "it closed its stream".to_owned(),
            Self::Drained => "it takes no more attempts".to_owned(),
            Self::Faulty => "it broke the protocol".to_owned(),
            Self::Shutdown => "Sidecall is stopping".to_owned(),
            Self::Revoked => "its caller may not offer its tools any more".to_owned(),
        }
    }
}

/// Why nobody of a crew takes an attempt.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    pub(super) worker: Arc<str>,
    pub(super) why: Lost,
}

/// Nobody offers the tool any more.
pub(super) fn nobody(tool: &ToolName, gone: Option<&Gone>) -> Error {
    let who = match gone {
        Some(Gone { worker, why }) => {
            format!("the worker {worker:?}, which ran {tool}, is gone: {}", why.words())
        }
        None => format!("no worker runs {tool}"),
    };
    let message = format!(
        "{who}; the call was not sent. It can be made again once a worker offers the tool again."
    );
    Error::new(FailureCode::WorkerLost, message).with_retry(RetryAdvice::Never)
}

/// The worker went with the attempt. Where it was the last of its crew there is
/// nobody to try again with.
pub(super) fn lost_with(worker: &str, why: Lost, is_last: bool) -> Error {
    let message = format!("the worker {worker:?}, which ran the call, was lost: {}", why.words());
    let error = Error::new(FailureCode::WorkerLost, message).maybe_sent();
    if is_last { error.with_retry(RetryAdvice::Never) } else { error }
}
