//! The waiters of one API, in the order in which they are served.
//!
//! Sessions share by start-time fair queueing (Goyal, Vin and Cheng, 1996): each
//! has a virtual time that grows by what it was granted, and the one furthest
//! behind is served first, so that a session with a thousand calls does not
//! starve one with five. Within a session the batches take turns. Within a batch
//! the call with the longest path after it goes first, since the turn waits for
//! it; equals go first in, first out.
//!
//! A session that lacks what is its own, and not everyone's, stands [`aside`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroU32,
    time::Duration,
};

use crate::{clock::Instant, model::Tenant};

mod aside;
mod batch;

pub(super) use aside::Lack;
use aside::{Aside, Turn};
use batch::{Batch, Waiter};

/// Where a waiter stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) session: usize,
    pub(super) batch: usize,
    pub(super) tool: usize,
    pub(super) cost: NonZeroU32,
    /// What will take time from it on, itself included.
    pub(super) path: Duration,
    pub(super) deadline: Instant,
    /// In the order of arrival.
    pub(super) number: u64,
}

impl Place {
    fn tokens(&self) -> u64 {
        u64::from(self.cost.get())
    }
}

/// Everyone who waits for one API.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Sessions that are to be looked at, the one furthest behind first: all with
    /// waiters but those that stand aside.
    order: BTreeSet<Turn>,
    aside: Aside,
    sessions: HashMap<usize, Session>,
    /// Sessions without waiters that have been served ahead of the others, by the
    /// virtual time that they come back at. Without it, one that always asks for
    /// a single call more would always be first.
    ahead: BTreeSet<Turn>,
    /// Where a session begins that comes new: it gets no credit for its absence.
    virtual_time: u64,
    length: usize,
    /// Tokens that all waiters cost.
    tokens: u64,
    /// All waiters by their deadlines; the number tells equals apart.
    deadlines: BTreeMap<(Instant, u64), usize>,
}

#[derive(Debug, Default)]
struct Session {
    virtual_time: u64,
    /// Tokens that its waiters cost.
    tokens: u64,
    /// Batches with waiters, in the order of their turns.
    turns: BTreeMap<u64, usize>,
    last_turn: u64,
    batches: HashMap<usize, Batch>,
    /// What it stands aside for, where it does.
    lacks: Vec<Lack>,
    /// Whether it stands aside until a place of its own is given back.
    lacks_place: bool,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Tokens that all waiters cost.
    pub(super) fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Tokens that the waiters of a session cost.
    pub(super) fn own_tokens(&self, session: usize) -> u64 {
        self.sessions.get(&session).map_or(0, |session| session.tokens)
    }

    /// A waiter whose deadline lies before `until`, if there is one.
    pub(super) fn due_before(&self, until: Instant) -> Option<usize> {
        debug_assert_eq!(self.deadlines.len(), self.length);
        let ((deadline, _), waiter) = self.deadlines.first_key_value()?;
        (*deadline < until).then_some(*waiter)
    }

    pub(super) fn push(&mut self, waiter: usize, place: &Place) {
        let session = self.sessions.entry(place.session).or_default();
        if session.batches.is_empty() {
            self.ahead.remove(&(session.virtual_time, place.session));
            session.virtual_time = session.virtual_time.max(self.virtual_time);
        }
        let batch = session.batches.entry(place.batch).or_insert_with(|| {
            session.last_turn += 1;
            session.turns.insert(session.last_turn, place.batch);
            Batch::new(session.last_turn)
        });
        batch.push(waiter, place);
        session.tokens += place.tokens();
        self.tokens += place.tokens();
        self.length += 1;
        self.deadlines.insert((place.deadline, place.number), waiter);
        // The newcomer may have what the others of its session lack.
        self.come_forward(place.session);
    }

    /// Takes everyone out; gives the waiters, in no order.
    pub(super) fn clear(&mut self) -> Vec<usize> {
        let sessions = std::mem::take(self).sessions.into_values();
        let batches = sessions.flat_map(|session| session.batches.into_values());
        batches.flat_map(Batch::into_waiters).map(|(waiter, _)| waiter).collect()
    }

    /// Takes a waiter out that gave up.
    pub(super) fn remove(&mut self, place: &Place) {
        self.take_out(place);
        // It may have been the one of its session that lacked something.
        self.come_forward(place.session);
        self.forget_if_empty(place.session);
    }

    /// Takes a waiter out that was granted its rights, and charges its session.
    pub(super) fn serve(&mut self, place: &Place) {
        self.take_out(place);
        self.come_forward(place.session);
        if let Some(session) = self.sessions.get_mut(&place.session) {
            if let Some(batch) = session.batches.get_mut(&place.batch) {
                session.last_turn += 1;
                session.turns.remove(&batch.turn);
                session.turns.insert(session.last_turn, place.batch);
                batch.turn = session.last_turn;
            }
            self.order.remove(&(session.virtual_time, place.session));
            self.virtual_time = self.virtual_time.max(session.virtual_time);
            session.virtual_time += place.tokens();
            self.order.insert((session.virtual_time, place.session));
        }
        self.forget_if_empty(place.session);
    }

    /// The session that is to be looked at first.
    pub(super) fn first_session(&self) -> Option<usize> {
        self.order.first().map(|(_, session)| *session)
    }

    /// The session is not to be looked at before it may have what it lacks: a place of
    /// its own, or one of these, by that time at the latest where time brings it.
    pub(super) fn stand_aside(
        &mut self,
        key: usize,
        lacks: Vec<(Lack, Option<Instant>)>,
        lacks_place: bool,
    ) {
        self.come_forward(key);
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        let turn = (session.virtual_time, key);
        session.lacks_place = lacks_place;
        session.lacks = lacks.iter().map(|(lack, _)| lack.clone()).collect();
        self.order.remove(&turn);
        for (lack, until) in lacks {
            if let Some(turn) = self.aside.join(&lack, turn, until) {
                self.hide(turn);
            }
        }
    }

    /// A place of the session's own was given back.
    pub(super) fn place_is_free(&mut self, session: usize) {
        if self.sessions.get(&session).is_some_and(|session| session.lacks_place) {
            self.come_forward(session);
        }
    }

    /// A place of the tool was given back.
    pub(super) fn tool_is_free(&mut self, tool: usize) {
        self.order.extend(self.aside.open(&Lack::Tool(tool)));
    }

    /// A place of the owner's was given back.
    pub(super) fn owner_is_free(&mut self, owner: usize) {
        self.order.extend(self.aside.open(&Lack::Owner(owner)));
    }

    /// Brings back whom time has brought what they lacked.
    pub(super) fn open_due(&mut self, now: Instant) {
        self.order.extend(self.aside.open_due(now));
    }

    /// Whether a session before it stands aside for the same.
    pub(super) fn is_behind(&self, lack: &Lack, session: usize) -> bool {
        let turn = self.sessions.get(&session).map(|found| (found.virtual_time, session));
        turn.is_some_and(|turn| self.aside.is_behind(lack, turn))
    }

    /// Everyone who stands aside is to be looked at: what he lacked may be there.
    pub(super) fn look_again(&mut self) {
        let aside = self.sessions.iter();
        let aside = aside.filter(|(_, of)| of.lacks_place || !of.lacks.is_empty());
        for session in aside.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.come_forward(session);
        }
    }

    /// When time brings the next of those who stand aside what it lacks.
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.aside.next_alarm()
    }

    /// Who stands before others for tokens that they all lack, where those are what a
    /// session of that tenant may lack too.
    pub(super) fn heads_aside(&self, tenant: &Tenant) -> impl Iterator<Item = usize> {
        let lacks = [Lack::Sessions, Lack::Tenants, Lack::Tenant(tenant.clone())];
        lacks.into_iter().filter_map(|lack| Some(self.aside.first(&lack)?.1))
    }

    /// The session is to be looked at.
    pub(super) fn come_forward(&mut self, key: usize) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        let turn = (session.virtual_time, key);
        session.lacks_place = false;
        for lack in std::mem::take(&mut session.lacks) {
            self.order.extend(self.aside.leave(&lack, turn));
        }
        self.order.insert(turn);
    }

    /// The session is not to be looked at for the sake of one thing; it may be for
    /// another's.
    fn hide(&mut self, turn: Turn) {
        let session = self.sessions.get(&turn.1);
        let is_first = session.is_some_and(|session| {
            session.lacks.iter().any(|lack| self.aside.is_first(lack, turn))
        });
        if !is_first {
            self.order.remove(&turn);
        }
    }

    /// Batches of a session, the one whose turn it is first.
    pub(super) fn batches(&self, session: usize) -> impl Iterator<Item = usize> {
        self.sessions.get(&session).into_iter().flat_map(|session| session.turns.values().copied())
    }

    /// The waiter of a batch that goes first among those whose tool has room. Those
    /// tools that have none are added to `full`.
    pub(super) fn first(
        &self,
        session: usize,
        batch: usize,
        has_room: impl Fn(usize) -> bool,
        full: &mut Vec<usize>,
    ) -> Option<Waiter> {
        self.sessions.get(&session)?.batches.get(&batch)?.first(has_room, full)
    }

    /// Tokens that go to others before a newcomer at this place is served, if
    /// nobody else comes: those before it in its own session, and of every other
    /// session that `counts` as many again.
    pub(super) fn tokens_before(&self, place: &Place, counts: impl Fn(usize) -> bool) -> u64 {
        let own = self.own_tokens_before(place);
        let others = self
            .sessions
            .iter()
            .filter(|(session, _)| **session != place.session && counts(**session));
        own + others.map(|(_, other)| other.tokens.min(own + place.tokens())).sum::<u64>()
    }

    /// As [`tokens_before`](Self::tokens_before), of its own session alone.
    pub(super) fn own_tokens_before(&self, place: &Place) -> u64 {
        let Some(session) = self.sessions.get(&place.session) else {
            return 0;
        };
        let own = session.batches.get(&place.batch).map_or(0, |batch| batch.before(place));
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
        if batch.take_out(place) {
            session.tokens -= place.tokens();
            self.tokens -= place.tokens();
            self.length -= 1;
            self.deadlines.remove(&(place.deadline, place.number));
        }
        if batch.tokens == 0 {
            session.turns.remove(&batch.turn);
            session.batches.remove(&place.batch);
        }
    }

    fn forget_if_empty(&mut self, key: usize) {
        if let Some(session) = self.sessions.get(&key)
            && session.batches.is_empty()
        {
            let turn = (session.virtual_time, key);
            self.order.remove(&turn);
            self.ahead.insert(turn);
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

#[cfg(test)]
impl Queue {
    pub(super) fn stands_aside_for_tokens(&self, session: usize) -> bool {
        let of = &self.sessions[&session];
        let is_looked_at = self.order.contains(&(of.virtual_time, session));
        !is_looked_at && of.lacks.iter().any(|lack| !matches!(lack, Lack::Tool(_)))
    }

    /// Every session with waiters, whether it stands aside or not.
    pub(super) fn sessions_in_turn(&self) -> Vec<usize> {
        let with_waiters = self.sessions.iter().filter(|(_, session)| !session.batches.is_empty());
        let turns: BTreeSet<Turn> =
            with_waiters.map(|(key, session)| (session.virtual_time, *key)).collect();
        turns.into_iter().map(|(_, key)| key).collect()
    }
}
