use super::*;
use crate::proto::v1::execute_batch_request::Turn;

fn refused(text: &str) -> String {
    parse("turn.json", text).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_read_is_said_with_its_place_and_what_to_write() {
    let texts = [
        "",
        "{\n  \"role\": \"assistant\",\n  \"content\": [",
        "{\"content\": [],}",
        "[{\"type\": \"tool_use\", \"name\": \"a\", \"name\": \"b\"}]",
        "[] []",
        "7",
        "{}",
        "[]",
        "[1, 2]",
        "{\"role\": \"assistant\", \"content\": \"No tool is needed.\"}",
        "{\"type\": \"tool_use\", \"id\": \"a\", \"name\": \"b\", \"input\": {}}",
        "{\"name\": \"get_user\", \"arguments\": {}}",
        "{\"batchId\": \"b-1\"}",
        "{\n  \"typed\": {\"toolUses\": [\n    {\"name\": \"a\", \"input\": {}}\n  ]}\n}",
        "{\n  \"typed\": {\"calls\": []}\n}",
        "{\"typed\": {\"toolUses\": [{\"name\": 7}]}}",
        "{\"typed\": {\"toolUses\": []}, \"anthropicJson\": \"[]\"}",
        "{\"typed\": {\"toolUses\": []}, \"ordering\": \"SIDEWAYS\"}",
    ];
    let refusals = texts.map(|text| format!("{text}\n{}", refused(text)));
    insta::assert_snapshot!(refusals.join("\n\n"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let path = Path::new("/nowhere/turn.json");
    insta::assert_snapshot!(read(path).unwrap_err(), @r"
    /nowhere/turn.json: there is no such file
      Name a file that holds a turn, or `-` to read standard input.
    ");
}

#[test]
fn a_file_that_is_not_utf_8_is_refused_with_the_byte() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), b"[\"\xff\"]").unwrap();
    let fault = read(file.path()).unwrap_err();
    assert_eq!(fault.what, "is not UTF-8, from byte 2 on");
}

#[test]
fn an_anthropic_message_travels_as_the_text_that_it_is() {
    let block =
        r#"{"type":"tool_use","id":"t","name":"pay","input":{"cents":1e2,"price":1249.90}}"#;
    let texts = [
        format!("[{block}]"),
        format!("{{\"role\": \"assistant\", \"content\": [{block}]}}"),
        format!("{{\"id\": \"msg_1\", \"type\": \"message\", \"content\": [\n{block} ]}}"),
    ];
    for text in texts {
        let request = parse("turn.json", &text).unwrap();
        assert_eq!(request.turn, Some(Turn::AnthropicJson(text)));
    }
}

#[test]
fn every_providers_turn_travels_in_its_own_field() {
    type Field = fn(String) -> Turn;
    let turns: &[(Field, &[&str])] = &[
        (
            Turn::AnthropicJson,
            &[
                r#"[{"type": "text", "text": "hm"}, {"type": "tool_use", "id": "a", "name": "f", "input": {}}]"#,
                r#"{"type": "message", "role": "assistant", "content": [{"type": "tool_use"}]}"#,
            ],
        ),
        (
            Turn::OpenaiChatJson,
            &[
                r#"[{"id": "call_1", "type": "function", "function": {"name": "f"}}]"#,
                r#"[{"id": "call_1", "type": "custom", "custom": {"name": "f", "input": ""}}]"#,
                r#"{"role": "assistant", "content": "hm", "tool_calls": [{"function": {"name": "f"}}]}"#,
                r#"{"choices": [{"message": {"tool_calls": []}}]}"#,
            ],
        ),
        (
            Turn::OpenaiResponsesJson,
            &[
                r#"{"object": "response", "output": [{"type": "function_call", "name": "f"}]}"#,
                r#"[{"type": "reasoning"}, {"type": "function_call", "name": "f"}]"#,
                r#"[{"type": "custom_tool_call", "name": "f"}]"#,
            ],
        ),
        (
            Turn::GeminiJson,
            &[
                r#"{"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]}"#,
                r#"{"role": "model", "parts": [{"functionCall": {"name": "f"}}]}"#,
                r#"[{"text": "hm"}, {"functionCall": {"name": "f"}}]"#,
                r#"[{"function_call": {"name": "f", "args": {}}}]"#,
            ],
        ),
        (
            Turn::BedrockJson,
            &[
                r#"{"output": {"message": {"content": [{"toolUse": {"name": "f"}}]}}}"#,
                r#"{"role": "assistant", "content": [{"text": "hm"}, {"toolUse": {"name": "f"}}]}"#,
                r#"[{"toolUse": {"name": "f"}}]"#,
            ],
        ),
        (
            Turn::AiSdkJson,
            &[
                r#"[{"type": "reasoning", "text": "hm"}, {"type": "tool-call", "toolCallId": "a", "toolName": "f", "input": {}}]"#,
                r#"{"role": "assistant", "content": [{"type": "tool-call", "toolName": "f"}]}"#,
            ],
        ),
        (
            Turn::LangchainJson,
            &[
                r#"{"type": "ai", "content": "", "tool_calls": [{"name": "f", "args": {}, "id": "a"}]}"#,
                r#"{"content": "", "tool_calls": [{"name": "f", "args": {}, "id": "a"}]}"#,
                r#"{"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"], "kwargs": {}}"#,
                r#"[{"name": "f", "args": {"a": 1}, "id": "a", "type": "tool_call"}]"#,
            ],
        ),
    ];
    for (field, texts) in turns {
        for text in *texts {
            let request = parse("turn.json", text).unwrap();
            assert_eq!(request.turn, Some(field((*text).to_owned())), "{text}");
        }
    }
}

#[test]
fn a_line_of_a_transcript_is_read_by_its_message() {
    let message = r#"{"role":"assistant","content":[{"type":"tool_use","input":{"a":1.0}}]}"#;
    let line = format!("{{\"uuid\": \"u\", \"message\": {message}}}");
    let request = parse("turn.json", &line).unwrap();
    assert_eq!(request.turn, Some(Turn::AnthropicJson(message.to_owned())));
}

#[test]
fn a_request_is_read_with_either_spelling_of_its_fields() {
    for text in [
        r#"{"batchId": "b-1", "typed": {"toolUses": [{"name": "a", "inputJson": "{\"x\": 1.10}"}]}}"#,
        r#"{"batch_id": "b-1", "typed": {"tool_uses": [{"name": "a", "input_json": "{\"x\": 1.10}"}]}}"#,
    ] {
        let request = parse("turn.json", text).unwrap();
        assert_eq!(request.batch_id, "b-1");
        let Some(Turn::Typed(typed)) = request.turn else { panic!("{text}") };
        assert_eq!(typed.tool_uses[0].input_json, r#"{"x": 1.10}"#);
    }
}

#[test]
fn the_command_line_is_stronger_than_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), r#"[{"type": "tool_use"}]"#).unwrap();
    let plain = TurnArgs { turn: file.path().into(), references: false, ordered: false };
    let request = plain.read().unwrap();
    assert_eq!(request.references(), v1::References::Unspecified);
    assert_eq!(request.ordering(), v1::Ordering::Unspecified);
    let request = TurnArgs { references: true, ordered: true, ..plain }.read().unwrap();
    assert_eq!(request.references(), v1::References::On);
    assert_eq!(request.ordering(), v1::Ordering::Ordered);
}
