//! Sessions that stand aside: what they lack is not everyone's, so nobody waits
//! behind them, and nobody looks at them before it may be there.
//!
//! Those who lack the same stand together, in the order of the queue. When it may
//! be there again only the first of them is looked at; the next one when that one
//! has gone on. So whatever is given back costs a look or two, whoever waits.

use std::collections::{BTreeMap, BTreeSet};

use crate::{clock::Instant, model::Tenant};

/// Where a session stands in the queue: its virtual time and its key.
pub(in crate::limits::gate) type Turn = (u64, usize);

/// What sessions lack together.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::limits::gate) enum Lack {
    /// Tokens of a session's own.
    Session(usize),
    /// Tokens that the sessions beyond the bound share.
    Sessions,
    /// Tokens of a tenant's own.
    Tenant(Tenant),
    /// Tokens that the tenants beyond the bound share.
    Tenants,
    /// A place of a tool.
    Tool(usize),
    /// A place of their owner's.
    Owner(usize),
}

#[derive(Debug, Default)]
pub(super) struct Aside {
    groups: BTreeMap<Lack, Group>,
    /// When what a group lacks may be there again.
    alarms: BTreeSet<(Instant, Lack)>,
}

#[derive(Debug, Default)]
struct Group {
    members: BTreeSet<Turn>,
    /// What it lacks may be there: its first member is in the queue's order.
    is_open: bool,
    alarm: Option<Instant>,
}

impl Aside {
    /// The session lacks this, until that time where time brings it. Gives whoever
    /// is no longer to be looked at for it.
    pub(super) fn join(&mut self, lack: &Lack, turn: Turn, until: Option<Instant>) -> Option<Turn> {
        let group = self.groups.entry(lack.clone()).or_default();
        let before = group.members.first().copied();
        group.members.insert(turn);
        if group.members.first() != Some(&turn) {
            // The first of them keeps its place.
            return None;
        }
        let was_open = std::mem::replace(&mut group.is_open, false);
        if let Some(old) = std::mem::replace(&mut group.alarm, until) {
            self.alarms.remove(&(old, lack.clone()));
        }
        self.alarms.extend(until.map(|until| (until, lack.clone())));
        before.filter(|_| was_open)
    }

    /// The session goes. Gives whoever is to be looked at in its place.
    pub(super) fn leave(&mut self, lack: &Lack, turn: Turn) -> Option<Turn> {
        let group = self.groups.get_mut(lack)?;
        let was_first = group.members.first() == Some(&turn);
        group.members.remove(&turn);
        if group.members.is_empty() {
            let alarm = self.groups.remove(lack)?.alarm;
            self.alarms.retain_one(alarm, lack);
            return None;
        }
        if was_first { self.open(lack) } else { None }
    }

    /// What the group lacks may be there. Gives whoever is to be looked at.
    pub(super) fn open(&mut self, lack: &Lack) -> Option<Turn> {
        let group = self.groups.get_mut(lack)?;
        group.is_open = true;
        let alarm = group.alarm.take();
        let first = group.members.first().copied();
        self.alarms.retain_one(alarm, lack);
        first
    }

    /// Opens what time has brought until now. Gives whoever is to be looked at.
    pub(super) fn open_due(&mut self, now: Instant) -> Vec<Turn> {
        let mut found = Vec::new();
        while let Some((when, lack)) = self.alarms.first().cloned()
            && when <= now
        {
            found.extend(self.open(&lack));
        }
        found
    }

    /// When the next of them may have what it lacks.
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.alarms.first().map(|(when, _)| *when)
    }

    /// Who is first of those who lack this.
    pub(super) fn first(&self, lack: &Lack) -> Option<Turn> {
        self.groups.get(lack).and_then(|group| group.members.first()).copied()
    }

    /// Whether somebody before it lacks the same.
    pub(super) fn is_behind(&self, lack: &Lack, turn: Turn) -> bool {
        self.first(lack).is_some_and(|first| first < turn)
    }

    /// Whether the session is to be looked at for the sake of this.
    pub(super) fn is_first(&self, lack: &Lack, turn: Turn) -> bool {
        let group = self.groups.get(lack);
        group.is_some_and(|group| group.is_open && group.members.first() == Some(&turn))
    }
}

trait RetainOne {
    /// Takes out the alarm of that group, where it has one.
    fn retain_one(&mut self, alarm: Option<Instant>, lack: &Lack);
}

impl RetainOne for BTreeSet<(Instant, Lack)> {
    fn retain_one(&mut self, alarm: Option<Instant>, lack: &Lack) {
        if let Some(alarm) = alarm {
            self.remove(&(alarm, lack.clone()));
        }
    }
}
