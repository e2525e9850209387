//! One YAML file.

use std::time::Duration;

use crate::{backend::http, registry, rpc, schedule, telemetry};

/// What the file says, composed of every part's settings.
#[derive(Debug)]
pub struct Config {
    /// Where the server listens.
    pub listen: rpc::listen::Settings,
    /// The sizes of the wire.
    pub rpc: rpc::Settings,
    /// The APIs.
    pub apis: Vec<http::ApiSettings>,
    /// The tools, each with its way to its API.
    pub tools: Vec<(registry::tool::Settings, http::RequestSettings)>,
    /// What is admitted and what runs at once.
    pub bounds: schedule::Settings,
    /// How the process logs.
    pub log: telemetry::log::Settings,
    /// How long running batches may go on once the process is told to stop.
    pub drain_timeout: Duration,
}
