//! What attempts say of their APIs: that they work, that they fail, that they want
//! to be left alone.

use std::time::Duration;

use super::{Aftermath, State};
use crate::{
    clock::Instant,
    limits::{
        breaker::{Change, Ticket, Verdict},
        gate::Refused,
    },
    model::ApiName,
};

impl State {
    /// Takes in what an attempt says of its API while it still holds its places.
    pub(in crate::limits::gate) fn report(
        &mut self,
        api: usize,
        ticket: Option<Ticket>,
        verdict: Verdict,
        now: Instant,
    ) -> Aftermath {
        let mut aftermath = Aftermath::default();
        self.record(api, ticket, verdict, now, &mut aftermath);
        self.grant(api, now, &mut aftermath);
        aftermath
    }

    pub(super) fn record(
        &mut self,
        api: usize,
        ticket: Option<Ticket>,
        verdict: Verdict,
        now: Instant,
        aftermath: &mut Aftermath,
    ) {
        let of = &mut self.apis[api];
        let (Some(breaker), Some(ticket)) = (&mut of.breaker, ticket) else {
            return;
        };
        let Some(change) = breaker.record(ticket, verdict, now) else {
            return;
        };
        if let Change::Opened(barred) = change {
            let barred = of.paused(barred, now);
            let total = of.throttled.total(now);
            for key in of.waiters.clear() {
                let waiter = &mut self.waiters[key];
                waiter.answer = Some(Err(Refused::Barred(barred)));
                waiter.throttled = total.saturating_sub(waiter.throttled);
                aftermath.woken.extend(waiter.waker.take());
            }
        }
        aftermath.change = of.name.clone().map(|name| (name, change));
    }

    /// Grants nothing at that API for `wait`, or the longest pause where that is
    /// shorter, and answers those whose deadlines come before its end. What time
    /// allowed until now, and nobody has looked at yet, is granted where the pause is
    /// over already.
    pub(in crate::limits::gate) fn pause(
        &mut self,
        api: &ApiName,
        wait: Duration,
        now: Instant,
    ) -> Aftermath {
        let mut aftermath = Aftermath::default();
        let Some(&api) = self.api_keys.get(api) else {
            return aftermath;
        };
        let of = &mut self.apis[api];
        of.paused_until = of.paused_until.max(now.checked_add(wait.min(of.pause_max)));
        of.ramp.begin();
        if let Some(until) = of.paused_until.filter(|until| *until > now) {
            let total = of.throttled.total(now);
            while let Some(key) = of.waiters.due_before(until) {
                let waiter = &mut self.waiters[key];
                of.waiters.remove(&waiter.place);
                waiter.answer = Some(Err(Refused::TooLate(until - now)));
                waiter.throttled = total.saturating_sub(waiter.throttled);
                aftermath.woken.extend(waiter.waker.take());
            }
        }
        self.grant(api, now, &mut aftermath);
        aftermath
    }

    /// How long that API's pause lasts yet.
    pub(in crate::limits::gate) fn pause_left(&self, api: &ApiName, now: Instant) -> Duration {
        let until = self.api_keys.get(api).and_then(|&api| self.apis[api].paused_until);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}
