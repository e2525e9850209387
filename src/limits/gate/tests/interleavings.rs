//! The gate between threads, in many thousands of orders that a machine would
//! rarely take. A wake-up that is lost leaves its waiter blocked for ever, which
//! the checker reports.

use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::{
    future::{block_on, yield_now},
    thread,
};

use super::*;

const RUNS: usize = 4_000;
/// How often a run switches between threads where it did not have to.
const SWITCHES: usize = 4;

/// Tries the test in random orders, and in those that few switches bring about.
fn in_many_orders(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), RUNS);
    shuttle::check_pct(test, RUNS, SWITCHES);
}

/// Everything was given back, by whatever way.
fn assert_idle(gate: &Gate) {
    assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
    let mut state = gate.lock();
    state.check_invariants();
    assert_eq!(state.open_sessions(), 0);
    assert!(state.next_alarm().is_none(), "time is kept for nobody");
}

/// Runs each as a thread of its own, to their end.
fn all(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// The permit, where the API's breaker is not open.
async fn let_in(asked: Asked) -> Result<Permit, Refused> {
    match asked {
        Asked::Granted(permit) => Ok(permit),
        Asked::Waiting(wait) => wait.await,
        Asked::Refused(refused) => Err(refused),
    }
}

async fn permit(asked: Asked) -> Permit {
    let_in(asked).await.unwrap()
}

/// Polls a wait once and drops it: the caller went away.
async fn polled_once(asked: Asked) {
    if let Asked::Waiting(mut wait) = asked {
        let mut wait = Some(&mut wait);
        std::future::poll_fn(|context| {
            if let Some(wait) = wait.take() {
                drop(Pin::new(wait).poll(context));
            }
            Poll::Ready(())
        })
        .await;
        yield_now().await;
    }
}

#[test]
fn a_returned_place_reaches_one_who_waits_for_it() {
    in_many_orders(|| {
        let gate = Gate::new(settings(vec![capped("crm", 1), capped("erp", 1)]), Drain::new());
        let held = Arc::new(AtomicUsize::new(0));
        let thread = |of: &'static str, api: &'static str| {
            let (gate, held) = (gate.clone(), Arc::clone(&held));
            let run = move || {
                block_on(async {
                    let scope = open(&gate, of);
                    for _ in 0..2 {
                        let permit = permit(ask(&scope, api)).await;
                        if api == "crm" {
                            assert_eq!(held.fetch_add(1, Ordering::SeqCst), 0, "the cap is one");
                        }
                        yield_now().await;
                        if api == "crm" {
                            held.fetch_sub(1, Ordering::SeqCst);
                        }
                        drop(permit);
                    }
                });
            };
            Box::new(run) as Box<dyn FnOnce() + Send>
        };
        all(vec![thread("a", "crm"), thread("a", "crm"), thread("b", "crm"), thread("b", "erp")]);
        assert_idle(&gate);
    });
}

#[test]
fn one_who_goes_away_while_it_is_granted_passes_it_on() {
    in_many_orders(|| {
        let mut limits = settings(vec![capped("crm", 2)]);
        limits.process = nz(1);
        let gate = Gate::new(limits, Drain::new());
        let stays = |gate: &Gate, name: &'static str| {
            let gate = gate.clone();
            let run =
                move || block_on(async { drop(permit(ask(&open(&gate, name), "crm")).await) });
            Box::new(run) as Box<dyn FnOnce() + Send>
        };
        let leaves = |gate: &Gate| {
            let gate = gate.clone();
            let run = move || block_on(async { polled_once(ask(&open(&gate, "c"), "crm")).await });
            Box::new(run) as Box<dyn FnOnce() + Send>
        };
        all(vec![stays(&gate, "a"), leaves(&gate), stays(&gate, "b"), leaves(&gate)]);
        assert_idle(&gate);
    });
}

#[test]
fn whoever_waits_for_a_token_is_served_whoever_else_goes_away() {
    in_many_orders(|| {
        let gate = Gate::new(settings(vec![rated("crm", "1/s", Per::Api)]), Drain::new());
        let stays = |gate: &Gate, name: &'static str| {
            let gate = gate.clone();
            let run =
                move || block_on(async { drop(permit(ask(&open(&gate, name), "crm")).await) });
            Box::new(run) as Box<dyn FnOnce() + Send>
        };
        let leaves = {
            let gate = gate.clone();
            let run = move || {
                block_on(async {
                    let scope = open(&gate, "c");
                    polled_once(ask(&scope, "crm")).await;
                    scope.pause(&name("crm"), Duration::from_millis(300));
                });
            };
            Box::new(run) as Box<dyn FnOnce() + Send>
        };
        all(vec![stays(&gate, "a"), leaves, stays(&gate, "b")]);
        assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
        assert_eq!(gate.lock().open_sessions(), 0);
    });
}

#[test]
fn a_breaker_that_opens_leaves_nobody_waiting_for_a_probe_that_is_gone() {
    in_many_orders(|| {
        let breaker = breaker::Settings { failures: NonZeroU32::MIN, ..Default::default() };
        let api = Api { breaker: Some(breaker), ..capped("crm", 2) };
        let gate = Gate::new(settings(vec![api]), Drain::new());
        let thread = |of: &'static str, verdict: Option<Verdict>| {
            let gate = gate.clone();
            let run = move || {
                block_on(async {
                    let scope = open(&gate, of);
                    for _ in 0..3 {
                        match let_in(ask(&scope, "crm")).await {
                            Ok(permit) => {
                                yield_now().await;
                                permit.end(verdict);
                            }
                            Err(Refused::Barred(barred)) => {
                                clock::sleep_until(clock::now() + barred.after).await;
                            }
                            Err(refused) => panic!("{refused:?}"),
                        }
                    }
                });
            };
            Box::new(run) as Box<dyn FnOnce() + Send>
        };
        all(vec![
            thread("fails", Some(Verdict::Fails)),
            thread("works", Some(Verdict::Works)),
            // Cancelled each time: it says nothing.
            thread("silent", None),
        ]);
        assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
        assert_eq!(gate.lock().open_sessions(), 0);
    });
}
