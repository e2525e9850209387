//! The API that both forwarders call: it answers at once, or after the
//! milliseconds that its path names (`/wait20/…`), always with the same JSON.
//! What comes to `/logged…` it writes down, with the time; while it is told to
//! (`/control/busy`, `/control/well`) it answers those with 429.

use std::{
    convert::Infallible,
    fmt::Write as _,
    io::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use sidecall::clock::{self, Instant};
use tokio::{net::TcpListener, task::JoinSet};

/// What every answer holds: about what a record of a CRM looks like.
static BODY: Bytes = Bytes::from_static(
    br#"{"id":"cus_8213","name":"Ada Lovelace","tier":"gold","region":"eu-west-1","open_orders":3,"balance_cents":129900,"currency":"EUR","since":"2019-04-17T08:30:00Z","tags":["b2b","priority","newsletter"],"contact":{"email":"ada@example.com","phone":"+44 20 7946 0018"}}"#,
);

/// Serves for ever. The port goes to standard output, for who started it.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let mut connections = JoinSet::new();
    let log = Arc::new(Log { begin: clock::now(), lines: Mutex::default(), is_busy: false.into() });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        while connections.try_join_next().is_some() {}
        let log = Arc::clone(&log);
        let answer = move |request| answer(request, Arc::clone(&log));
        connections.spawn(
            http1::Builder::new()
                .timer(TokioTimer::new())
                // A client that is slow to ask keeps its connection.
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

/// What came to `/logged…`.
struct Log {
    begin: Instant,
    lines: Mutex<String>,
    is_busy: AtomicBool,
}

impl Log {
    /// Writes a request down; gives what it is answered with.
    fn write(&self, path: &str) -> StatusCode {
        let at = (clock::now() - self.begin).as_nanos();
        let is_busy = self.is_busy.load(Ordering::Relaxed);
        let status = if is_busy { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::OK };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // A string takes all that is written to it.
        let _ = writeln!(lines, "{at} {} {}", status.as_u16(), path.trim_start_matches('/'));
        status
    }

    /// Does what a request of the bench's own asks for.
    fn control(&self, what: &str) -> Bytes {
        match what {
            "busy" => self.is_busy.store(true, Ordering::Relaxed),
            "well" => self.is_busy.store(false, Ordering::Relaxed),
            _ => {
                let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                return std::mem::take(&mut *lines).into();
            }
        }
        Bytes::new()
    }
}

async fn answer(
    request: Request<Incoming>,
    log: Arc<Log>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if let Some(what) = path.strip_prefix("/control/") {
        return Ok(Response::new(Full::new(log.control(what))));
    }
    if let Some(wait) = wait(path) {
        tokio::time::sleep(wait).await;
    }
    let mut response = Response::new(Full::new(BODY.clone()));
    if path.starts_with("/logged") {
        *response.status_mut() = log.write(path);
    }
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(response)
}

/// `/wait20/…` is 20 ms.
fn wait(path: &str) -> Option<Duration> {
    let (tool, _) = path.strip_prefix('/')?.split_once('/')?;
    tool.strip_prefix("wait")?.parse().ok().map(Duration::from_millis)
}
