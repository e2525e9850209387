//! A TCP address, and what keeps strangers from it.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::TcpListener;

use super::{
    BACKLOG, Error,
    tls::{Current, Files, Tls},
};

/// A TCP address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tcp {
    /// The address; port 0 takes any free one.
    pub address: SocketAddr,
    /// TLS, where it is spoken.
    pub tls: Option<Tls>,
    /// Whether anyone who reaches it may call, as somebody [said](Self::EXPOSED).
    pub exposed: bool,
}

impl Tcp {
    /// The words without which nobody is let in whom nothing authenticates.
    pub const EXPOSED: &str = "yes, anyone who reaches this address may call every tool";

    /// What is wrong with an address that is not guarded.
    pub const REACHABLE: &str =
        "can be reached from other machines, and nothing authenticates its callers";

    /// An address without anything.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, tls: None, exposed: false }
    }

    /// Every way to guard one, for whoever wrote it.
    pub fn guards() -> String {
        format!(
            "listen on `127.0.0.1` or `[::1]`, say who may call (`callers`), ask for client \
             certificates (`tls: {{certificate: …, key: …, client_ca: …}}`), or write \
             `exposed: \"{}\"`",
            Self::EXPOSED
        )
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_open(&self) -> bool {
        self.tls.is_none() && !self.address.ip().to_canonical().is_loopback()
    }

    /// Whether nobody calls there unseen: only this machine reaches it, or callers
    /// prove who they are, by certificate or whatever else they are `authenticated` by.
    pub fn is_guarded(&self, authenticated: bool) -> bool {
        let asks = self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        self.address.ip().to_canonical().is_loopback() || asks || authenticated
    }
}

/// A TCP socket that listens.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) tls: Option<(Files, Current)>,
}

/// Listens at the address, if callers are [guarded](Tcp::is_guarded) there.
pub(super) fn bind(tcp: &Tcp, authenticated: bool) -> Result<Listening, Error> {
    let address = tcp.address;
    if !tcp.exposed && !tcp.is_guarded(authenticated) {
        return Err(Error::Unguarded(address));
    }
    let tls = tcp.tls.clone().map(Files::open).transpose()?;
    let (listener, address) = listen(address).map_err(|cause| Error::Tcp { address, cause })?;
    Ok(Listening { listener, address, tls })
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A port whose last connections linger can be had again at once.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let taken = listener.local_addr()?;
    Ok((listener, taken))
}
