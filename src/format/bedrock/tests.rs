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

fn content(content: Vec<Content>) -> Value {
    let block: Value = serde_json::from_str(&encode(&succeeded(content), None)).unwrap();
    assert_eq!(block["toolResult"].get("status"), None);
    block["toolResult"]["content"].clone()
}

fn json_of(text: &str) -> Content {
    Content::Json(Json::from_backend(text.to_owned()).unwrap())
}

#[test]
fn what_is_no_turn_is_refused_with_its_place() {
    for (text, says) in [
        ("nul", ": this is not JSON: EOF"),
        ("null", ": expected an assistant message, its `content` or the whole response; null came"),
        ("{}", "content: expected an array of blocks; nothing came"),
        (r#"{"content": "x"}"#, "content: expected an array of blocks; a string came"),
        (r#"{"role": "user", "content": []}"#, "role: only an assistant's message"),
        (r#"{"output": {}}"#, "output.message: the response has no message"),
        (r#"{"output": {"message": {}}}"#, "output.message.content: expected an array"),
        ("[]", ": there is no `toolUse` block in it"),
        (r#"[{"text": "hi"}]"#, ": there is no `toolUse` block in it"),
        ("[[]]", "[0]: a block is an object; an array came"),
        (r#"[{"toolUse": "x"}]"#, "[0].toolUse: a tool use is an object; a string came"),
        (r#"[{"toolUse": {"name": "t"}}]"#, "[0].toolUse.toolUseId: a `toolUse` block has an id"),
        (r#"[{"toolUse": {"toolUseId": "a"}}]"#, "[0].toolUse.name: a `toolUse` block names"),
        (
            r#"[{"toolUse": {"toolUseId": "a", "name": "t"}},
                {"toolUse": {"toolUseId": "a", "name": "t"}}]"#,
            "[1].toolUse.toolUseId: the id \"a\" stands at [0].toolUse.toolUseId too",
        ),
    ] {
        let faults = faults(text);
        assert!(faults[0].starts_with(says), "{text}: {faults:?}");
    }
}

#[test]
fn calls_come_out_of_a_response_in_their_order_and_all_else_is_passed_over() {
    let text = r#"{"output": {"message": {"role": "assistant", "content": [
        {"text": "Let me see."},
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "x"}}},
        {"toolUse": {"toolUseId": "tooluse_Ab.c:1", "name": "find", "input": {"n": 1.10}}},
        {"toolUse": {"toolUseId": "srv", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
        {"toolUse": {"toolUseId": "b", "name": "find", "input": "{\"n\": 2"}},
        {"toolUse": {"toolUseId": "c", "name": "find", "input": "{\"n\": 3}"}}
    ]}}, "stopReason": "tool_use", "usage": {"totalTokens": 1}}"#;
    let turn = decode(text).unwrap();
    let inputs: Vec<_> = turn
        .calls
        .iter()
        .map(|call| call.input.as_ref().map_or_else(|text| &**text, Json::as_str))
        .collect();
    assert_eq!(inputs, [r#"{"n": 1.10}"#, r#"{"n": 2"#, r#"{"n": 3}"#]);
    assert!(turn.calls[1].input.is_err());
    let result = CallResult { call_id: turn.calls[0].id.clone(), ..succeeded(vec![]) };
    insta::assert_snapshot!(
        turn.frame.encode(&result),
        @r#"{"toolResult":{"toolUseId":"tooluse_Ab.c:1","content":[{"text":"[The tool succeeded and returned nothing.]"}]}}"#
    );
}

#[test]
fn json_is_native_where_it_is_an_object_whose_numbers_live_through_it() {
    let object = r#"{"price": 1.10}"#;
    let block = encode(&succeeded(vec![json_of(object)]), None);
    assert!(block.contains(r#"[{"json":{"price": 1.10}}]"#), "{block}");
    for (json, text) in [
        ("[1]", "[1]"),
        ("7", "7"),
        ("null", "null"),
        (r#"{"id":12345678901234567890}"#, r#"{"id":12345678901234567890}"#),
    ] {
        assert_eq!(content(vec![json_of(json)]), json!([{"text": text}]));
    }
}

#[test]
fn an_error_is_flagged_and_holds_nothing_but_text() {
    let png = Content::Image { media_type: "image/png".into(), data: "\u{89}PNG".into() };
    assert_eq!(
        encode(&failed(vec![png, json_of("{}")]), Some(r#"{"toolUseId":"a.b"}"#)),
        concat!(
            r#"{"toolResult":{"toolUseId":"a.b","content":["#,
            r#"{"text":"invalid_input: cents: expected an integer"},"#,
            r#"{"text":"[A file (image/png) of 5 bytes.]"},{"text":"{}"}],"status":"error"}}"#
        )
    );
}

#[test]
fn files_are_what_their_bytes_are_or_what_they_are_called_and_others_are_named() {
    let file = |media_type: &str, data: &[u8]| Content::Document {
        media_type: media_type.into(),
        data: data.to_vec().into(),
    };
    let named = |kind: &str, format: &str| json!({kind: {"format": format, "name": "toolu-1 1", "source": {"bytes": "JVBERi0="}}});
    assert_eq!(content(vec![file("x/y", b"%PDF-")]), json!([named("document", "pdf")]));
    for (media_type, data, kind, format) in [
        ("text/csv; charset=utf-8", &b"a,b"[..], "document", "csv"),
        ("TEXT/MARKDOWN", b"# a", "document", "md"),
        ("video/mp4", b"ftyp", "video", "mp4"),
        ("video/3gpp", b"ftyp", "video", "three_gp"),
        ("text/csv", b"GIF89a", "image", "gif"),
    ] {
        let block = &content(vec![file(media_type, data)])[0][kind];
        assert_eq!(block["format"], format, "{media_type}");
        assert_eq!(block.get("name").is_some(), kind == "document");
    }
    for (media_type, data) in [
        ("application/zip", &b"PK"[..]),
        ("text/csv", b""),
        ("application/pdf", b"no such thing"),
        ("image/png", b"no such thing"),
        ("image/gif", &[&b"GIF89a"[..], &[0; 3_750_000]].concat()),
        ("text/plain", &[b'x'; 4_500_001]),
    ] {
        let block = &content(vec![file(media_type, data)])[0];
        assert_eq!(block["text"], format!("[A file ({media_type}) of {} bytes.]", data.len()));
    }
}

#[test]
fn tools_are_specified_by_json_schema() {
    let tool = |name, description, input_schema| Definition { name, description, input_schema };
    assert_eq!(
        tool_definitions([tool("a", "A.", r#"{"minProperties": 1.0}"#), tool("b", "", "{}")]),
        concat!(
            r#"[{"toolSpec":{"name":"a","description":"A.","inputSchema":{"json":{"type":"object","minProperties": 1.0}}}},"#,
            r#"{"toolSpec":{"name":"b","inputSchema":{"json":{"type":"object"}}}}]"#
        )
    );
}
