//! The places of those owners that may have only so many, in all their sessions
//! together.

use std::{collections::HashMap, num::NonZeroUsize};

use slab::Slab;

use super::{Aftermath, Cap, State};
use crate::{clock::Instant, model::Owner};

/// Owners with a bound, for as long as one of their sessions is open.
#[derive(Debug, Default)]
pub(super) struct Owners {
    all: Slab<Bounded>,
    keys: HashMap<Owner, usize>,
}

#[derive(Debug)]
struct Bounded {
    owner: Owner,
    cap: Cap,
    sessions: usize,
}

impl Owners {
    /// A session of the owner's comes; gives the owner's key.
    pub(super) fn enter(&mut self, owner: &Owner, max: NonZeroUsize) -> usize {
        let key = match self.keys.get(owner) {
            Some(&key) => key,
            None => {
                let bounded = Bounded { owner: owner.clone(), cap: Cap::new(max), sessions: 0 };
                let key = self.all.insert(bounded);
                self.keys.insert(owner.clone(), key);
                key
            }
        };
        self.all[key].sessions += 1;
        self.bound(Some(key), Some(max));
        key
    }

    /// The bound is this from now on, where it is known by now. An attempt that is in
    /// flight stays so.
    pub(super) fn bound(&mut self, key: Option<usize>, max: Option<NonZeroUsize>) {
        if let (Some(key), Some(max)) = (key, max) {
            self.all[key].cap.max = max.get();
        }
    }

    /// Other bounds. Gives the keys of those who may have more than before.
    fn rebound(&mut self, max: impl Fn(&Owner) -> Option<NonZeroUsize>) -> Vec<usize> {
        let mut raised = Vec::new();
        for (key, Bounded { owner, cap, .. }) in &mut self.all {
            // One that is bounded no more goes on to be counted, until its sessions have.
            let before = std::mem::replace(&mut cap.max, max(owner).map_or(usize::MAX, Into::into));
            raised.extend((cap.max > before).then_some(key));
        }
        raised
    }

    /// A session of the owner's goes.
    pub(super) fn leave(&mut self, key: usize) {
        self.all[key].sessions -= 1;
        if self.all[key].sessions == 0 {
            let owner = self.all.remove(key).owner;
            self.keys.remove(&owner);
        }
    }

    /// Whether it has no place left.
    pub(super) fn is_full(&self, key: Option<usize>) -> bool {
        key.is_some_and(|key| self.all[key].cap.is_full())
    }

    pub(super) fn take(&mut self, key: usize) {
        self.all[key].cap.take();
    }

    pub(super) fn give_back(&mut self, key: usize) {
        self.all[key].cap.used -= 1;
    }
}

impl State {
    /// Other bounds of the owners, for those who are here, too. Whoever waits for a place
    /// that there is by now has it.
    pub(in crate::limits::gate) fn rebound(
        &mut self,
        max: impl Fn(&Owner) -> Option<NonZeroUsize>,
        now: Instant,
    ) -> Aftermath {
        let mut aftermath = Aftermath::default();
        let raised = self.owners.rebound(max);
        for api in 0..self.apis.len() {
            for owner in &raised {
                self.apis[api].waiters.owner_is_free(*owner);
            }
            if !raised.is_empty() {
                self.grant(api, now, &mut aftermath);
            }
        }
        aftermath
    }
}
