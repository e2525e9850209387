//! Who is granted what: all of it together, in order.

use std::num::NonZeroU32;

use super::{Aftermath, Cap, Place, Rights, State};
use crate::{clock::Instant, limits::gate::api::ready};

/// Who is next at an API.
pub(super) enum Next {
    Waiter(usize),
    /// Nobody before.
    At(Instant),
    /// Nobody before places are given back.
    Nobody,
}

impl State {
    /// Grants to the waiters of `api` while all is there for the next, and sets its
    /// alarm.
    pub(super) fn grant(&mut self, api: usize, now: Instant, aftermath: &mut Aftermath) {
        if self.apis[api].waiters.len() == 0 && self.apis[api].alarm.is_none() {
            return;
        }
        let alarm = loop {
            match self.next(api, now) {
                Next::Waiter(waiter) => {
                    let place = self.waiters[waiter].place;
                    let rights = self.take(api, &place, now);
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

    pub(super) fn next(&mut self, api: usize, now: Instant) -> Next {
        if self.is_full(api, now) || self.apis[api].waiters.len() == 0 {
            return Next::Nobody;
        }
        let mut soonest: Option<Instant> = None;
        let mut at = None;
        while let Some(turn) = self.apis[api].waiters.session_after(at) {
            let session = turn.1;
            at = Some(turn);
            let Some((waiter, cost)) = self.first_of(api, session) else {
                continue;
            };
            if let Some(ready) = self.shared_ready(api, cost, now) {
                return Next::At(ready);
            }
            match self.own_ready(api, session, cost) {
                Some(own) => soonest = Some(soonest.map_or(own, |other| other.min(own))),
                None => return Next::Waiter(waiter),
            }
        }
        soonest.map_or(Next::Nobody, Next::At)
    }

    /// The waiter of a session that goes first among those that have room.
    pub(super) fn first_of(&self, api: usize, session: usize) -> Option<(usize, NonZeroU32)> {
        if self.sessions[session].cap.is_full() {
            return None;
        }
        let waiters = &self.apis[api].waiters;
        waiters.batches(session).filter(|batch| !self.batches[*batch].cap.is_full()).find_map(
            |batch| {
                waiters.first(session, batch, |tool| {
                    !self.tools[tool].as_ref().is_some_and(Cap::is_full)
                })
            },
        )
    }

    pub(super) fn is_full(&self, api: usize, now: Instant) -> bool {
        self.process.is_full() || self.apis[api].is_shut(now)
    }

    pub(super) fn has_room(&self, batch: usize, tool: usize) -> bool {
        let batch = &self.batches[batch];
        !batch.cap.is_full()
            && !self.sessions[batch.session].cap.is_full()
            && !self.tools[tool].as_ref().is_some_and(Cap::is_full)
    }

    /// When the API is not paused and the buckets that all share have so many
    /// tokens; `None` where at once.
    pub(super) fn shared_ready(
        &self,
        api: usize,
        cost: NonZeroU32,
        now: Instant,
    ) -> Option<Instant> {
        let of = &self.apis[api];
        ready(&of.buckets, cost).max(of.paused_until.filter(|until| *until > now))
    }

    /// When the session's own buckets have; `None` where at once.
    pub(super) fn own_ready(
        &mut self,
        api: usize,
        session: usize,
        cost: NonZeroU32,
    ) -> Option<Instant> {
        let session = &self.sessions[session].id;
        ready(self.apis[api].by_session.of(session), cost)
    }

    /// Takes everything that an attempt needs; all of it is there.
    pub(super) fn take(&mut self, api: usize, place: &Place, now: Instant) -> Rights {
        self.process.used += 1;
        if let Some(cap) = &mut self.apis[api].cap {
            cap.used += 1;
        }
        if let Some(cap) = &mut self.tools[place.tool] {
            cap.used += 1;
        }
        let batch = &mut self.batches[place.batch];
        batch.cap.used += 1;
        let session = &mut self.sessions[batch.session];
        session.cap.used += 1;
        let of = &mut self.apis[api];
        for bucket in of.buckets.iter().chain(of.by_session.of(&session.id)) {
            let was_there = bucket.take(place.cost);
            debug_assert!(was_there, "a token was granted that was not there");
        }
        let ticket = of.breaker.as_mut().map(|breaker| breaker.begin(now));
        Rights { batch: place.batch, api, tool: place.tool, ticket }
    }
}
