//! What operators and probes are told, and how little they can ask.

use std::time::Duration;

use sidecall::{proto::v1::Outcome, telemetry::names};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Reply, Turn, World, tools::base_with};

async fn world() -> World {
    World::start(&base_with(
        "listen:\n  unix: {path: '{folder}/sidecall.sock'}\n  tcp: 127.0.0.1:0\n  \
         admin: 127.0.0.1:0\n",
    ))
    .await
}

/// What is answered to these bytes, until the connection closes.
async fn ask(world: &World, bytes: &str) -> String {
    let mut stream = TcpStream::connect(world.admin.unwrap()).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A connection that is reset has said what it had to say.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

async fn get(world: &World, path: &str) -> String {
    ask(world, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn what_a_turn_did_is_measured() {
    let world = world().await;
    world.peer.on("GET /read/gone", Reply::text(404, "canary-1"));
    world.peer.on("GET /read/*", Reply::json(r#"{"a":"canary-2"}"#));
    let turn = Turn::of([
        ("a", "read", r#"{"id":"canary-3"}"#),
        ("b", "read", r#"{"id":"gone"}"#),
        ("c", "canary-4", "{}"),
    ]);
    let ran = world.run(&turn.session("s")).await;
    assert_eq!(ran.count(Outcome::Succeeded), 1);
    // An RPC is measured when its stream is gone, which the client sees first.
    let text = loop {
        let text = get(&world, "/metrics").await;
        if text.contains("rpc_server_call_duration_seconds_count") {
            break text;
        }
        tokio::task::yield_now().await;
    };
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("text/plain; version=0.0.4"));
    for line in [
        "gen_ai_tool_name=\"read\",gen_ai_tool_type=\"extension\"",
        "error_type=\"tool_error\"",
        "gen_ai_tool_name=\"_OTHER\"",
        "rpc_method=\"sidecall.v1.SidecallService/ExecuteBatch\",rpc_status_code=\"OK\"",
        "sidecall_batch_width_sum{otel_scope_name=\"sidecall\"} 3",
        "sidecall_call_in_flight{otel_scope_name=\"sidecall\"} 0",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("canary"), "{text}");
    world.end().await;
}

#[tokio::test]
async fn each_metric_has_its_sentence() {
    let world = world().await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    for _ in 0..2 {
        world.run(&Turn::one("read", r#"{"id":"1"}"#).session("s")).await;
    }
    let text = get(&world, "/metrics").await;
    for metric in [
        names::EXECUTE_TOOL_DURATION,
        names::BATCH_DURATION,
        names::BATCH_SAVED,
        names::CALL_ATTEMPTS,
        names::RESULT_SIZE,
        names::RESULT_TOKENS,
        names::THINK_DURATION,
        names::TURN_DURATION,
    ] {
        let name = metric.name.replace('.', "_");
        let is_told = text.lines().any(|line| {
            line.starts_with(&format!("# HELP {name}")) && line.ends_with(metric.sentence)
        });
        assert!(is_told, "{name}: {text}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_probe_is_told_who_takes_turns() {
    let world = world().await;
    assert!(get(&world, "/healthz").await.starts_with("HTTP/1.1 200 OK"));
    assert!(get(&world, "/readyz").await.starts_with("HTTP/1.1 200 OK"));
    world.peer.on("GET /read/1", Reply::hang());
    let running = world.send(&Turn::one("read", r#"{"id":"1"}"#)).await.unwrap();
    world.peer.arrived(1).await;
    world.drain.start();
    assert!(get(&world, "/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(get(&world, "/healthz").await.starts_with("HTTP/1.1 200 OK"));
    running.hang_up();
    world.end().await;
}

#[tokio::test]
async fn nothing_else_is_answered() {
    let world = world().await;
    for (path, status) in [("/", 404), ("/metrics/x", 404), ("/debug", 404)] {
        let answer = get(&world, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    let post =
        "POST /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert!(ask(&world, post).await.starts_with("HTTP/1.1 405"));
    let head = "HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = ask(&world, head).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(64 << 10));
    assert!(!ask(&world, &long).await.starts_with("HTTP/1.1 2"));
    world.end().await;
}

#[tokio::test]
async fn connections_beyond_a_few_are_closed_and_the_others_are_served() {
    let world = world().await;
    let address = world.admin.unwrap();
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut closed = 0;
    for stream in &mut silent {
        let read = stream.read_u8();
        let within = tokio::time::timeout(Duration::from_millis(50), read).await;
        closed += usize::from(matches!(within, Ok(Err(_))));
    }
    assert_eq!(closed, 8);
    drop(silent);
    // The places come free as the server notices.
    while !get(&world, "/healthz").await.starts_with("HTTP/1.1 200") {
        tokio::task::yield_now().await;
    }
    world.end().await;
}

#[tokio::test]
async fn an_admin_address_that_is_taken_is_told_of() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let fault = World::fault(
        &base_with(&format!("listen: {{tcp: '127.0.0.1:0', admin: '{address}'}}\n"))
            .replace("{peer}", "http://127.0.0.1:1"),
    );
    assert!(fault.contains(&format!("admin address {address}")), "{fault}");
}
