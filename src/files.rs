//! Files that others change: what tells that one has changed, and how to wait for a
//! disk.
//!
//! They are looked at every now and then and not watched: a ConfigMap or a secret of
//! Kubernetes is replaced by turning a symbolic link some directories above them, an
//! editor replaces or overwrites, and network and overlay file systems tell nobody of
//! either, so that a watch of the system's would need the looks beside it. One costs
//! microseconds.

use std::{fs, os::unix::fs::MetadataExt, path::Path, thread};

use tokio::sync::oneshot;

/// What a path leads to. Another one where that has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Look {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// Moves with every change, whatever time is written into the other.
    changed: (i64, i64),
}

impl Look {
    /// Looks at what is behind all links; `None` where nothing is. May block: see
    /// [`aside`].
    pub fn at(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// Does what may block in a thread that ends with it: a disk that hangs, or a pipe in a
/// file's place, holds up whoever waits for it and nothing else, not even the process's
/// end. One of the runtime's threads for what blocks would stay, and be waited for.
/// `None` where there is no thread to be had.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = oneshot::channel();
    let work = move || drop(done.send(work()));
    thread::Builder::new().name("files".to_owned()).spawn(work).ok()?;
    result.await.ok()
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, sync::mpsc};

    use super::*;

    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let file = path("file");
        let mut seen = vec![Look::at(&file)];
        assert_eq!(seen, [None]);
        let mut is_new = |what| {
            let look = Look::at(&file);
            assert_eq!(Look::at(&file), look, "nothing has changed");
            assert!(!seen.contains(&look), "{what}");
            seen.push(look);
        };
        fs::write(&file, "one").unwrap();
        is_new("it is there");
        fs::write(&file, "three").unwrap();
        is_new("it was overwritten");
        for content in ["four!", "five!"] {
            fs::write(path("next"), content).unwrap();
            fs::rename(path("next"), &file).unwrap();
            is_new("it was replaced");
        }
        fs::remove_file(&file).unwrap();
        for folder in ["a", "b"] {
            fs::create_dir(path(folder)).unwrap();
            fs::write(path(folder).join("file"), "alike").unwrap();
        }
        symlink("data/file", &file).unwrap();
        symlink("a", path("data")).unwrap();
        is_new("it is a link");
        symlink("b", path("turned")).unwrap();
        fs::rename(path("turned"), path("data")).unwrap();
        is_new("a link above it was turned");
    }

    #[test]
    fn a_disk_that_hangs_does_not_hold_up_the_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (release, hangs) = mpsc::sync_channel::<()>(0);
        let (begun, has_begun) = oneshot::channel();
        runtime.block_on(async {
            let work = aside(move || {
                begun.send(()).unwrap();
                hangs.recv().is_ok()
            });
            tokio::select! {
                biased;
                _ = work => panic!("it does not hang"),
                begun = has_begun => begun.unwrap(),
            }
        });
        // Would wait for one of the runtime's own threads.
        drop(runtime);
        release.send(()).unwrap();
    }
}
