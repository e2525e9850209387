use proptest::prelude::*;
use tokio::time::advance;

use super::*;
use crate::clock;

const S: fn(u64) -> Duration = Duration::from_secs;
const MS: fn(u64) -> Duration = Duration::from_millis;

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn breaker(change: impl FnOnce(&mut Settings)) -> Breaker {
    let mut settings = Settings::default();
    change(&mut settings);
    Breaker::new(settings)
}

impl Breaker {
    /// An attempt from its beginning to its end.
    fn attempt(&mut self, verdict: Verdict) -> Option<Change> {
        let now = clock::now();
        assert_eq!(self.entry(now), Entry::Free);
        let ticket = self.begin(now);
        let change = self.record(ticket, verdict, now);
        self.end(ticket);
        change
    }

    fn fail(&mut self, times: u32) -> Option<Change> {
        (0..times).map(|_| self.attempt(Verdict::Fails)).last().flatten()
    }
}

fn barred(after: Duration, cause: Cause) -> Entry {
    Entry::Barred(Barred { after, cause })
}

#[tokio::test(start_paused = true)]
async fn ten_failures_in_a_row_open_it_and_a_success_between_does_not_count() {
    let mut breaker = breaker(|_| {});
    assert_eq!(breaker.fail(9), None);
    assert_eq!(breaker.attempt(Verdict::Works), None);
    assert_eq!(breaker.fail(9), None);
    let opened = Barred { after: S(5), cause: Cause::InARow(10) };
    assert_eq!(breaker.fail(1), Some(Change::Opened(opened)));
    advance(S(2)).await;
    assert_eq!(breaker.entry(clock::now()), barred(S(3), Cause::InARow(10)));
}

#[tokio::test(start_paused = true)]
async fn one_probe_goes_when_its_time_is_over_and_closes_it() {
    let mut breaker = breaker(|_| {});
    breaker.fail(10);
    advance(MS(4999)).await;
    assert_eq!(breaker.entry(clock::now()), barred(MS(1), Cause::InARow(10)));
    advance(MS(1)).await;
    let now = clock::now();
    assert_eq!(breaker.entry(now), Entry::Free);
    let probe = breaker.begin(now);
    assert_eq!(breaker.entry(now), Entry::Probing);
    advance(S(100)).await;
    assert_eq!(breaker.entry(clock::now()), Entry::Probing, "it waits as long as the probe takes");
    assert_eq!(breaker.record(probe, Verdict::Works, clock::now()), Some(Change::Closed));
    breaker.end(probe);
    assert_eq!(breaker.fail(9), None, "it begins anew");
}

#[tokio::test(start_paused = true)]
async fn each_probe_that_fails_doubles_the_time_up_to_the_most() {
    let mut breaker = breaker(|settings| settings.open_max = S(30));
    let mut change = breaker.fail(10);
    for after in [5, 10, 20, 30, 30] {
        let opened = Barred { after: S(after), cause: Cause::InARow(10) };
        assert_eq!(change, Some(Change::Opened(opened)));
        advance(S(after) - MS(1)).await;
        assert!(matches!(breaker.entry(clock::now()), Entry::Barred(_)));
        advance(MS(1)).await;
        change = breaker.attempt(Verdict::Fails);
    }
    advance(S(30)).await;
    assert_eq!(breaker.attempt(Verdict::Works), Some(Change::Closed));
    let opened = Barred { after: S(5), cause: Cause::InARow(10) };
    assert_eq!(breaker.fail(10), Some(Change::Opened(opened)), "the time is short again");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_ends_without_a_verdict_gives_its_place_back_and_decides_nothing() {
    let mut breaker = breaker(|_| {});
    breaker.fail(10);
    advance(S(5)).await;
    for _ in 0..3 {
        let now = clock::now();
        assert_eq!(breaker.entry(now), Entry::Free);
        let probe = breaker.begin(now);
        assert_eq!(breaker.entry(now), Entry::Probing);
        breaker.end(probe);
    }
    assert_eq!(breaker.attempt(Verdict::Works), Some(Change::Closed));
}

#[tokio::test(start_paused = true)]
async fn all_of_several_probes_must_succeed_and_one_that_fails_opens_it() {
    let mut breaker = breaker(|settings| settings.probes = nz(3));
    breaker.fail(10);
    advance(S(5)).await;
    let now = clock::now();
    let [one, two, three] = [0; 3].map(|_| {
        assert_eq!(breaker.entry(now), Entry::Free);
        breaker.begin(now)
    });
    assert_eq!(breaker.entry(now), Entry::Probing);
    assert_eq!(breaker.record(one, Verdict::Works, now), None);
    breaker.end(one);
    assert_eq!(breaker.entry(now), Entry::Free, "as many as that at a time");
    assert_eq!(breaker.record(two, Verdict::Works, now), None);
    assert_eq!(breaker.record(three, Verdict::Works, now), Some(Change::Closed));

    breaker.fail(10);
    advance(S(5)).await;
    let now = clock::now();
    let [one, two] = [0; 2].map(|_| breaker.begin(now));
    assert_eq!(breaker.record(one, Verdict::Works, now), None);
    assert!(matches!(breaker.record(two, Verdict::Fails, now), Some(Change::Opened(_))));
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_it_opened_neither_closes_it_nor_keeps_it_open() {
    let mut breaker = breaker(|_| {});
    let now = clock::now();
    let [slow, slower, slowest] = [0; 3].map(|_| breaker.begin(now));
    breaker.fail(10);
    assert_eq!(breaker.record(slow, Verdict::Works, now), None);
    assert!(matches!(breaker.entry(now), Entry::Barred(_)));
    advance(S(5)).await;
    let now = clock::now();
    let probe = breaker.begin(now);
    assert_eq!(breaker.record(slower, Verdict::Fails, now), None);
    breaker.end(slower);
    assert_eq!(breaker.entry(now), Entry::Probing, "the probe's place is not given away");
    assert_eq!(breaker.record(probe, Verdict::Works, now), Some(Change::Closed));
    assert_eq!(breaker.record(slowest, Verdict::Fails, now), None);
    assert_eq!(breaker.status(now).failures_in_a_row, 0);
}

fn rated(breaker: &mut Settings) {
    breaker.failures = nz(1000);
    breaker.rate = Some(FailureRate { percent: nz(50), calls: nz(20), window: S(10) });
}

#[tokio::test(start_paused = true)]
async fn a_rate_of_failures_opens_it_once_there_are_enough_calls() {
    let mut breaker = breaker(rated);
    for _ in 0..9 {
        assert_eq!(breaker.attempt(Verdict::Works), None);
        assert_eq!(breaker.attempt(Verdict::Fails), None, "there are not 20 calls yet");
    }
    assert_eq!(breaker.attempt(Verdict::Works), None);
    let cause = Cause::Rate { failed: 10, of: 20, within: S(10) };
    let opened = Barred { after: S(5), cause };
    assert_eq!(breaker.attempt(Verdict::Fails), Some(Change::Opened(opened)));
    assert_eq!(cause.to_string(), "10 of its 20 calls in 10s failed");
    advance(S(5)).await;
    assert_eq!(breaker.attempt(Verdict::Works), Some(Change::Closed));
    assert_eq!(breaker.status(clock::now()).window, Some((0, 0)), "it begins anew");
}

#[tokio::test(start_paused = true)]
async fn failures_that_are_too_few_or_too_long_ago_do_not_open_it() {
    let mut breaker = breaker(rated);
    breaker.fail(19);
    advance(S(10)).await;
    assert_eq!(breaker.fail(19), None, "the first nineteen are forgotten");
    assert_eq!(breaker.status(clock::now()).window, Some((19, 19)));
    // Half of them must fail, and a success never opens it.
    for _ in 0..20 {
        assert_eq!(breaker.attempt(Verdict::Works), None);
    }
    assert_eq!(
        breaker.attempt(Verdict::Fails),
        Some(Change::Opened(Barred {
            after: S(5),
            cause: Cause::Rate { failed: 20, of: 40, within: S(10) },
        }))
    );
}

#[tokio::test(start_paused = true)]
async fn its_status_says_what_it_is_and_why() {
    let mut breaker = breaker(|_| {});
    breaker.fail(3);
    let status = breaker.status(clock::now());
    assert_eq!((status.state, status.failures_in_a_row), (State::Closed, 3));
    breaker.fail(7);
    advance(S(1)).await;
    let status = breaker.status(clock::now());
    let open = Barred { after: S(4), cause: Cause::InARow(10) };
    assert_eq!((status.state, status.opened), (State::Open(open), 1));
    advance(S(4)).await;
    let half_open = |probes| State::HalfOpen { probes, cause: Cause::InARow(10) };
    assert_eq!(breaker.status(clock::now()).state, half_open(0));
    breaker.begin(clock::now());
    assert_eq!(breaker.status(clock::now()).state, half_open(1));
}

proptest! {
    /// Random arrivals, verdicts and ends: never more probes than allowed, nobody
    /// is let through before its time, and what is begun without a verdict moves
    /// nothing.
    #[test]
    fn nobody_passes_who_may_not(
        probes in 1u32..4,
        failures in 1u32..5,
        steps in proptest::collection::vec((0u8..5, 0usize..8, 0u64..4000), 1..300),
    ) {
        clock::paused(async {
            let mut breaker = breaker(|settings| {
                settings.failures = nz(failures);
                settings.probes = nz(probes);
            });
            let mut out: Vec<Ticket> = Vec::new();
            let mut barred_until = None;
            for (step, which, pause) in steps {
                advance(MS(pause)).await;
                let now = clock::now();
                match step {
                    0 | 1 if breaker.entry(now) == Entry::Free => {
                        assert!(barred_until.is_none_or(|until| until <= now));
                        out.push(breaker.begin(now));
                    }
                    2 | 3 if !out.is_empty() => {
                        let ticket = out.remove(which % out.len());
                        let verdict = if step == 2 { Verdict::Works } else { Verdict::Fails };
                        match breaker.record(ticket, verdict, now) {
                            Some(Change::Opened(Barred { after, .. })) => {
                                assert_eq!(verdict, Verdict::Fails);
                                barred_until = Some(now + after);
                            }
                            Some(Change::Closed) => {
                                assert_eq!(verdict, Verdict::Works);
                                barred_until = None;
                            }
                            None => {}
                        }
                        breaker.end(ticket);
                    }
                    4 if !out.is_empty() => {
                        let before = breaker.status(now);
                        breaker.end(out.remove(which % out.len()));
                        let after = breaker.status(now);
                        assert_eq!(before.failures_in_a_row, after.failures_in_a_row);
                        assert_eq!(before.opened, after.opened);
                    }
                    _ => {}
                }
                if let State::HalfOpen { probes: under_way, .. } = breaker.status(now).state {
                    let known = out.iter().filter(|ticket| ticket.0 == breaker.number).count();
                    let is_open = matches!(breaker.phase, Phase::Open { .. });
                    assert_eq!(if is_open { 0 } else { known }, under_way as usize);
                    assert!(under_way <= probes);
                }
            }
        });
    }
}
