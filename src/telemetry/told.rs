//! What is told of the tools of the configuration, which may come to be another.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// What is told of each tool, by its name. Those of the configuration before are
/// remembered: their batches may still run. Cheap to clone; all clones tell the same.
#[derive(Debug)]
pub(super) struct ByTool<T>(Arc<RwLock<Told<T>>>);

#[derive(Debug)]
struct Told<T> {
    now: HashMap<Arc<str>, T>,
    before: HashMap<Arc<str>, T>,
}

impl<T: Clone> ByTool<T> {
    pub(super) fn new(tools: HashMap<Arc<str>, T>) -> Self {
        Self(Arc::new(RwLock::new(Told { now: tools, before: HashMap::new() })))
    }

    pub(super) fn get(&self, tool: &str) -> Option<T> {
        let told = self.0.read().unwrap_or_else(PoisonError::into_inner);
        told.now.get(tool).or_else(|| told.before.get(tool)).cloned()
    }

    /// These are the tools from now on.
    pub(super) fn replace(&self, tools: HashMap<Arc<str>, T>) {
        let mut told = self.0.write().unwrap_or_else(PoisonError::into_inner);
        told.before = std::mem::replace(&mut told.now, tools);
    }
}

impl<T> Clone for ByTool<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_tool_that_is_gone_it_is_told_until_the_next_change() {
        let of = |tools: &[(&str, u32)]| {
            tools.iter().map(|(name, what)| (Arc::from(*name), *what)).collect()
        };
        let told = ByTool::new(of(&[("a", 1), ("b", 2)]));
        let other = told.clone();
        told.replace(of(&[("b", 3)]));
        assert_eq!((other.get("a"), other.get("b"), other.get("c")), (Some(1), Some(3), None));
        told.replace(of(&[]));
        assert_eq!((other.get("a"), other.get("b")), (None, Some(3)));
    }
}
