//! What operators and probes ask, without TLS: `/metrics`, `/healthz` and `/readyz`
//! over HTTP/1.1, and gRPC's health service over HTTP/2, as the kubelet dials it.
//!
//! It answers from memory, reads at most the name of a service and knows nothing
//! else. Its connections are few, and the oldest is closed for one too many: whoever
//! holds them all open keeps no probe out, and it costs nothing while nobody asks.

use std::{
    collections::VecDeque, convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic_health::{
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tower::Service;

use crate::{drain::Drain, telemetry::metrics::Metrics};

mod host;

pub use host::Host;

/// Connections at once: a few scrapers and the kubelet.
const CONNECTIONS_MAX: usize = 32;
/// How long a request may take to come, and an HTTP/1.1 connection may be idle.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection lives; a scraper comes again.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// The least that hyper takes.
const BUFFER_BYTES_MAX: usize = 8 << 10;
/// Bytes of headers over HTTP/2; a probe sends some hundred.
const HEADER_LIST_BYTES_MAX: u32 = 4 << 10;
/// RPCs that one connection may have open at once.
const STREAMS_MAX: u32 = 8;
/// Bytes of a request: the name of a service.
const MESSAGE_BYTES_MAX: usize = 1 << 10;
/// Bytes that may come unread, of a stream and of a connection: the least that
/// HTTP/2 lets a connection have.
const WINDOW_BYTES: u32 = 65_535;
/// The pause after a failed accept, which is most likely a want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Where operators and probes ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The address. Port 0 takes any free one.
    pub address: SocketAddr,
    /// Names under which it is asked over HTTP/1.1, beside addresses and the
    /// cluster's own names.
    pub hosts: Vec<Host>,
    /// Whether `/metrics` is answered; health always is.
    pub shows_metrics: bool,
}

impl Settings {
    /// Everything at this address, under the usual names.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, hosts: Vec::new(), shows_metrics: true }
    }
}

/// An admin port that listens and does not serve yet.
#[derive(Debug)]
pub struct Admin {
    listener: std::net::TcpListener,
    address: SocketAddr,
    face: Face,
}

/// What is known to whoever answers.
#[derive(Clone, Debug)]
struct Face {
    /// Where they are shown.
    metrics: Option<Metrics>,
    drain: Drain,
    health: HealthServer<HealthService>,
    hosts: Arc<[Host]>,
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
    /// Listens. What `health` says is told over gRPC, and `metrics` where the settings
    /// say so.
    ///
    /// # Errors
    ///
    /// An address that cannot be had.
    pub fn bind(
        settings: Settings,
        metrics: Option<Metrics>,
        health: HealthReporter,
        drain: Drain,
    ) -> Result<Self, Error> {
        let Settings { address, hosts, shows_metrics } = settings;
        let metrics = metrics.filter(|_| shows_metrics);
        let listen = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let (address, listener) = listen().map_err(|cause| Error { address, cause })?;
        let health = HealthServer::new(HealthService::from_health_reporter(health))
            .max_decoding_message_size(MESSAGE_BYTES_MAX);
        let face = Face { metrics, drain, health, hosts: hosts.into() };
        Ok(Self { listener, address, face })
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `closing`: also while the process drains, so that it can be
    /// seen to.
    pub async fn serve(self, closing: CancellationToken) {
        let Self { listener, face, .. } = self;
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "The admin port cannot be served."),
        };
        let mut open = VecDeque::<CancellationToken>::with_capacity(CONNECTIONS_MAX);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = closing.cancelled() => return,
            };
            let Ok((stream, _)) = accepted else {
                sleep(PAUSE).await;
                continue;
            };
            open.retain(|open| !open.is_cancelled());
            if open.len() == CONNECTIONS_MAX
                && let Some(oldest) = open.pop_front()
            {
                oldest.cancel();
            }
            let end = closing.child_token();
            open.push_back(end.clone());
            face.drain.spawn(face.clone().connected(stream, end));
        }
    }
}

/// What every connection is served by.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .max_buf_size(BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    builder
}

impl Face {
    /// Serves one connection until it is over, or `end` is; cancels that.
    async fn connected(self, stream: TcpStream, end: CancellationToken) {
        let _end = end.clone().drop_guard();
        // Before its first request a connection has no version yet, and hyper waits
        // for that without end.
        let asked = CancellationToken::new();
        let of_answer = asked.clone();
        let answer = service_fn(move |request| {
            of_answer.cancel();
            self.clone().answer(request)
        });
        let builder = builder();
        let connection = builder.serve_connection(TokioIo::new(stream), answer);
        // What a peer does wrong is its own affair.
        tokio::select! {
            _ = timeout(CONNECTION_TIMEOUT, connection) => {}
            () = never_asked(asked) => {}
            () = end.cancelled() => {}
        }
    }

    async fn answer(mut self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        if let Some((status, text)) = self.refusal(&request) {
            return Ok(response(status, text, None));
        }
        if is_grpc(&request) {
            return self.health.call(request).await;
        }
        Ok(self.page(&request))
    }

    /// Why a browser's request is not answered, if it is one. No browser speaks
    /// HTTP/2 without TLS, so what does names its host as it likes.
    fn refusal<B>(&self, request: &Request<B>) -> Option<(StatusCode, &'static str)> {
        if request.headers().contains_key(header::ORIGIN) {
            return Some((StatusCode::FORBIDDEN, "Pages of browsers are not answered.\n"));
        }
        if request.version() == Version::HTTP_2 {
            return None;
        }
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (host, another) = (hosts.next(), hosts.next());
        if another.is_some() || (host.is_none() && request.version() == Version::HTTP_11) {
            return Some((StatusCode::BAD_REQUEST, "Name one host.\n"));
        }
        let named = host.map(|host| host.to_str().unwrap_or_default());
        // A request line may name a host of its own, which then is the one that counts.
        let lined = request.uri().authority().map(http::uri::Authority::as_str);
        let mut named = named.into_iter().chain(lined);
        let fix = "This host is not answered; add it to `listen.admin_hosts`.\n";
        (!named.all(|host| host::is_answered(host, &self.hosts)))
            .then_some((StatusCode::MISDIRECTED_REQUEST, fix))
    }

    fn page<B>(&self, request: &Request<B>) -> Response<Body> {
        let path = request.uri().path();
        let metrics = self.metrics.as_ref().filter(|_| path == "/metrics");
        let is_known = metrics.is_some() || matches!(path, "/healthz" | "/readyz");
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if let Some(metrics) = metrics.filter(|_| is_read) {
            return measured(metrics);
        }
        let (status, text) = match path {
            _ if is_known && !is_read => (StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n"),
            // Alive is whoever answers; ready is who takes turns.
            "/healthz" => (StatusCode::OK, "ok\n"),
            "/readyz" if self.drain.is_draining() => {
                (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
            }
            "/readyz" => (StatusCode::OK, "ready\n"),
            _ if self.metrics.is_none() => {
                (StatusCode::NOT_FOUND, "There are /healthz and /readyz.\n")
            }
            _ => (StatusCode::NOT_FOUND, "There are /metrics, /healthz and /readyz.\n"),
        };
        response(status, text, None)
    }
}

/// What Prometheus is told. Nothing at all would look like a process that measures
/// nothing.
fn measured(metrics: &Metrics) -> Response<Body> {
    match metrics.text() {
        Ok(text) => response(StatusCode::OK, text, HeaderValue::try_from(metrics.text_type()).ok()),
        Err(error) => {
            let text = format!("The metrics cannot be told: {error}\n");
            response(StatusCode::INTERNAL_SERVER_ERROR, text, None)
        }
    }
}

/// Ready when a connection has not asked anything in its time.
async fn never_asked(asked: CancellationToken) {
    if timeout(REQUEST_TIMEOUT, asked.cancelled()).await.is_ok() {
        std::future::pending().await
    }
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    request.version() == Version::HTTP_2
        && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn response(
    status: StatusCode,
    text: impl Into<Bytes>,
    kind: Option<HeaderValue>,
) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::new(text.into())));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind.unwrap_or(plain));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::telemetry::{self, Telemetry};

    #[tokio::test]
    async fn metrics_that_cannot_be_told_are_an_error_and_no_empty_page() {
        let settings = telemetry::Settings { is_scraped: true, ..Default::default() };
        let metrics = Telemetry::start(&settings, &[]).unwrap().0.metrics.unwrap();
        assert_eq!(measured(&metrics).status(), StatusCode::OK);
        metrics.breaks();
        let answer = measured(&metrics);
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(text.starts_with(b"The metrics cannot be told: "), "{text:?}");
    }
}
