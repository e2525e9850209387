//! Random turns whose keys are known at once or come from results.

use super::*;

/// Who is at a resource: so many that read, or -1 for one that writes.
type Present = Arc<Mutex<BTreeMap<String, i32>>>;

/// Fails where it meets whom it must not, and notes who came.
#[derive(Debug)]
struct Careful {
    access: Access,
    present: Present,
    came: Arc<Mutex<Vec<(String, u64, u64)>>>,
}

impl Backend for Careful {
    fn attempt(&self, attempt: Attempt) -> backend::Pending {
        let input = attempt.input.value().clone();
        let key = input["id"].to_string();
        let of = |field: &str| input[field].as_u64().unwrap();
        let (turn, place, takes) = (of("turn"), of("place"), of("takes"));
        self.came.lock().unwrap().push((key.clone(), turn, place));
        let (step, present) = (if self.access == Read { 1 } else { -1 }, Arc::clone(&self.present));
        Box::pin(async move {
            {
                let mut present = present.lock().unwrap();
                let at = present.entry(key.clone()).or_default();
                assert!(if step == 1 { *at >= 0 } else { *at == 0 }, "it met whom it must not");
                *at += step;
            }
            tokio::time::sleep(MS(takes)).await;
            *present.lock().unwrap().get_mut(&key).unwrap() -= step;
            Ok(Reply::new(Vec::new()))
        })
    }
}

/// Whether it writes, which order, whether a result brings that, and for how long.
type Touch = (bool, u64, Option<usize>, u64);

/// When a turn comes, how long its lookups take, and what its other calls touch.
type Turn = (u64, [u64; 2], Vec<Touch>);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let touch = (any::<bool>(), 0u64..3, prop::option::of(0usize..2), 1u64..40);
    let turn = (0u64..30, [0u64..60, 0u64..60], prop::collection::vec(touch, 1..7));
    prop::collection::vec(turn, 1..5)
}

/// Two lookups that bring orders 0 and 1, then what touches orders.
fn submission_of(turn: usize, (_, _, touches): &Turn) -> Submission {
    let lookups = ["get_0", "get_1"].map(|tool| call(tool, "{}"));
    let touches = touches.iter().enumerate().map(|(place, (writes, id, brought, takes))| {
        let id = match brought {
            Some(lookup) => format!("\"${{get_{lookup}.id}}\""),
            None => id.to_string(),
        };
        let tool = if *writes { "write" } else { "read" };
        let input =
            format!(r#"{{"id": {id}, "turn": {turn}, "place": {place}, "takes": {takes}}}"#);
        call(tool, &input)
    });
    submission(lookups.into_iter().chain(touches).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a key comes from: nobody meets whom it must not, and of one turn
    /// those that stand against each other come in block order.
    #[test]
    fn keys_that_results_bring_keep_calls_apart_and_in_block_order(turns in turns()) {
        clock::paused(async {
            let (present, came) = (Present::default(), Arc::default());
            let mut tools = Vec::new();
            for (name, access) in [("read", Read), ("write", Write)] {
                let mut settings = tool_settings(name);
                let key = vec![Pattern::try_new("order/{id}").unwrap()];
                settings.claims = match access {
                    Read => Claims::new(key, Vec::new()),
                    Write => Claims::new(Vec::new(), key),
                };
                let backend = Careful { access, present: Arc::clone(&present), came: Arc::clone(&came) };
                // Of reads, too, each runs: none is shared.
                tools.push(Tool::new(settings, Effect::AtMostOnce, Arc::new(backend)));
            }
            // How long a lookup takes is the first turn's to say.
            let takes = turns[0].1;
            for (name, json, ms) in [
                ("get_0", r#"{"id": 0}"#, takes[0]),
                ("get_1", r#"{"id": 1}"#, takes[1]),
            ] {
                let script = Script::Answers(ms, json);
                let backend = Scripted { name, script, seen: Arc::default() };
                tools.push(Tool::new(tool_settings(name), Effect::ReadOnly, Arc::new(backend)));
            }
            let drain = Drain::new();
            let scheduler = Scheduler::new(Arc::new(Registry::new(tools)), settings(), drain.clone());
            let mut running = Vec::new();
            for (number, turn) in turns.iter().enumerate() {
                tokio::time::sleep(MS(turn.0)).await;
                let submission = submission_of(number, turn);
                running.push(drain.spawn(results(scheduler.submit(submission).unwrap())));
            }
            for results in running {
                for result in results.await.unwrap() {
                    assert_eq!(result.outcome, Outcome::Succeeded, "{result:?} {turns:?}");
                }
            }
            assert_eq!(scheduler.shared.locks.status(1, clock::now(), |_| true), Status::default());
            check_order(&came.lock().unwrap(), &turns);
        });
    }
}

fn check_order(came: &[(String, u64, u64)], turns: &[Turn]) {
    for (at, (key, turn, place)) in came.iter().enumerate() {
        let touches = &turns[usize::try_from(*turn).unwrap()].2;
        let writes = |place: &u64| touches[usize::try_from(*place).unwrap()].0;
        let earlier = came[..at].iter().filter(|(other, of, _)| (other, of) == (key, turn));
        for (_, _, before) in earlier.filter(|(_, _, before)| writes(place) || writes(before)) {
            assert!(before < place, "{before} came before {place} to {key}: {turns:?}");
        }
    }
}
