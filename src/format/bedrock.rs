//! Bedrock Converse: `toolUse` blocks in, `toolResult` blocks out.

use serde::de::IgnoredAny;

use super::{
    Definition, Fault, Shape, Turn,
    digits::are_doubles,
    reader::{Found, Grammar, Ids, Members, Reader, arguments, input, kind, string},
    writer::{self, NOTHING, base64, id, object_schema, quoted, text, texts},
};
use crate::model::{
    CallResult, Content,
    json::{elements, members},
};

mod file;

/// The API refuses a message whose ids are not unique.
pub(super) const GRAMMAR: Grammar =
    Grammar { block: "a `toolUse` block", id: "toolUseId", ids: Ids::Unique };

/// Reads an assistant message, its `content`, or a whole response: the `toolUse`
/// blocks become calls in their order. Other blocks are passed over, among them
/// tools that Bedrock runs itself.
///
/// # Errors
///
/// Every fault that leaves a block without an answer, in the order of the text.
pub fn decode(source: &str) -> Result<Turn, Vec<Fault>> {
    let mut reader = Reader::new(Shape::Bedrock, GRAMMAR);
    turn(&mut reader, source);
    reader.finish("there is no `toolUse` block in it, so there is nothing to run")
}

fn turn(reader: &mut Reader, source: &str) {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(source) {
        return reader.fault("", format!("this is not JSON: {error}"));
    }
    if let Some(all) = elements(source) {
        return blocks(reader, &all, "");
    }
    let Some(found) = members(source).map(Members) else {
        let message = format!(
            "expected an assistant message, its `content` or the whole response; {} came",
            kind(source)
        );
        return reader.fault("", message);
    };
    match found.some("output") {
        None => message(reader, &found, ""),
        Some(output) => {
            let output = members(output).map(Members);
            match output.and_then(|output| output.some("message")).and_then(members) {
                Some(found) => message(reader, &Members(found), "output.message."),
                None => reader.fault("output.message", "the response has no message"),
            }
        }
    }
}

fn message(reader: &mut Reader, message: &Members<'_>, path: &str) {
    if message.some("role").is_some_and(|role| string(role).is_none_or(|role| role != "assistant"))
    {
        let message = "only an assistant's message holds `toolUse` blocks";
        reader.fault(format!("{path}role"), message);
    }
    let source = message.some("content");
    match (source, source.and_then(elements)) {
        (_, Some(all)) => blocks(reader, &all, &format!("{path}content")),
        (source, None) => {
            let came = source.map_or("nothing", kind);
            let message = format!("expected an array of blocks; {came} came");
            reader.fault(format!("{path}content"), message);
        }
    }
}

fn blocks(reader: &mut Reader, blocks: &[&str], path: &str) {
    for (place, block) in blocks.iter().enumerate() {
        let path = format!("{path}[{place}]");
        let Some(block) = members(block).map(Members) else {
            reader.fault(path, format!("a block is an object; {} came", kind(block)));
            continue;
        };
        if let Some(source) = block.some("toolUse") {
            tool_use(reader, source, &format!("{path}.toolUse"));
        }
    }
}

fn tool_use(reader: &mut Reader, source: &str, path: &str) {
    let Some(block) = members(source).map(Members) else {
        return reader.fault(path, format!("a tool use is an object; {} came", kind(source)));
    };
    // Named only where Bedrock runs the tool.
    if block.some("type").is_some() {
        return;
    }
    let faults = reader.faults();
    let id = reader.id(&block, path);
    let tool = reader.name(&block, "name", path);
    reader.once(&block, &["toolUseId", "name", "input"], path);
    if let Some(tool) = tool
        && reader.faults() == faults
    {
        let source = block.some("input").unwrap_or("{}");
        // A stream brings it as text, which not every agent parses.
        let input = string(source).map_or_else(|| input(source), |text| arguments(&text));
        reader.push(Found { id, tool, input, series: None, block: None });
    }
}

/// One `toolResult` block, the same bytes for the same result.
///
/// The API refuses a block without content, texts without anything in them, and
/// `json` that is no object; models refuse anything but text beside an error.
/// `status` is told only of an error: not every model knows it.
pub fn encode(result: &CallResult, block: Option<&str>) -> String {
    let block = writer::block(block);
    let id = id(result, block.as_ref(), GRAMMAR.id);
    let of_text = |text: &str| format!(r#"{{"text":{}}}"#, quoted(text));
    let mut blocks: Vec<String> = if result.is_error() {
        texts(result).map(|text| of_text(&text)).collect()
    } else {
        let contents = result.content.iter().enumerate();
        contents
            .filter_map(|(n, content)| match content {
                Content::Json(json)
                    if json.as_str().trim_start().starts_with('{')
                        && are_doubles(json.as_str()) =>
                {
                    Some(format!(r#"{{"json":{}}}"#, json.as_str()))
                }
                Content::Image { media_type, data } | Content::Document { media_type, data }
                    if let Some(file) = file::kind(media_type, data) =>
                {
                    Some(file.block(&name(&id, n), &base64(data)))
                }
                _ => Some(text(content))
                    .filter(|text| !text.trim().is_empty())
                    .map(|text| of_text(&text)),
            })
            .collect()
    };
    if blocks.is_empty() {
        blocks.push(of_text(NOTHING));
    }
    let status = if result.is_error() { r#","status":"error""# } else { "" };
    let (id, blocks) = (quoted(&id), blocks.join(","));
    format!(r#"{{"toolResult":{{"toolUseId":{id},"content":[{blocks}]{status}}}}}"#)
}

/// A document's name: the API wants one, of few characters, and no two the same in
/// a conversation.
fn name(id: &str, n: usize) -> String {
    let kept = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    format!("{} {}", kept.collect::<String>(), n + 1)
}

/// The `tools` of a request's `toolConfig`.
pub fn tool_definitions<'a>(tools: impl IntoIterator<Item = Definition<'a>>) -> String {
    let specs = tools.into_iter().map(|Definition { name, description, input_schema }| {
        let description = match description {
            "" => String::new(),
            words => format!(r#""description":{},"#, quoted(words)),
        };
        let (name, schema) = (quoted(name), object_schema(input_schema));
        format!(
            r#"{{"toolSpec":{{"name":{name},{description}"inputSchema":{{"json":{schema}}}}}}}"#
        )
    });
    format!("[{}]", specs.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests;
