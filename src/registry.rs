//! The tools that exist. Knows nothing of who loads it or who runs it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    cache::Writes,
    model::{ApiName, Failure, FailureCode, ToolName},
};

pub(crate) mod nearest;
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
    /// A registry of these tools. Those of one API know of each other's writes.
    pub fn new(tools: impl IntoIterator<Item = Tool>) -> Self {
        let mut writes: BTreeMap<ApiName, Arc<Writes>> = BTreeMap::new();
        let tools = tools.into_iter().map(|tool| {
            let writes = writes.entry(tool.api.clone()).or_default();
            (tool.name.clone(), Arc::new(tool.sharing(writes)))
        });
        Self { tools: tools.collect() }
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.get(name)
    }

    /// The failure of a call of a tool that does not exist: it names those that
    /// are spelt alike, or all where they are few.
    pub fn unknown(&self, name: &str) -> Failure {
        /// So many names are listed for a model to choose from.
        const FEW: usize = 10;
        let shown: String = name.chars().take(64).collect();
        let names = self.tools.keys().map(ToolName::as_str);
        let alike = nearest::nearest(name, names.clone());
        let offer = match (alike.is_empty(), self.tools.len()) {
            (false, _) => format!("did you mean {}?", alike.join(" or ")),
            (true, 0) => "there are no tools".to_owned(),
            (true, 1..=FEW) => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
            (true, _) => "use one of the tools that were offered".to_owned(),
        };
        Failure::new(FailureCode::UnknownTool, format!("there is no tool {shown:?}; {offer}"))
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::{Attempt, Backend, Pending},
        model::{ApiName, Effect, Json},
    };

    #[derive(Debug)]
    struct Silent;

    impl Backend for Silent {
        fn attempt(&self, _: Attempt) -> Pending {
            Box::pin(std::future::pending())
        }
    }

    fn registry(names: &[&str]) -> Registry {
        Registry::new(names.iter().map(|&name| {
            let settings = tool::Settings::new(
                ToolName::try_new(name).unwrap(),
                Schema::try_new(Json::try_new("{}").unwrap()).unwrap(),
                ApiName::try_new("crm").unwrap(),
            );
            Tool::new(settings, Effect::ReadOnly, Arc::new(Silent))
        }))
    }

    #[test]
    fn a_tool_that_does_not_exist_is_told_with_those_that_are_spelt_alike() {
        let many: Vec<String> = (0..11).map(|n| format!("tool_{n:03}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (names, wanted, says) in [
            (&[][..], "x", r#"there is no tool "x"; there are no tools"#),
            (&["get_user", "list_orders"], "getUsr", r#""getUsr"; did you mean get_user?"#),
            (&["get_user", "list_orders"], "pay", "there are get_user, list_orders"),
            (&many, "pay", "use one of the tools that were offered"),
            (&["pay"], &"é".repeat(1000), &format!("tool \"{}\"; there are pay", "é".repeat(64))),
        ] {
            let registry = registry(names);
            assert!(registry.get(wanted).is_none());
            let failure = registry.unknown(wanted);
            assert_eq!(failure.code, FailureCode::UnknownTool);
            assert!(failure.message.contains(says), "{}", failure.message);
        }
    }
}
