//! How a turn that is still coming ends, whole or not.

use super::*;

/// What a batch told that has no [`Told`]: its results by place, and its last event.
async fn broken(running: Running) -> (Vec<Outcome>, Event) {
    let mut events = collect(running).await;
    let last = events.pop().unwrap();
    let mut results: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Finished(result) => Some((result.index, result.outcome)),
            _ => None,
        })
        .collect();
    results.sort_by_key(|(index, _)| *index);
    (results.into_iter().map(|(_, outcome)| outcome).collect(), last)
}

fn is_free(world: &World) {
    assert_eq!(world.scheduler.batches_open(), 0);
    assert_eq!(world.scheduler.shared.terms().admission.status().1.used, 0);
    assert_eq!(world.scheduler.shared.gate.in_flight(), 0);
    assert_eq!(world.seen.in_flight.load(Atomic::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_cut_off_has_sent_nothing_but_reads_and_ends_each_call() {
    let world = world(&[
        ("stuck", Script::Hangs),
        ("get", Script::Echoes(10)),
        ("do_it", Script::Echoes(10)),
        ("key_it", Script::Echoes(10)),
    ]);
    let (mut pen, running) = world.open();
    for tool in ["get", "stuck", "do_it", "key_it"] {
        pen.write(tool, "{}").await;
    }
    pen.write("get", r#"{"v":"${do_it}"}"#).await;
    pen.begin("do_it", r#"{"half"#).await;
    tokio::time::sleep(MS(100)).await;
    // In the same moment with the end comes what could have begun.
    pen.write("get", r#"{"n":9}"#).await;
    drop(pen);
    let told = world.told(running).await;
    let expected = [&[Outcome::Succeeded][..], &[Outcome::Cancelled; 6]].concat();
    assert_eq!(told.outcomes()[..6], expected[..6]);
    let (code, message) = told.failure(5);
    assert_eq!(code, FailureCode::Cancelled);
    assert!(message.contains("its turn was cut off"), "{message}");
    let calls = world.calls();
    assert_eq!((calls.get("do_it"), calls.get("key_it")), (None, None));
    is_free(&world);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_callers_ends_the_batch_and_starts_nothing() {
    let world = world(&[("get", Script::Hangs), ("do_it", Script::Echoes(10))]);
    let (mut pen, running) = world.open();
    pen.write("get", "{}").await;
    settle().await;
    let refusal = Refusal::Invalid(vec![Violation {
        field: "open".to_owned(),
        description: "is the second".to_owned(),
    }]);
    pen.write("do_it", "{}").await;
    pen.say(Arrival::Broken(refusal.clone())).await;
    let (outcomes, last) = broken(running).await;
    assert_eq!(outcomes, [Outcome::Cancelled; 2]);
    assert!(matches!(last, Event::BrokenOff(why) if why == refusal));
    assert_eq!(world.sent(), ["get"]);
    is_free(&world);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_outgrows_its_bounds_is_broken_off() {
    let mut settings = settings();
    (settings.batch_calls_max, settings.batch_bytes_max) = (nz(3), nz(100));
    settings.session_calls_max = nz(5);
    let world = world_with(settings, &[("get", Script::Hangs)]);
    let session = || Submission {
        session_id: Some(SessionId::try_new("s").unwrap()),
        ..submission(Vec::new())
    };

    let (mut pen, running) = world.open();
    for n in 0..4 {
        pen.write("get", &format!(r#"{{"n":{n}}}"#)).await;
    }
    let (outcomes, last) = broken(running).await;
    assert_eq!(outcomes, [Outcome::Cancelled; 3]);
    assert!(
        matches!(&last, Event::BrokenOff(Refusal::TooLarge(why)) if why.contains("bounds.batch_calls")),
        "{last:?}"
    );

    let (mut pen, running) = world.open();
    let index = pen.begin("get", r#"{"n":"#).await;
    for _ in 0..12 {
        pen.say(Arrival::Fragment { index, text: "0123456789".into() }).await;
    }
    let (outcomes, last) = broken(running).await;
    assert_eq!(outcomes, [Outcome::Cancelled]);
    assert!(
        matches!(&last, Event::BrokenOff(Refusal::TooLarge(why)) if why.contains("bounds.batch_bytes")),
        "{last:?}"
    );
    is_free(&world);

    // Three of another turn are open.
    let (mut other, other_running) = world.open_with(session()).unwrap();
    let (mut pen, running) = world.open_with(session()).unwrap();
    for n in 0..3 {
        other.write("get", &format!(r#"{{"n":{n}}}"#)).await;
    }
    settle().await;
    for n in 3..6 {
        pen.write("get", &format!(r#"{{"n":{n}}}"#)).await;
    }
    let (outcomes, last) = broken(running).await;
    assert_eq!(outcomes, [Outcome::Cancelled; 2]);
    assert!(
        matches!(&last, Event::BrokenOff(Refusal::Exhausted { what, .. }) if what.contains("bounds.session_calls")),
        "{last:?}"
    );
    drop(other);
    world.told(other_running).await;
    is_free(&world);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_written_to_its_end_is_told_what_came_of_it() {
    let world = world(&[("get", Script::Echoes(10))]);
    let (mut pen, running) = world.open();
    pen.begin("get", r#"{"city": "Ber"#).await;
    pen.write("get", r#"["no object"]"#).await;
    pen.write("get", "").await;
    pen.commit().await;
    let told = world.told(running).await;
    use Outcome::{Failed, Succeeded};
    assert_eq!(told.outcomes(), [Failed, Failed, Succeeded]);
    let (code, message) = told.failure(0);
    assert_eq!(code, FailureCode::InvalidInput);
    assert!(message.contains(r#"{\"city\": \"Ber"#), "{message}");
    assert_eq!(told.failure(1).0, FailureCode::InvalidInput);
    assert_eq!(told.json(2), "{}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stays_idle_ends_with_the_time_of_its_batch() {
    let world = world(&[
        ("stuck", Script::Hangs),
        ("get", Script::Echoes(10)),
        ("do_it", Script::Echoes(1)),
    ]);
    let start = clock::now();
    let timed = Submission { deadline: Some(start + MS(500)), ..submission(Vec::new()) };
    let (mut pen, running) = world.open_with(timed).unwrap();
    for tool in ["get", "stuck", "do_it"] {
        pen.write(tool, "{}").await;
    }
    pen.begin("get", "{").await;
    let told = world.told(running).await;
    use Outcome::{Failed, Succeeded};
    assert_eq!(told.outcomes(), [Succeeded, Failed, Failed, Failed]);
    for call in 1..4 {
        assert_eq!(told.failure(call).0, FailureCode::DeadlineExceeded, "{:?}", told.failure(call));
    }
    assert!(clock::now() - start <= MS(750));
    assert_eq!(world.calls().get("do_it"), None);

    // Nothing ever came of this one: the batch's own time holds.
    let start = clock::now();
    let (_pen, running) = world.open();
    world.told(running).await;
    assert_eq!(clock::now() - start, world.scheduler.shared.terms().settings.batch_timeout);
    is_free(&world);
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_holds_the_place_and_the_id_of_a_batch() {
    let mut settings = settings();
    settings.batches_max = nz(1);
    let world = world_with(settings, &[("get", Script::Echoes(1))]);
    let named = |fingerprint| Submission {
        batch_id: Some(BatchId::try_new("turn-1").unwrap()),
        fingerprint,
        ..submission(Vec::new())
    };
    let (pen, running) = world.open_with(named([1; 32])).unwrap();
    let refusal = |result: Result<(Pen, Running), Refusal>| result.err().unwrap();
    assert!(matches!(refusal(world.open_with(named([1; 32]))), Refusal::Running(_)));
    assert!(matches!(refusal(world.open_with(named([2; 32]))), Refusal::IdReused(_)));
    assert!(matches!(refusal(world.open_with(submission(Vec::new()))), Refusal::Exhausted { .. }));
    pen.commit().await;
    world.told(running).await;
    assert!(matches!(refusal(world.open_with(named([1; 32]))), Refusal::Finished(_)));
    world.drain.start();
    assert!(matches!(refusal(world.open_with(named([3; 32]))), Refusal::Draining { .. }));
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_turn_that_is_still_coming_can_be_cancelled() {
    let world = world(&[
        ("stuck", Script::Hangs),
        ("do_it", Script::Echoes(1)),
        ("get", Script::Echoes(1)),
    ]);
    let batch_id = BatchId::try_new("turn-1").unwrap();
    let named = Submission { batch_id: Some(batch_id.clone()), ..submission(Vec::new()) };
    let (mut pen, mut running) = world.open_with(named.clone()).unwrap();
    pen.write("stuck", "{}").await;
    pen.write("do_it", "{}").await;
    pen.write("do_it", r#"{"v":"${2}"}"#).await;
    settle().await;
    let mut ids = Vec::new();
    while let Ok(event) = running.events.try_recv() {
        if let Event::Planned(planned) = event {
            ids.push(planned.call_id.clone());
        }
    }
    let owner = Owner::local();
    let cancelled = world.scheduler.cancel(&owner, &batch_id, ids[..2].to_vec()).await.unwrap();
    assert_eq!(cancelled, ids[..2]);
    pen.write("get", "{}").await;
    settle().await;
    assert_eq!(world.sent(), ["stuck", "get"], "the turn goes on");
    pen.commit().await;
    let (outcomes, last) = broken(running).await;
    use Outcome::{Cancelled, Skipped, Succeeded};
    assert_eq!(outcomes, [Cancelled, Cancelled, Skipped, Succeeded]);
    assert!(matches!(last, Event::BatchFinished(_)));
    assert_eq!(world.calls().get("do_it"), None);

    let another = Submission { batch_id: Some(BatchId::try_new("turn-2").unwrap()), ..named };
    let (mut pen, running) = world.open_with(another.clone()).unwrap();
    pen.write("stuck", "{}").await;
    pen.write("do_it", "{}").await;
    settle().await;
    let all = world.scheduler.cancel(&owner, &another.batch_id.unwrap(), vec![]).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(world.told(running).await.outcomes(), [Cancelled; 2]);
    is_free(&world);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_and_a_process_that_ends_take_the_turn_with_them() {
    for is_killed in [false, true] {
        let world = world(&[("stuck", Script::Hangs), ("do_it", Script::Echoes(1))]);
        let (mut pen, running) = world.open();
        pen.write("stuck", "{}").await;
        pen.write("do_it", "{}").await;
        settle().await;
        if is_killed {
            world.drain.kill();
            assert_eq!(world.told(running).await.outcomes(), [Outcome::Cancelled; 2]);
        } else {
            drop(running);
        }
        settle().await;
        world.drain.finished().await;
        assert_eq!(world.sent(), ["stuck"]);
        is_free(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn what_follows_the_commit_breaks_the_batch_off() {
    let world = world(&[("get", Script::Hangs)]);
    let (mut pen, running) = world.open();
    pen.write("get", "{}").await;
    pen.say(Arrival::Committed).await;
    settle().await;
    pen.say(Arrival::Broken(Refusal::Invalid(Vec::new()))).await;
    let (outcomes, last) = broken(running).await;
    assert_eq!(outcomes, [Outcome::Cancelled]);
    assert!(matches!(last, Event::BrokenOff(_)));
}
