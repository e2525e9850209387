//! One `tool_use` of a turn, as every provider's shape and the typed one
//! arrive at it.

use std::{sync::Arc, time::Duration};

use super::{CallId, Json};

/// How the calls of a turn are ordered where nothing else says so.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ordering {
    /// Every call starts when its own inputs are ready.
    #[default]
    Free,
    /// One after the other in block order; the first that does not succeed
    /// skips the rest.
    Ordered,
}

/// Whether the calls of an API that may change something keep block order, where
/// their tools do not declare what they read and write.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ApiOrdering {
    /// One after the other.
    #[default]
    Writes,
    /// All at once.
    None,
}

/// Calls of a turn that the provider wants made one after the other in block
/// order, and none after the first that does not succeed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Series {
    /// Tells it from the turn's others.
    pub name: Arc<str>,
    /// What the model reads of a call that was not made, in the provider's words.
    pub skipped: Arc<str>,
}

/// The input that this text is, or the text where it is no object of JSON. No text
/// at all is an empty object.
pub fn input(text: String) -> Result<Json, Arc<str>> {
    if text.is_empty() {
        return Ok(Json::from_value(&serde_json::Value::Object(serde_json::Map::new())));
    }
    match Json::try_new(text.as_str()) {
        Ok(json) if json.value().is_object() => Ok(json),
        _ => Err(text.into()),
    }
}

/// One `tool_use`.
#[derive(Clone, Debug)]
pub struct Call {
    /// Unique in the batch.
    pub id: CallId,
    /// The name as the model wrote it, which need not be a tool's.
    pub tool: Arc<str>,
    /// The input, or the text that came where an object of JSON was due. Such a
    /// call is never run; its result says what is wrong with the text.
    pub input: Result<Json, Arc<str>>,
    /// Ids, names or positions of calls that must succeed first.
    pub depends_on: Vec<String>,
    /// Time for this call.
    pub timeout: Option<Duration>,
    /// Whose order it keeps.
    pub series: Option<Series>,
}
