//! Attempts that functions of an agent's own process make.
//!
//! A worker is such a process. It opens a stream and offers tools; whoever holds
//! the stream takes a [`Seat`] for it, sends what its [`Orders`] say and hands
//! what comes back to [`Seat::answer`]. The workers that offer the same tool are its
//! [`Crew`], and its backend is what the tool's calls go to. That one is made here, as
//! the tool comes; all others only `app` makes.
//!
//! - `order`, `lost`: what a worker is told, and how it goes.
//! - `state`: who makes which attempt, as a machine without I/O.
//! - `pool`: the machine, shared.
//! - `crew`: one tool's attempts.
//! - `seat`: one worker's end of its stream.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use crate::model::{SessionId, Tenant, ToolName};

mod crew;
mod lost;
mod order;
mod pool;
mod seat;
mod state;

pub use crew::Crew;
pub use lost::Lost;
pub use order::{Job, Order};
pub use pool::{Pool, Status, WorkerStatus};
pub use seat::{Eviction, Orders, Seat};
pub use state::Answer;

/// Who a worker is, for those who look.
#[derive(Debug)]
pub struct About {
    /// Its name.
    pub name: Arc<str>,
    /// Whose it is.
    pub tenant: Tenant,
    /// The session that its tools belong to; `None` where they are shared.
    pub session: Option<SessionId>,
    /// What it offers.
    pub tools: Vec<ToolName>,
}

/// What holds for every worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How often each side says that it is alive. A worker that was not heard for
    /// two of them is lost.
    pub heartbeat: Duration,
    /// Attempts that a worker takes at once, where it names no number.
    pub attempts: NonZeroU32,
    /// And at most, whatever it names.
    pub attempts_max: NonZeroU32,
    /// Most bytes of an input: it has to fit into one message.
    pub input_bytes_max: usize,
    /// Most bytes of a result.
    pub result_bytes_max: NonZeroUsize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            attempts: NonZeroU32::MIN.saturating_add(63),
            attempts_max: NonZeroU32::MIN.saturating_add(1023),
            input_bytes_max: 3 << 20,
            result_bytes_max: NonZeroUsize::MIN.saturating_add((8 << 20) - 1),
        }
    }
}
