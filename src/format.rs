//! The shapes of providers: a turn out of one, a bundle into it.
//!
//! A bundle has the shape that its turn came in. A turn of typed calls is
//! answered as Anthropic `tool_result` blocks.

use crate::model::{Call, CallResult};

pub mod anthropic;
pub mod teach;

/// Whose shape.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Shape {
    /// Anthropic Messages: `tool_use` and `tool_result` blocks.
    #[default]
    Anthropic,
}

/// A turn's calls, in block order.
#[derive(Clone, Debug)]
pub struct Turn {
    /// In block order; at least one.
    pub calls: Vec<Call>,
}

/// What is wrong with a turn.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Where: `content[2].id`; empty for the whole text.
    pub path: String,
    /// What is wrong there, and what would be right.
    pub message: String,
}

/// A tool as a model is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Definition<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub description: &'a str,
    /// JSON Schema of its input, as source text.
    pub input_schema: &'a str,
}

impl Shape {
    /// Reads a turn.
    ///
    /// # Errors
    ///
    /// Every fault, in the order of the text.
    pub fn decode(self, text: &str) -> Result<Turn, Vec<Fault>> {
        match self {
            Self::Anthropic => anthropic::decode(text),
        }
    }

    /// A result as an item of the bundle: JSON text, the same bytes for the same
    /// result.
    pub fn encode(self, result: &CallResult) -> String {
        match self {
            Self::Anthropic => anthropic::encode(result),
        }
    }

    /// Tools as a JSON array for the provider's request.
    pub fn tool_definitions<'a>(self, tools: impl IntoIterator<Item = Definition<'a>>) -> String {
        match self {
            Self::Anthropic => anthropic::tool_definitions(tools),
        }
    }
}
