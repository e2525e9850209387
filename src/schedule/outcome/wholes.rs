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
}

/// One call's part.
#[derive(Debug, Default)]
struct Entry {
    /// Whether it will read no more of other calls' results.
    has_read: bool,
    /// Calls that have yet to read its result.
    readers: usize,
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
        let groups = intake.twins.iter().flatten().max().map_or(0, |last| last + 1);
        let entry = |group: &Option<usize>| Entry { group: *group, ..Entry::default() };
        let mut wholes = Self {
            calls: intake.twins.iter().map(entry).collect(),
            groups: (0..groups).map(|_| Group::default()).collect(),
        };
        for parent in parents_of_all(intake) {
            wholes.calls[parent].readers += 1;
        }
        for entry in &mut wholes.calls {
            if let (Some(group), 1..) = (entry.group, entry.readers) {
                entry.may_share = true;
                wholes.groups[group].open += 1;
            }
        }
        wholes
    }

    pub(super) fn get(&self, call: usize) -> Option<&Whole> {
        self.calls[call].whole.as_ref()
    }

    /// Keeps a result for those that will read it, or that may share it and have
    /// readers.
    pub(super) fn keep(&mut self, call: usize, content: &[Content]) {
        let entry = &mut self.calls[call];
        if entry.readers > 0 || entry.group.is_some_and(|group| self.groups[group].open > 0) {
            entry.whole = Some(Whole::new(content));
            self.settle(call);
        }
    }

    /// The result of `leader` is that of `call`, too.
    pub(super) fn share(&mut self, call: usize, leader: usize) {
        if self.calls[call].readers > 0 {
            self.calls[call].whole = self.calls[leader].whole.clone();
        }
    }

    /// The call will not come to share another's result any more: it runs, or has
    /// ended.
    pub(super) fn goes_alone(&mut self, call: usize) {
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
        if std::mem::replace(&mut self.calls[call].has_read, true) {
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
        if entry.readers > 0 || entry.whole.is_none() {
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

fn parents_of_all(intake: &Intake) -> impl Iterator<Item = usize> {
    (0..intake.calls.len()).flat_map(|call| parents(intake, call))
}
