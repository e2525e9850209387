//! How connections are made.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower::Service;

use super::{ApiSettings, tls};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects to an API within its `connect_timeout`: names, TCP and TLS
/// together, which no timeout of hyper's own covers.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    timeout: Duration,
}

/// No connection within the API's `connect_timeout`.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
pub(super) struct TimedOut(pub(super) Duration);

impl Connector {
    pub(super) fn try_new(settings: &ApiSettings) -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // A peer that vanished without a word is noticed between requests.
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client(settings)?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        Ok(Self { inner, timeout: settings.connect_timeout })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = Plain<MaybeHttpsStream<TokioIo<TcpStream>>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let timeout = self.timeout;
        let connecting = tokio::time::timeout(timeout, self.inner.call(uri));
        Box::pin(async move {
            match connecting.await {
                Ok(connected) => connected.map(Plain),
                Err(_) => Err(TimedOut(timeout).into()),
            }
        })
    }
}

/// A connection that says nothing of its addresses: nobody asks, and what a connection
/// says is copied into every answer that comes over it.
pub(super) struct Plain<T>(T);

impl<T: Connection> Connection for Plain<T> {
    fn connected(&self) -> Connected {
        let (said, own) = (self.0.connected(), Connected::new());
        if said.is_negotiated_h2() { own.negotiated_h2() } else { own }
    }
}

impl<T: Read + Unpin> Read for Plain<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<T: Write + Unpin> Write for Plain<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
