//! What the machine lets the process have, and what it does where that runs out.
//!
//! A container sees all of the machine's cores and memory; what it may use is said
//! by its cgroup. [`cgroup`] reads that, [`threads`] makes of it how many threads
//! run the work, and [`memory`] when new turns are refused before the kernel kills.
//! [`descriptors`] takes as many as there are.

use std::{num::NonZeroUsize, path::Path, thread};

pub mod cgroup;
pub mod descriptors;
pub mod memory;

pub use cgroup::Cgroups;
pub use memory::Memory;

/// What is said of it in the configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    /// Threads that run the work; absent: as many as there are CPUs to be had.
    pub threads: Option<NonZeroUsize>,
    /// When new turns are refused for want of memory.
    pub memory: memory::Settings,
}

/// Threads that run the work: those that are set, else as many as there are CPUs to
/// be had. A part of a CPU counts as one: a thread less would leave it unused.
pub fn threads(settings: &Settings, cgroups: &Cgroups, root: &Path) -> NonZeroUsize {
    if let Some(threads) = settings.threads {
        return threads;
    }
    let cores = cgroup::cores(root)
        .or_else(|| thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN);
    match cgroups.cpus() {
        Some(cpus) => cores.min(cpus),
        None => cores,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn root(quota: &str, allowed: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let proc = root.path().join("proc/self");
        let group = root.path().join("sys/fs/cgroup");
        fs::create_dir_all(&proc).unwrap();
        fs::create_dir_all(&group).unwrap();
        fs::write(proc.join("cgroup"), "0::/\n").unwrap();
        let mount = "31 24 0:27 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n";
        fs::write(proc.join("mountinfo"), mount).unwrap();
        let status = format!("Name:\tsidecall\nCpus_allowed_list:\t{allowed}\n");
        fs::write(proc.join("status"), status).unwrap();
        fs::write(group.join("cpu.max"), quota).unwrap();
        root
    }

    #[test]
    fn there_is_a_thread_for_each_cpu_that_may_be_used_and_at_least_one() {
        for (quota, allowed, expected) in [
            ("max 100000", "0-3", 4),
            ("400000 100000", "0-3", 4),
            ("150000 100000", "0-3", 2),
            ("5000 100000", "0-3", 1),
            ("1600000 100000", "0-1,5", 3),
            ("100000 100000", "7", 1),
        ] {
            let root = root(quota, allowed);
            let cgroups = Cgroups::find(root.path());
            let found = threads(&Settings::default(), &cgroups, root.path());
            assert_eq!(found.get(), expected, "{quota} {allowed}");
        }
    }

    #[test]
    fn threads_that_are_set_are_as_many() {
        let root = root("50000 100000", "0");
        let settings = Settings { threads: NonZeroUsize::new(3), ..Settings::default() };
        assert_eq!(threads(&settings, &Cgroups::find(root.path()), root.path()).get(), 3);
    }
}
