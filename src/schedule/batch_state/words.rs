//! What the machine is told and what it says.

use std::sync::Arc;

use crate::{
    model::{Failure, FailureCode, Outcome, Sent},
    plan::Plan,
    registry::Tool,
};

/// Where a call stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Waits for `parents` other calls to end.
    Blocked {
        /// How many.
        parents: usize,
    },
    /// Its input is being made.
    Preparing,
    /// An identical call runs for it, too.
    Sharing {
        /// Which one.
        leader: usize,
    },
    /// Waits for its locks.
    Locking,
    /// Waits for its rights.
    Queued {
        /// Of which attempt; 1 for the first.
        attempt: u32,
    },
    /// An attempt is in flight.
    Running {
        /// 1 for the first.
        attempt: u32,
    },
    /// An attempt failed, and the next one's time has not come.
    BackingOff {
        /// The one that failed.
        attempt: u32,
    },
    /// Terminal, for good.
    Done(Outcome),
}

/// What the world tells the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The batch was accepted. The first event, and once.
    Begun,
    /// The call's input is complete and fits its schema.
    Prepared(usize),
    /// It is not, or does not.
    Rejected(usize, Failure),
    /// An earlier result still holds for it.
    Cached(usize),
    /// The first call is identical to the second, which runs or has succeeded.
    Shares(usize, usize),
    /// All locks that the call needs are held, until it is terminal.
    Locked(usize),
    /// All rights that an attempt needs are held.
    Granted(usize),
    /// Its locks or rights are not to be had: the call need not wait for them.
    Refused(usize, Failure),
    /// The attempt was answered.
    Succeeded(usize),
    /// The attempt failed, and another is worth it. As below.
    FailedForNow(usize, Failure, Sent),
    /// The wait before the next attempt is over.
    BackedOff(usize),
    /// The attempt failed for good. `Maybe`: it may have been sent, and had no
    /// answer.
    Failed(usize, Failure, Sent),
    /// The call's time is over. `sent` tells of its attempt in flight, if any.
    TimeUp(usize, Sent),
    /// Somebody asked for the call's end. `sent` as above.
    Cancelled(usize, Sent, CancelReason),
    /// Everything that is open is to end. Tells of the attempts in flight.
    AllCancelled(CancelReason, Vec<(usize, Sent)>),
    /// More is known of a turn that is still coming.
    Grown(Growth),
}

/// A turn as far as it is known, planned around what has begun.
#[derive(Clone, Debug)]
pub struct Growth {
    /// Of all calls; see [`plan::grow`](crate::plan::grow).
    pub plan: Arc<Plan>,
    /// Of the calls that came.
    pub traits: Vec<Traits>,
    /// Of all calls, whether one that has not begun is kept from it until it is
    /// planned again. Its fault and the failure of what it needs are not told
    /// before that, either.
    pub held: Vec<bool>,
    /// Whether no more will come.
    pub is_whole: bool,
}

impl PartialEq for Growth {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.plan, &other.plan)
            && (&self.traits, &self.held, self.is_whole)
                == (&other.traits, &other.held, other.is_whole)
    }
}

impl Event {
    pub(super) fn call(&self) -> Option<usize> {
        match self {
            Self::Begun | Self::AllCancelled(..) | Self::Grown(_) => None,
            Self::Prepared(call)
            | Self::Rejected(call, _)
            | Self::Cached(call)
            | Self::Shares(call, _)
            | Self::Locked(call)
            | Self::Granted(call)
            | Self::Refused(call, _)
            | Self::Succeeded(call)
            | Self::FailedForNow(call, ..)
            | Self::BackedOff(call)
            | Self::Failed(call, ..)
            | Self::TimeUp(call, _)
            | Self::Cancelled(call, ..) => Some(*call),
        }
    }
}

/// Who wants a call to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CancelReason {
    /// `CancelBatch`.
    Requested,
    /// The caller's stream is gone.
    CallerGone,
    /// The process ends.
    Shutdown,
    /// The turn was cut off before it was whole.
    CutOff,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make the call's input: answer [`Event::Prepared`], [`Event::Rejected`],
    /// [`Event::Cached`] or [`Event::Shares`].
    Prepare(usize),
    /// Ask for the call's locks: answer [`Event::Locked`] or [`Event::Refused`].
    Lock(usize),
    /// Ask for the call's rights: answer [`Event::Granted`] or
    /// [`Event::Refused`].
    Enqueue(usize),
    /// Make an attempt: answer [`Event::Succeeded`], [`Event::FailedForNow`] or
    /// [`Event::Failed`].
    Run {
        /// The call.
        call: usize,
        /// 1 for the first.
        attempt: u32,
    },
    /// Wait before the next attempt: answer [`Event::BackedOff`].
    BackOff {
        /// The call.
        call: usize,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
    },
    /// Drop whatever is under way for the call.
    Abandon(usize),
    /// The call is terminal. Exactly one for every call.
    Finish(usize, Ending),
    /// Every call is. The last action.
    EndBatch,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Its attempt was answered.
    Succeeded,
    /// The attempt of an identical call was.
    Shared {
        /// That call.
        leader: usize,
    },
    /// An earlier result still held.
    Cached,
    /// It failed.
    Failed(Failure),
    /// It failed, and its tool's fallback stands for its result.
    FellBack(Failure),
    /// It was cancelled before anything could have been sent, or its effect
    /// does not matter.
    Cancelled {
        /// Who wanted it to.
        reason: CancelReason,
        /// Attempts made.
        attempts: u32,
    },
    /// It never ran: `root` did not succeed and is needed, by way of `parent`.
    Skipped {
        /// The call that it needs itself.
        parent: usize,
        /// The first of the chain that did not succeed.
        root: usize,
    },
}

impl Ending {
    /// The outcome that it amounts to.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Succeeded | Self::Shared { .. } | Self::Cached | Self::FellBack(_) => {
                Outcome::Succeeded
            }
            Self::Failed(_) => Outcome::Failed,
            Self::Cancelled { .. } => Outcome::Cancelled,
            Self::Skipped { .. } => Outcome::Skipped,
        }
    }

    /// Whether nothing was asked for it and it has no answer: neither by itself nor
    /// by an identical call.
    pub fn is_without_attempt(&self) -> bool {
        match self {
            Self::Succeeded | Self::Shared { .. } | Self::Cached => false,
            Self::Failed(failure) | Self::FellBack(failure) => failure.attempts == 0,
            Self::Cancelled { attempts, .. } => *attempts == 0,
            Self::Skipped { .. } => true,
        }
    }

    /// What went wrong with the last attempt, if anything did.
    pub fn code(&self) -> Option<FailureCode> {
        match self {
            Self::Succeeded | Self::Shared { .. } | Self::Cached | Self::Skipped { .. } => None,
            Self::Failed(failure) | Self::FellBack(failure) => Some(failure.code),
            Self::Cancelled { .. } => Some(FailureCode::Cancelled),
        }
    }
}

/// An event that its call's state does not allow: a fault of the driver's.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("call {call} is {state:?} and cannot take {event}")]
pub struct Illegal {
    /// The call; the number of calls where it is none of the batch.
    pub call: usize,
    /// Where it stands.
    pub state: State,
    /// The event, for people.
    pub event: String,
}

/// What the machine must know of a call besides the plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Traits {
    /// Whether it takes locks.
    pub has_claims: bool,
    /// Whether an attempt that may have been sent and had no answer leaves
    /// nobody knowing what happened.
    pub is_effectful: bool,
    /// Whether something stands for its result when it fails for good.
    pub has_fallback: bool,
}

impl Traits {
    /// Of a call of this tool; `None` where its name is no tool's.
    pub(in crate::schedule) fn of(tool: Option<&Tool>) -> Self {
        Self {
            has_claims: tool.is_some_and(|tool| !tool.claims.is_empty()),
            is_effectful: tool.is_none_or(|tool| tool.effect.must_be_known()),
            has_fallback: tool.is_some_and(|tool| tool.fallback.is_some()),
        }
    }
}
