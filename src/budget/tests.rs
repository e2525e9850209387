//! The machine alone: every moment is the test's own.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::{clock, model::Json};

#[cfg(feature = "shuttle")]
mod interleavings;

const S: Duration = Duration::from_secs(1);

fn some(count: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(count)
}

fn repeat(calls: u32, within: Duration) -> Option<Repeat> {
    Some(Repeat { calls: NonZeroU32::new(calls).unwrap(), within })
}

/// Nothing is limited.
fn off() -> Settings {
    Settings { repeat: None, ..Settings::default() }
}

fn tool(name: &str) -> ToolName {
    ToolName::try_new(name).unwrap()
}

fn input(text: &str) -> Digest {
    Json::try_new(text).unwrap().digest()
}

fn id(name: &str) -> SessionId {
    SessionId::try_new(name).unwrap()
}

fn cost(cost: u32) -> NonZeroU32 {
    NonZeroU32::new(cost).unwrap()
}

/// A session by its name, opened now.
fn open(budgets: &Budgets, name: &str, now: Instant) -> Arc<Session> {
    budgets.open(&Tenant::local(), Some(&id(name)), 1, now)
}

fn count(session: &Session, text: &str, now: Instant) -> Result<Counted, Refused> {
    session.count(&tool("get"), || input(text), now)
}

#[test]
fn a_session_makes_its_calls_and_no_more_over_all_its_batches() {
    let now = clock::now();
    let budgets = Budgets::new(Settings { calls: some(3), ..off() }, now);
    for _ in 0..3 {
        count(&open(&budgets, "a", now), "{}", now).unwrap();
    }
    let refused = count(&open(&budgets, "a", now), "{}", now).unwrap_err();
    assert_eq!(refused, Refused::Calls { max: some(3).unwrap() });
    // Time gives nothing back, and another session has its own.
    let later = now + 3600 * S;
    assert!(count(&open(&budgets, "a", later), "{}", later).is_err());
    count(&open(&budgets, "b", later), "{}", later).unwrap();
    let other = Tenant::try_new("other").unwrap();
    count(&budgets.open(&other, Some(&id("a")), 1, later), "{}", later).unwrap();
}

#[test]
fn what_a_call_costs_is_paid_whole_or_not_at_all() {
    let now = clock::now();
    let budgets = Budgets::new(Settings { cost: some(10), ..off() }, now);
    let session = open(&budgets, "a", now);
    session.pay(cost(7)).unwrap();
    let refused = session.pay(cost(4)).unwrap_err();
    assert_eq!(refused, Refused::Cost { max: some(10).unwrap(), spent: 7, cost: 4 });
    session.pay(cost(3)).unwrap();
    session.pay(cost(1)).unwrap_err();
}

#[test]
fn a_call_that_is_given_back_was_never_made() {
    let now = clock::now();
    let settings = Settings { calls: some(2), repeat: repeat(1, 60 * S), ..off() };
    let budgets = Budgets::new(settings, now);
    let session = open(&budgets, "a", now);
    for _ in 0..5 {
        let counted = count(&session, "{}", now).unwrap();
        session.give_back(counted);
    }
    count(&session, "{}", now).unwrap();
    assert!(matches!(count(&session, "{}", now), Err(Refused::Repeated { .. })));
    count(&session, r#"{"a":1}"#, now).unwrap();
    assert!(matches!(count(&session, r#"{"a":2}"#, now), Err(Refused::Calls { .. })));
}

/// Incident 28 at its core.
#[test]
fn only_the_same_input_of_the_same_tool_in_the_same_session_is_a_repetition() {
    let now = clock::now();
    let budgets = Budgets::new(Settings { repeat: repeat(2, 60 * S), ..off() }, now);
    let (one, other) = (open(&budgets, "a", now), open(&budgets, "b", now));
    for _ in 0..2 {
        count(&one, r#"{"a":1,"b":2}"#, now).unwrap();
    }
    // However it is written.
    let refused = count(&one, r#"{ "b": 2, "a": 1 }"#, now).unwrap_err();
    assert!(matches!(refused, Refused::Repeated { .. }), "{refused:?}");
    count(&one, r#"{"a":1,"b":3}"#, now).unwrap();
    one.count(&tool("put"), || input(r#"{"a":1,"b":2}"#), now).unwrap();
    count(&other, r#"{"a":1,"b":2}"#, now).unwrap();
}

#[test]
fn a_repetition_is_refused_until_the_time_that_was_told() {
    let began = clock::now();
    let budgets = Budgets::new(Settings { repeat: repeat(3, 80 * S), ..off() }, began);
    let session = open(&budgets, "a", began);
    for second in [0, 15, 30] {
        count(&session, "{}", began + second * S).unwrap();
    }
    let Err(Refused::Repeated { after, .. }) = count(&session, "{}", began + 31 * S) else {
        panic!("it was let through")
    };
    // The first of them counts to the end of the ninth slot of 10 s.
    assert_eq!(after, 59 * S);
    let free = began + 31 * S + after;
    assert!(count(&session, "{}", free - Duration::from_nanos(1)).is_err());
    count(&session, "{}", free).unwrap();
    assert!(count(&session, "{}", free).is_err());
}

#[test]
fn a_batch_without_a_session_is_one_of_its_own_and_is_not_remembered() {
    let now = clock::now();
    let settings = Settings { calls: some(3), repeat: repeat(2, 60 * S), ..off() };
    let budgets = Budgets::new(settings, now);
    for _ in 0..3 {
        let session = budgets.open(&Tenant::local(), None, 3, now);
        count(&session, "{}", now).unwrap();
        count(&session, "{}", now).unwrap();
        assert!(matches!(count(&session, "{}", now), Err(Refused::Repeated { .. })));
        count(&session, "1", now).unwrap();
        assert!(matches!(count(&session, "2", now), Err(Refused::Calls { .. })));
    }
    assert_eq!(budgets.status(10).sessions, 0);
    // Two calls cannot come to more than two: nobody looks at their inputs.
    let session = budgets.open(&Tenant::local(), None, 2, now);
    session.count(&tool("get"), || panic!("it was looked at"), now).unwrap();
}

#[test]
fn an_input_is_looked_at_only_where_it_matters() {
    let now = clock::now();
    let session = open(&Budgets::new(off(), now), "a", now);
    for _ in 0..1000 {
        session.count(&tool("get"), || panic!("it was looked at"), now).unwrap();
    }
}

#[test]
fn the_session_that_called_longest_ago_is_forgotten_first_and_none_that_is_open() {
    let began = clock::now();
    let at = |second: u32| began + second * S;
    let remembered = NonZeroUsize::new(2).unwrap();
    let settings = Settings { calls: some(1), remembered, ..off() };
    let budgets = Budgets::new(settings, began);
    let held = open(&budgets, "held", at(0));
    count(&held, "{}", at(0)).unwrap();
    count(&open(&budgets, "a", at(1)), "{}", at(1)).unwrap();
    count(&open(&budgets, "b", at(2)), "{}", at(2)).unwrap();
    // There is room for one beside the one that is open: `a` has gone.
    assert!(count(&open(&budgets, "b", at(3)), "{}", at(3)).is_err());
    assert!(count(&open(&budgets, "held", at(4)), "{}", at(4)).is_err());
    count(&open(&budgets, "a", at(5)), "{}", at(5)).unwrap();
    assert_eq!(budgets.status(10).sessions, 2);
    drop(held);
    count(&open(&budgets, "c", at(6)), "{}", at(6)).unwrap();
    count(&open(&budgets, "d", at(7)), "{}", at(7)).unwrap();
    count(&open(&budgets, "held", at(8)), "{}", at(8)).unwrap();
    assert_eq!(budgets.status(10).sessions, 2);
}

#[test]
fn an_idle_session_is_forgotten_and_one_that_calls_is_not() {
    let began = clock::now();
    let settings = Settings { calls: some(3), idle: 10 * S, ..off() };
    let budgets = Budgets::new(settings, began);
    let open_for_long = open(&budgets, "long", began);
    count(&open(&budgets, "idle", began), "{}", began).unwrap();
    for second in [0, 9, 18] {
        count(&open(&budgets, "busy", began + second * S), "{}", began + second * S).unwrap();
    }
    assert_eq!(budgets.status(10).sessions, 2, "`idle` has gone while others came");
    // One that has spent everything does not begin anew while it still asks.
    for second in [27, 36, 45] {
        let busy = open(&budgets, "busy", began + second * S);
        assert!(count(&busy, "{}", began + second * S).is_err());
    }
    count(&open(&budgets, "busy", began + 55 * S), "{}", began + 55 * S).unwrap();
    assert!(Arc::ptr_eq(&open_for_long, &open(&budgets, "long", began + 99 * S)));
}

#[test]
fn what_is_remembered_is_bounded() {
    let began = clock::now();
    let remembered = NonZeroUsize::new(100).unwrap();
    let budgets = Budgets::new(Settings { remembered, ..Settings::default() }, began);
    let inputs: Vec<_> = (0..10).map(|n| input(&format!("{{\"n\":{n}}}"))).collect();
    for session in 0..20_000 {
        let session = open(&budgets, &format!("s{session}"), began);
        for input in &inputs {
            session.count(&tool("get"), || *input, began).unwrap();
        }
    }
    let status = budgets.status(7);
    assert_eq!(status.sessions, 100);
    assert!(status.inputs > 50_000 && status.inputs <= 100_000, "{}", status.inputs);
    assert_eq!(status.lowest.len(), 7);
}

#[test]
fn the_status_names_those_that_have_the_least_left_then_those_that_called_last() {
    let began = clock::now();
    let budgets = Budgets::new(Settings::default(), began);
    for (second, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "a")] {
        let session = open(&budgets, name, began);
        count(&session, "{}", began + second * S).unwrap();
        session.pay(cost(5)).unwrap();
    }
    let status = budgets.status(2);
    let lowest: Vec<_> = status
        .lowest
        .iter()
        .map(|of| (of.tenant.as_str(), of.session.as_str(), of.calls, of.cost))
        .collect();
    assert_eq!(lowest, [("local", "a", 2, 10), ("local", "c", 1, 5)]);
    assert_eq!((status.sessions, status.open, status.inputs), (3, 0, 3));
    assert_eq!(status.settings, Settings::default());
    let held = open(&budgets, "b", began);
    assert_eq!(budgets.status(0).open, 1);
    drop(held);
}

#[test]
fn what_is_left_is_the_smaller_part_of_calls_and_cost() {
    let now = clock::now();
    let budgets = Budgets::new(Settings { calls: some(10), cost: some(100), ..off() }, now);
    for (name, calls, price) in [("a", 2, 1), ("b", 1, 30), ("c", 4, 1), ("d", 5, 10)] {
        let session = open(&budgets, name, now);
        for _ in 0..calls {
            count(&session, "{}", now).unwrap();
        }
        session.pay(cost(price)).unwrap();
    }
    let lowest = budgets.status(3).lowest;
    let names: Vec<_> = lowest.iter().map(|session| session.session.as_str()).collect();
    assert_eq!(names, ["d", "c", "b"]);
}

#[test]
fn the_words_say_what_is_spent_what_is_left_and_what_to_do() {
    let message = |refused: Refused| {
        let failure = refused.failure(&tool("get_user"));
        (failure.code.as_str(), failure.message)
    };
    let (code, words) = message(Refused::Calls { max: some(7).unwrap() });
    assert!(code == "budget_exceeded" && words.contains("may make 7 calls"), "{words}");
    let (code, words) = message(Refused::Cost { max: some(10).unwrap(), spent: 8, cost: 3 });
    assert!(code == "budget_exceeded" && words.contains("get_user costs 3"), "{words}");
    assert!(words.contains("of the 10") && words.contains("8 is spent and 2 is left"), "{words}");
    let repeat = repeat(20, 600 * S).unwrap();
    let (code, words) = message(Refused::Repeated { repeat, after: 90 * S });
    assert!(code == "repeated" && words.contains("get_user with this very input 20 times"));
    assert!(words.contains("within 600s") && words.contains("ask again in 90s"), "{words}");
}

proptest! {
    /// Beside a model that keeps every moment: no window holds more calls than
    /// allowed, none is refused that an eighth more of the window would allow, and
    /// the sums are exact.
    #[test]
    fn it_agrees_with_one_who_remembers_everything(
        // After how many milliseconds a call comes, of which input, at what cost.
        steps in prop::collection::vec((0..400_u64, 0..4_u8, 1..6_u32), 1..120),
        limits in (1..60_u64, 1..150_u64, 1..8_u32),
    ) {
        let (calls, most, repeats) = limits;
        let within = Duration::from_millis(800);
        let began = clock::now();
        let settings = Settings {
            calls: some(calls), cost: some(most), repeat: repeat(repeats, within), ..off()
        };
        let budgets = Budgets::new(settings, began);
        let inputs: Vec<_> = (0..4).map(|n| input(&n.to_string())).collect();
        let mut made: HashMap<u8, Vec<Instant>> = HashMap::new();
        let (mut now, mut spent) = (began, (0_u64, 0_u64));
        for (wait, which, price) in steps {
            now += Duration::from_millis(wait);
            let session = open(&budgets, "a", now);
            let before = made.entry(which).or_default();
            let lately = |window: Duration| {
                before.iter().filter(|moment| now - **moment < window).count()
            };
            let repeats = usize::try_from(repeats).unwrap();
            let counted = session.count(&tool("get"), || inputs[usize::from(which)], now);
            match counted {
                Err(Refused::Calls { .. }) => prop_assert_eq!(spent.0, calls),
                Err(Refused::Repeated { after, .. }) => {
                    prop_assert!(spent.0 < calls);
                    prop_assert!(lately(within * 9 / 8) >= repeats);
                    prop_assert!(after > Duration::ZERO && after <= within * 9 / 8);
                }
                Err(Refused::Cost { .. }) => prop_assert!(false, "nothing was to be paid"),
                Ok(counted) => {
                    prop_assert!(spent.0 < calls);
                    prop_assert!(lately(within) < repeats);
                    match session.pay(cost(price)) {
                        Ok(()) => {
                            spent = (spent.0 + 1, spent.1 + u64::from(price));
                            prop_assert!(spent.1 <= most);
                            before.push(now);
                        }
                        Err(refused) => {
                            prop_assert!(spent.1 + u64::from(price) > most);
                            let max = some(most).unwrap();
                            let cost = price.into();
                            prop_assert_eq!(refused, Refused::Cost { max, spent: spent.1, cost });
                            session.give_back(counted);
                        }
                    }
                }
            }
            let told = &budgets.status(1).lowest[0];
            prop_assert_eq!((told.calls, told.cost), spent);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn other_rules_hold_from_a_sessions_next_batch_on_and_nothing_is_forgotten() {
    let now = clock::now();
    let of = |calls: u64, most: u32, within| Settings {
        calls: some(calls),
        repeat: repeat(most, within),
        ..Settings::default()
    };
    let budgets = Budgets::new(of(3, 2, 60 * S), now);
    let before = open(&budgets, "s", now);
    count(&before, "1", now).unwrap();
    count(&before, "1", now).unwrap();
    budgets.reconfigure(of(5, 3, 60 * S), now);
    assert!(matches!(count(&before, "1", now), Err(Refused::Repeated { .. })), "it is as it was");
    let after = open(&budgets, "s", now);
    count(&after, "1", now).unwrap();
    assert!(matches!(count(&after, "1", now), Err(Refused::Repeated { .. })));
    count(&before, "2", now).unwrap();
    count(&before, "3", now).unwrap();
    assert_eq!(count(&after, "4", now).unwrap_err(), Refused::Calls { max: some(5).unwrap() });

    // In another window nothing was counted, and what was marked before is unknown.
    budgets.reconfigure(of(9, 1, 30 * S), now);
    let last = open(&budgets, "s", now);
    let counted = count(&last, "1", now).unwrap();
    budgets.reconfigure(of(9, 1, 60 * S), now);
    let last = open(&budgets, "s", now);
    last.give_back(counted);
    count(&last, "1", now).unwrap();
    assert!(matches!(count(&last, "1", now), Err(Refused::Repeated { .. })));
}
