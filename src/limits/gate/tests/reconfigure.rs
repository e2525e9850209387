//! Other limits while calls run and wait.

use tokio::time::advance;

use super::*;
use crate::limits::breaker::{Cause, State as Standing};

mod properties;

const S: fn(u64) -> Duration = Duration::from_secs;
const MS: fn(u64) -> Duration = Duration::from_millis;

fn gate(apis: Vec<Api>) -> Gate {
    Gate::new(settings(apis), Drain::new())
}

fn tool(name: &str) -> ToolName {
    ToolName::try_new(name).unwrap()
}

fn level(gate: &Gate, api: &str) -> u32 {
    let status = gate.status(100);
    let api = status.apis.iter().find(|of| of.name.as_str() == api).unwrap();
    api.buckets[0].lowest[0].tokens
}

fn take(batch: &Arc<Scope>, times: usize) {
    (0..times).for_each(|_| drop(ask(batch, "crm").granted()));
}

fn shown(gate: &Gate) -> Vec<String> {
    gate.status(100).apis.iter().map(|api| api.name.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_api_that_is_as_it_was_is_untouched_and_another_keeps_its_tokens() {
    let before = || vec![rated("crm", "1/s burst 10", Per::Api), rated("erp", "1/s", Per::Api)];
    let gate = gate(before());
    let batch = open(&gate, "s");
    take(&batch, 7);
    advance(MS(500)).await;
    gate.reconfigure(settings(before()));
    assert_eq!(level(&gate, "crm"), 3);
    gate.reconfigure(settings(vec![rated("crm", "4/s burst 20", Per::Api)]));
    assert_eq!(level(&gate, "crm"), 3, "nothing is given");
    advance(MS(125)).await;
    assert_eq!(level(&gate, "crm"), 4, "half a token was earned before");
    gate.reconfigure(settings(vec![rated("crm", "4/s burst 2", Per::Api)]));
    assert_eq!(level(&gate, "crm"), 2, "what finds no room is lost");
}

/// At an API that is asked and at one that has tokens for one at a time.
#[tokio::test(start_paused = true)]
async fn a_raised_bound_of_an_owner_lets_its_waiters_go_at_once() {
    let gate = gate(vec![api("crm"), rated("erp", "1/s", Per::Api)]);
    let [one, two, three] = ["1", "2", "3"].map(|of| owned(&gate, "planner", of, 1));
    let others = owned(&gate, "other", "1", 1);
    let (_held, _others) = (ask(&one, "crm").granted(), ask(&others, "crm").granted());
    let mut theirs = ask(&others, "crm").waiting();
    let mut waits = [&one, &two, &three, &two].map(|of| ask(of, "crm").waiting());
    let mut rated = [&one, &two].map(|of| ask(of, "erp").waiting());
    let granted = |waits: &mut [Wait]| waits.iter_mut().filter_map(poll).collect::<Vec<_>>();
    assert!(granted(&mut waits).is_empty() && granted(&mut rated).is_empty());
    let bound = |max: Option<usize>| {
        let max = max.map(nz);
        gate.bound_owners(|owner| if owner.as_str() == "planner" { max } else { Some(nz(1)) });
        gate.lock().check_invariants();
    };
    bound(Some(3));
    let more = granted(&mut waits);
    assert_eq!(more.len(), 2);
    // Less than what is in flight takes nothing away, and lets nobody in.
    bound(Some(1));
    drop(more);
    assert!(granted(&mut waits).is_empty());
    bound(None);
    let (last, of_rated) = (granted(&mut waits), granted(&mut rated));
    assert_eq!((last.len(), of_rated.len()), (2, 1));
    advance(S(1)).await;
    tokio::task::yield_now().await;
    assert_eq!(granted(&mut rated).len(), 1);
    assert!(poll(&mut theirs).is_none(), "nobody else's bound was raised");
}

#[tokio::test(start_paused = true)]
async fn of_several_rates_those_that_stay_keep_theirs_and_new_ones_begin_with_the_fewest() {
    let rates = |rates: &[&str]| {
        let rates = rates.iter().map(|rate| (Rate::try_new(rate).unwrap(), Per::Api)).collect();
        settings(vec![Api { rates, ..api("crm") }])
    };
    let gate = Gate::new(rates(&["10/s burst 9", "60/min burst 30"]), Drain::new());
    let batch = open(&gate, "s");
    take(&batch, 8);
    let levels = |gate: &Gate| -> Vec<u32> {
        gate.status(1).apis[0].buckets.iter().map(|bucket| bucket.lowest[0].tokens).collect()
    };
    assert_eq!(levels(&gate), [1, 22]);
    gate.reconfigure(rates(&["60/min burst 30", "10/s burst 12", "100/h burst 90"]));
    assert_eq!(levels(&gate), [22, 1, 1]);
    gate.reconfigure(rates(&[]));
    gate.reconfigure(rates(&["1/s burst 5"]));
    assert_eq!(levels(&gate), [5], "where there was no rate nothing is known");
}

#[tokio::test(start_paused = true)]
async fn what_each_session_has_of_its_own_it_keeps() {
    let gate = gate(vec![rated("crm", "1/s burst 4", Per::Session)]);
    let (one, other) = (open(&gate, "one"), open(&gate, "other"));
    take(&one, 4);
    take(&other, 1);
    let mut waits = [ask(&one, "crm").waiting(), ask(&one, "crm").waiting()];
    gate.reconfigure(settings(vec![rated("crm", "2/s burst 4", Per::Session)]));
    let mut others: Vec<_> = (0..4).map(|_| ask(&other, "crm").waiting()).collect();
    let granted: Vec<_> = others.iter_mut().map(|wait| poll(wait).is_some()).collect();
    assert_eq!(granted, [true, true, true, false]);
    tokio::time::sleep(MS(500)).await;
    tokio::task::yield_now().await;
    assert!(poll(&mut waits[0]).is_some() && poll(&mut waits[1]).is_none());
    gate.lock().check_invariants();
}

#[tokio::test(start_paused = true)]
async fn a_cap_that_grows_lets_those_go_who_wait_and_one_that_shrinks_takes_nothing_away() {
    let with = |process: usize, session: usize, api: usize| Settings {
        process: nz(process),
        session: nz(session),
        ..settings(vec![capped("crm", api)])
    };
    for (small, large) in [((1, 9, 9), (3, 9, 9)), ((9, 1, 9), (9, 3, 9)), ((9, 9, 1), (9, 9, 3))] {
        let [small, large] =
            [small, large].map(|(process, session, api)| with(process, session, api));
        let gate = Gate::new(small.clone(), Drain::new());
        let batch = open(&gate, "s");
        let held = ask(&batch, "crm").granted();
        let mut waits: Vec<_> = (0..5).map(|_| ask(&batch, "crm").waiting()).collect();
        assert!(waits.iter_mut().all(|wait| poll(wait).is_none()));
        gate.reconfigure(large);
        let (first, second) = (poll(&mut waits[0]).unwrap(), poll(&mut waits[1]).unwrap());
        assert!(poll(&mut waits[2]).is_none());
        gate.reconfigure(small);
        assert_eq!(gate.in_flight(), 3, "nothing is taken away");
        drop((held, first));
        assert!(poll(&mut waits[2]).is_none(), "it is full yet");
        drop(second);
        assert!(poll(&mut waits[2]).is_some());
        gate.lock().check_invariants();
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_runs_keeps_its_own_cap() {
    let with = |batch: usize| Settings { batch: nz(batch), ..settings(vec![api("crm")]) };
    let gate = Gate::new(with(1), Drain::new());
    let before = open(&gate, "s");
    gate.reconfigure(with(2));
    let after = open(&gate, "s");
    let _held = [ask(&before, "crm").granted(), ask(&after, "crm").granted()];
    assert!(poll(&mut ask(&before, "crm").waiting()).is_none());
    drop(ask(&after, "crm").granted());
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_an_api_that_is_gone_hold_on_for_the_batches_that_came_before() {
    let gone = Api { concurrency: Some(nz(1)), ..rated("crm", "1/s burst 2", Per::Api) };
    let gate = gate(vec![gone.clone(), api("erp")]);
    let before = open(&gate, "before");
    let held = ask(&before, "crm").granted();
    let mut waits = vec![ask(&before, "crm").waiting(), ask(&before, "crm").waiting()];
    gate.reconfigure(settings(vec![api("erp")]));
    let after = open(&gate, "after");
    assert_eq!(shown(&gate), ["crm", "erp"]);
    drop(held);
    drop(poll(&mut waits[0]).unwrap());
    assert!(poll(&mut waits[1]).is_none(), "its rate still holds");
    drop(ask(&after, "erp").granted());
    advance(S(1)).await;
    drop(waits);
    assert_eq!(shown(&gate), ["erp"], "while nothing of it is in flight it is not shown");
    drop(ask(&before, "crm").granted());
    assert!(ask(&before, "crm").waiting().name().is_some(), "and its bucket is what it was");
    drop(before);

    // With the last batch that knew of it, it is let go; its place is the next one's.
    assert!(gate.lock().keys(&name("crm"), &tool("t"), after.batch).0 == 0);
    gate.reconfigure(settings(vec![api("erp"), rated("new", "1/s burst 3", Per::Api)]));
    assert_eq!(gate.lock().keys(&name("new"), &tool("t"), after.batch).0, 1);
    assert_eq!(level(&gate, "new"), 3);
    gate.lock().check_invariants();
}

#[tokio::test(start_paused = true)]
async fn an_api_that_comes_back_in_time_is_the_one_that_it_was() {
    let with = || settings(vec![rated("crm", "1/h burst 5", Per::Api)]);
    let gate = Gate::new(with(), Drain::new());
    let before = open(&gate, "s");
    take(&before, 4);
    gate.reconfigure(settings(vec![]));
    let between = open(&gate, "s");
    gate.reconfigure(with());
    assert_eq!(level(&gate, "crm"), 1);
    drop((before, between));
    assert_eq!(level(&gate, "crm"), 1, "it is not let go any more");
    gate.reconfigure(settings(vec![]));
    gate.reconfigure(with());
    assert_eq!(level(&gate, "crm"), 5, "where nobody knew of it, it begins anew");
}

#[tokio::test(start_paused = true)]
async fn a_tools_cap_that_is_gone_holds_on_for_the_batches_that_came_before() {
    let with = |tools: &[(&str, usize)]| Settings {
        tools: tools.iter().map(|(name, max)| (tool(name), nz(*max))).collect(),
        ..settings(vec![api("crm")])
    };
    let gate = Gate::new(with(&[("fragile", 1), ("other", 1)]), Drain::new());
    let crm = name("crm");
    let fragile = tool("fragile");
    let (before, ask) =
        (open(&gate, "before"), |batch: &Arc<Scope>| batch.ask(request(&crm, &fragile)));
    let held = ask(&before).granted();
    let mut wait = ask(&before).waiting();
    gate.reconfigure(with(&[("other", 1)]));
    let after = open(&gate, "after");
    assert!(poll(&mut ask(&after).waiting()).is_some());
    assert!(poll(&mut wait).is_none() && poll(&mut ask(&before).waiting()).is_none());
    let names = |gate: &Gate| -> Vec<String> {
        gate.status(9).tools.iter().map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(names(&gate), ["other"]);

    // It is back, with what is in flight.
    gate.reconfigure(with(&[("fragile", 1), ("other", 1)]));
    assert!(poll(&mut ask(&after).waiting()).is_none());
    drop(held);
    assert!(poll(&mut wait).is_some());
    gate.reconfigure(with(&[("other", 1)]));
    drop((before, wait, after));
    gate.reconfigure(with(&[("other", 1), ("new", 2)]));
    assert_eq!(names(&gate), ["new", "other"]);
    gate.lock().check_invariants();
}

#[tokio::test(start_paused = true)]
async fn a_breaker_and_a_pause_keep_what_they_know() {
    let failures = |n: u32| breaker::Settings {
        failures: NonZeroU32::new(n).unwrap(),
        ..breaker::Settings::default()
    };
    let with = |n: u32| settings(vec![Api { breaker: Some(failures(n)), ..api("crm") }]);
    let gate = Gate::new(with(3), Drain::new());
    let batch = open(&gate, "s");
    let fail = || ask(&batch, "crm").granted().end(Some(Verdict::Fails));
    fail();
    fail();
    gate.reconfigure(with(4));
    fail();
    drop(ask(&batch, "crm").granted());
    fail();
    let barred = Refused::Barred(Barred { after: S(5), cause: Cause::InARow(4) });
    assert_eq!(ask(&batch, "crm").refused(), barred);
    gate.reconfigure(with(10));
    assert_eq!(ask(&batch, "crm").refused(), barred, "it is as open as before");

    // Who waits for a probe is let go where there is no breaker any more.
    advance(S(5)).await;
    let probe = ask(&batch, "crm").granted();
    let mut wait = ask(&batch, "crm").waiting();
    assert!(matches!(gate.status(1).apis[0].breaker.unwrap().state, Standing::HalfOpen { .. }));
    gate.reconfigure(settings(vec![api("crm")]));
    assert!(poll(&mut wait).is_some());
    gate.reconfigure(with(1));
    probe.end(Some(Verdict::Fails));
    drop(ask(&batch, "crm").granted());

    batch.pause(&name("crm"), S(7));
    gate.reconfigure(settings(vec![Api { pause_max: S(1), ..api("crm") }]));
    assert_eq!(batch.pause_left(&name("crm")), S(7));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_costs_more_than_the_bucket_now_holds_waits_for_all_of_it() {
    let gate = gate(vec![rated("crm", "1/s burst 10", Per::Api)]);
    let batch = open(&gate, "s");
    take(&batch, 8);
    let dear = |request: &mut Request<'_>| request.cost = NonZeroU32::new(8).unwrap();
    let start = clock::now();
    let wait = ask_for(&batch, "crm", dear).waiting();
    gate.reconfigure(settings(vec![rated("crm", "1/s burst 3", Per::Api)]));
    drop(wait.await.unwrap());
    assert_eq!(clock::now() - start, S(1));
    assert_eq!(level(&gate, "crm"), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_keeps_time_hears_of_a_rate_that_is_faster() {
    let gate = gate(vec![rated("crm", "1/h", Per::Api)]);
    let batch = open(&gate, "s");
    take(&batch, 1);
    let wait = ask(&batch, "crm").waiting();
    let start = clock::now();
    tokio::time::sleep(S(1)).await;
    gate.reconfigure(settings(vec![rated("crm", "1/min", Per::Api)]));
    drop(wait.await.unwrap());
    // 1 s of an hour was over, and so a 60th of that of a minute.
    let took = clock::now() - start;
    assert!(took > S(60) && took < S(61), "{took:?}");
}
