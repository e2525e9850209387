//! One `execute_tool` span for each call, in its caller's trace, whatever becomes of
//! it; and a world that leaves one open does not end well.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::Mutex,
    time::Duration,
};

use futures_util::FutureExt;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use sidecall::{
    clock,
    model::{BatchId, CallId, CallResult, Content, Outcome as Ended, Source as Of, Timings},
    proto::v1::{CancelBatchRequest, FailureCode, Outcome, Source, batch_event::Event},
    telemetry::{propagate::Context, record::Stage},
};

use crate::support::{
    Collector, Gate, Reply, Turn, World,
    collector::{Seen, named_as},
    tools::{BASE, base_with},
    whole,
};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const TOOLS: &str = r#"
apis:
  crm:
    url: "{peer}"
    retry: {base: 1ms, max: 1ms, attempts: 3, budget: 100}
    breaker: off
    ordering: none
tools:
  read:
    description: Reads a record.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: "/read/{id}"}
  keep:
    description: Reads what holds for a while.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: "/keep/{id}"}
    cache: {ttl: 1h}
  fall:
    description: Reads what can be done without.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: "/busy/{id}"}
    fallback: {tier: unknown}
  write:
    description: Writes a record.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, post: "/write/{id}"}
"#;

/// Calls of each ending.
const EACH: usize = 5;

/// Every ending: its name, the tool, the input of its calls (`~` is the call's
/// number), what comes of it, where from, and why not.
type Ending = (&'static str, &'static str, &'static str, Outcome, Source, FailureCode);

const ENDINGS: [Ending; 13] = {
    use FailureCode::{
        Cancelled, DeadlineExceeded, DependencyFailed, InvalidInput, OutcomeUnknown, ToolError,
        Unavailable, UnknownTool, Unspecified as Well,
    };
    use Outcome::{Failed, Skipped, Succeeded};
    use Source::{Cached, Executed, Fallback, Shared, Unspecified as Nowhere};
    [
        ("runs", "read", r#"{"id":"runs~"}"#, Succeeded, Executed, Well),
        ("recovers", "read", r#"{"id":"recovers~"}"#, Succeeded, Executed, Well),
        ("shares", "read", r#"{"id":"runs0"}"#, Succeeded, Shared, Well),
        ("is_kept", "keep", r#"{"id":"n~"}"#, Succeeded, Cached, Well),
        ("falls_back", "fall", r#"{"id":"n~"}"#, Succeeded, Fallback, Well),
        ("gives_up", "read", r#"{"id":"busy~"}"#, Failed, Nowhere, Unavailable),
        ("is_refused", "read", r#"{"id":"gone~"}"#, Failed, Nowhere, ToolError),
        ("is_skipped", "read", r#"{"id":"after~"}"#, Skipped, Nowhere, DependencyFailed),
        ("is_made_up", "no_such_tool_~", "{}", Failed, Nowhere, UnknownTool),
        ("is_wrong", "read", r#"{"id":7}"#, Failed, Nowhere, InvalidInput),
        ("is_late", "read", r#"{"id":"late~"}"#, Failed, Nowhere, DeadlineExceeded),
        ("is_cancelled", "read", r#"{"id":"never~"}"#, Outcome::Cancelled, Nowhere, Cancelled),
        ("is_lost", "write", r#"{"id":"lost~"}"#, Failed, Nowhere, OutcomeUnknown),
    ]
};

/// A turn with calls of every ending.
fn turn_of_all() -> Turn {
    let calls = ENDINGS.iter().flat_map(|(ending, tool, input, ..)| {
        (0..EACH).map(move |number| {
            let of = |text: &str| text.replace('~', &number.to_string());
            (format!("{ending}{number}"), of(tool), of(input))
        })
    });
    let mut turn = Turn::of(calls).batch_id("all");
    for (place, (ending, ..)) in ENDINGS.iter().enumerate() {
        for number in 0..EACH {
            let index = place * EACH + number;
            turn = match *ending {
                "is_skipped" => turn.depends_on(index, &[&format!("is_refused{number}")]),
                "is_late" => turn.call(index, |call| {
                    call.timeout = Some(Duration::from_millis(400).try_into().unwrap());
                }),
                _ => turn,
            };
        }
    }
    turn
}

/// An API that has an answer for each.
async fn world(collector: &Collector) -> World {
    let telemetry =
        format!("telemetry: {{otlp: {{endpoint: '{}', delay: 10ms}}}}", collector.url());
    let world = World::start(&format!("{TOOLS}{telemetry}\n")).await;
    let asked_before = Mutex::new(BTreeSet::new());
    world
        .peer
        .on("GET /read/runs*", Reply::json("{}"))
        .script("GET /read/recovers*", move |arrival| {
            match asked_before.lock().unwrap().insert(arrival.line.clone()) {
                true => Reply::text(503, "restarting"),
                false => Reply::json("{}"),
            }
        })
        .on("GET /read/busy*", Reply::text(503, "busy"))
        .on("GET /read/gone*", Reply::text(404, "gone"))
        .on("GET /read/late*", Reply::hang())
        .on("GET /read/never*", Reply::hang())
        .on("GET /keep/*", Reply::json("{}"))
        .on("GET /busy/*", Reply::text(503, "busy"))
        .on("POST /write/*", Reply::cut());
    world
}

/// `OUTCOME_SUCCEEDED` is `succeeded` in a span, and what is unspecified is not there.
fn told(name: &str, prefix: &str) -> String {
    let word = name.strip_prefix(prefix).unwrap().to_lowercase();
    if word == "unspecified" { String::new() } else { word }
}

/// Incident 29: spans were missing, orphaned or split in two.
#[tokio::test]
async fn each_call_has_one_span_in_its_caller_s_trace_however_it_ends() {
    let collector = Collector::start().await;
    let world = world(&collector).await;
    let kept =
        (0..EACH).map(|n| (format!("k{n}"), "keep".to_owned(), format!(r#"{{"id":"n{n}"}}"#)));
    world.run(&Turn::of(kept)).await;
    let before = world.peer.log().len();

    let mut running = world.send_with(&turn_of_all(), &[("traceparent", CALLER)]).await.unwrap();
    let calls = ENDINGS.len() * EACH;
    for _ in 0..calls - EACH {
        running.until(|event| matches!(event, Event::CallFinished(_))).await;
    }
    let all = CancelBatchRequest { batch_id: "all".to_owned(), call_ids: Vec::new() };
    let cancelled = world.client().cancel_batch(all).await.unwrap().into_inner();
    assert_eq!(cancelled.call_ids.len(), EACH);
    let ran = running.finish().await;
    let arrivals = world.peer.log().split_off(before);
    world.end().await;

    let spans = collector.all();
    assert_eq!(whole::faults(&spans), [""; 0]);
    let of_caller: Vec<_> =
        spans.into_iter().filter(|span| span.trace_id() == CALLER[3..35]).collect();
    let rpc = named_as(&of_caller, "sidecall.v1.SidecallService/ExecuteBatch");
    let batch = named_as(&of_caller, "batch");
    assert_eq!((rpc.len(), batch.len()), (1, 1));
    assert_eq!((rpc[0].parent(), batch[0].parent()), (CALLER[36..52].to_owned(), rpc[0].id()));

    let mut by_call: BTreeMap<String, Vec<&Seen>> = BTreeMap::new();
    for span in &of_caller {
        if span.attribute("gen_ai.operation.name") == "execute_tool" {
            by_call.entry(span.attribute("gen_ai.tool.call.id")).or_default().push(span);
        }
    }
    assert_eq!(by_call.len(), calls);
    for (ending, _, _, outcome, source, code) in ENDINGS {
        for number in 0..EACH {
            let id = format!("{ending}{number}");
            let [span] = by_call[&id][..] else { panic!("{id}: {:#?}", by_call[&id]) };
            let result = ran.result(&id);
            let failed = result.failure.as_ref().map_or(FailureCode::Unspecified, |f| f.code());
            assert_eq!(
                (result.outcome(), result.source(), failed),
                (outcome, source, code),
                "{id}"
            );
            assert_eq!(span.parent(), batch[0].id(), "{id}");
            assert_eq!(span.kind(), SpanKind::Internal, "{id}");
            let attribute = |name| span.attribute(name);
            assert_eq!(attribute("sidecall.call.outcome"), told(outcome.as_str_name(), "OUTCOME_"));
            assert_eq!(attribute("sidecall.call.source"), told(source.as_str_name(), "SOURCE_"));
            let code = told(code.as_str_name(), "FAILURE_CODE_");
            assert_eq!(attribute("error.type"), code, "{id}");
            assert_eq!(span.error().unwrap_or_default(), code, "{id}");
        }
    }
    assert_attempts(&of_caller, arrivals.iter().map(|arrival| arrival.header("traceparent")));
}

/// Each request came as a span of its own, and none of the others is missing.
#[track_caller]
fn assert_attempts<'a>(spans: &[Seen], came: impl Iterator<Item = &'a str>) {
    let attempts = spans.iter().filter(|span| span.kind() == SpanKind::Client);
    let ids: BTreeSet<_> =
        attempts.map(|span| format!("00-{}-{}-01", span.trace_id(), span.id())).collect();
    let came: Vec<_> = came.map(str::to_owned).collect();
    let distinct: BTreeSet<_> = came.iter().cloned().collect();
    assert_eq!(distinct.len(), came.len(), "two requests of one span");
    assert!(distinct.is_subset(&ids), "requests without a span");
    // 5 of each: run, late, cancelled, refused and lost; recovers takes 2, and what is
    // never well 3.
    assert_eq!(ids.len(), EACH * (5 + 2 + 2 * 3));
}

fn ids() -> (BatchId, Option<sidecall::model::SessionId>) {
    (BatchId::try_new("leaks").unwrap(), None)
}

/// What it says, where it does not end well.
async fn fault(world: World) -> Option<String> {
    let panic = AssertUnwindSafe(world.end()).catch_unwind().await.err()?;
    Some(panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

#[tokio::test]
async fn a_batch_that_is_never_ended_fails_the_test_that_leaves_it() {
    let world = World::start(BASE).await;
    let tracer = world.tracer.clone().unwrap();
    drop(tracer.batch(&Context::default(), ids(), 3, clock::now()));
    assert_eq!(tracer.spans_open(), 1);
    let fault = fault(world).await.unwrap();
    assert!(fault.contains("spans are left open"), "{fault}");
}

#[tokio::test]
async fn an_rpc_that_is_still_open_fails_the_test_that_leaves_it() {
    let world = World::start(BASE).await;
    let open = world.tracer.clone().unwrap().rpc(&http::HeaderMap::new(), "m");
    assert!(fault(world).await.unwrap().contains("spans are left open"));
    drop(open);
}

#[tokio::test]
async fn a_call_that_is_left_out_of_its_batch_fails_the_test_that_leaves_it() {
    let (ends, stays_in_what_it_does) = (result(0), result(1));
    for open in [false, true] {
        let world = World::start(BASE).await;
        let tracer = world.tracer.clone().unwrap();
        let now = clock::now();
        let mut batch = tracer.batch(&Context::default(), ids(), 2, now).1.unwrap();
        batch.ends(&ends, now);
        if open {
            batch.ends(&stays_in_what_it_does, now);
            batch.enters(1, Stage::Queued, now);
        }
        batch.end(&[], Vec::new(), 1, now);
        assert_eq!(tracer.spans_open(), 1);
        assert!(fault(world).await.unwrap().contains("spans are left open"));
    }
}

#[tokio::test]
async fn a_span_without_its_parent_fails_the_test_that_makes_it() {
    let world = World::start(BASE).await;
    let tracer = world.tracer.clone().unwrap();
    let now = clock::now();
    // No RPC is around it.
    let mut batch = tracer.batch(&Context::default(), ids(), 1, now).1.unwrap();
    batch.ends(&result(0), now);
    batch.end(&[], Vec::new(), 1, now);
    let fault = fault(world).await.unwrap();
    assert!(fault.contains("batch stands in None, not in sidecall.v1."), "{fault}");
}

#[tokio::test]
async fn a_turn_whose_rpc_finds_no_room_is_in_no_trace() {
    let collector = Collector::start().await;
    let otlp = format!("{{endpoint: '{}', delay: 1ms, queue: 5}}", collector.url());
    let world = World::start(&base_with(&format!("telemetry: {{otlp: {otlp}}}\n"))).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let tracer = world.tracer.clone().unwrap();
    let others: Vec<_> =
        (0..5).map(|_| tracer.rpc(&http::HeaderMap::new(), "m").1.unwrap()).collect();
    let running = world.send(&Turn::one("read", r#"{"id":"1"}"#)).await.unwrap();
    world.peer.arrived(1).await;
    // By its end there is room again.
    drop(others);
    collector.spans(5).await;
    gate.open();
    running.finish().await;
    assert!(world.peer.log()[0].header("traceparent").ends_with("-00"));
    world.end().await;
    assert_eq!((tracer.dropped(), tracer.refused()), (1, 1));
    assert_eq!(whole::faults(&collector.all()), [""; 0]);
    assert_eq!(collector.all().len(), 5);
}

fn result(index: usize) -> CallResult {
    CallResult {
        index,
        call_id: CallId::try_new(format!("toolu_{index}")).unwrap(),
        tool: "read".into(),
        outcome: Ended::Succeeded,
        source: Some(Of::Executed),
        content: vec![Content::Text("{}".into())],
        failure: None,
        timings: Timings::default(),
        attempts: Vec::new(),
        truncation: None,
    }
}
