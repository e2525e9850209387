//! Which configuration runs, and what came of the tries to change it.

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;

use crate::clock;

/// Follows the configuration of the process. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Reloads(Arc<watch::Sender<Seen>>);

/// One look at it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Configurations that have run, this one among them.
    pub generation: u64,
    /// Since when this one has.
    pub since: SystemTime,
    /// Whether the file, as it was last read, is not what runs, since it is faulty.
    pub is_refused: bool,
    /// Configurations that were taken over while the process ran.
    pub applied: u64,
    /// Files that were read and not taken over.
    pub refused: u64,
}

impl Default for Reloads {
    /// The configuration that the process begins with.
    fn default() -> Self {
        let since = clock::wall();
        let seen = Seen { generation: 1, since, is_refused: false, applied: 0, refused: 0 };
        Self(Arc::new(watch::Sender::new(seen)))
    }
}

impl Reloads {
    /// Another configuration runs from now on. Gives its number.
    pub fn applied(&self) -> u64 {
        self.0.send_modify(|seen| {
            seen.generation += 1;
            seen.applied += 1;
            (seen.since, seen.is_refused) = (clock::wall(), false);
        });
        self.seen().generation
    }

    /// The file is faulty; what ran goes on.
    pub fn refused(&self) {
        self.0.send_modify(|seen| {
            seen.refused += 1;
            seen.is_refused = true;
        });
    }

    /// The file says again what runs. Gives whether it did not before.
    pub fn holds(&self) -> bool {
        self.0.send_if_modified(|seen| std::mem::take(&mut seen.is_refused))
    }

    /// One look.
    pub fn seen(&self) -> Seen {
        *self.0.borrow()
    }

    /// Ready once it has come to that.
    pub async fn until(&self, met: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = self.0.subscribe();
        // Its sender is ours.
        let met = seen.wait_for(|seen| met(seen)).await;
        met.map_or_else(|_| self.seen(), |seen| *seen)
    }
}
