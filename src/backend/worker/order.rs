//! What a worker is told.

use std::time::Duration;

use crate::{backend::Attempt, model::ToolName};

/// What a worker is told.
#[derive(Debug)]
pub enum Order {
    /// Its tools are offered; a heartbeat comes so often.
    Welcome(Duration),
    /// To be run.
    Attempt(Box<Job>),
    /// Nobody waits for this attempt any more.
    Cancel(u64),
    /// To be answered at once.
    Heartbeat,
    /// No more attempts come.
    Drain,
}

/// An attempt for a worker.
#[derive(Debug)]
pub struct Job {
    /// Names it, on every worker's stream.
    pub id: u64,
    /// The tool.
    pub tool: ToolName,
    /// What is to be done.
    pub attempt: Attempt,
}
