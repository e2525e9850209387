//! Random requests, against a model and on many threads.

use proptest::prelude::*;

use super::*;

const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

type Wants = Vec<(&'static str, Access)>;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Ask(Wants),
    /// Whoever stands at this place, modulo how many there are, takes what it was
    /// granted, if it was.
    Take(usize),
    /// It goes: waiting, granted or holding.
    Go(usize),
}

fn wants() -> impl Strategy<Value = Wants> {
    let access = prop_oneof![Just(Read), Just(Write)];
    prop::collection::vec((prop::sample::select(&KEYS[..]), access), 0..4)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => wants().prop_map(Step::Ask),
        1 => any::<usize>().prop_map(Step::Take),
        2 => any::<usize>().prop_map(Step::Go),
    ];
    prop::collection::vec(step, 0..80)
}

enum Hold {
    Waiting(Wait),
    Granted(#[expect(dead_code, reason = "it is held by being there")] Guard),
}

/// A request as the model has it.
struct Live {
    wants: Wants,
    hold: Option<Hold>,
    flag: Arc<Flag>,
}

impl Live {
    fn stands_against(&self, other: &Self) -> bool {
        let clash = |(one, is): &(&str, Access), (key, other): &(&str, Access)| {
            one == key && (*is, *other) != (Read, Read)
        };
        self.wants.iter().any(|one| other.wants.iter().any(|other| clash(one, other)))
    }

    fn is_woken(&self) -> bool {
        self.flag.0.load(Ordering::SeqCst)
    }
}

/// By the model a request has its locks where none that asked before and is still
/// there stands against it: that is all there is to say of it.
fn has_locks(live: &[Live], at: usize) -> bool {
    !live[..at].iter().any(|before| before.stands_against(&live[at]))
}

proptest! {
    #[test]
    fn whoever_has_nobody_before_that_it_stands_against_has_its_locks(steps in steps()) {
        let table = Table::new();
        let mut live: Vec<Live> = Vec::new();
        for step in steps {
            match step {
                Step::Ask(wants) => {
                    let flag = Arc::new(Flag::default());
                    let hold = match ask(&table, "call", &wants) {
                        Asked::Granted(guard) => Hold::Granted(guard),
                        Asked::Waiting(mut wait) => {
                            let waker = Waker::from(Arc::clone(&flag));
                            prop_assert!(poll_with(&mut wait, &waker).is_none());
                            Hold::Waiting(wait)
                        }
                        Asked::Full => panic!("it is not full"),
                    };
                    let is_granted = matches!(hold, Hold::Granted(_));
                    live.push(Live { wants, hold: Some(hold), flag });
                    prop_assert_eq!(is_granted, has_locks(&live, live.len() - 1));
                }
                Step::Take(at) if !live.is_empty() => {
                    let at = at % live.len();
                    let is_granted = has_locks(&live, at);
                    let one = &mut live[at];
                    one.hold = match one.hold.take() {
                        Some(Hold::Waiting(mut wait)) => {
                            let waker = Waker::from(Arc::clone(&one.flag));
                            let guard = poll_with(&mut wait, &waker);
                            prop_assert_eq!(guard.is_some(), is_granted);
                            Some(guard.map_or(Hold::Waiting(wait), Hold::Granted))
                        }
                        hold => hold,
                    };
                }
                Step::Go(at) if !live.is_empty() => {
                    drop(live.remove(at % live.len()));
                }
                Step::Take(_) | Step::Go(_) => {}
            }
            table.lock().check_invariants();
            let held = (0..live.len()).filter(|at| has_locks(&live, *at)).count();
            prop_assert_eq!((table.held(), table.waiting()), (held, live.len() - held));
            for (at, one) in live.iter().enumerate() {
                if let Some(Hold::Waiting(wait)) = &one.hold {
                    // No wake-up is lost, and none is for nothing.
                    prop_assert_eq!(one.is_woken(), has_locks(&live, at));
                    let obstacle = table.obstacle(wait.ticket(), clock::now());
                    prop_assert_eq!(obstacle.is_none(), has_locks(&live, at));
                }
            }
        }
        live.clear();
        assert_empty(&table);
    }
}

/// Who is at a resource: so many readers, or -1 for one that writes.
type Present = HashMap<&'static str, std::sync::Mutex<i32>>;

fn enter(present: &Present, wants: &[(&'static str, Access)]) {
    for (key, access) in wants {
        let mut at = present[key].lock().unwrap();
        match access {
            Read => assert!(*at >= 0, "a reader beside a writer"),
            Write => assert_eq!(*at, 0, "a writer that is not alone"),
        }
        *at += if *access == Read { 1 } else { -1 };
    }
}

fn leave(present: &Present, wants: &[(&'static str, Access)]) {
    for (key, access) in wants {
        *present[key].lock().unwrap() -= if *access == Read { 1 } else { -1 };
    }
}

/// Threads that ask, hold, go before they were granted, and break.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_nobody_meets_whom_it_must_not_and_everyone_comes_to_an_end() {
    let table = Table::new();
    let present: Arc<Present> =
        Arc::new(KEYS.iter().map(|key| (*key, std::sync::Mutex::new(0))).collect());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (table, present) = (table.clone(), Arc::clone(&present));
        tasks.spawn(async move {
            for _ in 0..200 {
                let mut keys = KEYS;
                fastrand::shuffle(&mut keys);
                let wants: Wants = keys[..fastrand::usize(1..4)]
                    .iter()
                    .map(|key| (*key, if fastrand::bool() { Read } else { Write }))
                    .collect();
                let guard = match ask(&table, "call", &wants) {
                    Asked::Granted(guard) => guard,
                    Asked::Waiting(wait) if fastrand::u8(0..4) == 0 => {
                        // Goes at once, or as soon as anything happens.
                        tokio::select! {
                            biased;
                            () = tokio::task::yield_now() => continue,
                            guard = wait => guard,
                        }
                    }
                    Asked::Waiting(wait) => wait.await,
                    Asked::Full => panic!("it is not full"),
                };
                enter(&present, &wants);
                tokio::task::yield_now().await;
                leave(&present, &wants);
                drop(guard);
            }
        });
    }
    let all = async {
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("somebody waits for ever");
    assert_empty(&table);
}
