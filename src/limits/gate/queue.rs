//! The waiters of one API.

use std::collections::{HashMap, VecDeque};

/// Waiters by batch. The batches take turns; a batch's own waiters go first in,
/// first out.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Batches with waiters here, in the order of their turns.
    ring: VecDeque<usize>,
    queues: HashMap<usize, VecDeque<usize>>,
}

impl Queue {
    pub(super) fn push(&mut self, batch: usize, waiter: usize) {
        let queue = self.queues.entry(batch).or_default();
        if queue.is_empty() {
            self.ring.push_back(batch);
        }
        queue.push_back(waiter);
    }

    /// Batches that wait here.
    pub(super) fn batches(&self) -> usize {
        self.ring.len()
    }

    /// The batch whose turn it is, taken out of the ring.
    pub(super) fn next_batch(&mut self) -> Option<usize> {
        self.ring.pop_front()
    }

    /// Puts a batch that cannot use its turn to the end.
    pub(super) fn step_aside(&mut self, batch: usize) {
        self.ring.push_back(batch);
    }

    /// The batch's first waiter. The batch has left the ring, and comes to its
    /// end where it has more.
    pub(super) fn pop(&mut self, batch: usize) -> Option<usize> {
        let queue = self.queues.get_mut(&batch)?;
        let waiter = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&batch);
        } else {
            self.ring.push_back(batch);
        }
        waiter
    }

    pub(super) fn remove(&mut self, batch: usize, waiter: usize) {
        let Some(queue) = self.queues.get_mut(&batch) else {
            return;
        };
        if let Some(place) = queue.iter().position(|queued| *queued == waiter) {
            queue.remove(place);
        }
        if queue.is_empty() {
            self.queues.remove(&batch);
            self.ring.retain(|queued| *queued != batch);
        }
    }
}
