//! Where the server listens: a Unix socket, a TCP address, or both.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::TcpListener;

mod authority;
mod certificate;
mod incoming;
mod peer;
mod unix;

pub use certificate::Certificate;
use incoming::Listener;
pub use incoming::{Incoming, Io};
pub use peer::Peer;
pub use unix::Unix;

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

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is named.
    #[error("there is nothing to listen on: name `listen.unix`, `listen.tcp`, or both")]
    Nowhere,
    /// A TCP address that others can reach.
    #[error(
        "listen.tcp: {0} can be reached from outside, and callers are not authenticated yet; \
         listen on 127.0.0.1 or [::1], or on a Unix socket"
    )]
    NotLoopback(SocketAddr),
    /// The TCP address cannot be had.
    #[error("listen.tcp: cannot listen on {address}: {cause}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The socket's path is longer than the system's addresses.
    #[error("listen.unix: {path} has {length} bytes; a socket's path has at most {max}")]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        length: usize,
        /// The longest.
        max: usize,
    },
    /// Another process serves there.
    #[error(
        "listen.unix: another process is listening on {0}; stop it, or name another path (`--unix`)"
    )]
    InUse(PathBuf),
    /// Something is there that is no socket. It is not touched.
    #[error("listen.unix: {0} exists and is not a socket; move it away, or name another path")]
    NotASocket(PathBuf),
    /// The group is unknown.
    #[error(
        "listen.unix: there is no group {0:?} on this system; write an existing name, or its number"
    )]
    NoSuchGroup(String),
    /// A step that the system refused.
    #[error(
        "listen.unix: cannot {step} {path}: {cause}; name a path that this user may write \
         (`--unix`)"
    )]
    Unix {
        /// What was to be done.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl Error {
    /// Whether the settings could not be met on any system, whoever else runs.
    pub fn is_in_the_settings(&self) -> bool {
        match self {
            Self::Nowhere
            | Self::NotLoopback(_)
            | Self::PathTooLong { .. }
            | Self::NoSuchGroup(_) => true,
            Self::Tcp { .. } | Self::InUse(_) | Self::NotASocket(_) | Self::Unix { .. } => false,
        }
    }
}

/// Sockets that listen and are not served yet. Dropping them removes the Unix
/// socket, if it is still ours.
#[derive(Debug)]
pub struct Bound {
    unix: Option<(tokio::net::UnixListener, unix::Owned)>,
    tcp: Option<(TcpListener, SocketAddr)>,
}

/// Listens. Must be called within a tokio runtime.
///
/// # Errors
///
/// [`Error`] says where and why, and what to do.
pub fn bind(settings: &Settings) -> Result<Bound, Error> {
    if settings.unix.is_none() && settings.tcp.is_none() {
        return Err(Error::Nowhere);
    }
    // The address that cannot be had is found before the socket is made.
    let tcp = settings.tcp.map(tcp).transpose()?;
    let unix = settings.unix.as_ref().map(unix::bind).transpose()?;
    Ok(Bound { unix, tcp })
}

impl Bound {
    /// The Unix socket's path.
    pub fn unix(&self) -> Option<&Path> {
        self.unix.as_ref().map(|(_, owned)| owned.path())
    }

    /// The TCP address, with the port that was taken.
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().map(|(_, address)| *address)
    }

    /// The connections to come. Their reads and writes fail once `cut` is
    /// cancelled.
    pub fn into_incoming(
        self,
        cut: &tokio_util::sync::CancellationToken,
    ) -> impl Iterator<Item = Incoming> {
        let unix = self
            .unix
            .map(|(listener, owned)| Incoming::new(Listener::Unix(listener, owned), cut.clone()));
        let tcp = self.tcp.map(|(listener, _)| Incoming::new(Listener::Tcp(listener), cut.clone()));
        unix.into_iter().chain(tcp)
    }
}

/// Connections that the system keeps while the accept loop is busy.
const BACKLOG: i32 = 1024;

fn tcp(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A port whose last connections linger can be had again at once.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::from(address))?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let taken = listener.local_addr()?;
        Ok((listener, taken))
    };
    listen().map_err(|cause| Error::Tcp { address, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_listen_nowhere_is_an_error_that_says_what_to_name() {
        let error = bind(&Settings { unix: None, tcp: None }).unwrap_err();
        assert!(error.to_string().contains("`listen.unix`"));
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7300"] {
            let settings = Settings { unix: None, tcp: Some(address.parse().unwrap()) };
            let error = bind(&settings).unwrap_err().to_string();
            assert!(error.contains(address) && error.contains("127.0.0.1"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_tcp_port_that_is_taken_is_an_error_with_its_address() {
        let first = bind(&Settings { unix: None, tcp: Some(([127, 0, 0, 1], 0).into()) }).unwrap();
        let taken = first.tcp().unwrap();
        assert_ne!(taken.port(), 0);
        let error = bind(&Settings { unix: None, tcp: Some(taken) }).unwrap_err();
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
    }
}
