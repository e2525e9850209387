//! The accept loop.
//!
//! An error of `accept` never ends it: a process that is out of descriptors
//! serves on, and accepts again once it has some.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    net::{TcpListener, UnixListener},
    time::{Sleep, sleep},
};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use super::{Io, Peer, connection::Socket, crowd::Crowd, handshakes::Handshakes, unix::Owned};
use crate::clock::{self, Instant};

/// How long to leave `accept` alone after an error that concerns the process
/// and not one connection. The listener stays readable meanwhile, so without it
/// the loop would spin.
const PAUSE: Duration = Duration::from_millis(50);

/// How often at most the log is told that there are as many connections as may be.
const TELL_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) enum Listener {
    /// With its file, which goes when the loop does.
    Unix(UnixListener, #[expect(dead_code, reason = "held for its drop")] Owned),
    Tcp(TcpListener),
}

/// Where connections come from.
trait Accept {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Socket, Peer)>>;
}

impl Accept for Listener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Socket, Peer)>> {
        match self {
            Self::Unix(listener, _) => {
                let (stream, _) = ready!(listener.poll_accept(context))?;
                let peer = stream.peer_cred()?.into();
                Poll::Ready(Ok((Socket::Unix(stream), peer)))
            }
            Self::Tcp(listener) => listener.poll_accept(context).map_ok(|(stream, address)| {
                // Without it small events wait for the peer's acknowledgements.
                // It fails only on a connection that is gone already.
                let _ = stream.set_nodelay(true);
                (Socket::Tcp(stream), Peer::Tcp { address, certificate: None })
            }),
        }
    }
}

/// Connections as they come, without end.
#[derive(Debug)]
pub struct Incoming {
    accepting: Accepting<Listener>,
    /// What stands between a connection and its use, where TLS is spoken.
    handshakes: Option<Handshakes>,
    crowd: Crowd,
    /// Who has come and waits for a place.
    newcomer: Option<(Socket, Peer)>,
    /// When the log was told that there was none.
    told: Option<Instant>,
    cut: CancellationToken,
}

impl Incoming {
    pub(super) fn new(
        listener: Listener,
        handshakes: Option<Handshakes>,
        crowd: Crowd,
        cut: CancellationToken,
    ) -> Self {
        let accepting = Accepting::new(listener);
        Self { accepting, handshakes, crowd, newcomer: None, told: None, cut }
    }

    /// Strangers shall not fill the log.
    fn tell(&mut self) {
        let now = clock::now();
        if self.told.is_none_or(|told| now - told >= TELL_EVERY) {
            self.told = Some(now);
            tracing::warn!(
                connections = self.crowd.most(),
                "There are as many connections as may be; for each that comes the oldest ends \
                 that has not called anything, or itself.",
            );
        }
    }

    fn poll_socket(&mut self, context: &mut Context<'_>) -> Poll<(Socket, Peer)> {
        let Some(handshakes) = &mut self.handshakes else {
            return self.accepting.poll_accept(context);
        };
        loop {
            if let Poll::Ready((stream, peer)) = handshakes.poll_through(context) {
                return Poll::Ready((Socket::Tls(stream), peer));
            }
            ready!(handshakes.poll_room(context));
            match ready!(self.accepting.poll_accept(context)) {
                (Socket::Tcp(stream), Peer::Tcp { address, .. }) => {
                    handshakes.begin(stream, address);
                }
                // No TLS is spoken there.
                other => return Poll::Ready(other),
            }
        }
    }
}

impl Stream for Incoming {
    type Item = Result<Io, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.newcomer.is_none() {
                self.newcomer = Some(ready!(self.poll_socket(context)));
                if self.crowd.is_full() {
                    self.tell();
                }
            }
            let place = ready!(self.crowd.poll_enter(&self.cut, context));
            // Without a place it is closed.
            let newcomer = self.newcomer.take();
            if let (Some((socket, peer)), Some(place)) = (newcomer, place) {
                return Poll::Ready(Some(Ok(Io::new(socket, peer, place))));
            }
        }
    }
}

#[derive(Debug)]
struct Accepting<A> {
    listener: A,
    pause: Option<Pin<Box<Sleep>>>,
    /// Errors since the last connection; only the first is told.
    failures: u64,
}

impl<A: Accept> Accepting<A> {
    fn new(listener: A) -> Self {
        Self { listener, pause: None, failures: 0 }
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<(Socket, Peer)> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(context)) {
                Ok(accepted) => {
                    self.recover();
                    return Poll::Ready(accepted);
                }
                Err(error) if concerns_one_connection(&error) => {
                    tracing::debug!(%error, "A connection was gone before it was accepted.");
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.failures += 1;
        if self.failures == 1 {
            tracing::warn!(
                %error,
                pause_ms = PAUSE.as_millis(),
                "Connections cannot be accepted; trying again after pauses.",
            );
        }
        self.pause = Some(Box::pin(sleep(PAUSE)));
    }

    fn recover(&mut self) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "Connections are accepted again.");
            self.failures = 0;
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::NotConnected
            | Kind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, future::poll_fn, sync::Mutex};

    use futures_util::StreamExt;
    use tokio::{
        io::AsyncReadExt,
        net::{TcpStream, UnixStream},
    };
    use tonic::transport::server::Connected;

    use super::{super::Unix, *};

    /// Accepts what stands in it, then nothing.
    struct Script(Mutex<VecDeque<io::Result<(Socket, Peer)>>>);

    impl Accept for Script {
        fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<(Socket, Peer)>> {
            self.0.lock().unwrap().pop_front().map_or(Poll::Pending, Poll::Ready)
        }
    }

    fn accepting(
        script: impl IntoIterator<Item = io::Result<(Socket, Peer)>>,
    ) -> Accepting<Script> {
        let script = Script(Mutex::new(script.into_iter().collect()));
        Accepting::new(script)
    }

    fn socket() -> io::Result<(Socket, Peer)> {
        let (ours, _) = UnixStream::pair()?;
        let peer = ours.peer_cred()?.into();
        Ok((Socket::Unix(ours), peer))
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_without_descriptors_pauses_and_accepts_again() {
        let out_of_descriptors = || Err(io::Error::from_raw_os_error(24));
        let mut accepting =
            accepting([out_of_descriptors(), out_of_descriptors(), socket(), socket()]);
        let start = clock::now();
        poll_fn(|context| accepting.poll_accept(context)).await;
        assert_eq!(clock::now() - start, 2 * PAUSE);
        poll_fn(|context| accepting.poll_accept(context)).await;
        assert_eq!(clock::now() - start, 2 * PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_gone_delays_no_other() {
        let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::Interrupted];
        let script = gone.map(|kind| Err(kind.into())).into_iter().chain([socket()]);
        let mut accepting = accepting(script);
        let start = clock::now();
        poll_fn(|context| accepting.poll_accept(context)).await;
        assert_eq!(clock::now(), start);
    }

    #[tokio::test]
    async fn who_connects_to_a_socket_is_whom_the_kernel_names() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        let (listener, owned) =
            super::super::unix::bind(&Unix { path: path.clone(), ..Unix::default() }).unwrap();
        let listener = Listener::Unix(listener, owned);
        let _client = UnixStream::connect(&path).await.unwrap();
        let (_, peer) = poll_fn(|context| listener.poll_accept(context)).await.unwrap();
        let uid = nix::unistd::geteuid().as_raw();
        let gid = nix::unistd::getegid().as_raw();
        let pid = i32::try_from(std::process::id()).ok();
        assert_eq!(peer, Peer::Unix { uid, gid, pid });
    }

    #[tokio::test]
    async fn who_connects_over_tcp_is_an_address() {
        let listener = Listener::Tcp(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let Listener::Tcp(bound) = &listener else { panic!() };
        let client = TcpStream::connect(bound.local_addr().unwrap()).await.unwrap();
        let (_, peer) = poll_fn(|context| listener.poll_accept(context)).await.unwrap();
        let address = client.local_addr().unwrap();
        assert_eq!(peer, Peer::Tcp { address, certificate: None });
    }

    #[tokio::test]
    async fn at_the_bound_a_stranger_ends_for_a_newcomer_and_a_caller_for_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (crowd, cut) = (Crowd::new(2), CancellationToken::new());
        let mut incoming = Incoming::new(Listener::Tcp(listener), None, crowd, cut);

        let connect = || async move { TcpStream::connect(address).await.unwrap() };
        let (_first, _second) = (connect().await, connect().await);
        let caller = incoming.next().await.unwrap().unwrap();
        let mut stranger = incoming.next().await.unwrap().unwrap();
        caller.connect_info().let_in();

        let _third = connect().await;
        let mut next = Box::pin(incoming.next());
        let ended = tokio::select! {
            ended = stranger.read_u8() => ended,
            _ = &mut next => panic!("there are more than two"),
        };
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        drop(stranger);
        let third = next.await.unwrap().unwrap();
        third.connect_info().let_in();

        let mut fourth = connect().await;
        let mut next = Box::pin(incoming.next());
        tokio::select! {
            closed = fourth.read_u8() => assert!(closed.is_err()),
            _ = &mut next => panic!("there are more than two"),
        }
        drop(caller);
        let _fifth = connect().await;
        assert!(next.await.is_some());
    }
}
