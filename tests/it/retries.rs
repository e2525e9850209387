//! Attempts that are made again, and effects that never are, by the API's own
//! log.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use sidecall::proto::v1::{Attempt, BatchEvent, FailureCode, Outcome, Source, batch_event::Event};

use crate::support::{
    Reply, Turn, World,
    tools::{BASE, base_with_api},
};

/// Retries that do not make a test wait.
const SOON: &str = "retry: {base: 1ms}";

/// Answers `first` so often, then well.
fn recovers(world: &World, line: &str, times: usize, first: Reply) {
    let came = AtomicUsize::new(0);
    world.peer.script(line, move |_| match came.fetch_add(1, Ordering::SeqCst) {
        before if before < times => first.clone(),
        _ => Reply::json("{}"),
    });
}

fn retried(events: &[BatchEvent]) -> Vec<(u32, FailureCode)> {
    let retrying = |event: &BatchEvent| match &event.event {
        Some(Event::Retrying(retrying)) => {
            Some((retrying.attempt, retrying.failure.as_ref().unwrap().code()))
        }
        _ => None,
    };
    events.iter().filter_map(retrying).collect()
}

fn nanos(time: Option<prost_types::Duration>) -> u128 {
    time.map_or(0, |time| Duration::try_from(time).unwrap().as_nanos())
}

#[tokio::test]
async fn a_read_that_fails_for_a_moment_succeeds_and_says_what_it_took() {
    let world = World::start(&base_with_api(SOON)).await;
    recovers(&world, "GET /read/a", 2, Reply::text(503, "restarting"));
    let ran = world.run(&Turn::one("read", r#"{"id":"a"}"#)).await;
    ran.assert_succeeded("a", "{}");
    let unavailable = FailureCode::Unavailable;
    assert_eq!(retried(&ran.events), [(1, unavailable), (2, unavailable)]);
    assert!(ran.result("a").timings.unwrap().backing_off.is_some());
    let attempts = &ran.result("a").attempts;
    let codes: Vec<_> = attempts.iter().map(|attempt| attempt.code()).collect();
    assert_eq!(codes, [unavailable, unavailable, FailureCode::Unspecified]);
    let times = |attempt: &Attempt| [attempt.at, attempt.backing_off, attempt.running].map(nanos);
    let times: Vec<_> = attempts.iter().map(times).collect();
    for pair in times.windows(2) {
        let ([at, _, ran], [next, backing_off, _]) = (pair[0], pair[1]);
        assert!(next >= at + ran + backing_off, "{attempts:?}");
    }
    assert_eq!(world.peer.lines().len(), 3);
    world.end().await;
}

/// Incident 24: the payment whose answer was lost is not sent again.
#[tokio::test]
async fn a_write_that_may_have_happened_is_sent_once_and_called_unknown() {
    let world = World::start(&base_with_api(SOON)).await;
    world.peer.on("POST /write/a", Reply::cut());
    world.peer.on("POST /write/b", Reply::text(500, "boom"));
    let turn = Turn::of([
        ("a", "write", r#"{"id":"a","value":1}"#),
        ("b", "write", r#"{"id":"b","value":1}"#),
    ]);
    let ran = world.run(&turn).await;
    ran.assert_failed("a", FailureCode::OutcomeUnknown, &["may or may not"]);
    ran.assert_failed("b", FailureCode::BackendError, &["500"]);
    let mut lines = world.peer.lines();
    lines.sort();
    assert_eq!(lines, ["POST /write/a", "POST /write/b"]);
    world.end().await;
}

#[tokio::test]
async fn a_write_that_was_refused_before_it_was_processed_is_sent_again() {
    let world = World::start(&base_with_api(SOON)).await;
    recovers(&world, "POST /write/a", 1, Reply::text(429, ""));
    let ran = world.run(&Turn::one("write", r#"{"id":"a","value":1}"#)).await;
    ran.assert_succeeded("a", "{}");
    assert_eq!(world.peer.lines().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_keyed_write_is_sent_again_with_its_own_key() {
    let yaml = base_with_api("retry: {base: 1ms}, idempotency_header: X-Once")
        .replace("  write:\n", "  write:\n    effect: keyed\n");
    let world = World::start(&yaml).await;
    recovers(&world, "POST /write/a", 1, Reply::cut());
    world.peer.on("POST /write/b", Reply::json("{}"));
    let turn = Turn::of([
        ("a", "write", r#"{"id":"a","value":1}"#),
        ("b", "write", r#"{"id":"b","value":1}"#),
    ]);
    let ran = world.run(&turn).await;
    assert_eq!(ran.count(Outcome::Succeeded), 2);
    let keys = |line: &str| -> Vec<String> {
        let log = world.peer.log();
        let of = log.iter().filter(|arrival| arrival.line == line);
        of.map(|arrival| arrival.header("x-once").to_owned()).collect()
    };
    let (a, b) = (keys("POST /write/a"), keys("POST /write/b"));
    assert_eq!(a.len(), 2);
    assert_eq!(a[0], a[1]);
    assert_eq!(a[0].len(), 64);
    assert_ne!(a[0], b[0]);
    world.end().await;
}

#[tokio::test]
async fn only_keyed_writes_carry_a_key() {
    let world = World::start(BASE).await;
    world.peer.on("POST /write/a", Reply::json("{}"));
    world.run(&Turn::one("write", r#"{"id":"a","value":1}"#)).await;
    assert!(!world.peer.only("POST /write/a").headers.contains_key("idempotency-key"));
    world.end().await;
}

#[tokio::test]
async fn an_attempt_that_is_too_slow_makes_room_for_another() {
    let yaml = base_with_api("retry: {base: 1ms, attempt_timeout: 200ms}");
    let world = World::start(&yaml).await;
    recovers(&world, "GET /read/a", 1, Reply::hang());
    world.peer.on("GET /read/b", Reply::hang());
    let turn = Turn::of([("a", "read", r#"{"id":"a"}"#), ("b", "read", r#"{"id":"b"}"#)]);
    let ran = world.run(&turn).await;
    ran.assert_succeeded("a", "{}");
    ran.assert_failed("b", FailureCode::AttemptTimeout, &[]);
    assert_eq!(ran.failure("b").attempts, 3);
    assert!(ran.duration() < Duration::from_secs(10), "{:?}", ran.duration());
    world.end().await;
}

#[tokio::test]
async fn a_fallback_stands_for_what_an_api_cannot_give() {
    let yaml = base_with_api(SOON)
        .replace("  read:\n", "  read:\n    fallback: {tier: unknown, limit: 1.50}\n");
    let world = World::start(&yaml).await;
    world.peer.on("GET /read/a", Reply::text(503, ""));
    world.peer.on("GET /read/b", Reply::text(404, ""));
    world.peer.on("POST /echo", Reply::json("{}"));
    let turn = Turn::of([
        ("a", "read", r#"{"id":"a"}"#),
        ("b", "read", r#"{"id":"b"}"#),
        ("e", "echo", r#"{"a":"${1.limit}"}"#),
    ])
    .with_references();
    let ran = world.run(&turn).await;
    ran.assert_succeeded("a", r#"{"tier":"unknown","limit":1.50}"#);
    assert_eq!(ran.result("a").source(), Source::Fallback);
    ran.assert_failed("b", FailureCode::ToolError, &["404"]);
    assert_eq!(ran.result("e").source(), Source::Executed);
    assert!(world.peer.only("POST /echo").text().contains(r#""a":1.50"#));
    world.end().await;
}

/// Incident 5: what fails for everyone is not asked for three times by everyone.
#[tokio::test]
async fn a_storm_of_failures_is_retried_within_the_budget() {
    let world = World::start(&base_with_api(&format!("{SOON}, breaker: off"))).await;
    world.peer.on("GET /read/*", Reply::text(503, ""));
    let ids: Vec<_> =
        (0..100).map(|n| (format!("r{n}"), "read", format!(r#"{{"id":"{n}"}}"#))).collect();
    let turn = Turn::of(ids.iter().map(|(id, tool, input)| (id.as_str(), *tool, input.as_str())));
    let ran = world.run(&turn).await;
    assert_eq!(ran.count(Outcome::Failed), 100);
    assert_eq!(world.peer.lines().len(), 120, "a fifth of the calls' number");
    world.end().await;
}

/// Incident 3: permits were kept during backoff.
#[tokio::test]
async fn a_call_that_waits_to_be_tried_again_leaves_its_place_to_others() {
    let world = World::start(&base_with_api("concurrency: 1, retry: {base: 5m, max: 5m}")).await;
    world.peer.on("GET /read/sick", Reply::text(503, "restarting"));
    world.peer.on("GET /read/*", Reply::json("{}"));
    let calls = ["sick", "b", "c", "d"]
        .map(|id| (id.to_owned(), "read".to_owned(), format!(r#"{{"id":"{id}"}}"#)));
    let turn =
        Turn::of(calls).call_timeout(Duration::from_secs(3600)).timeout(Duration::from_secs(600));
    let mut running = world.send(&turn).await.unwrap();
    for id in ["b", "c", "d"] {
        assert_eq!(running.until_finished(id).await.outcome(), Outcome::Succeeded);
    }
    assert_eq!(retried(&running.seen), [(1, FailureCode::Unavailable)]);
    assert_eq!(world.peer.in_flight_max(), 1);
    assert_eq!(world.peer.lines().len(), 4, "it was tried again before the others had their turn");
    running.hang_up();
    world.end().await;
}
