//! Breakers at the gate: who is answered, who probes, who waits.

use proptest::prelude::*;
use tokio::time::advance;

use super::*;
use crate::limits::breaker::{Cause, State as Seen};

const S: fn(u64) -> Duration = Duration::from_secs;

fn broken_by(failures: u32, probes: u32) -> breaker::Settings {
    let nz = |n| NonZeroU32::new(n).unwrap();
    breaker::Settings { failures: nz(failures), probes: nz(probes), ..breaker::Settings::default() }
}

/// An API whose breaker opens with the second failure in a row.
fn fragile(of: &str) -> Api {
    Api { breaker: Some(broken_by(2, 1)), ..api(of) }
}

fn gate(api: Api) -> Gate {
    Gate::new(settings(vec![api]), Drain::new())
}

fn fail(batch: &Arc<Scope>, times: usize) {
    for _ in 0..times {
        ask(batch, "crm").granted().end(Some(Verdict::Fails));
    }
}

fn barred(after: Duration) -> Refused {
    Refused::Barred(Barred { after, cause: Cause::InARow(2) })
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_answers_whoever_comes_at_once_and_says_when() {
    let gate = gate(fragile("crm"));
    let batch = open(&gate, "s");
    fail(&batch, 2);
    assert_eq!(ask(&batch, "crm").refused(), barred(S(5)));
    advance(S(2)).await;
    assert_eq!(ask(&batch, "crm").refused(), barred(S(3)));
    drop(ask(&batch, "other").granted());
    advance(S(3)).await;
    ask(&batch, "crm").granted().end(Some(Verdict::Works));
    fail(&batch, 1);
    drop(ask(&batch, "crm").granted());
    assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_when_it_opens_is_answered() {
    let gate = gate(Api { concurrency: Some(nz(2)), ..fragile("crm") });
    let (batch, other) = (open(&gate, "s"), open(&gate, "other"));
    let held = [ask(&batch, "crm").granted(), ask(&batch, "crm").granted()];
    let mut waits: Vec<_> = [&batch, &other, &batch].map(|of| ask(of, "crm").waiting()).into();
    assert!(waits.iter_mut().all(|wait| answer(wait).is_none()));
    // The first failure lets one of them go.
    let [first, second] = held;
    first.end(Some(Verdict::Fails));
    let granted = answer(&mut waits[0]).unwrap().unwrap();
    second.end(Some(Verdict::Fails));
    for wait in &mut waits[1..] {
        assert_eq!(answer(wait).unwrap().unwrap_err(), barred(S(5)));
    }
    // It was sent before, and what comes of it does not count.
    granted.end(Some(Verdict::Works));
    assert_eq!(ask(&batch, "crm").refused(), barred(S(5)));
    assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_who_gives_up_after_an_answer_leaves_anything_behind() {
    let gate = gate(Api { concurrency: Some(nz(1)), ..fragile("crm") });
    let batch = open(&gate, "s");
    fail(&batch, 1);
    let held = ask(&batch, "crm").granted();
    let refused = ask(&batch, "crm").waiting();
    held.end(Some(Verdict::Fails));
    drop(refused);
    assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn while_one_probes_the_others_wait_for_what_comes_of_it() {
    let gate = gate(fragile("crm"));
    let batch = open(&gate, "s");
    for (verdict, is_granted) in [(Verdict::Fails, false), (Verdict::Works, true)] {
        fail(&batch, if is_granted { 0 } else { 2 });
        advance(S(60)).await;
        let probe = ask(&batch, "crm").granted();
        let mut waits = [ask(&batch, "crm").waiting(), ask(&batch, "crm").waiting()];
        advance(S(1000)).await;
        assert!(waits.iter_mut().all(|wait| answer(wait).is_none()));
        probe.end(Some(verdict));
        for wait in &mut waits {
            assert_eq!(answer(wait).unwrap().is_ok(), is_granted, "{verdict:?}");
        }
    }
    // The time had doubled; it is short again.
    fail(&batch, 2);
    assert_eq!(ask(&batch, "crm").refused(), barred(S(5)));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_is_followed_by_the_next_who_waits() {
    let gate = gate(fragile("crm"));
    let batch = open(&gate, "s");
    fail(&batch, 2);
    advance(S(5)).await;
    let probe = ask(&batch, "crm").granted();
    let [mut second, mut third, mut fourth] = [0; 3].map(|_| ask(&batch, "crm").waiting());
    drop(probe);
    let probe = poll(&mut second).unwrap();
    assert!(answer(&mut third).is_none());
    drop(probe);
    // Granted, and given up before it was taken.
    drop(third);
    poll(&mut fourth).unwrap().end(Some(Verdict::Works));
    drop((ask(&batch, "crm").granted(), ask(&batch, "crm").granted()));
}

#[tokio::test(start_paused = true)]
async fn what_is_learnt_of_an_attempt_counts_before_its_places_are_free() {
    let gate = gate(Api { concurrency: Some(nz(1)), ..fragile("crm") });
    let batch = open(&gate, "s");
    fail(&batch, 1);
    let held = ask(&batch, "crm").granted();
    let mut wait = ask(&batch, "crm").waiting();
    batch.report(held.mark(), Verdict::Fails);
    assert_eq!(answer(&mut wait).unwrap().unwrap_err(), barred(S(5)));
    batch.report(held.mark(), Verdict::Fails);
    drop(held);
    assert_eq!(ask(&batch, "crm").refused(), barred(S(5)), "it is counted once");
}

#[tokio::test(start_paused = true)]
async fn a_probe_waits_for_the_end_of_a_pause_and_for_its_token() {
    let gate =
        gate(Api { breaker: Some(broken_by(2, 1)), ..rated("crm", "1/min burst 2", Per::Api) });
    let batch = open(&gate, "s");
    let held = [ask(&batch, "crm").granted(), ask(&batch, "crm").granted()];
    batch.pause(&name("crm"), S(20));
    for permit in held {
        permit.end(Some(Verdict::Fails));
    }
    assert_eq!(ask(&batch, "crm").refused(), barred(S(20)));
    advance(S(21)).await;
    let start = clock::now();
    let mut probe = ask(&batch, "crm").waiting();
    let mut other = ask(&batch, "crm").waiting();
    let permit = (&mut probe).await.unwrap();
    assert_eq!(clock::now() - start, S(39));
    advance(S(60)).await;
    assert!(answer(&mut other).is_none(), "its token is there, and the probe is not over");
    permit.end(Some(Verdict::Works));
    drop(other.await.unwrap());
}

/// Those who were granted hold their rights, those who were refused are gone.
fn sort_out(waits: &mut Vec<Wait>, held: &mut Vec<Permit>) {
    waits.retain_mut(|wait| match answer(wait) {
        Some(Ok(permit)) => {
            held.push(permit);
            false
        }
        Some(Err(refused)) => {
            assert!(is_told_early(refused), "{refused:?}");
            false
        }
        None => true,
    });
}

fn is_told_early(refused: Refused) -> bool {
    matches!(refused, Refused::Barred(_) | Refused::TooLate(_))
}

proptest! {
    /// Random arrivals, ends, verdicts, cancels, pauses and time: at most as many
    /// probes as are allowed, nobody waits at an open breaker or for a pause that ends
    /// too late, nobody waits who could run, and nothing is left.
    #[test]
    fn nobody_waits_in_vain(
        probes in 1u32..3,
        steps in proptest::collection::vec((0u8..9, 0usize..6, 0u64..3000), 1..250),
    ) {
        clock::paused(async {
            let crm = Api {
                concurrency: Some(nz(3)),
                breaker: Some(broken_by(3, probes)),
                ..rated("crm", "10/s burst 4", Per::Api)
            };
            let gate = gate(crm);
            let batches = ["x", "y"].map(|id| open(&gate, id));
            let mut held: Vec<Permit> = Vec::new();
            let mut waits: Vec<Wait> = Vec::new();
            for (step, which, pause) in steps {
                match step {
                    0..=2 => match ask_for(&batches[which % 2], "crm", |request| {
                        if which < 3 {
                            request.deadline = clock::now() + Duration::from_millis(pause);
                        }
                    }) {
                        Asked::Granted(permit) => held.push(permit),
                        Asked::Waiting(wait) => waits.push(wait),
                        Asked::Refused(refused) => assert!(is_told_early(refused), "{refused:?}"),
                    },
                    3 | 4 if !held.is_empty() => {
                        let verdict = if step == 3 { Verdict::Fails } else { Verdict::Works };
                        held.remove(which % held.len()).end(Some(verdict));
                    }
                    5 if !held.is_empty() => drop(held.remove(which % held.len())),
                    6 if !waits.is_empty() => drop(waits.remove(which % waits.len())),
                    7 => batches[0].pause(&name("crm"), Duration::from_millis(pause)),
                    _ => tokio::time::sleep(Duration::from_millis(pause)).await,
                }
                // Whoever keeps time may have been woken by the same moment.
                tokio::task::yield_now().await;
                sort_out(&mut waits, &mut held);
                assert_eq!(gate.in_flight(), held.len());
                let mut state = gate.lock();
                state.check_invariants();
                match state.breaker_of(&name("crm")).state {
                    Seen::Open(_) => assert_eq!(state.waiting(), 0),
                    Seen::HalfOpen { probes: out, .. } => assert!(out <= probes),
                    Seen::Closed => {}
                }
            }
            // Nobody waits for ever: probes that succeed let everyone go.
            for _ in 0..200 {
                held.drain(..).for_each(|permit| permit.end(Some(Verdict::Works)));
                tokio::time::sleep(Duration::from_millis(100)).await;
                sort_out(&mut waits, &mut held);
            }
            assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
        });
    }
}
