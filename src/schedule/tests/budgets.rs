//! What a session may spend, over its turns.

use super::{callers::of_tenant, *};
use crate::{
    cache,
    limits::breaker,
    locks::{Claims, Pattern},
    model::{CallId, SessionId, Source},
    retry,
};

/// Budgets of so many calls and of so much; without a guard.
fn budgets(calls: Option<u64>, cost: Option<u64>) -> budget::Settings {
    let some = |number: u64| number.try_into().unwrap();
    budget::Settings {
        calls: calls.map(some),
        cost: cost.map(some),
        repeat: None,
        ..budget::Settings::default()
    }
}

/// At most so many of the same call within so many milliseconds.
fn guarded(calls: u32, within: u64) -> budget::Settings {
    let repeat = budget::Repeat { calls: calls.try_into().unwrap(), within: MS(within) };
    budget::Settings { repeat: Some(repeat), ..budget::Settings::default() }
}

/// A call of a tool whose name ends with a number costs as much.
fn world(sessions: budget::Settings, tools: &[(&'static str, Script)]) -> World {
    let settings = Settings { sessions, ..settings() };
    world_of(settings, tools, |tool| {
        let cost = tool.name.rsplit_once('_').and_then(|(_, cost)| cost.parse().ok());
        tool.cost = cost.unwrap_or(tool.cost);
    })
}

fn of(session: &str, submission: Submission) -> Submission {
    Submission { session_id: Some(SessionId::try_new(session).unwrap()), ..submission }
}

impl World {
    /// Calls and cost of the session that has the least left.
    fn spent(&self) -> (u64, u64) {
        let lowest = self.scheduler.shared.budgets.status(1).lowest;
        lowest.first().map_or((0, 0), |session| (session.calls, session.cost))
    }
}

/// `None` where it succeeded.
fn codes(told: &Told) -> Vec<Option<FailureCode>> {
    told.results.iter().map(|result| Some(result.failure.as_ref()?.code)).collect()
}

const SPENT: Option<FailureCode> = Some(FailureCode::BudgetExceeded);
const REPEATED: Option<FailureCode> = Some(FailureCode::Repeated);

#[tokio::test(start_paused = true)]
async fn calls_are_charged_in_call_order_until_the_session_has_made_all() {
    let world = world(budgets(Some(3), None), &[("get", Script::Echoes(10))]);
    let told = world.run(of("a", turn(&["get"; 5]))).await;
    assert_eq!(codes(&told), [None, None, None, SPENT, SPENT]);
    assert!(told.failure(3).1.contains("may make 3 calls and has made them all"));
    assert_eq!(told.results[4].failure.as_ref().unwrap().attempts, 0);
    let told = world.run(of("a", turn(&["get"]))).await;
    assert_eq!(codes(&told), [SPENT]);
    assert_eq!(world.calls()["get"], 3);
    // Another session, another tenant's, and turns of no session have their own.
    let other = of_tenant("other", turn(&["get"]));
    for own in [of("b", turn(&["get"; 3])), of("a", other), turn(&["get"]), turn(&["get"])] {
        assert!(codes(&world.run(own).await).iter().all(Option::is_none));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_costs_more_than_is_left_takes_nothing_and_a_cheaper_one_runs() {
    let tools = [("dear_4", Script::Echoes(10)), ("cheap_1", Script::Echoes(10))];
    let world = world(budgets(Some(3), Some(6)), &tools);
    let told = world.run(of("a", turn(&["dear_4", "dear_4", "cheap_1"]))).await;
    assert_eq!(codes(&told), [None, SPENT, None]);
    assert!(told.failure(1).1.contains("4 is spent and 2 is left"), "{}", told.failure(1).1);
    assert_eq!(world.spent(), (2, 5));
    let told = world.run(of("a", turn(&["cheap_1", "cheap_1"]))).await;
    assert_eq!(codes(&told), [None, SPENT]);
    assert_eq!(world.spent(), (3, 6));
}

#[tokio::test(start_paused = true)]
async fn retries_are_of_the_same_call() {
    let policy = Arc::new(retry::Policy::new(retry::Settings::default()));
    let settings = Settings { sessions: budgets(Some(1), Some(1)), ..settings() };
    let tools = [("get", Script::Recovers(2, 10))];
    let world = world_of(settings, &tools, |tool| tool.retry = Some(Arc::clone(&policy)));
    assert_eq!(codes(&world.run(of("a", turn(&["get"]))).await), [None]);
    assert_eq!((world.calls()["get"], world.spent()), (3, (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn what_never_came_to_its_turn_takes_nothing() {
    let tools = [("fail", Script::Fails(10)), ("get", Script::Echoes(10))];
    let world = world(budgets(Some(10), Some(10)), &tools);
    let mut child = call("get", "{}");
    let parent = call("fail", "{}");
    child.depends_on = vec![parent.id.to_string()];
    let late = Submission {
        ordering: Ordering::Ordered,
        ..submission(vec![parent, child, call("nobody", "{}"), call("get", "{}")])
    };
    let told = world.run(of("a", late)).await;
    assert_eq!(told.results.iter().filter(|result| !result.is_error()).count(), 0);
    assert_eq!(world.spent(), (1, 1));
}

/// Whatever kept it from its first attempt, at once or after a wait.
#[tokio::test(start_paused = true)]
async fn a_call_that_ends_before_its_first_attempt_takes_nothing() {
    let repeat = budget::Repeat { calls: 1.try_into().unwrap(), within: MS(600_000) };
    let sessions = budget::Settings { repeat: Some(repeat), ..budgets(Some(9), Some(9)) };
    let rates = |rates: &[&str]| api(None, rates);
    let full = || gate::Api { queue_max: nz(1), ..api(Some(1), &[]) };
    let failures = 1.try_into().unwrap();
    let breaker = breaker::Settings { failures, ..breaker::Settings::default() };
    let fragile = || gate::Api { breaker: Some(breaker.clone()), ..api(Some(1), &[]) };
    let long = Script::Echoes(5000);
    for (api, first, calls, refused, code) in [
        (rates(&["1/h"]), &long, 2, vec![1], FailureCode::RateLimited),
        (full(), &long, 3, vec![1, 2], FailureCode::Overloaded),
        (api(Some(1), &[]), &long, 2, vec![1], FailureCode::DeadlineExceeded),
        (fragile(), &Script::Recovers(9, 10), 2, vec![1], FailureCode::Unavailable),
    ] {
        let settings = Settings { sessions: sessions.clone(), apis: vec![api], ..settings() };
        let tools = [("get", first.clone())];
        let world = world_with(settings, &tools);
        let mut asked = turn(&vec!["get"; calls]);
        for call in &refused {
            asked.calls[*call].timeout = Some(MS(1000));
        }
        let again = asked.calls[refused[0]].input.clone();
        let told = world.run(of("a", asked)).await;
        for call in &refused {
            let failure = told.results[*call].failure.as_ref().unwrap();
            assert_eq!(failure.attempts, 0, "{code:?}: {failure:?}");
        }
        assert_eq!(codes(&told).last(), Some(&Some(code)));
        assert_eq!(world.spent(), (1, 1), "{code:?}");
        // Nor is it a repetition when it is made again.
        let again = Call { input: again, ..call("get", "{}") };
        let told = world.run(of("a", submission(vec![again]))).await;
        assert!(!codes(&told).contains(&REPEATED), "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_locks_in_vain_takes_nothing() {
    let settings = Settings { sessions: budgets(Some(9), Some(9)), ..settings() };
    let world = world_of(settings, &[("do_it", Script::Echoes(5000))], |tool| {
        tool.claims = Claims::new(Vec::new(), vec![Pattern::try_new("all").unwrap()]);
    });
    let holder = world.scheduler.submit(of("b", turn(&["do_it"]))).unwrap();
    let mut asked = turn(&["do_it"]);
    asked.calls[0].timeout = Some(MS(1000));
    let events = collect(world.scheduler.submit(of("a", asked)).unwrap()).await;
    let code = |event: &Event| match event {
        Event::Finished(result) => Some(result.failure.as_ref()?.code),
        _ => None,
    };
    let codes: Vec<_> = events.iter().filter_map(code).collect();
    assert_eq!(codes, [FailureCode::LockTimeout]);
    world.told(holder).await;
    let lowest = world.scheduler.shared.budgets.status(9).lowest;
    let spent: Vec<_> = lowest.iter().map(|session| (session.calls, session.cost)).collect();
    assert_eq!(spent, [(1, 1), (0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_shared_or_kept_is_a_call_that_costs_nothing() {
    let settings = Settings { sessions: budgets(None, Some(1)), ..settings() };
    let world = world_of(settings, &[("get", Script::Echoes(10))], |tool| {
        tool.cache = Some(cache::Settings::new(MS(60_000)));
    });
    let same = || of("a", submission((0..5).map(|_| call("get", "{}")).collect()));
    let told = world.run(same()).await;
    assert_eq!(codes(&told), [None; 5]);
    assert_eq!(told.results[4].source, Some(Source::Shared));
    assert_eq!(world.spent(), (5, 1));
    let told = world.run(same()).await;
    assert_eq!(told.results[0].source, Some(Source::Cached));
    assert_eq!((codes(&told), world.spent()), (vec![None; 5], (10, 1)));
    let told = world.run(of("a", turn(&["get"]))).await;
    assert_eq!((codes(&told), world.spent()), (vec![SPENT], (10, 1)));
}

/// The one that ran for both was taken back, so that the other runs itself.
#[tokio::test(start_paused = true)]
async fn who_runs_in_another_ones_place_pays() {
    for (cost, code) in [(2, None), (1, SPENT)] {
        let world = world(budgets(None, Some(cost)), &[("get", Script::Echoes(50))]);
        let calls = vec![call("get", "{}"), call("get", "{}")];
        let first = calls[0].id.clone();
        let running = world.scheduler.submit(of("a", submission(calls))).unwrap();
        tokio::time::sleep(MS(10)).await;
        let (owner, batch) = (Owner::local(), running.batch_id.clone());
        world.scheduler.cancel(&owner, &batch, vec![first]).await.unwrap();
        let told = world.told(running).await;
        assert_eq!(codes(&told), [Some(FailureCode::Cancelled), code]);
        let calls = if code.is_none() { 2 } else { 1 };
        assert_eq!(world.spent(), (calls, cost));
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_call_is_refused_from_turn_to_turn_until_time_has_passed() {
    let world =
        world(guarded(3, 8000), &[("get", Script::Echoes(10)), ("put", Script::Echoes(10))]);
    let same = |text: &str| of("a", submission(vec![call("get", text)]));
    for text in [r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, r#"{ "a" : 1, "b" : 2 }"#] {
        assert_eq!(codes(&world.run(same(text)).await), [None]);
    }
    let told = world.run(same(r#"{"a":1,"b":2}"#)).await;
    assert_eq!(codes(&told), [REPEATED]);
    let words = told.failure(0).1;
    assert!(words.contains("get with this very input 3 times within 8s"), "{words}");
    assert_eq!(told.finished.duration, MS(0));
    assert_eq!(world.calls()["get"], 3);
    // Whatever is not the same goes on.
    assert_eq!(codes(&world.run(same(r#"{"a":1,"b":3}"#)).await), [None]);
    let other_tool = submission(vec![call("put", r#"{"a":1,"b":2}"#)]);
    assert_eq!(codes(&world.run(of("a", other_tool)).await), [None]);
    tokio::time::sleep(MS(9000)).await;
    assert_eq!(codes(&world.run(same(r#"{"a":1,"b":2}"#)).await), [None]);
}

#[tokio::test(start_paused = true)]
async fn a_shared_answer_is_a_repetition_too_and_so_is_a_write_of_the_same_turn() {
    let tools = [("get", Script::Echoes(10)), ("do_it", Script::Echoes(10))];
    let world = world(guarded(3, 8000), &tools);
    for tool in ["get", "do_it"] {
        let told = world.run(submission((0..5).map(|_| call(tool, "{}")).collect())).await;
        assert_eq!(codes(&told), [None, None, None, REPEATED, REPEATED], "{tool}");
    }
    assert_eq!(world.calls(), BTreeMap::from([("get".into(), 1), ("do_it".into(), 3)]));
}

/// What is resolved counts, not what the model wrote.
#[tokio::test(start_paused = true)]
async fn inputs_are_compared_with_their_references_resolved() {
    let tools = [("one", Script::Answers(10, r#"{"id":7}"#)), ("get", Script::Echoes(10))];
    let world = world(guarded(1, 8000), &tools);
    let told = world
        .run(submission(vec![
            call("one", "{}"),
            call("get", r#"{"id":7}"#),
            call("get", r#"{"id":"${one.id}"}"#),
        ]))
        .await;
    assert_eq!(codes(&told), [None, None, REPEATED]);
}

/// A session is held as long as a batch of it is open, and no longer, whatever
/// ends it.
#[tokio::test(start_paused = true)]
async fn a_session_is_let_go_however_its_batch_ends() {
    let sessions = || budget::Settings { remembered: nz(1), ..budgets(Some(1), None) };
    let tools = [
        ("hang", Script::Hangs),
        ("panic", Script::PanicsLater),
        ("drop", Script::PanicsWhenDropped),
        ("get", Script::Echoes(10)),
    ];
    for tool in ["hang", "panic", "drop"] {
        for end in ["cancel", "gone", "deadline"] {
            let world = world(sessions(), &tools);
            let running = world.scheduler.submit(of("a", turn(&[tool]))).unwrap();
            let batch = running.batch_id.clone();
            if tool != "panic" {
                assert_eq!(world.scheduler.shared.budgets.status(0).open, 1);
                let told = world.scheduler.submit(of("b", turn(&["get"]))).unwrap();
                collect(told).await;
                // It is not forgotten while it is open, though another one came.
                let again = world.scheduler.submit(of("a", turn(&["get"]))).unwrap();
                let told = collect(again).await;
                assert!(matches!(&told[1], Event::Finished(result) if result.is_error()));
            }
            match end {
                "cancel" => {
                    let no_calls: Vec<CallId> = Vec::new();
                    world.scheduler.cancel(&Owner::local(), &batch, no_calls).await;
                    world.told(running).await;
                }
                "gone" => {
                    drop(running);
                    tokio::time::sleep(MS(1)).await;
                }
                _ => {
                    world.told(running).await;
                }
            }
            assert_eq!(world.scheduler.shared.budgets.status(0).open, 0, "{tool} {end}");
            assert_eq!(codes(&world.run(of("c", turn(&["get"]))).await), [None]);
            assert_eq!(codes(&world.run(of("a", turn(&["get"]))).await), [None], "{tool} {end}");
        }
    }
}
