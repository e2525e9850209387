//! What holds whatever the limits are changed to, and when.

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use proptest::prelude::*;

use super::*;

/// The rates that an API may come to have; `None` where it is gone.
const RATES: [Option<&str>; 6] = [
    Some("1/s"),
    Some("5/s burst 3"),
    Some("10/s burst 20"),
    Some("300/min burst 2"),
    Some("2/s burst 50"),
    None,
];

/// A grant and the limits that held.
struct Granted {
    at: Instant,
    under: usize,
}

/// In every window no more was granted than the burst at its beginning and what
/// each of the rates earned in it.
#[track_caller]
fn assert_within(granted: &[Granted], limits: &[(Instant, Rate)]) {
    for (first, from) in granted.iter().enumerate() {
        for (last, to) in granted.iter().enumerate().skip(first) {
            let earned: f64 = (from.under..=to.under)
                .map(|at| {
                    let began = limits[at].0.max(from.at);
                    let ended = limits.get(at + 1).map_or(to.at, |next| next.0.min(to.at));
                    let period = limits[at].1.period().as_secs_f64();
                    ended.saturating_duration_since(began).as_secs_f64() / period
                })
                .sum();
            let allowed = f64::from(limits[from.under].1.burst().get()) + earned + 1e-6;
            let came = (last - first + 1) as f64;
            assert!(came <= allowed, "{came} in {:?}, of {allowed}", to.at - from.at);
        }
    }
}

/// What a run of the property has seen.
struct Seen {
    limits: Vec<(Instant, Rate)>,
    granted: Vec<Granted>,
    waits: FuturesUnordered<Wait>,
}

impl Seen {
    fn grant(&mut self) {
        self.granted.push(Granted { at: clock::now(), under: self.limits.len() - 1 });
    }

    /// Takes in what is granted until then, each at its time.
    async fn until(&mut self, until: Instant) {
        loop {
            tokio::select! {
                biased;
                Some(permit) = self.waits.next() => {
                    drop(permit.unwrap());
                    self.grant();
                }
                () = tokio::time::sleep_until(until) => break,
            }
        }
        // Whoever keeps time may be woken after us.
        tokio::task::yield_now().await;
        while let Some(Some(permit)) = self.waits.next().now_or_never() {
            drop(permit.unwrap());
            self.grant();
        }
    }
}

proptest! {
    /// However often the rate changes, and whether the API is gone for a while.
    #[test]
    fn no_change_gives_more_than_the_rates_do_and_no_waiter_is_lost(
        steps in proptest::collection::vec((0u8..6, 0usize..RATES.len(), 0u64..2_000), 1..80),
    ) {
        clock::paused(async {
            let of = |rate: &str| settings(vec![rated("crm", rate, Per::Api)]);
            let gate = Gate::new(of("1/s"), Drain::new());
            let batch = open(&gate, "s");
            let limits = vec![(clock::now(), Rate::try_new("1/s").unwrap())];
            let mut seen = Seen { limits, granted: Vec::new(), waits: FuturesUnordered::new() };
            let mut asked = 0;
            for (step, which, pause) in steps {
                match step {
                    0..=2 => for _ in 0..=which {
                        asked += 1;
                        match ask(&batch, "crm") {
                            Asked::Granted(_) => seen.grant(),
                            Asked::Waiting(wait) => seen.waits.push(wait),
                            Asked::Refused(refused) => panic!("{refused:?}"),
                        }
                    },
                    3 => match RATES[which] {
                        Some(rate) => {
                            seen.limits.push((clock::now(), Rate::try_new(rate).unwrap()));
                            gate.reconfigure(of(rate));
                        }
                        None => gate.reconfigure(settings(vec![])),
                    },
                    _ => seen.until(clock::now() + MS(pause)).await,
                }
                seen.until(clock::now()).await;
                gate.lock().check_invariants();
            }
            while !seen.waits.is_empty() {
                seen.until(clock::now() + S(1)).await;
            }
            assert_within(&seen.granted, &seen.limits);
            assert_eq!(seen.granted.len(), asked);
            assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
        });
    }

    /// Every limit there is, in any order, with calls in flight and waiting: nobody
    /// waits who could run, nothing is counted twice, and in the end all is free.
    #[test]
    fn whatever_changes_nobody_waits_who_could_run(
        steps in proptest::collection::vec((0u8..9, 0usize..6, 0usize..6, 0u64..900), 1..200),
    ) {
        clock::paused(async {
            let gate = Gate::new(any_settings(0, 0), Drain::new());
            let mut batches: Vec<_> = (0..4).map(|of| open(&gate, ["a", "b", "c"][of % 3])).collect();
            let mut held: Vec<Permit> = Vec::new();
            let mut waits: Vec<Wait> = Vec::new();
            for (step, which, how, pause) in steps {
                match step {
                    0..=3 => {
                        let (api, tool) = [("crm", "a"), ("crm", "b"), ("erp", "c")][how % 3];
                        let (api, tool) = (name(api), super::tool(tool));
                        match batches[which % 4].ask(request(&api, &tool)) {
                            Asked::Granted(permit) => held.push(permit),
                            Asked::Waiting(wait) => waits.push(wait),
                            Asked::Refused(refused) => panic!("{refused:?}"),
                        }
                    }
                    4 if !held.is_empty() => drop(held.remove((which + how) % held.len())),
                    5 if !waits.is_empty() => drop(waits.remove((which + how) % waits.len())),
                    6 => batches[which % 4] = open(&gate, ["a", "b", "c"][how % 3]),
                    7 => gate.reconfigure(any_settings(which, how)),
                    _ => tokio::time::sleep(MS(pause)).await,
                }
                tokio::task::yield_now().await;
                waits.retain_mut(|wait| poll(wait).map(|permit| held.push(permit)).is_none());
                assert_eq!(gate.in_flight(), held.len());
                gate.lock().check_invariants_but_for_tokens();
            }
            for _ in 0..400 {
                held.clear();
                tokio::time::sleep(S(1)).await;
                waits.retain_mut(|wait| poll(wait).map(|permit| held.push(permit)).is_none());
            }
            assert_eq!((gate.in_flight(), gate.waiting(), waits.len()), (0, 0, 0));
            drop(batches);
            assert_eq!(gate.lock().open_sessions(), 0);
        });
    }
}

/// Other settings for each two numbers: with and without each API and tool.
fn any_settings(which: usize, how: usize) -> Settings {
    let mut crm = Api { concurrency: [Some(nz(3)), Some(nz(1)), None][how % 3], ..api("crm") };
    let rates =
        [("9/s burst 8", Per::Api), ("4/s burst 6", Per::Session), ("2/s burst 3", Per::Api)];
    crm.rates =
        rates[..which % 4].iter().map(|(rate, of)| (Rate::try_new(rate).unwrap(), *of)).collect();
    let apis = [Some(crm), how.is_multiple_of(2).then(|| capped("erp", 1 + which % 2))];
    let tools =
        [(which < 4).then(|| (tool("a"), nz(1 + how % 2))), (how > 2).then(|| (tool("b"), nz(1)))];
    Settings {
        process: nz(2 + how),
        session: nz(1 + which),
        batch: nz(4 - how % 3),
        apis: apis.into_iter().flatten().filter(|_| which != 5).collect(),
        tools: tools.into_iter().flatten().collect(),
    }
}
