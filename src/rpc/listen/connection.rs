//! A connection that can be cut.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;

use super::{
    Peer,
    authority::Authority,
    crowd::{Place, Visitor},
};

/// How long a connection may be open before an RPC is let in on it, where only callers
/// are that are known.
const STRANGER_TIME: Duration = Duration::from_secs(30);

/// How long a peer has to close its side of a connection that has ended.
const LINGER: Duration = Duration::from_millis(200);

/// What a connection is made of.
#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What all of them are.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl Socket {
    fn duplex(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Unix(stream) => Pin::new(stream),
            Self::Tcp(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream),
        }
    }
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
    place: Place,
    cutting: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Until somebody must have been let in on it, if ever and if nobody was.
    estranged: Option<Pin<Box<Sleep>>>,
    /// Once our side is closed: how long the peer has to close its own.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Io {
    pub(super) fn new(socket: Socket, peer: Peer, place: Place) -> Self {
        let authority = matches!(socket, Socket::Unix(_)).then(Authority::new);
        let cutting = Box::pin(place.end.clone().cancelled_owned());
        Self { socket, peer, authority, place, cutting, estranged: None, lingering: None }
    }

    /// It ends unless an RPC is let in on it in time.
    pub(in crate::rpc) fn awaiting_a_caller(mut self) -> Self {
        self.estranged = Some(Box::pin(sleep(STRANGER_TIME)));
        self
    }

    /// Cuts itself where nobody was let in in time.
    fn look_at_the_time(&mut self, context: &mut Context<'_>) {
        if let Some(over) = &mut self.estranged {
            if !self.place.is_strangers() {
                self.estranged = None;
            } else if over.as_mut().poll(context).is_ready() {
                self.estranged = None;
                self.place.end.cancel();
            }
        }
    }

    /// `poll` on the socket, or an error once it is cut. A pending operation is
    /// woken by the cut.
    fn or_cut<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut dyn Duplex>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.look_at_the_time(context);
        if !self.place.end.is_cancelled() {
            let done = poll(self.socket.duplex(), context);
            if done.is_ready() {
                return done;
            }
            ready!(self.cutting.as_mut().poll(context));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was cut")))
    }
}

impl Connected for Io {
    type ConnectInfo = Visitor;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.place.visitor(self.peer.clone())
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.or_cut(context, |socket, context| socket.poll_read(context, buffer));
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
        self.or_cut(context, |socket, context| socket.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.or_cut(context, |socket, context| socket.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.or_cut(context, |socket, context| socket.poll_flush(context))
    }

    /// Closes our side, and gives the peer a moment to close its own.
    ///
    /// A request may be on its way that HTTP/2's last word (GOAWAY) does not count among
    /// those that were taken. A peer that fails to write it would not read that word any
    /// more, and would have to believe that the request may have run.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(self.or_cut(context, |socket, context| socket.poll_shutdown(context)))?;
            self.lingering = Some(Box::pin(sleep(LINGER)));
        }
        loop {
            let mut late = [0; 4096];
            let mut late = ReadBuf::new(&mut late);
            let read = self.as_mut().poll_read(context, &mut late);
            let has_more = matches!(read, Poll::Ready(Ok(()))) && !late.filled().is_empty();
            let is_over =
                self.lingering.as_mut().is_none_or(|over| over.as_mut().poll(context).is_ready());
            if is_over || (read.is_ready() && !has_more) {
                return Poll::Ready(Ok(()));
            }
            ready!(read)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::poll;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::CancellationToken;

    use super::{
        super::crowd::{Crowd, tests::place},
        *,
    };
    use crate::clock;

    fn pair() -> (Io, UnixStream, CancellationToken) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let peer = ours.peer_cred().unwrap().into();
        let place = place(&Crowd::new(1));
        let cut = place.end.clone();
        (Io::new(Socket::Unix(ours), peer, place), theirs, cut)
    }

    /// Writes for ever.
    async fn flood(io: &mut Io) -> io::Result<Infallible> {
        loop {
            io.write_all(&[0; 1 << 16]).await?;
        }
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

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nobody_is_let_in_ends_in_time_whatever_it_writes() {
        let (io, mut theirs, _cut) = pair();
        let (mut io, began) = (io.awaiting_a_caller(), clock::now());
        theirs.write_all(b"xx").await.unwrap();
        assert_eq!(io.read_u8().await.unwrap(), b'x');
        tokio::time::advance(STRANGER_TIME / 2).await;
        assert_eq!(io.read_u8().await.unwrap(), b'x');
        // Its peer does not read either.
        assert_eq!(flood(&mut io).await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(clock::now() - began, STRANGER_TIME);
        assert!(io.read_u8().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_let_in_or_asks_health_stays() {
        for stays in [Visitor::let_in, Visitor::asks_health] {
            let (io, _theirs, _cut) = pair();
            let mut io = io.awaiting_a_caller();
            stays(&io.connect_info());
            let read = tokio::time::timeout(STRANGER_TIME * 10, io.read_u8());
            assert!(read.await.is_err(), "it has ended");
        }
    }

    #[tokio::test]
    async fn what_comes_late_can_be_written_until_the_peer_closes() {
        let (mut io, mut theirs, _cut) = pair();
        let mut shutdown = Box::pin(io.shutdown());
        assert!(poll!(&mut shutdown).is_pending());
        theirs.write_all(&[0; 10_000]).await.unwrap();
        assert!(poll!(&mut shutdown).is_pending());
        theirs.write_all(b"more").await.unwrap();
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "ours is closed");
        drop(theirs);
        shutdown.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_close_is_waited_for_a_moment_only() {
        let (mut io, _theirs, _cut) = pair();
        let began = clock::now();
        io.shutdown().await.unwrap();
        assert_eq!(clock::now() - began, LINGER);
    }

    #[tokio::test]
    async fn a_peer_that_writes_on_and_on_is_waited_for_a_moment_only() {
        let (mut io, mut theirs, _cut) = pair();
        let writes = async { while theirs.write_all(&[0; 1 << 16]).await.is_ok() {} };
        let shuts = async move { io.shutdown().await.unwrap() };
        tokio::join!(writes, shuts);
    }

    #[tokio::test]
    async fn a_cut_ends_the_wait_for_a_peer_that_does_not_close() {
        let (mut io, _theirs, cut) = pair();
        let mut shutdown = Box::pin(io.shutdown());
        assert!(poll!(&mut shutdown).is_pending());
        cut.cancel();
        shutdown.await.unwrap();
    }
}
