//! A session's batches between threads, in many thousands of orders that a machine
//! would rarely take.

use std::sync::atomic::{AtomicU64, Ordering};

use shuttle::thread;

use super::*;

const RUNS: usize = 2_000;
/// How often a run switches between threads where it did not have to.
const SWITCHES: usize = 4;

/// What one thread does: in which session, which input it gives, what that costs.
type Part = (&'static str, &'static str, u32);

/// Runs each part as a thread of its own, and says how many calls of session `a`
/// went through; its sums are those of exactly these.
fn in_many_orders(settings: &Settings, parts: &'static [Part], goes_through: u64) {
    let settings = settings.clone();
    let run = move || {
        let now = clock::now();
        let budgets = Arc::new(Budgets::new(settings.clone(), now));
        let (calls, paid) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let threads: Vec<_> = parts
            .iter()
            .map(|&(name, text, price)| {
                let (budgets, calls, paid) =
                    (Arc::clone(&budgets), Arc::clone(&calls), Arc::clone(&paid));
                thread::spawn(move || {
                    let session = open(&budgets, name, now);
                    let Ok(counted) = count(&session, text, now) else { return };
                    if session.pay(cost(price)).is_err() {
                        session.give_back(counted);
                    } else if name == "a" {
                        calls.fetch_add(1, Ordering::SeqCst);
                        paid.fetch_add(price.into(), Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(calls.load(Ordering::SeqCst), goes_through);
        let status = budgets.status(10);
        let of = status.lowest.iter().find(|session| session.session.as_str() == "a").unwrap();
        assert_eq!((of.calls, of.cost), (goes_through, paid.load(Ordering::SeqCst)));
        assert_eq!(status.open, 0);
    };
    shuttle::check_random(run.clone(), RUNS);
    shuttle::check_pct(run, RUNS, SWITCHES);
}

#[test]
fn as_many_calls_go_through_as_may_whoever_comes_first() {
    let settings = Settings { calls: some(2), ..off() };
    in_many_orders(&settings, &[("a", "1", 1), ("a", "2", 1), ("a", "3", 1), ("b", "1", 1)], 2);
    let settings = Settings { repeat: repeat(2, 60 * S), ..off() };
    in_many_orders(&settings, &[("a", "1", 1), ("a", "1", 1), ("a", "1", 1), ("b", "1", 1)], 2);
}

/// Two of three fit; the one that does not gives its call back.
#[test]
fn what_cannot_be_paid_is_given_back_whole() {
    let settings = Settings { cost: some(5), repeat: repeat(3, 60 * S), ..off() };
    in_many_orders(&settings, &[("a", "1", 2), ("a", "1", 2), ("a", "1", 2)], 2);
}
