//! The sessions that have batches open, and those batches.

use std::num::NonZeroUsize;

use super::{Cap, State};
use crate::model::{SessionId, Tenant};

pub(super) struct Session {
    pub(super) cap: Cap,
    pub(super) id: (Tenant, SessionId),
    /// Whose places its attempts take, where those are bounded.
    pub(super) owner: Option<usize>,
    batches: usize,
}

pub(super) struct Batch {
    pub(super) cap: Cap,
    pub(super) session: usize,
    pub(super) epoch: u64,
}

impl State {
    /// A batch comes; gives its session's key and its own.
    pub(in crate::limits::gate) fn open(
        &mut self,
        id: (Tenant, SessionId),
        owner_max: Option<NonZeroUsize>,
    ) -> (usize, usize) {
        let session = match self.session_keys.get(&id) {
            Some(&key) => {
                self.owners.bound(self.sessions[key].owner, owner_max);
                key
            }
            None => {
                let cap = Cap::new(self.session_max);
                let owner = owner_max.map(|max| self.owners.enter(id.1.owner(), max));
                let session = Session { cap, id: id.clone(), owner, batches: 0 };
                let key = self.sessions.insert(session);
                self.session_keys.insert(id, key);
                key
            }
        };
        self.sessions[session].batches += 1;
        let (cap, epoch) = (Cap::new(self.batch_max), self.epochs.enter());
        let batch = self.batches.insert(Batch { cap, session, epoch });
        (session, batch)
    }

    /// A batch goes.
    pub(in crate::limits::gate) fn close(&mut self, batch: usize) {
        let Batch { session, epoch, .. } = self.batches.remove(batch);
        self.sessions[session].batches -= 1;
        if self.sessions[session].batches == 0 {
            let Session { id, owner, .. } = self.sessions.remove(session);
            self.session_keys.remove(&id);
            if let Some(owner) = owner {
                self.owners.leave(owner);
            }
        }
        self.depart(epoch);
    }
}
