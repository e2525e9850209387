//! When new turns are refused for want of memory.
//!
//! From a part of the bound on they are, and once clearly less is in use they are not
//! any more. What counts is what Kubernetes calls the working set: all that is in
//! use, without files that were read and lie unused, which the kernel takes back
//! before it kills.
//!
//! Nothing looks while nobody asks: each look is at an admission, and not older than
//! [`AGE`].

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::cgroup::{self, Cgroups};
use crate::clock::Instant;

/// How long what was seen holds. Looking reads small files of the kernel's memory: what
/// is used, and the bound, which changes where a pod is resized.
const AGE: Duration = Duration::from_millis(20);

/// Percent of the bound that must be free again beyond those at which turns are
/// refused: without it every turn that ends would let one in and refuse the next.
const GAP_PERCENT: u32 = 5;

/// When new turns are refused for want of memory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Bytes that the process itself may use, whatever its cgroup says.
    pub limit: Option<u64>,
    /// The part of the bound from which on turns are refused, in percent.
    pub shed_at: u32,
}

impl Default for Settings {
    /// 85 %, and the cgroup's bound.
    fn default() -> Self {
        Self { limit: None, shed_at: 85 }
    }
}

/// Watches it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    levels: Vec<Level>,
    shed_at: u32,
    is_short: AtomicBool,
    /// Turns that were refused.
    refused: AtomicU64,
    seen: Mutex<Option<(Instant, Usage)>>,
}

/// A bound, and where what is used of it can be read.
#[derive(Clone, Debug)]
enum Level {
    Cgroup(cgroup::Memory),
    /// Of the process alone.
    Process {
        root: PathBuf,
        max: u64,
    },
}

/// What is used of the bound that is used most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Usage {
    /// Bytes in use.
    pub used: u64,
    /// Of so many.
    pub max: u64,
}

/// A turn that is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Short {
    /// What is used.
    pub usage: Usage,
    /// The percent from which on turns are refused.
    pub shed_at: u32,
}

/// One look at all of it, for people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// What is used.
    pub usage: Usage,
    /// The percent from which on turns are refused.
    pub shed_at: u32,
    /// Whether they are.
    pub is_short: bool,
    /// Turns that were refused so far.
    pub refused: u64,
}

impl Usage {
    /// Whether at least so many percent are used.
    fn is_at(self, percent: u32) -> bool {
        u128::from(self.used) * 100 >= u128::from(self.max) * u128::from(percent)
    }
}

impl Level {
    fn max(&self) -> Option<u64> {
        let max = match self {
            Self::Cgroup(memory) => memory.max()?,
            Self::Process { max, .. } => *max,
        };
        (max > 0).then_some(max)
    }

    fn usage(&self) -> Option<Usage> {
        let used = match self {
            Self::Cgroup(memory) => {
                memory.current()?.saturating_sub(memory.inactive_files().unwrap_or(0))
            }
            Self::Process { root, .. } => cgroup::of_process(root)?,
        };
        Some(Usage { used, max: self.max()? })
    }

    /// The same; where all that is in use is less than `percent`, the files in it
    /// are not looked for, which takes the kernel longest.
    fn glance(&self, percent: u32) -> Option<Usage> {
        if let Self::Cgroup(memory) = self {
            let all = Usage { used: memory.current()?, max: self.max()? };
            if !all.is_at(percent) {
                return Some(all);
            }
        }
        self.usage()
    }
}

impl Memory {
    /// Watches what bounds this process; `None` where nothing does. `root` is where
    /// the system's files are: `/`.
    pub fn watch(settings: &Settings, cgroups: &Cgroups, root: &Path) -> Option<Self> {
        let mut levels: Vec<_> = cgroups.memory().into_iter().map(Level::Cgroup).collect();
        let own = settings.limit.map(|max| Level::Process { root: root.to_owned(), max });
        levels.extend(own);
        // One that cannot be read now will not be later.
        levels.retain(|level| level.usage().is_some());
        let inner = Inner {
            shed_at: settings.shed_at,
            is_short: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            seen: Mutex::new(None),
            levels,
        };
        (!inner.levels.is_empty()).then(|| Self(Arc::new(inner)))
    }

    /// Whether a turn that comes now is refused.
    pub fn short(&self, now: Instant) -> Option<Short> {
        let inner = &*self.0;
        // Whoever looks at this moment looks for all.
        let seen = match inner.seen.try_lock() {
            Ok(mut seen) => Some(inner.look(&mut seen, now)),
            Err(_) => None,
        };
        if !inner.is_short.load(Ordering::Relaxed) {
            return None;
        }
        let usage = match seen {
            Some(usage) => usage?,
            None => {
                inner.seen.lock().unwrap_or_else(PoisonError::into_inner).map(|(_, usage)| usage)?
            }
        };
        inner.refused.fetch_add(1, Ordering::Relaxed);
        Some(Short { usage, shed_at: inner.shed_at })
    }

    /// One look; `None` where what is used cannot be read. Counts no turn.
    pub fn seen(&self, now: Instant) -> Option<Seen> {
        let inner = &*self.0;
        inner.look(&mut inner.seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        Some(Seen {
            usage: self.usage()?,
            shed_at: inner.shed_at,
            is_short: inner.is_short.load(Ordering::Relaxed),
            refused: self.refused(),
        })
    }

    /// What is in use at this moment.
    pub fn usage(&self) -> Option<Usage> {
        fullest(self.0.levels.iter().filter_map(Level::usage))
    }

    /// The bound that is nearest.
    pub fn max(&self) -> u64 {
        self.0.levels.iter().filter_map(Level::max).min().unwrap_or(0)
    }

    /// The percent from which on turns are refused.
    pub fn shed_at(&self) -> u32 {
        self.0.shed_at
    }

    /// Turns that were refused so far.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Inner {
    /// What is used, as it was seen at most [`AGE`] ago.
    fn look(&self, seen: &mut Option<(Instant, Usage)>, now: Instant) -> Option<Usage> {
        if let Some((at, usage)) = *seen
            && now.saturating_duration_since(at) < AGE
        {
            return Some(usage);
        }
        let resume_at = self.shed_at.saturating_sub(GAP_PERCENT);
        // What cannot be read any more refuses nobody.
        let usage = fullest(self.levels.iter().filter_map(|level| level.glance(resume_at)));
        *seen = usage.map(|usage| (now, usage));
        let was_short = self.is_short.load(Ordering::Relaxed);
        let is_short = usage
            .is_some_and(|usage| usage.is_at(if was_short { resume_at } else { self.shed_at }));
        if is_short != was_short {
            self.is_short.store(is_short, Ordering::Relaxed);
            self.tell(is_short, usage);
        }
        usage
    }

    fn tell(&self, is_short: bool, usage: Option<Usage>) {
        let Usage { used, max } = usage.unwrap_or(Usage { used: 0, max: 0 });
        if is_short {
            tracing::warn!(
                memory.used_bytes = used,
                memory.max_bytes = max,
                memory.shed_at_percent = self.shed_at,
                "Memory is short: new turns are refused while others are open.",
            );
        } else {
            tracing::info!(
                memory.used_bytes = used,
                memory.max_bytes = max,
                "There is memory again: new turns are taken.",
            );
        }
    }
}

/// The one of which the greatest part is used.
fn fullest(usages: impl Iterator<Item = Usage>) -> Option<Usage> {
    usages.max_by(|a, b| {
        let part = |one: &Usage, other: &Usage| u128::from(one.used) * u128::from(other.max);
        part(a, b).cmp(&part(b, a))
    })
}

#[cfg(test)]
mod tests;
