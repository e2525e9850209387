//! Drives one batch: turns the world into events for the machine and the
//! machine's actions into the world.
//!
//! One task owns all of a batch's state. It ends when the machine says that the
//! batch has ended, and leaves nothing behind: dropping it drops every wait and
//! every attempt that it still holds.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{
    FutureExt, StreamExt,
    future::{AbortHandle, Abortable, Aborted},
    stream::FuturesUnordered,
};
use tokio::{sync::mpsc, time::Sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Event,
    batch_state::{self, Action, BatchState, CancelReason, Ending, Traits},
    batches::Command,
    executor::{Done, Task},
    intake::Intake,
    observer::Observer,
    outcome::Ledger,
};
use crate::{
    backend::{Reply, SentMark, progress::Reports},
    budget::{Counted, Session},
    cache::Write,
    clock::{self, Instant},
    limits::{Asked, Mark, Permit, Request, Scope, Waiting},
    model::{AsItIs, Content, Digest, Json, Sent},
};

mod arrivals;
mod attempts;
mod ends;
mod locking;
mod prepare;
mod refusals;
mod reuse;
mod spending;

pub(super) use arrivals::Coming;
use locking::Locks;
pub(super) use locking::Locksmith;
use reuse::Start;

/// The task of one batch.
pub(super) struct Dispatcher {
    ledger: Ledger,
    intake: Intake,
    state: BatchState,
    flights: Vec<Flight>,
    /// Who runs for all that ask for the same, by their group.
    leaders: HashMap<(usize, Digest), usize, AsItIs>,
    /// How often a call that may change something began or ended.
    writes: u64,
    /// Events of the machine that are to be applied.
    inbox: VecDeque<batch_state::Event>,
    /// What the machine wants done, empty between events: kept for its room.
    actions: Vec<Action>,
    tasks: FuturesUnordered<Abortable<Task>>,
    /// What time will bring; stale entries are passed over.
    timers: BinaryHeap<Reverse<(Instant, usize, Timer)>>,
    /// How far its attempts are.
    reports: Reports,
    scope: Arc<Scope>,
    locksmith: Locksmith,
    session: Arc<Session>,
    /// What the turn has beside, where it is still coming.
    coming: Option<Box<Coming>>,
    deadline: Instant,
    /// When what is being done began: read once for all that follows from it.
    now: Instant,
    has_ended: bool,
}

/// What a moment means for a call.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Timer {
    /// Its next attempt may be made.
    BackedOff,
    /// Its time is over.
    Deadline,
    /// So is the batch's, and its turn may not be whole.
    Turn,
}

/// What a call that is not terminal has under way.
#[derive(Debug, Default)]
struct Flight {
    abort: Option<AbortHandle>,
    /// Names its wait for its rights to the gate.
    waiting: Option<Waiting>,
    locks: Locks,
    permit: Option<Permit>,
    input: Option<Json>,
    deadline: Option<Instant>,
    /// When the attempt in flight must have ended.
    attempt_deadline: Option<Instant>,
    /// Names the attempt in flight to the gate.
    mark: Option<Mark>,
    /// The wait before the next attempt.
    delay: Duration,
    /// Of the attempt in flight, if there is one.
    sent: Option<SentMark>,
    /// Of the input, where somebody asked for it.
    digest: Option<Digest>,
    /// When the last attempt of one that only reads began.
    started: Option<Start>,
    /// Held by one that may change something from its first attempt to its end.
    write: Option<Arc<Write>>,
    /// What it has taken of the session's calls.
    counted: Option<Counted>,
    /// Whether it has paid what it costs.
    has_paid: bool,
}

impl Dispatcher {
    pub(super) fn new(
        intake: Intake,
        (scope, locksmith, session): (Arc<Scope>, Locksmith, Arc<Session>),
        deadline: Instant,
        now: Instant,
        told: (mpsc::Sender<Event>, Observer),
    ) -> Self {
        let traits = intake.tools.iter().map(|tool| Traits::of(tool.as_deref()));
        let state = match intake.is_growing() {
            true => BatchState::growing(),
            false => BatchState::new(Arc::clone(&intake.plan), traits.collect()),
        };
        let ledger = Ledger::new(&intake, now, told);
        let flights = intake.calls.iter().map(|_| Flight::default()).collect();
        Self {
            ledger,
            intake,
            state,
            flights,
            leaders: HashMap::default(),
            writes: 0,
            inbox: VecDeque::new(),
            actions: Vec::new(),
            tasks: FuturesUnordered::new(),
            timers: BinaryHeap::new(),
            reports: Reports::default(),
            scope,
            locksmith,
            session,
            coming: None,
            deadline,
            now,
            has_ended: false,
        }
    }

    /// Takes the batch's first steps: tells that it was accepted, and asks for the
    /// rights of the calls that wait for nothing. Whoever submitted it does so
    /// himself, which saves waking a task for it.
    pub(super) fn begin(&mut self) {
        self.ledger.accepted(&self.intake.accepted);
        self.feed(batch_state::Event::Begun);
    }

    /// Runs the batch to its end. `places` are given back before the last event
    /// leaves, so that whoever has seen it finds them free.
    pub(super) async fn run<P>(
        mut self,
        commands: Option<mpsc::Receiver<Command>>,
        killed: CancellationToken,
        places: P,
    ) {
        self.drive(commands, killed).await;

        let Self { ledger, intake, tasks, flights, scope, session, coming, .. } = self;
        let broken = coming.and_then(|coming| coming.into_broken());
        drop((tasks, flights, scope, session, places));
        ledger.end(&intake.plan, broken);
    }

    async fn drive(
        &mut self,
        mut commands: Option<mpsc::Receiver<Command>>,
        killed: CancellationToken,
    ) {
        let caller = self.ledger.events().clone();
        let caller_gone = caller.closed();
        let killed = killed.cancelled();
        let reports = self.reports.clone();
        let timer = tokio::time::sleep_until(self.deadline);
        tokio::pin!(caller_gone, killed, timer);

        while !self.has_ended {
            self.set(timer.as_mut());
            tokio::select! {
                biased;
                () = &mut killed => self.cancel_all(CancelReason::Shutdown),
                () = &mut caller_gone => self.cancel_all(CancelReason::CallerGone),
                Some(command) = ends::next(&mut commands) => self.obey(command),
                Some(done) = self.tasks.next(), if !self.tasks.is_empty() => {
                    self.take_if_wanted(done);
                    // What else is done already needs no look at the other arms. This
                    // polls with no waker; the next turn of the loop polls with ours.
                    while !self.has_ended
                        && let Some(Some(done)) = self.tasks.next().now_or_never()
                    {
                        self.take_if_wanted(done);
                    }
                }
                () = reports.news() => self.tell_progress(),
                () = &mut timer => self.expire(),
                step = arrivals::next(&mut self.coming), if self.coming.is_some() => {
                    self.take_steps(step);
                }
            }
        }
    }

    /// Lets the timer fire when the next call's time is over.
    fn set(&self, mut timer: Pin<&mut Sleep>) {
        if let Some(Reverse((next, ..))) = self.timers.peek()
            && *next != timer.deadline()
        {
            timer.as_mut().reset(*next);
        }
    }

    /// Applies an event and all that follows from it.
    fn feed(&mut self, event: batch_state::Event) {
        self.inbox.push_back(event);
        let mut actions = std::mem::take(&mut self.actions);
        while let Some(event) = self.inbox.pop_front() {
            if let Err(illegal) = self.state.apply(event, &mut actions) {
                tracing::error!(
                    batch.id = %self.intake.accepted.batch_id,
                    trace.id = self.intake.trace.as_ref().map(tracing::field::display),
                    error = %illegal,
                    "A batch was driven against its rules; the event is passed over"
                );
            }
            for action in actions.drain(..) {
                self.perform(action);
            }
        }
        self.actions = actions;
    }

    fn perform(&mut self, action: Action) {
        if let Action::Lock(call) | Action::Enqueue(call) = &action {
            // Perhaps it waited for an identical one until now.
            self.ledger.goes_alone(*call, self.now);
        }
        match action {
            Action::Prepare(call) => {
                let event = self
                    .prepare(call)
                    .unwrap_or_else(|failure| batch_state::Event::Rejected(call, failure));
                self.inbox.push_back(event);
            }
            Action::Lock(call) => self.lock(call),
            Action::Enqueue(call) => self.enqueue(call),
            Action::Run { call, attempt } => self.run_attempt(call, attempt),
            Action::BackOff { call, attempt, failure } => self.back_off(call, attempt, failure),
            Action::Abandon(call) => {
                let flight = &mut self.flights[call];
                if let Some(abort) = flight.abort.take() {
                    abort.abort();
                }
                flight.permit = None;
                if let Some(waiting) = flight.waiting.take() {
                    self.ledger.throttled(call, self.scope.throttled(waiting), self.now);
                }
            }
            Action::Finish(call, ending) => self.finish(call, ending),
            Action::EndBatch => self.has_ended = true,
        }
    }

    fn enqueue(&mut self, call: usize) {
        self.ledger.queued(call, self.now);
        let deadline = self.flights[call].deadline.unwrap_or(self.deadline);
        if deadline <= self.now {
            // It shared the run of one whose time was over with its own.
            self.inbox.push_back(batch_state::Event::TimeUp(call, Sent::No));
            return;
        }
        // One that was to share another's run has not paid yet.
        if let Err(failure) = self.pay(call) {
            self.inbox.push_back(batch_state::Event::Refused(call, failure));
            return;
        }
        let Some(tool) = self.intake.tools[call].as_ref() else {
            return;
        };
        let (cost, path) = (tool.cost, self.intake.paths[call]);
        let request = Request { api: &tool.api, tool: &tool.name, cost, path, deadline };
        match self.scope.ask(request) {
            Asked::Granted(permit) => {
                self.flights[call].permit = Some(permit);
                self.inbox.push_back(batch_state::Event::Granted(call));
            }
            Asked::Waiting(wait) => {
                self.flights[call].waiting = wait.name();
                self.track(call, Task::wait(call, wait));
            }
            Asked::Refused(refused) => {
                let failure = self.refused(call, refused);
                self.inbox.push_back(batch_state::Event::Refused(call, failure));
            }
        }
    }

    fn track(&mut self, call: usize, task: Task) {
        let (abort, registration) = AbortHandle::new_pair();
        self.flights[call].abort = Some(abort);
        self.tasks.push(Abortable::new(task, registration));
    }

    /// One that was abandoned is passed over: the machine has been told.
    fn take_if_wanted(&mut self, done: Result<Done, Aborted>) {
        if let Ok(done) = done {
            self.take(done);
        }
    }

    fn take(&mut self, done: Done) {
        self.now = clock::now();
        match done {
            Done::Locked(call, guard) => self.locked(call, guard),
            Done::Asked(call, answer, throttled) => {
                self.ledger.throttled(call, throttled, self.now);
                self.flights[call].waiting = None;
                let event = match answer {
                    Ok(permit) => {
                        self.flights[call].permit = Some(permit);
                        batch_state::Event::Granted(call)
                    }
                    Err(refused) => {
                        self.flights[call].abort = None;
                        batch_state::Event::Refused(call, self.refused(call, refused))
                    }
                };
                self.feed(event);
            }
            Done::Answered(call, answer, permit) => {
                // What it said before its answer is told before it.
                self.tell_progress();
                self.flights[call].abort = None;
                let ran = self.ledger.stopped(call, self.now);
                self.learn(call, &answer, ran, permit);
                match answer {
                    Ok(Reply { content, .. }) => {
                        if let Some(tool) = &self.intake.tools[call] {
                            tool.latency.record(ran);
                        }
                        self.succeed(call, content);
                    }
                    Err(error) => self.fail(call, error),
                }
            }
        }
    }

    fn succeed(&mut self, call: usize, content: Vec<Content>) {
        let max = self.intake.tools[call].as_ref().map_or(usize::MAX, |tool| tool.result_bytes_max);
        let kept = self.is_remembered(call).then(|| content.clone());
        let event = match self.ledger.keep(call, content, max) {
            Ok(()) => {
                if let Some(kept) = kept {
                    self.remember(call, &kept);
                }
                batch_state::Event::Succeeded(call)
            }
            Err(failure) => batch_state::Event::Failed(call, failure, Sent::Answered),
        };
        self.feed(event);
    }

    fn finish(&mut self, call: usize, ending: Ending) {
        self.note_end(call);
        if ending.is_without_attempt() {
            self.give_back(call);
        }
        // An identical call may come yet, and ask when this one's answer was made.
        let started = self.flights[call].started;
        self.flights[call] = Flight { started, ..Flight::default() };
        self.ledger.finish(&self.intake, call, ending, self.now);
    }
}
