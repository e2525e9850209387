//! The tools that exist. Knows nothing of who loads it or who runs it.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{Failure, FailureCode, ToolName};

pub mod schema;
pub mod tool;

pub use schema::Schema;
pub use tool::{Latency, Tool};

/// Every tool, by name.
#[derive(Debug, Default)]
pub struct Registry {
    tools: BTreeMap<ToolName, Arc<Tool>>,
}

impl Registry {
    /// A registry of these tools.
    pub fn new(tools: impl IntoIterator<Item = Tool>) -> Self {
        Self { tools: tools.into_iter().map(|tool| (tool.name.clone(), Arc::new(tool))).collect() }
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.get(name)
    }

    /// The failure of a call of a tool that does not exist: it names those that
    /// are spelt alike.
    pub fn unknown(&self, name: &str) -> Failure {
        Failure::new(FailureCode::UnknownTool, format!("there is no tool {name:?}"))
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.values()
    }
}
