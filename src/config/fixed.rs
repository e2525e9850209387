//! What of a configuration holds for the life of the process.

use std::{num::NonZeroUsize, time::Duration};

use super::Config;
use crate::{
    admin,
    backend::worker,
    overload, rpc,
    telemetry::{self, log::Format},
};

/// What cannot be changed while the process runs: what it listens on, and what was
/// set up around those who listen. The rest can.
#[derive(Clone, Debug)]
pub struct Fixed {
    listen: rpc::listen::Settings,
    admin: Option<admin::Settings>,
    rpc: rpc::Settings,
    /// A connection's codec takes inputs of so many bytes.
    inputs_bytes_max: NonZeroUsize,
    overload: overload::Settings,
    log_format: Format,
    telemetry: telemetry::Settings,
    workers: worker::Settings,
    drain_timeout: Duration,
}

impl Fixed {
    /// What a configuration says of it.
    pub fn of(config: &Config) -> Self {
        Self {
            listen: config.listen.clone(),
            admin: config.admin.clone(),
            rpc: config.rpc.clone(),
            inputs_bytes_max: config.bounds.batch_bytes_max,
            overload: config.overload.clone(),
            log_format: config.log.format,
            telemetry: config.telemetry.clone(),
            workers: config.workers.clone(),
            drain_timeout: config.drain_timeout,
        }
    }

    /// The settings that `other` has otherwise, by their keys: they take a restart.
    pub fn changed(&self, other: &Self) -> Vec<&'static str> {
        let (workers, of_others) = (&self.workers, &other.workers);
        let (telemetry, telemetry_of_other) = (&self.telemetry, &other.telemetry);
        let admin = |of: &Self| of.admin.as_ref().map(|of| (of.address, of.shows_metrics));
        let hosts = |of: &Self| of.admin.as_ref().map(|admin| admin.hosts.clone());
        let changed = [
            ("listen.unix", self.listen.unix != other.listen.unix),
            ("listen.tcp", self.listen.tcp != other.listen.tcp),
            ("listen.admin", admin(self) != admin(other)),
            ("listen.admin_hosts", hosts(self) != hosts(other)),
            ("listen.message_bytes", self.rpc.message_bytes_max != other.rpc.message_bytes_max),
            ("listen.connections", self.listen.connections_max != other.listen.connections_max),
            ("listen.streams", self.rpc.streams_max != other.rpc.streams_max),
            // A smaller one holds at once.
            ("bounds.batch_bytes", self.inputs_bytes_max < other.inputs_bytes_max),
            ("bounds.threads", self.overload.threads != other.overload.threads),
            ("bounds.memory", self.overload.memory != other.overload.memory),
            ("workers.heartbeat", workers.heartbeat != of_others.heartbeat),
            ("workers.attempts", workers.attempts_max != of_others.attempts_max),
            ("workers.result_bytes", workers.result_bytes_max != of_others.result_bytes_max),
            ("telemetry.otlp", telemetry.otlp != telemetry_of_other.otlp),
            (
                "telemetry.sampling",
                telemetry.sampling.to_bits() != telemetry_of_other.sampling.to_bits(),
            ),
            ("telemetry.capture", telemetry.capture != telemetry_of_other.capture),
            ("telemetry.log.format", self.log_format != other.log_format),
            ("drain.timeout", self.drain_timeout != other.drain_timeout),
        ];
        changed.into_iter().filter(|(_, is_other)| *is_other).map(|(key, _)| key).collect()
    }
}
