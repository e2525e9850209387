//! The process's cgroups, of version 1 and 2: where they are, and what they bound.
//!
//! Where they are is said by `/proc/self/cgroup` and `/proc/self/mountinfo`
//! (cgroups(7), proc(5)). A bound of a cgroup above holds as well, so every one up
//! to the mount is looked at; in a container that is most often one. What cannot be
//! read bounds nothing.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Component, Path, PathBuf},
};

/// Cgroups of a process, from its own upwards, that are looked at.
const DEPTH_MAX: usize = 16;

/// Where version 1 has this or more, there is no bound: it is what remains of the
/// largest number after it was rounded to pages.
const UNBOUNDED_BYTES: u64 = 1 << 60;

/// Which files a cgroup has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// A hierarchy for each controller.
    One,
    /// One for all.
    Two,
}

/// The cgroups that a controller has for a process, its own first.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Hierarchy {
    version: Version,
    directories: Vec<PathBuf>,
}

/// The cgroups of this process.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cgroups {
    cpu: Option<Hierarchy>,
    memory: Option<Hierarchy>,
}

/// A cgroup that bounds memory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Memory {
    version: Version,
    directory: PathBuf,
}

impl Cgroups {
    /// Looks where they are. `root` is where the system's files are: `/`.
    pub fn find(root: &Path) -> Self {
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let (of_process, mounts) = (text("proc/self/cgroup"), text("proc/self/mountinfo"));
        let find = |controller| {
            let mut found = hierarchy(&of_process, &mounts, controller)?;
            for directory in &mut found.directories {
                *directory = root.join(directory.strip_prefix("/").unwrap_or(directory));
            }
            Some(found)
        };
        Self { cpu: find("cpu"), memory: find("memory") }
    }

    /// CPUs that may be used, a part of one counted as one; `None` where no quota
    /// bounds them.
    pub fn cpus(&self) -> Option<NonZeroUsize> {
        let Hierarchy { version, directories } = self.cpu.as_ref()?;
        let quota = |directory: &PathBuf| {
            let (quota, period) = match version {
                Version::Two => two_numbers(&read(directory, "cpu.max")?)?,
                Version::One => (
                    number(&read(directory, "cpu.cfs_quota_us")?)?,
                    number(&read(directory, "cpu.cfs_period_us")?)?,
                ),
            };
            let cpus = quota.checked_div(period)? + u64::from(!quota.is_multiple_of(period));
            NonZeroUsize::new(usize::try_from(cpus).ok()?.max(1))
        };
        directories.iter().filter_map(quota).min()
    }

    /// Those that bound memory.
    pub fn memory(&self) -> Vec<Memory> {
        let Some(Hierarchy { version, directories }) = &self.memory else { return Vec::new() };
        let group =
            |directory: &PathBuf| Memory { version: *version, directory: directory.clone() };
        directories.iter().map(group).filter(|memory| memory.max().is_some()).collect()
    }
}

impl Memory {
    /// Bytes that it may use, as it is bounded at this moment: a container may be
    /// given more or less while it runs.
    pub fn max(&self) -> Option<u64> {
        let file = |name| number(&read(&self.directory, name)?);
        match self.version {
            // Above `high` it is slowed down until nothing is left of it.
            Version::Two => [file("memory.max"), file("memory.high")].into_iter().flatten().min(),
            Version::One => file("memory.limit_in_bytes").filter(|bytes| *bytes < UNBOUNDED_BYTES),
        }
    }

    /// Bytes in use, what the kernel could take back included.
    pub fn current(&self) -> Option<u64> {
        let name = match self.version {
            Version::One => "memory.usage_in_bytes",
            Version::Two => "memory.current",
        };
        number(&read(&self.directory, name)?)
    }

    /// Bytes of files that were read and are not used: the first that the kernel
    /// takes back.
    pub fn inactive_files(&self) -> Option<u64> {
        let key = match self.version {
            Version::One => "total_inactive_file",
            Version::Two => "inactive_file",
        };
        let stat = read(&self.directory, "memory.stat")?;
        value(&stat, key, ' ').and_then(number)
    }
}

/// Bytes that this process has for itself: no file would give them back.
pub(super) fn of_process(root: &Path) -> Option<u64> {
    let status = read(root, "proc/self/status")?;
    let kib = |key| number(value(&status, key, ':')?.trim().strip_suffix(" kB")?);
    Some((kib("RssAnon")? + kib("RssShmem")?) << 10)
}

/// CPUs that the process may be scheduled on.
pub(super) fn cores(root: &Path) -> Option<NonZeroUsize> {
    let status = read(root, "proc/self/status")?;
    NonZeroUsize::new(listed(value(&status, "Cpus_allowed_list", ':')?)?)
}

/// How many a list such as `0-3,7` has.
fn listed(list: &str) -> Option<usize> {
    let mut count = 0_usize;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(count)
}

/// What follows a key at the start of a line.
fn value<'a>(text: &'a str, key: &str, after: char) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(after))
}

fn read(directory: &Path, name: &str) -> Option<String> {
    fs::read_to_string(directory.join(name)).ok()
}

/// A number; `max` and `-1`, which both say that there is none, are no number.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

fn two_numbers(text: &str) -> Option<(u64, u64)> {
    let (first, second) = text.trim().split_once(' ')?;
    Some((number(first)?, number(second)?))
}

/// Where a controller has the process, by the texts of `/proc/self/cgroup` and
/// `/proc/self/mountinfo`.
fn hierarchy(of_process: &str, mounts: &str, controller: &str) -> Option<Hierarchy> {
    // `4:memory:/path` of version 1, `0::/path` of version 2. Where both are there,
    // a controller is in one of them, and the line of version 1 says which.
    let lines = of_process.lines().filter_map(|line| {
        let (id, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        Some((id, controllers, path))
    });
    let found = |wanted: &dyn Fn(&str, &str) -> bool| {
        lines.clone().find(|(id, controllers, _)| wanted(id, controllers)).map(|(.., path)| path)
    };
    let of_one = found(&|_, controllers| controllers.split(',').any(|one| one == controller));
    let (version, path) = match of_one {
        Some(path) => (Version::One, path),
        None => (Version::Two, found(&|id, controllers| id == "0" && controllers.is_empty())?),
    };
    let mounts = mounts.lines().filter_map(Mount::read).filter(|mount| match version {
        Version::One => {
            mount.kind == "cgroup" && mount.options.split(',').any(|option| option == controller)
        }
        Version::Two => mount.kind == "cgroup2",
    });
    let path = Path::new(path);
    // Of several, the one that shows most of it.
    let mount = mounts.max_by_key(|mount| {
        let is_above = path.starts_with(&mount.root);
        (is_above, if is_above { mount.root.as_os_str().len() } else { 0 })
    })?;
    Some(Hierarchy { version, directories: directories(&mount, path) })
}

/// The process's directory and those above it, up to the mount. Where its path is
/// not below what is mounted, as in a namespace that it was moved out of, only the
/// mount itself is there to be looked at.
fn directories(mount: &Mount, path: &Path) -> Vec<PathBuf> {
    let below = path.strip_prefix(&mount.root).unwrap_or(Path::new(""));
    let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    let below = if is_plain { below } else { Path::new("") };
    below.ancestors().take(DEPTH_MAX).map(|below| mount.point.join(below)).collect()
}

/// A line of `/proc/self/mountinfo`.
struct Mount<'a> {
    /// What of its hierarchy is mounted.
    root: PathBuf,
    /// Where.
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, _, options) = (after.next()?, after.next()?, after.next()?);
        Some(Self { root: unescaped(root).into(), point: unescaped(point).into(), kind, options })
    }
}

/// Blanks and backslashes are written in octal: `\040`.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split('\\');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) if code.is_ascii() => {
                plain.push(char::from(code));
                plain.push_str(&piece[3..]);
            }
            _ => {
                plain.push('\\');
                plain.push_str(piece);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests;
