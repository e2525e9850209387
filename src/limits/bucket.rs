//! One token bucket: governor's GCRA, with a look before the leap.
//!
//! governor's own interface takes or refuses; a call that needs several buckets
//! must look at all before it takes from any, or a refusal by the second burns
//! the token of the first. governor's state store is open for that: the key
//! that a limiter hands to its store says here what is to become of the
//! decision.
//!
//! The theory: a bucket is one number, the *theoretical arrival time* at which
//! it will be full again (ITU-T I.371).

use std::{
    fmt,
    num::NonZeroU32,
    ops::Add,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::StateStore,
};

use super::Rate;
use crate::clock::{self, Instant};

/// A token bucket. Whoever owns it keeps others from it between a look and a
/// leap.
pub struct Bucket {
    limiter: RateLimiter<Intent, Cell, Tokio, NoOpMiddleware<At>>,
    rate: Rate,
}

/// More tokens than the bucket ever holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it costs {cost} tokens, and the bucket never holds more than {burst}")]
pub struct TooCostly {
    /// What was asked for.
    pub cost: NonZeroU32,
    /// What there is at most.
    pub burst: NonZeroU32,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate) -> Self {
        Self::lacking(rate, 0)
    }

    /// One that is full in so many nanoseconds.
    fn lacking(rate: Rate, nanos: u64) -> Self {
        // `with_period` refuses only a period of zero, and a rate has none.
        let quota = Quota::with_period(rate.period())
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
            .allow_burst(rate.burst());
        Self { limiter: RateLimiter::new(quota, Cell(AtomicU64::new(nanos)), Tokio), rate }
    }

    /// When so many tokens can be had, with nobody else taking any; `None` where
    /// at once.
    ///
    /// # Errors
    ///
    /// [`TooCostly`] where never.
    pub fn ready_at(&self, cost: NonZeroU32) -> Result<Option<Instant>, TooCostly> {
        match self.limiter.check_key_n(&Intent::Look, cost) {
            Ok(Ok(())) => Ok(None),
            Ok(Err(not_until)) => Ok(Some(not_until.earliest_possible().0)),
            Err(_) => Err(TooCostly { cost, burst: self.rate.burst() }),
        }
    }

    /// When the last of so many tokens can be had if they are taken one after
    /// the other, each as soon as it is there; there may be more than the bucket
    /// ever holds at once.
    pub fn drained_at(&self, tokens: u64, now: Instant) -> Instant {
        let burst = self.rate.burst();
        // The look for a full bucket is never refused for its size.
        let full_at = self.ready_at(burst).ok().flatten().unwrap_or(now).max(now);
        let period = self.rate.period();
        let nanos = |tokens: u64| {
            let nanos = period.as_nanos().saturating_mul(u128::from(tokens));
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        let burst = u64::from(burst.get());
        if tokens >= burst {
            full_at + nanos(tokens - burst)
        } else {
            full_at.checked_sub(nanos(burst - tokens)).map_or(full_at, |at| at.max(now))
        }
    }

    /// As much of a cost as the bucket ever holds. A call that began under other
    /// limits may cost more; it waits for a full bucket and empties it.
    pub fn affordable(&self, cost: NonZeroU32) -> NonZeroU32 {
        cost.min(self.rate.burst())
    }

    /// A bucket of another rate with this one's tokens, parts of one included, as
    /// far as it holds them: nothing is given by a change, so that in no window more
    /// is granted than the burst at its beginning and what the rates earned in it,
    /// however often they change.
    pub fn at_rate(&self, rate: Rate, now: Instant) -> Self {
        let full_at = self.ready_at(self.rate.burst()).ok().flatten().unwrap_or(now);
        let missing = full_at.saturating_duration_since(now).as_nanos();
        let (old, new) = (self.rate.period().as_nanos(), rate.period().as_nanos());
        let bursts = (u128::from(self.rate.burst().get()), u128::from(rate.burst().get()));
        // What it lacks to be full, in old nanoseconds; rounded up in new ones.
        let lacks = (bursts.1 * old + missing).saturating_sub(bursts.0 * old);
        let lacks = lacks.saturating_mul(new).div_ceil(old);
        Self::lacking(rate, u64::try_from(lacks).unwrap_or(u64::MAX))
    }

    /// Takes so many tokens where they are to be had at once.
    pub fn take(&self, cost: NonZeroU32) -> bool {
        matches!(self.limiter.check_key_n(&Intent::Take, cost), Ok(Ok(())))
    }

    /// Whole tokens that are to be had at once.
    pub fn level(&self) -> u32 {
        let (mut least, mut most) = (0, self.rate.burst().get());
        while least < most {
            let middle = least + (most - least).div_ceil(2);
            let is_there = NonZeroU32::new(middle).is_some_and(|cost| {
                matches!(self.limiter.check_key_n(&Intent::Look, cost), Ok(Ok(())))
            });
            if is_there { least = middle } else { most = middle - 1 }
        }
        least
    }

    /// When there is one token more than these; `None` where it holds no more.
    pub fn next_token(&self, tokens: u32) -> Option<Instant> {
        let more = tokens.checked_add(1).filter(|more| *more <= self.rate.burst().get());
        let more = more.and_then(NonZeroU32::new)?;
        Some(self.ready_at(more).ok()?.unwrap_or_else(clock::now))
    }

    /// Its rate.
    pub fn rate(&self) -> Rate {
        self.rate
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.rate)
    }
}

/// What is to become of the limiter's decision.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Intent {
    /// Nothing: it was only asked.
    Look,
    /// It is stored.
    Take,
}

/// The theoretical arrival time, in nanoseconds since the limiter's start; 0
/// before anything was taken.
#[derive(Debug, Default)]
struct Cell(AtomicU64);

impl StateStore for Cell {
    type Key = Intent;

    fn measure_and_replace<T, F, E>(&self, intent: &Intent, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // Relaxed and without a loop: the owner's lock orders everything.
        let old = match self.0.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Nanos::new(nanos)),
        };
        let (outcome, new) = decide(old)?;
        if matches!(intent, Intent::Take) {
            self.0.store(new.as_u64(), Ordering::Relaxed);
        }
        Ok(outcome)
    }
}

/// governor's clock is ours, so that paused tests hold.
struct Tokio;

/// A moment on it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct At(Instant);

impl Clock for Tokio {
    type Instant = At;

    fn now(&self) -> At {
        At(clock::now())
    }
}

impl Reference for At {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl Add<Nanos> for At {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        Self(self.0 + Duration::from(duration))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost(cost: u32) -> NonZeroU32 {
        NonZeroU32::new(cost).unwrap()
    }

    fn bucket(rate: &str) -> Bucket {
        Bucket::new(Rate::try_new(rate).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_without_burst_spaces_its_calls_evenly() {
        let bucket = bucket("4/s");
        let start = clock::now();
        for n in 0..8 {
            if let Some(ready) = bucket.ready_at(cost(1)).unwrap() {
                tokio::time::sleep_until(ready).await;
            }
            assert!(bucket.take(cost(1)));
            assert_eq!(clock::now() - start, Duration::from_millis(250 * n));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_takes_nothing_and_a_refusal_neither() {
        let bucket = bucket("1/s burst 3");
        for _ in 0..9 {
            assert_eq!(bucket.ready_at(cost(3)), Ok(None));
        }
        assert!(bucket.take(cost(2)));
        assert!(!bucket.take(cost(2)));
        assert_eq!(bucket.level(), 1);
        assert!(bucket.take(cost(1)));
        assert_eq!(bucket.level(), 0);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(bucket.level(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_bucket_never_holds_is_never_ready() {
        let bucket = bucket("10/s burst 5");
        let refused = bucket.ready_at(cost(6)).unwrap_err();
        assert_eq!(refused, TooCostly { cost: cost(6), burst: cost(5) });
        assert!(!bucket.take(cost(6)));
        assert_eq!(bucket.level(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_of_another_rate_has_the_tokens_of_the_one_before() {
        for (old, taken, new, level, full_after_ms) in [
            ("10/s burst 20", 0, "10/s burst 20", 20, 0),
            ("10/s burst 20", 15, "10/s burst 20", 5, 1500),
            // Twice as fast, half as fast: the tokens are the same.
            ("10/s burst 20", 15, "20/s burst 20", 5, 750),
            ("10/s burst 20", 15, "5/s burst 20", 5, 3000),
            // More room is empty at first; what finds no room is lost.
            ("10/s burst 20", 15, "10/s burst 40", 5, 3500),
            ("10/s burst 20", 15, "10/s burst 4", 4, 0),
            ("10/s burst 20", 20, "1/s", 0, 1000),
        ] {
            let old = bucket(old);
            if let Some(taken) = NonZeroU32::new(taken) {
                assert!(old.take(taken));
            }
            let new = old.at_rate(Rate::try_new(new).unwrap(), clock::now());
            assert_eq!(new.level(), level, "{new:?}");
            let full = new.ready_at(new.rate().burst()).unwrap();
            let full = full.map_or(Duration::ZERO, |full| full - clock::now());
            assert_eq!(full, Duration::from_millis(full_after_ms), "{new:?}");
        }
        // Parts of a token, too.
        let old = bucket("1/s");
        assert!(old.take(cost(1)));
        tokio::time::advance(Duration::from_millis(250)).await;
        let new = old.at_rate(Rate::try_new("2/s").unwrap(), clock::now());
        assert_eq!(
            new.ready_at(cost(1)).unwrap().unwrap() - clock::now(),
            Duration::from_millis(375)
        );
    }

    /// GCRA as the paper has it, over whole nanoseconds.
    struct Reference {
        period: u64,
        tolerance: u64,
        arrival: u64,
    }

    impl Reference {
        /// When `cost` tokens can be had at `now`, and takes them if at once.
        fn take(&mut self, cost: u64, now: u64) -> Result<(), u64> {
            let arrival = self.arrival.max(now);
            let earliest = (arrival + (cost - 1) * self.period).saturating_sub(self.tolerance);
            if now < earliest {
                return Err(earliest);
            }
            self.arrival = arrival + cost * self.period;
            Ok(())
        }
    }

    /// As many traces as there are of rates, bursts, costs and pauses that a person
    /// would never write; short, since a bucket forgets all but one number.
    #[tokio::test(start_paused = true)]
    async fn a_million_random_traces_agree_with_a_reference_to_the_nanosecond() {
        let mut random = fastrand::Rng::with_seed(0x5ca1);
        for trace in 0..1_000_000 {
            let burst = random.u32(1..50);
            let rate = format!("{}/s burst {burst}", random.u32(1..2000));
            let rate = Rate::try_new(&rate).unwrap();
            let period = u64::try_from(rate.period().as_nanos()).unwrap();
            let bucket = Bucket::new(rate);
            let mut reference =
                Reference { period, tolerance: u64::from(burst - 1) * period, arrival: 0 };
            let start = clock::now();
            for _ in 0..random.u32(2..5) {
                // About as long as it takes to earn what is taken.
                let pause = Duration::from_nanos(random.u64(0..20 * period));
                tokio::time::advance(pause).await;
                let now = u64::try_from((clock::now() - start).as_nanos()).unwrap();
                let tokens = random.u32(1..=burst);
                let ready = bucket.ready_at(cost(tokens)).unwrap();
                let expected = reference.take(u64::from(tokens), now);
                let told = ready.map(|at| u64::try_from((at - start).as_nanos()).unwrap());
                assert_eq!(told, expected.err(), "trace {trace}");
                assert_eq!(bucket.take(cost(tokens)), expected.is_ok(), "trace {trace}");
            }
        }
    }

    proptest! {
        /// 256 traces of up to 4,000 steps: a million decisions, to the nanosecond.
        #[test]
        fn it_agrees_with_a_reference_to_the_nanosecond(
            count in 1u32..2000,
            burst in 1u32..50,
            steps in proptest::collection::vec((1u32..50, 0u64..2_000_000_000), 1..4000),
        ) {
            let rate = Rate::try_new(&format!("{count}/s burst {burst}")).unwrap();
            let period = u64::try_from(rate.period().as_nanos()).unwrap();
            clock::paused(async {
                let bucket = Bucket::new(rate);
                let start = clock::now();
                // The cell counts from the limiter's start, which is also ours.
                let mut reference =
                    Reference { period, tolerance: u64::from(burst - 1) * period, arrival: 0 };
                let mut now = 0;
                for (tokens, pause) in steps {
                    tokio::time::advance(Duration::from_nanos(pause)).await;
                    now += pause;
                    assert_eq!(clock::now() - start, Duration::from_nanos(now));
                    if tokens > burst {
                        assert!(bucket.ready_at(cost(tokens)).is_err());
                        continue;
                    }
                    let ready = bucket.ready_at(cost(tokens)).unwrap();
                    match reference.take(u64::from(tokens), now) {
                        Ok(()) => {
                            assert_eq!(ready, None);
                            assert!(bucket.take(cost(tokens)));
                        }
                        Err(earliest) => {
                            assert_eq!(ready.unwrap() - start, Duration::from_nanos(earliest));
                            assert!(!bucket.take(cost(tokens)));
                        }
                    }
                }
            });
        }
    }
}
