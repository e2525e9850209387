//! Breakers, as turns meet them.

use super::{retries::resilient, *};
use crate::{
    limits::breaker,
    model::{FailureOrigin, RetryAdvice, Source},
    retry,
};

const S: fn(u64) -> Duration = Duration::from_secs;

/// An API whose breaker opens with the third failure in a row.
fn fragile(concurrency: Option<usize>) -> Settings {
    let mut settings = settings();
    let failures = std::num::NonZeroU32::new(3).unwrap();
    let breaker = breaker::Settings { failures, ..breaker::Settings::default() };
    settings.apis = vec![gate::Api { breaker: Some(breaker), ..api(concurrency, &[]) }];
    settings
}

/// A tool's policy of attempts without end and without a wait.
fn tireless(policy: &mut retry::Settings) {
    policy.attempts = std::num::NonZeroU32::new(10).unwrap();
    policy.base = MS(1);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_fails_is_not_asked_and_the_model_is_told_why_and_when() {
    let world = world_with(fragile(None), &[("get", Script::Recovers(99, 10))]);
    world.run(turn(&["get"; 3])).await;
    tokio::time::sleep(S(1)).await;
    let told = world.run(turn(&["get", "get"])).await;
    assert_eq!(told.finished.duration, Duration::ZERO);
    assert_eq!(world.calls()["get"], 3, "nobody asked it");
    let failure = told.results[0].failure.as_ref().unwrap();
    assert_eq!((failure.code, failure.attempts), (FailureCode::Unavailable, 0));
    assert_eq!(failure.origin, FailureOrigin::Sidecall);
    assert_eq!(failure.retry, RetryAdvice::After(S(4)));
    for says in ["api is not asked", "its last 3 calls failed", "not sent", "in 4.0s"] {
        assert!(failure.message.contains(says), "{}", failure.message);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_place_is_answered_when_it_opens() {
    let world = world_with(fragile(Some(1)), &[("get", Script::Recovers(99, 10))]);
    let told = world.run(turn(&["get"; 9])).await;
    assert_eq!(world.calls()["get"], 3);
    assert_eq!(told.finished.duration, MS(30));
    for result in &told.results {
        assert_eq!(result.failure.as_ref().unwrap().code, FailureCode::Unavailable);
    }
    assert_eq!(told.results[8].timings.queued, MS(30));
    assert_eq!(told.results[8].failure.as_ref().unwrap().retry, RetryAdvice::After(S(5)));
}

#[tokio::test(start_paused = true)]
async fn one_probe_brings_everyone_back() {
    let tools = [("down", Script::Recovers(99, 10)), ("get", Script::Echoes(10))];
    let world = world_with(fragile(None), &tools);
    world.run(turn(&["down"; 3])).await;
    tokio::time::sleep(S(5)).await;
    let told = world.run(turn(&["get"; 5])).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 5]);
    assert_eq!(told.results[0].timings.queued, Duration::ZERO);
    // The others waited for what came of the first, and went together.
    assert!(told.results[1..].iter().all(|result| result.timings.queued == MS(10)));
    assert_eq!(told.finished.duration, MS(20));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_made_again_ends_when_the_breaker_opens() {
    let world = resilient(fragile(None), &[("get", Script::Recovers(99, 10))], tireless);
    let told = world.run(turn(&["get"])).await;
    assert_eq!(world.calls()["get"], 3);
    let failure = told.results[0].failure.as_ref().unwrap();
    assert_eq!((failure.code, failure.attempts), (FailureCode::Unavailable, 3));
    for says in ["is not asked", "; it was not sent again.", "The attempt before failed: not now"] {
        assert!(failure.message.contains(says), "{}", failure.message);
    }
    assert!(matches!(failure.retry, RetryAdvice::After(wait) if wait <= S(5)));
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_may_have_happened_stays_unknown_when_the_breaker_opens() {
    let world = resilient(fragile(None), &[("key_it", Script::RecoversSent(99, 10))], tireless);
    let told = world.run(turn(&["key_it"])).await;
    let (code, message) = told.failure(0);
    assert_eq!(code, FailureCode::OutcomeUnknown);
    let ends = "it was not sent again. A call is let through again in 5.0s: wait before calling \
                it again, or do without it. The attempt before failed: not now. The call may or \
                may not have taken effect. Find out before trying again: a second call could do \
                it twice.";
    assert!(message.ends_with(ends), "{message}");
    assert_eq!(world.calls()["key_it"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_stands_for_what_is_not_asked() {
    let fallback = Json::try_new(r#"{"tier":"unknown"}"#).unwrap();
    let world = world_of(fragile(None), &[("tier", Script::Recovers(99, 5))], |tool| {
        tool.fallback = Some(fallback.clone());
    });
    world.run(turn(&["tier"; 3])).await;
    let told = world.run(turn(&["tier"])).await;
    assert_eq!(world.calls()["tier"], 3);
    assert_eq!(told.json(0), r#"{"tier":"unknown"}"#);
    assert_eq!(told.results[0].source, Some(Source::Fallback));
}

#[tokio::test(start_paused = true)]
async fn neither_a_refusal_nor_a_429_nor_a_cancel_opens_it() {
    let tools =
        [("no", Script::Fails(5)), ("busy", Script::Throttles(5, 1)), ("hang", Script::HangsSent)];
    let world = world_with(fragile(None), &tools);
    for _ in 0..4 {
        world.run(turn(&["no"])).await;
        world.run(turn(&["busy"])).await;
        let mut submission = turn(&["hang"]);
        // Less than it usually takes, so that it says nothing.
        submission.call_timeout = Some(S(1) + MS(500));
        let running = world.scheduler.submit(submission).unwrap();
        tokio::time::sleep(S(1) + MS(200)).await;
        drop(running);
    }
    let told = world.run(turn(&["no"])).await;
    assert_eq!(told.failure(0).0, FailureCode::ToolError, "it is still asked");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_hangs_opens_it_and_a_hasty_caller_does_not() {
    for (script, timeout, is_asked) in [
        // A second is what a tool takes of which nothing is known.
        (Script::Ends, MS(900), true),
        (Script::Ends, MS(1100), false),
        // One that overruns its deadline cannot say so itself.
        (Script::HangsSent, MS(800), true),
        (Script::HangsSent, MS(1100), false),
    ] {
        let world = world_with(fragile(None), &[("get", script.clone()), ("no", Script::Fails(5))]);
        for _ in 0..3 {
            let mut submission = turn(&["get"]);
            submission.call_timeout = Some(timeout);
            world.run(submission).await;
        }
        let told = world.run(turn(&["no"])).await;
        let code = if is_asked { FailureCode::ToolError } else { FailureCode::Unavailable };
        assert_eq!(told.failure(0).0, code, "{script:?} {timeout:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_cancelled_lets_the_next_one_try() {
    let world = world_with(
        fragile(None),
        &[
            ("down", Script::Recovers(99, 10)),
            ("get", Script::Echoes(10)),
            ("hang", Script::HangsSent),
        ],
    );
    world.run(turn(&["down"; 3])).await;
    tokio::time::sleep(S(5)).await;
    let probe = world.scheduler.submit(turn(&["hang"])).unwrap();
    let waits = world.scheduler.submit(turn(&["get"])).unwrap();
    tokio::time::sleep(S(3)).await;
    drop(probe);
    let told = world.told(waits).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded], "{:?}", told.results);
    assert_eq!(told.results[0].timings.queued, S(3));
}
