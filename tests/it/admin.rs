//! What operators and probes are told, and how little they can ask.

use std::time::Duration;

use sidecall::{
    proto::v1::{Outcome, StatusRequest, sidecall_service_client::SidecallServiceClient},
    telemetry::names,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{Collector, PATIENCE, Reply, Turn, World, tools::base_with};

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
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(64 << 10));
    assert!(!ask(&world, &long).await.starts_with("HTTP/1.1 2"));
    world.end().await;
}

/// A channel as the kubelet dials it: HTTP/2 without TLS.
async fn channel(world: &World) -> Channel {
    let address = format!("http://{}", world.admin.unwrap());
    Channel::from_shared(address).unwrap().connect().await.unwrap()
}

async fn health(world: &World, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel(world).await).check(request).await;
    answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

#[tokio::test]
async fn a_port_without_metrics_tells_health_alone_and_a_collector_all_the_rest() {
    let collector = Collector::start().await;
    let world = World::start(&base_with(&format!(
        "listen:\n  unix: {{path: '{{folder}}/sidecall.sock'}}\n  tcp: 127.0.0.1:0\n  \
         admin: {{address: '127.0.0.1:0', metrics: off}}\n\
         telemetry: {{otlp: {{endpoint: '{}', interval: 20ms}}}}\n",
        collector.url()
    )))
    .await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.run(&Turn::one("read", r#"{"id":"1"}"#)).await;
    let measured = "gen_ai.execute_tool.duration";
    let scopes = |of: &[opentelemetry_proto::tonic::metrics::v1::ResourceMetrics]| {
        let scopes = of.iter().flat_map(|resource| &resource.scope_metrics);
        scopes.flat_map(|scope| &scope.metrics).any(|metric| metric.name == measured)
    };
    collector.measures(scopes).await;

    let answer = get(&world, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.ends_with("There are /healthz and /readyz.\n"), "{answer}");
    let posted = ask(&world, "POST /metrics HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert!(posted.starts_with("HTTP/1.0 404 "), "{posted}");
    for path in ["/healthz", "/readyz"] {
        assert!(get(&world, path).await.starts_with("HTTP/1.1 200 "), "{path}");
    }
    assert_eq!(health(&world, "liveness").await, Ok(ServingStatus::Serving));
    world.end().await;

    // Nothing is measured then where nobody is told.
    let world = World::start(&base_with(
        "listen:\n  unix: {path: '{folder}/sidecall.sock'}\n  tcp: 127.0.0.1:0\n  \
         admin: {address: '127.0.0.1:0', metrics: off}\n",
    ))
    .await;
    assert!(get(&world, "/metrics").await.starts_with("HTTP/1.1 404 "));
    assert!(get(&world, "/readyz").await.starts_with("HTTP/1.1 200 "));
    world.end().await;
}

/// The services that health is asked of.
const READINESS: [&str; 2] = ["", "sidecall.v1.SidecallService"];

#[tokio::test]
async fn a_grpc_probe_is_told_who_takes_turns_and_who_lives() {
    let world = world().await;
    for service in [READINESS[0], READINESS[1], "liveness"] {
        assert_eq!(health(&world, service).await, Ok(ServingStatus::Serving), "{service}");
    }
    for service in ["readiness", "Liveness", "grpc.health.v1.Health"] {
        assert_eq!(health(&world, service).await, Err(Code::NotFound), "{service}");
    }
    let request = HealthCheckRequest::default();
    let mut watched = HealthClient::new(channel(&world).await).watch(request).await.unwrap();
    let first = watched.get_mut().message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);

    world.peer.on("GET /read/1", Reply::hang());
    let running = world.send(&Turn::one("read", r#"{"id":"1"}"#)).await.unwrap();
    world.peer.arrived(1).await;
    world.drain.start();
    let next = watched.get_mut().message().await.unwrap().unwrap();
    assert_eq!(next.status(), ServingStatus::NotServing);
    for service in READINESS {
        // They are told one after the other.
        while health(&world, service).await != Ok(ServingStatus::NotServing) {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(health(&world, "liveness").await, Ok(ServingStatus::Serving));
    let mut rpc = HealthClient::new(world.channel());
    let request = HealthCheckRequest { service: "liveness".to_owned() };
    let answer = rpc.check(request).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    running.hang_up();
    // The watch is cut: it holds the end up no longer than any other connection.
    world.end().await;
}

#[tokio::test]
async fn no_other_rpc_is_answered() {
    let world = world().await;
    let mut client = SidecallServiceClient::new(channel(&world).await);
    let refused = client.status(StatusRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
    let long = "x".repeat(2 << 10);
    assert_eq!(health(&world, &long).await, Err(Code::OutOfRange));
    world.end().await;
}

#[tokio::test]
async fn pages_of_browsers_are_not_answered() {
    let world = World::start(&base_with(
        "listen:\n  unix: {path: '{folder}/sidecall.sock'}\n  tcp: 127.0.0.1:0\n  \
         admin: 127.0.0.1:0\n  admin_hosts: [listed.example]\n",
    ))
    .await;
    for (line, headers, status) in [
        ("/metrics", "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n", 403),
        ("/metrics", "Host: 127.0.0.1\r\nOrigin: null\r\n", 403),
        ("/metrics", "Host: evil.example\r\n", 421),
        ("/healthz", "Host: evil.example:9464\r\n", 421),
        ("/metrics", "Host: 127.0.0.1\r\nHost: evil.example\r\n", 400),
        ("/metrics", "", 400),
        ("http://evil.example/metrics", "Host: 127.0.0.1\r\n", 421),
        ("http://127.0.0.1/metrics", "Host: evil.example\r\n", 421),
        ("http://127.0.0.1/healthz", "Host: 127.0.0.1\r\n", 200),
        ("/healthz", "Host: listed.example:9464\r\n", 200),
        ("/healthz", "Host: sidecall.agents.svc.cluster.local:9464\r\n", 200),
        ("/healthz", "Host: [::1]:9464\r\n", 200),
    ] {
        let request = format!("GET {line} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        let answer = ask(&world, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
        assert!(status == 200 || !answer.contains("sidecall_"), "{answer}");
    }
    assert!(ask(&world, "GET /healthz HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200"));
    world.end().await;
}

/// Whether the server closes it in time.
async fn is_closed(stream: &mut TcpStream, time: Duration) -> bool {
    let read = tokio::time::timeout(time, stream.read_u8()).await;
    matches!(read, Ok(Err(_)))
}

#[tokio::test]
async fn the_oldest_connection_is_closed_for_one_too_many() {
    let world = world().await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(world.admin.unwrap()).await.unwrap());
    }
    // Whoever holds all of them keeps nobody out.
    assert!(get(&world, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert_eq!(health(&world, "").await, Ok(ServingStatus::Serving));
    // The second of the two who asked may have had the place of the first.
    let (first, last) = silent.split_at_mut(10);
    for stream in &mut first[..9] {
        assert!(is_closed(stream, PATIENCE).await);
    }
    for stream in &mut *last {
        assert!(!is_closed(stream, Duration::from_millis(20)).await);
    }
    // Those that ask nothing are closed after a while, one that began included.
    let began = last.last_mut().unwrap();
    began.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    for stream in last {
        let closed = tokio::time::timeout(PATIENCE, stream.read_u8()).await;
        assert!(closed.expect("it stays open").is_err());
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
