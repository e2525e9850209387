//! Calls and failures of the last while, counted in slices: bounded, whatever the
//! number of calls.

use std::{collections::VecDeque, time::Duration};

use crate::clock::Instant;

/// Slices of a window. What falls out of it falls out a slice at a time, so that
/// it looks back between nine tenths of its length and all of it.
const SLICES: u32 = 10;

#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    /// The oldest first.
    slices: VecDeque<Slice>,
}

#[derive(Clone, Copy, Debug)]
struct Slice {
    began: Instant,
    calls: u32,
    failed: u32,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, slices: VecDeque::new() }
    }

    pub(super) fn count(&mut self, has_failed: bool, now: Instant) {
        while self.slices.front().is_some_and(|slice| self.is_over(slice, now)) {
            self.slices.pop_front();
        }
        let is_new = self
            .slices
            .back()
            .is_none_or(|slice| now.saturating_duration_since(slice.began) >= self.length / SLICES);
        if is_new {
            self.slices.push_back(Slice { began: now, calls: 0, failed: 0 });
        }
        if let Some(slice) = self.slices.back_mut() {
            slice.calls = slice.calls.saturating_add(1);
            slice.failed = slice.failed.saturating_add(u32::from(has_failed));
        }
    }

    /// Calls, and those of them that failed, up to the last that was counted.
    pub(super) fn total(&self) -> (u32, u32) {
        sum(self.slices.iter())
    }

    /// Calls, and those of them that failed, up to now.
    pub(super) fn counts(&self, now: Instant) -> (u32, u32) {
        sum(self.slices.iter().filter(|slice| !self.is_over(slice, now)))
    }

    fn is_over(&self, slice: &Slice, now: Instant) -> bool {
        now.saturating_duration_since(slice.began) >= self.length
    }
}

fn sum<'a>(slices: impl Iterator<Item = &'a Slice>) -> (u32, u32) {
    slices.fold((0, 0), |(calls, failed), slice| {
        (calls.saturating_add(slice.calls), failed.saturating_add(slice.failed))
    })
}
