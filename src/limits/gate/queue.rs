//! The waiters of one API, in the order in which they are served.
//!
//! Sessions share by start-time fair queueing (Goyal, Vin and Cheng, 1996): each
//! has a virtual time that grows by what it was granted, and the one furthest
//! behind is served first, so that a session with a thousand calls does not
//! starve one with five. Within a session the batches take turns. Within a batch
//! the call with the longest path after it goes first, since the turn waits for
//! it; equals go first in, first out.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    num::NonZeroU32,
    ops::Bound,
    time::Duration,
};

/// Where a waiter stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) session: usize,
    pub(super) batch: usize,
    pub(super) tool: usize,
    pub(super) cost: NonZeroU32,
    /// What will take time from it on, itself included.
    pub(super) path: Duration,
    /// In the order of arrival.
    pub(super) number: u64,
}

/// The order within a batch.
type Rank = (Reverse<Duration>, u64);

/// A waiter and its cost.
type Waiter = (usize, NonZeroU32);

impl Place {
    fn rank(&self) -> Rank {
        (Reverse(self.path), self.number)
    }

    fn tokens(&self) -> u64 {
        u64::from(self.cost.get())
    }
}

/// Everyone who waits for one API.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Sessions with waiters, the one furthest behind first.
    order: BTreeSet<(u64, usize)>,
    sessions: HashMap<usize, Session>,
    /// Sessions without waiters that have been served ahead of the others, by the
    /// virtual time that they come back at. Without it, one that always asks for
    /// a single call more would always be first.
    ahead: BTreeSet<(u64, usize)>,
    /// Where a session begins that comes new: it gets no credit for its absence.
    virtual_time: u64,
    length: usize,
    /// Tokens that all waiters cost.
    tokens: u64,
}

#[derive(Debug, Default)]
struct Session {
    virtual_time: u64,
    /// Tokens that its waiters cost.
    tokens: u64,
    /// Batches with waiters, in the order of their turns.
    turns: VecDeque<usize>,
    batches: HashMap<usize, Batch>,
}

#[derive(Debug, Default)]
struct Batch {
    /// Tokens that its waiters cost.
    tokens: u64,
    /// By tool: one that is full must not hide another.
    lanes: Vec<(usize, BTreeMap<Rank, Waiter>)>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Tokens that all waiters cost.
    pub(super) fn tokens(&self) -> u64 {
        self.tokens
    }

    pub(super) fn push(&mut self, waiter: usize, place: &Place) {
        let session = self.sessions.entry(place.session).or_default();
        if session.batches.is_empty() {
            self.ahead.remove(&(session.virtual_time, place.session));
            session.virtual_time = session.virtual_time.max(self.virtual_time);
            self.order.insert((session.virtual_time, place.session));
        }
        let batch = session.batches.entry(place.batch).or_insert_with(|| {
            session.turns.push_back(place.batch);
            Batch::default()
        });
        batch.lane(place.tool).insert(place.rank(), (waiter, place.cost));
        batch.tokens += place.tokens();
        session.tokens += place.tokens();
        self.tokens += place.tokens();
        self.length += 1;
    }

    /// Takes everyone out; gives the waiters, in no order.
    pub(super) fn clear(&mut self) -> Vec<usize> {
        let sessions = std::mem::take(self).sessions.into_values();
        let batches = sessions.flat_map(|session| session.batches.into_values());
        let lanes = batches.flat_map(|batch| batch.lanes);
        lanes.flat_map(|(_, lane)| lane.into_values()).map(|(waiter, _)| waiter).collect()
    }

    /// Takes a waiter out that gave up.
    pub(super) fn remove(&mut self, place: &Place) {
        self.take_out(place);
        self.forget_if_empty(place.session);
    }

    /// Takes a waiter out that was granted its rights, and charges its session.
    pub(super) fn serve(&mut self, place: &Place) {
        self.take_out(place);
        if let Some(session) = self.sessions.get_mut(&place.session) {
            if let Some(turn) = session.turns.iter().position(|batch| *batch == place.batch)
                && let Some(batch) = session.turns.remove(turn)
            {
                session.turns.push_back(batch);
            }
            self.order.remove(&(session.virtual_time, place.session));
            self.virtual_time = self.virtual_time.max(session.virtual_time);
            session.virtual_time += place.tokens();
            self.order.insert((session.virtual_time, place.session));
        }
        self.forget_if_empty(place.session);
    }

    /// The session with waiters that is served after `previous`, with its virtual
    /// time; the one furthest behind where there is no previous.
    pub(super) fn session_after(&self, previous: Option<(u64, usize)>) -> Option<(u64, usize)> {
        let from = previous.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((from, Bound::Unbounded)).next().copied()
    }

    /// Batches of a session, the one whose turn it is first.
    pub(super) fn batches(&self, session: usize) -> impl Iterator<Item = usize> {
        self.sessions.get(&session).into_iter().flat_map(|session| session.turns.iter().copied())
    }

    /// The waiter of a batch that goes first among those whose tool has room.
    pub(super) fn first(
        &self,
        session: usize,
        batch: usize,
        has_room: impl Fn(usize) -> bool,
    ) -> Option<Waiter> {
        let batch = self.sessions.get(&session)?.batches.get(&batch)?;
        batch
            .lanes
            .iter()
            .filter(|(tool, _)| has_room(*tool))
            .filter_map(|(_, lane)| lane.first_key_value())
            .min_by_key(|(rank, _)| **rank)
            .map(|(_, first)| *first)
    }

    /// Tokens that go to others before a newcomer at this place is served, if
    /// nobody else comes: those before it in its own session, and of every other
    /// session as many again.
    pub(super) fn tokens_before(&self, place: &Place) -> u64 {
        let own = self.own_tokens_before(place);
        let others = self.sessions.iter().filter(|(session, _)| **session != place.session);
        own + others.map(|(_, other)| other.tokens.min(own + place.tokens())).sum::<u64>()
    }

    /// As [`tokens_before`](Self::tokens_before), of its own session alone.
    pub(super) fn own_tokens_before(&self, place: &Place) -> u64 {
        let Some(session) = self.sessions.get(&place.session) else {
            return 0;
        };
        let own = session.batches.get(&place.batch).map_or(0, |batch| batch.before(place.rank()));
        let others = session.batches.iter().filter(|(batch, _)| **batch != place.batch);
        own + others.map(|(_, other)| other.tokens.min(own + place.tokens())).sum::<u64>()
    }

    fn take_out(&mut self, place: &Place) {
        let Some(session) = self.sessions.get_mut(&place.session) else {
            return;
        };
        let Some(batch) = session.batches.get_mut(&place.batch) else {
            return;
        };
        if batch.lane(place.tool).remove(&place.rank()).is_some() {
            batch.tokens -= place.tokens();
            session.tokens -= place.tokens();
            self.tokens -= place.tokens();
            self.length -= 1;
        }
        if batch.tokens == 0 {
            session.batches.remove(&place.batch);
            session.turns.retain(|batch| *batch != place.batch);
        }
    }

    fn forget_if_empty(&mut self, key: usize) {
        if let Some(session) = self.sessions.get(&key)
            && session.batches.is_empty()
        {
            self.order.remove(&(session.virtual_time, key));
            self.ahead.insert((session.virtual_time, key));
        }
        if self.length == 0 {
            // Nobody to be ahead of.
            *self = Self::default();
        }
        while let Some(&(virtual_time, key)) = self.ahead.first()
            && virtual_time <= self.virtual_time
        {
            self.ahead.pop_first();
            self.sessions.remove(&key);
        }
    }
}

impl Batch {
    fn lane(&mut self, tool: usize) -> &mut BTreeMap<Rank, Waiter> {
        let at = match self.lanes.iter().position(|(of, _)| *of == tool) {
            Some(at) => at,
            None => {
                self.lanes.push((tool, BTreeMap::new()));
                self.lanes.len() - 1
            }
        };
        &mut self.lanes[at].1
    }

    fn before(&self, rank: Rank) -> u64 {
        let lanes = self.lanes.iter().flat_map(|(_, lane)| lane.range(..rank));
        lanes.map(|(_, (_, cost))| u64::from(cost.get())).sum()
    }
}
