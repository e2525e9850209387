//! One tool's attempts.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Pool;
use crate::{
    backend::{Attempt, Backend, Error, Pending, SentMark},
    clock,
    model::{FailureCode, Sent, ToolName},
};

/// The workers that offer one tool. With the last of its clones, its backend and its
/// attempts it is forgotten.
#[derive(Clone, Debug)]
pub struct Crew(Arc<Inner>);

/// Attempts by whoever is of the crew then.
#[derive(Debug)]
struct Whoever(Crew);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    key: usize,
    tool: ToolName,
}

impl Crew {
    pub(super) fn new(pool: Pool, key: usize, tool: ToolName) -> Self {
        Self(Arc::new(Inner { pool, key, tool }))
    }

    pub(super) fn key(&self) -> usize {
        self.0.key
    }

    /// The tool's way to them.
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(Whoever(self.clone()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.pool.lock().remove_crew(self.key);
    }
}

impl Backend for Whoever {
    fn attempt(&self, attempt: Attempt) -> Pending {
        let crew = self.0.clone();
        let most = crew.0.pool.settings().input_bytes_max;
        let bytes = attempt.input.as_str().len();
        Box::pin(async move {
            if bytes > most {
                let message = format!(
                    "the input has {bytes} bytes, and a worker is sent {most} at most; the call \
                     was not sent. Call it again with a smaller input."
                );
                return Err(Error::new(FailureCode::InvalidInput, message));
            }
            crew.run(attempt).await
        })
    }
}

impl Crew {
    async fn run(self, attempt: Attempt) -> super::state::Answer {
        let (deadline, sent) = (attempt.deadline, attempt.sent.clone());
        let (answer, answered) = oneshot::channel();
        let Inner { pool, key, tool } = &*self.0;
        let id =
            pool.change(|state, after| state.begin(*key, tool.clone(), attempt, answer, after));
        // Dropped while nobody has answered, it takes the attempt back.
        let _withdrawal = Withdrawal { pool, id };
        tokio::select! {
            biased;
            answer = answered => answer.unwrap_or_else(|_| Err(forgotten())),
            () = clock::sleep_until(deadline) => Err(out_of_time(&sent)),
        }
    }
}

struct Withdrawal<'a> {
    pool: &'a Pool,
    id: u64,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        self.pool.change(|state, after| state.withdraw(self.id, after));
    }
}

fn out_of_time(sent: &SentMark) -> Error {
    match sent.get() {
        Sent::No => Error::new(
            FailureCode::DeadlineExceeded,
            "the time was over before a worker was free; the call was not sent",
        ),
        Sent::Maybe | Sent::Answered => Error::new(
            FailureCode::DeadlineExceeded,
            "the time was over before the worker answered",
        )
        .maybe_sent(),
    }
}

/// Every attempt is answered before it is forgotten.
fn forgotten() -> Error {
    Error::new(FailureCode::Internal, "the attempt was lost inside Sidecall").maybe_sent()
}
