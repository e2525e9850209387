//! Tools that live in the agent: a worker offers functions of its process, and
//! turns call them as any other tool.

use sidecall::proto::v1::{
    CancelBatchRequest, Effect, FailureCode, ListToolsRequest, Outcome, RetryAdvice, WorkerHello,
    WorkerTool, batch_event::Event, serve_tools_request,
};
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{
    PATIENCE, Turn, World,
    tools::BASE,
    worker::{Worker, hello, json, shared, tool},
};

/// Names of the tools that a session is shown.
async fn listed(world: &World, session: &str) -> Vec<String> {
    let request = ListToolsRequest { session_id: session.to_owned(), ..Default::default() };
    let tools = world.client().list_tools(request).await.unwrap().into_inner().tools;
    tools.into_iter().map(|tool| tool.name).collect()
}

/// Ready once the session is shown these tools beside those of the configuration.
async fn until_listed(world: &World, session: &str, offered: &[&str]) {
    let looked = async {
        loop {
            let mut seen = listed(world, session).await;
            seen.retain(|name| !["read", "write", "echo"].contains(&name.as_str()));
            if seen == offered {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, looked).await.expect("other tools are listed");
}

#[tokio::test]
async fn a_worker_of_another_language_is_only_stubs() {
    const INPUT: &str = r#"{"n":  12345678901234567890}"#;
    let world = World::start(BASE).await;
    let add = WorkerTool {
        input_schema_json: r#"{"type":"object","properties":{"n":{"type":"integer"}}}"#.to_owned(),
        ..tool("add", Effect::ReadOnly)
    };
    let mut worker = Worker::join(&world, hello("w", "s", vec![add])).await;
    assert!(worker.welcome.heartbeat.is_some());
    let turn = Turn::of([("a", "add", r#"{"n": "x"}"#), ("b", "add", INPUT)]);
    let running = world.send(&turn.session("s").batch_id("turn-1")).await.unwrap();
    // The first does not fit the schema and is never sent.
    let attempt = worker.attempt().await;
    assert_eq!((attempt.tool.as_str(), attempt.input_json.as_str()), ("add", INPUT));
    assert_eq!((attempt.call_id.as_str(), attempt.batch_id.as_str()), ("b", "turn-1"));
    assert_eq!((attempt.session_id.as_str(), attempt.number), ("s", 1));
    assert!(attempt.timeout.is_some() && attempt.idempotency_key.is_empty());
    worker.answer(attempt.attempt_id, json(r#"{"sum": 1.10}"#)).await;
    let ran = running.finish().await;
    ran.assert_succeeded("b", r#"{"sum": 1.10}"#);
    assert_eq!(ran.failure("a").code(), FailureCode::InvalidInput);
    worker.cut();
    world.end().await;
}

#[tokio::test]
async fn a_tool_of_a_session_is_nobody_elses() {
    let world = World::start(BASE).await;
    let _worker =
        Worker::join(&world, hello("w", "mine", vec![tool("own", Effect::ReadOnly)])).await;
    let _shared = Worker::join(&world, shared("x", vec![tool("all", Effect::ReadOnly)])).await;
    until_listed(&world, "mine", &["all", "own"]).await;
    until_listed(&world, "other", &["all"]).await;
    let ran = world.run(&Turn::one("own", "{}").session("other")).await;
    assert_eq!(ran.failure("a").code(), FailureCode::UnknownTool);
    let ran = world.run(&Turn::one("own", "{}")).await;
    assert_eq!(ran.failure("a").code(), FailureCode::UnknownTool);
    // What is planned is what would run.
    for (session, has_fault) in [("mine", false), ("other", true)] {
        let turn = Turn::one("own", "{}").session(session).to_plan();
        let planned = world.client().plan_batch(turn).await.unwrap().into_inner();
        assert_eq!(planned.plan.unwrap().calls[0].fault.is_some(), has_fault, "{session}");
    }
    world.end().await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_hello_is_told_at_once() {
    let world = World::start(BASE).await;
    let bad = WorkerHello {
        session_id: "my session".to_owned(),
        shared: true,
        attempts_max: Some(0),
        tools: vec![
            WorkerTool { name: "get user".to_owned(), ..tool("x", Effect::ReadOnly) },
            WorkerTool { effect: 99, ..tool("b", Effect::ReadOnly) },
            WorkerTool { input_schema_json: "{".to_owned(), ..tool("b", Effect::ReadOnly) },
            WorkerTool {
                input_schema_json: r#"{"type":"object","required":7}"#.to_owned(),
                timeout: Some(prost_types::Duration::default()),
                ..tool("c", Effect::ReadOnly)
            },
        ],
        ..WorkerHello::default()
    };
    let Err(status) = Worker::try_join(&world, bad).await else { panic!("it was let in") };
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "hello.shared",
            "hello.session_id",
            "hello.attempts_max",
            "hello.tools[0].name",
            "hello.tools[1].effect",
            "hello.tools[2].name",
            "hello.tools[2].input_schema_json",
            "hello.tools[3].input_schema_json/required",
            "hello.tools[3].timeout",
        ],
        "{violations:#?}"
    );
    let drain = serve_tools_request::Message::Drain(Default::default());
    let Err(status) = Worker::begin(&world, drain).await else { panic!("it was let in") };
    assert_eq!(status.code(), Code::InvalidArgument);
    world.end().await;
}

#[tokio::test]
async fn a_configured_name_and_another_schema_are_refused_by_name() {
    let world = World::start(BASE).await;
    let taken = vec![tool("fresh", Effect::ReadOnly), tool("read", Effect::ReadOnly)];
    let Err(status) = Worker::try_join(&world, shared("w", taken)).await else { panic!() };
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("hello.tools[1].name"), "{status}");
    assert!(status.message().contains("\"read\" is a tool of the configuration"), "{status}");
    // Nothing of what was refused is offered.
    until_listed(&world, "s", &[]).await;

    let _first = Worker::join(&world, shared("w", vec![tool("t", Effect::ReadOnly)])).await;
    let other = WorkerTool {
        input_schema_json: r#"{"type":"object","required":["x"]}"#.to_owned(),
        ..tool("t", Effect::ReadOnly)
    };
    let Err(status) = Worker::try_join(&world, shared("v", vec![other])).await else { panic!() };
    assert!(status.message().contains("another input schema"), "{status}");
    let effect = tool("t", Effect::AtMostOnce);
    let Err(status) = Worker::try_join(&world, shared("v", vec![effect])).await else { panic!() };
    assert!(status.message().contains("as read_only, and here as at_most_once"), "{status}");
    world.end().await;
}

#[tokio::test]
async fn replicas_share_the_calls_evenly() {
    let world = World::start(BASE).await;
    let mut first = Worker::join(&world, shared("a", vec![tool("t", Effect::ReadOnly)])).await;
    let mut second = Worker::join(&world, shared("b", vec![tool("t", Effect::ReadOnly)])).await;
    let calls = (0..20).map(|n| (format!("c{n}"), "t".to_owned(), format!(r#"{{"n":{n}}}"#)));
    let running = world.send(&Turn::of(calls)).await.unwrap();
    for _ in 0..10 {
        for worker in [&mut first, &mut second] {
            let attempt = worker.attempt().await;
            worker.answer(attempt.attempt_id, json(&attempt.input_json)).await;
        }
    }
    let ran = running.finish().await;
    assert_eq!(ran.summary.succeeded, 20);
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_is_late_given_twice_or_of_another_is_dropped() {
    let world = World::start(BASE).await;
    let mut worker = Worker::join(&world, shared("a", vec![tool("t", Effect::ReadOnly)])).await;
    let mut other = Worker::join(&world, shared("b", vec![tool("u", Effect::ReadOnly)])).await;
    let running = world.send(&Turn::one("t", "{}")).await.unwrap();
    let attempt = worker.attempt().await;
    other.answer(attempt.attempt_id, json(r#""of another""#)).await;
    // What the other says next is heard after that.
    let of_other = world.send(&Turn::one("u", "{}")).await.unwrap();
    let its = other.attempt().await;
    other.answer(its.attempt_id, json("2")).await;
    of_other.finish().await.assert_succeeded("a", "2");

    worker.answer(attempt.attempt_id, json("1")).await;
    worker.answer(attempt.attempt_id, json("7")).await;
    worker.answer(999, json("8")).await;
    running.finish().await.assert_succeeded("a", "1");
    // It goes on as before.
    let running = world.send(&Turn::one("t", "{}")).await.unwrap();
    let attempt = worker.attempt().await;
    worker.answer(attempt.attempt_id, json("3")).await;
    running.finish().await.assert_succeeded("a", "3");
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_batch_reaches_the_worker() {
    let world = World::start(BASE).await;
    let mut worker = Worker::join(&world, hello("w", "s", vec![tool("t", Effect::ReadOnly)])).await;
    let turn = Turn::one("t", "{}").session("s").batch_id("turn-1");
    let running = world.send(&turn).await.unwrap();
    let attempt = worker.attempt().await;
    let cancel = CancelBatchRequest { batch_id: "turn-1".to_owned(), call_ids: Vec::new() };
    world.client().cancel_batch(cancel).await.unwrap();
    assert_eq!(worker.cancelled().await, attempt.attempt_id);
    assert_eq!(running.finish().await.result("a").outcome(), Outcome::Cancelled);
    // Its answer comes too late.
    worker.answer(attempt.attempt_id, json("1")).await;

    // A caller that goes away is the same to it, and so is the end of a call's time.
    let running = world.send(&Turn::one("t", "{}").session("s")).await.unwrap();
    let attempt = worker.attempt().await;
    running.hang_up();
    assert_eq!(worker.cancelled().await, attempt.attempt_id);
    let turn = Turn::one("t", "{}").session("s");
    let running =
        world.send(&turn.call_timeout(std::time::Duration::from_millis(50))).await.unwrap();
    let attempt = worker.attempt().await;
    assert_eq!(worker.cancelled().await, attempt.attempt_id);
    let ran = running.finish().await;
    assert_eq!(ran.failure("a").code(), FailureCode::DeadlineExceeded);
    world.end().await;
}

#[tokio::test]
async fn what_a_lost_worker_had_is_tried_elsewhere_only_where_that_does_no_harm() {
    for (effect, is_tried_again) in [
        (Effect::ReadOnly, true),
        (Effect::Keyed, true),
        (Effect::AtLeastOnce, true),
        (Effect::AtMostOnce, false),
        (Effect::Unspecified, false),
    ] {
        let world = World::start(BASE).await;
        let mut first = Worker::join(&world, shared("first", vec![tool("t", effect)])).await;
        let running = world.send(&Turn::one("t", "{}")).await.unwrap();
        let before = first.attempt().await;
        let mut second = Worker::join(&world, shared("second", vec![tool("t", effect)])).await;
        first.cut();
        if is_tried_again {
            let again = second.attempt().await;
            assert_eq!((before.number, again.number), (1, 2), "{effect:?}");
            assert_eq!(before.idempotency_key, again.idempotency_key);
            assert_eq!(before.idempotency_key.is_empty(), effect != Effect::Keyed);
            second.answer(again.attempt_id, json("2")).await;
            running.finish().await.assert_succeeded("a", "2");
        } else {
            let ran = running.finish().await;
            let failure = ran.failure("a");
            assert_eq!(failure.code(), FailureCode::OutcomeUnknown, "{effect:?}");
            assert_eq!(failure.retry(), RetryAdvice::VerifyFirst);
            assert!(
                failure.message.contains("\"first\", which ran the call, was lost"),
                "{failure:?}"
            );
        }
        second.cut();
        world.end().await;
    }
}

#[tokio::test]
async fn the_tools_of_a_worker_go_with_it_and_calls_are_told_so() {
    let world = World::start(BASE).await;
    let tools = vec![tool("t", Effect::ReadOnly)];
    let mut worker = Worker::join(&world, hello("billing-agent-7", "s", tools)).await;
    let running = world.send(&Turn::one("t", "{}").session("s")).await.unwrap();
    worker.attempt().await;
    worker.cut();
    let ran = running.finish().await;
    let failure = ran.failure("a");
    assert_eq!(failure.code(), FailureCode::WorkerLost);
    assert!(failure.message.contains("billing-agent-7"), "{failure:?}");
    assert!(failure.message.contains("its connection was cut"), "{failure:?}");
    until_listed(&world, "s", &[]).await;
    let ran = world.run(&Turn::one("t", "{}").session("s")).await;
    let failure = ran.failure("a");
    assert_eq!(failure.code(), FailureCode::WorkerLost);
    assert!(failure.message.contains("which ran t, is gone since"), "{failure:?}");
    // Of another session nothing is said.
    let ran = world.run(&Turn::one("t", "{}").session("other")).await;
    assert_eq!(ran.failure("a").code(), FailureCode::UnknownTool);
    // It comes again, and all is well.
    let mut worker = Worker::join(&world, hello("w", "s", vec![tool("t", Effect::ReadOnly)])).await;
    let running = world.send(&Turn::one("t", "{}").session("s")).await.unwrap();
    let attempt = worker.attempt().await;
    worker.answer(attempt.attempt_id, json("1")).await;
    running.finish().await.assert_succeeded("a", "1");
    world.end().await;
}

#[tokio::test]
async fn what_a_tool_says_of_its_error_is_for_the_model() {
    let world = World::start(BASE).await;
    let mut worker = Worker::join(&world, shared("w", vec![tool("t", Effect::AtMostOnce)])).await;
    for (say, code, words) in [
        ("no such order", FailureCode::ToolError, "no such order"),
        ("", FailureCode::ToolError, "did not say why"),
    ] {
        let running = world.send(&Turn::one("t", "{}")).await.unwrap();
        let attempt = worker.attempt().await;
        worker.refuse(attempt.attempt_id, say).await;
        let ran = running.finish().await;
        assert_eq!(ran.failure("a").code(), code);
        assert!(ran.failure("a").message.contains(words), "{:?}", ran.failure("a"));
    }
    let running = world.send(&Turn::one("t", "{}")).await.unwrap();
    let attempt = worker.attempt().await;
    worker.answer(attempt.attempt_id, json("{")).await;
    let ran = running.finish().await;
    assert_eq!(ran.failure("a").code(), FailureCode::ResultInvalid);
    world.end().await;
}

#[tokio::test]
async fn a_worker_that_drains_ends_what_it_has_and_gets_nothing_new() {
    let world = World::start(BASE).await;
    let mut worker = Worker::join(&world, shared("w", vec![tool("t", Effect::ReadOnly)])).await;
    let running = world.send(&Turn::one("t", "{}")).await.unwrap();
    let attempt = worker.attempt().await;
    worker.drain().await;
    until_listed(&world, "s", &[]).await;
    let ran = world.run(&Turn::one("t", "{}")).await;
    assert_eq!(ran.failure("a").code(), FailureCode::WorkerLost);
    assert!(ran.failure("a").message.contains("takes no more attempts"));
    worker.answer(attempt.attempt_id, json("1")).await;
    running.finish().await.assert_succeeded("a", "1");
    worker.cut();
    world.end().await;
}

#[tokio::test]
async fn progress_is_told_between_a_calls_start_and_its_end() {
    let world = World::start(BASE).await;
    let mut worker = Worker::join(&world, shared("w", vec![tool("t", Effect::ReadOnly)])).await;
    let mut running = world.send(&Turn::one("t", "{}")).await.unwrap();
    let attempt = worker.attempt().await;
    worker.progress(attempt.attempt_id, 3.0, "three of ten").await;
    let event = running.until(|event| matches!(event, Event::Progress(_))).await;
    let Event::Progress(progress) = event else { panic!() };
    assert_eq!((progress.call_id.as_str(), progress.index), ("a", 0));
    assert_eq!((progress.done, progress.total), (Some(3.0), Some(10.0)));
    assert_eq!(progress.message, "three of ten");
    // Of a flood the latest are told, and none after the end.
    for n in 0..10_000 {
        worker.progress(attempt.attempt_id, f64::from(n), "").await;
    }
    worker.answer(attempt.attempt_id, json("1")).await;
    worker.progress(attempt.attempt_id, 99_999.0, "too late").await;
    let ran = running.finish().await;
    let done: Vec<f64> = ran
        .events
        .iter()
        .filter_map(|event| match &event.event {
            Some(Event::Progress(progress)) => progress.done,
            _ => None,
        })
        .collect();
    assert!(done.len() > 1 && !done.contains(&99_999.0), "{done:?}");
    assert!(done.is_sorted(), "in order");
    world.end().await;
}
