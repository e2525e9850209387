//! Who makes which attempt, as a machine: no I/O, no async, no clock.
//!
//! ```text
//!            a worker has room          it was put on the stream      answer, loss
//!  Waiting ────────────────────► Given ──────────────────────► Sent ─────────────► gone
//!     ▲                            │
//!     └── lost or drained before ──┘
//! ```
//!
//! Whatever happens, an attempt is answered once, or withdrawn by whoever waits for
//! the answer: it leaves `flights` with either, and nothing else removes it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

use slab::Slab;
use tokio::sync::oneshot;

use super::{
    About, Job, Order,
    lost::{Gone, nobody},
};
use crate::{
    backend::{Attempt, Error, ProgressMark, Reply},
    clock::Instant,
    model::ToolName,
    telemetry::outgoing::{self, Target},
};

mod leaving;
#[cfg(test)]
mod tests;

/// What comes of an attempt.
pub type Answer = Result<Reply, Error>;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) workers: Slab<Worker>,
    crews: Slab<Members>,
    flights: HashMap<u64, Flight>,
    next_attempt: u64,
    next_worker: u64,
    /// Answers that nobody waited for.
    pub(super) unwanted: u64,
}

#[derive(Debug)]
pub(super) struct Worker {
    /// Its own for ever, where its key is given to another after it.
    number: u64,
    pub(super) about: Arc<About>,
    /// When it last said anything.
    pub(super) heard_at: Instant,
    pub(super) attempts_max: usize,
    crews: Vec<usize>,
    /// Attempts that it was given and that are not over.
    pub(super) in_flight: usize,
    /// Attempts and cancellations that are to be put on the stream: at most
    /// `attempts_max` of each.
    outbox: VecDeque<Order>,
    welcome: Option<Duration>,
    is_beat_due: bool,
    is_drain_due: bool,
    /// It takes no new attempts.
    pub(super) is_draining: bool,
    /// Nothing more goes out once the outbox is empty.
    is_closing: bool,
    waker: Option<Waker>,
}

/// The workers of one tool.
#[derive(Debug, Default)]
struct Members {
    workers: Vec<usize>,
    /// Where the next look for a worker begins, among those that are as good.
    turn: usize,
    /// Attempts that no worker has room for, in order.
    waiting: VecDeque<u64>,
    /// The last that went.
    gone: Option<Gone>,
}

#[derive(Debug)]
struct Flight {
    crew: usize,
    stage: Stage,
    progress: ProgressMark,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
enum Stage {
    /// No worker has room for it.
    Waiting(Box<Job>),
    /// In the outbox of this one.
    Given(usize),
    /// On the stream of this one.
    Sent(usize),
}

/// What is left to be done outside the lock: a waker may run anything.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    wakers: Vec<Waker>,
    answers: Vec<(oneshot::Sender<Answer>, Answer)>,
}

impl Aftermath {
    pub(super) fn settle(self) {
        for (sender, answer) in self.answers {
            // Whoever waited may have gone.
            let _ = sender.send(answer);
        }
        for waker in self.wakers {
            waker.wake();
        }
    }
}

impl State {
    /// A tool that workers will offer.
    pub(super) fn add_crew(&mut self) -> usize {
        self.crews.insert(Members::default())
    }

    /// Nobody sends it attempts any more.
    pub(super) fn remove_crew(&mut self, crew: usize) {
        for worker in self.crews.remove(crew).workers {
            self.workers[worker].crews.retain(|other| *other != crew);
        }
    }

    /// A worker that makes the attempts of these crews. Gives its key and its number.
    pub(super) fn join(
        &mut self,
        about: Arc<About>,
        attempts_max: usize,
        crews: Vec<usize>,
        (heartbeat, now): (Duration, Instant),
        after: &mut Aftermath,
    ) -> (usize, u64) {
        self.next_worker += 1;
        let number = self.next_worker;
        let worker = self.workers.insert(Worker {
            number,
            about,
            heard_at: now,
            attempts_max,
            crews: crews.clone(),
            in_flight: 0,
            outbox: VecDeque::new(),
            welcome: Some(heartbeat),
            is_beat_due: false,
            is_drain_due: false,
            is_draining: false,
            is_closing: false,
            waker: None,
        });
        for crew in crews {
            self.crews[crew].workers.push(worker);
        }
        self.refill(worker, after);
        (worker, number)
    }

    /// An attempt begins. Gives its id.
    pub(super) fn begin(
        &mut self,
        crew: usize,
        tool: ToolName,
        attempt: Attempt,
        answer: oneshot::Sender<Answer>,
        after: &mut Aftermath,
    ) -> u64 {
        self.next_attempt += 1;
        let id = self.next_attempt;
        let progress = attempt.progress.clone();
        let job = Box::new(Job { id, tool, attempt });
        self.flights.insert(id, Flight { crew, stage: Stage::Given(0), progress, answer });
        self.place(job, after);
        id
    }

    /// Gives an attempt to a worker, lets it wait for one, or says that there is
    /// none.
    fn place(&mut self, job: Box<Job>, after: &mut Aftermath) {
        let id = job.id;
        let Some(crew) = self.flights.get(&id).map(|flight| flight.crew) else { return };
        if let Some(worker) = self.choose(crew) {
            self.give(worker, job, after);
        } else if self.crews[crew].workers.is_empty() {
            let error = nobody(&job.tool, self.crews[crew].gone.as_ref());
            self.answer_with(id, Err(error), after);
        } else if let Some(flight) = self.flights.get_mut(&id) {
            flight.stage = Stage::Waiting(job);
            // In the order in which they began, also where one comes back.
            let waiting = &mut self.crews[crew].waiting;
            let at = waiting.partition_point(|other| *other < id);
            waiting.insert(at, id);
        }
    }

    /// The worker with the fewest attempts; of those the next in turn.
    fn choose(&mut self, crew: usize) -> Option<usize> {
        let members = &mut self.crews[crew];
        let count = members.workers.len();
        let of = |offset: usize| (members.turn + offset) % count.max(1);
        let (at, worker) = (0..count)
            .map(|offset| (of(offset), members.workers[of(offset)]))
            .filter(|(_, worker)| self.workers[*worker].has_room())
            .min_by_key(|(_, worker)| self.workers[*worker].in_flight)?;
        members.turn = (at + 1) % count;
        Some(worker)
    }

    fn give(&mut self, key: usize, job: Box<Job>, after: &mut Aftermath) {
        if let Some(flight) = self.flights.get_mut(&job.id) {
            flight.stage = Stage::Given(key);
        }
        let worker = &mut self.workers[key];
        worker.in_flight += 1;
        worker.outbox.push_back(Order::Attempt(job));
        after.wakers.extend(worker.waker.take());
    }

    /// The worker has room: for the attempt that has waited longest, of all tools
    /// that it offers.
    fn refill(&mut self, key: usize, after: &mut Aftermath) {
        while self.workers[key].has_room() {
            let firsts = self.workers[key].crews.iter().filter_map(|crew| {
                let first = self.crews[*crew].waiting.front()?;
                Some((*first, *crew))
            });
            let Some((id, crew)) = firsts.min() else { return };
            self.crews[crew].waiting.pop_front();
            let Some(flight) = self.flights.get_mut(&id) else { continue };
            if let Stage::Waiting(job) = std::mem::replace(&mut flight.stage, Stage::Given(key)) {
                self.give(key, job, after);
            }
        }
    }

    /// Nobody waits for the attempt's answer any more.
    pub(super) fn withdraw(&mut self, id: u64, after: &mut Aftermath) {
        let Some(Flight { crew, stage, .. }) = self.flights.remove(&id) else { return };
        match stage {
            Stage::Waiting(_) => self.crews[crew].waiting.retain(|other| *other != id),
            Stage::Given(key) => {
                let outbox = &mut self.workers[key].outbox;
                outbox.retain(|order| !matches!(order, Order::Attempt(job) if job.id == id));
                self.is_over(key, after);
            }
            Stage::Sent(key) => {
                let worker = &mut self.workers[key];
                worker.outbox.push_back(Order::Cancel(id));
                after.wakers.extend(worker.waker.take());
                self.is_over(key, after);
            }
        }
    }

    fn is_over(&mut self, key: usize, after: &mut Aftermath) {
        self.workers[key].in_flight -= 1;
        self.refill(key, after);
    }

    /// The next order for a worker; ready with `None` where there will be none.
    pub(super) fn next(
        &mut self,
        (key, number): (usize, u64),
        waker: &Waker,
    ) -> Poll<Option<Order>> {
        let Some(worker) = self.workers.get_mut(key).filter(|worker| worker.number == number)
        else {
            return Poll::Ready(None);
        };
        if let Some(heartbeat) = worker.welcome.take() {
            return Poll::Ready(Some(Order::Welcome(heartbeat)));
        }
        if std::mem::take(&mut worker.is_beat_due) {
            return Poll::Ready(Some(Order::Heartbeat));
        }
        if let Some(order) = worker.outbox.pop_front() {
            if let Order::Attempt(job) = &order {
                // It may leave from here on.
                job.attempt.sent.set();
                if let Some(trace) = &job.attempt.trace {
                    let worker = Arc::clone(&worker.about.name);
                    let target = outgoing::Worker { worker, tool: job.tool.as_str().into() };
                    trace.goes_to(&Arc::new(Target::Worker(target)));
                }
                if let Some(flight) = self.flights.get_mut(&job.id) {
                    flight.stage = Stage::Sent(key);
                }
            }
            return Poll::Ready(Some(order));
        }
        if std::mem::take(&mut worker.is_drain_due) {
            return Poll::Ready(Some(Order::Drain));
        }
        if worker.is_closing {
            return Poll::Ready(None);
        }
        worker.waker = Some(waker.clone());
        Poll::Pending
    }

    /// A worker answers. False where nobody waits for it: it is late, given twice,
    /// or not this worker's to give.
    pub(super) fn answer(
        &mut self,
        key: usize,
        id: u64,
        answer: Answer,
        after: &mut Aftermath,
    ) -> bool {
        if !self.is_with(key, id) {
            self.unwanted += 1;
            return false;
        }
        self.answer_with(id, answer, after);
        self.is_over(key, after);
        true
    }

    /// Where an attempt of a worker says how far it is.
    pub(super) fn progress(&self, key: usize, id: u64) -> Option<ProgressMark> {
        let flight = self.flights.get(&id).filter(|_| self.is_with(key, id))?;
        Some(flight.progress.clone())
    }

    fn is_with(&self, key: usize, id: u64) -> bool {
        let stage = self.flights.get(&id).map(|flight| &flight.stage);
        matches!(stage, Some(Stage::Sent(at)) if *at == key)
    }

    fn answer_with(&mut self, id: u64, answer: Answer, after: &mut Aftermath) {
        if let Some(flight) = self.flights.remove(&id) {
            after.answers.push((flight.answer, answer));
        }
    }

    /// It is time for a heartbeat. One that is still to be sent is enough.
    pub(super) fn beat(&mut self, key: usize, after: &mut Aftermath) {
        self.with(key, after, |worker| worker.is_beat_due = true);
    }

    /// No more attempts come: tells the worker so, and then nothing any more.
    pub(super) fn dismiss(&mut self, key: usize, after: &mut Aftermath) {
        self.with(key, after, |worker| {
            worker.is_drain_due = true;
            worker.is_closing = true;
        });
    }

    fn with(&mut self, key: usize, after: &mut Aftermath, change: impl FnOnce(&mut Worker)) {
        if let Some(worker) = self.workers.get_mut(key) {
            change(worker);
            after.wakers.extend(worker.waker.take());
        }
    }
}

impl State {
    /// Attempts that are not over.
    #[cfg(test)]
    pub(super) fn flights(&self) -> usize {
        self.flights.len()
    }
}

impl Worker {
    fn has_room(&self) -> bool {
        !self.is_draining && self.in_flight < self.attempts_max
    }
}
