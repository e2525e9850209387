//! Gemini: `functionCall` parts in, `functionResponse` parts out.

use serde::de::IgnoredAny;

use super::{
    Definition, Fault, Shape, Turn,
    digits::are_doubles,
    names,
    reader::{Found, Grammar, Ids, Members, Reader, input, kind, string},
    writer::{self, File, base64, file, object_schema, quoted, text, texts},
};
use crate::model::{
    CallResult, Content,
    json::{elements, members},
};

/// Calls have ids on some of Google's APIs and none on others.
pub(super) const GRAMMAR: Grammar =
    Grammar { block: "a `functionCall` part", id: "id", ids: Ids::Optional };

/// Reads a model's `Content`, its `parts`, or a whole response of one candidate:
/// the `functionCall` parts become calls in their order. Other
/// parts are passed over, thoughts and code that Google runs among them. Keys
/// may be spelt as Python dumps them (`function_call`).
///
/// # Errors
///
/// Every fault that leaves a part without an answer, in the order of the text.
pub fn decode(source: &str) -> Result<Turn, Vec<Fault>> {
    let mut reader = Reader::new(Shape::Gemini, GRAMMAR);
    turn(&mut reader, source);
    reader.finish("there is no `functionCall` part in it, so there is nothing to run")
}

fn turn(reader: &mut Reader, source: &str) {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(source) {
        return reader.fault("", format!("this is not JSON: {error}"));
    }
    if let Some(all) = elements(source) {
        return parts(reader, &all, "");
    }
    let Some(message) = members(source).map(Members) else {
        let message = format!(
            "expected a model's `Content`, its `parts` or the whole response; {} came",
            kind(source)
        );
        return reader.fault("", message);
    };
    match message.some("candidates") {
        None => content(reader, &message, ""),
        Some(candidates) => match elements(candidates).as_deref() {
            Some(&[candidate]) => {
                let candidate = members(candidate).map(Members);
                let found = candidate.and_then(|candidate| members(candidate.get("content")?));
                match found.map(Members) {
                    Some(found) => content(reader, &found, "candidates[0].content."),
                    None => {
                        reader.fault("candidates[0].content", "the candidate has no content");
                    }
                }
            }
            Some(all) => {
                let came = all.len();
                let message = format!("{came} candidates came; send the content of one");
                reader.fault("candidates", message);
            }
            None => {
                let message = format!("expected an array; {} came", kind(candidates));
                reader.fault("candidates", message);
            }
        },
    }
}

fn content(reader: &mut Reader, content: &Members<'_>, path: &str) {
    if content.some("role").is_some_and(|role| string(role).is_none_or(|role| role != "model")) {
        let message = "only a model's content holds `functionCall` parts";
        reader.fault(format!("{path}role"), message);
    }
    // A model that has nothing to say has no parts.
    let Some(source) = content.some("parts") else { return };
    match elements(source) {
        Some(all) => parts(reader, &all, &format!("{path}parts")),
        None => {
            let message = format!("expected an array of parts; {} came", kind(source));
            reader.fault(format!("{path}parts"), message);
        }
    }
}

fn parts(reader: &mut Reader, parts: &[&str], path: &str) {
    for (place, part) in parts.iter().enumerate() {
        let path = format!("{path}[{place}]");
        let Some(part) = members(part).map(Members) else {
            reader.fault(path, format!("a part is an object; {} came", kind(part)));
            continue;
        };
        for key in ["functionCall", "function_call"] {
            if let Some(source) = part.some(key) {
                call(reader, source, &format!("{path}.{key}"));
            }
        }
    }
}

fn call(reader: &mut Reader, source: &str, path: &str) {
    let Some(call) = members(source).map(Members) else {
        let message = format!("a function call is an object; {} came", kind(source));
        return reader.fault(path, message);
    };
    let faults = reader.faults();
    let id = reader.id(&call, path);
    let tool = reader.name(&call, "name", path);
    reader.once(&call, &["id", "name", "args"], path);
    if let Some(tool) = tool
        && reader.faults() == faults
    {
        // A function without parameters has no arguments either.
        let input = input(call.some("args").unwrap_or("{}"));
        // There even without an id, so that none is answered.
        let block = Some(call.only(&["id"]));
        let tool = names::own(&tool).into();
        reader.push(Found { id, tool, input, series: None, block });
    }
}

/// One part with a `functionResponse`, the same bytes for the same result: what
/// the tool said under `output`, or why it failed under `error`, as the API reads
/// them. Files that Gemini looks into stand in `parts`, others are named.
pub fn encode(result: &CallResult, block: Option<&str>) -> String {
    let block = writer::block(block);
    let id = match &block {
        Some(block) => block.get("id").and_then(string),
        None => Some((&*result.call_id).into()),
    };
    let mut out = String::from(r#"{"functionResponse":{"#);
    if let Some(id) = id {
        out.extend([r#""id":"#, &quoted(&id), ","]);
    }
    out.extend([r#""name":"#, &quoted(&names::told(&result.tool)), r#","response":{"#]);
    if result.is_error() {
        let words: Vec<_> = texts(result).collect();
        out.extend([r#""error":"#, &quoted(&words.join("\n")), "}}}"]);
        return out;
    }
    let (files, values): (Vec<_>, Vec<_>) =
        result.content.iter().partition(|content| inline(content).is_some());
    out.extend([r#""output":"#, &output(&values), "}"]);
    for (n, (media_type, data)) in files.into_iter().filter_map(inline).enumerate() {
        out.extend([
            if n == 0 { r#","parts":["# } else { "," },
            r#"{"inlineData":{"mimeType":"#,
            &quoted(media_type),
            r#","data":""#,
            &base64(data),
            r#""}}"#,
        ]);
    }
    out.push_str(if result.content.len() > values.len() { "]}}" } else { "}}" });
    out
}

/// What is no file: one value as it is, several as an array.
fn output(contents: &[&Content]) -> String {
    let values: Vec<String> = contents
        .iter()
        .filter_map(|content| match content {
            Content::Json(json) if are_doubles(json.as_str()) => Some(json.as_str().to_owned()),
            _ => {
                Some(text(content)).filter(|text| !text.trim().is_empty()).map(|text| quoted(&text))
            }
        })
        .collect();
    match &values[..] {
        [] => quoted(""),
        [value] => value.clone(),
        _ => format!("[{}]", values.join(",")),
    }
}

/// A file's media type and bytes, where Gemini takes it in a response.
fn inline(content: &Content) -> Option<(&'static str, &[u8])> {
    let (Content::Image { data, .. } | Content::Document { data, .. }) = content else {
        return None;
    };
    match file(data)? {
        File::Image("image/gif") => None,
        File::Image(media_type) => Some((media_type, data)),
        File::Pdf => Some(("application/pdf", data)),
    }
}

/// The `functionDeclarations` of a tool of a request. Schemas go as JSON Schema:
/// the API's own dialect has no `$ref`, `const` or `additionalProperties`.
pub fn tool_definitions<'a>(tools: impl IntoIterator<Item = Definition<'a>>) -> String {
    let declarations = tools.into_iter().map(|Definition { name, description, input_schema }| {
        let description = match description {
            "" => String::new(),
            words => format!(r#""description":{},"#, quoted(words)),
        };
        let (name, schema) = (quoted(&names::told(name)), object_schema(input_schema));
        format!(r#"{{"name":{name},{description}"parametersJsonSchema":{schema}}}"#)
    });
    format!("[{}]", declarations.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests;
