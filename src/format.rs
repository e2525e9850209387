//! The shapes of providers: a turn out of one, a bundle into it.
//!
//! A bundle has the shape that its turn came in. A turn of typed calls is
//! answered as Anthropic `tool_result` blocks.

use std::sync::Arc;

use self::{
    ids::Given,
    reader::{Grammar, Ids, Members, string},
    writer::{object, quoted},
};
use crate::model::{Call, CallId, CallResult, call::Series, json::members};

pub mod ai_sdk;
pub mod anthropic;
pub mod bedrock;
mod digits;
pub mod gemini;
#[cfg(test)]
mod golden;
mod ids;
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
    /// Of calls that come one by one.
    ids: Given,
}

/// What there is to know of a block.
#[derive(Default)]
struct Begun {
    /// What the bundle repeats of it.
    repeated: Option<Arc<str>>,
    /// Its provider's id.
    id: Option<String>,
    series: Option<Series>,
}

impl Frame {
    /// The frame of a provider's turn of which nothing came yet.
    pub fn new(shape: Shape) -> Self {
        Self { shape, blocks: Vec::new(), ids: Given::of(shape.grammar().ids) }
    }

    /// Takes in the block of the next call.
    pub fn push(&mut self, block: Option<Arc<str>>) {
        self.blocks.push(block);
    }

    /// Takes in the next call as its provider began it: the id that was `written`,
    /// which may be empty, and its block, in this shape and perhaps without its
    /// input, or empty where there is nothing to repeat. Gives the id by which the
    /// call is known here, which no other of the turn has, and whose order it keeps.
    /// The bundle has the provider's own id.
    ///
    /// # Errors
    ///
    /// What is wrong with the id, where its answer could not be told from another's.
    pub fn begin(
        &mut self,
        written: &str,
        block: &str,
    ) -> Result<(CallId, Option<Series>), String> {
        let Begun { mut repeated, id: of_block, series } = self.read(block);
        let written = match of_block.as_deref() {
            Some(of_block) if written.is_empty() && self.ids.grammar().is_some() => of_block,
            _ => written,
        };
        let id = self.ids.next(written)?;
        // A block that came without an id is answered without, where that can be.
        let needs_none = self.ids.grammar() == Some(Ids::Optional);
        if needs_none && written.is_empty() && repeated.is_none() {
            repeated = Some("{}".into());
        } else if written != id.as_str()
            && !written.is_empty()
            && (of_block.is_some() || block.is_empty() || !needs_none)
        {
            repeated = Some(with_id(repeated.as_deref(), self.shape.grammar().id, written));
        }
        self.blocks.push(repeated);
        Ok((id, series))
    }

    fn read(&self, block: &str) -> Begun {
        if block.is_empty() {
            return Begun::default();
        }
        let turn = self.shape.decode(&format!("[{block}]"));
        match turn.map(|Turn { calls, frame }| (<[Call; 1]>::try_from(calls), frame.blocks)) {
            Ok((Ok([call]), mut blocks)) => {
                let repeated = blocks.pop().flatten();
                let Grammar { id: key, ids, .. } = self.shape.grammar();
                let found = repeated.as_deref().and_then(members).map(Members);
                let id = found.as_ref().and_then(|found| string(found.get(key)?));
                // An id that is not repeated stood as it is.
                let id = id.map(String::from).or_else(|| match ids {
                    Ids::Optional => None,
                    Ids::Unique | Ids::Repeatable => Some(call.id.to_string()),
                });
                Begun { id, series: call.series, repeated }
            }
            // What is written of it finds there what it looks for.
            _ => Begun { repeated: Some(block.into()), ..Begun::default() },
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

/// The block, with that id where it has none.
fn with_id(block: Option<&str>, key: &str, id: &str) -> Arc<str> {
    let found = Members(block.and_then(members).unwrap_or_default());
    if let Some(block) = block.filter(|_| found.some(key).is_some()) {
        return block.into();
    }
    let others = found.0.iter().map(|(name, value)| (&**name, *value));
    let others = others.filter(|&(name, _)| name != key);
    object(others.chain([(key, &*quoted(id))])).into()
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
    /// What its blocks look like.
    const fn grammar(self) -> Grammar {
        match self {
            Self::Anthropic => anthropic::GRAMMAR,
            Self::OpenAiChat => openai_chat::GRAMMAR,
            Self::OpenAiResponses => openai_responses::GRAMMAR,
            Self::Gemini => gemini::GRAMMAR,
            Self::Bedrock => bedrock::GRAMMAR,
            Self::AiSdk => ai_sdk::GRAMMAR,
            Self::LangChain => langchain::GRAMMAR,
        }
    }

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
