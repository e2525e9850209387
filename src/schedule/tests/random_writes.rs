//! Random turns of reads and writes: what is shared is never from before a write.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// One call: a read of one of two inputs or a write, and who it waits for.
type Planned = (Option<u8>, Vec<usize>);

fn turns() -> impl Strategy<Value = (Vec<Planned>, Vec<Planned>, u64)> {
    let turn = || {
        (1usize..10).prop_flat_map(|calls| {
            let call = |call: usize| {
                let parents = proptest::collection::vec(0..call.max(1), 0..=call.min(2));
                (prop_oneof![3 => (0u8..2).prop_map(Some), 1 => Just(None)], parents)
            };
            (0..calls).map(call).collect::<Vec<_>>()
        })
    };
    (turn(), turn(), 0u64..100)
}

/// What a call came to: its turn and place in it, what it asked for, when it was
/// ready, when it ended, and the attempt that answered it.
#[derive(Clone, Debug)]
struct Came {
    place: (usize, usize),
    asked: Option<u8>,
    parents: Vec<usize>,
    ready: clock::Instant,
    ended: clock::Instant,
    run: usize,
}

fn came(turn: usize, planned: &[Planned], sent: clock::Instant, events: &[Event]) -> Vec<Came> {
    let Some(Event::BatchFinished(finished)) = events.last() else { panic!("{events:?}") };
    let mut all: Vec<Came> = Vec::new();
    for (call, (asked, parents)) in planned.iter().enumerate() {
        let result = &finished.results[call];
        let timings = result.timings;
        let ended = sent + timings.blocked + timings.queued + timings.running;
        let ready = parents.iter().map(|parent| all[*parent].ended).max().unwrap_or(sent);
        let [Content::Json(run)] = &result.content[..] else { panic!("{result:?}") };
        let run = run.as_str().parse().unwrap();
        let (parents, place) = (parents.clone(), (turn, call));
        all.push(Came { place, asked: *asked, parents, ready, ended, run });
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Two turns at once, of reads and writes. Whatever is shared, each read has
    /// the answer of an attempt for the same input that began after every write
    /// that was over when it was ready, with no write between the two in its turn.
    #[test]
    fn no_read_gets_an_answer_from_before_a_write_that_was_over((one, two, later) in turns()) {
        clock::paused(async {
            let world = world(&[("get", Script::Counts(37)), ("do_it", Script::Counts(23))]);
            let turn = |planned: &[Planned]| {
                let mut calls: Vec<Call> = Vec::new();
                for (asked, parents) in planned {
                    let mut call = match asked {
                        Some(id) => call("get", &format!(r#"{{"id":{id}}}"#)),
                        None => call("do_it", "{}"),
                    };
                    call.depends_on = parents.iter().map(|parent| calls[*parent].id.to_string()).collect();
                    calls.push(call);
                }
                submission(calls)
            };
            let sent_one = clock::now();
            let running = world.scheduler.submit(turn(&one)).unwrap();
            let first = world.drain.spawn(collect(running));
            tokio::time::sleep(MS(later)).await;
            let sent_two = clock::now();
            let second = collect(world.scheduler.submit(turn(&two)).unwrap()).await;
            let first = first.await.unwrap();

            let mut all = came(0, &one, sent_one, &first);
            all.extend(came(1, &two, sent_two, &second));
            let starts = world.seen.starts.lock().unwrap().clone();
            let inputs = world.seen.inputs.lock().unwrap().clone();
            for read in all.iter().filter(|call| call.asked.is_some()) {
                let (tool, input) = &inputs[read.run];
                let asked = format!(r#"{{"id":{}}}"#, read.asked.unwrap());
                assert_eq!((tool.as_str(), input), ("get", &asked));
                for write in all.iter().filter(|call| call.asked.is_none()) {
                    let same_turn = write.place.0 == read.place.0;
                    if write.ended < read.ready || same_turn && read.parents.contains(&write.place.1) {
                        assert!(starts[read.run] >= write.ended, "{read:?} and {write:?}");
                    }
                }
                let mine = |call: &&Came| call.place.0 == read.place.0;
                let with = all.iter().filter(mine).filter(|call| call.run == read.run);
                for other in with {
                    let (from, to) = (other.place.1.min(read.place.1), other.place.1.max(read.place.1));
                    let between = all.iter().filter(mine).filter(|call| (from..to).contains(&call.place.1));
                    assert!(between.clone().all(|call| call.asked.is_some()), "{read:?} and {other:?}");
                }
            }
            // Where nobody writes each input is asked for once a turn.
            if all.iter().all(|call| call.asked.is_some()) {
                for (turn, planned) in [&one, &two].into_iter().enumerate() {
                    let inputs: BTreeSet<_> = planned.iter().map(|call| call.0).collect();
                    let runs: BTreeSet<_> =
                        all.iter().filter(|call| call.place.0 == turn).map(|call| call.run).collect();
                    assert_eq!(runs.len(), inputs.len());
                }
            }
        });
    }
}
