//! The bounds of what workers offer.

use std::{num::NonZeroUsize, time::Duration};

use crate::{
    model::{ApiName, ApiOrdering, ToolName},
    registry::{Schema, tool},
};

/// The bounds of what workers offer, and what holds for their tools.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Most tools of one worker.
    pub tools_max: NonZeroUsize,
    /// Most workers of one session.
    pub session_workers_max: NonZeroUsize,
    /// Most workers of the process.
    pub workers_max: NonZeroUsize,
    /// Time for a call of a tool that names none.
    pub timeout: Duration,
    /// Most bytes of a result that the model sees.
    pub shown_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let count = |count| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
        Self {
            tools_max: count(128),
            session_workers_max: count(16),
            workers_max: count(1024),
            timeout: tool::Settings::TIMEOUT,
            shown_bytes_max: tool::Settings::RESULT_BYTES_MAX,
        }
    }
}

impl Settings {
    /// A tool of a worker's, as far as the worker says nothing else of it.
    pub fn tool(&self, name: ToolName, schema: Schema) -> tool::Settings {
        tool::Settings {
            timeout: self.timeout,
            ordering: ApiOrdering::None,
            result_bytes_max: self.shown_bytes_max,
            ..tool::Settings::new(name, schema, ApiName::workers())
        }
    }
}
