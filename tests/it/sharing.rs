//! Identical reads run once, and answers that are kept hold as long as they
//! may, by the API's own log.

use std::sync::atomic::{AtomicUsize, Ordering};

use sidecall::proto::v1::{CancelBatchRequest, FailureCode, Outcome, Source};

use crate::support::{Gate, Ran, Reply, Turn, World, tools::BASE};

/// [`BASE`] with the answers of `read` kept.
fn caching(cache: &str) -> String {
    let request = r#"http: {api: crm, get: "/read/{id}"}"#;
    BASE.replace(request, &format!("{request}\n    cache: {{{cache}}}"))
}

/// Answers how often it was asked this, from 1.
fn counts(world: &World, line: &str) {
    let came = AtomicUsize::new(0);
    world
        .peer
        .script(line, move |_| Reply::json((came.fetch_add(1, Ordering::SeqCst) + 1).to_string()));
}

fn sources(ran: &Ran) -> Vec<Source> {
    let mut results: Vec<_> = ran.finished.iter().collect();
    results.sort_by_key(|result| result.index);
    results.into_iter().map(|result| result.source()).collect()
}

const READ_A: &str = r#"{"id":"a"}"#;

/// Incident 25: identical calls in one turn went to the API one by one.
#[tokio::test]
async fn five_identical_reads_arrive_once_and_are_answered_five_times() {
    let world = World::start(BASE).await;
    counts(&world, "GET /read/a");
    let turn = Turn::of([
        ("a", "read", READ_A),
        ("b", "read", READ_A),
        ("c", "read", r#" { "id" : "a" } "#),
        ("d", "read", "{\"id\":\"\\u0061\"}"),
        ("e", "read", READ_A),
    ]);
    let ran = world.run(&turn).await;
    for call in ["a", "b", "c", "d", "e"] {
        ran.assert_succeeded(call, "1");
    }
    assert_eq!(world.peer.lines(), ["GET /read/a"]);
    assert_eq!(ran.bundle.len(), 5);
    let shared = Source::Shared;
    assert_eq!(sources(&ran), [Source::Executed, shared, shared, shared, shared]);
    assert!(ran.result("e").timings.unwrap().running.is_none_or(|ran| ran.nanos == 0));
    // The next turn asks anew.
    world.run(&Turn::one("read", READ_A)).await.assert_succeeded("a", "2");
    world.end().await;
}

#[tokio::test]
async fn a_read_after_a_write_is_made_again_and_sees_it() {
    let world = World::start(BASE).await;
    counts(&world, "GET /read/a");
    world.peer.on("POST /write/a", Reply::json("{}"));
    let turn = Turn::of([
        ("before", "read", READ_A),
        ("write", "write", r#"{"id":"a","value":1}"#),
        ("after", "read", READ_A),
    ])
    .depends_on(1, &["before"])
    .depends_on(2, &["write"]);
    let ran = world.run(&turn).await;
    ran.assert_succeeded("before", "1");
    ran.assert_succeeded("after", "2");
    assert_eq!(world.peer.lines(), ["GET /read/a", "POST /write/a", "GET /read/a"]);

    // Also where the write stands after both in the turn.
    let turn = Turn::of([
        ("before", "read", READ_A),
        ("after", "read", READ_A),
        ("write", "write", r#"{"id":"a","value":1}"#),
    ])
    .depends_on(2, &["before"])
    .depends_on(1, &["write"]);
    let ran = world.run(&turn).await;
    assert_eq!((ran.text("before").as_str(), ran.text("after").as_str()), ("3", "4"));
    world.end().await;
}

#[tokio::test]
async fn writes_are_never_shared() {
    let world = World::start(BASE).await;
    world.peer.on("POST /write/a", Reply::json("{}"));
    let write = r#"{"id":"a","value":1}"#;
    let ran = world.run(&Turn::of([("a", "write", write), ("b", "write", write)])).await;
    assert_eq!(ran.count(Outcome::Succeeded), 2);
    assert_eq!(world.peer.lines(), ["POST /write/a", "POST /write/a"]);
    world.end().await;
}

#[tokio::test]
async fn a_failure_is_told_to_all_that_asked_and_made_once() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/a", Reply::text(404, "no such record"));
    let ran = world.run(&Turn::of([("a", "read", READ_A), ("b", "read", READ_A)])).await;
    for call in ["a", "b"] {
        ran.assert_failed(call, FailureCode::ToolError, &["404", "no such record"]);
    }
    assert_eq!(world.peer.lines().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn when_the_call_that_runs_is_cancelled_another_runs_in_its_place() {
    let world = World::start(BASE).await;
    let (came, gate) = (AtomicUsize::new(0), Gate::closed());
    let behind = gate.clone();
    world.peer.script("GET /read/a", move |_| match came.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::hang(),
        _ => Reply::json("{}").behind(&behind),
    });
    let turn = Turn::of([("a", "read", READ_A), ("b", "read", READ_A), ("c", "read", READ_A)]);
    let running = world.send(&turn.batch_id("turn-1")).await.unwrap();
    world.peer.arrived(1).await;
    let cancel =
        CancelBatchRequest { batch_id: "turn-1".to_owned(), call_ids: vec!["a".to_owned()] };
    world.client().cancel_batch(cancel).await.unwrap();
    world.peer.abandoned("GET /read/a").await;
    world.peer.arrived(2).await;
    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.result("a").outcome(), Outcome::Cancelled);
    assert_eq!(sources(&ran)[1..], [Source::Executed, Source::Shared]);
    assert_eq!(world.peer.lines().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn references_read_the_whole_of_what_was_shared_and_of_what_was_kept() {
    let tools = caching("ttl: 1h, bytes: 1 MiB")
        .replace("{id}\"}\n", "{id}\"}\n    max_bytes: 256\n")
        // Else it would end the answers that are kept.
        .replace(
            "http: {api: crm, post: \"/echo\"",
            "effect: read_only\n    http: {api: crm, post: \"/echo\"",
        );
    let world = World::start(&tools).await;
    let filler = "x".repeat(5000);
    let record = format!(r#"{{"filler":"{filler}","price":1249.90}}"#);
    world.peer.on("GET /read/a", Reply::json(record.as_str()));
    world.peer.on("POST /echo", Reply::json("{}"));
    let turn = Turn::of([
        ("a", "read", READ_A),
        ("b", "read", READ_A),
        ("c", "echo", r#"{"a":"${b.price}"}"#),
    ])
    .with_references();
    for source in [Source::Shared, Source::Cached] {
        let ran = world.run(&turn).await;
        assert_eq!(ran.result("b").source(), source);
        let truncation = ran.result("b").truncation.unwrap();
        assert_eq!(truncation.whole_bytes, record.len() as u64);
    }
    let bodies: Vec<_> = world
        .peer
        .log()
        .iter()
        .filter(|came| came.line == "POST /echo")
        .map(|came| came.text().to_owned())
        .collect();
    assert_eq!(bodies, [r#"{"a":1249.90}"#; 2]);
    assert_eq!(world.peer.lines().len(), 3);
    world.end().await;
}

#[tokio::test]
async fn a_kept_answer_is_taken_again_until_something_is_written() {
    let world = World::start(&caching("ttl: 1h")).await;
    counts(&world, "GET /read/a");
    counts(&world, "GET /read/b");
    world.peer.on("POST /write/*", Reply::text(500, "boom"));
    let read = |id: &str| Turn::one("read", &format!(r#"{{"id":"{id}"}}"#));
    for (id, answer, source) in [
        ("a", "1", Source::Executed),
        ("a", "1", Source::Cached),
        ("b", "1", Source::Executed),
        ("a", "1", Source::Cached),
    ] {
        let ran = world.run(&read(id)).await;
        ran.assert_succeeded("a", answer);
        assert_eq!(ran.result("a").source(), source);
    }
    assert_eq!(world.peer.lines().len(), 2);
    // A write ends all answers of its API, even one of which nobody knows.
    world.run(&Turn::one("write", r#"{"id":"z","value":1}"#)).await;
    for id in ["a", "b"] {
        let ran = world.run(&read(id)).await;
        ran.assert_succeeded("a", "2");
        assert_eq!(ran.result("a").source(), Source::Executed);
    }
    world.end().await;
}

#[tokio::test]
async fn an_answer_goes_when_its_time_is_over_or_another_needs_its_place() {
    let world = World::start(&caching("ttl: 1ms")).await;
    counts(&world, "GET /read/a");
    while world.peer.lines().len() < 3 {
        world.run(&Turn::one("read", READ_A)).await;
    }
    world.end().await;

    let world = World::start(&caching("ttl: 1h, entries: 1")).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    for id in ["a", "a", "b", "b", "a"] {
        world.run(&Turn::one("read", &format!(r#"{{"id":"{id}"}}"#))).await;
    }
    assert_eq!(world.peer.lines(), ["GET /read/a", "GET /read/b", "GET /read/a"]);
    world.end().await;
}
