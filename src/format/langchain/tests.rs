use serde_json::{Value, json};

use super::*;
use crate::{
    format::results::{failed, succeeded},
    model::Json,
};

fn faults(text: &str) -> Vec<String> {
    let faults = decode(text).unwrap_err();
    faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect()
}

fn json_of(text: &str) -> Content {
    Content::Json(Json::from_backend(text.to_owned()).unwrap())
}

#[test]
fn what_is_no_turn_is_refused_with_its_place() {
    for (text, says) in [
        ("{", ": this is not JSON: EOF"),
        ("7", ": expected an `AIMessage` or its `tool_calls`; a number came"),
        ("{}", ": there is nothing in its `tool_calls`"),
        (r#"{"type": "human", "content": "hi"}"#, "type: only an `AIMessage` holds `tool_calls`"),
        (r#"{"type": "human", "data": {}}"#, "type: only an `AIMessage`"),
        (r#"{"type": "ai", "data": 7}"#, "data: expected an object; a number came"),
        (
            r#"{"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {}}"#,
            "type: only an `AIMessage`",
        ),
        (r#"{"type": "ai", "tool_calls": {}}"#, "tool_calls: expected an array of tool calls; an"),
        (r#"{"type": "ai", "data": {"tool_calls": [7]}}"#, "data.tool_calls[0]: a tool call is"),
        (r#"[{"id": "a", "args": {}}]"#, "[0].name: a tool call names its tool"),
        (r#"[{"id": 7, "name": "t", "args": {}}]"#, "[0].id: a tool call has an id, a string"),
    ] {
        let faults = faults(text);
        assert!(faults[0].starts_with(says), "{text}: {faults:?}");
    }
}

/// The same calls in each spelling, and how an answer is spelt there.
#[test]
fn a_message_is_read_in_every_spelling_and_answered_in_its_own() {
    let fields = r#""content": "", "tool_calls": [
        {"name": "find", "args": {"n": 1.10}, "id": "call_a", "type": "tool_call"},
        {"name": "find", "args": {}, "id": null, "type": "tool_call"}],
        "invalid_tool_calls": [
        {"name": "find", "args": "{\"n\": 2", "id": "call_c", "error": "x", "type": "invalid_tool_call"},
        {"name": null, "args": null, "id": "call_d", "error": null, "type": "invalid_tool_call"}]"#;
    let mut items = Vec::new();
    for text in [
        format!(r#"{{"type": "ai", {fields}}}"#),
        format!(r#"{{"type": "ai", "data": {{"type": "ai", {fields}}}}}"#),
        format!(
            r#"{{"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"], "kwargs": {{"type": "ai", {fields}}}}}"#
        ),
        format!(
            r#"{{"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "AIMessageChunk"], "kwargs": {{{fields}}}}}"#
        ),
    ] {
        let turn = decode(&text).unwrap();
        let calls: Vec<_> = turn
            .calls
            .iter()
            .map(|call| {
                let input = call.input.as_ref().map_or_else(|text| &**text, Json::as_str);
                (call.id.as_str(), &*call.tool, input, call.input.is_ok())
            })
            .collect();
        assert_eq!(
            calls,
            [
                ("call_a", "find", r#"{"n": 1.10}"#, true),
                ("call_2", "find", "{}", true),
                ("call_c", "find", r#"{"n": 2"#, false),
                ("call_d", "unnamed_tool", "", false),
            ],
            "{text}"
        );
        let call_id = turn.calls[1].id.clone();
        items.push(turn.frame.encode(&CallResult { index: 1, call_id, ..failed(vec![]) }));
    }
    insta::assert_snapshot!(items.join("\n"), @r#"
    {"type":"tool","content":"invalid_input: cents: expected an integer","tool_call_id":"call_2","name":"get_user","status":"error","artifact":{"outcome":"failed","code":"invalid_input"}}
    {"type":"tool","data":{"type":"tool","content":"invalid_input: cents: expected an integer","tool_call_id":"call_2","name":"get_user","status":"error","artifact":{"outcome":"failed","code":"invalid_input"}}}
    {"lc":1,"type":"constructor","id":["langchain","schema","messages","ToolMessage"],"kwargs":{"content":"invalid_input: cents: expected an integer","tool_call_id":"call_2","name":"get_user","status":"error","artifact":{"outcome":"failed","code":"invalid_input"}}}
    {"lc":1,"type":"constructor","id":["langchain_core","messages","ToolMessage"],"kwargs":{"content":"invalid_input: cents: expected an integer","tool_call_id":"call_2","name":"get_user","status":"error","artifact":{"outcome":"failed","code":"invalid_input"}}}
    "#);
}

#[test]
fn content_is_a_text_unless_there_are_files_in_it() {
    let text = |text: &str| Content::Text(text.into());
    let pdf = || Content::Image { media_type: "x".into(), data: "%PDF-".into() };
    for (content, expected) in [
        (vec![], json!("[The tool succeeded and returned nothing.]")),
        (vec![text("a"), text(""), json_of(r#"{"n":1.10}"#)], json!("a\n{\"n\":1.10}")),
        (
            vec![
                text("See:"),
                text(" "),
                pdf(),
                Content::Document { media_type: "x".into(), data: "GIF89a".into() },
                Content::Document { media_type: "x/y".into(), data: "?".into() },
            ],
            json!([
                {"type": "text", "text": "See:"},
                {"type": "file", "source_type": "base64", "mime_type": "application/pdf", "data": "JVBERi0="},
                {"type": "image", "source_type": "base64", "mime_type": "image/gif", "data": "R0lGODlh"},
                {"type": "text", "text": "[A file (x/y) of 1 bytes.]"},
            ]),
        ),
    ] {
        let message: Value = serde_json::from_str(&encode(&succeeded(content), None)).unwrap();
        assert_eq!(message["content"], expected);
        assert_eq!((&message["status"], message.get("artifact")), (&json!("success"), None));
    }
    let message: Value = serde_json::from_str(&encode(&failed(vec![pdf()]), None)).unwrap();
    assert_eq!(
        message,
        json!({
            "type": "tool", "tool_call_id": "toolu_1", "name": "get_user", "status": "error",
            "content": "invalid_input: cents: expected an integer\n[A file (x) of 5 bytes.]",
            "artifact": {"outcome": "failed", "code": "invalid_input"},
        })
    );
}
