//! Whole results, as long as a call of the batch may still read them.

use crate::{
    model::Content,
    plan::{Template, Whole},
    schedule::intake::Intake,
};

/// The whole results of a batch.
#[derive(Debug)]
pub(super) struct Wholes {
    calls: Vec<Entry>,
    groups: Vec<Group>,
    /// Calls may yet come that read any of them.
    is_growing: bool,
}

/// One call's part.
#[derive(Debug, Default)]
struct Entry {
    /// Whether it will read no more of other calls' results.
    has_read: bool,
    /// Calls that have yet to read its result.
    readers: usize,
    /// Whether it runs itself, or has ended.
    is_alone: bool,
    whole: Option<Whole>,
    group: Option<usize>,
    /// Whether it may yet come to share another's result, and has readers.
    may_share: bool,
}

/// Calls that may share one run.
#[derive(Debug, Default)]
struct Group {
    /// Those that have readers and may yet come to share another's result.
    open: usize,
    /// Results that are held for them alone.
    held: Vec<usize>,
}

impl Wholes {
    pub(super) fn new(intake: &Intake) -> Self {
        let mut wholes =
            Self { calls: Vec::new(), groups: Vec::new(), is_growing: intake.is_growing() };
        intake.twins.iter().for_each(|group| wholes.push(*group));
        wholes.count_readers(intake);
        wholes
    }

    /// A call came, of this group.
    pub(super) fn push(&mut self, group: Option<usize>) {
        self.calls.push(Entry { group, ..Entry::default() });
        let groups = group.map_or(0, |group| group + 1).max(self.groups.len());
        self.groups.resize_with(groups, Group::default);
    }

    /// No more calls will come: what none of them will read is let go.
    pub(super) fn close(&mut self, intake: &Intake) {
        if std::mem::replace(&mut self.is_growing, false) {
            self.count_readers(intake);
            (0..self.calls.len()).for_each(|call| self.settle(call));
        }
    }

    fn count_readers(&mut self, intake: &Intake) {
        for call in 0..self.calls.len() {
            if self.calls[call].has_read {
                continue;
            }
            for parent in parents(intake, call) {
                self.calls[parent].readers += 1;
            }
        }
        for entry in self.calls.iter_mut().filter(|entry| !entry.is_alone) {
            if let (Some(group), 1..) = (entry.group, entry.readers) {
                entry.may_share = true;
                self.groups[group].open += 1;
            }
        }
    }

    pub(super) fn get(&self, call: usize) -> Option<&Whole> {
        self.calls[call].whole.as_ref()
    }

    /// Keeps a result for those that will read it, or that may share it and have
    /// readers.
    pub(super) fn keep(&mut self, call: usize, content: &[Content]) {
        let entry = &mut self.calls[call];
        if self.is_growing
            || entry.readers > 0
            || entry.group.is_some_and(|group| self.groups[group].open > 0)
        {
            entry.whole = Some(Whole::new(content));
            self.settle(call);
        }
    }

    /// The result of `leader` is that of `call`, too.
    pub(super) fn share(&mut self, call: usize, leader: usize) {
        if self.is_growing || self.calls[call].readers > 0 {
            self.calls[call].whole = self.calls[leader].whole.clone();
        }
    }

    /// The call will not come to share another's result any more: it runs, or has
    /// ended.
    pub(super) fn goes_alone(&mut self, call: usize) {
        self.calls[call].is_alone = true;
        if !std::mem::replace(&mut self.calls[call].may_share, false) {
            return;
        }
        if let Some(group) = self.calls[call].group {
            self.groups[group].open -= 1;
            if self.groups[group].open == 0 {
                for held in std::mem::take(&mut self.groups[group].held) {
                    self.settle(held);
                }
            }
        }
    }

    /// The call will read nothing more: whole results that nobody else waits
    /// for are let go.
    pub(super) fn release_parents(&mut self, intake: &Intake, call: usize) {
        // Of a turn that is still coming they are counted once it is whole.
        if std::mem::replace(&mut self.calls[call].has_read, true) || self.is_growing {
            return;
        }
        for parent in parents(intake, call) {
            let entry = &mut self.calls[parent];
            entry.readers = entry.readers.saturating_sub(1);
            self.settle(parent);
        }
    }

    /// Lets a result go that nobody waits for.
    fn settle(&mut self, call: usize) {
        let entry = &mut self.calls[call];
        if self.is_growing || entry.readers > 0 || entry.whole.is_none() {
            return;
        }
        match entry.group.map(|group| &mut self.groups[group]) {
            Some(group) if group.open > 0 => group.held.push(call),
            _ => entry.whole = None,
        }
    }
}

fn parents(intake: &Intake, call: usize) -> impl Iterator<Item = usize> {
    intake.plan.nodes[call].template.iter().flat_map(Template::parents).copied()
}
