//! What holds for every turn in every shape: N calls in, N answers out, each under
//! the id and the name that the model wrote, in its order.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    Shape,
    results::{failed, succeeded},
};
use crate::model::{CallResult, Content, Json};

/// A call as a model writes it.
#[derive(Clone, Debug)]
struct Written {
    id: Option<String>,
    tool: String,
    input: Value,
    /// Something else stands before it.
    is_after_words: bool,
}

/// Whether every call of the shape has an id of its own.
fn has_ids(shape: Shape) -> bool {
    !matches!(shape, Shape::Gemini | Shape::LangChain)
}

/// The turn as its provider writes it.
fn turn(shape: Shape, calls: &[Written]) -> Value {
    let words = match shape {
        Shape::Gemini => json!({"text": "Let me see.", "thoughtSignature": "c2ln"}),
        Shape::Bedrock => json!({"reasoningContent": {"reasoningText": {"text": "Hm."}}}),
        Shape::AiSdk => json!({"type": "reasoning", "text": "Hm."}),
        _ => json!({"type": "text", "text": "Let me see."}),
    };
    let parts = calls.iter().flat_map(|call| {
        let Written { id, tool, input, is_after_words } = call;
        let mut fields = Map::new();
        let (id_key, name_key, input_key) = match shape {
            Shape::Gemini => ("id", "name", "args"),
            Shape::Bedrock => ("toolUseId", "name", "input"),
            Shape::AiSdk => ("toolCallId", "toolName", "input"),
            Shape::LangChain => ("id", "name", "args"),
            _ => ("id", "name", "input"),
        };
        fields.extend(id.as_ref().map(|id| (id_key.to_owned(), json!(id))));
        fields.insert(name_key.to_owned(), json!(tool));
        fields.insert(input_key.to_owned(), input.clone());
        let part = match shape {
            Shape::Gemini => json!({"functionCall": fields}),
            Shape::Bedrock => json!({"toolUse": fields}),
            _ => {
                let kind = match shape {
                    Shape::AiSdk => "tool-call",
                    Shape::LangChain => "tool_call",
                    _ => "tool_use",
                };
                fields.insert("type".to_owned(), json!(kind));
                Value::Object(fields)
            }
        };
        let has_words = *is_after_words && shape != Shape::LangChain;
        has_words.then(|| words.clone()).into_iter().chain([part])
    });
    let parts: Vec<Value> = parts.collect();
    match shape {
        Shape::Gemini => json!({"candidates": [{"content": {"role": "model", "parts": parts}}]}),
        Shape::Bedrock => json!({"output": {"message": {"role": "assistant", "content": parts}}}),
        Shape::LangChain => json!({"type": "ai", "content": "", "tool_calls": parts}),
        _ => json!({"role": "assistant", "content": parts}),
    }
}

/// The id, the name and the error mark of an item of the bundle, as far as the
/// shape has them.
fn answered(shape: Shape, item: &Value) -> (Option<&str>, Option<&str>, bool) {
    match shape {
        Shape::Gemini => {
            let response = &item["functionResponse"];
            let is_error = response["response"].get("error").is_some();
            assert_ne!(is_error, response["response"].get("output").is_some(), "{item}");
            (response["id"].as_str(), response["name"].as_str(), is_error)
        }
        Shape::Bedrock => {
            let result = &item["toolResult"];
            for block in result["content"].as_array().unwrap() {
                assert!(block["text"].as_str().is_none_or(|text| !text.trim().is_empty()));
                assert!(block.get("json").is_none_or(Value::is_object), "{item}");
            }
            assert_ne!(result["content"], json!([]));
            (result["toolUseId"].as_str(), None, result["status"] == "error")
        }
        Shape::AiSdk => {
            let output = &item["output"];
            // A JSON text is never empty, an empty text in it is two quotes.
            assert!(output["type"] == "json" || output["value"] != "", "{item}");
            let is_error = output["type"] == "error-text";
            (item["toolCallId"].as_str(), item["toolName"].as_str(), is_error)
        }
        Shape::LangChain => {
            assert_ne!(item["content"], json!(""));
            assert_eq!(item["type"], "tool");
            let is_error = item["status"] == "error";
            assert_eq!(is_error, item.get("artifact").is_some());
            (item["tool_call_id"].as_str(), item["name"].as_str(), is_error)
        }
        _ => {
            let is_error = item["is_error"] == true;
            (item["tool_use_id"].as_str(), None, is_error)
        }
    }
}

fn any_call() -> impl Strategy<Value = Written> {
    let id = "[a-z0-9]{1,8}|call_[0-9]|functions\\.[a-z]{1,4}:[0-9]|\\PC{1,10}";
    let input = prop::collection::vec(("[a-z]{1,4}", "\\PC{0,10}"), 0..3).prop_map(|fields| {
        let fields = fields.into_iter().map(|(key, text)| (key, Value::from(text)));
        Value::Object(fields.collect())
    });
    (prop::option::of(id), "[a-zA-Z_][a-zA-Z0-9_-]{0,20}", input, any::<bool>())
        .prop_map(|(id, tool, input, is_after_words)| Written { id, tool, input, is_after_words })
}

fn any_content() -> impl Strategy<Value = Content> {
    let files = [&b"\x89PNG\r\n\x1a\n...."[..], b"%PDF-1.7", b"GIF89a", b"", b"else"];
    let media = ["image/png", "text/csv", "video/mp4; codecs=x", "\"quoted\""];
    let text = "\\PC{0,20}|[ \t\n\u{0}\"\\\\]{0,4}";
    let json = ["{\"a\": 1.10}", " [1]", "12345678901234567890", "null", "\"\"", "{\"n\":1e400}"];
    prop_oneof![
        text.prop_map(|text| Content::Text(text.into())),
        prop::sample::select(json.to_vec())
            .prop_map(|text| Content::Json(Json::from_backend(text.to_owned()).unwrap())),
        (text, text).prop_map(|(uri, name)| Content::Link { uri: uri.into(), name: name.into() }),
        (prop::sample::select(files.to_vec()), prop::sample::select(media.to_vec())).prop_map(
            |(data, media_type)| Content::Document {
                media_type: media_type.into(),
                data: data.into()
            }
        ),
    ]
}

fn any_shape() -> impl Strategy<Value = Shape> {
    use Shape::{AiSdk, Anthropic, Bedrock, Gemini, LangChain};
    prop::sample::select(vec![Anthropic, Gemini, Bedrock, AiSdk, LangChain])
}

proptest! {
    #[test]
    fn every_call_is_answered_once_under_its_own_id_in_the_turns_order(
        shape in any_shape(),
        mut calls in prop::collection::vec(any_call(), 1..12),
        results in prop::collection::vec(
            (prop::collection::vec(any_content(), 0..4), any::<bool>()), 12..13),
    ) {
        for (place, call) in calls.iter_mut().enumerate() {
            let written = call.id.take();
            if has_ids(shape) {
                // No two the same, as these providers have it.
                call.id = Some(format!("{}_{place}", written.unwrap_or_default()));
            } else {
                call.id = written;
            }
        }
        let text = turn(shape, &calls).to_string();
        let turn = shape.decode(&text).map_err(|faults| TestCaseError::fail(format!("{faults:?}")))?;
        prop_assert_eq!(turn.calls.len(), calls.len());
        for (place, (call, written)) in turn.calls.iter().zip(&calls).enumerate() {
            prop_assert_eq!(&*call.tool, &*written.tool);
            let input: Value = serde_json::from_str(call.input.as_ref().unwrap().as_str()).unwrap();
            prop_assert_eq!(&input, &written.input);

            let (content, is_failed) = results[place].clone();
            let result = if is_failed { failed(content) } else { succeeded(content) };
            let tool = Arc::clone(&call.tool);
            let result = CallResult { index: place, call_id: call.id.clone(), tool, ..result };
            let item = turn.frame.encode(&result);
            prop_assert_eq!(&item, &turn.frame.encode(&result));
            let item: Value = serde_json::from_str(&item)
                .map_err(|error| TestCaseError::fail(format!("{error}: {item}")))?;
            let (id, name, is_error) = answered(shape, &item);
            match (&written.id, shape) {
                (Some(written), _) => prop_assert_eq!(id, Some(written.as_str())),
                (None, Shape::Gemini) => prop_assert_eq!(id, None),
                (None, _) => prop_assert_eq!(id, Some(&*call.id)),
            }
            prop_assert!(name.is_none_or(|name| name == written.tool));
            prop_assert_eq!(is_error, is_failed);
        }
    }

    #[test]
    fn no_text_whatever_makes_a_reader_fall(
        shape in any_shape(),
        text in "\\PC{0,80}|[\\[\\]{}\",:a-z ]{0,80}",
    ) {
        let _ = shape.decode(&text);
    }
}
