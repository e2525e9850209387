//! Another configuration while the process runs.
//!
//! All of a configuration is taken over or nothing: everything that can fail is made
//! first, and what is swapped then cannot. Batches that run keep the tools, policies
//! and times that they came under. What is shared goes on for everyone: buckets keep
//! their tokens, breakers what they know, calls their places, sessions what they have
//! spent, workers their streams, APIs their connections.

use super::{
    Error,
    parts::{Declared, Parts, told},
};
use crate::{
    config::{Config, Fixed},
    model::Secrets,
    rpc::auth::Auth,
    schedule::Scheduler,
    telemetry::{Telemetry, reloads::Reloads, spans},
};

mod watch;

pub use watch::{Watched, watch};

/// What of a running process can be changed.
#[derive(Debug)]
pub struct Reload {
    pub(super) scheduler: Scheduler,
    pub(super) auth: Auth,
    pub(super) telemetry: Telemetry,
    pub(super) parts: Parts,
    pub(super) fixed: Fixed,
    /// Those of the configuration that runs.
    pub(super) secrets: Secrets,
}

/// What was taken over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Applied {
    /// The number of the configuration that runs now, counted from 1.
    pub generation: u64,
    /// Settings that were changed and take a restart, by their keys.
    pub needs_restart: Vec<&'static str>,
}

impl Reload {
    /// Takes a configuration over.
    ///
    /// # Errors
    ///
    /// An API that cannot be used as it is configured; nothing has changed then.
    pub fn apply(&mut self, config: Config) -> Result<Applied, Error> {
        let mut needs_restart = self.fixed.changed(&Fixed::of(&config));
        let Config { callers, apis, retries, tools, bounds, offers, log, telemetry, .. } = config;
        let (parts, tools) = self.parts.succeeded(Declared { apis, retries, tools })?;
        let shown: Vec<spans::Tool> = tools.iter().map(|renewed| told(&renewed.tool)).collect();

        // From here on nothing fails. First what must not be shown, then who shows.
        self.telemetry.keep_secret(&telemetry.secrets, &self.secrets);
        self.telemetry.tell_of(&shown);
        if callers.is_none() && self.auth.is_guarded() {
            // Half of a file may be a whole configuration: it opens no door.
            needs_restart.push("callers");
        } else {
            if let Some(callers) = &callers {
                self.scheduler.rebound(&callers.policy);
            }
            self.auth.replace(callers);
            self.review_workers();
        }
        // After the callers: who may call less from now on never meets a new tool.
        self.scheduler.reconfigure(|registry| registry.succeeded(tools, offers), bounds);
        self.parts = parts;
        self.secrets = telemetry.secrets;
        if let Some(levels) = &self.telemetry.levels
            && let Err(error) = levels.reconfigure(&log.filter)
        {
            tracing::warn!(%error, "What is logged could not be changed.");
        }
        Ok(Applied { generation: self.reloads().applied(), needs_restart })
    }

    /// What a worker offers, and what it hears of others' calls, it has by its caller.
    fn review_workers(&self) {
        let workers = self.scheduler.registry().review();
        if workers > 0 {
            tracing::warn!(
                workers,
                "Workers were sent away: their callers may not offer their tools any more."
            );
        }
    }

    /// Follows what runs.
    pub fn reloads(&self) -> &Reloads {
        &self.telemetry.reloads
    }
}
