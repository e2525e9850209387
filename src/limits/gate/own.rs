//! Buckets that each session, or each tenant, has of its own.

use std::{cmp::Reverse, collections::HashMap, hash::Hash, time::Duration};

use super::{
    Per,
    api::carried,
    state::{BucketStatus, Level, Whose},
};
use crate::{
    clock::{self, Instant},
    limits::{Bucket, Rate},
};

/// Whose buckets an API keeps at most, for each kind; about 200 bytes each. Those
/// beyond share one, so that a flood of new sessions cannot pass what one may.
const OWNERS_MAX: usize = 10_000;

/// How often full buckets are looked for, at most: it takes a look at all.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// The buckets of each `K`.
pub(super) struct Own<K> {
    rates: Vec<Rate>,
    buckets: HashMap<K, Vec<Bucket>>,
    overflow: Vec<Bucket>,
    swept_at: Option<Instant>,
}

impl<K: Clone + Hash + Ord> Own<K> {
    pub(super) fn new(rates: Vec<Rate>) -> Self {
        let overflow = rates.iter().copied().map(Bucket::new).collect();
        Self { rates, buckets: HashMap::new(), overflow, swept_at: None }
    }

    /// Other rates hold from now on; everyone keeps what he has.
    pub(super) fn reconfigure(&mut self, rates: Vec<Rate>, now: Instant) {
        if rates == self.rates {
            return;
        }
        if rates.is_empty() {
            self.buckets = HashMap::new();
        }
        for all in self.buckets.values_mut().chain([&mut self.overflow]) {
            *all = carried(std::mem::take(all), &rates, now);
        }
        self.rates = rates;
    }

    /// The owner's buckets, made full where there are none.
    pub(super) fn of(&mut self, owner: &K) -> &[Bucket] {
        self.found(owner).0
    }

    /// The owner's buckets, and whether others share them.
    pub(super) fn found(&mut self, owner: &K) -> (&[Bucket], bool) {
        if self.rates.is_empty() {
            return (&[], false);
        }
        if !self.buckets.contains_key(owner) {
            self.sweep_if_due();
            if self.buckets.len() >= OWNERS_MAX {
                return (&self.overflow, true);
            }
            let new = self.rates.iter().copied().map(Bucket::new).collect();
            self.buckets.insert(owner.clone(), new);
        }
        self.buckets.get(owner).map_or((&self.overflow, true), |own| (own, false))
    }

    /// Of each rate how many buckets are kept, and those with the fewest tokens of them
    /// that may be seen.
    pub(super) fn status(
        &self,
        per: Per,
        sees: impl Fn(&K) -> bool,
        whose: impl Fn(&K) -> Whose,
        most: usize,
        now: Instant,
    ) -> Vec<BucketStatus> {
        let of_rate = |(at, rate): (usize, &Rate)| {
            // The later it is full, the less there is in it.
            let mut open: Vec<_> = self
                .buckets
                .iter()
                .filter(|(owner, _)| sees(owner))
                .filter_map(|(owner, all)| {
                    let bucket = all.get(at)?;
                    Some((Reverse(bucket.ready_at(rate.burst()).ok()??), owner, bucket))
                })
                .collect();
            if open.len() > most {
                open.select_nth_unstable_by_key(most, |(full, owner, _)| (*full, *owner));
                open.truncate(most);
            }
            open.sort_unstable_by_key(|(full, owner, _)| (*full, *owner));
            let level = |(_, owner, bucket): (_, &K, &Bucket)| Level::of(bucket, whose(owner), now);
            let lowest = open.into_iter().map(level).collect();
            BucketStatus { rate: *rate, per, kept: self.buckets.len(), lowest }
        };
        self.rates.iter().enumerate().map(of_rate).collect()
    }

    /// A full bucket is as good as none.
    fn sweep_if_due(&mut self) {
        let now = clock::now();
        let is_due = self.swept_at.is_none_or(|swept| now - swept >= SWEPT_EVERY);
        if self.buckets.len() >= OWNERS_MAX && is_due {
            self.swept_at = Some(now);
            self.buckets
                .retain(|_, all| all.iter().any(|one| one.level() < one.rate().burst().get()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_owners_is_bounded_and_full_buckets_make_room() {
        let mut own = Own::new(vec![Rate::try_new("1/min burst 2").unwrap()]);
        let take = |own: &mut Own<usize>, owner| own.of(&owner)[0].take(NonZeroU32::MIN);
        for owner in 0..OWNERS_MAX {
            assert!(take(&mut own, owner));
        }
        // Those that come last share one.
        assert!(take(&mut own, OWNERS_MAX) && take(&mut own, OWNERS_MAX + 1));
        assert!(!take(&mut own, OWNERS_MAX + 2));
        assert_eq!(own.buckets.len(), OWNERS_MAX);
        assert!(take(&mut own, 0), "what one has is not taken away");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(take(&mut own, OWNERS_MAX + 3));
        assert_eq!(own.buckets.len(), 2, "one that is not full, and the new one");
    }
}
