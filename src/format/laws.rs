//! What holds of every shape, for random turns and results.

use std::collections::HashSet;

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use super::{Frame, Shape, results};
use crate::model::{CallResult, Content, Failure, FailureCode, Json, Outcome, json::elements};

/// One call as a model may write it.
#[derive(Clone, Debug)]
struct Wish {
    id: String,
    tool: String,
    /// JSON text, or anything else.
    input: String,
    /// A member that nobody knows.
    extra: Option<String>,
    /// Something that is no call of ours stands before it.
    is_behind_another: bool,
    is_custom: bool,
}

/// Ids as providers, gateways and small models write them.
const IDS: &str =
    "call_[a-z0-9]{1,6}|functions\\.[a-z]{1,4}:[0-9]|[ab][._:/]?[0-9]?|\\PC{1,8}|x{120,140}";

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let input = prop_oneof![
        Just("{}".to_owned()),
        "[a-z]{1,5}".prop_map(|text| json!({"a": text, "b": [1, null]}).to_string()),
        Just(r#"{ "id": 12345678901234567890123, "price": 1.10 }"#.to_owned()),
        Just(r#"{"a":1,"a":2}"#.to_owned()),
        "\\PC{1,12}|\\{\"a\": [0-9]{0,2}|\\[1\\]|null",
    ];
    let wish = (IDS, "[a-z_]{1,8}", input, prop::option::of("[a-z]{1,4}"), any::<[bool; 2]>());
    let wish = wish.prop_map(|(id, tool, input, extra, [is_behind_another, is_custom])| Wish {
        id,
        tool,
        input,
        extra,
        is_behind_another,
        is_custom,
    });
    vec(wish, 1..12)
}

fn with_extra(mut block: Value, wish: &Wish) -> Value {
    if let Some(extra) = &wish.extra {
        block[format!("x_{extra}")] = json!({"deep": [extra]});
    }
    block
}

/// The blocks of a turn. The input is spliced in as text where the shape holds it
/// as JSON.
fn turn(shape: Shape, wishes: &[Wish]) -> String {
    let mut blocks = Vec::new();
    for wish in wishes {
        let Wish { id, tool, input, is_custom, .. } = wish;
        match shape {
            Shape::Anthropic => {
                if wish.is_behind_another {
                    blocks.push(
                        json!({"type": "server_tool_use", "id": id, "name": tool}).to_string(),
                    );
                }
                let block = json!({"type": "tool_use", "id": id, "name": tool, "input": "@input@"});
                // An SDK wraps what it cannot parse.
                let input = match serde_json::from_str::<Value>(input) {
                    Ok(_) => input.clone(),
                    Err(_) => json!({"INVALID_JSON": input}).to_string(),
                };
                blocks.push(with_extra(block, wish).to_string().replace(r#""@input@""#, &input));
            }
            Shape::OpenAiChat => {
                let block = match is_custom {
                    true => {
                        json!({"id": id, "type": "custom", "custom": {"name": tool, "input": input}})
                    }
                    false => json!({"id": id, "type": "function",
                                    "function": {"name": tool, "arguments": input}}),
                };
                blocks.push(with_extra(block, wish).to_string());
            }
            _ => {
                if wish.is_behind_another {
                    blocks.push(json!({"type": "mcp_call", "id": id, "name": tool}).to_string());
                }
                let block = match is_custom {
                    true => {
                        json!({"type": "custom_tool_call", "call_id": id, "name": tool, "input": input})
                    }
                    false => json!({"type": "function_call", "call_id": id, "name": tool,
                                    "arguments": input,
                                    "caller": {"type": "program", "caller_id": "p"}}),
                };
                blocks.push(with_extra(block, wish).to_string());
            }
        }
    }
    format!("[{}]", blocks.join(","))
}

fn contents() -> impl Strategy<Value = Vec<Content>> {
    let png = b"\x89PNG\r\n\x1a\n....".to_vec();
    let content = prop_oneof![
        "\\PC{0,12}|[ \t\n]{0,3}".prop_map(|text| Content::Text(text.into())),
        Just(Content::Json(Json::from_value(&json!({"price": 1.5})))),
        "\\PC{0,6}"
            .prop_map(|name| Content::Link { uri: "https://a.example".into(), name: name.into() }),
        prop_oneof![Just(png), vec(any::<u8>(), 0..12)]
            .prop_map(|data| Content::Image { media_type: "image/png".into(), data: data.into() }),
    ];
    vec(content, 0..4)
}

/// What an item of the bundle must be for the provider to take it.
fn judge(shape: Shape, item: &str, wish: &Wish, is_error: bool) {
    let item: Value = serde_json::from_str(item).unwrap();
    match shape {
        Shape::Anthropic => {
            assert_eq!(
                (&item["type"], &item["tool_use_id"]),
                (&json!("tool_result"), &json!(wish.id))
            );
            assert_eq!(item.get("is_error"), is_error.then_some(&json!(true)));
            let blocks = item.get("content").map(|content| content.as_array().unwrap());
            assert!(
                blocks.is_none_or(|blocks| !blocks.is_empty()) && (blocks.is_some() || !is_error)
            );
            for block in blocks.into_iter().flatten() {
                match block["type"].as_str().unwrap() {
                    "text" => assert!(!block["text"].as_str().unwrap().trim().is_empty()),
                    kind => assert!(kind == "image" && !is_error),
                }
            }
        }
        Shape::OpenAiChat => {
            assert_eq!((&item["role"], &item["tool_call_id"]), (&json!("tool"), &json!(wish.id)));
            let content = item["content"].as_str().unwrap();
            assert!(!content.trim().is_empty());
            assert!(!is_error || content.starts_with("Error: invalid_input: "));
            assert_eq!(item.as_object().unwrap().len(), 3);
        }
        _ => {
            let kind = match wish.is_custom {
                true => "custom_tool_call_output",
                false => "function_call_output",
            };
            assert_eq!((&item["type"], &item["call_id"]), (&json!(kind), &json!(wish.id)));
            assert_eq!(item.get("caller").is_some(), !wish.is_custom);
            let first = match &item["output"] {
                Value::String(text) => text.clone(),
                Value::Array(parts) => {
                    assert!(parts.iter().all(|part| part["text"] != json!("")));
                    parts[0]["text"].as_str().unwrap_or_default().to_owned()
                }
                other => panic!("{other}"),
            };
            assert!(item["output"].is_array() || !first.trim().is_empty());
            assert!(!is_error || first.starts_with("Error: invalid_input: "));
        }
    }
}

/// The text that stands for an input which is never run, and the input else.
fn input_of(shape: Shape, wish: &Wish) -> Result<String, String> {
    let is_text = wish.is_custom && shape != Shape::Anthropic;
    if is_text {
        return Ok(json!({"input": wish.input}).to_string());
    }
    match Json::try_new(wish.input.as_str()) {
        Ok(json) if json.value().is_object() => Ok(wish.input.clone()),
        _ if wish.input.trim().is_empty() && shape != Shape::Anthropic => Ok("{}".to_owned()),
        _ => Err(wish.input.clone()),
    }
}

proptest! {
    #[test]
    fn n_calls_in_are_n_valid_items_out_whatever_the_model_wrote(
        shape in prop_oneof![
            Just(Shape::Anthropic), Just(Shape::OpenAiChat), Just(Shape::OpenAiResponses),
        ],
        wishes in wishes(),
        endings in vec((contents(), 0_u8..3), 12),
    ) {
        let text = turn(shape, &wishes);
        let distinct: HashSet<&str> = wishes.iter().map(|wish| wish.id.as_str()).collect();
        let turn = match shape.decode(&text) {
            Ok(turn) => turn,
            // Answers to these could not be told apart.
            Err(faults) => {
                prop_assert!(distinct.len() < wishes.len() && shape != Shape::OpenAiChat, "{:?}", faults);
                prop_assert_eq!(faults.len(), wishes.len() - distinct.len());
                return Ok(());
            }
        };
        prop_assert_eq!(turn.calls.len(), wishes.len());
        let ids: HashSet<_> = turn.calls.iter().map(|call| &call.id).collect();
        prop_assert_eq!(ids.len(), wishes.len());
        for (index, ((call, wish), (content, ending))) in
            turn.calls.iter().zip(&wishes).zip(endings).enumerate()
        {
            prop_assert_eq!(&*call.tool, wish.tool.as_str());
            let read = call.input.as_ref().map(|json| json.as_str().to_owned());
            match input_of(shape, wish) {
                Ok(input) => prop_assert_eq!(read.ok(), Some(input)),
                Err(came) => prop_assert_eq!(read.err().map(|text| text.trim()), Some(came.trim())),
            }
            let (outcome, is_error) = match ending {
                0 => (Outcome::Succeeded, false),
                1 => (Outcome::Failed, true),
                _ => (Outcome::Skipped, true),
            };
            let failure = is_error.then(|| Failure::new(FailureCode::InvalidInput, "no"));
            let result = CallResult {
                index, outcome, failure, call_id: call.id.clone(), ..results::succeeded(content)
            };
            let item = turn.frame.encode(&result);
            prop_assert_eq!(&item, &turn.frame.encode(&result.clone()));
            judge(shape, &item, wish, is_error);
        }
    }

    #[test]
    fn a_chat_turn_that_comes_call_by_call_has_the_bundle_of_the_whole(wishes in wishes()) {
        let text = turn(Shape::OpenAiChat, &wishes);
        let whole = Shape::OpenAiChat.decode(&text).unwrap();
        let mut frame = Frame::new(Shape::OpenAiChat);
        let mut known = HashSet::new();
        for (index, (block, wish)) in elements(&text).unwrap().iter().zip(&wishes).enumerate() {
            let block = if wish.is_behind_another { block } else { "" };
            let (call_id, _) = frame.begin(&wish.id, block).unwrap();
            prop_assert!(known.insert(call_id.clone()), "{}", call_id);
            let streamed = CallResult { index, call_id, ..results::succeeded(vec![]) };
            let call_id = whole.calls[index].id.clone();
            let at_once = CallResult { call_id, ..streamed.clone() };
            prop_assert_eq!(frame.encode(&streamed), whole.frame.encode(&at_once));
        }
    }
}
