//! What has come of a batch so far: times, whole results for those that read
//! them, and the terminal result of each call, told exactly once.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    Accepted, BatchFinished, Event, Refusal,
    batch_state::Ending,
    intake::Intake,
    observer::{self, Observer},
};
use crate::{
    clock::Instant,
    model::{
        AttemptTimings, CallResult, Content, Failure, FailureCode, Json, Source, Timings,
        Truncation,
    },
    plan::Plan,
    shape,
    telemetry::{outgoing::Outgoing, record::Stage},
};

mod awaited;
mod growing;
mod telling;
mod way;
mod wholes;
mod words;

use way::Way;
use wholes::Wholes;
use words::failure;

/// Everything that a batch will have to show.
#[derive(Debug)]
pub(super) struct Ledger {
    accepted_at: Instant,
    slots: Vec<Slot>,
    wholes: Wholes,
    open: usize,
    /// Events that were told, those of progress aside.
    told: usize,
    ended_at: Instant,
    way: Way,
    observer: Observer,
}

/// One call's part.
#[derive(Debug, Default)]
struct Slot {
    /// When its input was complete, where it came after the batch was accepted.
    came_at: Option<Instant>,
    ready_at: Option<Instant>,
    started_at: Option<Instant>,
    ended_at: Option<Instant>,
    running: Duration,
    locked: Duration,
    locking_since: Option<Instant>,
    /// When its wait for its locks was over.
    locked_at: Option<Instant>,
    throttled: Duration,
    backing_off: Duration,
    backing_off_since: Option<Instant>,
    /// Attempts that began.
    begun: usize,
    /// Those that ended, once one of them has to be made again.
    attempts: Vec<AttemptTimings>,
    /// Waiting for an identical call.
    sharing: Duration,
    sharing_since: Option<Instant>,
    /// The call whose answer it got.
    leader: Option<usize>,
    /// What the model will see of it.
    shown: Vec<Content>,
    truncation: Option<Truncation>,
    result: Option<Arc<CallResult>>,
}

impl Ledger {
    pub(super) fn new(
        intake: &Intake,
        now: Instant,
        (events, observer): (mpsc::Sender<Event>, Observer),
    ) -> Self {
        let slots: Vec<_> = intake.calls.iter().map(|_| Slot::default()).collect();
        let wholes = Wholes::new(intake);
        let open = slots.len();
        let way = Way::new(events, intake.accepted.batch_id.clone(), intake.trace);
        Self { accepted_at: now, open, told: 0, slots, wholes, ended_at: now, way, observer }
    }

    pub(super) fn accepted(&mut self, accepted: &Arc<Accepted>) {
        self.tell(Event::Accepted(Arc::clone(accepted)));
    }

    /// The call's parents are done.
    pub(super) fn ready(&mut self, call: usize, now: Instant) -> Instant {
        self.observer.ready(call, now);
        *self.slots[call].ready_at.get_or_insert(now)
    }

    /// The call begins to wait for its locks.
    pub(super) fn locking(&mut self, call: usize, now: Instant) {
        self.observer.waits(call, Stage::Locking, now);
        self.slots[call].locking_since = Some(now);
    }

    /// The wait for its locks is over, whatever follows; gives how long it was.
    pub(super) fn locked(&mut self, call: usize, now: Instant) -> Duration {
        let slot = &mut self.slots[call];
        if let Some(since) = slot.locking_since.take() {
            slot.locked += now - since;
            slot.locked_at = Some(now);
        }
        slot.locked
    }

    /// The call begins to wait for its rights.
    pub(super) fn queued(&mut self, call: usize, now: Instant) {
        self.observer.waits(call, Stage::Queued, now);
    }

    /// So much of its wait, which ends now, was for tokens.
    pub(super) fn throttled(&mut self, call: usize, wait: Duration, now: Instant) {
        self.observer.throttled(call, wait, now);
        self.slots[call].throttled += wait;
    }

    /// An attempt begins. Gives what it carries on of a trace.
    pub(super) fn started(
        &mut self,
        intake: &Intake,
        call: usize,
        attempt: u32,
        now: Instant,
    ) -> Option<Arc<Outgoing>> {
        let slot = &mut self.slots[call];
        slot.started_at = Some(now);
        slot.begun += 1;
        let timings = slot.timings(self.accepted_at, now);
        self.tell(Event::Started {
            index: call,
            call_id: intake.calls[call].id.clone(),
            attempt,
            at: now - self.accepted_at,
            timings,
        });
        self.observer.attempts(call, attempt, now)
    }

    /// An attempt failed, and another follows after `delay`.
    pub(super) fn retrying(
        &mut self,
        intake: &Intake,
        (call, attempt): (usize, u32),
        delay: Duration,
        failure: Failure,
        now: Instant,
    ) {
        self.slots[call].attempted(Some(failure.code), self.accepted_at, now);
        self.observer.is_over(call, Some(failure.code), now);
        self.observer.retries(&intake.calls[call].tool, intake.offered(call), failure.code);
        self.observer.waits(call, Stage::BackingOff, now);
        self.slots[call].backing_off_since = Some(now);
        let call_id = intake.calls[call].id.clone();
        self.tell(Event::Retrying { index: call, call_id, attempt, delay, failure });
    }

    /// The wait before the next attempt is over, whatever follows.
    pub(super) fn backed_off(&mut self, call: usize, now: Instant) {
        let slot = &mut self.slots[call];
        slot.backing_off +=
            slot.backing_off_since.take().map_or(Duration::ZERO, |since| now - since);
    }

    /// An attempt is over; gives how long it ran.
    pub(super) fn stopped(&mut self, call: usize, now: Instant) -> Duration {
        let slot = &mut self.slots[call];
        let ran = slot.started_at.take().map_or(Duration::ZERO, |started| now - started);
        slot.running += ran;
        ran
    }

    /// The call's input with every reference replaced, checked again where
    /// there were any.
    pub(super) fn input(&mut self, intake: &Intake, call: usize) -> Result<Json, Failure> {
        let input = match (&intake.calls[call].input, &intake.plan.nodes[call].template) {
            (Ok(input), None) => Ok(input.clone()),
            (Ok(_), Some(template)) => guarded(|| {
                let input =
                    template.resolve(intake.input_bytes_max, |parent| self.wholes.get(parent))?;
                if let Some(tool) = &intake.tools[call] {
                    tool.schema.check(&input)?;
                }
                Ok(input)
            }),
            // Its fault ended it before this could be asked for.
            (Err(_), _) => Err(Failure::new(FailureCode::InvalidInput, "the input is not JSON")),
        };
        if let Ok(input) = &input {
            self.observer.takes(call, input.as_str());
        }
        self.wholes.release_parents(intake, call);
        input
    }

    /// An identical call runs for it, too.
    pub(super) fn shares(&mut self, call: usize, now: Instant) {
        self.observer.waits(call, Stage::Sharing, now);
        self.slots[call].sharing_since = Some(now);
    }

    /// It runs itself, or has ended.
    pub(super) fn goes_alone(&mut self, call: usize, now: Instant) {
        let slot = &mut self.slots[call];
        slot.sharing += slot.sharing_since.take().map_or(Duration::ZERO, |since| now - since);
        self.wholes.goes_alone(call);
    }

    /// Keeps what a successful attempt answered: whole for those that read it,
    /// cut for the model.
    pub(super) fn keep(
        &mut self,
        call: usize,
        content: Vec<Content>,
        result_bytes_max: usize,
    ) -> Result<(), Failure> {
        self.wholes.keep(call, &content);
        let shaped = guarded(|| Ok(shape::shape(content, result_bytes_max)))?;
        let slot = &mut self.slots[call];
        slot.shown = shaped.content;
        slot.truncation = shaped.truncation;
        Ok(())
    }

    /// The tool's fallback stands for the result, for the model and for those that
    /// read it.
    fn fall_back(&mut self, intake: &Intake, call: usize, failure: &Failure) {
        let tool = intake.tools[call].as_ref();
        let Some((tool, fallback)) = tool.and_then(|tool| Some((tool, tool.fallback.clone()?)))
        else {
            return;
        };
        tracing::info!(
            batch.id = %intake.accepted.batch_id,
            trace.id = intake.trace.as_ref().map(tracing::field::display),
            call.id = %intake.calls[call].id,
            tool = %tool.name,
            code = failure.code.as_str(),
            "A call failed for good and its tool's fallback was taken"
        );
        let kept = self.keep(call, vec![Content::Json(fallback)], tool.result_bytes_max);
        debug_assert!(kept.is_ok(), "a fallback cannot be shown");
    }

    /// The result of `leader`, which has ended, is that of `call`, too.
    fn share(&mut self, call: usize, leader: usize) {
        self.wholes.share(call, leader);
        let shared = self.slots[leader].result.clone();
        let slot = &mut self.slots[call];
        slot.leader = Some(leader);
        if let Some(shared) = shared {
            slot.shown.clone_from(&shared.content);
            slot.truncation = shared.truncation;
        }
    }

    /// The call is terminal: tells its result.
    pub(super) fn finish(&mut self, intake: &Intake, call: usize, ending: Ending, now: Instant) {
        self.stopped(call, now);
        self.backed_off(call, now);
        self.locked(call, now);
        self.wholes.release_parents(intake, call);
        match &ending {
            Ending::FellBack(failure) => self.fall_back(intake, call, failure),
            Ending::Shared { leader } => self.share(call, *leader),
            _ => {}
        }
        self.goes_alone(call, now);
        let slot = &mut self.slots[call];
        if slot.result.is_some() {
            tracing::error!(
                batch.id = %intake.accepted.batch_id,
                trace.id = intake.trace.as_ref().map(tracing::field::display),
                "A call ended twice"
            );
            return;
        }
        if slot.begun > slot.attempts.len() && !slot.attempts.is_empty() {
            slot.attempted(ending.code(), self.accepted_at, now);
        }
        let outcome = ending.outcome();
        let source = match ending {
            Ending::Succeeded => Some(Source::Executed),
            Ending::Shared { .. } => Some(Source::Shared),
            Ending::Cached => Some(Source::Cached),
            Ending::FellBack(_) => Some(Source::Fallback),
            Ending::Failed(_) | Ending::Cancelled { .. } | Ending::Skipped { .. } => None,
        };
        let (content, truncation) = match source {
            Some(_) => (std::mem::take(&mut slot.shown), slot.truncation),
            None => (Vec::new(), None),
        };
        let call_id = intake.calls[call].id.clone();
        let result = Arc::new(CallResult {
            index: call,
            call_id,
            tool: Arc::clone(&intake.calls[call].tool),
            outcome,
            source,
            content,
            failure: failure(intake, call, ending),
            timings: slot.timings(self.accepted_at, now),
            attempts: std::mem::take(&mut slot.attempts),
            truncation,
        });
        // Of a call that never ran, as the model wrote it.
        let input = &intake.calls[call].input;
        self.observer.takes(call, input.as_ref().map_or_else(|text| &**text, Json::as_str));
        self.observer.ends(&result, intake.offered(call), slot.begun, now);
        slot.ended_at = Some(now);
        slot.result = Some(Arc::clone(&result));
        self.ended_at = now;
        self.open -= 1;
        self.tell(Event::Finished(result));
    }

    /// Tells the end, once every call has its result; where the batch was broken
    /// off, why.
    pub(super) fn end(self, plan: &Plan, broken: Option<Refusal>) {
        debug_assert_eq!(self.open, 0, "a batch ended with open calls");
        let critical_path = self.critical_path(plan);
        let duration = self.ended_at - self.accepted_at;
        self.observer.end(&observer::Ended {
            plan,
            critical_path: &critical_path,
            duration,
            running: &|call| self.slots[call].running,
            at: self.ended_at,
        });
        if let Some(refusal) = broken {
            return self.way.tell(Event::BrokenOff(refusal));
        }
        let finished = BatchFinished {
            sequential: self.slots.iter().map(|slot| slot.running).sum(),
            duration,
            critical_path,
            results: self.slots.into_iter().filter_map(|slot| slot.result).collect(),
        };
        self.way.tell(Event::BatchFinished(Arc::new(finished)));
    }
}

impl Slot {
    /// An attempt is over: what it adds to the sums so far is its own.
    fn attempted(&mut self, code: Option<FailureCode>, accepted: Instant, now: Instant) {
        let sums = self.timings(accepted, now);
        let own = |sum: Duration, of: fn(&AttemptTimings) -> Duration| {
            sum.saturating_sub(self.attempts.iter().map(of).sum())
        };
        let running = own(sums.running, |attempt| attempt.running);
        let attempt = AttemptTimings {
            at: (now - accepted).saturating_sub(running),
            backing_off: own(sums.backing_off, |attempt| attempt.backing_off),
            queued: own(sums.queued, |attempt| attempt.queued),
            throttled: own(sums.throttled, |attempt| attempt.throttled),
            running,
            code,
        };
        self.attempts.push(attempt);
    }

    fn timings(&self, accepted: Instant, now: Instant) -> Timings {
        let (came, ready) = (self.came_at.unwrap_or(accepted), self.ready_at.unwrap_or(now));
        let known = self.sharing + self.locked + self.running + self.throttled + self.backing_off;
        Timings {
            blocked: ready.saturating_duration_since(came) + self.sharing,
            locked: self.locked,
            // What is left: the waits for places, of all attempts.
            queued: (now - ready).saturating_sub(known),
            throttled: self.throttled,
            backing_off: self.backing_off,
            running: self.running,
        }
    }
}

/// A panic in what is done for one call fails that call and nothing else.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Failure::new(FailureCode::Internal, "the call broke inside Sidecall"))
    })
}
