//! What operators and probes ask over HTTP: `/metrics`, `/healthz`, `/readyz`.
//!
//! It answers from memory, takes no body and knows no other path. Its connections
//! are few, and those beyond are closed at once: it must stay answerable while the
//! rest is busy, and cost nothing while nobody asks.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{drain::Drain, telemetry::metrics::Metrics};

/// Connections at once: a few scrapers and the kubelet.
const CONNECTIONS_MAX: usize = 32;
/// How long a request may take to come, and a connection may be idle.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection lives; a scraper comes again.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// The least that hyper takes.
const BUFFER_BYTES_MAX: usize = 8 << 10;
/// The pause after a failed accept, which is most likely a want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// An admin port that listens and does not serve yet.
#[derive(Debug)]
pub struct Admin {
    listener: std::net::TcpListener,
    address: SocketAddr,
    metrics: Metrics,
    drain: Drain,
}

/// Why it does not listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on the admin address {address}: {cause}")]
pub struct Error {
    address: SocketAddr,
    #[source]
    cause: io::Error,
}

impl Admin {
    /// Listens.
    ///
    /// # Errors
    ///
    /// An address that cannot be had.
    pub fn bind(address: SocketAddr, metrics: Metrics, drain: Drain) -> Result<Self, Error> {
        let listen = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let (address, listener) = listen().map_err(|cause| Error { address, cause })?;
        Ok(Self { listener, address, metrics, drain })
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `closing`: also while the process drains, so that it can be
    /// seen to.
    pub async fn serve(self, closing: CancellationToken) {
        let Self { listener, metrics, drain, .. } = self;
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "The admin port cannot be served."),
        };
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = closing.cancelled() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            // One too many is closed by being dropped.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (metrics, draining) = (metrics.clone(), drain.clone());
            let answer = service_fn(move |request| {
                let response = answer(&request, &metrics, &draining);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_TIMEOUT)
                .max_buf_size(BUFFER_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), answer);
            let closing = closing.clone();
            drain.spawn(async move {
                let _place = place;
                // What a peer does wrong is its own affair.
                tokio::select! {
                    _ = timeout(CONNECTION_TIMEOUT, connection) => {}
                    () = closing.cancelled() => {}
                }
            });
        }
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics, drain: &Drain) -> Response<Full<Bytes>> {
    let (status, text) = match (request.uri().path(), request.method()) {
        ("/metrics" | "/healthz" | "/readyz", method)
            if method != Method::GET && method != Method::HEAD =>
        {
            (StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n")
        }
        ("/metrics", _) => {
            let kind = HeaderValue::try_from(metrics.text_type());
            return response(StatusCode::OK, metrics.text(), kind.ok());
        }
        // Alive is whoever answers; ready is who takes turns.
        ("/healthz", _) => (StatusCode::OK, "ok\n"),
        ("/readyz", _) if drain.is_draining() => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        ("/readyz", _) => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::NOT_FOUND, "There are /metrics, /healthz and /readyz.\n"),
    };
    response(status, text, None)
}

fn response(
    status: StatusCode,
    text: impl Into<Bytes>,
    kind: Option<HeaderValue>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind.unwrap_or(plain));
    response
}
