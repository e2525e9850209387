//! What the gate shows of itself: one look at all of it, under its lock.
//!
//! The look goes over every waiter and every bucket once, and copies no more than
//! it was asked for: those who wait for the lock meanwhile do not notice.

use std::{cmp::Reverse, time::Duration};

use super::State;
use crate::{
    clock::{self, Instant},
    limits::{
        Bucket, Gate, Rate, breaker,
        gate::{
            Per,
            api::{Api, Cap},
        },
    },
    model::{ApiName, Owner, SessionId, Tenant, ToolName},
};

/// Most buckets of one rate that are shown: the lowest say it all.
const LOWEST_MAX: usize = 5;

/// What of the gate is looked at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// APIs at most.
    pub apis: usize,
    /// Buckets of a rate at most, where there is one for each session or tenant.
    pub buckets: usize,
    /// Whose those are: this tenant's, and the sessions of this one of its callers;
    /// everyone's where nobody is named.
    pub of: Option<(&'a Tenant, &'a Owner)>,
}

/// One moment of the gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Attempts in flight.
    pub in_flight: Usage,
    /// Calls that wait for their rights.
    pub waiting: usize,
    /// Sessions with an open batch.
    pub sessions: usize,
    /// Those that most calls wait for first, then those that are left alone, then
    /// the busiest, then by name.
    pub apis: Vec<ApiStatus>,
    /// APIs that are left out.
    pub apis_omitted: usize,
    /// Tools with a cap, by name.
    pub tools: Vec<(ToolName, Usage)>,
}

/// How much of a bound is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Usage {
    /// So much.
    pub used: usize,
    /// Of so much; `None` where there is no bound.
    pub max: Option<usize>,
}

/// One API.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiStatus {
    /// Its name.
    pub name: ApiName,
    /// Attempts in flight.
    pub in_flight: Usage,
    /// Calls that wait for it.
    pub queue: Usage,
    /// For how long the first of them has waited.
    pub longest_wait: Option<Duration>,
    /// Until time lets the next of them go; `None` while none waits for that.
    pub next_grant: Option<Duration>,
    /// For how long it is left alone, as it asked to be.
    pub paused: Option<Duration>,
    /// Those that all share, then those that each has of his own.
    pub buckets: Vec<BucketStatus>,
    /// Whether it is asked at all; `None` where it always is.
    pub breaker: Option<breaker::Status>,
}

/// One rate of an API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BucketStatus {
    /// As it is configured.
    pub rate: Rate,
    /// Who shares a bucket.
    pub per: Per,
    /// Buckets that are kept.
    pub kept: usize,
    /// Of those that are not full and may be seen, some with the fewest tokens, the
    /// fewest first. The one where all share one.
    pub lowest: Vec<Level>,
}

/// How full a bucket is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Level {
    /// Whose it is.
    pub whose: Whose,
    /// Whole tokens that are to be had at once.
    pub tokens: u32,
    /// Until there is one more; `None` while it is full.
    pub next_token: Option<Duration>,
}

/// Who a bucket belongs to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Whose {
    /// All.
    Everyone,
    /// A session of a tenant's.
    Session(Tenant, SessionId),
    /// A tenant.
    Tenant(Tenant),
}

impl From<&Cap> for Usage {
    fn from(cap: &Cap) -> Self {
        Self { used: cap.used, max: (cap.max < usize::MAX).then_some(cap.max) }
    }
}

impl Level {
    pub(in crate::limits) fn of(bucket: &Bucket, whose: Whose, now: Instant) -> Self {
        let tokens = bucket.level();
        let next_token = bucket.next_token(tokens).map(|at| at.saturating_duration_since(now));
        Self { whose, tokens, next_token }
    }
}

impl Gate {
    /// One look at all of it, at most `most` rows of each kind.
    pub fn status(&self, most: usize) -> Status {
        self.view(&View { apis: most, buckets: most, of: None })
    }

    /// One look at some of it.
    pub fn view(&self, view: &View<'_>) -> Status {
        self.lock().status(view, clock::now())
    }
}

impl State {
    /// One look.
    pub(in crate::limits::gate) fn status(&self, view: &View<'_>, now: Instant) -> Status {
        let mut order: Vec<(&ApiName, usize)> =
            self.api_keys.iter().map(|(name, key)| (name, *key)).collect();
        order.retain(|(_, key)| self.apis[*key].is_shown());
        order.sort_unstable_by_key(|(name, key)| {
            let of = &self.apis[*key];
            let in_flight = of.cap.as_ref().map_or(0, |cap| cap.used);
            (Reverse(of.waiters.len()), !of.is_left_alone(now), Reverse(in_flight), *name)
        });
        let apis_omitted = order.len().saturating_sub(view.apis);
        order.truncate(view.apis);
        let first = self.first_waits();
        let api = |(name, key): (&ApiName, usize)| {
            let longest_wait = first[key].map(|since| now.saturating_duration_since(since));
            self.apis[key].status(name, longest_wait, view, now)
        };
        let mut tools: Vec<_> = self
            .tool_keys
            .iter()
            .filter_map(|(name, key)| Some((name.clone(), self.tools[*key].as_ref()?.into())))
            .collect();
        tools.sort_unstable_by(|(one, _): &(ToolName, Usage), (other, _)| one.cmp(other));
        Status {
            in_flight: (&self.process).into(),
            waiting: self.waiters.iter().filter(|(_, waiter)| waiter.answer.is_none()).count(),
            sessions: self.sessions.len(),
            apis: order.into_iter().map(api).collect(),
            apis_omitted,
            tools,
        }
    }

    /// Since when the first waiter of each API waits.
    fn first_waits(&self) -> Vec<Option<Instant>> {
        let mut first = vec![None; self.apis.len()];
        for (_, waiter) in self.waiters.iter().filter(|(_, waiter)| waiter.answer.is_none()) {
            let of: &mut Option<Instant> = &mut first[waiter.api];
            *of = Some(of.map_or(waiter.since, |since| since.min(waiter.since)));
        }
        first
    }
}

impl Api {
    /// Whether calls keep away from it for a reason of its own.
    fn is_left_alone(&self, now: Instant) -> bool {
        let is_closed = |breaker: &breaker::Breaker| {
            matches!(breaker.status(now).state, breaker::State::Closed)
        };
        self.paused_until.is_some_and(|until| until > now)
            || !self.breaker.as_ref().is_none_or(is_closed)
    }

    fn status(
        &self,
        name: &ApiName,
        longest_wait: Option<Duration>,
        view: &View<'_>,
        now: Instant,
    ) -> ApiStatus {
        let shared = self.buckets.iter().map(|bucket| BucketStatus {
            rate: bucket.rate(),
            per: Per::Api,
            kept: 1,
            lowest: vec![Level::of(bucket, Whose::Everyone, now)],
        });
        let most = view.buckets.min(LOWEST_MAX);
        let sees = |(tenant, session): &(Tenant, SessionId)| {
            view.of.is_none_or(|(of, owner)| tenant == of && session.owner() == owner)
        };
        let session = |(tenant, session): &(Tenant, SessionId)| {
            Whose::Session(tenant.clone(), session.clone())
        };
        let own = self.by_session.status(Per::Session, sees, session, most, now);
        let sees = |tenant: &Tenant| view.of.is_none_or(|(of, _)| tenant == of);
        let tenant = |tenant: &Tenant| Whose::Tenant(tenant.clone());
        let tenants = self.by_tenant.status(Per::Tenant, sees, tenant, most, now);
        let until = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(now));
        ApiStatus {
            name: name.clone(),
            in_flight: self.cap.as_ref().map_or(Usage { used: 0, max: None }, Usage::from),
            queue: Usage { used: self.waiters.len(), max: Some(self.queue_max) },
            longest_wait,
            next_grant: until(self.alarm),
            paused: until(self.paused_until).filter(|paused| !paused.is_zero()),
            buckets: shared.chain(own).chain(tenants).collect(),
            breaker: self.breaker.as_ref().map(|breaker| breaker.status(now)),
        }
    }
}
