//! Vercel AI SDK: `tool-call` parts in, `tool-result` parts out.

use std::collections::HashSet;

use serde::de::IgnoredAny;

use super::{
    Definition, Fault, Shape, Turn,
    digits::are_doubles,
    reader::{Found, Grammar, Ids, Members, Reader, arguments, input, kind, string},
    writer::{self, File, NOTHING, base64, file, id, object_schema, quoted, text, texts},
};
use crate::model::{
    CallResult, Content,
    json::{elements, members},
};

/// The SDK finds a call's result by its id.
pub(super) const GRAMMAR: Grammar =
    Grammar { block: "a `tool-call` part", id: "toolCallId", ids: Ids::Unique };

/// Reads an assistant `ModelMessage`, or its `content` array: the `tool-call` parts
/// become calls in their order. Other parts are passed over, and so are calls that
/// the provider ran itself and calls that wait for somebody's approval.
///
/// # Errors
///
/// Every fault that leaves a part without an answer, in the order of the text.
pub fn decode(source: &str) -> Result<Turn, Vec<Fault>> {
    let mut reader = Reader::new(Shape::AiSdk, GRAMMAR);
    turn(&mut reader, source);
    reader.finish("there is no `tool-call` part in it to run")
}

fn turn(reader: &mut Reader, source: &str) {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(source) {
        return reader.fault("", format!("this is not JSON: {error}"));
    }
    if let Some(all) = elements(source) {
        return parts(reader, &all, "");
    }
    let Some(message) = members(source).map(Members) else {
        let message =
            format!("expected an assistant message or its `content` array; {} came", kind(source));
        return reader.fault("", message);
    };
    if message.some("role").is_some_and(|role| string(role).is_none_or(|role| role != "assistant"))
    {
        reader.fault("role", "only an assistant's message holds `tool-call` parts");
    }
    let content = message.some("content");
    match (content, content.and_then(elements)) {
        (_, Some(all)) => parts(reader, &all, "content"),
        // A message of nothing but text may be a string.
        (Some(content), None) if string(content).is_some() => {}
        (content, None) => {
            let came = content.map_or("nothing", kind);
            reader.fault("content", format!("expected an array of parts; {came} came"));
        }
    }
}

fn parts(reader: &mut Reader, sources: &[&str], path: &str) {
    let mut found = Vec::with_capacity(sources.len());
    let mut unapproved = HashSet::new();
    for (place, source) in sources.iter().enumerate() {
        let path = format!("{path}[{place}]");
        let Some(part) = members(source).map(Members) else {
            reader.fault(path, format!("a part is an object; {} came", kind(source)));
            continue;
        };
        match part.get("type").and_then(string) {
            Some(kind) if kind == "tool-call" => found.push((part, path)),
            Some(kind) if kind == "tool-approval-request" => {
                unapproved.extend(part.get("toolCallId").and_then(string));
            }
            Some(_) => {}
            None => reader.fault(format!("{path}.type"), "a part names its type"),
        }
    }
    for (part, path) in found {
        let is_elsewhere = part.get("providerExecuted") == Some("true");
        let id = part.get("toolCallId").and_then(string);
        if !is_elsewhere && id.is_none_or(|id| !unapproved.contains(&id)) {
            call(reader, &part, &path);
        }
    }
}

fn call(reader: &mut Reader, part: &Members<'_>, path: &str) {
    let faults = reader.faults();
    let id = reader.id(part, path);
    let tool = reader.name(part, "toolName", path);
    reader.once(part, &["toolCallId", "toolName", "input"], path);
    if let Some(tool) = tool
        && reader.faults() == faults
    {
        let source = part.some("input").unwrap_or("{}");
        // What the SDK could not parse it leaves as text, and so do models' own parts.
        let input = string(source).map_or_else(|| input(source), |text| arguments(&text));
        reader.push(Found { id, tool, input, series: None, block: None });
    }
}

/// One `tool-result` part, the same bytes for the same result, as `ai` 6 and 7 take
/// it. A single JSON value goes as `json`, unless its digits would not live through
/// JavaScript's numbers.
pub fn encode(result: &CallResult, block: Option<&str>) -> String {
    let block = writer::block(block);
    let id = quoted(&id(result, block.as_ref(), GRAMMAR.id));
    let (tool, output) = (quoted(&result.tool), output(result));
    format!(r#"{{"type":"tool-result","toolCallId":{id},"toolName":{tool},"output":{output}}}"#)
}

fn output(result: &CallResult) -> String {
    let files = result.content.iter().filter(|content| embedded(content).is_some()).count();
    match &result.content[..] {
        [Content::Json(json)] if !result.is_error() && are_doubles(json.as_str()) => {
            format!(r#"{{"type":"json","value":{}}}"#, json.as_str())
        }
        contents if files > 0 && !result.is_error() => {
            let parts: Vec<String> = contents.iter().filter_map(part).collect();
            format!(r#"{{"type":"content","value":[{}]}}"#, parts.join(","))
        }
        _ => {
            let kind = if result.is_error() { "error-text" } else { "text" };
            let words: Vec<_> = texts(result).collect();
            let words = if words.is_empty() { NOTHING.to_owned() } else { words.join("\n") };
            format!(r#"{{"type":"{kind}","value":{}}}"#, quoted(&words))
        }
    }
}

/// A part of a result with files in it.
fn part(content: &Content) -> Option<String> {
    if let Some((kind, media_type, data)) = embedded(content) {
        let data = base64(data);
        return Some(format!(r#"{{"type":"{kind}","data":"{data}","mediaType":"{media_type}"}}"#));
    }
    let words = Some(text(content)).filter(|text| !text.trim().is_empty())?;
    Some(format!(r#"{{"type":"text","text":{}}}"#, quoted(&words)))
}

/// A file's kind of part, its media type and its bytes, where models look into it.
fn embedded(content: &Content) -> Option<(&'static str, &'static str, &[u8])> {
    let (Content::Image { data, .. } | Content::Document { data, .. }) = content else {
        return None;
    };
    Some(match file(data)? {
        File::Image(media_type) => ("image-data", media_type, data),
        File::Pdf => ("file-data", "application/pdf", data),
    })
}

/// Function tools as a language model of the SDK takes them. For `generateText`
/// each becomes a `tool()`, its `inputSchema` through `jsonSchema()`.
pub fn tool_definitions<'a>(tools: impl IntoIterator<Item = Definition<'a>>) -> String {
    let tools = tools.into_iter().map(|Definition { name, description, input_schema }| {
        let description = match description {
            "" => String::new(),
            words => format!(r#""description":{},"#, quoted(words)),
        };
        let (name, schema) = (quoted(name), object_schema(input_schema));
        format!(r#"{{"type":"function","name":{name},{description}"inputSchema":{schema}}}"#)
    });
    format!("[{}]", tools.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests;
