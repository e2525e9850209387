//! LangChain.

use super::{Definition, Fault, Turn, anthropic};
use crate::model::CallResult;

/// Reads a turn.
///
/// # Errors
///
/// Every fault, in the order of the text.
pub fn decode(_: &str) -> Result<Turn, Vec<Fault>> {
    let message = "this shape is not read yet".to_owned();
    Err(vec![Fault { path: String::new(), message }])
}

/// A result as an item of the bundle.
pub fn encode(result: &CallResult, block: Option<&str>) -> String {
    anthropic::encode(result, block)
}

/// The tools of a request.
pub fn tool_definitions<'a>(tools: impl IntoIterator<Item = Definition<'a>>) -> String {
    anthropic::tool_definitions(tools)
}
