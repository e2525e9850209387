//! One YAML file.

use std::time::Duration;

use crate::{rpc, schedule, telemetry};

/// What the file says, composed of every part's settings.
#[derive(Debug)]
pub struct Config {
    /// Where the server listens.
    pub listen: rpc::listen::Settings,
    /// The sizes of the wire.
    pub rpc: rpc::Settings,
    /// What is admitted and what runs at once.
    pub bounds: schedule::Settings,
    /// How the process logs.
    pub log: telemetry::log::Settings,
    /// How long running batches may go on once the process is told to stop.
    pub drain_timeout: Duration,
}
