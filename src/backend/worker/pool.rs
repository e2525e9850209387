//! The workers of the process.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Crew, Orders, Seat, Settings,
    state::{Aftermath, State},
};
use crate::model::ToolName;

/// The workers of the process. Cheap to clone; all clones are one pool.
#[derive(Clone, Debug)]
pub struct Pool {
    state: Arc<Mutex<State>>,
    settings: Arc<Settings>,
}

/// One moment of the workers.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Answers since the process began that nobody waited for.
    pub unwanted: u64,
}

/// One moment of one worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WorkerStatus {
    /// Attempts that it has.
    pub in_flight: usize,
    /// Of so many.
    pub attempts_max: usize,
    /// Whether it takes no new ones.
    pub is_draining: bool,
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
        name: Arc<str>,
        attempts: Option<NonZeroU32>,
        crews: &[&Crew],
    ) -> (Seat, Orders) {
        let Settings { heartbeat, attempts: usual, attempts_max, .. } = *self.settings;
        let attempts = attempts.unwrap_or(usual).min(attempts_max).get() as usize;
        let crews = crews.iter().map(|crew| crew.key()).collect();
        let (key, number) =
            self.change(|state, after| state.join(name, attempts, crews, heartbeat, after));
        (Seat::new(self.clone(), key), Orders::new(self.clone(), (key, number)))
    }

    /// One moment of them.
    pub fn status(&self) -> Status {
        Status { unwanted: self.lock().unwanted }
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
