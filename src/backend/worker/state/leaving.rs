//! How a worker goes, and what becomes of its attempts.

use std::{collections::VecDeque, sync::Arc};

use super::{Aftermath, Flight, Stage, State};
use crate::backend::worker::{
    Lost, Order,
    lost::{Gone, lost_with, nobody},
};

impl State {
    /// A worker takes no new attempts: those that have not been sent go to others.
    pub(in crate::backend::worker) fn drain(&mut self, key: usize, after: &mut Aftermath) {
        if !std::mem::replace(&mut self.workers[key].is_draining, true) {
            self.resign(key, Lost::Drained, after);
        }
    }

    /// Out of its crews, with what it was given and has not got.
    fn resign(&mut self, key: usize, why: Lost, after: &mut Aftermath) {
        let worker = &mut self.workers[key];
        let gone = Gone { worker: Arc::clone(&worker.about.name), why };
        let (mut unsent, mut kept) = (Vec::new(), VecDeque::new());
        for order in std::mem::take(&mut worker.outbox) {
            match order {
                Order::Attempt(job) => unsent.push(job),
                order => kept.push_back(order),
            }
        }
        worker.outbox = kept;
        worker.in_flight -= unsent.len();
        let crews = std::mem::take(&mut worker.crews);
        for crew in &crews {
            let members = &mut self.crews[*crew];
            members.workers.retain(|other| *other != key);
            members.gone = Some(gone.clone());
        }
        for job in unsent {
            self.place(job, after);
        }
        for crew in crews {
            if !self.crews[crew].workers.is_empty() {
                continue;
            }
            for id in std::mem::take(&mut self.crews[crew].waiting) {
                let stage = self.flights.get(&id).map(|flight| &flight.stage);
                if let Some(Stage::Waiting(job)) = stage {
                    let error = nobody(&job.tool, Some(&gone));
                    self.answer_with(id, Err(error), after);
                }
            }
        }
    }

    /// A worker is gone.
    pub(in crate::backend::worker) fn leave(
        &mut self,
        key: usize,
        why: Lost,
        after: &mut Aftermath,
    ) {
        self.abandon(key, why, after);
        after.wakers.extend(self.workers.remove(key).waker);
    }

    /// A worker is nobody's to send to or to believe any more, whether it knows or not;
    /// it leaves when whoever has its stream does.
    pub(in crate::backend::worker) fn evict(
        &mut self,
        (key, number): (usize, u64),
        after: &mut Aftermath,
    ) {
        if self.workers.get(key).is_none_or(|worker| worker.number != number) {
            return;
        }
        self.abandon(key, Lost::Revoked, after);
        let worker = &mut self.workers[key];
        worker.outbox.clear();
        worker.in_flight = 0;
        worker.is_draining = true;
        worker.is_closing = true;
        after.wakers.extend(worker.waker.take());
    }

    /// What a worker had not got goes to others; of what it had, nobody knows.
    fn abandon(&mut self, key: usize, why: Lost, after: &mut Aftermath) {
        self.resign(key, why, after);
        let name = Arc::clone(&self.workers[key].about.name);
        let is_its = |flight: &Flight| matches!(flight.stage, Stage::Sent(at) if at == key);
        let mut lost: Vec<u64> =
            self.flights.iter().filter(|(_, flight)| is_its(flight)).map(|(id, _)| *id).collect();
        lost.sort_unstable();
        for id in lost {
            let others = self.flights.get(&id).map(|flight| &self.crews[flight.crew].workers);
            let is_last = others.is_none_or(Vec::is_empty);
            self.answer_with(id, Err(lost_with(&name, why, is_last)), after);
        }
    }
}
