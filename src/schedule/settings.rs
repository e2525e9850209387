//! The bounds.

use std::{num::NonZeroUsize, time::Duration};

use crate::{budget, limits::gate, model::ToolName};

/// The bounds of what is admitted and of what runs at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Most open batches of the process.
    pub batches_max: NonZeroUsize,
    /// Most calls of one batch.
    pub batch_calls_max: NonZeroUsize,
    /// Most bytes of all inputs of one batch.
    pub batch_bytes_max: NonZeroUsize,
    /// Most open calls of one session.
    pub session_calls_max: NonZeroUsize,
    /// Most open calls of the process.
    pub calls_max: NonZeroUsize,
    /// Attempts of one batch in flight at once.
    pub batch_concurrency: NonZeroUsize,
    /// Attempts of one session in flight at once.
    pub session_concurrency: NonZeroUsize,
    /// Attempts of the process in flight at once.
    pub concurrency: NonZeroUsize,
    /// Time for a batch where neither the request nor the RPC names one.
    pub batch_timeout: Duration,
    /// What every session may spend.
    pub sessions: budget::Settings,
    /// What holds for each API.
    pub apis: Vec<gate::Api>,
    /// Attempts of each tool in flight at once; absent where it has no cap.
    pub tools: Vec<(ToolName, NonZeroUsize)>,
}

impl Settings {
    /// What the gate needs of it.
    pub(super) fn gate(&self) -> gate::Settings {
        gate::Settings {
            process: self.concurrency,
            session: self.session_concurrency,
            batch: self.batch_concurrency,
            apis: self.apis.clone(),
            tools: self.tools.clone(),
        }
    }
}
