//! How connections are made, used again and given up.

use std::time::Duration;

use super::{
    LONG, OK, SHORT, answer,
    peer::{Peer, begin, endpoint, meet, settings},
};
use crate::{
    backend::http::{ApiSettings, Method},
    clock,
    model::{FailureCode, Sent},
};

#[tokio::test]
async fn a_backend_that_cannot_be_reached_was_sent_nothing() {
    let port = Peer::bind().await.port();
    let nowhere = settings(&format!("http://127.0.0.1:{port}"));
    let (attempt, mark) = begin(&endpoint(nowhere, Method::Post), "{}", LONG);
    let error = attempt.await.unwrap_err();
    assert_eq!(
        (error.code, error.sent, mark.get()),
        (FailureCode::Unavailable, Sent::No, Sent::No)
    );
    assert!(error.message.ends_with("the connection was refused"), "{}", error.message);
    assert!(!error.message.contains("127.0.0.1"), "{}", error.message);
}

#[tokio::test]
async fn each_phase_ends_at_the_deadline_and_says_which_it_was() {
    let peer = Peer::bind().await;
    // TLS to a peer that never says hello.
    let silent = endpoint(peer.tls_settings(), Method::Post);
    let start = clock::now();
    let (attempt, mark) = begin(&silent, "{}", SHORT);
    let (result, _connection) = tokio::join!(attempt, peer.accept());
    let error = result.unwrap_err();
    assert_eq!((error.code, error.sent), (FailureCode::DeadlineExceeded, Sent::No));
    assert!(error.message.contains("before a connection"), "{}", error.message);
    assert_eq!(mark.get(), Sent::No);

    for (bytes, says) in [
        ("", "before the backend answered"),
        ("HTTP/1.1 200 OK\r\ncontent-", "before the backend answered"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", "(status 200) was being read"),
    ] {
        let endpoint = peer.post();
        let (attempt, mark) = begin(&endpoint, "{}", SHORT);
        let (result, (connection, _)) = tokio::join!(attempt, peer.answer(bytes));
        let error = result.unwrap_err();
        assert_eq!((error.code, error.sent), (FailureCode::DeadlineExceeded, Sent::Maybe));
        assert_eq!(mark.get(), Sent::Maybe);
        assert!(error.message.contains(says), "{}", error.message);
        connection.closed().await;
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_attempt_is_no_larger_than_what_the_allocator_keeps_at_hand() {
    // glibc's: what is larger is looked for, and joined with its neighbours once it goes.
    const AT_HAND_BYTES: usize = 1032;
    let peer = Peer::bind().await;
    let (attempt, _) = begin(&peer.get(), "{}", LONG);
    let bytes = size_of_val(&*attempt);
    assert!(bytes <= AT_HAND_BYTES, "{bytes}");
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let peer = Peer::bind().await;
    let post = peer.post();
    // Over a connection that is there already, no phase would have to wait.
    let (result, (mut connection, _)) = meet(&post, peer.answer(OK)).await;
    result.unwrap();
    let (attempt, mark) = begin(&post, "{}", Duration::ZERO);
    let error = attempt.await.unwrap_err();
    assert_eq!((error.code, error.sent), (FailureCode::DeadlineExceeded, Sent::No));
    assert_eq!(mark.get(), Sent::No);
    let received = tokio::time::timeout(SHORT, connection.receive()).await;
    assert!(received.is_err() && peer.is_unvisited());
}

#[tokio::test]
async fn connecting_takes_no_longer_than_the_api_allows() {
    let peer = Peer::bind().await;
    let settings = ApiSettings { connect_timeout: SHORT, ..peer.tls_settings() };
    let (attempt, mark) = begin(&endpoint(settings, Method::Post), "{}", LONG);
    let (result, connection) = tokio::join!(attempt, peer.accept());
    let error = result.unwrap_err();
    assert_eq!((error.code, error.sent), (FailureCode::Unavailable, Sent::No));
    assert!(error.message.contains("within 100ms"), "{}", error.message);
    assert_eq!(mark.get(), Sent::No);
    connection.closed().await;
}

#[tokio::test]
async fn a_status_that_is_known_outlives_the_deadline() {
    let peer = Peer::bind().await;
    let post = peer.post();
    let (attempt, _) = begin(&post, "{}", SHORT);
    let stalled = "HTTP/1.1 422 Unprocessable Content\r\ncontent-length: 9\r\n\r\nab";
    let (result, _connection) = tokio::join!(attempt, peer.answer(stalled));
    let error = result.unwrap_err();
    assert_eq!((error.code, error.sent), (FailureCode::ToolError, Sent::Answered));
}

#[tokio::test]
async fn dropping_an_attempt_closes_its_connection() {
    let peer = Peer::bind().await;
    for bytes in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"] {
        let post = peer.post();
        let (mut attempt, mark) = begin(&post, "{}", LONG);
        let connection = tokio::select! {
            result = &mut attempt => panic!("ended: {result:?}"),
            (connection, _) = peer.answer(bytes) => connection,
        };
        assert_eq!(mark.get(), Sent::Maybe);
        drop(attempt);
        tokio::time::timeout(LONG, connection.closed()).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let peer = Peer::bind().await;
    let post = peer.post();
    let not_found = answer("404 Not Found\r\ncontent-type: text/plain", b"no");
    let (result, (mut connection, _)) = meet(&post, peer.answer(&not_found)).await;
    assert_eq!(result.unwrap_err().code, FailureCode::ToolError);
    for _ in 0..3 {
        let (result, _) = meet(&post, async {
            connection.receive().await;
            connection.send(OK).await;
        })
        .await;
        result.unwrap();
    }
    assert!(peer.is_unvisited());
}

#[tokio::test]
async fn a_request_that_a_dying_connection_took_is_not_sent_again() {
    let peer = Peer::bind().await;
    let post = peer.post();
    let (result, (mut connection, _)) = meet(&post, peer.answer(OK)).await;
    result.unwrap();
    let (result, ()) = meet(&post, async {
        connection.receive().await;
        drop(connection);
    })
    .await;
    let error = result.unwrap_err();
    assert_eq!((error.code, error.sent), (FailureCode::Unavailable, Sent::Maybe));
    assert!(peer.is_unvisited());
}

#[tokio::test]
async fn a_connection_that_died_idle_is_replaced() {
    let peer = Peer::bind().await;
    let post = peer.post();
    let (result, (connection, _)) = meet(&post, peer.answer(OK)).await;
    result.unwrap();
    connection.close().await;
    let (result, (_, received)) = meet(&post, peer.answer(OK)).await;
    result.unwrap();
    assert_eq!(received.line(), "POST /x HTTP/1.1");
    assert!(peer.is_unvisited());
}
