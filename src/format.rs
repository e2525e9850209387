//! The shapes of providers: a turn out of one, a bundle into it.
//!
//! A bundle has the shape that its turn came in. A turn of typed calls is
//! answered as Anthropic `tool_result` blocks.

use std::sync::Arc;

use crate::model::{Call, CallResult, call::Series};

pub mod ai_sdk;
pub mod anthropic;
pub mod bedrock;
mod digits;
pub mod gemini;
#[cfg(test)]
mod golden;
pub mod langchain;
#[cfg(test)]
mod laws;
mod names;
pub mod openai_chat;
pub mod openai_responses;
#[cfg(test)]
mod properties;
mod reader;
#[cfg(test)]
mod results;
pub mod teach;
pub mod widen;
mod writer;

/// Whose shape.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Shape {
    /// Anthropic Messages: `tool_use` and `tool_result` blocks.
    #[default]
    Anthropic,
    /// OpenAI Chat Completions: `tool_calls` and `tool` messages.
    OpenAiChat,
    /// OpenAI Responses: `function_call` and `function_call_output` items.
    OpenAiResponses,
    /// Gemini: `functionCall` and `functionResponse` parts.
    Gemini,
    /// Bedrock Converse: `toolUse` and `toolResult` blocks.
    Bedrock,
    /// Vercel AI SDK: `tool-call` and `tool-result` parts.
    AiSdk,
    /// LangChain: `tool_calls` and `ToolMessage`s.
    LangChain,
}

/// A turn's calls, and what its bundle repeats of it.
#[derive(Clone, Debug)]
pub struct Turn {
    /// In block order; at least one.
    pub calls: Vec<Call>,
    /// Writes their results.
    pub frame: Frame,
}

/// What is known of a turn beside its calls: all that a bundle needs to have the
/// turn's shape.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    shape: Shape,
    /// By call: its block as the provider wrote it, without its input; `None`
    /// where nothing of it is to be repeated.
    blocks: Vec<Option<Arc<str>>>,
}

impl Frame {
    /// The frame of a turn of which nothing came yet.
    pub const fn new(shape: Shape) -> Self {
        Self { shape, blocks: Vec::new() }
    }

    /// Takes in the block of the next call.
    pub fn push(&mut self, block: Option<Arc<str>>) {
        self.blocks.push(block);
    }

    /// Takes in the next call's block as its provider began it, in this shape and
    /// perhaps without its input; gives whose order the call keeps.
    pub fn begin(&mut self, block: &str) -> Option<Series> {
        let turn = self.shape.decode(&format!("[{block}]"));
        match turn.map(|Turn { calls, frame }| (<[Call; 1]>::try_from(calls), frame.blocks)) {
            Ok((Ok([call]), mut blocks)) => {
                self.blocks.push(blocks.pop().flatten());
                call.series
            }
            // What is written of it finds there what it looks for.
            _ => {
                self.blocks.push(Some(block.into()));
                None
            }
        }
    }

    /// The tool that the model means by a name, which its provider may have been told
    /// by another.
    pub fn tool<'n>(&self, written: &'n str) -> &'n str {
        match self.shape {
            Shape::Gemini => names::own(written),
            _ => written,
        }
    }

    /// A result as an item of the bundle: JSON text, the same bytes for the same
    /// result.
    pub fn encode(&self, result: &CallResult) -> String {
        let block = self.blocks.get(result.index).and_then(Option::as_deref);
        match self.shape {
            Shape::Anthropic => anthropic::encode(result, block),
            Shape::OpenAiChat => openai_chat::encode(result, block),
            Shape::OpenAiResponses => openai_responses::encode(result, block),
            Shape::Gemini => gemini::encode(result, block),
            Shape::Bedrock => bedrock::encode(result, block),
            Shape::AiSdk => ai_sdk::encode(result, block),
            Shape::LangChain => langchain::encode(result, block),
        }
    }
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
            Self::OpenAiChat => openai_chat::decode(text),
            Self::OpenAiResponses => openai_responses::decode(text),
            Self::Gemini => gemini::decode(text),
            Self::Bedrock => bedrock::decode(text),
            Self::AiSdk => ai_sdk::decode(text),
            Self::LangChain => langchain::decode(text),
        }
    }

    /// Tools as a JSON array for the provider's request.
    pub fn tool_definitions<'a>(self, tools: impl IntoIterator<Item = Definition<'a>>) -> String {
        match self {
            Self::Anthropic => anthropic::tool_definitions(tools),
            Self::OpenAiChat => openai_chat::tool_definitions(tools),
            Self::OpenAiResponses => openai_responses::tool_definitions(tools),
            Self::Gemini => gemini::tool_definitions(tools),
            Self::Bedrock => bedrock::tool_definitions(tools),
            Self::AiSdk => ai_sdk::tool_definitions(tools),
            Self::LangChain => langchain::tool_definitions(tools),
        }
    }
}
