//! One worker's end of its stream.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::Stream;
use tokio_util::sync::CancellationToken;

use super::{Answer, Lost, Order, Pool};
use crate::{backend::Progress, clock::Instant};

/// A worker's place among those that make attempts. Dropped without a word, the
/// worker was [cut off](Lost::Cut).
#[derive(Debug)]
pub struct Seat {
    pool: Pool,
    key: usize,
    eviction: Eviction,
    is_left: bool,
}

/// What a worker is sent away by, whoever has its [`Seat`].
#[derive(Clone, Debug)]
pub struct Eviction {
    pool: Pool,
    key: (usize, u64),
    evicted: CancellationToken,
}

/// What goes out to a worker, in order. Ends with its [`Seat`].
#[derive(Debug)]
pub struct Orders {
    pool: Pool,
    key: (usize, u64),
}

impl Seat {
    pub(super) fn new(pool: Pool, key: (usize, u64)) -> Self {
        let eviction = Eviction { pool: pool.clone(), key, evicted: CancellationToken::new() };
        Self { pool, key: key.0, eviction, is_left: false }
    }

    /// What it can be sent away by.
    pub fn eviction(&self) -> &Eviction {
        &self.eviction
    }

    /// The worker answers an attempt. False where nobody waits for the answer, which
    /// is dropped then.
    pub fn answer(&self, attempt: u64, answer: Answer) -> bool {
        self.pool.change(|state, after| state.answer(self.key, attempt, answer, after))
    }

    /// The worker says how far an attempt is. False where nobody waits for it.
    pub fn progress(&self, attempt: u64, progress: Progress) -> bool {
        let mark = self.pool.lock().progress(self.key, attempt);
        mark.is_some_and(|mark| {
            mark.set(progress);
            true
        })
    }

    /// Sends a heartbeat.
    pub fn beat(&self) {
        self.pool.change(|state, after| state.beat(self.key, after));
    }

    /// The worker takes no new attempts: those that it has not got go to others.
    pub fn drain(&self) {
        self.pool.change(|state, after| state.drain(self.key, after));
    }

    /// Tells the worker that no more attempts come; nothing goes out any more then.
    pub fn dismiss(&self) {
        self.pool.change(|state, after| state.dismiss(self.key, after));
    }

    /// The worker is gone.
    pub fn leave(mut self, why: Lost) {
        self.end(why);
    }

    fn end(&mut self, why: Lost) {
        if !std::mem::replace(&mut self.is_left, true) {
            self.pool.change(|state, after| state.leave(self.key, why, after));
        }
    }

    /// Whether it takes no new attempts, and has answered those that it had.
    pub fn is_done(&self) -> bool {
        let state = self.pool.lock();
        let worker = &state.workers[self.key];
        worker.is_draining && worker.in_flight == 0
    }

    /// It said something.
    pub fn heard(&self, now: Instant) {
        self.pool.lock().workers[self.key].heard_at = now;
    }
}

impl Eviction {
    /// It is sent nothing any more and what it says counts for nothing: its attempts are
    /// lost with it. Its seat still has to leave.
    pub fn evict(&self) {
        // First, so that whoever sees its orders end knows why.
        self.evicted.cancel();
        self.pool.change(|state, after| state.evict(self.key, after));
    }

    /// Cancelled once it is.
    pub fn evicted(&self) -> &CancellationToken {
        &self.evicted
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.end(Lost::Cut);
    }
}

impl Orders {
    pub(super) fn new(pool: Pool, key: (usize, u64)) -> Self {
        Self { pool, key }
    }
}

impl Stream for Orders {
    type Item = Order;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Order>> {
        self.pool.lock().next(self.key, context.waker())
    }
}
