//! Which configuration runs, and what came of the tries to change it.

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;

use crate::{
    clock::{self, Instant},
    model::text::floor_char_boundary,
};

/// Follows the configuration of the process. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Reloads(Arc<watch::Sender<State>>);

#[derive(Debug)]
struct State {
    seen: Seen,
    /// Why the file is not what runs.
    refusal: Option<Arc<str>>,
}

/// Most bytes of a refusal: the log has all of it.
const REFUSAL_BYTES_MAX: usize = 2 << 10;

/// One look at it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Configurations that have run, this one among them.
    pub generation: u64,
    /// Since when this one has.
    pub since: SystemTime,
    /// The same on the clock that does not jump.
    pub began_at: Instant,
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
        let (since, began_at) = (clock::wall(), clock::now());
        let seen =
            Seen { generation: 1, since, began_at, is_refused: false, applied: 0, refused: 0 };
        Self(Arc::new(watch::Sender::new(State { seen, refusal: None })))
    }
}

impl Reloads {
    /// Another configuration runs from now on. Gives its number.
    pub fn applied(&self) -> u64 {
        self.0.send_modify(|State { seen, refusal }| {
            seen.generation += 1;
            seen.applied += 1;
            (seen.since, seen.began_at) = (clock::wall(), clock::now());
            (seen.is_refused, *refusal) = (false, None);
        });
        self.seen().generation
    }

    /// The file is faulty, and in which way; what ran goes on.
    pub fn refused(&self, why: &str) {
        let end = floor_char_boundary(why, REFUSAL_BYTES_MAX);
        let rest = if end < why.len() { "…" } else { "" };
        let why = format!("{}{rest}", &why[..end]);
        self.0.send_modify(|State { seen, refusal }| {
            seen.refused += 1;
            (seen.is_refused, *refusal) = (true, Some(why.into()));
        });
    }

    /// The file says again what runs. Gives whether it did not before.
    pub fn holds(&self) -> bool {
        self.0.send_if_modified(|State { seen, refusal }| {
            *refusal = None;
            std::mem::take(&mut seen.is_refused)
        })
    }

    /// One look.
    pub fn seen(&self) -> Seen {
        self.0.borrow().seen
    }

    /// Why the file, as it was last read, is not what runs.
    pub fn refusal(&self) -> Option<Arc<str>> {
        self.0.borrow().refusal.clone()
    }

    /// Ready once it has come to that.
    pub async fn until(&self, met: impl Fn(&Seen) -> bool) -> Seen {
        let mut state = self.0.subscribe();
        // Its sender is ours.
        let met = state.wait_for(|state| met(&state.seen)).await;
        met.map_or_else(|_| self.seen(), |state| state.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_up_to_a_bound_until_the_file_holds() {
        let reloads = Reloads::default();
        assert_eq!(reloads.refusal(), None);
        reloads.refused("it is empty");
        assert_eq!(reloads.refusal().as_deref(), Some("it is empty"));
        // A bound in the middle of a letter.
        reloads.refused(&format!("x{}", "ü".repeat(REFUSAL_BYTES_MAX)));
        let told = reloads.refusal().unwrap();
        assert!(told.starts_with("xü") && told.ends_with("ü…"));
        assert_eq!(told.len(), REFUSAL_BYTES_MAX - 1 + "…".len());
        assert!(reloads.holds());
        assert_eq!(reloads.refusal(), None);
        reloads.refused("it is empty");
        assert_eq!((reloads.applied(), reloads.refusal()), (2, None));
        assert_eq!(reloads.seen().refused, 3);
    }
}
