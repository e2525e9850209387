//! What ends a call from outside.

use super::*;

/// No call outlives its deadline by more.
const TOLERANCE: Duration = Duration::from_millis(250);

#[tokio::test(start_paused = true)]
async fn a_stuck_call_ends_at_its_deadline_and_its_siblings_do_not_wait() {
    let world = world(&[("stuck", Script::Hangs), ("get", Script::Echoes(50))]);
    let start = clock::now();
    let mut running = world.scheduler.submit(turn(&["stuck", "get"])).unwrap();
    let mut siblings = Vec::new();
    while let Some(event) = running.events.recv().await {
        if let Event::Finished(result) = event {
            siblings.push((result.index, clock::now() - start));
        }
    }
    assert_eq!(siblings[0], (1, MS(50)));
    assert_eq!(siblings[1].0, 0);
    let late = siblings[1].1 - Duration::from_secs(30);
    assert!(late <= TOLERANCE, "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn the_most_specific_timeout_holds() {
    let world = world(&[("stuck", Script::Hangs)]);
    for (own, of_calls, of_batch, expected) in [
        (Some(1), Some(2), Some(5), 1),
        (Some(5), Some(2), Some(3), 3),
        (None, Some(2), Some(5), 2),
        (None, None, Some(5), 5),
        (None, None, None, 30),
        (Some(60), None, None, 60),
    ] {
        let start = clock::now();
        let mut submission = turn(&["stuck"]);
        submission.calls[0].timeout = own.map(Duration::from_secs);
        submission.call_timeout = of_calls.map(Duration::from_secs);
        submission.deadline = of_batch.map(|s| start + Duration::from_secs(s));
        let told = world.run(submission).await;
        assert_eq!(told.failure(0).0, FailureCode::DeadlineExceeded);
        let late = (clock::now() - start) - Duration::from_secs(expected);
        assert!(late <= TOLERANCE, "{own:?} {of_calls:?} {of_batch:?}: {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn time_is_counted_from_the_moment_the_inputs_are_ready() {
    let world = world(&[("first", Script::Answers(900, "{}")), ("then", Script::Echoes(900))]);
    let mut submission = submission(vec![call("first", "{}"), call("then", r#"{"v":"${first}"}"#)]);
    submission.call_timeout = Some(MS(1000));
    let told = world.run(submission).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_turn_never_comes_ends_at_its_deadline_unsent() {
    let mut settings = settings();
    settings.apis = vec![api(Some(1), &[])];
    let world =
        world_with(settings, &[("get", Script::Echoes(5000)), ("do_it", Script::Echoes(5000))]);
    let mut submission = turn(&["get", "do_it"]);
    submission.calls[1].timeout = Some(MS(1000));
    let told = world.run(submission).await;
    assert_eq!(told.order(), [1, 0]);
    let (code, message) = told.failure(1);
    assert_eq!(code, FailureCode::DeadlineExceeded);
    assert!(message.contains("not sent"), "{message}");
    assert_eq!(told.results[1].timings.queued, MS(1000));
    assert_eq!(world.calls().get("do_it"), None);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_batch_ends_even_what_has_not_started() {
    let world = world(&[("stuck", Script::Hangs), ("get", Script::Echoes(5))]);
    let mut submission = submission(vec![
        call("stuck", "{}"),
        call("get", r#"{"v":{"$ref":"stuck.v","default":1}}"#),
        call("get", r#"{"v":"${stuck.v}"}"#),
    ]);
    submission.deadline = Some(clock::now() + MS(500));
    let told = world.run(submission).await;
    use Outcome::{Failed, Skipped};
    assert_eq!(told.outcomes(), [Failed, Failed, Skipped]);
    assert_eq!(told.failure(1).0, FailureCode::DeadlineExceeded);
    assert!(told.finished.duration <= MS(500) + TOLERANCE);
}

#[tokio::test(start_paused = true)]
async fn an_effect_without_an_answer_is_outcome_unknown() {
    let world = world(&[("do_it", Script::HangsSent), ("do_not", Script::Hangs)]);
    let mut submission = turn(&["do_it", "do_not"]);
    submission.call_timeout = Some(MS(100));
    let told = world.run(submission).await;
    assert_eq!(told.failure(0).0, FailureCode::OutcomeUnknown);
    assert_eq!(told.failure(1).0, FailureCode::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_call_drops_its_attempt_and_skips_what_needs_it() {
    let world = world(&[("stuck", Script::Hangs), ("get", Script::Echoes(500))]);
    let mut submission = submission(vec![
        call("stuck", "{}"),
        call("get", r#"{"v":"${stuck.v}"}"#),
        call("get", "{}"),
    ]);
    let id = BatchId::try_new("b").unwrap();
    submission.batch_id = Some(id.clone());
    let stuck = submission.calls[0].id.clone();
    let running = world.scheduler.submit(submission).unwrap();
    let owner = Owner::local();
    tokio::time::advance(MS(100)).await;
    let cancelled = world.scheduler.cancel(&owner, &id, vec![stuck.clone()]).await.unwrap();
    assert_eq!(cancelled, [stuck]);
    let told = world.told(running).await;
    use Outcome::{Cancelled, Skipped, Succeeded};
    assert_eq!(told.outcomes(), [Cancelled, Skipped, Succeeded]);
    // It was running: a caller must be able to tell that from never.
    assert_eq!(told.results[0].failure.as_ref().unwrap().attempts, 1);
    assert_eq!(told.results[1].failure.as_ref().unwrap().attempts, 0);
    assert!(world.scheduler.cancel(&owner, &id, Vec::new()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_batch_ends_all_that_is_open() {
    let world = world(&[
        ("stuck", Script::Hangs),
        ("do_it", Script::HangsSent),
        ("get", Script::Echoes(5)),
    ]);
    let mut submission = submission(vec![
        call("get", "{}"),
        call("stuck", "{}"),
        call("do_it", "{}"),
        call("get", r#"{"v":"${stuck.v}"}"#),
    ]);
    let id = BatchId::try_new("b").unwrap();
    submission.batch_id = Some(id.clone());
    let running = world.scheduler.submit(submission).unwrap();
    tokio::time::sleep(MS(100)).await;
    let other = Owner::try_new("other").unwrap();
    assert!(world.scheduler.cancel(&other, &id, Vec::new()).await.is_none());
    let cancelled = world.scheduler.cancel(&Owner::local(), &id, Vec::new()).await.unwrap();
    assert_eq!(cancelled.len(), 3);
    let told = world.told(running).await;
    use Outcome::{Cancelled, Failed, Succeeded};
    assert_eq!(told.outcomes(), [Succeeded, Cancelled, Failed, Cancelled]);
    assert_eq!(told.failure(2).0, FailureCode::OutcomeUnknown);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_takes_its_attempts_along() {
    let world = world(&[("stuck", Script::Hangs)]);
    let running = world.scheduler.submit(turn(&["stuck", "stuck"])).unwrap();
    tokio::time::sleep(MS(10)).await;
    assert_eq!(world.seen.in_flight.load(Atomic::SeqCst), 2);
    drop(running);
    world.drain.finished().await;
    assert_eq!(world.seen.in_flight.load(Atomic::SeqCst), 0);
    assert_eq!(world.scheduler.batches_open(), 0);
}

#[tokio::test(start_paused = true)]
async fn draining_lets_a_batch_end_and_killing_ends_it_with_results() {
    let world = world(&[("stuck", Script::Hangs), ("get", Script::Echoes(50))]);
    let running = world.scheduler.submit(turn(&["stuck", "get"])).unwrap();
    world.drain.start();
    let refused = world.scheduler.submit(turn(&["get"])).unwrap_err();
    assert!(matches!(refused, Refusal::Draining { .. }));
    tokio::time::sleep(MS(100)).await;
    world.drain.kill();
    let told = world.told(running).await;
    assert_eq!(told.outcomes(), [Outcome::Cancelled, Outcome::Succeeded]);
    assert!(told.failure(0).1.contains("stopping"));
    world.drain.finished().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_sent_again_is_told_what_became_of_it() {
    let world = world(&[("get", Script::Echoes(50))]);
    let id = BatchId::try_new("b").unwrap();
    let again = |fingerprint| {
        let mut submission = turn(&["get"]);
        submission.batch_id = Some(id.clone());
        submission.fingerprint = [fingerprint; 32];
        submission
    };
    let running = world.scheduler.submit(again(1)).unwrap();
    assert_eq!(world.scheduler.submit(again(1)).unwrap_err(), Refusal::Running(id.clone()));
    assert_eq!(world.scheduler.submit(again(2)).unwrap_err(), Refusal::IdReused(id.clone()));
    world.told(running).await;
    assert_eq!(world.scheduler.submit(again(1)).unwrap_err(), Refusal::Finished(id.clone()));
    assert_eq!(world.calls()["get"], 1);
}
