//! What the readers of all shapes share: the calls that were found, their ids,
//! and every fault.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use serde_json::json;

use super::{
    Fault, Frame, Shape, Turn,
    ids::call_ids,
    writer::{object, quoted},
};
use crate::model::{Call, Json, Series};

/// What a provider's blocks look like, as far as all readers ask for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar {
    /// The block, for people: "a `tool_use` block".
    pub(super) block: &'static str,
    /// The key of its id.
    pub(super) id: &'static str,
    /// What the ids of one turn may be.
    pub(super) ids: Ids,
}

/// What the ids of one turn may be, and so which turns can have a bundle that
/// their provider accepts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ids {
    /// Every call has one and no two the same; whatever answers another turn is
    /// refused.
    Unique,
    /// Every call has one; two may have the same, and the order tells their
    /// answers apart.
    Repeatable,
    /// Calls need none.
    Optional,
}

/// One call, as its block tells it.
pub(super) struct Found {
    /// The provider's id, where it wrote one.
    pub(super) id: Option<Arc<str>>,
    /// The name as the model wrote it.
    pub(super) tool: Arc<str>,
    /// The input, or the text that came in its place.
    pub(super) input: Result<Json, Arc<str>>,
    /// Whose order it keeps.
    pub(super) series: Option<Series>,
    /// What the bundle repeats of its block, its id among it, as JSON; `None` where
    /// that is the id at most.
    pub(super) block: Option<Arc<str>>,
}

/// Collects a turn's calls and its faults.
pub(super) struct Reader {
    shape: Shape,
    grammar: Grammar,
    found: Vec<Found>,
    faults: Vec<Fault>,
    /// Where each id was seen first.
    ids: HashMap<Arc<str>, String>,
}

/// An object's members by key.
pub(super) struct Members<'t>(pub(super) Vec<(Cow<'t, str>, &'t str)>);

impl<'t> Members<'t> {
    /// The first value of that key, as source text.
    pub(super) fn get(&self, key: &str) -> Option<&'t str> {
        self.0.iter().find(|(name, _)| name == key).map(|&(_, value)| value)
    }

    /// The first value of that key, unless it is null.
    pub(super) fn some(&self, key: &str) -> Option<&'t str> {
        self.get(key).filter(|value| *value != "null")
    }

    /// How often the key stands there.
    pub(super) fn count(&self, key: &str) -> usize {
        self.0.iter().filter(|(name, _)| name == key).count()
    }

    /// These members alone, those of them that are there, as an object.
    pub(super) fn only(&self, keys: &[&str]) -> Arc<str> {
        let kept = keys.iter().filter_map(|&key| Some((key, self.get(key)?)));
        object(kept).into()
    }
}

impl Reader {
    /// Nothing read yet.
    pub(super) fn new(shape: Shape, grammar: Grammar) -> Self {
        let (found, faults, ids) = (Vec::new(), Vec::new(), HashMap::new());
        Self { shape, grammar, found, faults, ids }
    }

    /// The turn; `nothing` is the fault of one without calls.
    pub(super) fn finish(mut self, nothing: &str) -> Result<Turn, Vec<Fault>> {
        if self.faults.is_empty() && self.found.is_empty() {
            self.fault("", nothing);
        }
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let ids = call_ids(self.found.iter().map(|found| found.id.as_deref()));
        let mut frame = Frame::new(self.shape);
        let calls = self.found.into_iter().zip(ids).map(|(found, id)| {
            let Found { id: written, tool, input, series, block } = found;
            let written = written.filter(|written| **written != *id);
            frame.push(block.or_else(|| {
                written.map(|written| object([(self.grammar.id, &*quoted(&written))]).into())
            }));
            Call { id, tool, input, depends_on: Vec::new(), timeout: None, series }
        });
        let calls = calls.collect();
        Ok(Turn { calls, frame })
    }

    /// Adds a fault.
    pub(super) fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.faults.push(Fault { path: path.into(), message: message.into() });
    }

    /// Faults so far.
    pub(super) fn faults(&self) -> usize {
        self.faults.len()
    }

    /// Adds a call.
    pub(super) fn push(&mut self, found: Found) {
        self.found.push(found);
    }

    /// The block's id, as far as it has one; a fault where its provider could not
    /// take an answer to it.
    pub(super) fn id(&mut self, block: &Members<'_>, path: &str) -> Option<Arc<str>> {
        let Grammar { block: what, id: key, ids } = self.grammar;
        let path = format!("{path}.{key}");
        let written = block.some(key);
        let Some(id) = written.and_then(string) else {
            if ids != Ids::Optional || written.is_some() {
                self.fault(path, format!("{what} has an id, a string"));
            }
            return None;
        };
        let id: Arc<str> = id.into();
        match self.ids.get(&id) {
            Some(first) if ids == Ids::Unique => {
                let message = format!("the id {id:?} stands at {first} too");
                self.fault(path, message);
            }
            Some(_) => {}
            None => {
                self.ids.insert(Arc::clone(&id), path);
            }
        }
        Some(id)
    }

    /// The tool that `block` names in its member `key`.
    pub(super) fn name(&mut self, block: &Members<'_>, key: &str, path: &str) -> Option<Arc<str>> {
        match block.get(key).and_then(string) {
            Some(name) if !name.is_empty() => Some(name.into()),
            _ => {
                let what = self.grammar.block;
                self.fault(
                    format!("{path}.{key}"),
                    format!("{what} names its tool, a string that is not empty"),
                );
                None
            }
        }
    }

    /// Each of these keys stands at most once in the block: of two it cannot be
    /// known which is meant.
    pub(super) fn once(&mut self, block: &Members<'_>, keys: &[&str], path: &str) {
        for key in keys.iter().filter(|key| block.count(key) > 1) {
            self.fault(format!("{path}.{key}"), "this key stands twice in its block");
        }
    }
}

/// The object that stands there, or what came in its place.
pub(super) fn input(source: &str) -> Result<Json, Arc<str>> {
    match Json::try_new(source) {
        Ok(json) if json.value().is_object() => Ok(json),
        _ => Err(source.into()),
    }
}

/// The object that a string of JSON holds, where the provider sends inputs as
/// text; else that text. A model that has nothing to say may leave it empty.
pub(super) fn arguments(text: &str) -> Result<Json, Arc<str>> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    match Json::try_new(text) {
        Ok(json) if json.value().is_object() => Ok(json),
        _ => Err(text.into()),
    }
}

/// An input of one text, where a provider's calls may be of free text: the tool
/// finds it as `input`.
pub(super) fn free_text(source: Option<&str>) -> Result<Json, Arc<str>> {
    match source {
        None => Ok(Json::from_value(&json!({"input": ""}))),
        Some(source) => match string(source) {
            Some(text) => Ok(Json::from_value(&json!({"input": text}))),
            None => Err(source.into()),
        },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_or_what_came() {
        for text in [r#"{"a": 1.10}"#, " {} "] {
            assert_eq!(arguments(text).unwrap().as_str(), text);
        }
        for text in ["", " \n"] {
            assert_eq!(arguments(text).unwrap().as_str(), "{}");
        }
        for text in ["{", "[]", "null", "7", r#"{"a":1,"a":2}"#, "{} {}", "get_user"] {
            assert_eq!(&*arguments(text).unwrap_err(), text);
        }
    }
}
