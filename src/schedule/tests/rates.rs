//! Rates, as a turn meets them.

use super::*;
use crate::limits::breaker;

fn rated(concurrency: Option<usize>, rates: &[&str]) -> Settings {
    let mut settings = settings();
    settings.apis = vec![api(concurrency, rates)];
    settings
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_spread_over_time_and_its_results_say_so() {
    let world = world_with(rated(None, &["10/s"]), &[("get", Script::Echoes(20))]);
    let told = world.run(turn(&["get"; 5])).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 5]);
    let throttled: Vec<_> =
        told.results.iter().map(|result| result.timings.throttled.as_millis()).collect();
    assert_eq!(throttled, [0, 100, 200, 300, 400]);
    assert!(told.results.iter().all(|result| result.timings.queued.is_zero()));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_token_in_time_is_told_at_once_and_when_it_could_run() {
    let world = world_with(rated(None, &["1/s"]), &[("get", Script::Echoes(20))]);
    let start = clock::now();
    let mut submission = turn(&["get", "get", "get"]);
    submission.call_timeout = Some(MS(1500));
    let mut running = world.scheduler.submit(submission).unwrap();
    let mut refused = None;
    while let Some(event) = running.events.recv().await {
        if let Event::Finished(result) = event
            && let Some(failure) = &result.failure
        {
            refused = Some((result.index, failure.clone(), clock::now() - start));
        }
    }
    let (index, failure, at) = refused.unwrap();
    assert_eq!((index, failure.code, at), (2, FailureCode::RateLimited, Duration::ZERO));
    assert_eq!(failure.retry, crate::model::RetryAdvice::After(MS(2000)));
    assert!(failure.message.contains("in 2.0s"), "{}", failure.message);
    assert_eq!(world.calls()["get"], 2);
}

/// What it waited for is no less true because it waited in vain.
#[tokio::test(start_paused = true)]
async fn a_wait_for_tokens_that_is_given_up_or_refused_is_told_as_one() {
    let world = world_with(rated(None, &["1/s"]), &[("get", Script::Echoes(10))]);
    let running = world.scheduler.submit(turn(&["get", "get"])).unwrap();
    tokio::time::sleep(MS(300)).await;
    world.scheduler.cancel(&Owner::local(), &running.batch_id, Vec::new()).await.unwrap();
    let told = world.told(running).await;
    assert_eq!(told.failure(1).0, FailureCode::Cancelled);
    let timings = told.results[1].timings;
    assert_eq!((timings.queued, timings.throttled), (MS(0), MS(300)));

    // A pause that is too long for the one that waits for its token.
    let tools = [("busy", Script::Throttles(400, 5)), ("get", Script::Echoes(10))];
    let world = world_with(rated(None, &["1/s"]), &tools);
    let mut asked = turn(&["busy", "get"]);
    asked.calls[1].timeout = Some(MS(3000));
    let told = world.run(asked).await;
    assert_eq!(told.failure(1).0, FailureCode::RateLimited);
    let timings = told.results[1].timings;
    assert_eq!((timings.queued, timings.throttled), (MS(0), MS(400)));

    let mut settings = rated(Some(2), &["1/s"]);
    let failures = std::num::NonZeroU32::MIN;
    settings.apis[0].breaker = Some(breaker::Settings { failures, ..Default::default() });
    let world = world_with(settings, &[("down", Script::Recovers(9, 400))]);
    let told = world.run(turn(&["down", "down"])).await;
    assert_eq!(told.failure(1).0, FailureCode::Unavailable);
    let timings = told.results[1].timings;
    assert_eq!((timings.queued, timings.throttled), (MS(0), MS(400)));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_says_so() {
    let mut settings = rated(Some(1), &[]);
    settings.apis[0].queue_max = nz(2);
    let world = world_with(settings, &[("get", Script::Echoes(20))]);
    let told = world.run(turn(&["get"; 4])).await;
    assert_eq!(told.failure(3).0, FailureCode::Overloaded);
    assert_eq!(told.outcomes()[..3], [Outcome::Succeeded; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_tool_has_a_cap_of_its_own() {
    let mut settings = settings();
    settings.tools = vec![(ToolName::try_new("slow").unwrap(), nz(1))];
    let world =
        world_with(settings, &[("slow", Script::Echoes(100)), ("fast", Script::Echoes(100))]);
    let told = world.run(turn(&["slow", "slow", "fast"])).await;
    assert_eq!(told.order(), [0, 2, 1]);
    assert_eq!(told.results[1].timings.queued, MS(100));
    assert_eq!(told.finished.duration, MS(200));
}

#[tokio::test(start_paused = true)]
async fn what_the_turn_waits_for_goes_first() {
    let world = world_with(
        rated(None, &["1/s"]),
        &[("last", Script::Echoes(10)), ("first", Script::Answers(10, "{}"))],
    );
    let told = world
        .run(submission(vec![
            call("last", r#"{"n":0}"#),
            call("last", r#"{"n":1}"#),
            call("first", "{}"),
            call("last", r#"{"v":"${first}"}"#),
        ]))
        .await;
    // The first token goes to whoever came first; from then on the chain leads.
    assert_eq!(told.order(), [0, 2, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_asks_to_be_left_alone_is_left_alone_by_everyone() {
    let world = world_with(
        rated(None, &[]),
        &[("busy", Script::Throttles(10, 5)), ("get", Script::Echoes(10))],
    );
    let told = world.run(turn(&["busy"])).await;
    let failure = told.results[0].failure.as_ref().unwrap();
    assert_eq!(failure.retry, crate::model::RetryAdvice::After(Duration::from_secs(5)));
    let told = world.run(turn(&["get"])).await;
    assert_eq!(told.results[0].timings.throttled, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_heeded_for_a_minute_at_most() {
    let world = world_with(
        rated(None, &[]),
        &[("busy", Script::Throttles(10, 86_400)), ("get", Script::Echoes(10))],
    );
    world.run(turn(&["busy"])).await;
    let mut submission = turn(&["get"]);
    submission.call_timeout = Some(Duration::from_secs(90));
    let told = world.run(submission).await;
    assert_eq!(told.results[0].timings.throttled, Duration::from_secs(60));
}
