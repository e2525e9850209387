//! What fails, fails alone: siblings run, dependents are told, and every call
//! says whether it ran.

use sidecall::proto::v1::{FailureCode, FailureOrigin, Outcome, RetryAdvice};

use crate::support::{
    Gate, Reply, Turn, World,
    tools::{BASE, base_with_api},
};

/// Incidents 12 and 13.
#[tokio::test]
async fn siblings_of_a_failure_run_on_and_are_delivered() {
    let world = World::start(BASE).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/bad", Reply::text(500, "boom"));
    world.peer.on("GET /read/*", Reply::json(r#"{"ok":true}"#).behind(&gate));
    let turn = Turn::of([
        ("a", "read", r#"{"id":"a"}"#),
        ("bad", "read", r#"{"id":"bad"}"#),
        ("b", "read", r#"{"id":"b"}"#),
        ("nobody", "no_such_tool", "{}"),
    ]);
    let mut running = world.send(&turn).await.unwrap();
    running.until_finished("bad").await;
    gate.open();
    let ran = running.finish().await;
    ran.assert_succeeded("a", r#"{"ok":true}"#);
    ran.assert_succeeded("b", r#"{"ok":true}"#);
    ran.assert_failed("bad", FailureCode::BackendError, &["500"]);
    ran.assert_failed("nobody", FailureCode::UnknownTool, &["no_such_tool"]);
    world.end().await;
}

/// Incident 9.
#[tokio::test]
async fn only_calls_that_need_a_failed_one_are_skipped_and_told_which() {
    let world = World::start(&base_with_api("retry: {attempts: 1}")).await;
    world.peer.on("GET /read/bad", Reply::text(500, "boom"));
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::of([
        ("bad", "read", r#"{"id":"bad"}"#),
        ("child", "read", r#"{"id":"child"}"#),
        ("grandchild", "read", r#"{"id":"grandchild"}"#),
        ("free", "read", r#"{"id":"free"}"#),
    ])
    .depends_on(1, &["bad"])
    .depends_on(2, &["child"]);
    let ran = world.run(&turn).await;
    assert_eq!(ran.failure("bad").code(), FailureCode::BackendError);
    for (call, parent) in [("child", "bad"), ("grandchild", "child")] {
        assert_eq!(ran.result(call).outcome(), Outcome::Skipped);
        ran.assert_failed(call, FailureCode::DependencyFailed, &[parent]);
    }
    ran.assert_succeeded("free", "{}");
    let mut lines = world.peer.lines();
    lines.sort();
    assert_eq!(lines, ["GET /read/bad", "GET /read/free"]);
    world.end().await;
}

/// Incident 17.
#[tokio::test]
async fn a_result_says_whether_the_call_ran() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/bad", Reply::text(422, "no such region"));
    let turn = Turn::of([
        ("ran", "read", r#"{"id":"bad"}"#),
        ("skipped", "read", r#"{"id":"x"}"#),
        ("refused", "read", r#"{"id":[]}"#),
    ])
    .depends_on(1, &["ran"]);
    let ran = world.run(&turn).await;
    for (call, outcome, origin, attempts) in [
        ("ran", Outcome::Failed, FailureOrigin::Backend, 1),
        ("skipped", Outcome::Skipped, FailureOrigin::Caller, 0),
        ("refused", Outcome::Failed, FailureOrigin::Caller, 0),
    ] {
        let failure = ran.failure(call);
        assert_eq!(ran.result(call).outcome(), outcome, "{call}");
        assert_eq!((failure.origin(), failure.attempts), (origin, attempts), "{call}: {failure:?}");
    }
    ran.assert_failed("ran", FailureCode::ToolError, &["422", "no such region"]);
    assert_eq!(ran.failure("refused").retry(), RetryAdvice::ChangedInput);
    world.end().await;
}

#[tokio::test]
async fn an_ordered_turn_runs_in_block_order_and_stops_at_the_first_failure() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/2", Reply::text(404, "gone"));
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::of([
        ("a", "read", r#"{"id":0}"#),
        ("b", "read", r#"{"id":1}"#),
        ("c", "read", r#"{"id":2}"#),
        ("d", "read", r#"{"id":3}"#),
        ("e", "read", r#"{"id":4}"#),
    ])
    .ordered();
    let ran = world.run(&turn).await;
    assert_eq!(world.peer.lines(), ["GET /read/0", "GET /read/1", "GET /read/2"]);
    assert_eq!(world.peer.in_flight_max(), 1);
    assert_eq!(ran.completion_order()[..3], ["a", "b", "c"]);
    assert_eq!(ran.result("c").outcome(), Outcome::Failed);
    for skipped in ["d", "e"] {
        assert_eq!(ran.result(skipped).outcome(), Outcome::Skipped);
        assert_eq!(ran.failure(skipped).code(), FailureCode::DependencyFailed);
    }
    world.end().await;
}

#[tokio::test]
async fn a_tool_that_comes_after_another_waits_for_its_end_and_not_for_its_success() {
    let yaml =
        base_with_api("retry: {attempts: 1}").replace("  echo:\n", "  echo:\n    after: [read]\n");
    let world = World::start(&yaml).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/bad", Reply::text(500, "boom").behind(&gate));
    world.peer.on("POST /echo", Reply::json("{}"));
    let turn = Turn::of([("e", "echo", "{}"), ("r", "read", r#"{"id":"bad"}"#)]);
    let mut running = world.send(&turn).await.unwrap();
    running.until_started("r").await;
    world.peer.arrived_at("GET /read/bad").await;
    gate.open();
    let ran = running.finish().await;
    assert_eq!(world.peer.lines(), ["GET /read/bad", "POST /echo"]);
    assert_eq!(ran.result("r").outcome(), Outcome::Failed);
    assert_eq!(ran.result("e").outcome(), Outcome::Succeeded);
    world.end().await;
}

/// Incident 9: a graph that can never run does not hold the rest.
#[tokio::test]
async fn a_cycle_fails_only_its_members_and_is_spelt_out() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::of([
        ("a", "read", r#"{"id":"a"}"#),
        ("b", "read", r#"{"id":"b"}"#),
        ("c", "read", r#"{"id":"c"}"#),
        ("self", "read", r#"{"id":"self"}"#),
        ("free", "read", r#"{"id":"free"}"#),
    ])
    .depends_on(0, &["b"])
    .depends_on(1, &["a"])
    .depends_on(2, &["a"])
    .depends_on(3, &["self"]);
    let ran = world.run(&turn).await;
    for member in ["a", "b"] {
        ran.assert_failed(member, FailureCode::InvalidInput, &["read#1", "→", "read#2"]);
    }
    ran.assert_failed("c", FailureCode::DependencyFailed, &["a"]);
    ran.assert_failed("self", FailureCode::InvalidInput, &["read#4 → read#4"]);
    ran.assert_succeeded("free", "{}");
    assert_eq!(world.peer.lines(), ["GET /read/free"]);
    world.end().await;
}
