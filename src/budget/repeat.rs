//! How often the same call was made lately.
//!
//! Time is cut into slots, eight to the window, and each input has a count for
//! each of the last nine: all that lie in the window wholly or in part. So no
//! window ever holds more calls than allowed, and one that was refused may be
//! made again an eighth of the window too late at most. It takes as much room for
//! an input as two moments would.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{Refused, Repeat};
use crate::{
    clock::Instant,
    model::{AsItIs, Digest, ToolName},
    sync::Mutex,
};

/// Slots of a window.
const PARTS: u32 = 8;
/// Those that a window can lie in.
const SLOTS: u64 = PARTS as u64 + 1;
/// Inputs of a generation: with two of them, some 5 MiB at most.
const INPUTS_MAX: usize = 50_000;

/// Counts the calls of every session by tool and input.
///
/// What was not called for a window is forgotten. So are, where more inputs come
/// in a window than there is room for, those that were called least lately.
#[derive(Debug)]
pub(super) struct Guard {
    repeat: Repeat,
    slot: Duration,
    began: Instant,
    hasher: RandomState,
    counts: Arc<Mutex<Counts>>,
}

/// By the hash of session, tool and input: it is keyed, so that nobody can make
/// another of the same, and among so few none meets by chance.
#[derive(Debug, Default)]
struct Counts {
    recent: HashMap<u64, Seen, AsItIs>,
    /// Those that were not called since `recent` began.
    previous: HashMap<u64, Seen, AsItIs>,
    /// The slot in which `recent` began.
    turned: u64,
}

/// The counts of an input.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The last slot that was counted in.
    slot: u64,
    /// By slot, modulo their number.
    counts: [u16; SLOTS as usize],
}

/// A call that was counted.
#[derive(Debug)]
pub(super) struct Mark {
    key: u64,
    slot: u64,
}

impl Guard {
    pub(super) fn new(repeat: Repeat, now: Instant) -> Self {
        // Rounded up, so that they cover the window.
        let slot = (repeat.within + Duration::from_nanos(u64::from(PARTS) - 1)) / PARTS;
        let slot = slot.max(Duration::from_nanos(1));
        let (hasher, counts) = (RandomState::new(), Arc::default());
        Self { repeat, slot, began: now, hasher, counts }
    }

    /// Another number of calls. What was counted still counts, unless it was counted
    /// in another window.
    pub(super) fn under(&self, repeat: Repeat, now: Instant) -> Self {
        if repeat.within != self.repeat.within {
            return Self::new(repeat, now);
        }
        let (hasher, counts) = (self.hasher.clone(), Arc::clone(&self.counts));
        Self { repeat, slot: self.slot, began: self.began, hasher, counts }
    }

    /// Counts a call, unless it was made too often.
    pub(super) fn take(
        &self,
        (session, tool, input): (u64, &ToolName, Digest),
        now: Instant,
    ) -> Result<Mark, Refused> {
        let key = self.hasher.hash_one((session, tool.as_str(), input));
        let age = now.saturating_duration_since(self.began).as_nanos();
        let slot = u64::try_from(age / self.slot.as_nanos()).unwrap_or(u64::MAX);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = counts.seen(key, slot);
        // Others may have read the clock a little later and come before.
        let slot = seen.slot;
        let most = self.repeat.calls.get().min(Repeat::CALLS_MAX);
        if seen.sum() >= most {
            let free = u128::from(seen.first() + SLOTS) * self.slot.as_nanos();
            let after = u64::try_from(free.saturating_sub(age)).unwrap_or(u64::MAX);
            let after = Duration::from_nanos(after);
            return Err(Refused::Repeated { repeat: self.repeat, after });
        }
        *seen.at(slot) += 1;
        Ok(Mark { key, slot })
    }

    /// Takes a call back.
    pub(super) fn give_back(&self, Mark { key, slot }: Mark) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { recent, previous, .. } = &mut *counts;
        if let Some(seen) = recent.get_mut(&key).or_else(|| previous.get_mut(&key))
            && seen.slot < slot + SLOTS
        {
            let count = seen.at(slot);
            *count = count.saturating_sub(1);
        }
    }

    /// Inputs that it knows of.
    pub(super) fn inputs(&self) -> usize {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.recent.len() + counts.previous.len()
    }
}

impl Counts {
    /// The counts of an input, brought to this slot.
    fn seen(&mut self, key: u64, slot: u64) -> &mut Seen {
        let (is_old, is_full) = (slot >= self.turned + SLOTS, self.recent.len() >= INPUTS_MAX);
        if is_old || is_full {
            std::mem::swap(&mut self.recent, &mut self.previous);
            // Whatever was in `previous` after a whole window counts no longer. Where as
            // many come as there is room for, the room is needed again.
            if is_full {
                self.recent.clear();
            } else {
                self.recent = HashMap::default();
            }
            self.turned = slot;
        }
        let previous = &mut self.previous;
        let seen =
            self.recent.entry(key).or_insert_with(|| previous.remove(&key).unwrap_or_default());
        seen.advance(slot);
        seen
    }
}

impl Seen {
    /// Lets go of the slots that have left the window.
    fn advance(&mut self, slot: u64) {
        if slot >= self.slot + SLOTS {
            self.counts = Default::default();
        } else {
            for passed in self.slot + 1..=slot {
                *self.at(passed) = 0;
            }
        }
        self.slot = self.slot.max(slot);
    }

    fn sum(&self) -> u32 {
        self.counts.iter().map(|count| u32::from(*count)).sum()
    }

    /// The first slot that anything was counted in.
    fn first(&self) -> u64 {
        let mut seen = *self;
        let first = (self.slot + 1).saturating_sub(SLOTS);
        (first..self.slot).find(|slot| *seen.at(*slot) > 0).unwrap_or(self.slot)
    }

    fn at(&mut self, slot: u64) -> &mut u16 {
        &mut self.counts[(slot % SLOTS) as usize]
    }
}
