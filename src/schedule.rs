//! From a turn to its results.
//!
//! [`Scheduler`] is the only door: it refuses a turn before any effect, or
//! accepts it and owns it to its end. In reading order:
//!
//! - [`Submission`] comes in, whole or followed by its [`Arrivals`], and is sent away
//!   with a [`Refusal`], or
//! - `intake` looks its tools up, checks its inputs and plans it;
//! - `admission` counts it against the [bounds](Settings);
//! - `batches` knows it by its id from now on;
//! - [`batch_state`] decides, as a pure machine, what happens to it;
//! - `dispatcher` drives that machine, one task for each batch;
//! - `executor` makes the attempts, and nothing else does;
//! - [`Event`]s tell of it.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    budget::Budgets,
    clock::{self, Instant},
    drain::Drain,
    limits::{Gate, Scope},
    locks::Table,
    model::{BatchId, CallId, Owner, SessionId},
    overload::Memory,
    policy::{Caller, Policy},
    registry::Registry,
    telemetry::Telemetry,
};

mod admission;
pub mod arrivals;
pub mod batch_state;
mod batches;
mod dispatcher;
pub mod event;
mod executor;
mod intake;
mod observer;
mod outcome;
mod settings;
mod status;
pub mod submission;
mod twins;

#[cfg(test)]
mod tests;

use admission::Admission;
use batches::Batches;
use dispatcher::{Coming, Dispatcher, Locksmith};
use intake::Growing;
use observer::Observer;

pub use arrivals::{Arrival, Arrivals};
pub use event::{Accepted, BatchFinished, Event, Planned};
pub use settings::Settings;
pub use status::{ConfigStatus, Status, ToolStatus, breakers};
pub use submission::{Refusal, Submission, Violation};

/// Accepts turns and owns them to their end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scheduler {
    shared: Arc<Shared>,
    memory: Option<Memory>,
}

#[derive(Debug)]
struct Shared {
    /// Read once for each turn.
    terms: RwLock<Arc<Terms>>,
    gate: Gate,
    locks: Table,
    budgets: Budgets,
    batches: Batches,
    drain: Drain,
    began_at: Instant,
    telemetry: Telemetry,
}

/// What holds for the turns that come. A batch keeps what it came under.
#[derive(Debug)]
struct Terms {
    registry: Arc<Registry>,
    settings: Settings,
    admission: Admission,
}

/// A batch that was accepted. Dropping it cancels the batch.
#[derive(Debug)]
pub struct Running {
    /// Its id.
    pub batch_id: BatchId,
    /// What happens, until [`Event::BatchFinished`]. Never blocks the batch: the
    /// channel holds all that a batch can come to.
    pub events: mpsc::Receiver<Event>,
}

impl Scheduler {
    /// A scheduler that runs its batches as tasks of `drain`.
    pub fn new(registry: Arc<Registry>, settings: Settings, drain: Drain) -> Self {
        Self::observed(registry, settings, drain, Telemetry::default())
    }

    /// The same, and `telemetry` is told what happens.
    pub fn observed(
        registry: Arc<Registry>,
        settings: Settings,
        drain: Drain,
        telemetry: Telemetry,
    ) -> Self {
        let gate = Gate::new(settings.gate(), drain.clone());
        let now = clock::now();
        let budgets = Budgets::new(settings.sessions.clone(), now);
        let admission = Admission::new(&settings);
        let (locks, batches) = (Table::new(), Batches::default());
        let terms = RwLock::new(Arc::new(Terms { registry, settings, admission }));
        let shared =
            Shared { terms, gate, locks, budgets, batches, drain, began_at: now, telemetry };
        Self { shared: Arc::new(shared), memory: None }
    }

    /// The same where memory is bounded.
    #[must_use]
    pub fn bounded_by(self, memory: Option<Memory>) -> Self {
        Self { memory, ..self }
    }

    /// Other tools and bounds for the turns that come from now on. Those that run keep
    /// theirs; what they share with others (the rates of their APIs, the places of
    /// the process) is what it is for everyone. `tools` makes the registry of the one
    /// that there is.
    pub fn reconfigure(&self, tools: impl FnOnce(&Registry) -> Registry, settings: Settings) {
        let shared = &self.shared;
        let mut terms = shared.terms.write().unwrap_or_else(PoisonError::into_inner);
        let registry = Arc::new(tools(&terms.registry));
        // In the same moment: nobody comes under the one and not under the other.
        shared.gate.reconfigure(settings.gate());
        shared.budgets.reconfigure(settings.sessions.clone(), clock::now());
        let admission = terms.admission.under(&settings);
        *terms = Arc::new(Terms { registry, settings, admission });
    }

    /// Other callers: what each may have in flight holds for its turns that run, too.
    pub fn rebound(&self, callers: &Policy) {
        let of = callers.by_owner();
        let max = |owner: &Owner| of.get(owner).and_then(|caller| caller.limits.concurrency);
        self.shared.gate.bound_owners(max);
    }

    /// Accepts a turn, or refuses it before any effect.
    ///
    /// # Errors
    ///
    /// [`Refusal`] says which bound or field, and whether waiting helps.
    pub fn submit(&self, submission: Submission) -> Result<Running, Refusal> {
        self.start(submission, None)
    }

    /// Accepts a turn that the model is still writing, or refuses it. `submission`
    /// has no calls: they come as `arrivals`. What does not only read begins once
    /// they are [committed](Arrival::Committed); where they end before, what runs is
    /// cancelled and nothing else is run.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit). What is wrong with what comes later is told by
    /// [`Event::BrokenOff`].
    pub fn open(&self, submission: Submission, arrivals: Arrivals) -> Result<Running, Refusal> {
        self.start(submission, Some(arrivals))
    }

    fn start(
        &self,
        submission: Submission,
        arrivals: Option<Arrivals>,
    ) -> Result<Running, Refusal> {
        let shared = &self.shared;
        if shared.drain.is_draining() {
            return Err(self.refusal());
        }
        let now = clock::now();
        let batch_id = submission.batch_id.clone().unwrap_or_else(BatchId::random);
        let caller = Arc::clone(&submission.caller);
        let Caller { owner, tenant, .. } = &*caller;
        // One that is named was given its owner where it was read.
        let session_id =
            submission.session_id.clone().unwrap_or_else(|| SessionId::from(&batch_id).of(owner));

        // The id first: a turn that is sent again must be told so, whatever else
        // would be said of it.
        let mut entry = shared.batches.enter(owner, &batch_id, submission.fingerprint)?;
        self.check_memory(now)?;
        let (terms, scope) = shared.enter(&caller, &session_id);
        let Terms { registry, settings, admission } = &*terms;
        intake::check_size(&submission, settings)?;
        let admitted = admission.admit(&caller, &session_id, submission.calls.len())?;
        let calls_max = match &arrivals {
            Some(_) => settings.batch_calls_max.get(),
            None => submission.calls.len(),
        };
        let session = shared.budgets.open(tenant, submission.session_id.as_ref(), calls_max, now);

        let context = submission.context.clone();
        let named = submission.session_id.clone();
        let tools = registry.view(&caller, named.as_ref());
        let asked = (submission.references, submission.ordering);
        let mut intake = intake::take_in(submission, batch_id.clone(), &tools, settings);
        let mut attempts_max = intake.attempts_max();
        let coming = arrivals.map(|arrivals| {
            intake.will_grow();
            attempts_max = intake::attempts_max(tools.iter());
            (Growing::new(tools, asked, settings), arrivals)
        });
        let events_max = event::most_of(calls_max, attempts_max);
        let (events, received) = mpsc::channel(events_max + event::PROGRESS_MAX);
        let deadline = intake.deadline.unwrap_or(now + settings.batch_timeout);
        let locksmith = Locksmith { table: shared.locks.clone(), session: session_id };
        let ids = (&batch_id, named);
        let observer = Observer::new(&shared.telemetry, context, ids, intake.calls.len(), now);
        let (shares, told) = ((scope, locksmith, session), (events, observer));
        let mut dispatcher = Dispatcher::new(intake, shares, deadline, now, told);
        dispatcher.begin();
        let killed = shared.drain.killed().clone();
        let commands = entry.begin();
        let admitted = match coming {
            None => Some(admitted),
            Some((growing, arrivals)) => {
                dispatcher.grows(Coming::new(growing, arrivals, admitted));
                None
            }
        };
        shared.drain.spawn(dispatcher.run(commands, killed, (admitted, entry)));
        Ok(Running { batch_id, events: received })
    }

    /// Refuses a turn where memory is short and others are open. One alone is taken:
    /// what is in use then nobody else would give back, and what the allocator keeps
    /// of it is there for this turn.
    fn check_memory(&self, now: Instant) -> Result<(), Refusal> {
        match &self.memory {
            Some(memory) if self.batches_open() > 0 => {
                memory.short(now).map_or(Ok(()), |short| Err(admission::short_of(&short)))
            }
            _ => Ok(()),
        }
    }

    /// Plans a turn as it would be accepted. Nothing is run.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), the bounds on what is open aside.
    pub fn plan(&self, submission: Submission) -> Result<Arc<Accepted>, Refusal> {
        let terms = self.shared.terms();
        intake::check_size(&submission, &terms.settings)?;
        let batch_id = submission.batch_id.clone().unwrap_or_else(BatchId::random);
        let tools = terms.registry.view(&submission.caller, submission.session_id.as_ref());
        Ok(intake::take_in(submission, batch_id, &tools, &terms.settings).accepted)
    }

    /// Cancels the open calls of a running batch of `owner`'s: those named, or
    /// all. Gives the ids of those that were open; `None` where no such batch
    /// runs, or it is somebody else's.
    pub async fn cancel(
        &self,
        owner: &Owner,
        batch_id: &BatchId,
        call_ids: Vec<CallId>,
    ) -> Option<Vec<CallId>> {
        self.shared.batches.cancel(owner, batch_id, call_ids).await
    }

    /// Cancelled once no turn is accepted any more.
    pub fn draining(&self) -> &CancellationToken {
        self.shared.drain.draining()
    }

    /// What a turn that comes after that is told.
    pub fn refusal(&self) -> Refusal {
        Refusal::Draining { retry_after: admission::RETRY_AFTER }
    }

    /// The tools that turns may call that come now.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.shared.terms().registry)
    }

    /// Owns the tasks of the process, and its end.
    pub fn drain(&self) -> &Drain {
        &self.shared.drain
    }

    /// Batches that have not ended.
    pub fn batches_open(&self) -> usize {
        self.shared.terms().admission.batches_open()
    }
}

impl Shared {
    fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.terms.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A batch comes: what holds for it, and its place at the gate, which knows the
    /// limits of the same moment.
    fn enter(&self, caller: &Caller, session: &SessionId) -> (Arc<Terms>, Arc<Scope>) {
        let terms = self.terms.read().unwrap_or_else(PoisonError::into_inner);
        let most = caller.limits.concurrency;
        (Arc::clone(&terms), self.gate.open_within(&caller.tenant, session, most))
    }
}
