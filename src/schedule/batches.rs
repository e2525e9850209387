//! Batches by id: those that run, and for a while those that have.
//!
//! A turn whose answer was lost is sent again with its id. It must not run a
//! second time, so an id is remembered beyond its batch's end.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::Refusal;
use crate::{
    clock::{self, Instant},
    model::{BatchId, CallId, Owner},
};

/// How long an ended batch's id is remembered: longer than any sensible retry.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// Most ended batches of one owner that are remembered; about 200 bytes each. Each has
/// room of its own: nobody makes another's ids be forgotten, and a turn run twice.
const REMEMBERED_MAX: usize = 10_000;

/// Orders to a batch that may wait. The dispatcher takes them at once, so that
/// only as many callers as cancel in the same instant need room.
const COMMANDS_MAX: usize = 8;

/// An order to a running batch.
#[derive(Debug)]
pub(super) enum Command {
    /// End calls. In a box: few batches are ever given an order, and every batch has room
    /// for many.
    Cancel(Box<Cancel>),
}

/// To end these calls, or all where none is named.
#[derive(Debug)]
pub(super) struct Cancel {
    pub(super) call_ids: Vec<CallId>,
    /// Gets the ids of those that were open.
    pub(super) cancelled: oneshot::Sender<Vec<CallId>>,
}

/// Ids are the owner's own: nobody learns of another's.
type Key = (Owner, BatchId);

#[derive(Clone, Debug, Default)]
pub(super) struct Batches(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    batches: HashMap<Key, Batch>,
    /// Of each owner its ended batches, the longest ago first.
    ended: HashMap<Owner, VecDeque<(Instant, BatchId)>>,
}

#[derive(Debug)]
struct Batch {
    fingerprint: [u8; 32],
    /// `None` once it has ended.
    commands: Option<mpsc::Sender<Command>>,
}

/// A batch on the list. Dropped before it has begun, it was refused, and its id
/// is free again; afterwards it has ended, and is remembered.
#[derive(Debug)]
pub(super) struct Entry {
    batches: Batches,
    key: Key,
    commands: Option<mpsc::Receiver<Command>>,
}

impl Batches {
    /// Puts a batch on the list.
    pub(super) fn enter(
        &self,
        owner: &Owner,
        batch_id: &BatchId,
        fingerprint: [u8; 32],
    ) -> Result<Entry, Refusal> {
        let key = (owner.clone(), batch_id.clone());
        let mut known = self.lock();
        known.forget();
        if let Some(batch) = known.batches.get(&key) {
            return Err(if batch.fingerprint != fingerprint {
                Refusal::IdReused(batch_id.clone())
            } else if batch.commands.is_some() {
                Refusal::Running(batch_id.clone())
            } else {
                Refusal::Finished(batch_id.clone())
            });
        }
        let (send, commands) = mpsc::channel(COMMANDS_MAX);
        known.batches.insert(key.clone(), Batch { fingerprint, commands: Some(send) });
        Ok(Entry { batches: self.clone(), key, commands: Some(commands) })
    }

    /// Cancels calls of a running batch; `None` where it is not one of the
    /// owner's.
    pub(super) async fn cancel(
        &self,
        owner: &Owner,
        batch_id: &BatchId,
        call_ids: Vec<CallId>,
    ) -> Option<Vec<CallId>> {
        let commands = {
            let known = self.lock();
            known.batches.get(&(owner.clone(), batch_id.clone()))?.commands.clone()?
        };
        let (cancelled, answer) = oneshot::channel();
        // A batch that ends meanwhile has nothing open any more.
        let order = Command::Cancel(Box::new(Cancel { call_ids, cancelled }));
        if commands.send(order).await.is_err() {
            return Some(Vec::new());
        }
        Some(answer.await.unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Forgets what is old. Every owner's: one that went away leaves nothing behind.
    fn forget(&mut self) {
        let now = clock::now();
        let Self { batches, ended } = self;
        ended.retain(|owner, ended| {
            while let Some((at, id)) = ended.front() {
                if ended.len() <= REMEMBERED_MAX && now - *at < REMEMBERED_FOR {
                    break;
                }
                batches.remove(&(owner.clone(), id.clone()));
                ended.pop_front();
            }
            !ended.is_empty()
        });
    }
}

impl Entry {
    /// The batch begins: its orders.
    pub(super) fn begin(&mut self) -> Option<mpsc::Receiver<Command>> {
        self.commands.take()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let has_begun = self.commands.is_none();
        let mut known = self.batches.lock();
        if has_begun {
            if let Some(batch) = known.batches.get_mut(&self.key) {
                batch.commands = None;
            }
            let (owner, id) = self.key.clone();
            known.ended.entry(owner).or_default().push_back((clock::now(), id));
        } else {
            known.batches.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> BatchId {
        BatchId::try_new(text).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_is_held_while_its_batch_runs_and_for_a_while_after() {
        let batches = Batches::default();
        let owner = Owner::local();
        let mut entry = batches.enter(&owner, &id("b"), [1; 32]).unwrap();
        let running = batches.enter(&owner, &id("b"), [1; 32]).unwrap_err();
        assert_eq!(running, Refusal::Running(id("b")));
        let reused = batches.enter(&owner, &id("b"), [2; 32]).unwrap_err();
        assert_eq!(reused, Refusal::IdReused(id("b")));

        entry.begin().unwrap();
        drop(entry);
        let finished = batches.enter(&owner, &id("b"), [1; 32]).unwrap_err();
        assert_eq!(finished, Refusal::Finished(id("b")));
        tokio::time::advance(REMEMBERED_FOR).await;
        assert!(batches.enter(&owner, &id("b"), [2; 32]).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_id_of_a_refused_batch_is_free() {
        let batches = Batches::default();
        drop(batches.enter(&Owner::local(), &id("b"), [1; 32]).unwrap());
        assert!(batches.enter(&Owner::local(), &id("b"), [2; 32]).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_id_of_another_owner_is_another_batch() {
        let batches = Batches::default();
        let _held = batches.enter(&Owner::local(), &id("b"), [1; 32]).unwrap();
        let other = Owner::try_new("other").unwrap();
        assert!(batches.cancel(&other, &id("b"), Vec::new()).await.is_none());
        assert!(batches.enter(&other, &id("b"), [2; 32]).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_ended_batches_of_an_owner_are_remembered_and_none_of_anothers_forgotten()
    {
        let batches = Batches::default();
        let (flood, other) = (Owner::local(), Owner::try_new("other").unwrap());
        batches.enter(&other, &id("0"), [0; 32]).unwrap().begin();
        for n in 0..=REMEMBERED_MAX + 1 {
            batches.enter(&flood, &id(&n.to_string()), [0; 32]).unwrap().begin();
        }
        assert!(batches.enter(&flood, &id("0"), [1; 32]).is_ok());
        let others = batches.enter(&other, &id("0"), [0; 32]).unwrap_err();
        assert_eq!(others, Refusal::Finished(id("0")));
        assert!(batches.lock().batches.len() <= REMEMBERED_MAX + 3);
        // With the time they go, whoever comes then.
        tokio::time::advance(REMEMBERED_FOR).await;
        assert!(batches.enter(&other, &id("0"), [1; 32]).is_ok());
        assert!(batches.lock().ended.is_empty() && batches.lock().batches.is_empty());
    }
}
