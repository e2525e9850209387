//! The only place that reads a clock.
//!
//! Everything timed runs on tokio's clock, so that a paused test sees exact
//! times.

pub use tokio::time::Instant;

/// The present moment on tokio's clock.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn now() -> Instant {
    Instant::now()
}
