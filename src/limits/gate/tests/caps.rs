//! Places: of the process, the APIs, the tools, the sessions and the batches.

use proptest::prelude::*;

use super::*;

fn gate(process: usize, session: usize, batch: usize, apis: &[(&str, usize)]) -> Gate {
    Gate::new(
        Settings {
            process: nz(process),
            session: nz(session),
            batch: nz(batch),
            apis: apis.iter().map(|(api, max)| capped(api, *max)).collect(),
            tools: Vec::new(),
        },
        Drain::new(),
    )
}

#[test]
fn the_smallest_cap_holds_and_a_returned_permit_goes_to_the_next() {
    for (gate, cap) in [
        (gate(2, 9, 9, &[]), 2),
        (gate(9, 2, 9, &[]), 2),
        (gate(9, 9, 2, &[]), 2),
        (gate(9, 9, 9, &[("crm", 2)]), 2),
    ] {
        let batch = open(&gate, "s");
        let mut held: Vec<_> = (0..cap).map(|_| ask(&batch, "crm").granted()).collect();
        let mut wait = ask(&batch, "crm").waiting();
        assert!(poll(&mut wait).is_none());
        held.pop();
        let permit = poll(&mut wait).unwrap();
        assert_eq!(gate.in_flight(), cap);
        drop((permit, held, wait));
        assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
    }
}

#[test]
fn a_full_api_holds_nothing_of_the_process() {
    let gate = gate(2, 9, 9, &[("slow", 1)]);
    let batch = open(&gate, "s");
    let _held = ask(&batch, "slow").granted();
    let _waits: Vec<_> = (0..5).map(|_| ask(&batch, "slow").waiting()).collect();
    drop(ask(&batch, "other").granted());
}

#[test]
fn a_batch_at_its_cap_steps_aside_for_another() {
    let gate = gate(9, 9, 1, &[("crm", 2)]);
    let (greedy, modest) = (open(&gate, "a"), open(&gate, "b"));
    let _held = ask(&greedy, "crm").granted();
    let _wait = ask(&greedy, "crm").waiting();
    let mut wait = ask(&modest, "crm").waiting();
    assert!(poll(&mut wait).is_some());
}

#[test]
fn batches_take_turns_at_a_full_api() {
    let gate = gate(9, 99, 99, &[("crm", 1)]);
    let (first, second) = (open(&gate, "a"), open(&gate, "b"));
    let mut held = Some(ask(&first, "crm").granted());
    let mut waits: Vec<_> = (0..3)
        .map(|_| ("first", ask(&first, "crm").waiting()))
        .chain((0..3).map(|_| ("second", ask(&second, "crm").waiting())))
        .collect();
    let mut order = Vec::new();
    while !waits.is_empty() {
        held.take();
        let place = waits.iter_mut().position(|(_, wait)| match poll(wait) {
            Some(permit) => held.replace(permit).is_none(),
            None => false,
        });
        order.push(waits.remove(place.unwrap()).0);
    }
    assert_eq!(order, ["first", "second", "first", "second", "first", "second"]);
}

#[test]
fn giving_up_a_place_that_was_granted_passes_it_on() {
    let gate = gate(1, 9, 9, &[]);
    let batch = open(&gate, "s");
    let held = ask(&batch, "a").granted();
    let granted = ask(&batch, "a").waiting();
    let mut next = ask(&batch, "b").waiting();
    drop(held);
    assert!(poll(&mut next).is_none());
    drop(granted);
    assert!(poll(&mut next).is_some());
}

#[test]
fn a_session_is_forgotten_with_its_last_batch() {
    let gate = gate(9, 1, 9, &[]);
    let (one, two) = (open(&gate, "s"), open(&gate, "s"));
    let held = ask(&one, "a").granted();
    drop(ask(&two, "a").waiting());
    drop((one, two));
    assert_eq!(gate.lock().open_sessions(), 1);
    drop(held);
    assert_eq!(gate.lock().open_sessions(), 0);
}

#[test]
fn sessions_of_two_tenants_are_two_whatever_their_names() {
    let gate = gate(9, 1, 9, &[]);
    let [one, other] =
        ["one", "other"].map(|tenant| gate.open(&Tenant::try_new(tenant).unwrap(), &session("s")));
    let _held = ask(&one, "a").granted();
    drop(ask(&one, "a").waiting());
    drop(ask(&other, "a").granted());
}

#[test]
fn an_owners_cap_holds_for_all_its_sessions_and_for_no_other() {
    let gate = gate(9, 9, 9, &[]);
    let [one, two] = ["one", "two"].map(|of| owned(&gate, "planner", of, 2));
    let other = owned(&gate, "other", "one", 1);
    let held = [ask(&one, "a").granted(), ask(&two, "b").granted()];
    let mut waits = [ask(&one, "b").waiting(), ask(&two, "a").waiting()];
    // Nobody waits behind them.
    for (scope, api) in [(&other, "a"), (&open(&gate, "one"), "b")] {
        assert!(poll(&mut ask(scope, api).waiting()).is_some());
    }
    assert!(waits.iter_mut().all(|wait| poll(wait).is_none()));
    let [first, second] = held;
    drop(first);
    let permits: Vec<_> = waits.iter_mut().filter_map(poll).collect();
    assert_eq!(permits.len(), 1);
    drop(second);
    assert_eq!(waits.iter_mut().filter_map(poll).count(), 1);
    gate.lock().check_invariants();
}

#[test]
fn an_owners_cap_is_the_one_that_was_said_last() {
    let gate = gate(9, 9, 9, &[]);
    let one = owned(&gate, "planner", "one", 1);
    let _held = ask(&one, "a").granted();
    drop(ask(&one, "a").waiting());
    let two = owned(&gate, "planner", "two", 2);
    let held = ask(&two, "a").granted();
    drop(ask(&one, "a").waiting());
    drop(held);
    let _one_again = owned(&gate, "planner", "one", 1);
    drop(ask(&two, "a").waiting());
}

/// As with a session's own places: another API's tokens are not kept from others for
/// one that has no place left to use them.
#[tokio::test(start_paused = true)]
async fn an_owner_without_places_keeps_nobody_from_tokens() {
    let rated = rated("crm", "1/s burst 3", Per::Api);
    let gate = Gate::new(settings(vec![rated, api("b")]), Drain::new());
    let [one, two] = ["one", "two"].map(|of| owned(&gate, "planner", of, 1));
    let other = open(&gate, "other");
    let three = |request: &mut Request<'_>| request.cost = NonZeroU32::new(3).unwrap();
    drop(ask_for(&other, "crm", three).granted());
    let mut first = ask_for(&one, "crm", three).waiting();
    let mut behind = ask(&other, "crm").waiting();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(poll(&mut first).is_none() && poll(&mut behind).is_none());
    let _last = ask(&two, "b").granted();
    assert!(poll(&mut behind).is_some());
    gate.lock().check_invariants();
}

proptest! {
    /// Random arrivals, grants taken, permits returned and places given up: no
    /// cap is ever exceeded, and nobody waits who could run.
    #[test]
    fn caps_hold_and_no_wake_up_is_lost(steps in proptest::collection::vec((0u8..4, 0usize..5, 0usize..3), 1..200)) {
        let gate = gate(4, 3, 2, &[("a", 1), ("b", 3)]);
        let everyones = ["x", "x", "y"].map(|id| open(&gate, id));
        let bounded = ["z", "x"].map(|id| owned(&gate, "other", id, 2));
        let batches: Vec<_> = everyones.into_iter().chain(bounded).collect();
        let mut held: Vec<Permit> = Vec::new();
        let mut waits: Vec<Wait> = Vec::new();
        for (step, batch, api) in steps {
            match step {
                0 | 1 => match ask(&batches[batch], ["a", "b", "c"][api]) {
                    Asked::Granted(permit) => held.push(permit),
                    Asked::Waiting(wait) => waits.push(wait),
                    Asked::Refused(refused) => panic!("{refused:?}"),
                },
                2 if !held.is_empty() => drop(held.remove((batch + api) % held.len())),
                3 if !waits.is_empty() => drop(waits.remove((batch + api) % waits.len())),
                _ => {}
            }
            let mut at = 0;
            while at < waits.len() {
                match poll(&mut waits[at]) {
                    Some(permit) => {
                        held.push(permit);
                        waits.remove(at);
                    }
                    None => at += 1,
                }
            }
            prop_assert_eq!(gate.in_flight(), held.len());
            gate.lock().check_invariants();
        }
        drop((held, waits));
        prop_assert_eq!(gate.in_flight(), 0);
        drop(batches);
        prop_assert_eq!(gate.lock().open_sessions(), 0);
    }
}
