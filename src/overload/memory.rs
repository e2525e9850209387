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
mod tests {
    use std::fs;

    use super::*;
    use crate::clock;

    const GROUP: &str = "sys/fs/cgroup";

    /// A container of version 2 with this bound, whose files a test writes.
    struct Fake(tempfile::TempDir);

    impl Fake {
        fn new(max: &str) -> Self {
            let root = tempfile::tempdir().unwrap();
            let fake = Self(root);
            fs::create_dir_all(fake.0.path().join("proc/self")).unwrap();
            fs::create_dir_all(fake.0.path().join(GROUP)).unwrap();
            fake.write("proc/self/cgroup", "0::/\n");
            let mount = format!("31 24 0:27 / /{GROUP} ro - cgroup2 cgroup rw\n");
            fake.write("proc/self/mountinfo", &mount);
            fake.write(&format!("{GROUP}/memory.max"), max);
            fake.uses(0, 0);
            fake
        }

        fn write(&self, path: &str, text: &str) {
            fs::write(self.0.path().join(path), text).unwrap();
        }

        fn uses(&self, all: u64, inactive: u64) {
            self.write(&format!("{GROUP}/memory.current"), &format!("{all}\n"));
            let stat = format!("anon 1\ninactive_file {inactive}\n");
            self.write(&format!("{GROUP}/memory.stat"), &stat);
        }

        fn watch(&self, settings: &Settings) -> Option<Memory> {
            let root = self.0.path();
            Memory::watch(settings, &Cgroups::find(root), root)
        }
    }

    #[test]
    fn turns_are_refused_from_a_part_of_the_bound_on_until_clearly_less_is_used() {
        let fake = Fake::new("1000\n");
        let memory = fake.watch(&Settings::default()).unwrap();
        let mut now = clock::now();
        for (all, inactive, is_short) in [
            (0, 0, false),
            (849, 0, false),
            (850, 1, false),
            (850, 0, true),
            (1000, 0, true),
            (801, 0, true),
            (900, 99, true),
            // Files that lie unused do not count.
            (900, 101, false),
            (849, 0, false),
            (799, 0, false),
            (990, 100, true),
            (799, 0, false),
        ] {
            fake.uses(all, inactive);
            now += AGE;
            let short = memory.short(now);
            assert_eq!(short.is_some(), is_short, "{all} {inactive}");
            if let Some(Short { usage, shed_at }) = short {
                assert_eq!((usage, shed_at), (Usage { used: all - inactive, max: 1000 }, 85));
            }
        }
        assert_eq!((memory.refused(), memory.max()), (5, 1000));
    }

    #[test]
    fn a_bound_that_changes_holds_with_the_next_look() {
        let fake = Fake::new("1000\n");
        let memory = fake.watch(&Settings::default()).unwrap();
        fake.uses(500, 0);
        let mut now = clock::now();
        for (max, high, expected) in [
            ("1000\n", "max\n", None),
            ("550\n", "max\n", Some(550)),
            // More, but not clearly.
            ("620\n", "max\n", Some(620)),
            ("2000\n", "max\n", None),
            ("2000\n", "510\n", Some(510)),
            ("max\n", "max\n", None),
            ("500\n", "max\n", Some(500)),
        ] {
            fake.write(&format!("{GROUP}/memory.max"), max);
            fake.write(&format!("{GROUP}/memory.high"), high);
            now += AGE;
            assert_eq!(memory.short(now).map(|short| short.usage.max), expected, "{max} {high}");
        }
        assert_eq!(memory.max(), 500);
    }

    #[test]
    fn what_was_seen_holds_for_a_moment() {
        let fake = Fake::new("1000\n");
        let memory = fake.watch(&Settings::default()).unwrap();
        let now = clock::now();
        assert_eq!(memory.short(now), None);
        fake.uses(1000, 0);
        assert_eq!(memory.short(now + AGE - Duration::from_millis(1)), None);
        assert!(memory.short(now + AGE).is_some());
        fake.uses(0, 0);
        assert!(memory.short(now + AGE).is_some());
        assert_eq!(memory.short(now + AGE * 2), None);
        assert_eq!(memory.usage(), Some(Usage { used: 0, max: 1000 }));
    }

    #[test]
    fn the_part_and_the_limit_are_as_they_are_set() {
        let fake = Fake::new("1000\n");
        let half = fake.watch(&Settings { shed_at: 50, ..Settings::default() }).unwrap();
        fake.uses(500, 0);
        assert_eq!(half.short(clock::now()).map(|short| short.shed_at), Some(50));

        // The process's own limit, where its cgroup has none or more.
        for max in ["max\n", "4000000\n"] {
            let fake = Fake::new(max);
            let status = |kib| format!("Name:\tx\nRssAnon:\t  {kib} kB\nRssShmem:\t       1 kB\n");
            fake.write("proc/self/status", &status(9));
            let limit = Some(20 << 10);
            let memory = fake.watch(&Settings { limit, ..Settings::default() }).unwrap();
            let now = clock::now();
            assert_eq!((memory.short(now), memory.max()), (None, 20 << 10));
            fake.write("proc/self/status", &status(17));
            let usage = Usage { used: 18 << 10, max: 20 << 10 };
            assert_eq!(memory.short(now + AGE).map(|short| short.usage), Some(usage));
        }
    }

    #[test]
    fn what_cannot_be_read_refuses_nobody() {
        assert!(Fake::new("max\n").watch(&Settings::default()).is_none());
        assert!(Fake::new("0\n").watch(&Settings::default()).is_none());
        let fake = Fake::new("1000\n");
        let memory = fake.watch(&Settings::default()).unwrap();
        let now = clock::now();
        fake.uses(1000, 0);
        assert!(memory.short(now).is_some());
        fs::remove_file(fake.0.path().join(GROUP).join("memory.current")).unwrap();
        assert_eq!(memory.short(now + AGE), None);
    }
}
