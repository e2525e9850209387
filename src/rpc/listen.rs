//! Where the server listens: a Unix socket, a TCP address, or both.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use tokio_util::sync::CancellationToken;

use crate::{drain::Drain, overload::descriptors};

mod authority;
mod certificate;
mod connection;
mod crowd;
mod handshakes;
mod incoming;
mod peer;
mod tcp;
mod tls;
mod unix;

pub use certificate::Certificate;
pub use connection::Io;
use crowd::Crowd;
pub use crowd::Visitor;
pub(in crate::rpc) use crowd::Vouched;
#[cfg(test)]
pub(in crate::rpc) use crowd::tests::visitor;
use handshakes::Handshakes;
pub use incoming::Incoming;
use incoming::Listener;
pub use peer::Peer;
pub use tcp::Tcp;
pub use tls::{Error as TlsError, Tls};
pub use unix::Unix;

/// Where the server listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// A Unix socket.
    pub unix: Option<Unix>,
    /// A TCP address.
    pub tcp: Option<Tcp>,
    /// Most connections that the socket and the address have open at once, each; fewer
    /// where descriptors would run out.
    pub connections_max: NonZeroUsize,
    /// Whether callers must prove who they are whatever they connect to: by what
    /// the policy of callers asks of them, which is not decided here.
    pub authenticated: bool,
}

impl Settings {
    /// Some thousand replicas of agents; an idle connection costs some KiB.
    pub const CONNECTIONS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
}

impl Default for Settings {
    /// The usual Unix socket, and nothing else.
    fn default() -> Self {
        Self {
            unix: Some(Unix::default()),
            tcp: None,
            connections_max: Self::CONNECTIONS_MAX,
            authenticated: false,
        }
    }
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is named.
    #[error("there is nothing to listen on: name `listen.unix`, `listen.tcp`, or both")]
    Nowhere,
    /// A TCP address that others can reach.
    #[error("listen.tcp: {0} {what}; {fix}", what = Tcp::REACHABLE, fix = Tcp::guards())]
    Unguarded(SocketAddr),
    /// TLS cannot be spoken there.
    #[error(transparent)]
    Tls(#[from] TlsError),
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
            | Self::Unguarded(_)
            | Self::Tls(_)
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
    tcp: Option<tcp::Listening>,
    connections_max: NonZeroUsize,
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
    let tcp =
        settings.tcp.as_ref().map(|tcp| tcp::bind(tcp, settings.authenticated)).transpose()?;
    let unix = settings.unix.as_ref().map(unix::bind).transpose()?;
    Ok(Bound { unix, tcp, connections_max: settings.connections_max })
}

impl Bound {
    /// The Unix socket's path.
    pub fn unix(&self) -> Option<&Path> {
        self.unix.as_ref().map(|(_, owned)| owned.path())
    }

    /// The TCP address, with the port that was taken.
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().map(|tcp| tcp.address)
    }

    /// Whether TLS is spoken at the TCP address.
    pub fn is_tls(&self) -> bool {
        self.tcp.as_ref().is_some_and(|tcp| tcp.tls.is_some())
    }

    /// Says, whenever it is asked, when the first of the certificates ends that are served
    /// by then: in seconds since 1970. `None` where TLS is not spoken.
    pub fn ends_at(&self) -> Option<impl Fn() -> Option<u64> + Send + Sync + 'static + use<>> {
        let (_, current) = self.tcp.as_ref()?.tls.as_ref()?;
        let current = current.clone();
        Some(move || current.ends_at())
    }

    /// The connections to come. Their reads and writes fail once `cut` is
    /// cancelled. What runs beside them is `drain`'s.
    pub fn into_incoming(
        self,
        drain: &Drain,
        cut: &CancellationToken,
    ) -> impl Iterator<Item = Incoming> {
        let listeners = usize::from(self.unix.is_some()) + usize::from(self.tcp.is_some());
        let room = Room::among(descriptors::most(), listeners);
        let connections_max = room.connections_of(self.connections_max);
        let unix = self.unix.map(|(listener, owned)| {
            let crowd = Crowd::new(connections_max);
            Incoming::new(Listener::Unix(listener, owned), None, crowd, cut.clone())
        });
        let tcp = self.tcp.map(|tcp::Listening { listener, tls, .. }| {
            let handshakes = tls.map(|(files, current)| {
                drain.detach(files.follow(drain.killed().clone()));
                Handshakes::new(current, drain.clone()).at_most(room.handshakes)
            });
            let crowd = Crowd::new(connections_max);
            Incoming::new(Listener::Tcp(listener), handshakes, crowd, cut.clone())
        });
        unix.into_iter().chain(tcp)
    }
}

/// What each listener may take of the process's descriptors: whoever reaches one, also
/// an agent that forgets its connections, must leave some for the other, the admin port,
/// upstreams and files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Room {
    connections: usize,
    handshakes: usize,
}

impl Room {
    /// Descriptors that the process has open anyway, and its admin port's.
    const KEPT: usize = 64;
    /// Without even these nobody could call there.
    const LEAST: usize = 8;

    /// Half of what there is may be connections, the same number for each listener, and
    /// a quarter handshakes.
    fn among(descriptors: usize, listeners: usize) -> Self {
        let rest = descriptors.saturating_sub(Self::KEPT);
        let part = |of: usize| (rest / of).max(Self::LEAST);
        Self { connections: part(2 * listeners.max(1)), handshakes: part(4) }
    }

    /// The bound that holds.
    fn connections_of(self, set: NonZeroUsize) -> usize {
        // The usual bound was nobody's choice.
        if self.connections < set.get() && set != Settings::CONNECTIONS_MAX {
            tracing::warn!(
                connections = self.connections,
                "There are descriptors for fewer connections than `listen.connections` says.",
            );
        }
        set.get().min(self.connections)
    }
}

/// Connections that the system keeps while the accept loop is busy.
const BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tcp: Tcp) -> Settings {
        Settings { unix: None, tcp: Some(tcp), ..Settings::default() }
    }

    #[test]
    fn to_listen_nowhere_is_an_error_that_says_what_to_name() {
        let error = bind(&Settings { unix: None, ..Settings::default() }).unwrap_err();
        assert!(error.to_string().contains("`listen.unix`"));
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused_with_every_way_out() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7300", "[::ffff:192.0.2.1]:7300"] {
            let settings = at(Tcp::new(address.parse().unwrap()));
            let error = bind(&settings).unwrap_err();
            assert!(error.is_in_the_settings());
            let error = error.to_string();
            for says in [address, "127.0.0.1", "client_ca", Tcp::EXPOSED] {
                assert!(error.contains(says), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn it_is_not_where_somebody_said_so_or_callers_are_authenticated() {
        let tcp = Tcp::new(([0, 0, 0, 0], 0).into());
        let exposed = at(Tcp { exposed: true, ..tcp.clone() });
        let authenticated = Settings { authenticated: true, ..at(tcp) };
        for settings in [exposed, authenticated] {
            assert_ne!(bind(&settings).unwrap().tcp().unwrap().port(), 0);
        }
    }

    #[test]
    fn a_listener_leaves_descriptors_for_the_rest() {
        for (descriptors, connections, handshakes) in [
            (0, [8, 8], 8),
            (128, [32, 16], 16),
            (1024, [480, 240], 240),
            (1 << 20, [10_000, 10_000], 262_128),
        ] {
            let rooms = [1, 2].map(|listeners| Room::among(descriptors, listeners));
            let bounds = rooms.map(|room| room.connections_of(Settings::CONNECTIONS_MAX));
            assert_eq!((bounds, rooms[1].handshakes), (connections, handshakes), "{descriptors}");
        }
        let few = NonZeroUsize::new(3).unwrap();
        assert_eq!(Room::among(1 << 20, 1).connections_of(few), 3);
    }

    #[tokio::test]
    async fn a_tcp_port_that_is_taken_is_an_error_with_its_address() {
        let first = bind(&at(Tcp::new(([127, 0, 0, 1], 0).into()))).unwrap();
        let taken = first.tcp().unwrap();
        assert_ne!(taken.port(), 0);
        let error = bind(&at(Tcp::new(taken))).unwrap_err();
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
    }
}
