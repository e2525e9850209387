//! The table between threads, in many thousands of orders that a machine would
//! rarely take. A wake-up that is lost, or a circle, leaves somebody blocked for
//! ever, which the checker reports.

use std::sync::atomic::AtomicI32;

use shuttle::{
    future::{block_on, yield_now},
    thread,
};

use super::*;

const RUNS: usize = 4_000;
/// How often a run switches between threads where it did not have to.
const SWITCHES: usize = 4;

/// What one thread asks for, and whether it goes away before it has it.
type Part = (&'static str, &'static [(&'static str, Access)], bool);

/// How often each key is held: -1 by one that writes, else by so many that read.
type Held = Arc<HashMap<&'static str, AtomicI32>>;

/// Runs each part as a thread of its own, in random orders and in those that few
/// switches bring about; all of them end and nothing is left.
fn in_many_orders(parts: &'static [Part]) {
    let run = move || {
        let table = Table::new();
        let held: Held = Arc::new(["a", "b"].map(|key| (key, AtomicI32::new(0))).into());
        let threads: Vec<_> = parts
            .iter()
            .map(|part| {
                let (table, held) = (table.clone(), Arc::clone(&held));
                thread::spawn(move || block_on(play(&table, &held, part)))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_empty(&table);
    };
    shuttle::check_random(run, RUNS);
    shuttle::check_pct(run, RUNS, SWITCHES);
}

async fn play(table: &Table, held: &Held, &(call, wants, goes_away): &Part) {
    let guard = match ask(table, call, wants) {
        Asked::Granted(guard) => guard,
        Asked::Waiting(mut wait) if goes_away => {
            let now =
                std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut wait).poll(context)));
            drop(now.await);
            return yield_now().await;
        }
        Asked::Waiting(wait) => wait.await,
        Asked::Full => panic!("three are not too many"),
    };
    for (key, access) in wants {
        let before = match access {
            Read => held[key].fetch_add(1, Ordering::SeqCst),
            Write => held[key].swap(-1, Ordering::SeqCst),
        };
        assert!(before >= 0 && (*access == Read || before == 0), "{key} was held by {before}");
    }
    yield_now().await;
    for (key, access) in wants {
        match access {
            Read => drop(held[key].fetch_sub(1, Ordering::SeqCst)),
            Write => held[key].store(0, Ordering::SeqCst),
        }
    }
    drop(guard);
}

#[test]
fn those_that_want_the_same_keys_in_any_order_all_come_to_them() {
    in_many_orders(&[
        ("one", &[("a", Write), ("b", Write)], false),
        ("two", &[("b", Write), ("a", Read)], false),
        ("three", &[("a", Read)], false),
        ("four", &[("b", Write)], false),
    ]);
}

#[test]
fn one_who_goes_away_holds_nobody_up() {
    in_many_orders(&[
        ("one", &[("a", Write)], false),
        ("gone", &[("a", Write), ("b", Write)], true),
        ("two", &[("b", Write), ("a", Read)], false),
        ("gone-too", &[("a", Read), ("b", Read)], true),
    ]);
}
