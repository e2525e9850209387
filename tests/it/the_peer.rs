//! The scripted peer is what the other tests believe: it must see what came,
//! and who went away.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Gate, Peer, Reply};

async fn send(peer: &Peer, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(peer.url().trim_start_matches("http://")).await.unwrap();
    let head = format!("{request} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn read(mut stream: TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).await.unwrap();
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        assert!(length > 0, "the connection ended after {text:?}");
    }
    text
}

#[tokio::test]
async fn it_fails_the_test_when_an_unexpected_request_comes() {
    let peer = Peer::start().await;
    peer.on("GET /known", Reply::json("{}"));
    let answer = read(send(&peer, "GET /unknown").await, "request").await;
    assert!(answer.starts_with("HTTP/1.1 501 "), "{answer}");
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(peer)));
    let message = *dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("GET /unknown"), "{message}");
}

#[tokio::test]
async fn it_logs_what_came_and_answers_by_the_script() {
    let peer = Peer::start().await;
    peer.script("POST /a*", |arrival| Reply::json(format!("{:?}", arrival.text())));
    let answer = read(send(&peer, "POST /a?b=c").await, "\"hi\"").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let arrival = peer.only("POST /a?b=c");
    assert_eq!((arrival.header("host"), arrival.text()), ("x", "hi"));
    peer.arrived(1).await;
    assert_eq!(peer.in_flight_max(), 1);
}

#[tokio::test]
async fn it_holds_an_answer_until_the_gate_opens() {
    let peer = Peer::start().await;
    let gate = Gate::closed();
    peer.on("GET /held", Reply::json("{}").behind(&gate));
    let mut stream = send(&peer, "GET /held").await;
    peer.arrived_at("GET /held").await;
    let mut nothing = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut nothing)).await;
    assert!(early.is_err(), "answered before the gate was open");
    assert!(!peer.only("GET /held").is_answered);
    gate.open();
    read(stream, "{}").await;
    assert!(peer.only("GET /held").is_answered);
}

#[tokio::test]
async fn it_notices_a_caller_that_goes_away() {
    let peer = Peer::start().await;
    peer.on("GET /head", Reply::hang()).on("GET /body", Reply::json("[1,").endless());
    let head = send(&peer, "GET /head").await;
    peer.arrived_at("GET /head").await;
    drop(head);
    peer.abandoned("GET /head").await;
    let body = send(&peer, "GET /body").await;
    peer.arrived_at("GET /body").await;
    drop(body);
    peer.abandoned("GET /body").await;
}
