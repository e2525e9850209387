//! TLS, and HTTP/2 where the backend offers it.

use bytes::Bytes;
use h2::{Reason, server::SendResponse};
use http::Response;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{
    LONG, OK, SHORT,
    peer::{Peer, begin, endpoint, meet},
};
use crate::{
    backend::http::{ApiSettings, Method},
    model::{Content, FailureCode, RetryAdvice, Sent},
};

type Server = h2::server::Connection<TlsStream<TcpStream>, Bytes>;

async fn accept(peer: &Peer) -> Server {
    h2::server::handshake(peer.accept_tls(&[b"h2", b"http/1.1"]).await.unwrap()).await.unwrap()
}

/// The next request, to be answered.
async fn next(server: &mut Server) -> SendResponse<Bytes> {
    let (request, respond) = server.accept().await.unwrap().unwrap();
    assert_eq!(request.uri().path(), "/x");
    respond
}

fn answer(respond: &mut SendResponse<Bytes>, body: &'static str) {
    let head = Response::builder().header("content-type", "text/plain").body(()).unwrap();
    respond.send_response(head, false).unwrap().send_data(body.into(), true).unwrap();
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_accepted() {
    let peer = Peer::bind().await;
    let settings = ApiSettings { ca: None, ..peer.tls_settings() };
    let post = endpoint(settings, Method::Post);
    let (attempt, mark) = begin(&post, "{}", LONG);
    let (result, accepted) = tokio::join!(attempt, peer.accept_tls(&[b"h2"]));
    let error = result.unwrap_err();
    assert_eq!((error.code, error.retry), (FailureCode::Unavailable, RetryAdvice::Never));
    assert_eq!((error.sent, mark.get()), (Sent::No, Sent::No));
    assert!(error.message.contains("its certificate is not trusted"), "{}", error.message);
    assert!(accepted.is_err());
}

#[tokio::test]
async fn the_backend_chooses_the_version() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let peer = Peer::bind().await;
    let get = endpoint(peer.tls_settings(), Method::Get);
    let (result, ()) = meet(&get, async {
        let mut stream = peer.accept_tls(&[b"http/1.1"]).await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert!(stream.read_buf(&mut request).await.unwrap() > 0);
        }
        stream.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    result.unwrap();

    let get = endpoint(peer.tls_settings(), Method::Get);
    let (mut first, _) = begin(&get, "{}", LONG);
    let mut server = tokio::select! {
        _ = &mut first => panic!("ended without an answer"),
        server = accept(&peer) => server,
    };
    // Both calls share the connection.
    let (second, _) = begin(&get, "{}", LONG);
    let (first, second, ()) = tokio::join!(first, second, async {
        let mut one = next(&mut server).await;
        let mut two = next(&mut server).await;
        answer(&mut two, "two");
        answer(&mut one, "one");
        let _ = tokio::time::timeout(SHORT, server.accept()).await;
    });
    for (result, is) in [(first, "one"), (second, "two")] {
        assert_eq!(result.unwrap().content, [Content::Text(is.into())]);
    }
    assert!(peer.is_unvisited());
}

#[tokio::test]
async fn dropping_an_attempt_resets_its_stream_and_keeps_the_connection() {
    let peer = Peer::bind().await;
    let post = endpoint(peer.tls_settings(), Method::Post);
    let (mut attempt, mark) = begin(&post, "{}", LONG);
    let (mut server, mut respond) = tokio::select! {
        _ = &mut attempt => panic!("ended without an answer"),
        met = async {
            let mut server = accept(&peer).await;
            let respond = next(&mut server).await;
            (server, respond)
        } => met,
    };
    assert_eq!(mark.get(), Sent::Maybe);
    drop(attempt);
    let reset = std::future::poll_fn(|cx| respond.poll_reset(cx));
    let reason = tokio::select! {
        reason = reset => reason.unwrap(),
        _ = server.accept() => panic!("another request, or the end"),
    };
    assert_eq!(reason, Reason::CANCEL);

    let (result, ()) = meet(&post, async {
        answer(&mut next(&mut server).await, "still here");
        let _ = tokio::time::timeout(SHORT, server.accept()).await;
    })
    .await;
    assert_eq!(result.unwrap().content, [Content::Text("still here".into())]);
    assert!(peer.is_unvisited());
}
