//! A pod on this machine: `sidecall serve` and a real agent as processes, started,
//! probed, killed, replaced and ended in a kubelet's order. However that goes, each
//! call has one typed result, and the API's own ledger knows no effect twice.
//!
//! Each scenario runs [`ITERATIONS`] times, each time with its own seed, from which
//! all of its moments come: `SIDECALL_PODS` says how often, `SIDECALL_PODS_SEED`
//! which seed is the first. `make chaos` runs each 100 times.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
};

use fastrand::Rng;
use sidecall::{
    clock,
    config::env::{Environment, Process, Variable},
};

use crate::{place::Place, verdict::Tally};

mod certificates;
mod crashes;
mod endings;
mod health;
mod kubelet;
mod place;
mod pod;
mod rollouts;
mod support;
mod verdict;

/// How often a scenario runs unless told otherwise.
const ITERATIONS: u64 = 5;

/// A number of the environment.
fn number(name: &str) -> Option<u64> {
    match Process.variable(name) {
        Variable::Set(text) => Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text:?}"))),
        _ => None,
    }
}

/// Runs a scenario as often as asked for; gives the sum of what became of the turns.
/// What it says, and which seed to give for the same moments again, is shown where it
/// fails or nothing is captured.
async fn often(scenario: &str, run: impl AsyncFn(&mut Rng, &Place) -> Tally) -> Tally {
    let first = number("SIDECALL_PODS_SEED").unwrap_or(0);
    let times = number("SIDECALL_PODS").unwrap_or(ITERATIONS);
    let mut sum = Tally::default();
    for seed in first..first + times {
        let mut hasher = DefaultHasher::new();
        (scenario, seed).hash(&mut hasher);
        let Some(place) = Place::new(seed).await else { return sum };
        say(&format!("{scenario}: SIDECALL_PODS_SEED={seed} SIDECALL_PODS=1"));
        let began = clock::now();
        let tally = run(&mut Rng::with_seed(hasher.finish()), &place).await;
        say(&format!("{scenario}: {:.1?}, {tally:?}", began.elapsed()));
        assert!(tally.succeeded > 0 && tally.effects > 0, "nothing ran: {tally:?}");
        sum.add(&tally);
    }
    say(&format!("{scenario}: {times} times, {sum:?}"));
    sum
}

/// Turns were under way when the sidecar died: in one iteration all may have ended a
/// moment before, but not each time.
fn assert_interrupted(sum: &Tally) {
    let is_shown = sum.interrupted > 0 || number("SIDECALL_PODS").is_some_and(|times| times < 5);
    // A plain `cargo test` has no tools, and no turns.
    assert!(is_shown || sum.turns == 0, "no turn was under way: {sum:?}");
}

#[expect(clippy::print_stdout, reason = "the harness shows it with the test that failed")]
fn say(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}
