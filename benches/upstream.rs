//! The API that both forwarders call: it answers at once, or after the
//! milliseconds that its path names (`/wait20/…`), always with the same JSON.

use std::{convert::Infallible, io::Write, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
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
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        while connections.try_join_next().is_some() {}
        connections.spawn(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Some(wait) = wait(request.uri().path()) {
        tokio::time::sleep(wait).await;
    }
    let mut response = Response::new(Full::new(BODY.clone()));
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
