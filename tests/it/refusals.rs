//! A turn that is refused is refused before any effect, with a status that a
//! program can act on.

use std::time::Duration;

use sidecall::proto::v1::{ExecuteBatchRequest, LogLevelsRequest, OnDisconnect, Outcome};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{
    Gate, Reply, Turn, World,
    tools::{BASE, base_with},
};

fn reads(count: usize) -> Turn {
    Turn::of((0..count).map(|n| (format!("c{n}"), "read".to_owned(), format!(r#"{{"id":"{n}"}}"#))))
}

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.domain, "sidecall.dev");
    info.reason.clone()
}

#[track_caller]
fn assert_try_again(status: &Status, bound: &str) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let details = status.get_error_details();
    let delay = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(delay > Duration::ZERO && delay <= Duration::from_secs(60), "{delay:?}");
    assert!(status.message().contains(bound), "{status:?}");
}

#[tokio::test]
async fn a_turn_over_what_may_be_open_is_refused_with_the_time_to_come_again() {
    for (bound, yaml, first, second) in [
        ("bounds.batches", "bounds: {batches: 1}\n", reads(1), reads(1)),
        (
            "bounds.calls",
            "bounds: {calls: 5, session_calls: 5, batch_calls: 5}\n",
            reads(3),
            reads(3),
        ),
        (
            "bounds.session_calls",
            "bounds: {session_calls: 5, batch_calls: 5}\n",
            reads(3).session("s"),
            reads(3).session("s"),
        ),
    ] {
        let world = World::start(&base_with(yaml)).await;
        let gate = Gate::closed();
        world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
        let running = world.send(&first).await.unwrap();
        let open = match bound {
            "bounds.batches" => 1,
            _ => 3,
        };
        world.peer.arrived(open).await;
        assert_try_again(&world.refusal(&second).await, bound);
        assert_eq!(world.peer.lines().len(), open, "nothing of the refused turn was sent");
        gate.open();
        running.finish().await;
        // The place was given back.
        let ran = world.run(&second).await;
        assert_eq!(ran.count(Outcome::Succeeded), ran.finished.len());
        world.end().await;
    }
}

#[tokio::test]
async fn a_session_at_its_bound_does_not_hold_another() {
    let world = World::start(&base_with("bounds: {session_calls: 3, batch_calls: 3}\n")).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let first = world.send(&reads(3).session("one")).await.unwrap();
    world.peer.arrived(3).await;
    assert_try_again(&world.refusal(&reads(1).session("one")).await, "bounds.session_calls");
    let other = world.send(&reads(3).session("other")).await.unwrap();
    world.peer.arrived(6).await;
    gate.open();
    first.finish().await;
    other.finish().await;
    world.end().await;
}

/// No waiting mends a turn that is too large, so no time is named.
#[tokio::test]
async fn a_turn_that_can_never_be_taken_is_told_so() {
    let yaml = base_with("bounds: {batch_calls: 4, batch_bytes: 4KiB}\n");
    let world = World::start(&yaml).await;
    let wide = Turn::one("write", &format!(r#"{{"id":"1","value":"{}"}}"#, "x".repeat(5000)));
    for (turn, bound) in [(reads(5), "bounds.batch_calls"), (wide, "bounds.batch_bytes")] {
        let status = world.refusal(&turn).await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(status.message().contains(bound), "{status:?}");
        assert!(status.get_error_details().retry_info().is_none(), "{status:?}");
        assert_eq!(reason(&status), "TOO_LARGE");
    }
    world.end().await;
}

#[tokio::test]
async fn a_batch_id_names_one_turn_while_it_runs_and_afterwards() {
    let world = World::start(BASE).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let turn = reads(2).batch_id("turn-1");
    let running = world.send(&turn).await.unwrap();
    world.peer.arrived(2).await;
    for (turn, expected) in
        [(turn.clone(), "BATCH_RUNNING"), (reads(3).batch_id("turn-1"), "BATCH_ID_REUSED")]
    {
        let status = world.refusal(&turn).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, expected));
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["batch_id"], "turn-1");
    }
    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.accepted.batch_id, "turn-1");
    let status = world.refusal(&turn).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "BATCH_FINISHED"));
    assert_eq!(world.peer.lines().len(), 2, "nothing ran twice");
    world.end().await;
}

/// A refused turn has not used its id up.
#[tokio::test]
async fn the_id_of_a_refused_turn_is_free() {
    let world = World::start(&base_with("bounds: {batch_calls: 2}\n")).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.refusal(&reads(3).batch_id("turn-1")).await;
    let ran = world.run(&reads(2).batch_id("turn-1")).await;
    assert_eq!(ran.count(Outcome::Succeeded), 2);
    world.end().await;
}

#[tokio::test]
async fn a_server_made_batch_id_is_told_and_is_new_each_time() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let first = world.run(&reads(1)).await.accepted.batch_id;
    let second = world.run(&reads(1)).await.accepted.batch_id;
    assert_ne!(first, second);
    assert_eq!(uuid::Uuid::parse_str(&first).unwrap().get_version_num(), 7);
    world.end().await;
}

/// Incident 15: duplicate ids, ids that break the provider's pattern.
#[tokio::test]
async fn every_fault_of_a_request_is_named_with_its_field() {
    let world = World::start(BASE).await;
    let typed = reads(4)
        .call(1, |call| call.id = "c0".to_owned())
        .call(2, |call| call.id = "not an id!".to_owned())
        .call(3, |call| call.name = String::new())
        .batch_id("a b");
    let status = world.refusal(&typed).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let mut fields: Vec<_> =
        details.bad_request().unwrap().field_violations.iter().map(|v| v.field.clone()).collect();
    fields.sort();
    assert_eq!(
        fields,
        ["batch_id", "typed.tool_uses[1].id", "typed.tool_uses[2].id", "typed.tool_uses[3].name"]
    );

    for (request, field) in [
        (ExecuteBatchRequest::default(), "turn"),
        (
            ExecuteBatchRequest { on_disconnect: OnDisconnect::Continue.into(), ..reads(1).0 },
            "on_disconnect",
        ),
        (ExecuteBatchRequest { references: 99, ..reads(1).0 }, "references"),
        (
            ExecuteBatchRequest {
                timeout: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
                ..reads(1).0
            },
            "timeout",
        ),
        (Turn::anthropic("{").0, "anthropic_json"),
        (Turn::anthropic(r#"[{"type":"tool_use","name":"read","input":{}}]"#).0, "anthropic_json"),
        (
            Turn::anthropic(
                r#"[{"type":"tool_use","id":"x","name":"read","input":{}},
                    {"type":"tool_use","id":"x","name":"read","input":{}}]"#,
            )
            .0,
            "anthropic_json",
        ),
    ] {
        let status = world.refusal(&Turn(request)).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{field}: {status:?}");
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        assert!(violations.iter().any(|v| v.field.starts_with(field)), "{field}: {violations:?}");
    }
    assert!(world.peer.lines().is_empty());
    world.end().await;
}

/// A turn without a call has nothing to wait for and nothing to say.
#[tokio::test]
async fn a_turn_without_calls_is_answered_and_not_hung() {
    let world = World::start(BASE).await;
    match world.send(&Turn::anthropic(r#"[{"type":"text","text":"Done."}]"#)).await {
        Ok(running) => assert_eq!(running.finish().await.finished.len(), 0),
        Err(status) => assert_eq!(status.code(), Code::InvalidArgument, "{status:?}"),
    }
    world.end().await;
}

#[tokio::test]
async fn the_levels_of_a_process_that_does_not_log_itself_cannot_be_asked_for() {
    let world = World::start(BASE).await;
    let status = world.client().log_levels(LogLevelsRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "NO_LOG".to_owned()));
    world.end().await;
}
