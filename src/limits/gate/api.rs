//! What the gate knows of one API.

use std::{
    cmp::Reverse,
    collections::HashMap,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use super::{
    Per,
    queue::Queue,
    state::{BucketStatus, Level, Whose},
};
use crate::{
    clock::{self, Instant},
    limits::{
        Breaker, Bucket, Rate,
        breaker::{Barred, Entry},
    },
    model::{ApiName, SessionId, Tenant},
};

/// Sessions that an API keeps buckets for; about 200 bytes each. Those beyond
/// share one, so that a flood of new sessions cannot pass what one may.
const SESSION_BUCKETS_MAX: usize = 10_000;

/// How often full buckets are looked for, at most: it takes a look at all.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Api {
    /// `None` for the one that stands for all without limits.
    pub(super) name: Option<ApiName>,
    pub(super) cap: Option<Cap>,
    pub(super) queue_max: usize,
    pub(super) waiters: Queue,
    pub(super) buckets: Vec<Bucket>,
    pub(super) by_session: SessionBuckets,
    pub(super) paused_until: Option<Instant>,
    /// The longest pause.
    pub(super) pause_max: Duration,
    pub(super) breaker: Option<Breaker>,
    /// When the next grant by time can be made; `None` while none waits for it.
    pub(super) alarm: Option<Instant>,
    pub(super) throttled: Throttled,
}

/// How long an API has let calls wait for tokens.
#[derive(Debug, Default)]
pub(super) struct Throttled {
    total: Duration,
    since: Option<Instant>,
}

impl Throttled {
    pub(super) fn total(&self, now: Instant) -> Duration {
        self.total + self.since.map_or(Duration::ZERO, |since| now - since)
    }

    pub(super) fn set(&mut self, is_throttled: bool, now: Instant) {
        match (is_throttled, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(since)) => {
                self.total += now - since;
                self.since = None;
            }
            _ => {}
        }
    }
}

/// Buckets that each session has of its own.
#[derive(Default)]
pub(super) struct SessionBuckets {
    rates: Vec<Rate>,
    buckets: HashMap<(Tenant, SessionId), Vec<Bucket>>,
    overflow: Vec<Bucket>,
    swept_at: Option<Instant>,
}

impl SessionBuckets {
    /// The session's buckets, made full where there are none.
    pub(super) fn of(&mut self, session: &(Tenant, SessionId)) -> &[Bucket] {
        if self.rates.is_empty() {
            return &[];
        }
        if !self.buckets.contains_key(session) {
            let now = clock::now();
            let is_due = self.swept_at.is_none_or(|swept| now - swept >= SWEPT_EVERY);
            if self.buckets.len() >= SESSION_BUCKETS_MAX && is_due {
                self.swept_at = Some(now);
                // A full bucket is as good as none.
                self.buckets
                    .retain(|_, all| all.iter().any(|one| one.level() < one.rate().burst().get()));
            }
            if self.buckets.len() >= SESSION_BUCKETS_MAX {
                return &self.overflow;
            }
            let new = self.rates.iter().copied().map(Bucket::new).collect();
            self.buckets.insert(session.clone(), new);
        }
        self.buckets.get(session).map_or(&self.overflow, Vec::as_slice)
    }
}

impl SessionBuckets {
    /// Of each rate how many buckets are kept, and those of them with the fewest
    /// tokens.
    pub(super) fn status(&self, most: usize, now: Instant) -> Vec<BucketStatus> {
        let of_rate = |(at, rate): (usize, &Rate)| {
            // The later it is full, the less there is in it.
            let mut open: Vec<_> = self
                .buckets
                .iter()
                .filter_map(|(session, all)| {
                    let bucket = all.get(at)?;
                    Some((Reverse(bucket.ready_at(rate.burst()).ok()??), session, bucket))
                })
                .collect();
            if open.len() > most {
                open.select_nth_unstable_by_key(most, |(full, session, _)| (*full, *session));
                open.truncate(most);
            }
            open.sort_unstable_by_key(|(full, session, _)| (*full, *session));
            let level = |(_, (tenant, session), bucket): (_, &(Tenant, SessionId), &Bucket)| {
                Level::of(bucket, Whose::Session(tenant.clone(), session.clone()), now)
            };
            BucketStatus {
                rate: *rate,
                per: Per::Session,
                kept: self.buckets.len(),
                lowest: open.into_iter().map(level).collect(),
            }
        };
        self.rates.iter().enumerate().map(of_rate).collect()
    }
}

#[derive(Debug)]
pub(super) struct Cap {
    pub(super) used: usize,
    pub(super) max: usize,
}

impl Cap {
    pub(super) fn new(max: NonZeroUsize) -> Self {
        Self { used: 0, max: max.get() }
    }

    /// Counts, and is never full.
    pub(super) fn unbounded() -> Self {
        Self { used: 0, max: usize::MAX }
    }

    pub(super) fn is_full(&self) -> bool {
        self.used >= self.max
    }
}

/// When all of `buckets` have so many tokens; `None` where at once. A cost that
/// one of them never holds is refused when the limits are read.
pub(super) fn ready(buckets: &[Bucket], cost: NonZeroU32) -> Option<Instant> {
    buckets.iter().filter_map(|bucket| bucket.ready_at(cost).ok().flatten()).max()
}

impl Api {
    /// What stands for every API without limits.
    pub(super) fn unlimited() -> Self {
        Self {
            name: None,
            cap: Some(Cap::unbounded()),
            queue_max: usize::MAX,
            waiters: Queue::default(),
            buckets: Vec::new(),
            by_session: SessionBuckets::default(),
            paused_until: None,
            pause_max: super::Api::PAUSE_MAX,
            breaker: None,
            alarm: None,
            throttled: Throttled::default(),
        }
    }

    pub(super) fn new(settings: super::Api) -> Self {
        let super::Api { name, concurrency, rates, queue_max, pause_max, breaker } = settings;
        let of = |per: Per| rates.iter().filter(move |(_, of)| *of == per).map(|(rate, _)| *rate);
        let by_session = SessionBuckets {
            rates: of(Per::Session).collect(),
            buckets: HashMap::new(),
            overflow: of(Per::Session).map(Bucket::new).collect(),
            swept_at: None,
        };
        Self {
            name: Some(name),
            cap: Some(concurrency.map_or_else(Cap::unbounded, Cap::new)),
            queue_max: queue_max.get(),
            buckets: of(Per::Api).map(Bucket::new).collect(),
            by_session,
            pause_max,
            breaker: breaker.map(Breaker::new),
            ..Self::unlimited()
        }
    }

    /// Whether its breaker or its cap lets nobody through.
    pub(super) fn is_shut(&self, now: Instant) -> bool {
        self.cap.as_ref().is_some_and(Cap::is_full)
            || self.breaker.as_ref().is_some_and(|breaker| breaker.entry(now) != Entry::Free)
    }

    /// Why asking it would be in vain, if it would.
    pub(super) fn barred(&self, now: Instant) -> Option<Barred> {
        match self.breaker.as_ref()?.entry(now) {
            Entry::Barred(barred) => Some(self.paused(barred, now)),
            Entry::Free | Entry::Probing => None,
        }
    }

    /// No probe goes before a pause is over.
    pub(super) fn paused(&self, barred: Barred, now: Instant) -> Barred {
        let pause =
            self.paused_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        Barred { after: barred.after.max(pause), ..barred }
    }
}
