//! A caller's trace goes through the batch to every API that it calls.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use sidecall::proto::v1::Outcome;

use crate::support::{
    Collector, Peer, Reply, Turn, World,
    tools::{BASE, base_with},
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn a_trace_does_not_break_at_a_server_that_does_not_trace() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::of([("a", "read", r#"{"id":"1"}"#), ("b", "read", r#"{"id":"2"}"#)]);
    let metadata = [("traceparent", PARENT), ("tracestate", "v=1"), ("baggage", "user=7")];
    let ran = world.send_with(&turn, &metadata).await.unwrap().finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 2, "{ran:#?}");
    let log = world.peer.log();
    assert_eq!(log.len(), 2);
    for arrival in log {
        for (name, value) in metadata {
            assert_eq!(arrival.header(name), value, "{}", arrival.line);
        }
    }
    world.end().await;
}

#[tokio::test]
async fn nothing_is_made_up_for_a_caller_that_does_not_trace() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::of([("a", "read", r#"{"id":"1"}"#)]);
    let metadata = [("traceparent", "no trace"), ("tracestate", "v=1")];
    let ran = world.send_with(&turn, &metadata).await.unwrap().finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 1, "{ran:#?}");
    for name in ["traceparent", "tracestate", "baggage"] {
        assert_eq!(world.peer.log()[0].header(name), "");
    }
    world.end().await;
}

/// Telemetry to `collector`, and quickly.
fn traced(collector: &Collector) -> String {
    let url = collector.url();
    base_with(&format!("telemetry: {{otlp: {{endpoint: '{url}', delay: 10ms}}}}\n"))
}

#[tokio::test]
async fn an_rpc_is_a_span_within_its_caller_s() {
    let collector = Collector::start().await;
    let world = World::start(&traced(&collector)).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::one("read", r#"{"id":"1"}"#);
    let metadata = [("traceparent", PARENT)];
    let ran = world.send_with(&turn, &metadata).await.unwrap().finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 1, "{ran:#?}");
    let spans = collector.spans(1).await;
    let rpc = &spans[0];
    assert_eq!(rpc.name(), "sidecall.v1.SidecallService/ExecuteBatch");
    assert_eq!(rpc.kind(), SpanKind::Server);
    assert_eq!(rpc.trace_id(), PARENT[3..35]);
    assert_eq!(rpc.parent(), PARENT[36..52]);
    assert_eq!(rpc.attribute("rpc.system.name"), "grpc");
    assert_eq!(rpc.attribute("rpc.method"), rpc.name());
    assert_eq!(rpc.attribute("rpc.response.status_code"), "OK");
    assert_eq!(rpc.error(), None);
    assert_eq!(collector.resource()["service.name"], "sidecall");
    world.end().await;
}

#[tokio::test]
async fn an_rpc_that_is_refused_has_its_status() {
    let collector = Collector::start().await;
    let world = World::start(&traced(&collector)).await;
    world.refusal(&Turn::default()).await;
    let rpc = collector.spans(1).await.remove(0);
    assert_eq!(rpc.attribute("rpc.response.status_code"), "INVALID_ARGUMENT");
    assert_eq!(rpc.error(), None, "it is the caller's fault");
    assert_eq!(rpc.parent(), "", "a trace of its own");
    world.end().await;
}

#[tokio::test]
async fn what_waits_at_the_end_is_still_sent() {
    let collector = Collector::start().await;
    let world = World::start(&traced(&collector).replace("10ms", "1h")).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.run(&Turn::one("read", r#"{"id":"1"}"#)).await;
    assert!(collector.all().is_empty());
    world.end().await;
    assert!(!collector.all().is_empty());
}

#[tokio::test]
async fn a_collector_is_sent_the_headers_that_it_wants_and_no_others_see_them() {
    let collector = Collector::start().await;
    let headers = "headers: {Authorization: {file: '{folder}/key'}}, ";
    let yaml = traced(&collector).replace("otlp: {", &format!("otlp: {{{headers}"));
    let peer = Peer::start().await;
    let world = World::start_in_folder(peer, &yaml, |folder| {
        std::fs::write(folder.join("key"), "Bearer canary\n").unwrap();
    })
    .await;
    world.refusal(&Turn::default()).await;
    collector.spans(1).await;
    assert_eq!(collector.header("authorization").as_deref(), Some("Bearer canary"));
    assert!(!format!("{:?}", collector.all()).contains("canary"));
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_is_not_sampled_stays_so_down_to_the_api() {
    let collector = Collector::start().await;
    let world = World::start(&traced(&collector)).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::one("read", r#"{"id":"1"}"#);
    let unsampled = PARENT.replace("-01", "-00");
    let metadata = [("traceparent", unsampled.as_str()), ("tracestate", "v=1")];
    world.send_with(&turn, &metadata).await.unwrap().finish().await;
    let sent = world.peer.log()[0].clone();
    assert_eq!(sent.header("traceparent")[..36], unsampled[..36]);
    assert!(sent.header("traceparent").ends_with("-00"));
    assert_eq!(sent.header("tracestate"), "v=1");
    world.end().await;
    assert!(collector.all().is_empty());
}
