//! What is admitted, and what runs at once.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_turn_over_a_bound_is_refused_before_any_effect() {
    let small = |change: fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        settings
    };
    for (settings, names) in [
        (small(|s| s.batch_calls_max = nz(2)), "bounds.batch_calls"),
        (small(|s| s.calls_max = nz(2)), "bounds.calls"),
        (small(|s| s.session_calls_max = nz(2)), "bounds.session_calls"),
        (small(|s| s.batch_bytes_max = nz(5)), "bounds.batch_bytes"),
    ] {
        let world = world_with(settings, &[("get", Script::Echoes(5))]);
        match world.scheduler.submit(turn(&["get"; 3])).unwrap_err() {
            Refusal::TooLarge(what) => assert!(what.contains(names), "{what}"),
            other => panic!("{other:?}"),
        }
        assert!(world.calls().is_empty());
        assert_eq!(world.scheduler.batches_open(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_process_refuses_until_there_is_room() {
    let small = |change: fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        settings
    };
    for (settings, names) in [
        (small(|s| s.batches_max = nz(1)), "bounds.batches"),
        (small(|s| s.calls_max = nz(3)), "bounds.calls"),
        (small(|s| s.session_calls_max = nz(3)), "bounds.session_calls"),
    ] {
        let world = world_with(settings, &[("get", Script::Echoes(50))]);
        let two = || {
            let mut submission = turn(&["get", "get"]);
            submission.session_id = Some(SessionId::try_new("s").unwrap());
            submission
        };
        let first = world.scheduler.submit(two()).unwrap();
        match world.scheduler.submit(two()).unwrap_err() {
            Refusal::Exhausted { what, retry_after } => {
                assert!(what.contains(names), "{what}");
                assert!(!retry_after.is_zero());
            }
            other => panic!("{other:?}"),
        }
        world.told(first).await;
        assert_eq!(world.run(two()).await.outcomes(), [Outcome::Succeeded; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn another_session_has_its_own_bound() {
    let mut settings = settings();
    settings.session_calls_max = nz(2);
    let world = world_with(settings, &[("get", Script::Echoes(50))]);
    let running = ["a", "b"].map(|session| {
        let mut submission = turn(&["get", "get"]);
        submission.session_id = Some(SessionId::try_new(session).unwrap());
        world.scheduler.submit(submission).unwrap()
    });
    world.drain.start();
    drop(running);
    world.drain.finished().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_attempts_are_in_flight_than_the_smallest_cap() {
    let small = |change: fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        settings
    };
    for settings in [
        small(|s| s.concurrency = nz(3)),
        small(|s| s.session_concurrency = nz(3)),
        small(|s| s.batch_concurrency = nz(3)),
        small(|s| s.apis = vec![api(Some(3), &[])]),
    ] {
        let world = world_with(settings, &[("get", Script::Echoes(100))]);
        let told = world.run(turn(&["get"; 9])).await;
        assert_eq!(told.outcomes(), [Outcome::Succeeded; 9]);
        assert_eq!(world.seen.most_in_flight.load(Atomic::SeqCst), 3);
        assert_eq!(told.finished.duration, MS(300));
        assert_eq!(told.results[8].timings.queued, MS(200));
    }
}

#[tokio::test(start_paused = true)]
async fn eight_hundred_calls_at_one_at_a_time_all_end() {
    let mut settings = settings();
    settings.apis = vec![api(Some(1), &[])];
    let world = world_with(settings, &[("get", Script::Echoes(10))]);
    let told = world.run(turn(&["get"; 800])).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 800]);
    assert_eq!(told.order(), (0..800).collect::<Vec<_>>());
}
