//! Calls of a batch that may ask for the same.

use std::{collections::HashMap, sync::Arc};

use crate::{
    model::{Effect, ToolName},
    registry::Tool,
};

/// The groups of a turn that is still coming: one for each tool that its calls
/// read with, since another call of it may follow.
#[derive(Debug, Default)]
pub(super) struct Groups {
    count: usize,
    /// Of each tool since the last call that may change something.
    current: HashMap<ToolName, usize>,
}

impl Groups {
    /// The group of the next call.
    pub(super) fn next(&mut self, tool: Option<&Tool>) -> Option<usize> {
        let tool = tool?;
        if tool.effect != Effect::ReadOnly {
            self.current.clear();
            return None;
        }
        let group = *self.current.entry(tool.name.clone()).or_insert(self.count);
        self.count = self.count.max(group + 1);
        Some(group)
    }
}

/// By call, the group of those that may share its run: calls of one tool that
/// changes nothing, with no call between them, in the order of the turn, that
/// may. `None` for one that is alone. Whether their inputs are the same is known
/// once they are made.
pub(super) fn groups(tools: &[Option<Arc<Tool>>]) -> Vec<Option<usize>> {
    let mut groups = vec![None; tools.len()];
    if tools.len() < 2 {
        return groups;
    }
    let mut count = 0;
    // The first call of each tool since the last that may change something.
    let mut firsts: HashMap<*const Tool, usize> = HashMap::new();
    for (call, tool) in tools.iter().enumerate() {
        match tool {
            // It never runs.
            None => {}
            Some(tool) if tool.effect == Effect::ReadOnly => {
                let first = *firsts.entry(Arc::as_ptr(tool)).or_insert(call);
                if first == call {
                    continue;
                }
                let group = groups[first].unwrap_or_else(|| {
                    count += 1;
                    count - 1
                });
                groups[first] = Some(group);
                groups[call] = Some(group);
            }
            Some(_) => firsts = HashMap::new(),
        }
    }
    groups
}
