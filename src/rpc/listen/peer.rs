//! Who is at the other end of a connection, as far as the system and TLS vouch
//! for it. What that allows is decided elsewhere.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::unix::UCred;

use super::Certificate;

/// Who made a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Peer {
    /// A process on this machine, as the kernel saw it when it connected.
    Unix {
        /// The user that it ran as.
        uid: u32,
        /// Its own group; those that it has besides are not told.
        gid: u32,
        /// Its number, where the kernel tells it; another process may have it by now.
        pid: Option<i32>,
    },
    /// Whoever is at an address.
    Tcp {
        /// The address.
        address: SocketAddr,
        /// What it proved to be, where TLS asked for it.
        certificate: Option<Arc<Certificate>>,
    },
}

impl From<UCred> for Peer {
    fn from(credentials: UCred) -> Self {
        Self::Unix { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() }
    }
}
