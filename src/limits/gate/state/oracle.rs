//! The rules as they stand, for tests: everybody is looked at, whatever is known of
//! him.

use super::State;
use crate::{clock::Instant, limits::gate::api::ready, model::ApiName};

impl State {
    pub(in crate::limits::gate) fn open_sessions(&self) -> usize {
        assert_eq!(self.sessions.len(), self.session_keys.len());
        self.sessions.len()
    }

    pub(in crate::limits::gate) fn breaker_of(
        &self,
        api: &ApiName,
    ) -> crate::limits::breaker::Status {
        let breaker = self.apis[self.api_keys[api]].breaker.as_ref();
        breaker.unwrap().status(crate::clock::now())
    }

    /// Nobody waits who could run. That no cap is exceeded is seen where a place is
    /// taken: one that was made smaller may be, by those who had theirs before.
    pub(in crate::limits::gate) fn check_invariants(&mut self) {
        self.check_invariants_but(false);
    }

    /// As before, of those whom time is to bring no tokens: who waits for those is
    /// looked at when it has, also where a place that was given away meanwhile, at
    /// this API or another, has brought another call of theirs to the head or has
    /// left them without one.
    pub(in crate::limits::gate) fn check_invariants_but_for_tokens(&mut self) {
        self.check_invariants_but(true);
    }

    fn check_invariants_but(&mut self, for_tokens: bool) {
        let in_flight: usize = self.apis.iter().flat_map(|api| &api.cap).map(|cap| cap.used).sum();
        assert_eq!(self.process.used, in_flight);
        let queued = self.waiters.iter().filter(|(_, waiter)| waiter.answer.is_none());
        assert_eq!(queued.count(), self.apis.iter().map(|api| api.waiters.len()).sum::<usize>());
        let now = crate::clock::now();
        // Nobody waits for the end of a pause that comes too late for it.
        for waiter in self.waiters.iter().map(|(_, waiter)| waiter) {
            let pause = self.apis[waiter.api].paused_until.filter(|until| *until > now);
            let is_in_time = pause.is_none_or(|until| waiter.place.deadline >= until);
            assert!(is_in_time || waiter.answer.is_some(), "waits for a pause in vain");
        }
        for api in 0..self.apis.len() {
            assert!(!self.somebody_could_run(api, now, for_tokens), "could run and waits");
            // Whoever waits for time alone is woken by it.
            let next = self.apis[api].waiters.next_alarm().filter(|_| !self.is_full(api, now));
            assert!(next.is_none_or(|next| self.apis[api].alarm.is_some_and(|set| set <= next)));
        }
    }

    /// Looks at everyone in turn, as if nobody stood aside.
    fn somebody_could_run(&mut self, api: usize, now: Instant, but_for_tokens: bool) -> bool {
        if self.is_full(api, now) {
            return false;
        }
        let mut tenants_behind = Vec::new();
        for session in self.apis[api].waiters.sessions_in_turn() {
            let of = &self.apis[api];
            if but_for_tokens && of.waiters.stands_aside_for_tokens(session) {
                continue;
            }
            let Some((_, cost)) = self.head_of(api, session).first else {
                // It was the head, and all wait behind it for what they share.
                let keeps_its_place = of.waiters.first_session() == Some(session);
                if but_for_tokens && keeps_its_place && of.alarm.is_some_and(|set| set > now) {
                    return false;
                }
                continue;
            };
            let id = self.sessions[session].id.clone();
            let of = &mut self.apis[api];
            if ready(of.by_session.of(&id), cost).is_some() || tenants_behind.contains(&id.0) {
                continue;
            }
            if ready(of.by_tenant.of(&id.0), cost).is_some() {
                tenants_behind.push(id.0);
                continue;
            }
            return self.shared_ready(api, cost, now).is_none();
        }
        false
    }
}
