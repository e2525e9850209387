//! What the machine lets the process have: looked at once, before anything starts.

use std::{num::NonZeroUsize, path::Path};

use crate::{
    overload::{self, Cgroups, Memory, Settings},
    telemetry::metrics::Metrics,
};

/// What there is.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Threads that run the work.
    pub threads: NonZeroUsize,
    /// Watches the memory; `None` where nothing bounds it.
    pub memory: Option<Memory>,
}

impl Machine {
    /// Looks at this process's cgroups, and takes all descriptors that it may have.
    pub fn find(settings: &Settings) -> Self {
        if let Err(error) = overload::descriptors::raise() {
            tracing::warn!(%error, "The limit on descriptors cannot be raised.");
        }
        let root = Path::new("/");
        let cgroups = Cgroups::find(root);
        Self {
            threads: overload::threads(settings, &cgroups, root),
            memory: Memory::watch(&settings.memory, &cgroups, root),
        }
    }

    /// Says it once in the log.
    pub fn tell(&self) {
        let threads = self.threads;
        match &self.memory {
            Some(memory) => tracing::info!(
                threads,
                memory.max_bytes = memory.max(),
                memory.shed_at_percent = memory.shed_at(),
                "There are threads and a bound on memory.",
            ),
            None => tracing::info!(threads, "There are threads, and no bound on memory."),
        }
    }
}

/// Shows the memory in `metrics` whenever they are looked at.
pub(super) fn measure(memory: &Memory, metrics: &Metrics) {
    let (usage, refused) = (memory.clone(), memory.clone());
    metrics.watch_memory(
        move || usage.usage().map(|usage| (usage.used, usage.max)),
        move || refused.refused(),
    );
}
