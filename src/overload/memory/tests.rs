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
fn whoever_looks_is_told_whether_turns_are_refused_and_refuses_none() {
    let fake = Fake::new("1000\n");
    let memory = fake.watch(&Settings::default()).unwrap();
    let mut now = clock::now();
    for (used, is_short, refused) in [(849, false, 0), (850, true, 0), (799, false, 1)] {
        now += AGE;
        fake.uses(used, 0);
        let usage = Usage { used, max: 1000 };
        let seen = Seen { usage, shed_at: 85, is_short, refused };
        assert_eq!(memory.seen(now), Some(seen));
        assert_eq!(memory.short(now).is_some(), is_short);
    }
    fs::remove_file(fake.0.path().join(GROUP).join("memory.current")).unwrap();
    assert_eq!(memory.seen(now), None);
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
