//! How many retries an API can bear.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::clock::Instant;

/// What is counted.
const WINDOW: Duration = Duration::from_secs(10);

/// Retries in a window that cost nothing, so that an API that is called rarely
/// can be retried at all.
const RESERVE: u64 = 3;

/// Retries as a part of an API's traffic: those of the last ten seconds never
/// exceed the given part of the first attempts of the same ten seconds, a small
/// reserve aside. Without it a failing API gets several times its load exactly
/// when it can bear it least.
#[derive(Debug)]
pub struct Budget {
    percent: u64,
    /// Those of one API, whatever percentage came to hold.
    seconds: Arc<Mutex<VecDeque<Second>>>,
}

/// One moment of a budget.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// Retries in percent of first attempts.
    pub percent: u64,
    /// First attempts of the last ten seconds.
    pub firsts: u64,
    /// Retries of the last ten seconds.
    pub retries: u64,
    /// Retries that may be made now.
    pub left: u64,
}

#[derive(Clone, Copy, Debug)]
struct Second {
    began: Instant,
    firsts: u64,
    retries: u64,
}

impl Budget {
    /// Retries of so many percent of the first attempts.
    pub fn new(percent: u32) -> Self {
        Self { percent: percent.into(), seconds: Arc::default() }
    }

    /// The same traffic under another percentage.
    #[must_use]
    pub fn at(&self, percent: u32) -> Self {
        Self { percent: percent.into(), seconds: Arc::clone(&self.seconds) }
    }

    /// A first attempt is made.
    pub fn earn(&self, now: Instant) {
        self.within(now, |seconds| {
            if let Some(second) = seconds.back_mut() {
                second.firsts += 1;
            }
        });
    }

    /// Takes a retry, where there is one.
    pub fn spend(&self, now: Instant) -> bool {
        self.within(now, |seconds| {
            let firsts: u64 = seconds.iter().map(|second| second.firsts).sum();
            let retries: u64 = seconds.iter().map(|second| second.retries).sum();
            let is_there = retries < self.most(firsts);
            if is_there && let Some(second) = seconds.back_mut() {
                second.retries += 1;
            }
            is_there
        })
    }

    /// What it comes to at this moment.
    pub fn status(&self, now: Instant) -> Status {
        self.within(now, |seconds| {
            let firsts: u64 = seconds.iter().map(|second| second.firsts).sum();
            let retries: u64 = seconds.iter().map(|second| second.retries).sum();
            let left = self.most(firsts).saturating_sub(retries);
            Status { percent: self.percent, firsts, retries, left }
        })
    }

    /// Retries that so many first attempts bear.
    fn most(&self, firsts: u64) -> u64 {
        RESERVE.max(firsts * self.percent / 100)
    }

    /// Gives the seconds of the window, the present one last.
    fn within<T>(&self, now: Instant, work: impl FnOnce(&mut VecDeque<Second>) -> T) -> T {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        while seconds.front().is_some_and(|second| now.duration_since(second.began) >= WINDOW) {
            seconds.pop_front();
        }
        let is_new = seconds
            .back()
            .is_none_or(|second| now.duration_since(second.began) >= Duration::from_secs(1));
        if is_new {
            seconds.push_back(Second { began: now, firsts: 0, retries: 0 });
        }
        work(&mut seconds)
    }
}
