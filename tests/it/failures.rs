//! Every code that a call can fail with today, produced by what produces it.

use std::time::Duration;

use sidecall::proto::v1::{
    CancelBatchRequest, Failure, FailureCode, FailureOrigin, Outcome, RetryAdvice,
};

use crate::support::{
    Reply, Turn, World,
    tools::{BASE, base_with_api},
};

/// What an upstream's answer comes to.
struct Case {
    reply: Reply,
    code: FailureCode,
    retry: RetryAdvice,
    says: &'static [&'static str],
}

fn case(
    reply: Reply,
    code: FailureCode,
    retry: RetryAdvice,
    says: &'static [&'static str],
) -> Case {
    Case { reply, code, retry, says }
}

#[tokio::test]
async fn what_an_upstream_answers_decides_code_advice_and_words() {
    use {FailureCode as C, RetryAdvice as R};
    let world = World::start(&base_with_api("retry: {attempts: 1}")).await;
    let cases = [
        case(
            Reply::text(400, "no such region"),
            C::ToolError,
            R::ChangedInput,
            &["400", "no such region"],
        ),
        case(Reply::text(404, ""), C::ToolError, R::ChangedInput, &["404"]),
        case(Reply::text(409, "taken"), C::Conflict, R::VerifyFirst, &["409", "taken"]),
        case(Reply::text(412, ""), C::Conflict, R::VerifyFirst, &["412"]),
        case(Reply::text(422, "cents > 0"), C::ToolError, R::ChangedInput, &["422", "cents > 0"]),
        case(Reply::text(429, ""), C::RateLimited, R::SameInput, &["429"]),
        case(Reply::text(429, "").header("retry-after", "7"), C::RateLimited, R::After, &["429"]),
        case(Reply::text(500, "boom"), C::BackendError, R::SameInput, &["500"]),
        case(Reply::text(503, ""), C::Unavailable, R::SameInput, &["503"]),
        case(Reply::text(503, "").header("retry-after", "3"), C::Unavailable, R::After, &["503"]),
        case(Reply::cut(), C::Unavailable, R::SameInput, &[]),
        case(Reply::json("{not json"), C::ResultInvalid, R::Never, &["JSON"]),
    ];
    for (at, case) in cases.into_iter().enumerate() {
        world.peer.on(&format!("GET /read/case-{at}"), case.reply);
        let ran = world.run(&Turn::one("read", &format!(r#"{{"id":"case-{at}"}}"#))).await;
        ran.assert_failed("a", case.code, case.says);
        let failure = ran.failure("a");
        assert_eq!(failure.retry(), case.retry, "{at}: {failure:#?}");
        assert_eq!(failure.origin(), FailureOrigin::Backend, "{at}: {failure:#?}");
        assert_eq!(failure.retry_after.is_some(), case.retry == R::After, "{at}: {failure:#?}");
        assert_eq!(failure.attempts, 1, "{at}: {failure:#?}");
    }
    world.end().await;
}

/// Incident 27: asked for once, and not again.
#[tokio::test]
async fn a_result_beyond_the_apis_bound_is_too_large_and_is_not_read_to_its_end() {
    let world = World::start(&base_with_api("response_bytes: 64KiB")).await;
    world.peer.on("GET /read/announced", Reply::text(200, &"x".repeat(65_537)));
    world.peer.on("GET /read/endless", Reply::text(200, &"x".repeat(80_000)).endless());
    world.peer.on("GET /read/just", Reply::text(200, &"x".repeat(65_536)));
    for id in ["announced", "endless"] {
        let ran = world.run(&Turn::one("read", &format!(r#"{{"id":"{id}"}}"#))).await;
        ran.assert_failed("a", FailureCode::ResultTooLarge, &["65536 bytes"]);
        assert_ne!(ran.failure("a").retry(), RetryAdvice::SameInput);
    }
    let ran = world.run(&Turn::one("read", r#"{"id":"just"}"#)).await;
    assert_eq!(ran.result("a").outcome(), Outcome::Succeeded);
    assert_eq!(world.peer.lines().len(), 3, "each was asked for once");
    world.end().await;
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_unavailable_and_provably_not_sent() {
    let yaml = BASE.replace("{peer}", "http://127.0.0.1:9");
    let world = World::start(&yaml).await;
    let turn = Turn::of([("r", "read", r#"{"id":1}"#), ("w", "write", r#"{"id":"1"}"#)]);
    let ran = world.run(&turn).await;
    // A write that was provably not sent is not of unknown outcome.
    for call in ["r", "w"] {
        ran.assert_failed(call, FailureCode::Unavailable, &[]);
        // The model learns nothing of where the API stands.
        let message = &ran.failure(call).message;
        assert!(!message.contains("127.0.0.1"), "{message}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_write_that_was_sent_and_had_no_answer_is_of_unknown_outcome() {
    let world = World::start(BASE).await;
    world.peer.on("POST /write/cut", Reply::cut());
    let ran = world.run(&Turn::one("write", r#"{"id":"cut","value":1}"#)).await;
    ran.assert_failed("a", FailureCode::OutcomeUnknown, &[]);
    assert_eq!(ran.failure("a").retry(), RetryAdvice::VerifyFirst);
    assert_eq!(world.peer.lines().len(), 1, "sent once and never again");
    // An answer of any kind is an answer.
    world.peer.on("POST /write/500", Reply::text(500, "boom"));
    let ran = world.run(&Turn::one("write", r#"{"id":"500","value":1}"#)).await;
    ran.assert_failed("a", FailureCode::BackendError, &["500"]);
    world.end().await;
}

#[tokio::test]
async fn what_is_the_turns_own_fault_or_end_has_its_code() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::hang());
    let turn = Turn::of([
        ("bad", "read", "{"),
        ("who", "nobody", "{}"),
        ("child", "read", r#"{"id":1}"#),
        ("late", "read", r#"{"id":2}"#),
        ("gone", "read", r#"{"id":3}"#),
    ])
    .depends_on(2, &["bad"])
    .call(3, |call| call.timeout = Some(Duration::from_millis(100).try_into().unwrap()))
    .batch_id("turn-1");
    let mut running = world.send(&turn).await.unwrap();
    running.until_finished("late").await;
    let request =
        CancelBatchRequest { batch_id: "turn-1".to_owned(), call_ids: vec!["gone".to_owned()] };
    world.client().cancel_batch(request).await.unwrap();
    let ran = running.finish().await;
    let row = |failure: &Failure| (failure.code(), failure.origin(), failure.attempts);
    use {FailureCode as C, FailureOrigin as O};
    for (call, expected) in [
        ("bad", (C::InvalidInput, O::Caller, 0)),
        ("who", (C::UnknownTool, O::Caller, 0)),
        ("child", (C::DependencyFailed, O::Caller, 0)),
        ("late", (C::DeadlineExceeded, O::Sidecall, 1)),
        ("gone", (C::Cancelled, O::Caller, 1)),
    ] {
        assert_eq!(row(ran.failure(call)), expected, "{call}");
    }
    world.end().await;
}
