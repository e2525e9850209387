//! Calls of a batch that may ask for the same.

use std::{collections::HashMap, sync::Arc};

use crate::{model::Effect, registry::Tool};

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
