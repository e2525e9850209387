//! What may be open at once. Over a bound a turn is refused before any effect,
//! since a queue without an end helps nobody.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Refusal, Settings};
use crate::{
    limits::gate,
    model::{Owner, SessionId, Tenant},
    overload::memory::{Short, Usage},
    policy::Caller,
};

/// When a refused turn is worth trying again. Turns end within seconds; nothing
/// better is known.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a turn is told that comes while memory is short.
pub(super) fn short_of(short: &Short) -> Refusal {
    let Short { usage: Usage { used, max }, shed_at } = *short;
    let (used, max) = (used >> 20, max >> 20);
    Refusal::Exhausted {
        what: format!(
            "{used} of {max} MiB of memory are in use; bounds.memory.shed_at is {shed_at}%"
        ),
        retry_after: RETRY_AFTER,
    }
}

#[derive(Clone, Debug)]
pub(super) struct Admission {
    counts: Arc<Mutex<Counts>>,
    batches_max: usize,
    calls_max: usize,
    session_calls_max: usize,
}

#[derive(Debug, Default)]
struct Counts {
    batches: usize,
    calls: usize,
    /// By tenant: sessions of two may have one name.
    session_calls: HashMap<(Tenant, SessionId), usize>,
    /// Of callers that may have only so many.
    caller_batches: HashMap<Owner, usize>,
}

/// The place of an open batch. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Admission,
    session: (Tenant, SessionId),
    /// Whose batches are counted.
    owner: Option<Owner>,
    calls: usize,
}

impl Admission {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            counts: Arc::default(),
            batches_max: settings.batches_max.get(),
            calls_max: settings.calls_max.get(),
            session_calls_max: settings.session_calls_max.get(),
        }
    }

    /// Other bounds on what is open.
    pub(super) fn under(&self, settings: &Settings) -> Self {
        Self { counts: Arc::clone(&self.counts), ..Self::new(settings) }
    }

    /// Takes the place of a batch of so many calls.
    pub(super) fn admit(
        &self,
        caller: &Caller,
        session: &SessionId,
        calls: usize,
    ) -> Result<Admitted, Refusal> {
        let session = (caller.tenant.clone(), session.clone());
        let mut counts = self.lock();
        let of_session = counts.session_calls.get(&session).copied().unwrap_or(0);
        let of_caller = counts.caller_batches.get(&caller.owner).copied().unwrap_or(0);
        let caller_max = caller.limits.batches.map_or(usize::MAX, NonZeroUsize::get);
        let bounds = [
            // Its own bound first: it says nothing of what others have open.
            ("limits.batches", "open batches of the caller", of_caller, 1, caller_max),
            ("bounds.batches", "open batches", counts.batches, 1, self.batches_max),
            ("bounds.calls", "open calls", counts.calls, calls, self.calls_max),
            (
                "bounds.session_calls",
                "open calls of the session",
                of_session,
                calls,
                self.session_calls_max,
            ),
        ];
        for (bound, what, open, more, max) in bounds {
            if more > max {
                return Err(Refusal::TooLarge(format!(
                    "the turn has {more} calls; {bound} allows {max} {what}"
                )));
            }
            if open + more > max {
                return Err(Refusal::Exhausted {
                    what: format!("{open} {what}, {more} more would pass {bound} ({max})"),
                    retry_after: RETRY_AFTER,
                });
            }
        }
        counts.batches += 1;
        counts.calls += calls;
        *counts.session_calls.entry(session.clone()).or_default() += calls;
        let owner = caller.limits.batches.map(|_| caller.owner.clone());
        if let Some(owner) = &owner {
            *counts.caller_batches.entry(owner.clone()).or_default() += 1;
        }
        drop(counts);
        Ok(Admitted { admission: self.clone(), session, owner, calls })
    }

    pub(super) fn batches_open(&self) -> usize {
        self.lock().batches
    }

    /// Open batches and open calls.
    pub(super) fn status(&self) -> (gate::Usage, gate::Usage) {
        let counts = self.lock();
        let of = |used, max| gate::Usage { used, max: Some(max) };
        (of(counts.batches, self.batches_max), of(counts.calls, self.calls_max))
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted {
    /// Takes the place of one more call.
    pub(super) fn grow(&mut self) -> Result<(), Refusal> {
        let Admission { calls_max, session_calls_max, .. } = self.admission;
        let mut counts = self.admission.lock();
        let of_session = counts.session_calls.get(&self.session).copied().unwrap_or(0);
        let bounds = [
            ("bounds.calls", "open calls", counts.calls, calls_max),
            ("bounds.session_calls", "open calls of the session", of_session, session_calls_max),
        ];
        for (bound, what, open, max) in bounds {
            if open >= max {
                return Err(Refusal::Exhausted {
                    what: format!("{open} {what}, 1 more would pass {bound} ({max})"),
                    retry_after: RETRY_AFTER,
                });
            }
        }
        counts.calls += 1;
        *counts.session_calls.entry(self.session.clone()).or_default() += 1;
        drop(counts);
        self.calls += 1;
        Ok(())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.batches -= 1;
        counts.calls -= self.calls;
        if let Some(open) = counts.session_calls.get_mut(&self.session) {
            *open -= self.calls;
            if *open == 0 {
                counts.session_calls.remove(&self.session);
            }
        }
        if let Some(owner) = &self.owner
            && let Some(open) = counts.caller_batches.get_mut(owner)
        {
            *open -= 1;
            if *open == 0 {
                counts.caller_batches.remove(owner);
            }
        }
    }
}
