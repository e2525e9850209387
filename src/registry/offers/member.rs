//! One worker and what it offers.

use std::{fmt, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{Offers, Scope};
use crate::{
    backend::worker::{Eviction, Lost, Seat},
    model::{Owner, ToolName},
};

/// A worker's right to offer what it does: that of whoever connected it.
pub trait Standing: fmt::Debug + Send + Sync {
    /// Whether it may now.
    fn holds(&self) -> bool;
}

/// A worker that offers its tools. Dropped without a word, its connection was cut.
#[derive(Debug)]
pub struct Member {
    offers: Offers,
    key: usize,
    eviction: Eviction,
    seat: Option<Seat>,
}

/// What is known of a worker that is here.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) owner: Owner,
    pub(super) scope: Scope,
    pub(super) name: Arc<str>,
    pub(super) tools: Vec<ToolName>,
    pub(super) is_offering: bool,
    pub(super) standing: Arc<dyn Standing>,
    pub(super) eviction: Eviction,
}

impl Offers {
    /// Sends those away that may not offer any more what they do. No attempt reaches
    /// them from then on. Gives how many there were.
    pub(in crate::registry) fn review(&self) -> usize {
        let mut withdrawn = Vec::new();
        let mut state = self.lock();
        let fallen = state.members.iter().filter(|(_, member)| !member.standing.holds());
        let fallen: Vec<usize> = fallen.map(|(key, _)| key).collect();
        for key in &fallen {
            withdrawn.extend(state.withdraw(*key, Lost::Revoked));
        }
        let evictions: Vec<Eviction> =
            fallen.iter().map(|key| state.members[*key].eviction.clone()).collect();
        drop(state);
        for eviction in &evictions {
            eviction.evict();
        }
        evictions.len()
    }
}

impl Member {
    pub(super) fn new(offers: Offers, key: usize, seat: Seat) -> Self {
        Self { offers, key, eviction: seat.eviction().clone(), seat: Some(seat) }
    }

    /// Its place among those that make attempts.
    pub fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }

    /// Cancelled once it was sent away: it may not offer its tools any more.
    pub fn evicted(&self) -> &CancellationToken {
        self.eviction.evicted()
    }

    /// It takes no new attempts: its tools are offered by others alone.
    pub fn drain(&mut self) {
        self.offers.withdraw(self.key, Lost::Drained);
        if let Some(seat) = &self.seat {
            seat.drain();
        }
    }

    /// It is gone.
    pub fn leave(mut self, why: Lost) {
        self.end(why);
    }

    fn end(&mut self, why: Lost) {
        if let Some(seat) = self.seat.take() {
            // First what is offered: a call that is answered now may lead to others.
            self.offers.withdraw(self.key, why);
            seat.leave(why);
            self.offers.leave(self.key);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end(Lost::Cut);
    }
}
