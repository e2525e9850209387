//! Tokens: spaced, shared, fair, refused in time.

use futures_util::{StreamExt, stream::FuturesUnordered};

use super::*;

/// Waits until `until`; gives who was granted, and when. Each gives its places
/// back at once.
pub(super) async fn drain(waits: Vec<(usize, Wait)>, until: Duration) -> Vec<(usize, Duration)> {
    let start = clock::now();
    let mut waits: FuturesUnordered<_> = waits
        .into_iter()
        .map(|(n, wait)| async move {
            drop(wait.await);
            (n, clock::now() - start)
        })
        .collect();
    let mut granted = Vec::new();
    while let Ok(Some(one)) = tokio::time::timeout_at(start + until, waits.next()).await {
        granted.push(one);
    }
    granted
}

fn gate(api: Api) -> Gate {
    Gate::new(settings(vec![api]), Drain::new())
}

const S: fn(u64) -> Duration = Duration::from_secs;
const MS: fn(u64) -> Duration = Duration::from_millis;

#[tokio::test(start_paused = true)]
async fn a_rate_spaces_its_calls_and_wakes_one_for_each_token() {
    let gate = gate(rated("crm", "10/s", Per::Api));
    let batch = open(&gate, "s");
    drop(ask(&batch, "crm").granted());
    let waits = (0..5).map(|n| (n, ask(&batch, "crm").waiting())).collect();
    let granted = drain(waits, S(2)).await;
    let expected: Vec<_> = (0..5).map(|n| (n, MS(100 * (n as u64 + 1)))).collect();
    assert_eq!(granted, expected);
}

#[tokio::test(start_paused = true)]
async fn every_bucket_of_an_api_holds_and_none_is_charged_for_anothers_refusal() {
    let mut api = rated("crm", "100/s burst 10", Per::Api);
    api.rates.push((Rate::try_new("1/s burst 2").unwrap(), Per::Api));
    let gate = gate(api);
    let batch = open(&gate, "s");
    drop((ask(&batch, "crm").granted(), ask(&batch, "crm").granted()));
    let waits = (0..3).map(|n| (n, ask(&batch, "crm").waiting())).collect();
    let granted = drain(waits, S(5)).await;
    assert_eq!(granted, [(0, S(1)), (1, S(2)), (2, S(3))]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_in_time_is_told_at_once_and_when_it_could() {
    let gate = gate(rated("crm", "1/s", Per::Api));
    let batch = open(&gate, "s");
    drop(ask(&batch, "crm").granted());
    let by = |at: Duration| move |request: &mut Request<'_>| request.deadline = clock::now() + at;
    let refused = ask_for(&batch, "crm", by(MS(900))).refused();
    assert_eq!(refused, Refused::TooLate(S(1)));
    let _first = ask_for(&batch, "crm", by(S(1))).waiting();
    let _second = ask_for(&batch, "crm", by(S(2))).waiting();
    assert_eq!(ask_for(&batch, "crm", by(MS(2900))).refused(), Refused::TooLate(S(3)));
    // Another session is served in turn with the first, so it need not wait for both.
    let other = open(&gate, "other");
    drop(ask_for(&other, "crm", by(MS(2900))).waiting());
    // A longer path goes first in its batch.
    let urgent = |request: &mut Request<'_>| {
        request.path = S(9);
        request.deadline = clock::now() + S(1);
    };
    drop(ask_for(&batch, "crm", urgent).waiting());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_lets_nobody_in() {
    let gate = gate(Api { queue_max: nz(2), ..rated("crm", "1/s", Per::Api) });
    let batch = open(&gate, "s");
    drop(ask(&batch, "crm").granted());
    let _waits = [ask(&batch, "crm").waiting(), ask(&batch, "crm").waiting()];
    assert_eq!(ask(&batch, "crm").refused(), Refused::QueueFull(2));
}

#[tokio::test(start_paused = true)]
async fn the_longest_path_goes_first_within_a_batch() {
    let gate = gate(rated("crm", "1/s", Per::Api));
    let batch = open(&gate, "s");
    drop(ask(&batch, "crm").granted());
    let waits = [1, 5, 3, 5]
        .into_iter()
        .enumerate()
        .map(|(n, path)| (n, ask_for(&batch, "crm", |request| request.path = S(path)).waiting()))
        .collect();
    let order: Vec<_> = drain(waits, S(9)).await.into_iter().map(|(n, _)| n).collect();
    assert_eq!(order, [1, 3, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_asks_one_at_a_time_does_not_starve_one_that_asks_for_many() {
    let gate = gate(rated("crm", "10/s", Per::Api));
    let (many, one) = (open(&gate, "many"), open(&gate, "one"));
    drop(ask(&many, "crm").granted());
    let mut many: Vec<_> = (0..20).map(|_| ask(&many, "crm").waiting()).collect();
    let mut single = ask(&one, "crm").waiting();
    let (mut of_many, mut of_one) = (0, 0);
    while clock::now().elapsed() < S(1) && of_many + of_one < 20 {
        tokio::time::sleep(MS(1)).await;
        if poll(&mut single).is_some() {
            of_one += 1;
            single = ask(&one, "crm").waiting();
        }
        let before = many.len();
        many.retain_mut(|wait| poll(wait).is_none());
        of_many += before - many.len();
    }
    assert!((9..=11).contains(&of_one), "{of_one} of one, {of_many} of many");
}

#[tokio::test(start_paused = true)]
async fn twenty_unequal_sessions_get_equal_shares() {
    let gate = gate(rated("crm", "100/s", Per::Api));
    let scopes: Vec<_> = (0..20).map(|n| open(&gate, &format!("s{n}"))).collect();
    drop(ask(&scopes[0], "crm").granted());
    // From 50 to 1,000 calls each, in one burst.
    let waits: Vec<_> = scopes
        .iter()
        .enumerate()
        .flat_map(|(n, scope)| (0..50 * (n + 1)).map(move |_| (n, scope)))
        .map(|(n, scope)| (n, ask(scope, "crm").waiting()))
        .collect();
    let granted = drain(waits, S(9)).await;
    let mut shares = [0.0_f64; 20];
    for (session, _) in &granted {
        shares[*session] += 1.0;
    }
    let sum: f64 = shares.iter().sum();
    let jain = sum * sum / (20.0 * shares.iter().map(|share| share * share).sum::<f64>());
    assert!(sum >= 890.0 && jain >= 0.95, "{jain}: {shares:?}");
}

#[tokio::test(start_paused = true)]
async fn a_costly_call_keeps_its_place_at_the_head() {
    let gate = gate(rated("crm", "1/s burst 5", Per::Api));
    let batch = open(&gate, "s");
    let cost =
        |cost: u32| move |request: &mut Request<'_>| request.cost = NonZeroU32::new(cost).unwrap();
    drop(ask_for(&batch, "crm", cost(5)).granted());
    let waits = vec![
        (0, ask_for(&batch, "crm", cost(4)).waiting()),
        (1, ask_for(&batch, "crm", cost(1)).waiting()),
    ];
    assert_eq!(drain(waits, S(9)).await, [(0, S(4)), (1, S(5))]);
}

#[tokio::test(start_paused = true)]
async fn a_session_short_of_its_own_tokens_steps_aside() {
    let gate = gate(rated("crm", "1/s", Per::Session));
    let (a, b) = (open(&gate, "a"), open(&gate, "b"));
    drop(ask(&a, "crm").granted());
    let wait = ask(&a, "crm").waiting();
    let other = ask(&b, "crm").waiting();
    assert_eq!(drain(vec![(0, wait), (1, other)], S(3)).await, [(1, MS(0)), (0, S(1))]);
}

#[tokio::test(start_paused = true)]
async fn a_sessions_tokens_outlive_its_batches() {
    let gate = gate(rated("crm", "1/s", Per::Session));
    drop(ask(&open(&gate, "a"), "crm").granted());
    drop(ask(&open(&gate, "a"), "crm").waiting());
}

fn open_for(gate: &Gate, tenant: &str, of: &str) -> Arc<Scope> {
    gate.open(&Tenant::try_new(tenant).unwrap(), &session(of))
}

#[tokio::test(start_paused = true)]
async fn the_sessions_of_a_tenant_share_its_tokens_and_no_other_tenant_waits_for_them() {
    let gate = gate(rated("crm", "1/s", Per::Tenant));
    let (a, b) = (open_for(&gate, "one", "a"), open_for(&gate, "one", "b"));
    let other = open_for(&gate, "other", "a");
    drop(ask(&a, "crm").granted());
    let waits = vec![
        (0, ask(&a, "crm").waiting()),
        (1, ask(&a, "crm").waiting()),
        (2, ask(&b, "crm").waiting()),
        (3, ask(&other, "crm").waiting()),
    ];
    // Fair within the tenant, too.
    assert_eq!(drain(waits, S(5)).await, [(3, S(0)), (0, S(1)), (2, S(2)), (1, S(3))]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_its_tenants_tokens_cannot_reach_is_told_at_once() {
    let gate = gate(rated("crm", "1/s", Per::Tenant));
    let (a, b) = (open_for(&gate, "one", "a"), open_for(&gate, "one", "b"));
    let other = open_for(&gate, "other", "a");
    drop((ask(&a, "crm").granted(), ask(&other, "crm").granted()));
    let _waits = [ask(&a, "crm").waiting(), ask(&a, "crm").waiting()];
    let by = |at: Duration| move |request: &mut Request<'_>| request.deadline = clock::now() + at;
    assert_eq!(ask_for(&b, "crm", by(MS(1900))).refused(), Refused::TooLate(S(2)));
    drop(ask_for(&b, "crm", by(S(2))).waiting());
    drop(ask_for(&other, "crm", by(S(1))).waiting());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_its_sessions_tokens_cannot_reach_is_told_at_once() {
    let mut api = rated("crm", "2/s burst 2", Per::Session);
    api.rates.push((Rate::try_new("100/s burst 100").unwrap(), Per::Api));
    let gate = gate(api);
    let (batch, other) = (open(&gate, "s"), open(&gate, "other"));
    let by = |at: Duration| move |request: &mut Request<'_>| request.deadline = clock::now() + at;
    drop((ask(&batch, "crm").granted(), ask(&batch, "crm").granted()));
    let waits: Vec<_> = (0..4).map(|_| ask_for(&batch, "crm", by(S(2))).waiting()).collect();
    for _ in 0..6 {
        let refused = ask_for(&batch, "crm", by(S(2))).refused();
        assert_eq!(refused, Refused::TooLate(MS(2500)));
    }
    // Only its own session's go before it.
    for _ in 0..2 {
        drop(poll(&mut ask(&other, "crm").waiting()).unwrap());
    }
    drop(ask_for(&other, "crm", by(MS(500))).waiting());
    // A longer path goes first in its batch.
    let urgent = |request: &mut Request<'_>| {
        request.path = S(9);
        request.deadline = clock::now() + MS(500);
    };
    drop(ask_for(&batch, "crm", urgent).waiting());
    let granted = drain(waits.into_iter().enumerate().collect(), S(9)).await;
    assert_eq!(granted, [(0, MS(500)), (1, MS(1000)), (2, MS(1500)), (3, MS(2000))]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_api_eats_no_place_of_the_process() {
    let mut settings = settings(vec![rated("slow", "1/s", Per::Api), api("fast")]);
    settings.process = nz(2);
    let gate = Gate::new(settings, Drain::new());
    let batch = open(&gate, "s");
    drop(ask(&batch, "slow").granted());
    let _waits: Vec<_> = (0..5).map(|_| ask(&batch, "slow").waiting()).collect();
    drop((ask(&batch, "fast").granted(), ask(&batch, "fast").granted()));
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everyone_and_is_never_made_shorter() {
    let gate = gate(api("crm"));
    let batch = open(&gate, "s");
    batch.pause(&name("crm"), S(5));
    batch.pause(&name("crm"), S(2));
    let waits = vec![(0, ask(&batch, "crm").waiting())];
    assert_eq!(drain(waits, S(9)).await, [(0, S(5))]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_answers_those_at_once_who_cannot_wait_for_its_end() {
    let gate = gate(rated("crm", "1/s", Per::Api));
    let (batch, other) = (open(&gate, "s"), open(&gate, "other"));
    let by = |at: Duration| move |request: &mut Request<'_>| request.deadline = clock::now() + at;
    drop(ask(&batch, "crm").granted());
    let mut hasty = ask_for(&batch, "crm", by(MS(4999))).waiting();
    let mut patient = ask_for(&other, "crm", by(S(5))).waiting();
    let gone = ask_for(&other, "crm", by(S(4))).waiting();
    drop(gone);
    batch.pause(&name("crm"), S(0));
    assert!(answer(&mut hasty).is_none(), "nothing is paused");

    let start = clock::now();
    let (answered, ()) = tokio::join!(hasty, async { batch.pause(&name("crm"), S(5)) });
    assert_eq!(answered.unwrap_err(), Refused::TooLate(S(5)));
    assert_eq!(clock::now(), start, "it is woken");
    assert!(answer(&mut patient).is_none());
    assert_eq!(gate.waiting(), 1);
    gate.lock().check_invariants();

    // A later one that is longer makes those late who were not.
    tokio::time::sleep(S(1)).await;
    batch.pause(&name("crm"), S(1));
    assert!(answer(&mut patient).is_none(), "it is no shorter");
    batch.pause(&name("crm"), MS(4001));
    assert_eq!(answer(&mut patient).unwrap().unwrap_err(), Refused::TooLate(MS(4001)));
    gate.lock().check_invariants();
    assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
}

/// Incident 5: after a pause one caller finds out for all whether it is over.
#[tokio::test(start_paused = true)]
async fn a_storm_is_asked_by_one_after_each_pause_and_everyone_is_served_after_it() {
    let gate = gate(api("crm"));
    let batch = open(&gate, "s");
    let (start, recovers_at) = (clock::now(), clock::now() + MS(4500));
    let refusals = std::cell::Cell::new(0);
    let call = async || loop {
        let permit = match ask(&batch, "crm") {
            Asked::Granted(permit) => permit,
            Asked::Waiting(wait) => wait.await.unwrap(),
            Asked::Refused(refused) => panic!("{refused:?}"),
        };
        tokio::time::sleep(MS(20)).await;
        if clock::now() >= recovers_at {
            return permit.end(Some(Verdict::Works));
        }
        refusals.set(refusals.get() + 1);
        batch.pause(&name("crm"), S(1));
        permit.end(None);
    };
    let calls: FuturesUnordered<_> = (0..100).map(|_| call()).collect();
    calls.collect::<Vec<_>>().await;
    // Everyone who came at first, and one more each second.
    assert_eq!(refusals.get(), 100 + 4);
    let over = clock::now() - start;
    assert!(over < S(5) + MS(400), "{over:?}");
    assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
}

/// An upstream that answers `Retry-After: 0` just when a token came back: the
/// one who gets it must hear of it, though nobody who keeps time has looked yet.
#[tokio::test(start_paused = true)]
async fn a_pause_that_is_over_already_loses_no_wake_up() {
    let mut state = State::new(settings(vec![rated("crm", "1/s", Per::Api)]), clock::now());
    let (session, batch) = state.open((Tenant::local(), session("s")), None);
    let tool = 0;
    let (path, cost, now) = (S(0), NonZeroU32::MIN, clock::now());
    let deadline = now + S(9);
    let place = |number| Place { session, batch, tool, cost, path, deadline, number };
    let (api, _) = state.keys(&name("crm"), &ToolName::try_new("tool").unwrap(), batch);
    assert!(state.grant_at_once(api, &place(1), now).is_some());
    let (waiter, aftermath) = state.enqueue(api, place(2), now);
    assert!(aftermath.woken.is_empty() && aftermath.has_new_alarm);
    assert!(state.poll(waiter, Waker::noop()).is_none());

    tokio::time::advance(S(1)).await;
    let later = clock::now();
    let aftermath = state.pause(&name("crm"), S(0), later);
    assert_eq!(aftermath.woken.len(), 1);
    assert!(state.poll(waiter, Waker::noop()).is_some());
}

#[tokio::test(start_paused = true)]
async fn time_for_tokens_and_time_for_places_are_told_apart() {
    let mut api = rated("crm", "1/s", Per::Api);
    api.concurrency = Some(nz(1));
    let gate = gate(api);
    let batch = open(&gate, "s");
    let held = ask(&batch, "crm").granted();
    let mut wait = ask(&batch, "crm").waiting();
    tokio::time::sleep(MS(400)).await;
    drop(held);
    tokio::time::sleep(MS(700)).await;
    assert_eq!(poll(&mut wait).unwrap().throttled(), MS(600));
}

#[tokio::test(start_paused = true)]
async fn nobody_keeps_time_when_nobody_waits_for_it() {
    let drain = Drain::new();
    let gate = Gate::new(settings(vec![rated("crm", "1/h", Per::Api)]), drain.clone());
    let batch = open(&gate, "s");
    drop(ask(&batch, "crm").granted());
    assert_eq!(drain.tasks_open(), 0);
    let waits = [ask(&batch, "crm").waiting(), ask(&batch, "crm").waiting()];
    assert_eq!(drain.tasks_open(), 1);
    drop(waits);
    let start = clock::now();
    drain.finished().await;
    assert_eq!(clock::now(), start);
}

#[tokio::test(start_paused = true)]
async fn giving_up_at_the_head_lets_the_next_one_run() {
    let gate = gate(rated("crm", "1/s burst 4", Per::Api));
    let batch = open(&gate, "s");
    let cost =
        |cost: u32| move |request: &mut Request<'_>| request.cost = NonZeroU32::new(cost).unwrap();
    drop(ask_for(&batch, "crm", cost(3)).granted());
    let costly = ask_for(&batch, "crm", cost(4)).waiting();
    let mut cheap = ask_for(&batch, "crm", cost(1)).waiting();
    assert!(poll(&mut cheap).is_none());
    drop(costly);
    assert!(poll(&mut cheap).is_some());
}
