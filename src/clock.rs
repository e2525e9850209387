//! The only place that reads a clock.
//!
//! Everything timed runs on tokio's clock, so that a paused test sees exact
//! times. The wall's clock is only for what is told to others.

use std::time::SystemTime;

pub use tokio::time::Instant;

/// The present moment on tokio's clock.
#[cfg(not(feature = "shuttle"))]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall's time. It may jump: nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// A moment on both clocks. Whatever is told from the same one keeps its distances,
/// though the wall's time jumps.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    instant: Instant,
    wall: SystemTime,
}

impl Anchor {
    /// The present moment: both are read one right after the other.
    pub fn now() -> Self {
        Self { instant: now(), wall: wall() }
    }

    /// The moment on tokio's clock.
    pub fn instant(&self) -> Instant {
        self.instant
    }

    /// What the wall's time was at `moment`, or will be.
    pub fn wall_of(&self, moment: Instant) -> SystemTime {
        match moment.checked_duration_since(self.instant) {
            Some(later) => self.wall + later,
            None => self.wall - self.instant.duration_since(moment),
        }
    }
}

#[cfg(not(feature = "shuttle"))]
pub use tokio::time::sleep_until;

/// Runs `work` in paused time: what `#[tokio::test(start_paused = true)]` is to
/// those tests that cannot have it, each case of a property.
#[cfg(test)]
pub(crate) fn paused<F: Future>(work: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

#[cfg(feature = "shuttle")]
pub use modelled::{now, sleep_until};

/// Time as the tests of interleavings have it: it passes only while somebody
/// sleeps, and whoever else can run may do so before.
#[cfg(feature = "shuttle")]
mod modelled {
    use std::cell::Cell;

    use super::Instant;

    thread_local! {
        /// All tasks of a test are on one thread of the system.
        static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "where the modelled time begins")]
    pub fn now() -> Instant {
        let now = NOW.get().unwrap_or_else(Instant::now);
        NOW.set(Some(now));
        now
    }

    /// Ready once it is that late: after the others had a chance to run.
    pub async fn sleep_until(until: Instant) {
        shuttle::future::yield_now().await;
        NOW.set(Some(now().max(until)));
    }
}
