//! Failed attempts that are made again, and those that must not be.

use super::*;
use crate::{
    model::{AttemptTimings, CallResult, RetryAdvice},
    retry,
};

/// Tools that are tried again by the default policy, changed so.
pub(super) fn resilient(
    settings: Settings,
    tools: &[(&'static str, Script)],
    change: impl FnOnce(&mut retry::Settings),
) -> World {
    let mut policy = retry::Settings::default();
    change(&mut policy);
    let policy = Arc::new(retry::Policy::new(policy));
    world_of(settings, tools, |tool| tool.retry = Some(Arc::clone(&policy)))
}

fn retries(told: &Told) -> Vec<(u32, FailureCode)> {
    told.events
        .iter()
        .filter_map(|event| match event {
            Event::Retrying { attempt, failure, .. } => Some((*attempt, failure.code)),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_and_the_result_says_what_it_cost() {
    let world = resilient(settings(), &[("get", Script::Recovers(2, 50))], |_| {});
    let told = world.run(turn(&["get"])).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded]);
    assert_eq!(retries(&told), [(1, FailureCode::Unavailable), (2, FailureCode::Unavailable)]);
    let timings = told.results[0].timings;
    assert_eq!(timings.running, MS(150));
    assert!(timings.backing_off <= MS(300), "{timings:?}");
    assert_eq!(timings.queued, Duration::ZERO);
    assert_eq!(told.finished.duration, timings.running + timings.backing_off);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_told_with_the_waits_before_it_and_what_came_of_it() {
    let mut settings = settings();
    settings.apis = vec![api(None, &["1/s"])];
    let world = resilient(settings, &[("shaky", Script::Recovers(2, 10))], |policy| {
        policy.base = MS(1);
    });
    let told = world.run(turn(&["shaky"])).await;
    let CallResult { attempts, timings, .. } = &*told.results[0];
    let codes: Vec<_> = attempts.iter().map(|attempt| attempt.code).collect();
    assert_eq!(codes, [Some(FailureCode::Unavailable), Some(FailureCode::Unavailable), None]);
    let starts: Vec<_> = attempts.iter().map(|attempt| attempt.at).collect();
    assert_eq!(starts, [MS(0), MS(1000), MS(2000)]);
    assert!(attempts.iter().all(|attempt| attempt.running == MS(10)));
    for pair in attempts.windows(2) {
        let waits = pair[1].backing_off + pair[1].queued + pair[1].throttled;
        assert_eq!(pair[1].at, pair[0].at + pair[0].running + waits);
    }
    let sum = |of: fn(&AttemptTimings) -> Duration| attempts.iter().map(of).sum::<Duration>();
    assert_eq!(sum(|attempt| attempt.running), timings.running);
    assert_eq!(sum(|attempt| attempt.throttled), timings.throttled);
    assert_eq!(sum(|attempt| attempt.backing_off), timings.backing_off);
    // The start of each tells what went before it.
    let told_at_start: Vec<_> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Started { timings, .. } => Some((timings.running, timings.throttled)),
            _ => None,
        })
        .collect();
    assert_eq!(told_at_start[0], (MS(0), MS(0)));
    assert_eq!(told_at_start[2], (MS(20), timings.throttled));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_to_be_tried_again_tells_of_the_pause_that_another_brought() {
    let mut settings = settings();
    settings.apis = vec![api(None, &[])];
    let tools = [("busy", Script::Throttles(10, 2)), ("shaky", Script::Recovers(1, 30))];
    let world = resilient(settings, &tools, |policy| policy.base = MS(1));
    let told = world.run(turn(&["busy", "shaky"])).await;
    let delay = told.events.iter().find_map(|event| match event {
        Event::Retrying { index: 1, delay, .. } => Some(*delay),
        _ => None,
    });
    assert_eq!(delay, Some(MS(1980)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_tried_once_has_no_list_of_attempts() {
    let world = resilient(
        settings(),
        &[("get", Script::Echoes(5)), ("do_it", Script::RecoversSent(1, 5))],
        |_| {},
    );
    let told = world.run(turn(&["get", "do_it"])).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded, Outcome::Failed]);
    assert!(told.results.iter().all(|result| result.attempts.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_while_it_waits_to_try_again_tells_the_attempt_it_made() {
    let mut settings = settings();
    settings.apis = vec![api(None, &["1/s"])];
    let world = resilient(settings, &[("shaky", Script::Recovers(9, 10))], |policy| {
        policy.base = MS(1);
    });
    let mut submission = turn(&["shaky"]);
    submission.call_timeout = Some(MS(1500));
    let told = world.run(submission).await;
    let CallResult { attempts, failure, .. } = &*told.results[0];
    assert_eq!(failure.as_ref().unwrap().attempts as usize, attempts.len());
    assert!(attempts.iter().all(|attempt| attempt.code == Some(FailureCode::Unavailable)));
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_is_final_and_counts() {
    let world = resilient(settings(), &[("get", Script::Recovers(9, 5))], |_| {});
    let told = world.run(turn(&["get"])).await;
    assert_eq!(told.failure(0).0, FailureCode::Unavailable);
    assert_eq!(told.results[0].failure.as_ref().unwrap().attempts, 3);
    assert_eq!(world.calls()["get"], 3);
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_may_have_happened_is_never_made_again() {
    let world = resilient(
        settings(),
        &[("do_it", Script::RecoversSent(1, 5)), ("do_unsent", Script::Recovers(1, 5))],
        |_| {},
    );
    let told = world.run(turn(&["do_it", "do_unsent"])).await;
    assert_eq!(told.failure(0).0, FailureCode::OutcomeUnknown);
    assert_eq!(told.results[1].outcome, Outcome::Succeeded);
    assert_eq!(world.calls()["do_it"], 1);
    assert_eq!(world.calls()["do_unsent"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_keyed_call_is_made_again_with_the_same_key_and_no_other_has_it() {
    let world = resilient(
        settings(),
        &[("key_it", Script::RecoversSent(1, 5)), ("get", Script::Recovers(0, 5))],
        |_| {},
    );
    let send = |batch: &str| {
        let mut submission = turn(&["key_it", "key_it", "get"]);
        submission.batch_id = Some(BatchId::try_new(batch).unwrap());
        for (n, call) in submission.calls.iter_mut().enumerate() {
            call.id = CallId::positional(n + 1);
        }
        submission
    };
    let one = world.run(send("one")).await;
    let two = world.run(send("two")).await;
    let key = |told: &Told, call: usize| told.json(call);
    assert!(key(&one, 0).starts_with(r#"{"attempt":2,"key":""#), "{}", key(&one, 0));
    assert_ne!(key(&one, 0), key(&one, 1));
    assert_ne!(key(&one, 0), key(&two, 0));
    assert!(key(&one, 2).contains("none"));
    // A new process that is sent the same turn gives it the same key.
    let again = resilient(
        settings(),
        &[("key_it", Script::RecoversSent(1, 5)), ("get", Script::Recovers(0, 5))],
        |_| {},
    );
    assert_eq!(key(&again.run(send("one")).await, 0), key(&one, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_to_try_again_holds_no_place() {
    let mut settings = settings();
    settings.apis = vec![api(Some(1), &[])];
    let world = resilient(
        settings,
        &[("shaky", Script::Recovers(1, 10)), ("get", Script::Echoes(10))],
        |policy| policy.base = Duration::from_secs(4),
    );
    let told = world.run(turn(&["shaky", "get"])).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 2]);
    // It need not wait for the retry, however long that takes.
    assert_eq!(told.results[1].timings.queued, MS(10));
}

#[tokio::test(start_paused = true)]
async fn every_attempt_pays_its_token() {
    let mut settings = settings();
    settings.apis = vec![api(None, &["1/s"])];
    let world = resilient(settings, &[("shaky", Script::Recovers(2, 10))], |policy| {
        policy.base = MS(1);
    });
    let told = world.run(turn(&["shaky"])).await;
    assert_eq!(told.finished.duration, MS(2010));
    assert!(told.results[0].timings.throttled >= MS(1900));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_would_come_too_late_is_not_waited_for() {
    let world = resilient(settings(), &[("busy", Script::Throttles(10, 5))], |_| {});
    let mut submission = turn(&["busy"]);
    submission.call_timeout = Some(Duration::from_secs(4));
    let told = world.run(submission).await;
    assert_eq!(told.failure(0).0, FailureCode::RateLimited);
    assert_eq!(told.finished.duration, MS(10));
    let failure = told.results[0].failure.as_ref().unwrap();
    assert_eq!(failure.retry, RetryAdvice::After(Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_where_there_is_time() {
    let mut settings = settings();
    settings.apis = vec![api(None, &[])];
    let world = resilient(settings, &[("busy", Script::Throttles(10, 5))], |policy| {
        policy.attempts = std::num::NonZeroU32::new(2).unwrap();
    });
    let told = world.run(turn(&["busy"])).await;
    assert_eq!(world.calls()["busy"], 2);
    assert_eq!(told.finished.duration, Duration::from_millis(5020));
}

#[tokio::test(start_paused = true)]
async fn a_budget_bounds_the_retries_of_all_calls_together() {
    let world = resilient(settings(), &[("get", Script::Recovers(9, 5))], |_| {});
    world.run(turn(&["get"; 100])).await;
    // 20 % of a hundred first attempts.
    assert_eq!(world.calls()["get"], 120);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_wait_for_the_next_attempt() {
    let world = resilient(settings(), &[("shaky", Script::Recovers(2, 10))], |policy| {
        policy.base = Duration::from_secs(5);
    });
    let running = world.scheduler.submit(turn(&["shaky"])).unwrap();
    tokio::time::sleep(MS(20)).await;
    let id = running.batch_id.clone();
    world.scheduler.cancel(&Owner::local(), &id, Vec::new()).await.unwrap();
    let told = world.told(running).await;
    assert_eq!(told.outcomes(), [Outcome::Cancelled]);
    assert_eq!(told.results[0].failure.as_ref().unwrap().attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_stands_for_the_result_and_says_so() {
    let fallback = || Json::try_new(r#"{"tier":"unknown"}"#).unwrap();
    let world = world_of(
        settings(),
        &[("tier", Script::Recovers(9, 5)), ("get", Script::Echoes(5))],
        |tool| tool.fallback = (tool.name.as_str() == "tier").then(fallback),
    );
    let told = world
        .run(submission(vec![call("tier", "{}"), call("get", r#"{"v":"${tier.tier}"}"#)]))
        .await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 2]);
    assert_eq!(told.json(0), r#"{"tier":"unknown"}"#);
    assert_eq!(told.results[0].source, Some(crate::model::Source::Fallback));
    assert_eq!(told.results[1].source, Some(crate::model::Source::Executed));
    assert_eq!(told.json(1), r#"{"v":"unknown"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_call_stays_terminal_when_its_attempt_takes_too_long() {
    let world = resilient(settings(), &[("stuck", Script::Ends)], |policy| {
        policy.attempt_timeout = Some(MS(100));
        policy.base = MS(1);
    });
    let told = world.run(turn(&["stuck"])).await;
    assert_eq!(told.failure(0).0, FailureCode::AttemptTimeout);
    assert_eq!(world.calls()["stuck"], 3);
    assert!(told.finished.duration <= MS(310), "{:?}", told.finished.duration);
}

/// It was answered, and waited for its turn when its time was over.
#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_over_between_two_attempts_says_what_the_last_was_told() {
    let mut settings = settings();
    settings.apis = vec![api(Some(1), &[])];
    let tools = [("shaky", Script::Recovers(9, 10)), ("slow", Script::Echoes(5000))];
    let world = resilient(settings, &tools, |policy| policy.base = MS(1));
    let mut submission = turn(&["shaky", "slow"]);
    submission.calls[0].timeout = Some(MS(1000));
    let told = world.run(submission).await;
    let failure = told.results[0].failure.as_ref().unwrap();
    assert_eq!((failure.code, failure.attempts), (FailureCode::DeadlineExceeded, 1));
    assert_eq!(
        failure.message,
        "the call's time was over before it could be sent again. The attempt before failed: not \
         now"
    );
}
