//! The accept loop.
//!
//! An error of `accept` never ends it: a process that is out of descriptors
//! serves on, and accepts again once it has some.

use std::{
    convert::Infallible,
    fmt, io,
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

use super::unix::Owned;

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

impl Listener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Socket>> {
        match self {
            Self::Unix(listener, _) => {
                listener.poll_accept(context).map_ok(|(stream, _)| Socket::Unix(stream))
            }
            Self::Tcp(listener) => listener.poll_accept(context).map_ok(|(stream, _)| {
                // Without it small events wait for the peer's acknowledgements.
                // It fails only on a connection that is gone already.
                let _ = stream.set_nodelay(true);
                Socket::Tcp(stream)
            }),
        }
    }
}

/// Connections as they come, without end.
#[derive(Debug)]
pub struct Incoming {
    listener: Listener,
    cut: CancellationToken,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    pub(super) fn new(listener: Listener, cut: CancellationToken) -> Self {
        Self { listener, cut, pause: None }
    }
}

impl Stream for Incoming {
    type Item = Result<Io, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(context)) {
                Ok(socket) => return Poll::Ready(Some(Ok(Io::new(socket, &self.cut)))),
                Err(error) if concerns_one_connection(&error) => {
                    tracing::debug!(%error, "A connection was gone before it was accepted.");
                }
                Err(error) => {
                    tracing::warn!(
                        %error,
                        pause_ms = PAUSE.as_millis(),
                        "A connection cannot be accepted; trying again after a pause.",
                    );
                    self.pause = Some(Box::pin(sleep(PAUSE)));
                }
            }
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
            | Kind::Interrupted
    )
}

enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// A connection whose reads and writes fail once it is cut, so that nothing
/// waits for a peer that is gone or does not read: hyper's graceful shutdown
/// alone would, on a connection that is idle or half open
/// (`hyperium/hyper#4170`).
pub struct Io {
    socket: Socket,
    cut: CancellationToken,
    cutting: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Io {
    fn new(socket: Socket, cut: &CancellationToken) -> Self {
        Self { socket, cut: cut.clone(), cutting: Box::pin(cut.clone().cancelled_owned()) }
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

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Socket::Unix(stream) => stream.fmt(f),
            Socket::Tcp(stream) => stream.fmt(f),
        }
    }
}

impl Connected for Io {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.or_cut(context, |socket, context| match socket {
            Socket::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Socket::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
        })
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
