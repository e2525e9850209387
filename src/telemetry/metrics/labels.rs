//! What tools are called in metrics: those of the configuration and, up to a bound,
//! those that workers offer.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry::KeyValue;

use crate::telemetry::{
    names::{self, attribute},
    spans::Tool,
    told::ByTool,
};

/// Most names of workers' tools that are told apart.
pub(super) const OFFERED_MAX: usize = 1000;

/// What is said of a tool's calls.
#[derive(Clone)]
pub(super) struct Labels {
    pub(super) name: KeyValue,
    pub(super) kind: Option<KeyValue>,
    pub(super) api: KeyValue,
}

/// The tools that metrics name.
pub(super) struct Known {
    configured: ByTool<Labels>,
    /// Names only: a name that many sessions offer is one.
    offered: Mutex<HashSet<Arc<str>>>,
}

impl Labels {
    fn of(tool: &Tool, name: &Arc<str>) -> Self {
        Self {
            name: KeyValue::new(attribute::TOOL_NAME, Arc::clone(name)),
            kind: Some(KeyValue::new(attribute::TOOL_TYPE, tool.kind)),
            api: KeyValue::new(attribute::API, Arc::clone(&tool.api)),
        }
    }
}

impl Known {
    pub(super) fn new(tools: &[Tool]) -> Self {
        Self { configured: ByTool::new(by_name(tools)), offered: Mutex::default() }
    }

    /// These are the tools of the configuration from now on.
    pub(super) fn replace(&self, tools: &[Tool]) {
        self.configured.replace(by_name(tools));
    }

    /// The labels of a tool: of the configuration, or else this one of a worker's. What
    /// is neither a caller made up.
    pub(super) fn labels(&self, tool: &str, offered: Option<&Tool>) -> Labels {
        if let Some(labels) = self.configured.get(tool) {
            return labels;
        }
        let Some(tool) = offered else {
            return Labels {
                name: KeyValue::new(attribute::TOOL_NAME, names::OTHER),
                kind: None,
                api: KeyValue::new(attribute::API, names::OTHER),
            };
        };
        let mut seen = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = seen.contains(&tool.name)
            || (seen.len() < OFFERED_MAX && seen.insert(Arc::clone(&tool.name)));
        match is_known {
            true => Labels::of(tool, &tool.name),
            false => Labels::of(tool, &names::OTHER.into()),
        }
    }
}

fn by_name(tools: &[Tool]) -> HashMap<Arc<str>, Labels> {
    tools.iter().map(|tool| (Arc::clone(&tool.name), Labels::of(tool, &tool.name))).collect()
}
