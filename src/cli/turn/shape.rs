//! Whose turn a text is, seen by its shape alone.

use serde_json::{Map, Value};

use crate::{cli::wire, proto::v1::execute_batch_request::Turn};

/// Which shape a turn has.
pub(super) enum Shape {
    /// An `ExecuteBatchRequest`.
    Request,
    /// A turn as a provider writes it, and the field that it is sent in.
    Provider(fn(String) -> Turn),
    /// An object whose `message` is a turn: a line of a transcript.
    Answer,
    /// None of them; what was seen instead.
    Unknown(String),
}

/// The shape of a whole text.
pub(super) fn of(turn: &Value) -> Shape {
    match turn {
        Value::Array(blocks) => of_blocks(blocks),
        Value::Object(members) => of_object(members),
        other => Shape::Unknown(format!("is {}, which is no turn", kind(other))),
    }
}

fn of_object(members: &Map<String, Value>) -> Shape {
    if let Some(field) = answer(members) {
        return Shape::Provider(field);
    }
    match members.get("content") {
        Some(Value::Array(blocks)) => return of_blocks(blocks),
        Some(Value::String(_)) => {
            return Shape::Unknown(
                "is a message whose content is text: it calls no tool".to_owned(),
            );
        }
        _ => {}
    }
    if members.get("type") == Some(&Value::from("tool_use")) {
        return Shape::Unknown("is one block, and not a turn".to_owned());
    }
    let known = wire::fields("sidecall.v1.ExecuteBatchRequest");
    let is_field =
        |key: &String| known.contains(key) || key.contains('_') && known.contains(&camel(key));
    if members.keys().any(is_field) {
        return Shape::Request;
    }
    if members.get("message").is_some_and(|message| message.get("content").is_some()) {
        return Shape::Answer;
    }
    let keys: Vec<_> = members.keys().take(8).map(String::as_str).collect();
    Shape::Unknown(match keys.as_slice() {
        [] => "is an empty object".to_owned(),
        keys => format!("is an object of {}, which is no turn", keys.join(", ")),
    })
}

/// Whose answer an object is, or whose message, where that is seen without a look
/// at its content.
fn answer(members: &Map<String, Value>) -> Option<fn(String) -> Turn> {
    let has = |key: &str| members.contains_key(key);
    match members.get("output") {
        Some(Value::Array(_)) => return Some(Turn::OpenaiResponsesJson),
        Some(output) if output.get("message").is_some() => return Some(Turn::BedrockJson),
        _ => {}
    }
    if has("choices") {
        return Some(Turn::OpenaiChatJson);
    }
    if has("candidates") || has("parts") {
        return Some(Turn::GeminiJson);
    }
    // As LangChain writes objects of its own.
    if has("lc") && has("kwargs") {
        return Some(Turn::LangchainJson);
    }
    let calls = members.get("tool_calls")?;
    let is_langchain = members.get("type").and_then(Value::as_str).is_some_and(is_ai)
        || calls.as_array().is_some_and(|calls| calls.iter().any(is_langchain_call));
    Some(if is_langchain { Turn::LangchainJson } else { Turn::OpenaiChatJson })
}

/// What LangChain calls a model's message.
fn is_ai(kind: &str) -> bool {
    kind == "ai" || kind == "AIMessage" || kind == "AIMessageChunk"
}

fn is_langchain_call(call: &Value) -> bool {
    call.get("args").is_some() || call.get("type") == Some(&Value::from("tool_call"))
}

fn of_blocks(blocks: &[Value]) -> Shape {
    let of = |key: &str| blocks.iter().any(|block| block.get(key).is_some());
    let has_type = |names: &[&str]| {
        let mut types = blocks.iter().filter_map(|block| block.get("type")?.as_str());
        types.any(|kind| names.contains(&kind))
    };
    if blocks.is_empty() {
        Shape::Unknown("is an empty array: it calls no tool".to_owned())
    } else if has_type(&["function_call", "custom_tool_call", "reasoning", "message"])
        && !has_type(&["tool-call"])
    {
        Shape::Provider(Turn::OpenaiResponsesJson)
    } else if of("function") || of("custom") {
        Shape::Provider(Turn::OpenaiChatJson)
    } else if of("functionCall") || of("function_call") {
        Shape::Provider(Turn::GeminiJson)
    } else if of("toolUse") {
        Shape::Provider(Turn::BedrockJson)
    } else if has_type(&["tool-call"]) {
        Shape::Provider(Turn::AiSdkJson)
    } else if blocks.iter().any(is_langchain_call) {
        Shape::Provider(Turn::LangchainJson)
    } else if of("type") {
        Shape::Provider(Turn::AnthropicJson)
    } else {
        Shape::Unknown("is an array whose elements have no `type`".to_owned())
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// `batch_id` as proto3 JSON has it: `batchId`.
fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            camel.extend(c.to_uppercase());
        } else {
            camel.push(c);
        }
    }
    camel
}
