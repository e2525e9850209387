//! Identical calls of a batch run once and answer each.

use super::*;
use crate::{
    locks::{Claims, Pattern},
    model::Source,
};

const INPUT: &str = r#"{"id":1,"name":"a"}"#;

/// So many identical calls of `get`.
fn identical(count: usize) -> Vec<Call> {
    (0..count).map(|_| call("get", INPUT)).collect()
}

fn needs(mut child: Call, parent: &Call) -> Call {
    child.depends_on = vec![parent.id.to_string()];
    child
}

fn sources(told: &Told) -> Vec<Option<Source>> {
    told.results.iter().map(|result| result.source).collect()
}

#[tokio::test(start_paused = true)]
async fn five_identical_reads_run_once_and_answer_five_times() {
    let world = world(&[("get", Script::Echoes(100))]);
    let told = world.run(submission(identical(5))).await;
    assert_eq!(world.calls()["get"], 1);
    assert_eq!(sources(&told)[0], Some(Source::Executed));
    assert_eq!(sources(&told)[1..], [Some(Source::Shared); 4]);
    assert_eq!(told.order(), [0, 1, 2, 3, 4]);
    for (index, result) in told.results.iter().enumerate() {
        assert_eq!(told.json(index), INPUT);
        let timings = result.timings;
        let own = if index == 0 { (MS(0), MS(100)) } else { (MS(100), MS(0)) };
        assert_eq!((timings.blocked, timings.running), own);
        assert_eq!(timings.queued, MS(0));
    }
    assert_eq!((told.finished.duration, told.finished.sequential), (MS(100), MS(100)));
    let started = told.events.iter().filter(|event| matches!(event, Event::Started { .. }));
    assert_eq!(started.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn inputs_are_identical_by_value_and_numbers_by_what_is_written() {
    let world = world(&[("get", Script::Echoes(10)), ("other", Script::Echoes(10))]);
    let told = world
        .run(submission(vec![
            call("get", r#"{"a":1,"b":[2,"é"]}"#),
            call("get", " { \"b\" : [2, \"\\u00e9\"],\n \"a\":1 }"),
            call("get", r#"{"a":1.0,"b":[2,"é"]}"#),
            call("get", r#"{"a":"1","b":[2,"é"]}"#),
            call("other", r#"{"a":1,"b":[2,"é"]}"#),
        ]))
        .await;
    let runs = [Source::Executed, Source::Shared, Source::Executed, Source::Executed];
    assert_eq!(sources(&told)[..4], runs.map(Some));
    assert_eq!(sources(&told)[4], Some(Source::Executed));
}

#[tokio::test(start_paused = true)]
async fn what_may_change_something_is_never_shared() {
    let world = world(&[("do_it", Script::Echoes(10)), ("key_it", Script::Echoes(10))]);
    world
        .run(submission(["do_it", "do_it", "key_it", "key_it"].map(|tool| call(tool, "{}")).into()))
        .await;
    assert_eq!(world.calls(), BTreeMap::from([("do_it".into(), 2), ("key_it".into(), 2)]));
}

#[tokio::test(start_paused = true)]
async fn read_write_read_makes_both_reads() {
    let world = world(&[("get", Script::Counts(10)), ("do_it", Script::Echoes(10))]);
    let [one, other] = [call("get", "{}"), call("get", "{}")];
    let told = world.run(submission(vec![one, call("do_it", "{}"), other])).await;
    assert_eq!(sources(&told), [Some(Source::Executed); 3]);
    assert_eq!(world.calls()["get"], 2);

    // A write before or after both is none between them.
    let told = world
        .run(submission(vec![
            call("do_it", "{}"),
            call("get", "{}"),
            call("get", "{}"),
            call("do_it", "{}"),
        ]))
        .await;
    assert_eq!(sources(&told)[2], Some(Source::Shared));
    assert_eq!(world.calls()["get"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_waited_for_a_write_is_made_wherever_it_stands() {
    for takes in [10, 1000] {
        let world = world(&[("get", Script::Counts(takes)), ("do_it", Script::Echoes(100))]);
        let write = call("do_it", "{}");
        let after = needs(call("get", "{}"), &write);
        let told = world.run(submission(vec![call("get", "{}"), after, write])).await;
        assert_eq!(sources(&told), [Some(Source::Executed); 3], "{takes}");
        assert_ne!(told.json(0), told.json(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_of_another_turn_is_seen_by_those_that_come_after_it() {
    for (write_at, expected) in [(None, Source::Shared), (Some(20), Source::Executed)] {
        let world = world(&[
            ("get", Script::Counts(1000)),
            ("slow", Script::Echoes(100)),
            ("do_it", Script::Echoes(20)),
        ]);
        let slow = call("slow", "{}");
        let after = needs(call("get", "{}"), &slow);
        let reads = world.scheduler.submit(submission(vec![call("get", "{}"), slow, after]));
        let mut write = None;
        if let Some(at) = write_at {
            tokio::time::sleep(MS(at)).await;
            write = Some(world.scheduler.submit(turn(&["do_it"])).unwrap());
        }
        let told = world.told(reads.unwrap()).await;
        drop(write);
        assert_eq!(sources(&told)[2], Some(expected), "a write at {write_at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_of_the_same_key_at_another_api_is_seen_too() {
    let tools =
        [("get", Script::Counts(10)), ("slow", Script::Echoes(100)), ("do_it", Script::Echoes(20))];
    let world = world_of(settings(), &tools, |tool| {
        let key = vec![Pattern::try_new("row").unwrap()];
        match tool.name.as_str() {
            "get" => tool.claims = Claims::new(key, Vec::new()),
            "do_it" => {
                tool.claims = Claims::new(Vec::new(), key);
                tool.api = ApiName::try_new("other").unwrap();
            }
            _ => {}
        }
    });
    let slow = call("slow", "{}");
    let after = needs(call("get", "{}"), &slow);
    let calls = vec![call("get", "{}"), call("get", "{}"), slow, after];
    let reads = world.scheduler.submit(submission(calls)).unwrap();
    let write = world.scheduler.submit(turn(&["do_it"])).unwrap();
    let told = world.told(reads).await;
    drop(write);
    let expected = [Source::Executed, Source::Shared, Source::Executed, Source::Executed];
    assert_eq!(sources(&told), expected.map(Some));
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_when_the_first_is_done_gets_its_answer_at_once() {
    let world = world(&[("get", Script::Counts(10)), ("slow", Script::Echoes(100))]);
    let slow = call("slow", "{}");
    let after = needs(call("get", "{}"), &slow);
    let told = world.run(submission(vec![call("get", "{}"), slow, after])).await;
    assert_eq!(sources(&told)[2], Some(Source::Shared));
    assert_eq!((told.json(0), told.finished.duration), (told.json(2), MS(100)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_backend_answers_all_with_one_attempt() {
    let world = world(&[("get", Script::Fails(10)), ("broken", Script::Panics)]);
    let told = world.run(submission(identical(3))).await;
    assert_eq!(told.outcomes(), [Outcome::Failed; 3]);
    assert!((0..3).all(|call| told.failure(call) == (FailureCode::ToolError, "it said no")));
    assert_eq!(world.calls()["get"], 1);
    let told = world.run(submission((0..3).map(|_| call("broken", "{}")).collect())).await;
    assert!((0..3).all(|call| told.failure(call).0 == FailureCode::Internal));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_for_all_and_so_is_a_fallback() {
    let policy = crate::retry::Policy::new(crate::retry::Settings::default());
    let policy = Arc::new(policy);
    let tools = [("get", Script::Recovers(1, 10)), ("never", Script::Recovers(9, 10))];
    let world = world_of(settings(), &tools, |tool| {
        tool.retry = Some(Arc::clone(&policy));
        tool.fallback = Some(Json::try_new("7").unwrap());
    });
    let mut calls = identical(3);
    calls.extend((0..3).map(|_| call("never", "{}")));
    let told = world.run(submission(calls)).await;
    assert_eq!(sources(&told)[..3], [Source::Executed, Source::Shared, Source::Shared].map(Some));
    assert_eq!(sources(&told)[3..], [Some(Source::Fallback); 3]);
    assert!((3..6).all(|call| told.json(call) == "7"));
    assert_eq!(world.calls(), BTreeMap::from([("get".into(), 2), ("never".into(), 3)]));
}

#[tokio::test(start_paused = true)]
async fn when_the_first_is_cancelled_the_next_runs_in_its_place() {
    let world = world(&[("get", Script::Counts(100))]);
    let calls = identical(3);
    let first = calls[0].id.clone();
    let running = world.scheduler.submit(submission(calls)).unwrap();
    tokio::time::sleep(MS(30)).await;
    let id = running.batch_id.clone();
    world.scheduler.cancel(&Owner::local(), &id, vec![first]).await.unwrap();
    let told = world.told(running).await;
    assert_eq!(told.outcomes(), [Outcome::Cancelled, Outcome::Succeeded, Outcome::Succeeded]);
    assert_eq!(sources(&told)[1..], [Some(Source::Executed), Some(Source::Shared)]);
    let timings = told.results[1].timings;
    assert_eq!((timings.blocked, timings.queued, timings.running), (MS(30), MS(0), MS(100)));
    assert_eq!(told.finished.duration, MS(130));
    assert_eq!(world.calls()["get"], 2);
}

#[tokio::test(start_paused = true)]
async fn when_the_time_of_the_first_is_over_the_next_runs_in_its_place() {
    for script in [Script::Hangs, Script::Ends] {
        let world = world(&[("get", script)]);
        let mut calls = identical(3);
        for (call, ms) in calls.iter_mut().zip([100, 300, 1000]) {
            call.timeout = Some(MS(ms));
        }
        let told = world.run(submission(calls)).await;
        assert!((0..3).all(|call| told.failure(call).0 == FailureCode::DeadlineExceeded));
        assert_eq!(world.calls()["get"], 3);
        assert!(told.finished.duration <= MS(1250), "{:?}", told.finished.duration);
    }
}

#[tokio::test(start_paused = true)]
async fn those_whose_time_is_over_with_the_firsts_do_not_run_any_more() {
    let world = world(&[("get", Script::Ends)]);
    let mut submission = submission(identical(50));
    submission.call_timeout = Some(MS(100));
    let told = world.run(submission).await;
    assert!((0..50).all(|call| told.failure(call).0 == FailureCode::DeadlineExceeded));
    assert_eq!((world.calls()["get"], told.finished.duration), (1, MS(100)));
}

#[tokio::test(start_paused = true)]
async fn one_with_less_time_than_the_first_ends_by_itself() {
    let world = world(&[("get", Script::Counts(100))]);
    let mut calls = identical(3);
    calls[1].timeout = Some(MS(40));
    let told = world.run(submission(calls)).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded, Outcome::Failed, Outcome::Succeeded]);
    assert_eq!(told.failure(1).0, FailureCode::DeadlineExceeded);
    assert_eq!(told.results[1].timings.blocked, MS(40));
    assert_eq!((world.calls()["get"], told.order()), (1, vec![1, 0, 2]));
}

#[tokio::test(start_paused = true)]
async fn an_end_from_outside_ends_all_that_share() {
    let world = world(&[("get", Script::Hangs)]);
    let running = world.scheduler.submit(submission(identical(3))).unwrap();
    let id = running.batch_id.clone();
    let cancelled = world.scheduler.cancel(&Owner::local(), &id, Vec::new()).await.unwrap();
    assert_eq!(cancelled.len(), 3);
    assert_eq!(world.told(running).await.outcomes(), [Outcome::Cancelled; 3]);

    let running = world.scheduler.submit(submission(identical(3))).unwrap();
    world.drain.kill();
    assert_eq!(world.told(running).await.outcomes(), [Outcome::Cancelled; 3]);
}

/// More than the model sees of a result, with something at its end.
const LONG: &str = concat!(
    r#"{"a":""#,
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
    r#"","z":[1.10,2]}"#
);

#[tokio::test(start_paused = true)]
async fn references_read_the_whole_of_a_shared_result() {
    let tools = [
        ("get", Script::Answers(10, LONG)),
        ("slow", Script::Echoes(100)),
        ("put", Script::Echoes(5)),
    ];
    let world = world_of(settings(), &tools, |tool| tool.result_bytes_max = 300);
    let slow = call("slow", "{}");
    let late = needs(call("get", "{}"), &slow);
    let told = world
        .run(submission(vec![
            call("get", "{}"),
            call("get", "{}"),
            slow,
            late,
            call("put", r#"{"v":"${get#2.z[0]}"}"#),
            call("put", r#"{"v":"${get#3.z}"}"#),
        ]))
        .await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 6]);
    assert_eq!(world.calls()["get"], 1);
    assert_eq!(told.json(4), r#"{"v":1.10}"#);
    assert_eq!(told.json(5), r#"{"v":[1.10,2]}"#);
    for call in [0, 1, 3] {
        assert_eq!(told.results[call].truncation.unwrap().whole_bytes, LONG.len());
        assert_eq!(told.results[call].content, told.results[0].content);
    }
}

#[tokio::test(start_paused = true)]
async fn inputs_that_references_make_identical_are() {
    let world =
        world(&[("get", Script::Echoes(10)), ("id", Script::Answers(5, r#"{"a":7,"b":7}"#))]);
    let told = world
        .run(submission(vec![
            call("id", "{}"),
            call("get", r#"{"id":"${id.a}"}"#),
            call("get", r#"{"id":"${id.b}"}"#),
            call("get", r#"{"id":7}"#),
        ]))
        .await;
    assert_eq!(world.calls()["get"], 1);
    assert_eq!(sources(&told)[1..], [Source::Shared, Source::Shared, Source::Executed].map(Some));
}

#[tokio::test(start_paused = true)]
async fn the_way_to_the_end_leads_through_the_run_that_was_shared() {
    let world = world(&[("get", Script::Counts(100)), ("put", Script::Echoes(5))]);
    let told = world
        .run(submission(vec![
            call("get", "{}"),
            call("get", "{}"),
            call("put", r#"{"v":"${get#2}"}"#),
        ]))
        .await;
    assert_eq!(told.finished.critical_path, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_first_takes_the_turn_of_those_that_wait_for_it() {
    let mut settings = settings();
    settings.apis = vec![api(None, &["1/s"])];
    let world = world_with(settings, &[("get", Script::Counts(10)), ("other", Script::Echoes(10))]);
    let told = world
        .run(submission(vec![
            call("other", r#"{"n":0}"#),
            call("other", r#"{"n":1}"#),
            call("get", "{}"),
            call("get", "{}"),
            call("other", r#"{"v":"${get#2}"}"#),
        ]))
        .await;
    assert_eq!(told.order(), [0, 2, 3, 1, 4]);
}

#[tokio::test(start_paused = true)]
async fn shared_calls_pay_nothing() {
    let mut settings = settings();
    settings.apis = vec![api(Some(1), &["1/h"])];
    let world = world_with(settings, &[("get", Script::Counts(10))]);
    let told = world.run(submission(identical(1000))).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 1000]);
    assert_eq!(told.finished.duration, MS(10));
}
