//! Who asks for the end gets it, down to the upstream's connection.

use sidecall::proto::v1::{CancelBatchRequest, FailureCode, Outcome};
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{Gate, Reply, Turn, World, tools::BASE};

fn cancel(batch_id: &str, call_ids: &[&str]) -> CancelBatchRequest {
    CancelBatchRequest {
        batch_id: batch_id.to_owned(),
        call_ids: call_ids.iter().map(ToString::to_string).collect(),
    }
}

/// Incident 10.
#[tokio::test]
async fn a_caller_that_goes_away_takes_the_upstream_requests_with_it() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::hang()).on("POST /write/*", Reply::hang());
    let turn = Turn::of([
        ("a", "read", r#"{"id":"a"}"#),
        ("b", "write", r#"{"id":"b","value":1}"#),
        ("c", "read", r#"{"id":"c"}"#),
    ])
    .depends_on(2, &["a"]);
    let running = world.send(&turn).await.unwrap();
    world.peer.arrived(2).await;
    running.hang_up();
    world.peer.abandoned("GET /read/a").await;
    world.peer.abandoned("POST /write/b").await;
    world.end().await;
}

/// Incident 10.
#[tokio::test]
async fn a_cancelled_batch_ends_with_its_bundle_and_nothing_runs_on() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/done", Reply::json("{}"));
    world.peer.on("GET /read/*", Reply::hang());
    let turn = Turn::of([
        ("done", "read", r#"{"id":"done"}"#),
        ("open", "read", r#"{"id":"open"}"#),
        ("later", "read", r#"{"id":"later"}"#),
    ])
    .depends_on(2, &["open"])
    .batch_id("turn-1");
    let mut running = world.send(&turn).await.unwrap();
    running.until_finished("done").await;
    world.peer.arrived(2).await;
    let cancelled = world.client().cancel_batch(cancel("turn-1", &[])).await.unwrap().into_inner();
    assert_eq!(cancelled.call_ids, ["open", "later"]);
    let ran = running.finish().await;
    world.peer.abandoned("GET /read/open").await;
    ran.assert_succeeded("done", "{}");
    for call in ["open", "later"] {
        assert_eq!(ran.result(call).outcome(), Outcome::Cancelled, "{call}");
        assert_eq!(ran.failure(call).code(), FailureCode::Cancelled, "{call}");
    }
    assert_eq!(world.peer.lines().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_call_takes_only_those_with_it_that_need_it() {
    let world = World::start(BASE).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/stuck", Reply::hang());
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let turn = Turn::of([
        ("stuck", "read", r#"{"id":"stuck"}"#),
        ("child", "read", r#"{"id":"child"}"#),
        ("free", "read", r#"{"id":"free"}"#),
    ])
    .depends_on(1, &["stuck"])
    .batch_id("turn-1");
    let running = world.send(&turn).await.unwrap();
    world.peer.arrived(2).await;
    let request = cancel("turn-1", &["stuck", "no-such-call"]);
    let cancelled = world.client().cancel_batch(request).await.unwrap().into_inner();
    assert_eq!(cancelled.call_ids, ["stuck"]);
    world.peer.abandoned("GET /read/stuck").await;
    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.result("stuck").outcome(), Outcome::Cancelled);
    ran.assert_failed("child", FailureCode::DependencyFailed, &["stuck"]);
    ran.assert_succeeded("free", "{}");
    world.end().await;
}

/// A write that was sent may have happened, whoever wanted its end.
#[tokio::test]
async fn a_write_cancelled_in_flight_is_unknown_and_one_not_sent_is_cancelled() {
    let world = World::start(&crate::support::tools::base_with_api("concurrency: 1")).await;
    world.peer.on("POST /write/*", Reply::hang());
    let turn = Turn::of([
        ("sent", "write", r#"{"id":"1","value":{}}"#),
        ("waiting", "write", r#"{"id":"2","value":{}}"#),
    ])
    .batch_id("turn-1");
    let running = world.send(&turn).await.unwrap();
    world.peer.arrived(1).await;
    world.client().cancel_batch(cancel("turn-1", &[])).await.unwrap();
    let ran = running.finish().await;
    assert_eq!(world.peer.lines().len(), 1);
    let (sent, waiting) = if world.peer.lines()[0].ends_with("/1") {
        ("sent", "waiting")
    } else {
        ("waiting", "sent")
    };
    assert_eq!(ran.failure(sent).code(), FailureCode::OutcomeUnknown);
    assert_eq!(ran.failure(waiting).code(), FailureCode::Cancelled);
    world.end().await;
}

#[tokio::test]
async fn a_batch_that_does_not_run_cannot_be_cancelled() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.run(&Turn::one("read", r#"{"id":1}"#).batch_id("ended")).await;
    for id in ["ended", "never"] {
        let status = world.client().cancel_batch(cancel(id, &[])).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "BATCH_NOT_FOUND");
    }
    let status = world.client().cancel_batch(cancel("", &[])).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    world.end().await;
}
