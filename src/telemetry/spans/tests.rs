//! From what was recorded to spans, in paused time.

use std::collections::BTreeMap;

use http::HeaderMap;
use tokio::time::advance;

use super::*;
use crate::{
    clock,
    model::{BatchId, CallId, CallResult, Content, Failure, FailureCode, SessionId, Timings},
    telemetry::{
        outgoing::{self, Target},
        propagate::Context,
        queue::Items,
        record::{Batch, Stage},
        tracer::Tracer,
    },
};

mod chosen;
mod times;

const MS: fn(u64) -> Duration = Duration::from_millis;
/// Nothing is captured.
const NOTHING: fn() -> capture::Settings = capture::Settings::default;
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn caller(traceparent: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", traceparent.parse().unwrap());
    headers
}

fn result(index: usize, tool: &str, failure: Option<FailureCode>) -> CallResult {
    CallResult {
        index,
        call_id: CallId::try_new(format!("toolu_{index}")).unwrap(),
        tool: tool.into(),
        outcome: if failure.is_some() { Outcome::Failed } else { Outcome::Succeeded },
        source: failure.is_none().then_some(Source::Executed),
        content: vec![Content::Text("canary".into())],
        failure: failure.map(|code| Failure::new(code, "canary in a message")),
        timings: Timings { throttled: MS(7), ..Timings::default() },
        attempts: Vec::new(),
        truncation: None,
    }
}

fn begin(tracer: &Tracer, calls: usize) -> Box<Batch> {
    let ids = (BatchId::try_new("b-1").unwrap(), Some(SessionId::try_new("s-1").unwrap()));
    tracer.batch(&Context::of(&caller(PARENT)), ids, calls, clock::now()).1.unwrap()
}

fn maker(capture: capture::Settings) -> Maker {
    let tool = Tool {
        name: "get".into(),
        description: "Gets.".into(),
        api: "crm".into(),
        kind: "extension",
    };
    Maker::new(&[tool], (capture, Secrets::new(["canary-known"])))
}

/// Every span that the tracer has handed over; what its attributes are called, and
/// of which type they are, is as the conventions have it.
fn spans(items: &mut Items) -> Vec<SpanData> {
    made(items, NOTHING())
}

/// The same with what these settings capture.
fn made(items: &mut Items, capture: capture::Settings) -> Vec<SpanData> {
    let maker = maker(capture);
    let mut spans = Vec::new();
    while let Some(item) = items.try_recv() {
        let made: Vec<_> = maker.spans(&item).collect();
        assert!(made.len() <= item.spans_max(), "room was kept for each");
        made.iter().for_each(names::tests::assert_span);
        spans.extend(made);
    }
    spans
}

fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    span.attributes.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
}

fn named<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().unwrap_or_else(|| panic!("no {name} in {spans:#?}"));
    assert!(found.next().is_none(), "{name} twice");
    span
}

/// How long it took, but for the moment that none is told to be shorter than.
fn length(span: &SpanData) -> Duration {
    span.end_time.duration_since(span.start_time).unwrap().checked_sub(MOMENT).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_s_time_is_told_piece_by_piece() {
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &NOTHING());
    let mut batch = begin(&tracer, 1);
    batch.ready(0, clock::now());
    batch.enters(0, Stage::Locking, clock::now());
    advance(MS(5)).await;
    batch.enters(0, Stage::Queued, clock::now());
    advance(MS(30)).await;
    batch.was_throttled(0, MS(20), clock::now());
    batch.attempts(0, 1, clock::now());
    advance(MS(40)).await;
    batch.leaves(0, Some(FailureCode::Unavailable), clock::now());
    batch.enters(0, Stage::BackingOff, clock::now());
    advance(MS(50)).await;
    batch.enters(0, Stage::Queued, clock::now());
    let outgoing = batch.attempts(0, 2, clock::now());
    outgoing.goes_to(&Arc::new(Target::Http(outgoing::Http {
        method: "GET".into(),
        template: "/x/{id}".into(),
        url: "http://a:1/x/{id}".into(),
        address: "a".into(),
        port: 1,
    })));
    outgoing.was_answered(200);
    advance(MS(60)).await;
    batch.ends(&result(0, "get", None), clock::now());
    batch.end(&[0], Vec::new(), 1, clock::now());

    let spans = spans(&mut items);
    let names: Vec<_> = spans.iter().map(|span| (&*span.name, length(span))).collect();
    assert_eq!(
        names,
        [
            ("batch", MS(185)),
            ("execute_tool get", MS(185)),
            ("wait for locks", MS(5)),
            ("wait for a place", MS(10)),
            ("wait for tokens", MS(20)),
            ("attempt", MS(40)),
            ("back off", MS(50)),
            ("GET /x/{id}", MS(60)),
        ]
    );
    let (batch, call) = (&spans[0], &spans[1]);
    assert_eq!(call.parent_span_id, batch.span_context.span_id());
    for piece in &spans[2..] {
        assert_eq!(piece.parent_span_id, call.span_context.span_id(), "{}", piece.name);
    }
    let sent = attributes(&spans[7]);
    assert_eq!(sent["http.request.resend_count"], "1");
    assert_eq!(sent["http.response.status_code"], "200");
    assert_eq!((&sent["server.address"][..], &sent["server.port"][..]), ("a", "1"));
    assert_eq!(spans[7].span_kind, SpanKind::Client);
    let failed = &spans[5];
    assert_eq!(attributes(failed)["error.type"], "unavailable");
    assert_eq!(failed.status, Status::error("unavailable"));
}

#[tokio::test(start_paused = true)]
async fn a_trace_is_the_caller_s_and_has_no_orphan() {
    let (tracer, mut items, room) = Tracer::new(0.0, 100, &NOTHING());
    let (context, rpc) = tracer.rpc(&caller(PARENT), "a.B/C");
    let ids = (BatchId::try_new("b-1").unwrap(), None);
    let mut batch = tracer.batch(&context, ids, 1, clock::now()).1.unwrap();
    batch.ready(0, clock::now());
    batch.attempts(0, 1, clock::now());
    batch.ends(&result(0, "get", None), clock::now());
    batch.end(&[], Vec::new(), 1, clock::now());
    let mut rpc = rpc.unwrap();
    rpc.has_status("OK");
    drop(rpc);

    let spans = spans(&mut items);
    assert_eq!(spans.len(), 4);
    assert_eq!(room.waiting(), 4);
    let ids: Vec<_> = spans.iter().map(|span| span.span_context.span_id()).collect();
    for span in &spans {
        let trace = span.span_context.trace_id().to_string();
        assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
        let is_root = span.parent_span_id.to_string() == "b7ad6b7169203331";
        assert_eq!(is_root, span.name == "a.B/C", "{}", span.name);
        assert!(is_root || ids.contains(&span.parent_span_id), "{} is an orphan", span.name);
    }
    let server = named(&spans, "a.B/C");
    assert_eq!(server.span_kind, SpanKind::Server);
    assert!(server.parent_span_is_remote);
    assert_eq!(attributes(server)["rpc.status_code"], "OK");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_by_its_code_and_nothing_that_came_from_outside_is() {
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &NOTHING());
    let mut batch = begin(&tracer, 2);
    batch.ends(&result(0, "get", Some(FailureCode::ToolError)), clock::now());
    batch.ends(&result(1, "made_up", Some(FailureCode::UnknownTool)), clock::now());
    let edge = Edge { from: 0, to: 1, kind: "reference", reason: "${get.id}".into() };
    batch.end(&[0], vec![edge], 2, clock::now());

    let spans = spans(&mut items);
    let call = named(&spans, "execute_tool get");
    let of_call = attributes(call);
    assert_eq!(of_call["error.type"], "tool_error");
    assert_eq!(call.status, Status::error("tool_error"));
    assert_eq!(of_call["sidecall.critical_path"], "true");
    assert_eq!(of_call["sidecall.wait.tokens"], "0.007");
    for (name, value) in [
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "get"),
        ("gen_ai.tool.call.id", "toolu_0"),
        ("gen_ai.tool.type", "extension"),
        ("gen_ai.tool.description", "Gets."),
    ] {
        assert_eq!(of_call[name], value);
    }
    // No span is named by what a model made up.
    let unknown = named(&spans, "execute_tool");
    assert_eq!(attributes(unknown)["sidecall.critical_path"], "false");
    let [link] = unknown.links.links.as_slice() else { panic!("{:?}", unknown.links) };
    assert_eq!(link.span_context.span_id(), call.span_context.span_id());
    assert_eq!(link.attributes[1], KeyValue::new("sidecall.edge.reason", "${get.id}"));
    assert!(!format!("{spans:?}").contains("canary"));
}

#[tokio::test(start_paused = true)]
async fn waits_of_less_than_a_millisecond_are_no_spans() {
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &NOTHING());
    let mut batch = begin(&tracer, 1);
    batch.enters(0, Stage::Queued, clock::now());
    advance(Duration::from_micros(900)).await;
    batch.attempts(0, 1, clock::now());
    batch.ends(&result(0, "get", None), clock::now());
    batch.end(&[], Vec::new(), 1, clock::now());
    let spans = spans(&mut items);
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["batch", "execute_tool get", "attempt"]);
}

#[test]
fn who_is_sampled_is_the_caller_s_choice_and_else_the_ratio_s() {
    let unsampled = PARENT.replace("-01", "-00");
    for ratio in [0.0, 1.0] {
        let (tracer, _items, _) = Tracer::new(ratio, 10, &NOTHING());
        assert!(tracer.rpc(&caller(PARENT), "m").1.is_some());
        let (context, rpc) = tracer.rpc(&caller(&unsampled), "m");
        assert!(rpc.is_none());
        let parent = context.parent.unwrap();
        assert!(!parent.is_sampled() && !parent.is_remote(), "what follows is not sampled either");
        assert_eq!(tracer.rpc(&HeaderMap::new(), "m").1.is_some(), ratio > 0.5);
    }
    let (tracer, _items, _) = Tracer::new(0.25, 10_000, &NOTHING());
    let taken = (0..10_000).filter(|_| tracer.rpc(&HeaderMap::new(), "m").1.is_some()).count();
    assert!((2_000..3_000).contains(&taken), "{taken} of 10,000");
}

#[test]
fn what_finds_no_room_is_dropped_whole_and_counted() {
    let (tracer, mut items, room) = Tracer::new(1.0, 3, &NOTHING());
    let wide = begin(&tracer, 4);
    wide.end(&[], Vec::new(), 1, clock::now());
    assert_eq!((room.dropped(), room.waiting()), (5, 0));
    let kept: Vec<_> = (0..3).map(|_| tracer.rpc(&HeaderMap::new(), "m").1.unwrap()).collect();
    assert!(tracer.rpc(&HeaderMap::new(), "m").1.is_none(), "there is no room for a fourth");
    assert_eq!(room.dropped(), 6);
    drop(kept);
    assert_eq!(spans(&mut items).len(), 3);
}

#[test]
fn nothing_is_recorded_within_an_rpc_that_found_no_room() {
    let (tracer, mut items, room) = Tracer::new(1.0, 1, &NOTHING());
    for headers in [HeaderMap::new(), caller(PARENT)] {
        let (_, kept) = tracer.rpc(&HeaderMap::new(), "m");
        let (context, none) = tracer.rpc(&headers, "m");
        assert!(none.is_none() && kept.is_some());
        // There is room again once the batch comes.
        drop(kept);
        assert_eq!(spans(&mut items).len(), 1);
        room.give_back(1);
        let ids = (BatchId::try_new("b-1").unwrap(), None);
        let (context, record) = tracer.batch(&context, ids, 1, clock::now());
        assert!(record.is_none(), "an orphan");
        let parent = context.parent.unwrap();
        assert!(!parent.is_sampled(), "nor does anybody else record one");
    }
    assert_eq!((room.dropped(), tracer.refused(), room.waiting()), (2, 2, 0));
}

/// What is captured, in so many bytes.
fn captured(bytes_max: usize) -> capture::Settings {
    let bytes_max = std::num::NonZeroUsize::new(bytes_max).unwrap();
    capture::Settings { inputs: true, results: true, bytes_max, ..NOTHING() }
}

#[test]
fn inputs_and_results_are_told_where_somebody_asked_for_them() {
    let settings = captured(100);
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &settings);
    let mut batch = begin(&tracer, 2);
    batch.takes(0, r#"{"id": 7, "token": "canary"}"#);
    batch.takes(0, "what is said later is passed over");
    batch.ends(&result(0, "get", None), clock::now());
    batch.ends(&result(1, "get", Some(FailureCode::ToolError)), clock::now());
    let edges = ["resource", "reference"].map(|kind| {
        let reason = "both write order/7 of canary-known".into();
        Edge { from: 0, to: 1, kind, reason }
    });
    batch.end(&[], edges.to_vec(), 1, clock::now());
    let spans = made(&mut items, settings);
    let first = attributes(&spans[1]);
    let (input, result) = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result");
    assert_eq!(first[input], r#"{"id": 7, "token": "[redacted]"}"#);
    assert_eq!(first[result], "canary");
    let second = attributes(&spans[2]);
    assert!(!second.contains_key(input), "nothing was said of it");
    assert!(!second.contains_key(result), "a failure is told by its code");
    for link in &spans[2].links.links {
        assert_eq!(link.attributes[1].value.as_str(), "both write order/7 of [redacted]");
    }
}

#[test]
fn a_resource_is_not_named_where_inputs_are_not_captured() {
    let (tracer, mut items, _) = Tracer::new(1.0, 100, &NOTHING());
    let mut batch = begin(&tracer, 2);
    batch.takes(0, "canary");
    (0..2).for_each(|call| batch.ends(&result(call, "get", None), clock::now()));
    let edge = Edge { from: 0, to: 1, kind: Edge::RESOURCE, reason: "both write canary".into() };
    batch.end(&[], vec![edge], 1, clock::now());
    let spans = spans(&mut items);
    assert_eq!(spans[2].links.links[0].attributes[1].value.as_str(), "the same resource");
    assert!(!format!("{spans:?}").contains("canary"));
}

#[test]
fn what_was_captured_takes_room_and_goes_before_the_trace_does() {
    let settings = captured(8192);
    let (tracer, mut items, room) = Tracer::new(1.0, 7, &settings);
    let end = |input: &str| {
        let mut batch = begin(&tracer, 1);
        batch.takes(0, input);
        batch.end(&[], Vec::new(), 1, clock::now());
    };
    end(&"x".repeat(10_000));
    assert_eq!(room.waiting(), 2, "eight KiB more do not fit, the batch and its call do");
    end(&"x".repeat(1500));
    assert_eq!((room.waiting(), room.dropped()), (2 + 2 + 2, 0), "two begun KiB");
    end("");
    assert_eq!((room.waiting(), room.dropped()), (6, 2));
    let mut weights = Vec::new();
    while let Some(item) = items.try_recv() {
        weights.push(item.weight());
    }
    assert_eq!(weights, [2, 4]);
}
