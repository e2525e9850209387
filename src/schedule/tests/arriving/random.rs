//! Random turns that come in random pieces.

use proptest::{collection::vec, prelude::*};

use super::*;

/// A call: its tool, whom it reads of all calls by position, how long before its
/// input goes on, and where that is cut.
type Said = (usize, Option<usize>, u64, usize);

const TOOLS: [(&str, Script); 5] = [
    ("get", Script::Answers(30, r#"{"x":1}"#)),
    ("slow", Script::Answers(300, r#"{"x":1}"#)),
    ("bad", Script::Fails(20)),
    ("do_it", Script::Answers(30, r#"{"x":1}"#)),
    ("key_it", Script::Answers(200, r#"{"x":1}"#)),
];

fn said() -> impl Strategy<Value = Vec<Said>> {
    vec((0..TOOLS.len(), prop::option::of(0..10_usize), 0..200_u64, 0..30_usize), 1..8)
}

fn inputs(turn: &[Said]) -> Vec<String> {
    let input = |(n, (_, reads, ..)): (usize, &Said)| match reads {
        Some(place) => format!(r#"{{"n":{n},"v":"${{{}.x}}"}}"#, place + 1),
        None => format!(r#"{{"n":{n}}}"#),
    };
    turn.iter().enumerate().map(input).collect()
}

fn codes(told: &Told) -> Vec<(Outcome, Option<FailureCode>)> {
    let code = |result: &Arc<CallResult>| {
        (result.outcome, result.failure.as_ref().map(|failure| failure.code))
    };
    told.results.iter().map(code).collect()
}

/// How often a tool was called that may change something.
fn writes(world: &World) -> usize {
    world.sent().iter().filter(|tool| tool.contains('_')).count()
}

/// Steps as no provider would send them.
fn steps() -> impl Strategy<Value = Vec<(u8, usize, u64)>> {
    vec((0..12_u8, 0..6_usize, 0..100_u64), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_turn_comes_to_the_same_whether_it_comes_at_once_or_bit_by_bit(turn in said()) {
        clock::paused(async {
            let inputs = inputs(&turn);
            let world = world(&TOOLS);
            let at_once = submission(
                turn.iter().zip(&inputs).map(|((tool, ..), input)| call(TOOLS[*tool].0, input)).collect(),
            );
            let whole = world.run(at_once).await;

            let (before, began) = (writes(&world), clock::now());
            let (mut pen, running) = world.open();
            for ((tool, _, wait, cut), input) in turn.iter().zip(&inputs) {
                let (head, tail) = input.split_at(*cut.min(&input.len()));
                let index = pen.begin(TOOLS[*tool].0, head).await;
                tokio::time::sleep(MS(*wait)).await;
                pen.say(Arrival::Fragment { index, text: tail.to_owned() }).await;
                pen.end(index).await;
            }
            settle().await;
            assert_eq!(writes(&world), before, "no write before the commit");
            pen.commit().await;
            let written = clock::now() - began;
            let told = world.told(running).await;
            assert_eq!(codes(&told), codes(&whole));
            // It never takes longer than to wait for the turn and run it then.
            assert!(clock::now() - began <= written + whole.finished.duration);
        });
    }

    #[test]
    fn whatever_steps_come_every_call_has_one_end(steps in steps(), seconds in prop::option::of(1..3_u64)) {
        clock::paused(async {
            let world = world(&TOOLS);
            let deadline = seconds.map(|seconds| clock::now() + Duration::from_secs(seconds));
            let (mut pen, running) = world.open_with(Submission { deadline, ..submission(Vec::new()) }).unwrap();
            let told = async {
                let events = collect(running).await;
                let mut ends = std::collections::BTreeSet::new();
                for event in &events {
                    if let Event::Finished(result) = event {
                        assert!(ends.insert(result.index), "{} ended twice", result.index);
                    }
                }
                assert!(ends.iter().copied().eq(0..ends.len()));
                assert!(matches!(events.last(), Some(Event::BatchFinished(_) | Event::BrokenOff(_))));
            };
            let writer = async move {
                for (what, index, wait) in steps {
                    match what {
                        0..=2 => drop(pen.begin(TOOLS[index % 5].0, r#"{"v":"${2.x}"#).await),
                        3 => drop(pen.write(TOOLS[index % 5].0, r#"{"v":"at ${nobody} and ${1}"}"#).await),
                        4..=5 => pen.say(Arrival::Fragment { index, text: "\"}".into() }).await,
                        6..=8 => pen.end(index).await,
                        9 => tokio::time::sleep(MS(wait)).await,
                        10 if wait < 20 => pen.say(Arrival::Committed).await,
                        11 if wait < 10 => pen.say(Arrival::Broken(Refusal::Invalid(Vec::new()))).await,
                        _ => {}
                    }
                }
            };
            tokio::join!(told, writer);
            assert_eq!(world.scheduler.batches_open(), 0);
            assert_eq!(world.scheduler.shared.terms().admission.status().1.used, 0);
        });
    }
}
