//! A Unix socket that is never open to others, never steals a living one and
//! never removes what is not its own.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Group, chown};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::{BACKLOG, Error};

/// A Unix socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unix {
    /// Its path. The directory is created where it is missing.
    pub path: PathBuf,
    /// Its permission bits: who may connect.
    pub mode: u32,
    /// Its group, by name or number; the process's own where none is named.
    pub group: Option<String>,
}

impl Unix {
    /// Where the server listens unless told otherwise.
    pub const PATH: &str = "/run/sidecall/sidecall.sock";
    /// Only the server's own user may connect.
    pub const MODE: u32 = 0o600;
    /// The longest path: `sun_path` of unix(7) without its terminating zero.
    pub const PATH_BYTES_MAX: usize = 107;
}

impl Default for Unix {
    fn default() -> Self {
        Self { path: Self::PATH.into(), mode: Self::MODE, group: None }
    }
}

/// The socket's file, removed on drop if it is still the one that was made.
#[derive(Debug)]
pub(super) struct Owned {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Owned {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if is_ours {
            // What cannot be removed is found stale by the next process.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens on a Unix socket.
pub(super) fn bind(settings: &Unix) -> Result<(UnixListener, Owned), Error> {
    let path = &settings.path;
    let length = path.as_os_str().as_bytes().len();
    if length > Unix::PATH_BYTES_MAX {
        return Err(Error::PathTooLong { path: path.clone(), length, max: Unix::PATH_BYTES_MAX });
    }
    let group = settings.group.as_deref().map(group).transpose()?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
        .map_err(at("create the directory", directory))?;

    // Two processes that start together must not both find the same socket
    // stale. Held until this one listens; the directory itself is the lock.
    let lock = File::open(directory).map_err(at("open the directory", directory))?;
    lock.lock().map_err(at("lock the directory", directory))?;
    clear(path)?;

    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(at("make", path))?;
    socket.set_nonblocking(true).map_err(at("make", path))?;
    let address = SockAddr::unix(path).map_err(at("name", path))?;
    socket.bind(&address).map_err(at("create", path))?;
    let made = fs::symlink_metadata(path).map_err(at("find", path))?;
    let owned = Owned { path: path.clone(), device: made.dev(), inode: made.ino() };

    // Nobody can connect before `listen`: there is no moment at which the
    // socket is open to more than its mode says.
    if let Some(group) = group {
        chown(path, None, Some(group))
            .map_err(io::Error::from)
            .map_err(at("change the group of", path))?;
    }
    fs::set_permissions(path, Permissions::from_mode(settings.mode))
        .map_err(at("change the mode of", path))?;
    socket.listen(BACKLOG).map_err(at("listen on", path))?;
    let listener = UnixListener::from_std(socket.into()).map_err(at("listen on", path))?;
    Ok((listener, owned))
}

/// Removes the socket that a crashed process left; everything else that may be
/// at `path` is an error and stays.
fn clear(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(at("look at", path)(cause)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(Error::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(Error::InUse(path.to_owned())),
        // A full backlog: somebody listens and is busy.
        Err(cause) if cause.kind() == ErrorKind::WouldBlock => Err(Error::InUse(path.to_owned())),
        Err(cause) if cause.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(at("remove the stale socket", path))
        }
        Err(cause) => Err(at("tell whether anyone listens on", path)(cause)),
    }
}

fn group(name: &str) -> Result<Gid, Error> {
    if let Ok(number) = name.parse::<u32>() {
        return Ok(Gid::from_raw(number));
    }
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) | Err(_) => Err(Error::NoSuchGroup(name.to_owned())),
    }
}

fn at(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |cause| Error::Unix { step, path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener as StdListener;

    use super::*;

    fn at_path(path: &Path) -> Unix {
        Unix { path: path.to_owned(), ..Unix::default() }
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[tokio::test]
    async fn a_living_socket_is_neither_stolen_nor_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        let first = bind(&at_path(&path)).unwrap();
        let error = bind(&at_path(&path)).unwrap_err();
        assert!(matches!(error, Error::InUse(_)), "{error}");
        UnixStream::connect(&path).unwrap();
        drop(first);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_stays_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "precious").unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &link).unwrap();
        for path in [&file, &link, &directory.path().to_owned()] {
            let error = bind(&at_path(path)).unwrap_err();
            assert!(matches!(error, Error::NotASocket(_)), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(link.is_symlink());
    }

    #[tokio::test]
    async fn the_socket_of_a_crashed_process_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        drop(StdListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves it, as a crash does");
        let _bound = bind(&at_path(&path)).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[tokio::test]
    async fn another_processs_socket_outlives_our_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        let ours = bind(&at_path(&path)).unwrap();
        fs::remove_file(&path).unwrap();
        let theirs = StdListener::bind(&path).unwrap();
        drop(ours);
        UnixStream::connect(&path).unwrap();
        drop(theirs);
    }

    #[tokio::test]
    async fn the_mode_is_the_settings_whatever_the_umask() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/s.sock");
        let bound = bind(&at_path(&path)).unwrap();
        assert_eq!(mode(&path), 0o600);
        drop(bound);
        let _bound = bind(&Unix { mode: 0o666, ..at_path(&path) }).unwrap();
        assert_eq!(mode(&path), 0o666);
    }

    #[tokio::test]
    async fn the_group_is_taken_by_number_and_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let own = nix::unistd::getgid();
        let path = directory.path().join("s.sock");
        let mut names = vec![own.to_string()];
        names.extend(Group::from_gid(own).unwrap().map(|group| group.name));
        for name in names {
            let _bound = bind(&Unix { group: Some(name), ..at_path(&path) }).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().gid(), own.as_raw());
        }
    }

    #[tokio::test]
    async fn a_group_that_does_not_exist_is_an_error_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        let settings = Unix { group: Some("no-such-group".into()), ..at_path(&path) };
        let error = bind(&settings).unwrap_err();
        assert!(matches!(error, Error::NoSuchGroup(_)), "{error}");
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_path_longer_than_an_address_is_refused_with_both_lengths() {
        let path = PathBuf::from(format!("/tmp/{}", "x".repeat(200)));
        let error = bind(&at_path(&path)).unwrap_err().to_string();
        assert!(error.contains("205 bytes") && error.contains("107"), "{error}");
    }
}
