//! What the gate knows of one API.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use super::{Per, own::Own, queue::Queue};
use crate::{
    clock::Instant,
    limits::{
        Breaker, Bucket, Ramp, Rate,
        breaker::{Barred, Entry},
    },
    model::{ApiName, SessionId, Tenant},
};

pub(super) struct Api {
    /// `None` for the one that stands for all without limits.
    pub(super) name: Option<ApiName>,
    pub(super) cap: Option<Cap>,
    pub(super) queue_max: usize,
    pub(super) waiters: Queue,
    pub(super) buckets: Vec<Bucket>,
    pub(super) by_session: Own<(Tenant, SessionId)>,
    pub(super) by_tenant: Own<Tenant>,
    pub(super) paused_until: Option<Instant>,
    /// The longest pause.
    pub(super) pause_max: Duration,
    /// How fast it is asked again after a pause.
    pub(super) ramp: Ramp,
    pub(super) breaker: Option<Breaker>,
    /// Whether it is shown while nothing of it is in flight and nothing waits.
    pub(super) is_shown_idle: bool,
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

    /// Takes a place, which is there.
    pub(super) fn take(&mut self) {
        debug_assert!(!self.is_full(), "a place was granted that was not there");
        self.used += 1;
    }
}

/// When all of `buckets` have so many tokens; `None` where at once. A cost that
/// one of them never holds is refused when the limits are read.
pub(super) fn ready(buckets: &[Bucket], cost: NonZeroU32) -> Option<Instant> {
    let ready = |bucket: &Bucket| bucket.ready_at(bucket.affordable(cost)).ok().flatten();
    buckets.iter().filter_map(ready).max()
}

/// The buckets of other rates. One whose rate is still there stays as it is; the
/// others pass on their tokens in order. Where there are more rates than before,
/// those that are left begin with what is in the emptiest: it has let go no more
/// than they would have.
pub(super) fn carried(old: Vec<Bucket>, rates: &[Rate], now: Instant) -> Vec<Bucket> {
    let emptiest = old.iter().min_by_key(|bucket| bucket.level());
    let emptiest = emptiest.map(|bucket| bucket.at_rate(bucket.rate(), now));
    let mut rest = old;
    let mut kept: Vec<Option<Bucket>> = Vec::with_capacity(rates.len());
    for rate in rates {
        let same = rest.iter().position(|bucket| bucket.rate() == *rate);
        kept.push(same.map(|same| rest.remove(same)));
    }
    let mut rest = rest.into_iter();
    let bucket = |(kept, rate): (Option<Bucket>, &Rate)| {
        kept.unwrap_or_else(|| match rest.next().as_ref().or(emptiest.as_ref()) {
            Some(before) => before.at_rate(*rate, now),
            None => Bucket::new(*rate),
        })
    };
    kept.into_iter().zip(rates).map(bucket).collect()
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
            by_session: Own::new(Vec::new()),
            by_tenant: Own::new(Vec::new()),
            paused_until: None,
            pause_max: super::Api::PAUSE_MAX,
            ramp: Ramp::default(),
            breaker: None,
            is_shown_idle: true,
            alarm: None,
            throttled: Throttled::default(),
        }
    }

    pub(super) fn new(settings: super::Api) -> Self {
        let super::Api { name, concurrency, rates, queue_max, pause_max, breaker, is_shown_idle } =
            settings;
        let of = |per: Per| rates.iter().filter(move |(_, of)| *of == per).map(|(rate, _)| *rate);
        Self {
            name: Some(name),
            cap: Some(concurrency.map_or_else(Cap::unbounded, Cap::new)),
            queue_max: queue_max.get(),
            buckets: of(Per::Api).map(Bucket::new).collect(),
            by_session: Own::new(of(Per::Session).collect()),
            by_tenant: Own::new(of(Per::Tenant).collect()),
            pause_max,
            breaker: breaker.map(Breaker::new),
            is_shown_idle,
            ..Self::unlimited()
        }
    }

    /// Other limits hold for it from now on.
    pub(super) fn reconfigure(&mut self, settings: super::Api, now: Instant) {
        let super::Api {
            name: _,
            concurrency,
            rates,
            queue_max,
            pause_max,
            breaker,
            is_shown_idle,
        } = settings;
        let of = |per: Per| -> Vec<Rate> {
            rates.iter().filter(|(_, of)| *of == per).map(|(rate, _)| *rate).collect()
        };
        if let Some(cap) = &mut self.cap {
            cap.max = concurrency.map_or(usize::MAX, NonZeroUsize::get);
        }
        self.queue_max = queue_max.get();
        self.pause_max = pause_max;
        self.is_shown_idle = is_shown_idle;
        self.buckets = carried(std::mem::take(&mut self.buckets), &of(Per::Api), now);
        self.by_session.reconfigure(of(Per::Session), now);
        self.by_tenant.reconfigure(of(Per::Tenant), now);
        match (&mut self.breaker, breaker) {
            (Some(breaker), Some(settings)) => breaker.reconfigure(settings),
            (breaker, settings) => *breaker = settings.map(Breaker::new),
        }
    }

    /// Whether nothing of it is in flight and nothing waits.
    pub(super) fn is_unused(&self) -> bool {
        self.cap.as_ref().is_none_or(|cap| cap.used == 0) && self.waiters.len() == 0
    }

    /// Whether its breaker or its cap lets nobody through.
    pub(super) fn is_shut(&self, now: Instant) -> bool {
        self.cap.as_ref().is_some_and(Cap::is_full)
            || self.breaker.as_ref().is_some_and(|breaker| breaker.entry(now) != Entry::Free)
    }

    /// Whether it is among those that are shown.
    pub(super) fn is_shown(&self) -> bool {
        self.is_shown_idle || !self.is_unused()
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
