//! What runs when, and on what.

use super::*;

#[tokio::test(start_paused = true)]
async fn independent_calls_take_as_long_as_the_slowest() {
    let world = world(&[("get", Script::Echoes(200))]);
    let told = world.run(turn(&["get"; 5])).await;
    assert_eq!(told.finished.duration, MS(200));
    assert_eq!(told.finished.sequential, MS(1000));
    assert_eq!(world.seen.most_in_flight.load(Atomic::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn a_call_starts_when_its_own_inputs_are_ready() {
    let world = world(&[
        ("fast", Script::Answers(100, r#"{"id":12345678901234567890}"#)),
        ("slow", Script::Answers(1000, "{}")),
        ("next", Script::Echoes(100)),
    ]);
    let told = world
        .run(submission(vec![
            call("slow", "{}"),
            call("fast", "{}"),
            call("next", r#"{"id":"${fast.id}","note":"user ${fast.id}"}"#),
        ]))
        .await;
    // No barrier: `next` does not wait for `slow`.
    assert_eq!(told.order(), [1, 2, 0]);
    assert_eq!(told.finished.duration, MS(1000));
    assert_eq!(told.json(2), r#"{"id":12345678901234567890,"note":"user 12345678901234567890"}"#);
    assert_eq!(told.results[2].timings.blocked, MS(100));
    assert_eq!(told.results[2].timings.running, MS(100));
    assert_eq!(told.finished.critical_path, [0]);
}

#[tokio::test(start_paused = true)]
async fn the_critical_path_is_the_chain_that_ended_last() {
    let world = world(&[("a", Script::Answers(300, r#"{"v":1}"#)), ("b", Script::Echoes(300))]);
    let told = world
        .run(submission(vec![call("b", r#"{"v":"${a.v}"}"#), call("a", "{}"), call("b", "{}")]))
        .await;
    assert_eq!(told.finished.critical_path, [1, 0]);
    assert_eq!(told.finished.duration, MS(600));
}

/// 1 takes its key from 0; 2 waits until it is known, and goes on beside it since
/// it is another.
#[tokio::test(start_paused = true)]
async fn the_critical_path_passes_over_a_call_whose_key_was_another() {
    let world = locks::keyed(&[
        ("get", Script::Answers(100, r#"{"id":1}"#)),
        ("put", Script::Echoes(300)),
        ("slow", Script::Echoes(900)),
    ]);
    let told = world
        .run(submission(vec![
            call("get", "{}"),
            call("put", r#"{"id":"${get.id}"}"#),
            call("slow", r#"{"id":2}"#),
        ]))
        .await;
    assert_eq!(told.finished.duration, MS(1000));
    assert_eq!(told.finished.critical_path, [0, 2]);
    let told = world
        .run(submission(vec![
            call("get", "{}"),
            call("put", r#"{"id":"${get.id}"}"#),
            call("slow", r#"{"id":1}"#),
        ]))
        .await;
    assert_eq!(told.finished.duration, MS(1300));
    assert_eq!(told.finished.critical_path, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_skips_those_that_need_it_and_no_other() {
    let world = world(&[("no", Script::Fails(10)), ("get", Script::Echoes(50))]);
    let told = world
        .run(submission(vec![
            call("no", "{}"),
            call("get", r#"{"v":"${no.v}"}"#),
            call("get", r#"{"v":"${2.v}"}"#),
            call("get", r#"{"v":{"$ref":"no.v","default":7}}"#),
            call("get", "{}"),
        ]))
        .await;
    use Outcome::{Failed, Skipped, Succeeded};
    assert_eq!(told.outcomes(), [Failed, Skipped, Skipped, Succeeded, Succeeded]);
    let (code, message) = told.failure(2);
    assert_eq!(code, FailureCode::DependencyFailed);
    assert!(message.contains("it needs no (") && message.contains("by way of get ("), "{message}");
    assert_eq!(told.json(3), r#"{"v":7}"#);
    assert_eq!(world.calls()["get"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_panics_is_one_error_result() {
    for script in [Script::Panics, Script::PanicsLater] {
        let world = world(&[("bad", script), ("get", Script::Echoes(50))]);
        let told = world.run(turn(&["bad", "get"])).await;
        assert_eq!(told.outcomes(), [Outcome::Failed, Outcome::Succeeded]);
        let (code, message) = told.failure(0);
        assert_eq!(code, FailureCode::Internal);
        assert!(!message.contains("as it was told"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_panics_when_it_is_dropped_takes_nobody_along() {
    let world = world(&[("bad", Script::PanicsWhenDropped), ("get", Script::Echoes(50))]);
    let mut submission = turn(&["bad", "get"]);
    submission.call_timeout = Some(MS(500));
    let told = world.run(submission).await;
    assert_eq!(told.outcomes(), [Outcome::Failed, Outcome::Succeeded]);
    assert_eq!(told.failure(0).0, FailureCode::DeadlineExceeded);
}

/// The rest of the turn goes on beside it, and a call that needs one of the series
/// is told so in the usual words.
#[tokio::test(start_paused = true)]
async fn a_series_runs_in_order_and_stops_at_its_first_failure_in_words_of_its_own() {
    let world = world(&[("get", Script::Echoes(50)), ("no", Script::Fails(10))]);
    let mut submission = turn(&["get", "get", "no", "get", "get", "get"]);
    for member in [0, 2, 3, 5] {
        let series = Series { name: "computer".into(), skipped: "Not executed.".into() };
        submission.calls[member].series = Some(series);
    }
    let parent = submission.calls[3].id.to_string();
    submission.calls[4].depends_on = vec![parent];
    let told = world.run(submission).await;
    use Outcome::{Failed, Skipped, Succeeded};
    assert_eq!(told.outcomes(), [Succeeded, Succeeded, Failed, Skipped, Skipped, Skipped]);
    assert_eq!(told.results[1].timings.blocked, MS(0));
    assert_eq!(told.finished.duration, MS(60));
    for skipped in [3, 5] {
        let (code, message) = told.failure(skipped);
        assert_eq!((code, message), (FailureCode::DependencyFailed, "Not executed."));
    }
    assert!(told.failure(4).1.contains("which did not succeed, by way of get ("));
}

#[tokio::test(start_paused = true)]
async fn an_ordered_turn_stops_at_the_first_failure() {
    let world = world(&[("get", Script::Echoes(50)), ("no", Script::Fails(10))]);
    let mut submission = turn(&["get", "no", "get", "get"]);
    submission.ordering = Ordering::Ordered;
    let told = world.run(submission).await;
    use Outcome::{Failed, Skipped, Succeeded};
    assert_eq!(told.outcomes(), [Succeeded, Failed, Skipped, Skipped]);
    assert_eq!(world.seen.most_in_flight.load(Atomic::SeqCst), 1);
    assert_eq!(world.calls()["get"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_run_says_so_and_is_never_sent() {
    let world = world(&[("get", Script::Echoes(50))]);
    let mut broken = call("get", "{}");
    broken.input = Err(r#"{"id": 12"#.into());
    let told = world.run(submission(vec![broken, call("got", "{}"), call("get", "{}")])).await;
    let (code, message) = told.failure(0);
    assert_eq!(code, FailureCode::InvalidInput);
    assert!(
        message.contains(r#"{\"id\": 12"#) && message.contains(r#"{"type":"object"}"#),
        "{message}"
    );
    assert_eq!(told.failure(1).0, FailureCode::UnknownTool);
    assert_eq!(world.calls()["get"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_cycle_fails_only_its_members() {
    let world = world(&[("get", Script::Echoes(50))]);
    let told = world
        .run(submission(vec![
            call("get", r#"{"v":"${2.v}"}"#),
            call("get", r#"{"v":"${1.v}"}"#),
            call("get", "{}"),
        ]))
        .await;
    use Outcome::{Failed, Succeeded};
    assert_eq!(told.outcomes(), [Failed, Failed, Succeeded]);
    assert!(told.failure(0).1.contains('→'), "{}", told.failure(0).1);
}

#[tokio::test(start_paused = true)]
async fn what_came_from_a_result_is_checked_against_the_schema_again() {
    let mut tools = vec![];
    let seen = Arc::new(Seen::default());
    for (name, script, schema) in [
        ("text", Script::Answers(5, r#"{"v":"seven"}"#), r#"{"type":"object"}"#),
        (
            "count",
            Script::Echoes(5),
            r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#,
        ),
    ] {
        let mut settings = tool_settings(name);
        settings.schema = Schema::try_new(Json::try_new(schema).unwrap()).unwrap();
        let backend = Scripted { name, script, seen: Arc::clone(&seen) };
        tools.push(Tool::new(settings, Effect::ReadOnly, Arc::new(backend)));
    }
    let drain = Drain::new();
    let scheduler = Scheduler::new(Arc::new(Registry::new(tools)), settings(), drain.clone());
    let world = World { scheduler, drain, seen, tracer: Tracer::for_nobody() };
    let told = world
        .run(submission(vec![call("text", "{}"), call("count", r#"{"n":"${text.v}"}"#)]))
        .await;
    assert_eq!(told.failure(1).0, FailureCode::InvalidInput);
    assert!(!world.calls().contains_key("count"));
}

#[tokio::test(start_paused = true)]
async fn references_read_the_whole_result_not_the_one_that_was_cut() {
    let long: &'static str =
        Box::leak(format!(r#"{{"pad":"{}","id":42}}"#, "x".repeat(5000)).into_boxed_str());
    let world = world(&[("long", Script::Answers(5, long)), ("get", Script::Echoes(5))]);
    let told = world
        .run(submission(vec![call("long", "{}"), call("get", r#"{"id":"${long.id}"}"#)]))
        .await;
    assert!(told.results[0].truncation.is_some());
    assert_eq!(told.json(1), r#"{"id":42}"#);
}
