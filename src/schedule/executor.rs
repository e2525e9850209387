//! Makes attempts. The only place that invokes a backend.
//!
//! A call under way is a [`Task`]: its wait for locks, its wait for rights, its
//! attempt.
//! The dispatcher polls them all itself, so that a call costs no task of the
//! runtime's.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    backend::{self, Attempt, Backend, Reply},
    cache,
    limits::{Permit, Refused, Wait},
    locks,
    model::FailureCode,
    telemetry::outgoing::Outgoing,
};

/// What a call is doing.
#[derive(Debug)]
pub(super) struct Task {
    call: usize,
    stage: Stage,
}

enum Stage {
    Locking(locks::Wait),
    Waiting(Wait),
    /// The attempt, its rights, and what is over only when nothing of it is left.
    Attempting {
        pending: Option<backend::Pending>,
        permit: Option<Permit>,
        /// For the log.
        trace: Option<Arc<Outgoing>>,
        _held: Held,
    },
    /// It was over before it began.
    Broken(Option<backend::Error>),
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Locking(_) => "Locking",
            Self::Waiting(_) => "Waiting",
            Self::Attempting { .. } => "Attempting",
            Self::Broken(_) => "Broken",
        })
    }
}

/// What a call holds for as long as it, or an attempt of it, is there: its locks,
/// and that it writes.
pub(super) type Held = (Option<Arc<locks::Guard>>, Option<Arc<cache::Write>>);

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    /// The call's locks.
    Locked(usize, locks::Guard),
    /// The call's rights, or why it has none; and how much of the wait was for
    /// tokens.
    Asked(usize, Result<Permit, Refused>, Duration),
    /// The attempt's answer, and its rights where it was made.
    Answered(usize, Result<Reply, backend::Error>, Option<Permit>),
}

impl Task {
    /// Waits for a call's locks.
    pub(super) fn lock(call: usize, wait: locks::Wait) -> Self {
        Self { call, stage: Stage::Locking(wait) }
    }

    /// Waits for a call's rights.
    pub(super) fn wait(call: usize, wait: Wait) -> Self {
        Self { call, stage: Stage::Waiting(wait) }
    }

    /// Makes an attempt. A backend that panics fails this call and nothing else.
    pub(super) fn attempt(
        call: usize,
        backend: &dyn Backend,
        attempt: Attempt,
        (permit, held): (Permit, Held),
    ) -> Self {
        let trace = attempt.trace.clone();
        let stage = match catch_unwind(AssertUnwindSafe(|| backend.attempt(attempt))) {
            Ok(pending) => {
                let (pending, permit) = (Some(pending), Some(permit));
                Stage::Attempting { pending, permit, trace, _held: held }
            }
            Err(panic) => Stage::Broken(Some(panicked(&*panic))),
        };
        Self { call, stage }
    }
}

impl Future for Task {
    type Output = Done;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Done> {
        let call = self.call;
        match &mut self.stage {
            Stage::Locking(wait) => {
                Pin::new(wait).poll(context).map(|guard| Done::Locked(call, guard))
            }
            Stage::Waiting(wait) => {
                let poll = Pin::new(&mut *wait).poll(context);
                poll.map(|answer| Done::Asked(call, answer, wait.throttled()))
            }
            Stage::Attempting { pending: None, .. } => Poll::Pending,
            Stage::Attempting { pending: Some(pending), permit, .. } => {
                match catch_unwind(AssertUnwindSafe(|| pending.as_mut().poll(context))) {
                    Ok(poll) => poll.map(|answer| Done::Answered(call, answer, permit.take())),
                    Err(panic) => {
                        Poll::Ready(Done::Answered(call, Err(panicked(&*panic)), permit.take()))
                    }
                }
            }
            Stage::Broken(error) => match error.take() {
                Some(error) => Poll::Ready(Done::Answered(call, Err(error), None)),
                None => Poll::Pending,
            },
        }
    }
}

impl Drop for Task {
    /// A backend that panics while it is dropped must not take the batch along.
    fn drop(&mut self) {
        if let Stage::Attempting { pending, trace, .. } = &mut self.stage {
            let pending = pending.take();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(pending))) {
                let error = panicked(&*panic);
                tracing::error!(
                    trace.id = trace.as_ref().and_then(|trace| trace.trace_id()),
                    cause = error.cause.as_ref().map(tracing::field::display),
                    "An attempt broke while it was dropped"
                );
            }
        }
    }
}

/// The panic's own words are for the log: they may hold anything.
fn panicked(panic: &(dyn Any + Send)) -> backend::Error {
    let words = panic
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    backend::Error::new(FailureCode::Internal, "the tool broke inside Sidecall")
        .maybe_sent()
        .because(Panicked(words))
}

#[derive(Debug, thiserror::Error)]
#[error("a backend panicked: {0}")]
struct Panicked(String);
