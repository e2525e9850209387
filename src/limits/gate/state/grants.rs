//! Who is granted what: all of it together, in order.

use std::num::NonZeroU32;

use super::{Aftermath, Cap, OutOfPlaces, Place, Rights, State};
use crate::{
    clock::Instant,
    limits::gate::{api::ready, queue::Lack},
};

/// Who is next at an API.
pub(super) enum Next {
    Waiter(usize),
    /// Nobody before.
    At(Instant),
    /// Nobody before places are given back.
    Nobody,
}

/// What a look at a session shows.
enum Look {
    Ready(usize),
    /// Its head lacks what all share, and keeps its place for it.
    LacksShared(Instant),
    /// It lacks what is its own, or a place of its tools.
    LacksOwn {
        lacks: Vec<(Lack, Option<Instant>)>,
        lacks_place: bool,
    },
}

/// The waiter of a session that goes first among those that have room, and what
/// keeps others of it from having any.
#[derive(Default)]
pub(super) struct Head {
    pub(super) first: Option<(usize, NonZeroU32)>,
    full_tools: Vec<usize>,
    /// The session's owner, where it has no place left.
    full_owner: Option<usize>,
    /// A place of the session's own, or of one of its batches.
    lacks_place: bool,
}

impl State {
    /// Grants to the waiters of `api` while all is there for the next, and sets its
    /// alarm.
    pub(super) fn grant(&mut self, api: usize, now: Instant, aftermath: &mut Aftermath) {
        self.grant_at(api, now, aftermath);
        self.let_others_pass(now, aftermath);
    }

    /// A session that was granted its last place may stand before others, for tokens
    /// that they share: first at another API, or first of those who stand aside there. It
    /// cannot use them any more, and whoever is behind it is not to wait until they are
    /// there. So may any session of an owner that was granted its last.
    pub(super) fn let_others_pass(&mut self, now: Instant, aftermath: &mut Aftermath) {
        while let Some(OutOfPlaces { session, owner, api: granted_at }) =
            aftermath.out_of_places.pop()
        {
            for api in 0..self.apis.len() {
                let waiters = &self.apis[api].waiters;
                if waiters.len() == 0 {
                    continue;
                }
                let is_meant = |head: &usize| {
                    *head == session || owner.is_some() && self.sessions[*head].owner == owner
                };
                let tenant = &self.sessions[session].id.0;
                let aside: Vec<usize> = waiters.heads_aside(tenant).filter(is_meant).collect();
                // Where it was granted, whoever is first has been looked at since.
                let first = waiters.first_session().filter(|_| api != granted_at);
                if aside.is_empty() && !first.as_ref().is_some_and(is_meant) {
                    continue;
                }
                for head in aside {
                    self.apis[api].waiters.come_forward(head);
                }
                self.grant_at(api, now, aftermath);
            }
        }
    }

    fn grant_at(&mut self, api: usize, now: Instant, aftermath: &mut Aftermath) {
        if self.apis[api].waiters.len() == 0 && self.apis[api].alarm.is_none() {
            return;
        }
        let alarm = loop {
            match self.next(api, now) {
                Next::Waiter(waiter) => {
                    let place = self.waiters[waiter].place;
                    let rights = self.take(api, &place, now, aftermath);
                    self.apis[api].waiters.serve(&place);
                    let total = self.apis[api].throttled.total(now);
                    let waiter = &mut self.waiters[waiter];
                    waiter.answer = Some(Ok(rights));
                    waiter.throttled = total.saturating_sub(waiter.throttled);
                    aftermath.woken.extend(waiter.waker.take());
                }
                Next::At(when) => break Some(when),
                Next::Nobody => break None,
            }
        };
        let of = &mut self.apis[api];
        // Whoever keeps time must know of one that is sooner, or that there is none.
        aftermath.has_new_alarm |= match (alarm, of.alarm) {
            (Some(new), Some(old)) => new < old,
            (new, old) => new.is_some() != old.is_some(),
        };
        of.alarm = alarm;
        of.throttled.set(alarm.is_some(), now);
    }

    /// Who is next at `api`. Those that are looked at and lack what is their own stand
    /// aside from then on, so that nobody is looked at again before something has
    /// changed for him.
    pub(super) fn next(&mut self, api: usize, now: Instant) -> Next {
        if self.is_full(api, now) || self.apis[api].waiters.len() == 0 {
            return Next::Nobody;
        }
        self.apis[api].waiters.open_due(now);
        let mut shared = None;
        while let Some(session) = self.apis[api].waiters.first_session() {
            match self.look(api, session, now) {
                Look::Ready(waiter) => return Next::Waiter(waiter),
                Look::LacksShared(until) => {
                    shared = Some(until);
                    break;
                }
                Look::LacksOwn { lacks, lacks_place } => {
                    self.apis[api].waiters.stand_aside(session, lacks, lacks_place);
                }
            }
        }
        let own = self.apis[api].waiters.next_alarm();
        let next = shared.map_or(own, |shared| Some(own.map_or(shared, |own| own.min(shared))));
        next.map_or(Next::Nobody, Next::At)
    }

    /// What the waiter of a session that goes first lacks, if anything.
    fn look(&mut self, api: usize, session: usize, now: Instant) -> Look {
        #[cfg(test)]
        {
            self.looks += 1;
        }
        let Head { first, full_tools, full_owner, lacks_place } = self.head_of(api, session);
        let lacks_own = |own: Option<(Lack, Instant)>| {
            let tools = full_tools.into_iter().map(|tool| (Lack::Tool(tool), None));
            let owner = full_owner.map(|owner| (Lack::Owner(owner), None));
            let own = own.map(|(lack, until)| (lack, Some(until)));
            Look::LacksOwn { lacks: tools.chain(owner).chain(own).collect(), lacks_place }
        };
        let Some((waiter, cost)) = first else {
            return lacks_own(None);
        };
        if let Some(own) = self.own_lack(api, session, cost, now) {
            return lacks_own(Some(own));
        }
        self.shared_ready(api, cost, now).map_or(Look::Ready(waiter), Look::LacksShared)
    }

    pub(super) fn head_of(&self, api: usize, session: usize) -> Head {
        let mut head = Head::default();
        if self.sessions[session].cap.is_full() {
            head.lacks_place = true;
            return head;
        }
        let owner = self.sessions[session].owner;
        if self.owners.is_full(owner) {
            head.full_owner = owner;
            return head;
        }
        let waiters = &self.apis[api].waiters;
        let has_room = |tool: usize| !self.tools[tool].as_ref().is_some_and(Cap::is_full);
        for batch in waiters.batches(session) {
            if self.batches[batch].cap.is_full() {
                head.lacks_place = true;
                continue;
            }
            head.first = waiters.first(session, batch, has_room, &mut head.full_tools);
            if head.first.is_some() {
                break;
            }
        }
        head.full_tools.sort_unstable();
        head.full_tools.dedup();
        head
    }

    /// Which tokens of the session's or its tenant's own there are too few of, and
    /// until when; or who goes before it who lacks the same.
    pub(super) fn own_lack(
        &mut self,
        api: usize,
        session: usize,
        cost: NonZeroU32,
        now: Instant,
    ) -> Option<(Lack, Instant)> {
        let id = &self.sessions[session].id;
        let of = &mut self.apis[api];
        let (buckets, is_shared) = of.by_session.found(id);
        let lack = if is_shared { Lack::Sessions } else { Lack::Session(session) };
        let is_behind = is_shared && of.waiters.is_behind(&lack, session);
        if let Some(until) = ready(buckets, cost).or(is_behind.then_some(now)) {
            return Some((lack, until));
        }
        let (buckets, is_shared) = of.by_tenant.found(&id.0);
        if buckets.is_empty() {
            return None;
        }
        let lack = if is_shared { Lack::Tenants } else { Lack::Tenant(id.0.clone()) };
        // A costly call is not starved by cheap ones of its tenant's other sessions.
        let is_behind = of.waiters.is_behind(&lack, session);
        let until = ready(buckets, cost).or(is_behind.then_some(now))?;
        Some((lack, until))
    }

    pub(super) fn is_full(&self, api: usize, now: Instant) -> bool {
        self.process.is_full() || self.apis[api].is_shut(now)
    }

    pub(super) fn has_room(&self, batch: usize, tool: usize) -> bool {
        let batch = &self.batches[batch];
        let session = &self.sessions[batch.session];
        !batch.cap.is_full()
            && !session.cap.is_full()
            && !self.owners.is_full(session.owner)
            && !self.tools[tool].as_ref().is_some_and(Cap::is_full)
    }

    /// When the API is not paused, no longer only starts after a pause, and the
    /// buckets that all share have so many tokens; `None` where at once.
    pub(super) fn shared_ready(
        &self,
        api: usize,
        cost: NonZeroU32,
        now: Instant,
    ) -> Option<Instant> {
        let of = &self.apis[api];
        let paused = of.paused_until.filter(|until| *until > now);
        ready(&of.buckets, cost).max(paused).max(of.ramp.ready_at(now))
    }

    /// Takes everything that an attempt needs; all of it is there.
    pub(super) fn take(
        &mut self,
        api: usize,
        place: &Place,
        now: Instant,
        aftermath: &mut Aftermath,
    ) -> Rights {
        self.process.take();
        if let Some(cap) = &mut self.apis[api].cap {
            cap.take();
        }
        if let Some(cap) = &mut self.tools[place.tool] {
            cap.take();
        }
        let batch = &mut self.batches[place.batch];
        batch.cap.take();
        let session = &mut self.sessions[batch.session];
        session.cap.take();
        if let Some(owner) = session.owner {
            self.owners.take(owner);
        }
        let owner = session.owner.filter(|owner| self.owners.is_full(Some(*owner)));
        if batch.cap.is_full() || session.cap.is_full() || owner.is_some() {
            let session = batch.session;
            aftermath.out_of_places.push(OutOfPlaces { session, owner, api });
        }
        let of = &mut self.apis[api];
        let own = of.by_session.of(&session.id).iter().chain(of.by_tenant.of(&session.id.0));
        for bucket in of.buckets.iter().chain(own) {
            let was_there = bucket.take(bucket.affordable(place.cost));
            debug_assert!(was_there, "a token was granted that was not there");
        }
        let ticket = of.breaker.as_mut().map(|breaker| breaker.begin(now));
        let ramp = of.ramp.enter(now);
        Rights { batch: place.batch, api, tool: place.tool, ticket, ramp }
    }
}
