//! A connection has a while to say that it speaks HTTP/2.
//!
//! Before that hyper waits without end, and sends no ping that it could fail to
//! answer. A TLS handshake has a time of its own before.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};
use tonic::transport::server::Connected;

/// How long a client may take. It has nothing to wait for.
const TIME: Duration = Duration::from_secs(10);

/// Bytes of a connection's preface (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;

/// A connection whose reads fail where its preface does not come in time.
#[derive(Debug)]
pub(super) struct Greeted<T> {
    io: T,
    awaited: Option<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    bytes: usize,
    until: Pin<Box<Sleep>>,
}

impl<T> Greeted<T> {
    /// Its time begins.
    pub(super) fn new(io: T) -> Self {
        let awaited = Awaited { bytes: PREFACE_BYTES, until: Box::pin(sleep(TIME)) };
        Self { io, awaited: Some(awaited) }
    }
}

impl<T: Connected> Connected for Greeted<T> {
    type ConnectInfo = T::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.io.connect_info()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Greeted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if let Some(awaited) = &mut self.awaited {
            let came = buffer.filled().len() - before;
            awaited.bytes = awaited.bytes.saturating_sub(came);
            if awaited.bytes == 0 {
                self.awaited = None;
            } else if awaited.until.as_mut().poll(context).is_ready() {
                let error = "no HTTP/2 preface came in time";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, error)));
            }
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Greeted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::{advance, timeout},
    };

    use super::*;
    use crate::clock;

    const A_MOMENT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_not_all_of_it_has_so_long() {
        for said in [&b""[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
            let (mut peer, io) = duplex(64);
            let (began, mut io) = (clock::now(), Greeted::new(io));
            peer.write_all(said).await.unwrap();
            let mut bytes = Vec::new();
            let error = io.read_to_end(&mut bytes).await.unwrap_err();
            assert_eq!((error.kind(), bytes.as_slice()), (io::ErrorKind::TimedOut, said));
            assert_eq!(began.elapsed(), TIME);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_said_it_may_be_silent_for_ever() {
        let (mut peer, io) = duplex(64);
        let mut io = Greeted::new(io);
        for piece in [&b"PRI * HTTP/2.0\r\n"[..], b"\r\nSM\r\n\r\n"] {
            advance(TIME / 2 - A_MOMENT).await;
            peer.write_all(piece).await.unwrap();
            let mut bytes = vec![0; piece.len()];
            io.read_exact(&mut bytes).await.unwrap();
        }
        assert!(timeout(TIME * 100, io.read_u8()).await.is_err());
        io.write_all(b"x").await.unwrap();
        assert_eq!(peer.read_u8().await.unwrap(), b'x');
    }
}
