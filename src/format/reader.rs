//! What the readers of all shapes share: the calls that were found, and every
//! fault.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use super::{Fault, Frame, Shape, Turn};
use crate::model::{Call, CallId, Json};

/// Collects a turn's calls and its faults.
pub(super) struct Reader {
    calls: Vec<Call>,
    frame: Frame,
    faults: Vec<Fault>,
    /// Where each id was seen first.
    ids: HashMap<CallId, String>,
}

/// An object's members by key.
pub(super) struct Members<'t>(pub(super) Vec<(Cow<'t, str>, &'t str)>);

impl<'t> Members<'t> {
    /// The first value of that key, as source text.
    pub(super) fn get(&self, key: &str) -> Option<&'t str> {
        self.0.iter().find(|(name, _)| name == key).map(|&(_, value)| value)
    }

    /// How often the key stands there.
    pub(super) fn count(&self, key: &str) -> usize {
        self.0.iter().filter(|(name, _)| name == key).count()
    }
}

impl Reader {
    /// Nothing read yet.
    pub(super) fn new(shape: Shape) -> Self {
        let (calls, faults, ids) = (Vec::new(), Vec::new(), HashMap::new());
        Self { calls, frame: Frame::new(shape), faults, ids }
    }

    /// The turn; `nothing` is the fault of one without calls.
    pub(super) fn finish(mut self, nothing: &str) -> Result<Turn, Vec<Fault>> {
        if self.faults.is_empty() && self.calls.is_empty() {
            self.fault("", nothing);
        }
        if self.faults.is_empty() {
            Ok(Turn { calls: self.calls, frame: self.frame })
        } else {
            Err(self.faults)
        }
    }

    /// Adds a fault.
    pub(super) fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.faults.push(Fault { path: path.into(), message: message.into() });
    }

    /// Faults so far.
    pub(super) fn faults(&self) -> usize {
        self.faults.len()
    }

    /// Adds a call, and what the bundle repeats of its block.
    pub(super) fn push(
        &mut self,
        id: CallId,
        tool: Arc<str>,
        input: Result<Json, Arc<str>>,
        block: Option<Arc<str>>,
    ) {
        self.calls.push(Call { id, tool, input, depends_on: Vec::new(), timeout: None });
        self.frame.push(block);
    }

    /// The block's `id`, which no other has.
    pub(super) fn id(&mut self, block: &Members<'_>, path: &str) -> Option<CallId> {
        let path = format!("{path}.id");
        let Some(id) = block.get("id").and_then(string) else {
            self.fault(path, "a `tool_use` block has an id, a string");
            return None;
        };
        match CallId::try_new(id.as_ref()) {
            Err(error) => {
                self.fault(path, error.to_string());
                None
            }
            Ok(id) => {
                if let Some(first) = self.ids.get(&id) {
                    let message = format!("the id {:?} stands at {first} too", id.as_str());
                    self.fault(path, message);
                    return None;
                }
                self.ids.insert(id.clone(), path);
                Some(id)
            }
        }
    }

    /// The tool that the block names.
    pub(super) fn name(&mut self, block: &Members<'_>, path: &str) -> Option<Arc<str>> {
        match block.get("name").and_then(string) {
            Some(name) if !name.is_empty() => Some(name.into()),
            _ => {
                self.fault(
                    format!("{path}.name"),
                    "a `tool_use` block names its tool, a string that is not empty",
                );
                None
            }
        }
    }
}

/// A JSON string's text.
pub(super) fn string(source: &str) -> Option<Cow<'_, str>> {
    if !source.starts_with('"') {
        return None;
    }
    serde_json::from_str::<&str>(source)
        .map(Cow::Borrowed)
        .or_else(|_| serde_json::from_str::<String>(source).map(Cow::Owned))
        .ok()
}

/// What a JSON text is, for people.
pub(super) fn kind(source: &str) -> &'static str {
    match source.trim_start().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
