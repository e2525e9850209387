//! A caller's trace goes through the batch to every API that it calls.

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use sidecall::proto::v1::Outcome;

use crate::support::{
    Collector, Peer, Reply, Turn, World,
    collector::{Seen, named, one_tree},
    tools::base_with,
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Telemetry to nobody.
fn untraced() -> String {
    base_with("telemetry: {sampling: 1.0}\n")
}

#[tokio::test]
async fn a_trace_does_not_break_at_a_server_that_does_not_trace() {
    let world = World::start(&untraced()).await;
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
    let world = World::start(&untraced()).await;
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
    let spans = collector.spans(4).await;
    let rpc = one_tree(&spans);
    assert_eq!(rpc.name(), "sidecall.v1.SidecallService/ExecuteBatch");
    assert_eq!(rpc.kind(), SpanKind::Server);
    assert_eq!(rpc.trace_id(), PARENT[3..35]);
    assert_eq!(rpc.parent(), PARENT[36..52]);
    assert_eq!(rpc.attribute("rpc.system.name"), "grpc");
    assert_eq!(rpc.attribute("rpc.method"), rpc.name());
    assert_eq!(rpc.attribute("rpc.status_code"), "OK");
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
    assert_eq!(rpc.attribute("rpc.status_code"), "INVALID_ARGUMENT");
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

/// Links of a span: whose ids, and why.
fn links(span: &Seen) -> Vec<(String, String)> {
    let links = span.0.links.iter().cloned();
    let told = links.map(|link| {
        let id = link.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let attributes = link.attributes;
        let as_span = Seen(Span { attributes, ..Span::default() });
        (id, as_span.attribute("sidecall.edge.reason"))
    });
    told.collect()
}

/// A turn with a reference, a failure, what it takes along and a made-up tool.
/// The RPC, the batch, five calls, three attempts.
async fn turn_of_five(world: &World, collector: &Collector) -> Vec<Seen> {
    world.peer.on("GET /read/1", Reply::json(r#"{"id": "canary-7"}"#));
    world.peer.on("GET /read/canary-7", Reply::json("{}"));
    world.peer.on("GET /read/gone", Reply::text(404, "no"));
    let turn = Turn::of([
        ("first", "read", r#"{"id":"1"}"#),
        ("then", "read", r#"{"id":"${first.id}"}"#),
        ("gone", "read", r#"{"id":"gone"}"#),
        ("skipped", "read", r#"{"id":"${gone.id}"}"#),
        ("made_up", "no_such_tool", "{}"),
    ]);
    let metadata = [("traceparent", PARENT)];
    let turn = turn.with_references().session("s-1");
    let ran = world.send_with(&turn, &metadata).await.unwrap().finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 2, "{ran:#?}");
    collector.spans(10).await
}

/// The span of a call.
fn call<'a>(spans: &'a [Seen], id: &str) -> &'a Seen {
    let mut of = spans.iter().filter(|span| span.attribute("gen_ai.tool.call.id") == id);
    of.next().unwrap_or_else(|| panic!("no {id}"))
}

#[tokio::test]
async fn a_turn_is_one_tree_that_says_what_each_call_did() {
    let collector = Collector::start().await;
    let world = World::start(&traced(&collector)).await;
    let spans = turn_of_five(&world, &collector).await;
    let rpc = one_tree(&spans);
    assert_eq!((rpc.kind(), rpc.parent()), (SpanKind::Server, PARENT[36..52].to_owned()));
    let batch = named(&spans, "batch");
    assert_eq!(batch.parent(), rpc.id());
    assert_eq!(batch.attribute("sidecall.batch.width"), "5");
    assert_eq!(batch.attribute("sidecall.batch.depth"), "2");
    assert_eq!(batch.attribute("gen_ai.conversation.id"), "s-1");

    for (id, error, outcome) in [
        ("first", None, "succeeded"),
        ("then", None, "succeeded"),
        ("gone", Some("tool_error"), "failed"),
        ("skipped", Some("dependency_failed"), "skipped"),
        ("made_up", Some("unknown_tool"), "failed"),
    ] {
        let span = call(&spans, id);
        assert_eq!(span.parent(), batch.id(), "{id}");
        assert_eq!(span.kind(), SpanKind::Internal, "{id}");
        assert_eq!(span.attribute("gen_ai.operation.name"), "execute_tool");
        assert_eq!(span.attribute("sidecall.call.outcome"), outcome, "{id}");
        assert_eq!(span.error(), error, "{id}");
        assert_eq!(span.attribute("error.type"), error.unwrap_or_default(), "{id}");
        assert_eq!(span.name() == "execute_tool read", id != "made_up", "{id}");
    }
    let (first, skipped) = (call(&spans, "first"), call(&spans, "skipped"));
    assert_eq!(first.attribute("gen_ai.tool.description"), "Reads a record.");
    assert_eq!(links(call(&spans, "then")), [(first.id(), "${first.id}".to_owned())]);
    assert_eq!(links(skipped)[0].0, call(&spans, "gone").id());
    assert!(skipped.0.start_time_unix_nano < skipped.0.end_time_unix_nano);
    assert!(spans.iter().any(|span| span.attribute("sidecall.critical_path") == "true"));
    assert!(!format!("{spans:?}").contains("canary"), "an input or a result is in a span");
    world.end().await;
}

#[tokio::test]
async fn an_attempt_is_a_client_s_span_and_the_parent_of_what_the_api_does() {
    let collector = Collector::start().await;
    let world = World::start(&traced(&collector)).await;
    let spans = turn_of_five(&world, &collector).await;
    let attempts = spans.iter().filter(|span| span.kind() == SpanKind::Client);
    let gone = call(&spans, "gone").id();
    let mut count = 0;
    for attempt in attempts {
        count += 1;
        assert_eq!(attempt.name(), "GET /read/{id}");
        assert_eq!(attempt.attribute("http.request.method"), "GET");
        assert_eq!(attempt.attribute("url.template"), "/read/{id}");
        assert_eq!(attempt.attribute("server.address"), "127.0.0.1");
        let is_gone = attempt.parent() == gone;
        let status = if is_gone { "404" } else { "200" };
        assert_eq!(attempt.attribute("http.response.status_code"), status);
        assert_eq!(attempt.attribute("error.type"), if is_gone { "404" } else { "" });
        if is_gone {
            let sent = world.peer.only("GET /read/gone").header("traceparent").to_owned();
            assert_eq!(sent, format!("00-{}-{}-01", attempt.trace_id(), attempt.id()));
        }
    }
    assert_eq!(count, 3);
    world.end().await;
}

#[tokio::test]
async fn each_attempt_and_the_wait_between_them_is_a_span() {
    let collector = Collector::start().await;
    let retries = traced(&collector)
        .replace("url: \"{peer}\"", "url: \"{peer}\", retry: {base: 20ms, max: 20ms}");
    let world = World::start(&retries).await;
    let script = std::sync::atomic::AtomicU32::new(0);
    world.peer.script("GET /read/1", move |_| {
        match script.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Reply::text(503, "no").header("retry-after", "0"),
            _ => Reply::json("{}"),
        }
    });
    let ran = world.run(&Turn::one("read", r#"{"id":"1"}"#)).await;
    assert_eq!(ran.count(Outcome::Succeeded), 1, "{ran:#?}");
    let spans = collector.spans(5).await;
    one_tree(&spans);
    let mut attempts: Vec<_> =
        spans.iter().filter(|span| span.kind() == SpanKind::Client).collect();
    attempts.sort_by_key(|span| span.0.start_time_unix_nano);
    let told: Vec<_> = attempts
        .iter()
        .map(|span| {
            let status = span.attribute("http.response.status_code");
            (status, span.attribute("http.request.resend_count"), span.error())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("503".to_owned(), String::new(), Some("unavailable")),
            ("200".to_owned(), "1".to_owned(), None)
        ]
    );
    let ids: Vec<_> = attempts.iter().map(|span| format!("{}-01", span.id())).collect();
    let sent = world.peer.log();
    for (arrival, id) in sent.iter().zip(ids) {
        assert!(arrival.header("traceparent").ends_with(&id), "each carries its own span");
    }
    world.end().await;
}

#[tokio::test]
async fn a_wait_for_tokens_is_told_from_a_wait_for_a_place() {
    let collector = Collector::start().await;
    let limited = traced(&collector).replace("url: \"{peer}\"", "url: \"{peer}\", rate: 50/s");
    let world = World::start(&limited).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::of([("a", "read", r#"{"id":"1"}"#), ("b", "read", r#"{"id":"2"}"#)]);
    world.run(&turn).await;
    let spans = collector.spans(7).await;
    one_tree(&spans);
    let wait = named(&spans, "wait for tokens");
    assert_eq!(wait.attribute("sidecall.wait.kind"), "tokens");
    let call = spans.iter().find(|span| span.id() == wait.parent()).unwrap();
    let seconds: f64 = call.attribute("sidecall.wait.tokens").parse().unwrap();
    assert!(seconds > 0.001, "{seconds}");
    world.end().await;
}

#[tokio::test]
async fn where_a_result_came_from_is_on_its_span() {
    let collector = Collector::start().await;
    let yaml = traced(&collector)
        .replace("  read:\n", "  read:\n    fallback: {tier: unknown}\n    cache: {ttl: 1h}\n")
        .replace("url: \"{peer}\"", "url: \"{peer}\", retry: {attempts: 1}");
    let world = World::start(&yaml).await;
    world.peer.on("GET /read/1", Reply::json("{}"));
    world.peer.on("GET /read/gone", Reply::text(503, "no"));
    let turn = Turn::of([
        ("runs", "read", r#"{"id":"1"}"#),
        ("shares", "read", r#"{"id":"1"}"#),
        ("falls_back", "read", r#"{"id":"gone"}"#),
    ]);
    world.run(&turn).await;
    world.run(&Turn::of([("is_kept", "read", r#"{"id":"1"}"#)])).await;
    // Two RPCs, two batches, four calls, two attempts.
    let spans = collector.spans(10).await;
    for (id, source) in [
        ("runs", "executed"),
        ("shares", "shared"),
        ("falls_back", "fallback"),
        ("is_kept", "cached"),
    ] {
        let span = call(&spans, id);
        assert_eq!(span.attribute("sidecall.call.source"), source, "{id}");
        assert_eq!(span.error(), None, "{id}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_call_that_is_cancelled_has_its_spans() {
    let collector = Collector::start().await;
    let world = World::start(&traced(&collector)).await;
    world.peer.on("GET /read/1", Reply::hang());
    let running = world.send(&Turn::one("read", r#"{"id":"1"}"#)).await.unwrap();
    world.peer.arrived(1).await;
    running.hang_up();
    let spans = collector.spans(4).await;
    one_tree(&spans);
    let rpc = named(&spans, "sidecall.v1.SidecallService/ExecuteBatch");
    assert_eq!(rpc.attribute("rpc.status_code"), "CANCELLED");
    let call = named(&spans, "execute_tool read");
    assert_eq!(call.error(), Some("cancelled"));
    let attempt = named(&spans, "GET /read/{id}");
    assert_eq!(attempt.error(), Some("cancelled"));
    assert_eq!(attempt.attribute("http.response.status_code"), "", "there was no answer");
    world.end().await;
}
