//! Drain, then deadline, then force.
//!
//! One [`Drain`] is made per process. It owns every task that the process
//! starts and hands out the tokens that end them: `draining` says that nothing
//! new is admitted, `killed` that everything stops now.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Owner of the process's tasks and of its end.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    draining: CancellationToken,
    killed: CancellationToken,
    tasks: TaskTracker,
}

impl Drain {
    /// A drain that nothing has triggered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` as one of the process's tasks. It must end by itself, or
    /// when [`killed`](Self::killed) says so.
    #[expect(clippy::disallowed_methods, reason = "this is the owner")]
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        tokio::spawn(self.tasks.track_future(task))
    }

    /// As [`spawn`](Self::spawn), where nobody waits for its end. What the tests of
    /// interleavings run spawns by this.
    pub fn detach(&self, task: impl Future<Output = ()> + Send + 'static) {
        #[cfg(not(feature = "shuttle"))]
        drop(self.spawn(task));
        #[cfg(feature = "shuttle")]
        drop(shuttle::future::spawn(self.tasks.track_future(task)));
    }

    /// Stops admission. Running work goes on.
    pub fn start(&self) {
        self.draining.cancel();
    }

    /// Ends everything now.
    pub fn kill(&self) {
        self.draining.cancel();
        self.killed.cancel();
    }

    /// Cancelled once admission has stopped.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Cancelled once everything must stop.
    pub fn killed(&self) -> &CancellationToken {
        &self.killed
    }

    /// Whether admission has stopped.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Tasks that have not ended.
    pub fn tasks_open(&self) -> usize {
        self.tasks.len()
    }

    /// Ready when every task has ended.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
