//! Random turns against what must come of them, found the slow way.

use proptest::prelude::*;

use super::*;

/// One call: its parents, how long it takes, and whether it succeeds.
type Planned = (Vec<usize>, u64, bool);

fn turns() -> impl Strategy<Value = Vec<Planned>> {
    (1usize..14).prop_flat_map(|calls| {
        (0..calls)
            .map(|call| {
                let parents = proptest::collection::vec(0..call.max(1), 0..=call.min(3));
                (parents, 1u64..500, prop::bool::weighted(0.85))
            })
            .collect::<Vec<_>>()
    })
}

/// When each call ends, in milliseconds, and how.
fn oracle(turn: &[Planned]) -> Vec<(u64, Outcome)> {
    let mut ends: Vec<(u64, Outcome)> = Vec::new();
    for (parents, takes, succeeds) in turn {
        let failed = parents.iter().filter(|parent| ends[**parent].1 != Outcome::Succeeded);
        ends.push(match failed.map(|parent| ends[*parent].0).min() {
            // Skipped as soon as the first of those that it needs has failed.
            Some(first) => (first, Outcome::Skipped),
            None => {
                let ready = parents.iter().map(|parent| ends[*parent].0).max().unwrap_or(0);
                let outcome = if *succeeds { Outcome::Succeeded } else { Outcome::Failed };
                (ready + takes, outcome)
            }
        });
    }
    ends
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_turn_takes_as_long_as_its_longest_chain_and_ends_as_it_must(turn in turns()) {
        clock::paused(async {
            let names: Vec<&'static str> =
                (0..turn.len()).map(|n| &*Box::leak(format!("t{n}").into_boxed_str())).collect();
            let scripts: Vec<_> = names
                .iter()
                .zip(&turn)
                .map(|(name, (_, takes, succeeds))| {
                    (*name, if *succeeds { Script::Answers(*takes, "{}") } else { Script::Fails(*takes) })
                })
                .collect();
            let world = world(&scripts);
            let calls = names
                .iter()
                .zip(&turn)
                .map(|(name, (parents, ..))| {
                    let mut call = call(name, "{}");
                    call.depends_on = parents.iter().map(|parent| names[*parent].to_owned()).collect();
                    call
                })
                .collect();
            let told = world.run(submission(calls)).await;

            let ends = oracle(&turn);
            let expected: Vec<_> = ends.iter().map(|(_, outcome)| *outcome).collect();
            assert_eq!(told.outcomes(), expected);
            let last = ends.iter().map(|(end, _)| *end).max().unwrap();
            assert_eq!(told.finished.duration, MS(last));
            for (result, (parents, takes, _)) in told.results.iter().zip(&turn) {
                let ready = parents.iter().map(|parent| ends[*parent].0).max().unwrap_or(0);
                if result.outcome != Outcome::Skipped {
                    assert_eq!(result.timings.blocked, MS(ready));
                    assert_eq!(result.timings.running, MS(*takes));
                }
            }
        });
    }
}
