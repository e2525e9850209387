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
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    time::{Sleep, sleep},
};
use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::{Peer, authority::Authority, unix::Owned};

/// How long to leave `accept` alone after an error that concerns the process
/// and not one connection. The listener stays readable meanwhile, so without it
/// the loop would spin.
const PAUSE: Duration = Duration::from_millis(50);

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
pub struct Incoming(Accepting<Listener>);

impl Incoming {
    pub(super) fn new(listener: Listener, cut: CancellationToken) -> Self {
        Self(Accepting::new(listener, cut))
    }
}

impl Stream for Incoming {
    type Item = Result<Io, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_accept(context).map(|io| Some(Ok(io)))
    }
}

#[derive(Debug)]
struct Accepting<A> {
    listener: A,
    cut: CancellationToken,
    pause: Option<Pin<Box<Sleep>>>,
    /// Errors since the last connection; only the first is told.
    failures: u64,
}

impl<A: Accept> Accepting<A> {
    fn new(listener: A, cut: CancellationToken) -> Self {
        Self { listener, cut, pause: None, failures: 0 }
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Io> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(context)) {
                Ok((socket, peer)) => {
                    self.recover();
                    return Poll::Ready(Io::new(socket, peer, &self.cut));
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

#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// A connection whose reads and writes fail once it is cut, so that nothing
/// waits for a peer that is gone or does not read: hyper's graceful shutdown
/// alone would, on a connection that is idle or half open
/// (`hyperium/hyper#4170`).
#[derive(Debug)]
pub struct Io {
    socket: Socket,
    peer: Peer,
    /// Of a Unix socket: its clients name paths where a host is due.
    authority: Option<Authority>,
    cut: CancellationToken,
    cutting: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Io {
    fn new(socket: Socket, peer: Peer, cut: &CancellationToken) -> Self {
        let authority = matches!(socket, Socket::Unix(_)).then(Authority::new);
        let cutting = Box::pin(cut.clone().cancelled_owned());
        Self { socket, peer, authority, cut: cut.clone(), cutting }
    }

    /// `poll` on the socket, or an error once it is cut. A pending operation is
    /// woken by the cut.
    fn or_cut<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Socket, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if !self.cut.is_cancelled() {
            let done = poll(&mut self.socket, context);
            if done.is_ready() {
                return done;
            }
            ready!(self.cutting.as_mut().poll(context));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server has ended")))
    }
}

impl Connected for Io {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.or_cut(context, |socket, context| match socket {
            Socket::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Socket::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
        });
        if let Some(authority) = &mut self.authority {
            authority.mend(&mut buffer.filled_mut()[before..]);
        }
        read
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.or_cut(context, |socket, context| match socket {
            Socket::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Socket::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.or_cut(context, |socket, context| match socket {
            Socket::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.or_cut(context, |socket, context| match socket {
            Socket::Unix(stream) => Pin::new(stream).poll_flush(context),
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(context),
        })
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.or_cut(context, |socket, context| match socket {
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, future::poll_fn, sync::Mutex};

    use futures_util::poll;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{super::Unix, *};
    use crate::clock;

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
        Accepting::new(script, CancellationToken::new())
    }

    fn socket() -> io::Result<(Socket, Peer)> {
        let (ours, _) = UnixStream::pair()?;
        let peer = ours.peer_cred()?.into();
        Ok((Socket::Unix(ours), peer))
    }

    fn pair() -> (Io, UnixStream, CancellationToken) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let peer = ours.peer_cred().unwrap().into();
        let cut = CancellationToken::new();
        (Io::new(Socket::Unix(ours), peer, &cut), theirs, cut)
    }

    /// Writes for ever.
    async fn flood(io: &mut Io) -> io::Result<Infallible> {
        loop {
            io.write_all(&[0; 1 << 16]).await?;
        }
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
    async fn a_cut_wakes_a_read_that_waits_and_fails_the_next() {
        let (mut io, mut theirs, cut) = pair();
        theirs.write_all(b"x").await.unwrap();
        assert_eq!(io.read_u8().await.unwrap(), b'x');
        let mut read = Box::pin(io.read_u8());
        assert!(poll!(&mut read).is_pending());
        cut.cancel();
        assert_eq!(read.await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        theirs.write_all(b"y").await.unwrap();
        assert_eq!(io.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_cut_wakes_a_write_to_a_peer_that_does_not_read() {
        let (mut io, theirs, cut) = pair();
        let mut write = Box::pin(flood(&mut io));
        assert!(poll!(&mut write).is_pending());
        cut.cancel();
        assert_eq!(write.await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        drop(theirs);
    }
}
