//! What the table shows of itself.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Holder,
    state::{Resource, State},
};
use crate::{
    clock::Instant,
    model::{Access, Tenant},
};

/// Holders of one key that are named.
const HOLDERS_MAX: usize = 8;

/// What is held and waited for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Calls that hold their locks.
    pub held: usize,
    /// Calls that wait for theirs.
    pub waiting: usize,
    /// Keys held or waited for.
    pub keys: usize,
    /// Some of them: those that most wait for first, then by tenant and name.
    pub busiest: Vec<KeyStatus>,
}

/// One key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyStatus {
    /// Whose.
    pub tenant: Tenant,
    /// Its name.
    pub key: Arc<str>,
    /// What those do with it that hold it, or whose turn is next.
    pub access: Access,
    /// How many those are.
    pub holders_count: usize,
    /// Some of those that may be seen, in the order in which they asked; with each how long it has
    /// held the key, `None` while it waits for another.
    pub holders: Vec<(Holder, Option<Duration>)>,
    /// Calls that wait for it.
    pub waiters: usize,
    /// How long the first of them has waited.
    pub longest_wait: Duration,
}

/// Those that most wait for first, then by tenant and name.
fn by_rank(one: &Resource, other: &Resource) -> Ordering {
    other.waiters.len().cmp(&one.waiters.len()).then_with(|| one.name.cmp(&other.name))
}

impl State {
    pub(super) fn status(
        &self,
        most: usize,
        now: Instant,
        seen: impl Fn(&Holder) -> bool,
    ) -> Status {
        let mut order = self.seen(&seen);
        if order.len() > most {
            // There may be very many, and everybody waits for the table meanwhile.
            order.select_nth_unstable_by(most, |one, other| by_rank(one.1, other.1));
            order.truncate(most);
        }
        order.sort_unstable_by(|one, other| by_rank(one.1, other.1));
        let mut holders: BTreeMap<usize, Vec<_>> =
            order.iter().map(|(key, _)| (*key, Vec::new())).collect();
        for (_, request) in &self.requests {
            for (resource, _) in &request.wants {
                if !self.is_waiting_at(request, *resource)
                    && let Some(holders) = holders.get_mut(resource)
                {
                    holders.push(request);
                }
            }
        }
        let busiest = order.into_iter().map(|(key, resource)| {
            let first = resource.waiters.first_key_value();
            let longest_wait = first.map_or(Duration::ZERO, |(_, (request, _))| {
                now.saturating_duration_since(self.requests[*request].asked_at)
            });
            let mut holders = holders.remove(&key).unwrap_or_default();
            let holders_count = holders.len();
            holders.sort_unstable_by_key(|request| request.number());
            let since = |since: Instant| now.saturating_duration_since(since);
            KeyStatus {
                tenant: resource.name.0.clone(),
                key: Arc::clone(&resource.name.1),
                access: if resource.writer.is_some() { Access::Write } else { Access::Read },
                holders_count,
                holders: holders
                    .into_iter()
                    .filter(|request| seen(&request.holder))
                    .take(HOLDERS_MAX)
                    .map(|request| (request.holder.clone(), request.granted_at.map(since)))
                    .collect(),
                waiters: resource.waiters.len(),
                longest_wait,
            }
        });
        Status {
            held: self.held(),
            waiting: self.waiting(),
            keys: self.resources.len(),
            busiest: busiest.collect(),
        }
    }

    /// The keys that a call which is seen holds or waits for.
    fn seen(&self, seen: impl Fn(&Holder) -> bool) -> Vec<(usize, &Resource)> {
        let mut wanted = vec![false; self.resources.capacity()];
        for (_, request) in self.requests.iter().filter(|(_, request)| seen(&request.holder)) {
            for (resource, _) in &request.wants {
                wanted[*resource] = true;
            }
        }
        self.resources.iter().filter(|(key, _)| wanted[*key]).collect()
    }
}
