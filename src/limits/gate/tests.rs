use std::{future::Future, task::Waker};

use proptest::prelude::*;

use super::*;

fn nz(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn name(name: &str) -> ApiName {
    ApiName::try_new(name).unwrap()
}

fn session(name: &str) -> SessionId {
    SessionId::try_new(name).unwrap()
}

fn gate(process: usize, session: usize, batch: usize, apis: &[(&str, usize)]) -> Gate {
    Gate::new(Settings {
        process: nz(process),
        session: nz(session),
        batch: nz(batch),
        apis: apis.iter().map(|(api, max)| (name(api), nz(*max))).collect(),
    })
}

fn poll(wait: &mut Wait) -> Option<Permit> {
    match Pin::new(wait).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(permit) => Some(permit),
        Poll::Pending => None,
    }
}

#[test]
fn the_smallest_cap_holds_and_a_returned_permit_goes_to_the_next() {
    for (gate, cap) in [
        (gate(2, 9, 9, &[]), 2),
        (gate(9, 2, 9, &[]), 2),
        (gate(9, 9, 2, &[]), 2),
        (gate(9, 9, 9, &[("crm", 2)]), 2),
    ] {
        let batch = gate.open(&session("s"));
        let mut held: Vec<_> = (0..cap).map(|_| batch.acquire(&name("crm")).unwrap()).collect();
        let mut wait = batch.acquire(&name("crm")).unwrap_err();
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
    let batch = gate.open(&session("s"));
    let _held = batch.acquire(&name("slow")).unwrap();
    let _waits: Vec<_> = (0..5).map(|_| batch.acquire(&name("slow")).unwrap_err()).collect();
    assert!(batch.acquire(&name("other")).is_ok());
}

#[test]
fn a_batch_at_its_cap_steps_aside_for_another() {
    let gate = gate(9, 9, 1, &[("crm", 2)]);
    let (greedy, modest) = (gate.open(&session("a")), gate.open(&session("b")));
    let _held = greedy.acquire(&name("crm")).unwrap();
    let _wait = greedy.acquire(&name("crm")).unwrap_err();
    let mut wait = modest.acquire(&name("crm")).unwrap_err();
    assert!(poll(&mut wait).is_some());
}

#[test]
fn batches_take_turns_at_a_full_api() {
    let gate = gate(9, 99, 99, &[("crm", 1)]);
    let (first, second) = (gate.open(&session("a")), gate.open(&session("b")));
    let mut held = Some(first.acquire(&name("crm")).unwrap());
    let mut waits: Vec<_> = (0..3)
        .map(|_| ("first", first.acquire(&name("crm")).unwrap_err()))
        .chain((0..3).map(|_| ("second", second.acquire(&name("crm")).unwrap_err())))
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
    let batch = gate.open(&session("s"));
    let held = batch.acquire(&name("a")).unwrap();
    let granted = batch.acquire(&name("a")).unwrap_err();
    let mut next = batch.acquire(&name("b")).unwrap_err();
    drop(held);
    assert!(poll(&mut next).is_none());
    drop(granted);
    assert!(poll(&mut next).is_some());
}

#[test]
fn a_session_is_forgotten_with_its_last_batch() {
    let gate = gate(9, 1, 9, &[]);
    let (one, two) = (gate.open(&session("s")), gate.open(&session("s")));
    let held = one.acquire(&name("a")).unwrap();
    assert!(two.acquire(&name("a")).is_err());
    drop((one, two));
    assert_eq!(gate.lock().sessions.len(), 1);
    drop(held);
    assert!(gate.lock().sessions.is_empty() && gate.lock().session_ids.is_empty());
}

proptest! {
    /// Random arrivals, grants taken, permits returned and places given up: no
    /// cap is ever exceeded, and nobody waits who could run.
    #[test]
    fn caps_hold_and_no_wake_up_is_lost(steps in proptest::collection::vec((0u8..4, 0usize..3, 0usize..3), 1..200)) {
        let gate = gate(4, 3, 2, &[("a", 1), ("b", 3)]);
        let apis = [name("a"), name("b"), name("c")];
        let batches = [session("x"), session("x"), session("y")].map(|id| gate.open(&id));
        let mut held: Vec<Permit> = Vec::new();
        let mut waits: Vec<Wait> = Vec::new();
        for (step, batch, api) in steps {
            match step {
                0 | 1 => match batches[batch].acquire(&apis[api]) {
                    Ok(permit) => held.push(permit),
                    Err(wait) => waits.push(wait),
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
            let inner = gate.lock();
            prop_assert_eq!(inner.process.used, held.len());
            prop_assert!(inner.process.used <= 4);
            prop_assert!(inner.batches.iter().all(|(_, batch)| batch.cap.used <= 2));
            prop_assert!(inner.sessions.iter().all(|(_, session)| session.cap.used <= 3));
            for (_, waiter) in &inner.waiters {
                prop_assert!(!inner.has_room(waiter.batch, waiter.api), "could run and waits");
            }
        }
        drop((held, waits));
        prop_assert_eq!(gate.in_flight(), 0);
        drop(batches);
        prop_assert!(gate.lock().batches.is_empty());
    }
}
