//! LangChain: `tool_calls` in, `ToolMessage`s out.

use std::sync::Arc;

use serde::de::IgnoredAny;

use super::{
    Definition, Fault, Shape, Turn, openai_chat,
    reader::{Found, Grammar, Ids, Members, Reader, arguments, input, kind, string},
    writer::{self, File, NOTHING, base64, file, id, object, quoted, text, texts},
};
use crate::model::{
    CallResult, Content, Outcome,
    json::{elements, members},
};

/// Models behind it need not have ids.
pub(super) const GRAMMAR: Grammar = Grammar { block: "a tool call", id: "id", ids: Ids::Optional };

/// The name of a call in which the model wrote none.
const UNNAMED: &str = "unnamed_tool";

/// How a message is spelt, which its answers repeat.
#[derive(Clone, Copy)]
enum Spelling<'t> {
    /// Its fields and its `type`: `model_dump`, or an array of calls.
    Plain,
    /// `{"type": …, "data": …}`: `messages_to_dict`, `toDict`.
    Stored,
    /// `{"lc": 1, "type": "constructor", "id": …, "kwargs": …}`, with that id:
    /// `dumps`, `JSON.stringify`.
    Constructor(&'t str),
}

/// Reads an `AIMessage` as LangChain writes it, in any of its spellings, or its
/// `tool_calls`: these become calls in their order, and after them the
/// `invalid_tool_calls`, which are not run and have their answers all the same.
///
/// # Errors
///
/// Every fault that leaves a call without an answer, in the order of the text.
pub fn decode(source: &str) -> Result<Turn, Vec<Fault>> {
    let mut reader = Reader::new(Shape::LangChain, GRAMMAR);
    turn(&mut reader, source);
    reader.finish("there is nothing in its `tool_calls`, so there is nothing to run")
}

fn turn(reader: &mut Reader, source: &str) {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(source) {
        return reader.fault("", format!("this is not JSON: {error}"));
    }
    if let Some(all) = elements(source) {
        return calls(reader, &all, "", Spelling::Plain);
    }
    let Some(found) = members(source).map(Members) else {
        let message = format!("expected an `AIMessage` or its `tool_calls`; {} came", kind(source));
        return reader.fault("", message);
    };
    let (spelling, inner) = match (found.some("lc"), found.some("kwargs"), found.some("data")) {
        (Some(_), Some(kwargs), _) => {
            (Spelling::Constructor(found.get("id").unwrap_or("[]")), Some(("kwargs", kwargs)))
        }
        (_, _, Some(data)) => (Spelling::Stored, Some(("data", data))),
        _ => (Spelling::Plain, None),
    };
    if !is_assistants(&found, spelling) {
        return reader.fault("type", "only an `AIMessage` holds `tool_calls`");
    }
    match inner {
        None => message(reader, &found, "", spelling),
        Some((key, inner)) => match members(inner) {
            Some(found) => message(reader, &Members(found), &format!("{key}."), spelling),
            None => reader.fault(key, format!("expected an object; {} came", kind(inner))),
        },
    }
}

/// Whether the model wrote it.
fn is_assistants(message: &Members<'_>, spelling: Spelling<'_>) -> bool {
    let name = match spelling {
        Spelling::Constructor(id) => {
            let last = elements(id).and_then(|path| path.last().copied());
            last.and_then(string)
        }
        Spelling::Plain | Spelling::Stored => {
            match message.some("type").or_else(|| message.some("role")) {
                Some(name) => string(name),
                None => return true,
            }
        }
    };
    name.is_some_and(|name| matches!(&*name, "ai" | "assistant" | "AIMessage" | "AIMessageChunk"))
}

fn message(reader: &mut Reader, message: &Members<'_>, path: &str, spelling: Spelling<'_>) {
    for key in ["tool_calls", "invalid_tool_calls"] {
        let path = format!("{path}{key}");
        let Some(source) = message.some(key) else { continue };
        match elements(source) {
            Some(all) => calls(reader, &all, &path, spelling),
            None => {
                let message = format!("expected an array of tool calls; {} came", kind(source));
                reader.fault(path, message);
            }
        }
    }
}

fn calls(reader: &mut Reader, sources: &[&str], path: &str, spelling: Spelling<'_>) {
    for (place, source) in sources.iter().enumerate() {
        let path = format!("{path}[{place}]");
        match members(source).map(Members) {
            Some(found) => call(reader, &found, &path, spelling),
            None => {
                reader.fault(path, format!("a tool call is an object; {} came", kind(source)));
            }
        }
    }
}

fn call(reader: &mut Reader, call: &Members<'_>, path: &str, spelling: Spelling<'_>) {
    let faults = reader.faults();
    let is_invalid =
        call.get("type").and_then(string).is_some_and(|kind| kind == "invalid_tool_call");
    let id = reader.id(call, path);
    let tool = match call.some("name") {
        None if is_invalid => Some(Arc::from(UNNAMED)),
        _ => reader.name(call, "name", path),
    };
    reader.once(call, &["id", "name", "args"], path);
    if let Some(tool) = tool
        && reader.faults() == faults
    {
        let args = call.some("args").unwrap_or(if is_invalid { r#""""# } else { "{}" });
        let input = match string(args) {
            // LangChain could not parse it, so nothing is run on what we make of it.
            Some(text) if is_invalid => Err(text.into()),
            Some(text) => arguments(&text),
            None => input(args),
        };
        let mut repeated: Vec<(&str, &str)> = Vec::new();
        repeated.extend(call.some("id").map(|id| ("id", id)));
        match spelling {
            Spelling::Plain => {}
            Spelling::Stored => repeated.push(("data", "{}")),
            Spelling::Constructor(path) => repeated.push(("constructor", path)),
        }
        let block = Some(object(repeated).into());
        reader.push(Found { id, tool, input, series: None, block });
    }
}

/// One `ToolMessage`, spelt as its turn was, the same bytes for the same result.
/// `content` is a text where there is nothing but texts. The `artifact`, which no
/// model sees, tells a call that failed from one that never ran.
pub fn encode(result: &CallResult, block: Option<&str>) -> String {
    let block = writer::block(block);
    let id = quoted(&id(result, block.as_ref(), GRAMMAR.id));
    let (tool, content) = (quoted(&result.tool), content(result));
    let status = if result.is_error() { "error" } else { "success" };
    let mut fields =
        format!(r#""content":{content},"tool_call_id":{id},"name":{tool},"status":"{status}""#);
    if let Some(failure) = &result.failure {
        let outcome = match result.outcome {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
            Outcome::Skipped => "skipped",
        };
        let code = failure.code.as_str();
        fields.push_str(&format!(r#","artifact":{{"outcome":"{outcome}","code":"{code}"}}"#));
    }
    let spelling = |key: &str| block.as_ref().and_then(|block| block.get(key));
    match (spelling("constructor"), spelling("data")) {
        (Some(path), _) => {
            let path = elements(path).unwrap_or_default();
            let above = path.split_last().map(|(_, above)| above).unwrap_or_default();
            let path: String = above.iter().map(|part| format!("{part},")).collect();
            format!(
                r#"{{"lc":1,"type":"constructor","id":[{path}"ToolMessage"],"kwargs":{{{fields}}}}}"#
            )
        }
        (None, Some(_)) => format!(r#"{{"type":"tool","data":{{"type":"tool",{fields}}}}}"#),
        (None, None) => format!(r#"{{"type":"tool",{fields}}}"#),
    }
}

fn content(result: &CallResult) -> String {
    let is_embedded = |content: &Content| embedded(content).is_some();
    if result.is_error() || !result.content.iter().any(is_embedded) {
        let words: Vec<_> = texts(result).collect();
        return quoted(&if words.is_empty() { NOTHING.to_owned() } else { words.join("\n") });
    }
    let blocks: Vec<String> = result.content.iter().filter_map(content_block).collect();
    format!("[{}]", blocks.join(","))
}

/// A standard content block. A file is spelt the older way, which the LangChain of
/// today makes its own block of in Python and in JavaScript: those two differ in the
/// newer (`base64` with `mime_type`, `data` with `mimeType`).
fn content_block(content: &Content) -> Option<String> {
    if let Some((kind, media_type, data)) = embedded(content) {
        let data = base64(data);
        return Some(format!(
            r#"{{"type":"{kind}","source_type":"base64","mime_type":"{media_type}","data":"{data}"}}"#
        ));
    }
    let words = Some(text(content)).filter(|text| !text.trim().is_empty())?;
    Some(format!(r#"{{"type":"text","text":{}}}"#, quoted(&words)))
}

/// A file's kind of block, its media type and its bytes, where models look into it.
fn embedded(content: &Content) -> Option<(&'static str, &'static str, &[u8])> {
    let (Content::Image { data, .. } | Content::Document { data, .. }) = content else {
        return None;
    };
    Some(match file(data)? {
        File::Image(media_type) => ("image", media_type, data),
        File::Pdf => ("file", "application/pdf", data),
    })
}

/// The argument of `bind_tools`: every model of LangChain takes OpenAI's spelling
/// and makes its own of it.
pub fn tool_definitions<'a>(tools: impl IntoIterator<Item = Definition<'a>>) -> String {
    openai_chat::tool_definitions(tools)
}

#[cfg(test)]
mod tests;
