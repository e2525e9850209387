//! Where the server listens.

use std::{net::SocketAddr, path::PathBuf};

/// Where the server listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// A Unix socket.
    pub unix: Option<Unix>,
    /// A TCP address; loopback only, since nothing authenticates its callers.
    /// Port 0 takes any free one.
    pub tcp: Option<SocketAddr>,
}

impl Default for Settings {
    /// The usual Unix socket, and nothing else.
    fn default() -> Self {
        Self { unix: Some(Unix::default()), tcp: None }
    }
}

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
}

impl Default for Unix {
    fn default() -> Self {
        Self { path: Self::PATH.into(), mode: Self::MODE, group: None }
    }
}
