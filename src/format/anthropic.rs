//! Anthropic Messages.

use super::{Definition, Fault, Turn};
use crate::model::CallResult;

/// Reads an assistant message, or its `content` array.
///
/// # Errors
///
/// Every fault, in the order of the text.
pub fn decode(text: &str) -> Result<Turn, Vec<Fault>> {
    let _ = text;
    Ok(Turn { calls: Vec::new() })
}

/// One `tool_result` block.
pub fn encode(result: &CallResult) -> String {
    let _ = result;
    String::new()
}

/// The `tools` array of a request.
pub fn tool_definitions<'a>(tools: impl IntoIterator<Item = Definition<'a>>) -> String {
    let _ = tools.into_iter().count();
    String::new()
}
