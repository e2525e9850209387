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

fn encoded(content: Vec<Content>) -> Value {
    serde_json::from_str(&encode(&succeeded(content), Some("{}"))).unwrap()
}

fn json_of(text: &str) -> Content {
    Content::Json(Json::from_backend(text.to_owned()).unwrap())
}

#[test]
fn what_is_no_turn_is_refused_with_its_place() {
    for (text, says) in [
        ("{", ": this is not JSON: EOF"),
        ("7", ": expected a model's `Content`, its `parts` or the whole response; a number came"),
        ("{}", ": there is no `functionCall` part"),
        (r#"{"role": "model"}"#, ": there is no `functionCall` part"),
        (r#"{"role": "user", "parts": []}"#, "role: only a model's content holds"),
        (r#"{"parts": {}}"#, "parts: expected an array of parts; an object came"),
        (r#"{"candidates": []}"#, "candidates: 0 candidates came; send the content of one"),
        (r#"{"candidates": [{}, {}]}"#, "candidates: 2 candidates came"),
        (r#"{"candidates": [{"finishReason": "SAFETY"}]}"#, "candidates[0].content: the candidate"),
        (
            r#"{"candidates": [{"content": {"role": "x"}}]}"#,
            "candidates[0].content.role: only a model's content",
        ),
        ("[7]", "[0]: a part is an object; a number came"),
        (r#"[{"functionCall": 7}]"#, "[0].functionCall: a function call is an object"),
        (
            r#"[{"functionCall": {}}]"#,
            "[0].functionCall.name: a `functionCall` part names its tool",
        ),
        (r#"[{"functionCall": {"name": "t", "id": 7}}]"#, "[0].functionCall.id: a `functionCall`"),
        (
            r#"{"parts": [{"functionCall": {"name": "t", "args": {}, "args": {}}}]}"#,
            "parts[0].functionCall.args: this key stands twice in its block",
        ),
    ] {
        let faults = faults(text);
        assert!(faults[0].starts_with(says), "{text}: {faults:?}");
    }
}

#[test]
fn calls_come_out_of_a_response_in_their_order_and_all_else_is_passed_over() {
    let text = r#"{"candidates": [{"content": {"role": "model", "parts": [
        {"text": "Hm.", "thought": true},
        {"functionCall": {"id": "a1", "name": "find", "args": {"n": 12345678901234567890123}},
         "thoughtSignature": "c2ln"},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"functionCall": {"name": "find", "args": {}}},
        {"function_call": {"id": null, "name": "now", "args": null}, "text": null}
    ]}, "finishReason": "STOP"}], "usageMetadata": {}}"#;
    let turn = decode(text).unwrap();
    let calls: Vec<_> = turn
        .calls
        .iter()
        .map(|call| (call.id.as_str(), &*call.tool, call.input.as_ref().unwrap().as_str()))
        .collect();
    assert_eq!(
        calls,
        [
            ("a1", "find", r#"{"n": 12345678901234567890123}"#),
            ("call_2", "find", "{}"),
            ("call_3", "now", "{}"),
        ]
    );
    let items: Vec<String> = (0..3)
        .map(|index| {
            let (call, result) = (&turn.calls[index], succeeded(vec![]));
            let (call_id, tool) = (call.id.clone(), call.tool.clone());
            turn.frame.encode(&CallResult { index, call_id, tool, ..result })
        })
        .collect();
    insta::assert_snapshot!(items.join("\n"), @r#"
    {"functionResponse":{"id":"a1","name":"find","response":{"output":""}}}
    {"functionResponse":{"name":"find","response":{"output":""}}}
    {"functionResponse":{"name":"now","response":{"output":""}}}
    "#);
}

#[test]
fn arguments_that_are_no_object_are_never_run() {
    let turn = decode(r#"[{"functionCall": {"name": "t", "args": "{\"a\": 1"}}]"#).unwrap();
    assert_eq!(turn.calls[0].input.as_ref().unwrap_err().as_ref(), r#""{\"a\": 1""#);
}

#[test]
fn a_result_is_the_output_as_json_where_its_numbers_live_through_it() {
    for (content, output) in [
        (vec![], json!("")),
        (vec![json_of(r#"{"error": null}"#)], json!({"error": null})),
        (vec![json_of("[1.5]")], json!([1.5])),
        (vec![json_of("12345678901234567890")], json!("12345678901234567890")),
        (vec![Content::Text("fine".into())], json!("fine")),
        (
            vec![
                Content::Text(" ".into()),
                json_of("1"),
                Content::Link { uri: "https://a.example".into(), name: "".into() },
            ],
            json!([1, "https://a.example"]),
        ),
    ] {
        let response = &encoded(content)["functionResponse"]["response"];
        assert_eq!(*response, json!({"output": output}));
    }
    let result = failed(vec![Content::Text("more".into())]);
    assert_eq!(
        encode(&result, Some(r#"{"id":"x"}"#)),
        r#"{"functionResponse":{"id":"x","name":"get_user","response":{"error":"invalid_input: cents: expected an integer\nmore"}}}"#
    );
}

#[test]
fn files_that_gemini_looks_into_are_parts_and_others_are_named() {
    let file =
        |data: &[u8]| Content::Image { media_type: "x/y".into(), data: data.to_vec().into() };
    let content = vec![file(b"%PDF-1.7"), file(b"GIF89a"), file(b"\xff\xd8\xff\xe0")];
    assert_eq!(
        encoded(content)["functionResponse"],
        json!({
            "name": "get_user",
            "response": {"output": "[A file (x/y) of 6 bytes.]"},
            "parts": [
                {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjc="}},
                {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/4A=="}},
            ],
        })
    );
    let result = failed(vec![file(b"%PDF-1.7")]);
    assert!(encode(&result, None).contains("[A file (x/y) of 8 bytes.]"));
}

#[test]
fn tools_are_declared_by_json_schema() {
    let tool = |name, description, input_schema| Definition { name, description, input_schema };
    assert_eq!(
        tool_definitions([tool("a", "A.", r#"{"minProperties": 1.0}"#), tool("b", "", "{}")]),
        concat!(
            r#"[{"name":"a","description":"A.","parametersJsonSchema":{"type":"object","minProperties": 1.0}},"#,
            r#"{"name":"b","parametersJsonSchema":{"type":"object"}}]"#
        )
    );
}
