//! The sessions that are remembered.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    num::NonZeroU64,
    sync::Arc,
};

use super::{Session, SessionStatus, Settings, Spent};
use crate::{
    clock::Instant,
    model::{SessionId, Tenant},
};

/// Sessions that are looked at, each time one is opened, for whether they are
/// forgotten: more than one, so that they are forgotten faster than they come.
const LOOKS: usize = 3;

/// Two tenants' sessions may have one name.
type Key = (Tenant, SessionId);

#[derive(Debug, Default)]
pub(super) struct Table {
    sessions: HashMap<Key, (Place, Arc<Session>)>,
    /// By when each was last known to be in use, the longest ago first.
    order: BTreeMap<Place, Key>,
    /// Places that there have been.
    places: u64,
}

/// When, and which of those that are of that moment.
type Place = (Instant, u64);

impl Table {
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Sessions with an open batch.
    pub(super) fn open_now(&self) -> usize {
        self.sessions.values().filter(|(_, session)| is_open(session)).count()
    }

    /// The session of that name, made anew where none is remembered.
    pub(super) fn open(
        &mut self,
        key: Key,
        settings: &Settings,
        now: Instant,
        new: impl FnOnce() -> Arc<Session>,
    ) -> Arc<Session> {
        let known = self.sessions.remove(&key).and_then(|(place, session)| {
            self.order.remove(&place);
            (!is_idle(&session, place, settings, now)).then_some(session)
        });
        self.forget(settings, now);
        let session = known.unwrap_or_else(new);
        self.insert(key, Arc::clone(&session), now);
        session
    }

    fn insert(&mut self, key: Key, session: Arc<Session>, last: Instant) {
        self.places += 1;
        let place = (last, self.places);
        self.order.insert(place, key.clone());
        self.sessions.insert(key, (place, session));
    }

    /// Forgets who has not called for long, and who is one too many beside the one
    /// that comes. A session with an open batch is never forgotten, or it could
    /// spend twice; there are no more of those than batches.
    fn forget(&mut self, settings: &Settings, now: Instant) {
        let most = settings.remembered.get() - 1;
        // Each may be put where it belongs before it is its turn.
        for look in 0..2 * self.len() {
            if look >= LOOKS && self.len() <= most {
                return;
            }
            let Some((place, key)) = self.order.pop_first() else { return };
            let Some((_, session)) = self.sessions.remove(&key) else { continue };
            let last = last_use(&session, place, now);
            if is_open(&session) || last > place.0 {
                self.insert(key, session, last);
            } else if self.len() < most && !is_idle(&session, place, settings, now) {
                // All others were in use later.
                self.insert(key, session, last);
                return;
            }
        }
    }

    /// Those that have the least left.
    pub(super) fn lowest(&self, most: usize, settings: &Settings) -> Vec<SessionStatus> {
        let part = |spent: u64, max: Option<NonZeroU64>| {
            max.map_or(0, |max| u128::from(spent) * u128::from(u64::MAX) / u128::from(max.get()))
        };
        let mut all: Vec<_> =
            self.sessions.iter().map(|(key, (_, session))| (key, session.spent())).collect();
        all.sort_by_cached_key(|(key, spent)| {
            let used = part(spent.calls, settings.calls).max(part(spent.cost, settings.cost));
            (Reverse((used, spent.last)), *key)
        });
        all.truncate(most);
        let status = |((tenant, session), spent): (&Key, Spent)| SessionStatus {
            tenant: tenant.clone(),
            session: session.clone(),
            calls: spent.calls,
            cost: spent.cost,
        };
        all.into_iter().map(status).collect()
    }
}

fn is_open(session: &Arc<Session>) -> bool {
    // The table has one.
    Arc::strong_count(session) > 1
}

/// When it was last in use, as far as that is known by now.
fn last_use(session: &Arc<Session>, (known, _): Place, now: Instant) -> Instant {
    if is_open(session) { now } else { session.spent().last.max(known) }
}

fn is_idle(session: &Arc<Session>, place: Place, settings: &Settings, now: Instant) -> bool {
    now.saturating_duration_since(last_use(session, place, now)) >= settings.idle
}
