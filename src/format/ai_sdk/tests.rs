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

fn output(result: &CallResult) -> Value {
    let part: Value = serde_json::from_str(&encode(result, None)).unwrap();
    assert_eq!((&part["type"], &part["toolName"]), (&json!("tool-result"), &json!("get_user")));
    part["output"].clone()
}

fn json_of(text: &str) -> Content {
    Content::Json(Json::from_backend(text.to_owned()).unwrap())
}

#[test]
fn what_is_no_turn_is_refused_with_its_place() {
    for (text, says) in [
        ("[", ": this is not JSON: EOF"),
        ("true", ": expected an assistant message or its `content` array; a boolean came"),
        ("{}", "content: expected an array of parts; nothing came"),
        (r#"{"role": "tool", "content": []}"#, "role: only an assistant's message"),
        (r#"{"role": "assistant", "content": "hi"}"#, ": there is no `tool-call` part"),
        (r#"{"role": "assistant", "content": {}}"#, "content: expected an array of parts; an obj"),
        ("[7]", "[0]: a part is an object; a number came"),
        (r#"[{"text": "x"}]"#, "[0].type: a part names its type"),
        (r#"[{"type": "tool-call", "toolName": "t"}]"#, "[0].toolCallId: a `tool-call` part has"),
        (r#"[{"type": "tool-call", "toolCallId": "a"}]"#, "[0].toolName: a `tool-call` part names"),
        (
            r#"[{"type": "tool-call", "toolCallId": "a", "toolName": "t", "providerExecuted": true}]"#,
            ": there is no `tool-call` part in it to run",
        ),
    ] {
        let faults = faults(text);
        assert!(faults[0].starts_with(says), "{text}: {faults:?}");
    }
}

#[test]
fn calls_come_in_their_order_and_what_is_not_to_be_run_is_passed_over() {
    let text = r#"{"role": "assistant", "content": [
        {"type": "reasoning", "text": "Hm.", "providerOptions": {"x": {"signature": "y"}}},
        {"type": "tool-call", "toolCallId": "a", "toolName": "find", "input": {"n": 1.10}},
        {"type": "tool-call", "toolCallId": "srv", "toolName": "search", "input": {}, "providerExecuted": true},
        {"type": "tool-result", "toolCallId": "srv", "toolName": "search", "output": {"type": "text", "value": "x"}},
        {"type": "tool-call", "toolCallId": "b", "toolName": "find", "input": "{\"n\": 2", "invalid": true},
        {"type": "tool-call", "toolCallId": "later", "toolName": "pay", "input": {}},
        {"type": "tool-call", "toolCallId": "c", "toolName": "now"},
        {"type": "tool-approval-request", "approvalId": "1", "toolCallId": "later"}
    ], "providerOptions": {}}"#;
    let calls = decode(text).unwrap().calls;
    let calls: Vec<_> = calls
        .iter()
        .map(|call| {
            (call.id.as_str(), call.input.as_ref().map_or_else(|text| &**text, Json::as_str))
        })
        .collect();
    assert_eq!(calls, [("a", r#"{"n": 1.10}"#), ("b", r#"{"n": 2"#), ("c", "{}")]);
}

#[test]
fn an_output_is_json_or_text_or_content_or_an_error() {
    let text = |text: &str| Content::Text(text.into());
    for (content, expected) in [
        (vec![json_of(r#"{"a": 1}"#)], json!({"type": "json", "value": {"a": 1}})),
        (vec![json_of("null")], json!({"type": "json", "value": null})),
        (
            vec![json_of("12345678901234567890")],
            json!({"type": "text", "value": "12345678901234567890"}),
        ),
        (vec![text("a"), text(" "), json_of("1")], json!({"type": "text", "value": "a\n1"})),
        (vec![], json!({"type": "text", "value": "[The tool succeeded and returned nothing.]"})),
        (
            vec![
                text("See:"),
                text(""),
                Content::Image { media_type: "x".into(), data: "%PDF-".into() },
                Content::Document { media_type: "x".into(), data: "GIF89a".into() },
                Content::Document { media_type: "x/y".into(), data: "?".into() },
            ],
            json!({"type": "content", "value": [
                {"type": "text", "text": "See:"},
                {"type": "file-data", "data": "JVBERi0=", "mediaType": "application/pdf"},
                {"type": "image-data", "data": "R0lGODlh", "mediaType": "image/gif"},
                {"type": "text", "text": "[A file (x/y) of 1 bytes.]"},
            ]}),
        ),
    ] {
        assert_eq!(output(&succeeded(content)), expected);
    }
    let failure = "invalid_input: cents: expected an integer";
    let pdf = Content::Image { media_type: "x".into(), data: "%PDF-".into() };
    for (content, rest) in
        [(vec![], ""), (vec![json_of("{}")], "\n{}"), (vec![pdf], "\n[A file (x) of 5 bytes.]")]
    {
        let expected = json!({"type": "error-text", "value": format!("{failure}{rest}")});
        assert_eq!(output(&failed(content)), expected);
    }
}

#[test]
fn a_part_is_the_same_bytes_for_the_same_result() {
    insta::assert_snapshot!(
        encode(&succeeded(vec![json_of(r#"{"price": 1.10}"#)]), Some(r#"{"toolCallId":"functions.a:0"}"#)),
        @r#"{"type":"tool-result","toolCallId":"functions.a:0","toolName":"get_user","output":{"type":"json","value":{"price": 1.10}}}"#
    );
}

#[test]
fn tools_are_functions_as_a_language_model_takes_them() {
    let tool = |name, description, input_schema| Definition { name, description, input_schema };
    assert_eq!(
        tool_definitions([tool("a", "A.", r#"{"minProperties": 1.0}"#), tool("b", "", "{}")]),
        concat!(
            r#"[{"type":"function","name":"a","description":"A.","inputSchema":{"type":"object","minProperties": 1.0}},"#,
            r#"{"type":"function","name":"b","inputSchema":{"type":"object"}}]"#
        )
    );
}
