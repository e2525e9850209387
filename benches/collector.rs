//! A collector of OTLP over gRPC that counts the spans it is sent, and is as slow
//! to answer as it is told.

use std::{
    convert::Infallible,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinSet};

/// gRPC's head of a message: not compressed, and its length.
const HEAD: usize = 5;

/// Of `ExportTraceServiceRequest`, what leads to its spans.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<Resource>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scope>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(bytes = "bytes", repeated, tag = "2")]
    spans: Vec<Bytes>,
}

/// Serves for ever. The port goes to standard output, for who started it.
pub(crate) async fn serve(delay: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let mut connections = JoinSet::new();
    let spans = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        while connections.try_join_next().is_some() {}
        let spans = Arc::clone(&spans);
        connections.spawn(async move {
            let answer = |request| answer(request, Arc::clone(&spans), delay);
            // HTTP/2 for who exports, HTTP/1 for who asks how much came.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        });
    }
}

/// A text of a known length, or a message and its trailers.
type Body = Either<
    Full<Bytes>,
    StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>,
>;

async fn answer(
    request: Request<Incoming>,
    spans: Arc<AtomicUsize>,
    delay: Duration,
) -> Result<Response<Body>, hyper::Error> {
    let (head, body) = request.into_parts();
    if head.uri.path() == "/control/spans" {
        let count = spans.load(Ordering::Relaxed).to_string();
        return Ok(Response::new(Either::Left(Full::from(count))));
    }
    let mut message = body.collect().await?.to_bytes();
    if head.uri.path().ends_with("TraceService/Export") && message.len() >= HEAD {
        let export = Export::decode(message.split_off(HEAD)).unwrap_or_default();
        let scopes = export.resources.iter().flat_map(|resource| &resource.scopes);
        let count = scopes.map(|scope| scope.spans.len()).sum();
        spans.fetch_add(count, Ordering::Relaxed);
    }
    tokio::time::sleep(delay).await;
    // An answer without a word is a message without a field.
    let status = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let whole = [Frame::data(Bytes::from_static(&[0; HEAD])), Frame::trailers(status)];
    let whole = stream::iter(Vec::from(whole.map(Ok)));
    let mut response = Response::new(Either::Right(StreamBody::new(whole)));
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}
