//! The workers of the process.

use std::{
    cmp::Reverse,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    About, Crew, Orders, Seat, Settings,
    state::{Aftermath, State, Worker},
};
use crate::{
    clock::{self, Instant},
    model::ToolName,
};

/// The workers of the process. Cheap to clone; all clones are one pool.
#[derive(Clone, Debug)]
pub struct Pool {
    state: Arc<Mutex<State>>,
    settings: Arc<Settings>,
}

/// One moment of the workers.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Workers that are here.
    pub connected: usize,
    /// Answers since the process began that nobody waited for.
    pub unwanted: u64,
    /// Those with the most attempts first, then by name.
    pub busiest: Vec<WorkerStatus>,
}

/// One moment of one worker.
#[derive(Clone, Debug)]
pub struct WorkerStatus {
    /// Who it is.
    pub about: Arc<About>,
    /// Attempts that it has.
    pub in_flight: usize,
    /// Of so many.
    pub attempts_max: usize,
    /// Whether it takes no new ones.
    pub is_draining: bool,
    /// Since it was last heard.
    pub silence: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Pool {
    /// A pool without workers.
    pub fn new(settings: Settings) -> Self {
        Self { state: Arc::default(), settings: Arc::new(settings) }
    }

    /// What holds for every worker.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A tool that workers will offer.
    pub fn crew(&self, tool: ToolName) -> Crew {
        let key = self.lock().add_crew();
        Crew::new(self.clone(), key, tool)
    }

    /// A place for a worker that makes the attempts of these crews, all of this
    /// pool. Takes at most `attempts` at once, or fewer where that is over the
    /// bound.
    pub fn seat(
        &self,
        about: About,
        attempts: Option<NonZeroU32>,
        crews: &[&Crew],
    ) -> (Seat, Orders) {
        let Settings { heartbeat, attempts: usual, attempts_max, .. } = *self.settings;
        let attempts = attempts.unwrap_or(usual).min(attempts_max).get() as usize;
        let crews = crews.iter().map(|crew| crew.key()).collect();
        let (key, number) = self.change(|state, after| {
            let (about, time) = (Arc::new(about), (heartbeat, clock::now()));
            state.join(about, attempts, crews, time, after)
        });
        (Seat::new(self.clone(), (key, number)), Orders::new(self.clone(), (key, number)))
    }

    /// One moment of them, with at most so many rows.
    pub fn status(&self, most: usize, now: Instant) -> Status {
        let state = self.lock();
        let worker = |(_, worker): (usize, &Worker)| WorkerStatus {
            about: Arc::clone(&worker.about),
            in_flight: worker.in_flight,
            attempts_max: worker.attempts_max,
            is_draining: worker.is_draining,
            silence: now.saturating_duration_since(worker.heard_at),
        };
        let (connected, unwanted) = (state.workers.len(), state.unwanted);
        let mut busiest: Vec<_> = state.workers.iter().map(worker).collect();
        drop(state);
        busiest.sort_by(|a, b| {
            (Reverse(a.in_flight), &a.about.name).cmp(&(Reverse(b.in_flight), &b.about.name))
        });
        busiest.truncate(most);
        Status { connected, unwanted, busiest }
    }

    /// Changes the state, and does outside the lock what is left to be done.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State, &mut Aftermath) -> T) -> T {
        let mut after = Aftermath::default();
        let done = change(&mut self.lock(), &mut after);
        after.settle();
        done
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
