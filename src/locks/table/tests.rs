use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::{Wake, Waker},
};

use super::*;
use crate::model::Access::{self, Read, Write};

#[cfg(feature = "shuttle")]
mod interleavings;
mod random;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn holder(call: &str) -> Holder {
    Holder {
        tenant: Tenant::local(),
        session: SessionId::try_new("session").unwrap(),
        batch: BatchId::try_new("batch").unwrap(),
        call: CallId::try_new(call).unwrap(),
        tool: ToolName::try_new("tool").unwrap(),
    }
}

fn locks(wants: &[(&str, Access)]) -> Vec<Lock> {
    wants.iter().map(|(key, access)| Lock { key: (*key).into(), access: *access }).collect()
}

fn ask(table: &Table, call: &str, wants: &[(&str, Access)]) -> Asked {
    table.ask(holder(call), &locks(wants), clock::now())
}

impl Asked {
    fn granted(self) -> Guard {
        match self {
            Self::Granted(guard) => guard,
            other => panic!("{other:?}"),
        }
    }

    fn waiting(self) -> Wait {
        match self {
            Self::Waiting(wait) => wait,
            other => panic!("{other:?}"),
        }
    }
}

/// Knows whether it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn poll_with(wait: &mut Wait, waker: &Waker) -> Option<Guard> {
    match Pin::new(wait).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(guard) => Some(guard),
        Poll::Pending => None,
    }
}

fn poll(wait: &mut Wait) -> Option<Guard> {
    poll_with(wait, Waker::noop())
}

#[track_caller]
fn assert_empty(table: &Table) {
    table.lock().check_invariants();
    assert_eq!(table.status(10, clock::now(), |_| true), Status::default());
    assert_eq!(table.lock().claims(), 0);
}

#[tokio::test(start_paused = true)]
async fn those_that_read_share_and_one_that_writes_is_alone() {
    let table = Table::new();
    let one = ask(&table, "one", &[("a", Read)]).granted();
    let other = ask(&table, "other", &[("a", Read)]).granted();
    let mut writer = ask(&table, "writer", &[("a", Write)]).waiting();
    drop(one);
    assert!(poll(&mut writer).is_none());
    drop(other);
    let writer = poll(&mut writer).unwrap();
    let mut reader = ask(&table, "reader", &[("a", Read)]).waiting();
    let mut second = ask(&table, "second", &[("a", Write)]).waiting();
    assert!(poll(&mut reader).is_none() && poll(&mut second).is_none());
    drop(writer);
    assert!(poll(&mut second).is_none());
    drop(poll(&mut reader).unwrap());
    drop(poll(&mut second).unwrap());
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn a_reader_does_not_overtake_a_writer_that_waits() {
    let table = Table::new();
    let reading = ask(&table, "reading", &[("a", Read)]).granted();
    let mut writer = ask(&table, "writer", &[("a", Write)]).waiting();
    let mut late = ask(&table, "late", &[("a", Read)]).waiting();
    drop(reading);
    assert!(poll(&mut late).is_none());
    drop(poll(&mut writer).unwrap());
    drop(poll(&mut late).unwrap());
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn a_request_for_many_keys_holds_none_before_all_and_is_not_starved() {
    let table = Table::new();
    let a = ask(&table, "a", &[("a", Write)]).granted();
    let mut wide = ask(&table, "wide", &[("b", Write), ("a", Write), ("c", Write)]).waiting();
    assert_eq!((table.held(), table.waiting()), (1, 1));
    // Those that come later stand behind it, on keys that are free.
    let mut b = ask(&table, "late", &[("b", Write)]).waiting();
    let c = ask(&table, "other", &[("d", Write)]).granted();
    assert!(poll(&mut wide).is_none() && poll(&mut b).is_none());
    drop(a);
    let wide = poll(&mut wide).unwrap();
    assert!(poll(&mut b).is_none());
    drop(wide);
    drop(poll(&mut b).unwrap());
    drop(c);
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn requests_that_want_the_same_keys_in_any_order_never_wait_for_each_other() {
    let table = Table::new();
    let first = ask(&table, "first", &[("a", Write), ("b", Write)]).granted();
    let mut second = ask(&table, "second", &[("b", Write), ("a", Write)]).waiting();
    let mut third = ask(&table, "third", &[("a", Write), ("b", Read), ("a", Read)]).waiting();
    drop(first);
    assert!(poll(&mut third).is_none());
    drop(poll(&mut second).unwrap());
    drop(poll(&mut third).unwrap());
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_asked_for_twice_is_one_and_the_stronger_counts() {
    let table = Table::new();
    let twice = ask(&table, "twice", &[("a", Read), ("a", Write), ("a", Read)]).granted();
    let mut reader = ask(&table, "reader", &[("a", Read)]).waiting();
    assert!(poll(&mut reader).is_none());
    drop(twice);
    drop(poll(&mut reader).unwrap());
    drop(ask(&table, "nothing", &[]).granted());
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn one_that_gives_up_lets_those_behind_it_go() {
    let table = Table::new();
    let reading = ask(&table, "reading", &[("a", Read)]).granted();
    let writer = ask(&table, "writer", &[("a", Write), ("b", Write)]).waiting();
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let mut late = ask(&table, "late", &[("a", Read), ("b", Read)]).waiting();
    assert!(poll_with(&mut late, &waker).is_none());
    drop(writer);
    assert!(flag.0.load(Ordering::SeqCst), "it was woken");
    drop(poll(&mut late).unwrap());
    drop(reading);
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_nobody_takes_passes_on() {
    let table = Table::new();
    let held = ask(&table, "held", &[("a", Write)]).granted();
    let gone = ask(&table, "gone", &[("a", Write)]).waiting();
    let mut last = ask(&table, "last", &[("a", Write)]).waiting();
    drop(held);
    assert_eq!(table.held(), 1, "granted, and not taken");
    assert!(poll(&mut last).is_none());
    drop(gone);
    drop(poll(&mut last).unwrap());
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn each_tenant_has_names_of_its_own() {
    let table = Table::new();
    let other = Holder { tenant: Tenant::try_new("other").unwrap(), ..holder("other") };
    let one = ask(&table, "one", &[("a", Write)]).granted();
    let two = table.ask(other, &locks(&[("a", Write)]), clock::now()).granted();
    drop((one, two));
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_full_takes_no_more_until_something_goes() {
    let table = Table::new();
    let many: Vec<String> = (0..CLAIMS_MAX).map(|key| key.to_string()).collect();
    let many: Vec<(&str, Access)> = many.iter().map(|key| (key.as_str(), Write)).collect();
    let (one, rest) = many.split_first().unwrap();
    let rest = ask(&table, "rest", rest).granted();
    let last = ask(&table, "last", &[*one]).granted();
    assert!(matches!(ask(&table, "more", &[("more", Read)]), Asked::Full));
    drop(last);
    drop(ask(&table, "more", &[("more", Read)]).granted());
    drop(rest);
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_for_which_key_and_for_whom() {
    let table = Table::new();
    let obstacle = |wait: &Wait| table.obstacle(wait.ticket(), clock::now());
    let by = |key: &str, by| Some(Obstacle { key: key.into(), by });
    let writing = ask(&table, "writing", &[("b", Write)]).granted();
    let reading = ask(&table, "reading", &[("c", Read)]).granted();
    tokio::time::advance(MS(70)).await;
    let mut both = ask(&table, "both", &[("c", Write), ("b", Read), ("a", Write)]).waiting();
    assert_eq!(obstacle(&both), by("b", By::Writer(holder("writing"), MS(70))));
    drop(writing);
    assert_eq!(obstacle(&both), by("c", By::Readers(1)));
    let a = ask(&table, "late", &[("a", Read)]).waiting();
    assert_eq!(obstacle(&a), by("a", By::Earlier(holder("both"))));
    let c = ask(&table, "late", &[("c", Read)]).waiting();
    assert_eq!(obstacle(&c), by("c", By::Earlier(holder("both"))));
    let ticket = both.ticket();
    drop(reading);
    assert_eq!(obstacle(&both), None, "granted");
    drop((poll(&mut both), a, c));
    let _reused = ask(&table, "reused", &[("b", Write)]).granted();
    let waits = ask(&table, "waits", &[("b", Write)]).waiting();
    assert_eq!(table.obstacle(ticket, clock::now()), None, "of another request");
    assert!(obstacle(&waits).is_some());
}

#[tokio::test(start_paused = true)]
async fn the_status_shows_the_keys_that_most_wait_for_and_not_more_than_asked() {
    let table = Table::new();
    let _z = ask(&table, "z", &[("z", Write), ("y", Read)]).granted();
    tokio::time::advance(MS(5)).await;
    let _first = ask(&table, "first", &[("z", Write), ("x", Write)]).waiting();
    tokio::time::advance(MS(3)).await;
    let _second = ask(&table, "second", &[("x", Read)]).waiting();
    let _third = ask(&table, "third", &[("z", Read)]).waiting();
    let status = table.status(2, clock::now(), |_| true);
    assert_eq!((status.held, status.waiting, status.keys), (1, 3, 3));
    let key = |key: &str, holder: Holder, since, waiters, longest_wait| KeyStatus {
        tenant: Tenant::local(),
        key: key.into(),
        access: Write,
        holders_count: 1,
        holders: vec![(holder, since)],
        waiters,
        longest_wait,
    };
    assert_eq!(
        status.busiest,
        [
            key("z", holder("z"), Some(MS(8)), 2, MS(3)),
            key("x", holder("first"), None, 1, Duration::ZERO),
        ]
    );
    let last = table.status(10, clock::now(), |_| true).busiest.pop().unwrap();
    assert_eq!((&*last.key, last.access, last.waiters), ("y", Read, 0));
}

#[tokio::test(start_paused = true)]
async fn of_many_holders_few_are_named() {
    let table = Table::new();
    let guards: Vec<_> =
        (0..20).map(|n| ask(&table, &format!("c{n}"), &[("a", Read)]).granted()).collect();
    let status = table.status(1, clock::now(), |_| true);
    let calls: Vec<_> = status.busiest[0].holders.iter().map(|(of, _)| of.call.as_str()).collect();
    assert_eq!(calls, ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"]);
    assert_eq!(status.busiest[0].holders_count, 20);
    drop(guards);
    assert_empty(&table);
}

#[tokio::test(start_paused = true)]
async fn of_a_key_at_which_no_call_that_may_be_seen_stands_nothing_is_told() {
    let table = Table::new();
    let _theirs = ask(&table, "theirs", &[("a", Read), ("secret", Write)]).granted();
    let _ours = ask(&table, "ours", &[("a", Read)]).granted();
    let _waits = ask(&table, "theirs", &[("b", Write)]).granted();
    let _ours_waits = ask(&table, "ours", &[("b", Read)]).waiting();
    let status = table.status(10, clock::now(), |of| of.call.as_str() == "ours");
    assert_eq!((status.held, status.waiting, status.keys), (3, 1, 3));
    let rows = status.busiest.iter().map(|key| {
        let holders: Vec<_> = key.holders.iter().map(|(of, _)| of.call.as_str()).collect();
        (&*key.key, holders, key.holders_count, key.waiters)
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows, [("b", vec![], 1, 1), ("a", vec!["ours"], 2, 0)]);
}

/// Ten thousand that wait for one key are served one by one, in order, at a cost
/// that does not grow with their number.
#[tokio::test(start_paused = true)]
async fn many_that_wait_for_one_key_are_served_in_order() {
    let table = Table::new();
    let first = ask(&table, "first", &[("a", Write)]).granted();
    let woken = Arc::new(AtomicUsize::new(0));
    struct Count(Arc<AtomicUsize>);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let waker = Waker::from(Arc::new(Count(Arc::clone(&woken))));
    let mut waits: Vec<_> =
        (0..10_000).map(|_| ask(&table, "waits", &[("a", Write)]).waiting()).collect();
    for wait in &mut waits {
        assert!(poll_with(wait, &waker).is_none());
    }
    drop(first);
    for (at, wait) in waits.iter_mut().enumerate() {
        assert_eq!(woken.load(Ordering::SeqCst), at + 1, "one wakes one");
        drop(poll(wait).unwrap());
    }
    assert_empty(&table);
}
