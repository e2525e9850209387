//! Calls that touch the same thing, in one turn and in many.

use proptest::prelude::*;

use super::*;
use crate::{
    locks::{Asked, CLAIMS_MAX, Claims, Guard, Holder, Lock, Pattern, Status},
    model::{
        Access::{self, Read, Write},
        RetryAdvice, Tenant,
    },
    retry,
};

mod ends;
mod random;

/// Tools that write `order/{id}`; those whose name begins with `read` only read it.
pub(super) fn keyed(tools: &[(&'static str, Script)]) -> World {
    keyed_with(tools, |_| {})
}

fn keyed_with(tools: &[(&'static str, Script)], declare: impl Fn(&mut tool::Settings)) -> World {
    world_of(settings(), tools, |tool| {
        let key = vec![Pattern::try_new("order/{id}").unwrap()];
        tool.claims = match tool.name.as_str() {
            name if name.starts_with("read") => Claims::new(key, Vec::new()),
            name if name.starts_with("get") => Claims::default(),
            _ => Claims::new(Vec::new(), key),
        };
        declare(tool);
    })
}

fn one(tool: &str, input: &str) -> Submission {
    submission(vec![call(tool, input)])
}

/// Reads a batch to its end while others may still run.
async fn results(mut running: Running) -> Vec<Arc<CallResult>> {
    let mut results = Vec::new();
    while let Some(event) = running.events.recv().await {
        if let Event::Finished(result) = event {
            results.push(result);
        }
    }
    results.sort_by_key(|result| result.index);
    results
}

impl World {
    fn submit(&self, submission: Submission) -> Running {
        self.scheduler.submit(submission).unwrap()
    }

    fn locks(&self) -> Status {
        self.scheduler.shared.locks.status(10, clock::now(), |_| true)
    }

    /// Holds keys as a call of another turn would.
    fn hold(&self, locks: &[Lock]) -> Guard {
        let holder = Holder {
            tenant: Tenant::local(),
            session: SessionId::try_new("other").unwrap(),
            batch: BatchId::try_new("other-batch").unwrap(),
            call: CallId::try_new("other-call").unwrap(),
            tool: ToolName::try_new("other_tool").unwrap(),
        };
        match self.scheduler.shared.locks.ask(holder, locks, clock::now()) {
            Asked::Granted(guard) => guard,
            other => panic!("{other:?}"),
        }
    }
}

fn lock(key: &str, access: Access) -> Lock {
    Lock { key: key.into(), access }
}

#[tokio::test(start_paused = true)]
async fn calls_that_write_one_thing_take_turns_across_turns_and_tools() {
    let world = keyed(&[("write", Script::Echoes(100)), ("change", Script::Echoes(100))]);
    let first = world.submit(one("write", r#"{"id": 1}"#));
    let second = world.submit(one("change", r#"{"id": "1"}"#));
    let third = world.submit(one("write", r#"{"id": 2}"#));
    let (first, second, third) = tokio::join!(results(first), results(second), results(third));
    for (result, locked) in [(&first[0], 0), (&second[0], 100), (&third[0], 0)] {
        assert_eq!(result.outcome, Outcome::Succeeded);
        let timings = result.timings;
        assert_eq!((timings.locked, timings.queued), (MS(locked), Duration::ZERO), "{timings:?}");
        assert_eq!(timings.running, MS(100));
    }
    assert_eq!(world.locks(), Status::default());
}

#[tokio::test(start_paused = true)]
async fn calls_that_read_one_thing_run_at_once_and_wait_for_one_that_writes() {
    let world = keyed(&[("write", Script::Echoes(100)), ("read", Script::Echoes(50))]);
    let order = ["read", "read", "write", "read"].map(|tool| world.submit(one(tool, "{}")));
    let all = futures_util::future::join_all(order.map(results)).await;
    let locked: Vec<_> = all.iter().map(|results| results[0].timings.locked).collect();
    assert_eq!(locked, [MS(0), MS(0), MS(50), MS(150)]);
    assert_eq!(world.locks(), Status::default());
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_turn_that_write_one_thing_run_in_block_order() {
    let world = keyed(&[("write", Script::Echoes(100))]);
    let calls = (0..5).map(|n| call("write", &format!(r#"{{"id": 7, "n": {n}}}"#))).collect();
    let told = world.run(submission(calls)).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 5]);
    assert_eq!(told.order(), [0, 1, 2, 3, 4]);
    assert_eq!(told.finished.duration, MS(500));
    assert_eq!(world.seen.most_in_flight.load(Atomic::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_comes_from_a_result_is_locked_as_it_came() {
    let world = keyed(&[
        ("get", Script::Answers(10, r#"{"id": 7.0, "other": "8"}"#)),
        ("write", Script::Echoes(100)),
    ]);
    let held = world.hold(&[lock("order/7", Write)]);
    let running = world.submit(submission(vec![
        call("get", "{}"),
        call("write", r#"{"id": "${get.id}"}"#),
        call("write", r#"{"id": "${get.other}"}"#),
    ]));
    let release = async {
        tokio::time::sleep(MS(1000)).await;
        drop(held);
    };
    let (told, ()) = tokio::join!(world.told(running), release);
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 3]);
    assert_eq!(told.results[1].timings.locked, MS(990));
    assert_eq!(told.results[2].timings.locked, Duration::ZERO);
    assert_eq!(told.order(), [0, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_call_keeps_its_locks_while_it_waits_to_be_tried_again() {
    let policy = retry::Settings { base: MS(400), ..retry::Settings::default() };
    let policy = Arc::new(retry::Policy::new(policy));
    let world = keyed_with(
        &[("key_write", Script::Recovers(1, 50)), ("write", Script::Echoes(50))],
        |tool| tool.retry = Some(Arc::clone(&policy)),
    );
    let first = world.submit(one("key_write", "{}"));
    let second = world.submit(one("write", "{}"));
    let (first, second) = tokio::join!(results(first), results(second));
    let spent = first[0].timings;
    assert_eq!(spent.running, MS(100));
    assert_eq!(second[0].timings.locked, spent.running + spent.backing_off);
    assert_eq!(world.locks(), Status::default());
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_locks_do_not_come_in_time_is_told_so_and_is_not_sent() {
    let world = keyed(&[("write", Script::Echoes(100))]);
    let held = world.hold(&[lock("order/7", Write)]);
    let mut turn = one("write", r#"{"id": 7}"#);
    turn.call_timeout = Some(MS(2000));
    let start = clock::now();
    let told = world.run_beside(turn).await;
    assert_eq!(clock::now() - start, MS(2000));
    let failure = told[0].failure.clone().unwrap();
    assert_eq!((failure.code, failure.retry), (FailureCode::LockTimeout, RetryAdvice::SameInput));
    assert_eq!(failure.attempts, 0);
    for says in ["`order/7`", "a call of another turn has held it for 2.0s", "was not sent"] {
        assert!(failure.message.contains(says), "{says}: {}", failure.message);
    }
    for hidden in ["other-call", "other_tool", "other-batch"] {
        assert!(!failure.message.contains(hidden), "{}", failure.message);
    }
    assert_eq!(told[0].timings.locked, MS(2000));
    assert!(world.seen.inputs.lock().unwrap().is_empty());
    drop(held);
    assert_eq!(world.locks(), Status::default());
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_a_call_of_its_own_turn_is_told_for_which() {
    let world = keyed(&[
        ("get", Script::Answers(10, r#"{"id": 7}"#)),
        ("write", Script::Hangs),
        ("change", Script::Echoes(10)),
    ]);
    let mut calls = vec![
        call("get", "{}"),
        call("write", r#"{"id": "${get.id}"}"#),
        call("change", r#"{"id": "${get.id}"}"#),
    ];
    calls[2].timeout = Some(MS(1000));
    let holder = calls[1].id.clone();
    let told = world.run(submission(calls)).await;
    let (code, message) = told.failure(2);
    assert_eq!(code, FailureCode::LockTimeout, "{message}");
    assert!(message.contains(&format!("write ({holder}) of this turn has held it")), "{message}");
    assert_eq!(told.failure(1).0, FailureCode::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn more_keys_than_a_call_may_have_and_more_than_there_is_room_for_are_refused() {
    let world = keyed(&[("write", Script::Echoes(1))]);
    let many: Vec<String> = (0..257).map(|id| id.to_string()).collect();
    let told = world.run(one("write", &format!(r#"{{"id": [{}]}}"#, many.join(",")))).await;
    let (code, message) = told.failure(0);
    assert_eq!(code, FailureCode::InvalidInput);
    assert!(message.contains("more than 256 resources"), "{message}");

    let all: Vec<Lock> = (0..CLAIMS_MAX).map(|id| lock(&format!("x/{id}"), Write)).collect();
    let held = world.hold(&all);
    let results = world.run_beside(one("write", "{}")).await;
    let failure = results[0].failure.clone().unwrap();
    assert_eq!((failure.code, failure.attempts), (FailureCode::Overloaded, 0));
    drop(held);
    assert_eq!(world.run(one("write", "{}")).await.outcomes(), [Outcome::Succeeded]);
}

impl World {
    /// Runs a turn beside keys that a test holds.
    async fn run_beside(&self, submission: Submission) -> Vec<Arc<CallResult>> {
        results(self.submit(submission)).await
    }
}

/// When a turn of one call comes, what it asks for, and how long it runs.
type Planned = (u64, Vec<(usize, Access)>, usize);

const TAKES: [(&str, u64); 3] = [("short", 10), ("middle", 70), ("long", 300)];

fn plans() -> impl Strategy<Value = Vec<Planned>> {
    let access = prop_oneof![Just(Read), Just(Write)];
    let wants = prop::collection::vec((0usize..4, access), 0..4);
    prop::collection::vec((0u64..60, wants, 0usize..3), 1..25)
}

fn stand_against(one: &[(usize, Access)], other: &[(usize, Access)]) -> bool {
    one.iter().any(|(key, is)| {
        other.iter().any(|(other, access)| key == other && (*is, *access) != (Read, Read))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Each call starts in the moment in which all that asked before it, and stand
    /// against it, have ended: no sooner, no later.
    #[test]
    fn a_call_starts_when_all_before_it_that_it_stands_against_have_ended(plans in plans()) {
        clock::paused(async {
            let scripts = TAKES.map(|(name, takes)| (name, Script::Echoes(takes)));
            let patterns = |field: &str| vec![Pattern::try_new(&format!("k/{{{field}}}")).unwrap()];
            let world = world_of(settings_of_many(), &scripts, |tool| {
                tool.claims = Claims::new(patterns("reads"), patterns("writes"));
            });
            let mut expected: Vec<(u64, u64)> = Vec::new();
            let mut running = Vec::new();
            let mut at = 0;
            for (index, (after, wants, takes)) in plans.iter().enumerate() {
                tokio::time::sleep(MS(*after)).await;
                at += after;
                let of = |is: Access| {
                    let keys = wants.iter().filter(|(_, access)| *access == is);
                    keys.map(|(key, _)| *key).collect::<Vec<_>>()
                };
                let input = format!(r#"{{"reads": {:?}, "writes": {:?}}}"#, of(Read), of(Write));
                let (name, takes) = TAKES[*takes];
                let one = results(world.submit(one(name, &input)));
                running.push((at, world.drain.spawn(one)));
                let before = (0..index).filter(|before| stand_against(&plans[*before].1, wants));
                let start = before.map(|before| expected[before].1).max().unwrap_or(0).max(at);
                expected.push((start, start + takes));
            }
            for ((at, results), (start, end)) in running.into_iter().zip(expected) {
                let timings = results.await.unwrap()[0].timings;
                assert_eq!(timings.locked, MS(start - at), "{plans:?}");
                assert_eq!(timings.running, MS(end - start));
            }
            assert_eq!(world.locks(), Status::default());
        });
    }
}

fn settings_of_many() -> Settings {
    Settings { batches_max: nz(100), ..settings() }
}
