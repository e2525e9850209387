//! Lines as kernels and runtimes write them.

use super::*;

/// A container of version 2 in a namespace of its own: Kubernetes with containerd.
const NAMESPACED: (&str, &str) = (
    "0::/\n",
    "1470 1340 0:131 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n\
     1476 1475 0:28 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n",
);

/// A service of systemd on version 2.
const SERVICE: (&str, &str) = (
    "0::/system.slice/sidecall.service\n",
    "31 24 0:27 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 \
     rw,nsdelegate,memory_recursiveprot\n",
);

/// A container of version 1 that shares the machine's namespace: the paths of the
/// process and of the mount say the same.
const SHARED_V1: (&str, &str) = (
    "12:memory:/kubepods/burstable/pod7d1c/4a5f\n\
     11:cpuset:/kubepods/burstable/pod7d1c/4a5f\n\
     4:cpu,cpuacct:/kubepods/burstable/pod7d1c/4a5f\n\
     1:name=systemd:/kubepods/burstable/pod7d1c/4a5f\n\
     0::/\n",
    "812 800 0:26 /kubepods/burstable/pod7d1c/4a5f /sys/fs/cgroup/systemd ro - cgroup cgroup rw,xattr,name=systemd\n\
     815 800 0:30 /kubepods/burstable/pod7d1c/4a5f /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct\n\
     819 800 0:34 /kubepods/burstable/pod7d1c/4a5f /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n",
);

/// systemd's hybrid: the controllers in version 1, version 2 beside them without any.
const HYBRID: (&str, &str) = (
    "9:name=systemd:/\n8:pids:/\n4:memory:/agents/7f\n1:cpu:/\n0::/\n",
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
     32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
     33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n\
     35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
     41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
);

fn found((of_process, mounts): (&str, &str), controller: &str) -> Option<(Version, Vec<String>)> {
    let Hierarchy { version, directories } = hierarchy(of_process, mounts, controller)?;
    Some((version, directories.iter().map(|path| path.display().to_string()).collect()))
}

fn at(version: Version, directories: &[&str]) -> Option<(Version, Vec<String>)> {
    Some((version, directories.iter().map(|path| (*path).to_owned()).collect()))
}

#[test]
fn a_process_is_found_where_kernels_and_runtimes_put_it() {
    use Version::{One, Two};
    assert_eq!(found(NAMESPACED, "memory"), at(Two, &["/sys/fs/cgroup/"]));
    assert_eq!(
        found(SERVICE, "cpu"),
        at(
            Two,
            &[
                "/sys/fs/cgroup/system.slice/sidecall.service",
                "/sys/fs/cgroup/system.slice",
                "/sys/fs/cgroup/",
            ]
        )
    );
    assert_eq!(found(SHARED_V1, "memory"), at(One, &["/sys/fs/cgroup/memory/"]));
    assert_eq!(found(SHARED_V1, "cpu"), at(One, &["/sys/fs/cgroup/cpu,cpuacct/"]));
    assert_eq!(
        found(HYBRID, "memory"),
        at(
            One,
            &[
                "/sys/fs/cgroup/memory/agents/7f",
                "/sys/fs/cgroup/memory/agents",
                "/sys/fs/cgroup/memory/",
            ]
        )
    );
    assert_eq!(found(HYBRID, "cpu"), at(One, &["/sys/fs/cgroup/cpu/"]));
    // Not the one whose name it begins with.
    assert_eq!(
        found((HYBRID.0, HYBRID.1), "cpuacct"),
        at(Version::Two, &["/sys/fs/cgroup/unified/"])
    );
}

#[test]
fn what_is_not_said_is_not_found() {
    assert_eq!(found(("", ""), "memory"), None);
    assert_eq!(found((NAMESPACED.0, ""), "memory"), None);
    assert_eq!(found(("", NAMESPACED.1), "memory"), None);
    assert_eq!(found(("garbage\n4:memory\n", "1 2 3\n - \n"), "memory"), None);
    // Version 1 without its mount is not sought in version 2.
    assert_eq!(found((SHARED_V1.0, NAMESPACED.1), "memory"), None);
}

#[test]
fn a_path_that_is_not_below_the_mount_leads_to_the_mount() {
    for path in ["/../../other", "/elsewhere", "/kubepods/../x"] {
        let of_process = format!("0::{path}\n");
        let mounts = "1 2 0:28 /kubepods /cg rw - cgroup2 cgroup rw\n";
        assert_eq!(found((&of_process, mounts), "memory"), at(Version::Two, &["/cg/"]), "{path}");
    }
}

#[test]
fn the_mount_that_shows_most_is_taken_and_its_name_may_hold_blanks() {
    let mounts = "1 2 0:28 /a/other /wrong rw - cgroup2 cgroup rw\n\
                  1 2 0:28 / /whole rw - cgroup2 cgroup rw\n\
                  1 2 0:28 /a /my\\040groups\\134x rw - cgroup2 cgroup rw\n";
    let expected = at(Version::Two, &["/my groups\\x/b", "/my groups\\x/"]);
    assert_eq!(found(("0::/a/b\n", mounts), "memory"), expected);
    assert_eq!(unescaped("a\\0"), "a\\0");
    assert_eq!(unescaped("\\999b"), "\\999b");
}

#[test]
fn the_depth_is_bounded() {
    let of_process = format!("0::/{}\n", "a/".repeat(1000));
    let found = found((&of_process, NAMESPACED.1), "memory").unwrap();
    assert_eq!(found.1.len(), DEPTH_MAX);
}

/// Files of a root that is not the system's.
fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

#[test]
fn of_version_2_the_least_of_all_bounds_holds() {
    let root = root(&[
        ("proc/self/cgroup", SERVICE.0),
        ("proc/self/mountinfo", SERVICE.1),
        ("sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n"),
        ("sys/fs/cgroup/system.slice/sidecall.service/cpu.max", "max 100000\n"),
        ("sys/fs/cgroup/system.slice/memory.max", "max\n"),
        ("sys/fs/cgroup/system.slice/sidecall.service/memory.max", "134217728\n"),
        ("sys/fs/cgroup/system.slice/sidecall.service/memory.high", "100000000\n"),
        ("sys/fs/cgroup/system.slice/sidecall.service/memory.current", "90000000\n"),
        (
            "sys/fs/cgroup/system.slice/sidecall.service/memory.stat",
            "anon 70000000\nfile 20000000\ninactive_file 15000000\nactive_file 5000000\n",
        ),
    ]);
    let found = Cgroups::find(root.path());
    assert_eq!(found.cpus().map(NonZeroUsize::get), Some(2));
    let memory = found.memory();
    assert_eq!(memory.iter().filter_map(Memory::max).collect::<Vec<_>>(), [100_000_000]);
    assert_eq!(memory[0].current(), Some(90_000_000));
    assert_eq!(memory[0].inactive_files(), Some(15_000_000));
}

#[test]
fn of_version_1_the_numbers_that_say_no_bound_are_none() {
    let memory = "sys/fs/cgroup/memory";
    let mut files = vec![
        ("proc/self/cgroup".to_owned(), HYBRID.0),
        ("proc/self/mountinfo".to_owned(), HYBRID.1),
        ("sys/fs/cgroup/cpu/cpu.cfs_quota_us".to_owned(), "-1\n"),
        ("sys/fs/cgroup/cpu/cpu.cfs_period_us".to_owned(), "100000\n"),
        (format!("{memory}/memory.limit_in_bytes"), "9223372036854771712\n"),
        (format!("{memory}/agents/memory.limit_in_bytes"), "67108864\n"),
        (format!("{memory}/agents/memory.usage_in_bytes"), "60000000\n"),
        (
            format!("{memory}/agents/memory.stat"),
            "inactive_file 1\nactive_file 2\ntotal_inactive_file 4096\n",
        ),
    ];
    let text = |files: &[(String, &'static str)]| {
        root(&files.iter().map(|(path, text)| (path.as_str(), *text)).collect::<Vec<_>>())
    };
    let first = text(&files);
    let found = Cgroups::find(first.path());
    assert_eq!(found.cpus(), None);
    let bounded = found.memory();
    assert_eq!(bounded.iter().filter_map(Memory::max).collect::<Vec<_>>(), [64 << 20]);
    assert_eq!(bounded[0].current(), Some(60_000_000));
    assert_eq!(bounded[0].inactive_files(), Some(4096));

    files[2].1 = "250000\n";
    assert_eq!(Cgroups::find(text(&files).path()).cpus().map(NonZeroUsize::get), Some(3));
    files[3].1 = "0\n";
    assert_eq!(Cgroups::find(text(&files).path()).cpus(), None);
}

#[test]
fn a_system_without_any_of_it_bounds_nothing() {
    let empty = root(&[]);
    let found = Cgroups::find(empty.path());
    assert_eq!((found.cpus(), found.memory()), (None, Vec::new()));
    assert_eq!((cores(empty.path()), of_process(empty.path())), (None, None));
}

#[test]
fn cpus_are_counted_by_their_list() {
    for (list, count) in
        [("0", Some(1)), ("0-3", Some(4)), ("0-1,4,6-7\n", Some(5)), ("", None), ("3-1", None)]
    {
        assert_eq!(listed(list), count, "{list}");
    }
}

#[test]
fn this_process_knows_what_it_has_for_itself() {
    let own = of_process(Path::new("/")).unwrap();
    assert!((64 << 10..4 << 30).contains(&own), "{own}");
    assert!(cores(Path::new("/")).is_some());
}
