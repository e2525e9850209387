//! What a session may spend, and how often it may ask for the same.

use std::time::Duration;

use sidecall::proto::v1::{FailureCode, FailureOrigin, Outcome, RetryAdvice, Source};

use crate::support::{Reply, Turn, World, tools::base_with};

fn read(id: &str) -> Turn {
    Turn::one("read", &format!(r#"{{"id":"{id}"}}"#))
}

/// Incident 28: the agent makes the same call in turn after turn, and nothing that
/// it is told changes that.
#[tokio::test]
async fn the_same_call_in_85_turns_of_a_session_is_made_so_often_as_is_allowed() {
    let world = World::start(&base_with("sessions: {repeat: {calls: 20, within: 1h}}\n")).await;
    world.peer.on("GET /read/*", Reply::json(r#"{"state":"pending"}"#));
    for turn in 0..85 {
        // Whatever order the model writes it in, or how it is spaced.
        let input = ["{\"id\":\"7\"}", "{ \"id\" : \"7\" }\n"][turn % 2];
        let ran = world.run(&Turn::one("read", input).session("agent-1")).await;
        if turn < 20 {
            ran.assert_succeeded("a", r#"{"state":"pending"}"#);
            continue;
        }
        ran.assert_failed(
            "a",
            FailureCode::Repeated,
            &["read with this very input 20 times within 3600s", "use them", "ask again in"],
        );
        let failure = ran.failure("a");
        assert_eq!(failure.retry(), RetryAdvice::ChangedInput);
        assert_eq!((failure.origin(), failure.attempts), (FailureOrigin::Caller, 0));
    }
    assert_eq!(world.peer.lines().len(), 20, "the API saw no more of it");
    // The model reads why, and goes on with something else.
    let turn = Turn::anthropic(
        r#"[{"type":"tool_use","id":"toolu_1","name":"read","input":{"id":"7"}},
            {"type":"tool_use","id":"toolu_2","name":"read","input":{"id":"8"}}]"#,
    );
    let ran = world.run(&turn.session("agent-1")).await;
    let told = &ran.bundle[0];
    assert!(told.contains(r#""is_error":true"#), "{told}");
    assert!(told.contains("repeated: this session has called read"), "{told}");
    assert_eq!(ran.result("toolu_2").outcome(), Outcome::Succeeded);
    // Another session has made none of these calls.
    let ran = world.run(&read("7").session("agent-2")).await;
    assert_eq!(ran.count(Outcome::Succeeded), 1);
    world.end().await;
}

/// The guard is there without being asked for, and can be switched off.
#[tokio::test]
async fn a_loop_meets_the_guard_without_any_configuration_and_not_where_it_is_off() {
    for (sections, made) in [("", 100), ("sessions: {repeat: off}\n", 220)] {
        let world = World::start(&base_with(sections)).await;
        world.peer.on("GET /read/7", Reply::json("{}"));
        let mut succeeded = 0;
        for _ in 0..22 {
            let calls = (0..10).map(|call| (format!("c{call}"), "read", r#"{"id":"7"}"#));
            let calls = calls.map(|(id, tool, input)| (id, tool.to_owned(), input.to_owned()));
            succeeded +=
                world.run(&Turn::of(calls).session("loop")).await.count(Outcome::Succeeded);
        }
        assert_eq!(succeeded, made, "{sections}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_session_that_has_spent_its_calls_is_told_and_siblings_go_on() {
    let world = World::start(&base_with("sessions: {calls: 3}\n")).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let ids = ["1", "2", "3", "4", "5"];
    let turn =
        Turn::of(ids.map(|id| (id.to_owned(), "read".to_owned(), format!(r#"{{"id":{id}}}"#))));
    let ran = world.run(&turn.clone().session("s")).await;
    assert_eq!(ran.count(Outcome::Succeeded), 3);
    for id in ["4", "5"] {
        ran.assert_failed(id, FailureCode::BudgetExceeded, &["may make 3 calls and has made them"]);
        let failure = ran.failure(id);
        assert_eq!(
            (failure.retry(), failure.origin()),
            (RetryAdvice::Never, FailureOrigin::Sidecall)
        );
    }
    let ran = world.run(&read("6").session("s")).await;
    ran.assert_failed("a", FailureCode::BudgetExceeded, &["another session"]);
    assert_eq!(world.peer.lines().len(), 3);
    world.end().await;
}

#[tokio::test]
async fn a_sessions_cost_is_that_of_its_calls_and_shared_answers_are_free() {
    let yaml = base_with("sessions: {cost: 10}\n").replace("  read:\n", "  read:\n    cost: 4\n");
    let world = World::start(&yaml).await;
    world.peer.on("GET /read/*", Reply::json("{}").after(Duration::from_millis(20)));
    world.peer.on("POST /write/*", Reply::json("{}"));
    let turn = Turn::of([
        ("a", "read", r#"{"id":1}"#),
        ("b", "read", r#"{"id":1}"#),
        ("c", "read", r#"{"id":2}"#),
        ("d", "read", r#"{"id":3}"#),
        ("e", "write", r#"{"id":"1"}"#),
    ]);
    let ran = world.run(&turn.session("s")).await;
    assert_eq!(ran.result("b").source(), Source::Shared);
    ran.assert_failed(
        "d",
        FailureCode::BudgetExceeded,
        &["read costs 4, and of the 10", "8 is spent and 2 is left"],
    );
    assert_eq!(ran.count(Outcome::Succeeded), 4);
    world.end().await;
}

#[tokio::test]
async fn a_session_that_is_forgotten_since_others_came_begins_anew() {
    let world = World::start(&base_with("sessions: {calls: 1, remembered: 2}\n")).await;
    world.peer.on("GET /read/1", Reply::json("{}"));
    let succeeds = async |session: &str| {
        world.run(&read("1").session(session)).await.count(Outcome::Succeeded) == 1
    };
    assert!(succeeds("a").await && succeeds("b").await);
    assert!(!succeeds("a").await && !succeeds("b").await);
    assert!(succeeds("c").await);
    assert!(succeeds("a").await && !succeeds("c").await);
    world.end().await;
}
