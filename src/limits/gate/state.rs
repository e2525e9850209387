//! What the gate knows, under its lock.

use std::{collections::HashMap, num::NonZeroUsize, task::Waker, time::Duration};

use slab::Slab;

use super::{
    Refused, Settings,
    api::{Api, Cap},
    queue::Place,
};
use crate::{
    clock::Instant,
    limits::{
        Bucket,
        breaker::{Change, Ticket, Verdict},
        ramp,
    },
    model::{ApiName, SessionId, Tenant, ToolName},
};

mod grants;
#[cfg(test)]
mod oracle;
mod owners;
mod reconfigure;
mod sessions;
mod status;
mod verdicts;

use owners::Owners;
use reconfigure::Epochs;
use sessions::{Batch, Session};
pub use status::{ApiStatus, BucketStatus, Level, Status, Usage, View, Whose};

/// What a change under the lock leaves to be done outside it.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    /// Those to be woken.
    pub(super) woken: Vec<Waker>,
    /// Whether whoever keeps time must know of a change.
    pub(super) has_new_alarm: bool,
    /// An API whose breaker changed its state.
    pub(super) change: Option<(ApiName, Change)>,
    /// Those that have run out of places since they were granted one.
    out_of_places: Vec<OutOfPlaces>,
}

/// Who has run out of places, by a grant at `api`.
#[derive(Clone, Copy, Debug)]
struct OutOfPlaces {
    /// It has none left of its own or of a batch's, or of its owner's.
    session: usize,
    /// The owner, where it has none left in all its sessions.
    owner: Option<usize>,
    api: usize,
}

/// What an attempt holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    pub(super) batch: usize,
    pub(super) api: usize,
    pub(super) tool: usize,
    pub(super) ticket: Option<Ticket>,
    pub(super) ramp: Option<ramp::Ticket>,
}

pub(super) struct State {
    process: Cap,
    session_max: NonZeroUsize,
    batch_max: NonZeroUsize,
    /// The first stands for every API without limits.
    apis: Vec<Api>,
    api_keys: HashMap<ApiName, usize>,
    /// The first stands for every tool without a cap.
    tools: Vec<Option<Cap>>,
    tool_keys: HashMap<ToolName, usize>,
    epochs: Epochs,
    sessions: Slab<Session>,
    /// By tenant: those of two may have one name.
    session_keys: HashMap<(Tenant, SessionId), usize>,
    owners: Owners,
    batches: Slab<Batch>,
    waiters: Slab<Waiter>,
    /// Where the next look for a waiter begins, so that no API is always first.
    turn: usize,
    numbers: u64,
    has_keeper: bool,
    /// Sessions that were looked at since the beginning.
    #[cfg(test)]
    pub(super) looks: u64,
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) api: usize,
    pub(super) place: Place,
    /// While it waits: the API's throttled time when it came. Once answered: its
    /// own.
    pub(super) throttled: Duration,
    since: Instant,
    waker: Option<Waker>,
    answer: Option<Result<Rights, Refused>>,
}

/// Who keeps time.
pub(super) enum Keeper {
    /// Nobody, and somebody must.
    ToStart,
    /// Somebody, who does not know of the change.
    ToTell,
    /// Nobody, and nobody must.
    NotNeeded,
}

impl State {
    pub(super) fn new(settings: Settings, now: Instant) -> Self {
        let mut state = Self {
            process: Cap::new(settings.process),
            session_max: settings.session,
            batch_max: settings.batch,
            apis: vec![Api::unlimited()],
            api_keys: HashMap::new(),
            tools: vec![None],
            tool_keys: HashMap::new(),
            epochs: Epochs::default(),
            sessions: Slab::new(),
            session_keys: HashMap::new(),
            owners: Owners::default(),
            batches: Slab::new(),
            waiters: Slab::new(),
            turn: 0,
            numbers: 0,
            has_keeper: false,
            #[cfg(test)]
            looks: 0,
        };
        // Nobody is there who could be granted anything.
        state.reconfigure(settings, now);
        state
    }

    /// Where the limits of an API and of a tool are, as a batch knows them.
    pub(super) fn keys(&self, api: &ApiName, tool: &ToolName, batch: usize) -> (usize, usize) {
        let former = || self.epochs.former(tool, self.batches[batch].epoch);
        let tool = self.tool_keys.get(tool).copied().or_else(former).unwrap_or(0);
        (self.api_keys.get(api).copied().unwrap_or(0), tool)
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn in_flight(&self) -> usize {
        self.process.used
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// Grants to a newcomer where nobody waits before it and all is there.
    pub(super) fn grant_at_once(
        &mut self,
        api: usize,
        place: &Place,
        now: Instant,
    ) -> Option<(Rights, Aftermath)> {
        let is_free = self.apis[api].waiters.len() == 0
            && !self.is_full(api, now)
            && self.has_room(place.batch, place.tool)
            && self.shared_ready(api, place.cost, now).is_none()
            && self.own_lack(api, place.session, place.cost, now).is_none();
        is_free.then(|| {
            let mut aftermath = Aftermath::default();
            let rights = self.take(api, place, now, &mut aftermath);
            self.let_others_pass(now, &mut aftermath);
            (rights, aftermath)
        })
    }

    /// Whether it is worth while to wait.
    pub(super) fn check(&mut self, api: usize, place: &Place, now: Instant) -> Result<(), Refused> {
        let of = &mut self.apis[api];
        if let Some(barred) = of.barred(now) {
            return Err(Refused::Barred(barred));
        }
        if of.waiters.len() >= of.queue_max {
            return Err(Refused::QueueFull(of.waiters.len()));
        }
        let own_cost = u64::from(place.cost.get());
        let pause = of.paused_until.unwrap_or(now);
        let drained = |buckets: &[Bucket], tokens: u64| {
            buckets
                .iter()
                .map(|bucket| bucket.drained_at(tokens, now))
                .max()
                .unwrap_or(now)
                .max(pause)
        };
        let id = &self.sessions[place.session].id;
        let most = of.waiters.tokens() + own_cost;
        // The most that can go before it is cheap to know, and mostly enough.
        let own_most = of.waiters.own_tokens(place.session) + own_cost;
        let own = drained(of.by_session.of(id), own_most);
        let tenants = drained(of.by_tenant.of(&id.0), most);
        let mut ready = drained(&of.buckets, most).max(tenants).max(own);
        if ready > place.deadline {
            let before = of.waiters.tokens_before(place, |_| true);
            let own_before = of.waiters.own_tokens_before(place);
            let of_tenant = |session: usize| self.sessions[session].id.0 == id.0;
            let tenants_before = of.waiters.tokens_before(place, of_tenant);
            ready = drained(&of.buckets, before + own_cost)
                .max(drained(of.by_session.of(id), own_before + own_cost))
                .max(drained(of.by_tenant.of(&id.0), tenants_before + own_cost));
        }
        if ready > place.deadline { Err(Refused::TooLate(ready - now)) } else { Ok(()) }
    }

    /// Lets a newcomer wait. Others may wait for reasons that do not hold for it,
    /// so it may be granted at once.
    pub(super) fn enqueue(&mut self, api: usize, place: Place, now: Instant) -> (usize, Aftermath) {
        let throttled = self.apis[api].throttled.total(now);
        let waiter = self.waiters.insert(Waiter {
            api,
            place,
            throttled,
            since: now,
            waker: None,
            answer: None,
        });
        self.apis[api].waiters.push(waiter, &place);
        let mut aftermath = Aftermath::default();
        self.grant(api, now, &mut aftermath);
        (waiter, aftermath)
    }

    /// The waiter and its answer, if it has one; else it will be woken.
    pub(super) fn poll(
        &mut self,
        key: usize,
        waker: &Waker,
    ) -> Option<(Result<Rights, Refused>, Waiter)> {
        let waiter = &mut self.waiters[key];
        if let Some(answer) = waiter.answer.take() {
            return Some((answer, self.waiters.remove(key)));
        }
        if !waiter.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            waiter.waker = Some(waker.clone());
        }
        None
    }

    /// How much of its wait was for tokens until now, or until its answer.
    pub(super) fn throttled(&self, key: usize, now: Instant) -> Duration {
        match self.waiters.get(key) {
            Some(waiter) if waiter.answer.is_none() => {
                self.apis[waiter.api].throttled.total(now).saturating_sub(waiter.throttled)
            }
            answered => answered.map_or(Duration::ZERO, |waiter| waiter.throttled),
        }
    }

    /// A waiter goes, answered or not.
    pub(super) fn give_up(&mut self, key: usize, now: Instant) -> Aftermath {
        let Waiter { api, place, answer, .. } = self.waiters.remove(key);
        let mut aftermath = Aftermath::default();
        match answer {
            Some(Ok(rights)) => return self.give_back(rights, None, now),
            Some(Err(_)) => {}
            None => {
                self.apis[api].waiters.remove(&place);
                // It may have been the head that the others waited behind.
                self.grant(api, now, &mut aftermath);
            }
        }
        aftermath
    }

    /// Takes in what one attempt says of its API, gives its places back and grants
    /// them to whoever is next, the APIs in turn.
    pub(super) fn give_back(
        &mut self,
        rights: Rights,
        verdict: Option<Verdict>,
        now: Instant,
    ) -> Aftermath {
        let Rights { batch, api, tool, ticket, ramp } = rights;
        self.process.used -= 1;
        if let Some(cap) = &mut self.apis[api].cap {
            cap.used -= 1;
        }
        if let Some(cap) = &mut self.tools[tool] {
            cap.used -= 1;
        }
        let batch = &mut self.batches[batch];
        batch.cap.used -= 1;
        let session = batch.session;
        self.sessions[session].cap.used -= 1;
        let owner = self.sessions[session].owner;
        if let Some(owner) = owner {
            self.owners.give_back(owner);
        }

        if let Some(ramp) = ramp {
            self.apis[api].ramp.leave(ramp, verdict == Some(Verdict::Works));
        }
        let mut aftermath = Aftermath::default();
        if let Some(verdict) = verdict {
            self.record(api, ticket, verdict, now, &mut aftermath);
        }
        if let (Some(breaker), Some(ticket)) = (&mut self.apis[api].breaker, ticket) {
            breaker.end(ticket);
        }
        if !self.waiters.is_empty() {
            self.turn = (self.turn + 1) % self.apis.len();
            for offset in 0..self.apis.len() {
                let api = (self.turn + offset) % self.apis.len();
                self.apis[api].waiters.place_is_free(session);
                self.apis[api].waiters.tool_is_free(tool);
                if let Some(owner) = owner {
                    self.apis[api].waiters.owner_is_free(owner);
                }
                self.grant(api, now, &mut aftermath);
            }
        }
        aftermath
    }

    /// When the next grant by time can be made. Nobody keeps time from here on
    /// where there is none.
    pub(super) fn next_alarm(&mut self) -> Option<Instant> {
        let next = self.apis.iter().filter_map(|api| api.alarm).min();
        self.has_keeper = next.is_some();
        next
    }

    /// What a new alarm means for whoever keeps time. One that is to be started
    /// counts as started.
    pub(super) fn keeper(&mut self) -> Keeper {
        if self.has_keeper {
            return Keeper::ToTell;
        }
        self.has_keeper = self.apis.iter().any(|api| api.alarm.is_some());
        if self.has_keeper { Keeper::ToStart } else { Keeper::NotNeeded }
    }

    /// Makes the grants whose time has come.
    pub(super) fn ring(&mut self, now: Instant) -> Vec<Waker> {
        let mut aftermath = Aftermath::default();
        for api in 0..self.apis.len() {
            if self.apis[api].alarm.is_some_and(|alarm| alarm <= now) {
                self.grant(api, now, &mut aftermath);
            }
        }
        aftermath.woken
    }
}
