//! Many calls at once: every cap holds, every result arrives, and each as
//! soon as it is there.

use sidecall::proto::v1::Outcome;

use crate::support::{
    Gate, Reply, Turn, World,
    tools::{BASE, base_with, base_with_api},
};

fn reads(count: usize) -> Turn {
    Turn::of(
        (0..count).map(|n| (format!("call-{n}"), "read".to_owned(), format!(r#"{{"id":{n}}}"#))),
    )
}

/// Incident 1. The stubs are as generated: a message over 4 MiB would fail.
#[tokio::test]
async fn eight_hundred_calls_pass_through_an_api_that_takes_one_at_a_time() {
    let world = World::start(&base_with_api("concurrency: 1")).await;
    let filler = "x".repeat(10_000);
    world.peer.script("GET /read/*", move |arrival| {
        Reply::json(format!(r#"{{"line":"{}","filler":"{filler}"}}"#, arrival.line))
    });
    let ran = world.run(&reads(800)).await;
    assert_eq!(ran.count(Outcome::Succeeded), 800);
    for n in 0..800 {
        assert!(ran.text(&format!("call-{n}")).contains(&format!("GET /read/{n}\"")));
    }
    assert_eq!(world.peer.in_flight_max(), 1);
    assert!(ran.bundle.iter().map(String::len).sum::<usize>() > 8_000_000);
    world.end().await;
}

/// Incident 2.
#[tokio::test]
async fn each_cap_of_concurrency_holds_and_the_rest_waits() {
    for (yaml, cap) in [
        (base_with_api("concurrency: 3"), 3),
        (base_with("bounds: {batch_concurrency: 4}\n"), 4),
        (base_with("bounds: {session_concurrency: 5}\n"), 5),
        (base_with("bounds: {concurrency: 6}\n"), 6),
        (BASE.replace("  read:\n", "  read:\n    concurrency: 2\n"), 2),
    ] {
        let world = World::start(&yaml).await;
        let gate = Gate::closed();
        world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
        let running = world.send(&reads(40)).await.unwrap();
        world.peer.arrived(cap).await;
        gate.open();
        let ran = running.finish().await;
        assert_eq!(ran.count(Outcome::Succeeded), 40);
        assert_eq!(world.peer.in_flight_max(), cap, "{yaml}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_session_is_capped_over_all_its_batches_and_others_are_not_held_by_it() {
    let world = World::start(&base_with("bounds: {session_concurrency: 2}\n")).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let first = world.send(&reads(2).session("one")).await.unwrap();
    world.peer.arrived(2).await;
    let second = world.send(&reads(2).session("one")).await.unwrap();
    let other = world.send(&reads(2).session("other")).await.unwrap();
    world.peer.arrived(4).await;
    assert_eq!(world.peer.in_flight_max(), 4, "two of each session");
    gate.open();
    for running in [first, second, other] {
        assert_eq!(running.finish().await.count(Outcome::Succeeded), 2);
    }
    world.end().await;
}

#[tokio::test]
async fn a_tool_that_is_full_holds_no_other_tool_of_its_api() {
    let yaml = BASE.replace("  read:\n", "  read:\n    concurrency: 1\n");
    let world = World::start(&yaml).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    world.peer.on("POST /echo", Reply::json("{}"));
    let turn = Turn::of([
        ("held", "read", r#"{"id":1}"#),
        ("waits", "read", r#"{"id":2}"#),
        ("free", "echo", "{}"),
    ]);
    let mut running = world.send(&turn).await.unwrap();
    assert_eq!(running.until_finished("free").await.outcome(), Outcome::Succeeded);
    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.completion_order(), ["free", "held", "waits"]);
    world.end().await;
}

#[tokio::test]
async fn calls_that_need_nothing_are_all_sent_at_once() {
    let world = World::start(BASE).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let running = world.send(&reads(100)).await.unwrap();
    // Nothing is answered until all have come.
    world.peer.arrived(100).await;
    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 100);
    let sequential = ran.summary.sequential.unwrap();
    assert!(
        std::time::Duration::try_from(sequential).unwrap() > 10 * ran.duration(),
        "{:?}",
        ran.summary
    );
    world.end().await;
}

/// Incidents 8 and 20.
#[tokio::test]
async fn a_fast_result_is_streamed_while_a_slow_sibling_runs() {
    let world = World::start(BASE).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/slow", Reply::json(r#""late""#).behind(&gate));
    world.peer.on("GET /read/fast", Reply::json(r#""early""#));
    let turn =
        Turn::of([("slow", "read", r#"{"id":"slow"}"#), ("fast", "read", r#"{"id":"fast"}"#)]);
    let mut running = world.send(&turn).await.unwrap();
    let fast = running.until_finished("fast").await;
    assert_eq!(fast.outcome(), Outcome::Succeeded);
    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.completion_order(), ["fast", "slow"]);
    assert_eq!(ran.summary.critical_path, ["slow"]);
    world.end().await;
}

#[tokio::test]
async fn connections_are_used_again() {
    let world = World::start(&base_with_api("concurrency: 1")).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.run(&reads(20)).await;
    world.run(&reads(20)).await;
    assert!(world.peer.log().iter().all(|arrival| arrival.connection == 0));
    world.end().await;
}
