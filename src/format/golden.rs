//! A turn of each provider, there and back: what became of its calls, and the
//! bundle of one result of every kind.

use std::fmt::Write;

use super::{Shape, results};
use crate::model::{CallResult, Content, Failure, FailureCode, Json, Outcome, Source};

/// One result of every kind, in turn.
fn ending(index: usize) -> CallResult {
    let failed = |outcome, code, words: &str, content| CallResult {
        outcome,
        source: None,
        failure: Some(Failure::new(code, words)),
        ..results::succeeded(content)
    };
    match index {
        0 => {
            let json = Json::try_new(r#"{"id": 12345678901234567890123, "price": 1.10}"#).unwrap();
            results::succeeded(vec![Content::Json(json)])
        }
        1 => CallResult { source: Some(Source::Shared), ..results::succeeded(vec![]) },
        2 => results::succeeded(vec![
            Content::Text("A chart.".into()),
            Content::Image {
                media_type: "image/png".into(),
                data: b"\x89PNG\r\n\x1a\n"[..].into(),
            },
            Content::Document { media_type: "text/csv".into(), data: b"a,b"[..].into() },
            Content::Link { uri: "https://a.example/1".into(), name: "Invoice".into() },
        ]),
        3 => failed(
            Outcome::Failed,
            FailureCode::ToolError,
            "the tool said no (422)",
            vec![Content::Text("nothing there".into())],
        ),
        4 => failed(
            Outcome::Skipped,
            FailureCode::DependencyFailed,
            "Not executed: an earlier computer action in this turn failed.",
            vec![],
        ),
        _ => failed(Outcome::Cancelled, FailureCode::Cancelled, "the call was cancelled", vec![]),
    }
}

/// The calls that were read and the bundle of their results, line by line.
fn there_and_back(shape: Shape, text: &str) -> String {
    let turn = shape.decode(text).unwrap();
    let mut out = String::new();
    for call in &turn.calls {
        let _ = match &call.input {
            Ok(input) => writeln!(out, "{} {} {input}", call.id, call.tool),
            Err(came) => writeln!(out, "{} {} not run: {came:?}", call.id, call.tool),
        };
    }
    for (index, call) in turn.calls.iter().enumerate() {
        let result = CallResult { index, call_id: call.id.clone(), ..ending(index) };
        let _ = write!(out, "\n{}", turn.frame.encode(&result));
    }
    out
}

#[test]
fn anthropic() {
    let text = r#"{
      "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "role": "assistant",
      "model": "claude", "stop_reason": "tool_use", "stop_sequence": null,
      "usage": {"input_tokens": 2095, "output_tokens": 503}, "content": [
        {"type": "thinking", "thinking": "Two things at once.", "signature": "EuYB"},
        {"type": "text", "text": "Let me look.", "citations": null},
        {"type": "tool_use", "id": "toolu_01", "name": "get_price", "caller": {"type": "direct"},
         "input": {"sku": 12345678901234567890123, "discount": 1.10}},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "tool_use", "id": "functions.touch:1", "name": "touch", "input": {},
         "cache_control": {"type": "ephemeral"}},
        {"type": "tool_use", "id": "toolu_03", "name": "screenshot", "toolset_name": "computer",
         "input": {}},
        {"type": "tool_use", "id": "toolu_04", "name": "left_click", "toolset_name": "computer",
         "input": {"coordinate": [1, 2]}},
        {"type": "tool_use", "id": "toolu_05", "name": "type", "toolset_name": "computer",
         "input": {"text": "a"}},
        {"type": "tool_use", "id": "toolu_06", "name": "get_price",
         "input": {"INVALID_JSON": "{\"sku\": 1"}},
        {"type": "a_kind_of_tomorrow", "x": 1}]}"#;
    insta::assert_snapshot!(there_and_back(Shape::Anthropic, text));
}

#[test]
fn openai_chat() {
    let text = r#"{
      "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt",
      "choices": [{"index": 0, "finish_reason": "tool_calls", "logprobs": null, "message": {
        "role": "assistant", "content": null, "refusal": null, "annotations": [], "tool_calls": [
          {"id": "call_1", "type": "function", "function": {"name": "get_price",
           "arguments": "{\"sku\": 12345678901234567890123, \"discount\": 1.10}"}},
          {"id": "functions.touch:1", "type": "function", "function": {"name": "touch", "arguments": ""}},
          {"id": "call_3", "type": "custom", "custom": {"name": "query", "input": "SELECT \"a\"\n"}},
          {"id": "call_3", "index": 3, "function": {"name": "refund", "arguments": {"cents": 1}}},
          {"id": "call_5", "type": "function", "function": {"name": "list", "arguments": "{}"}},
          {"id": "call_6", "type": "function", "function": {"name": "list", "arguments": "{\"sku\": 1"}}
        ]}}], "usage": {"total_tokens": 9}}"#;
    insta::assert_snapshot!(there_and_back(Shape::OpenAiChat, text));
}

#[test]
fn openai_responses() {
    let text = r#"{
      "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "output": [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_price",
         "arguments": "{\"sku\": 12345678901234567890123, \"discount\": 1.10}", "status": "completed"},
        {"type": "function_call", "id": "fc_2", "call_id": "functions.touch:1", "name": "touch",
         "arguments": "", "caller": {"type": "program", "caller_id": "call_prog"}},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "custom_tool_call", "id": "ctc_3", "call_id": "call_3", "name": "query",
         "input": "SELECT \"a\"\n", "caller": {"type": "direct"}},
        {"type": "function_call", "id": "fc_4", "call_id": "call_4", "name": "refund",
         "namespace": "crm", "arguments": "{\"cents\": 1}"},
        {"type": "function_call", "id": "fc_5", "call_id": "call_5", "name": "list", "arguments": "{}"},
        {"type": "function_call", "id": "fc_6", "call_id": "call_6", "name": "list",
         "arguments": "", "status": "incomplete"}]}"#;
    insta::assert_snapshot!(there_and_back(Shape::OpenAiResponses, text));
}

#[test]
fn gemini() {
    let text = r#"{
      "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
        {"text": "Two things at once.", "thought": true},
        {"functionCall": {"id": "fc.1", "name": "get_price",
         "args": {"sku": 12345678901234567890123, "discount": 1.10}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "touch", "args": {}}},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"function_call": {"id": null, "name": "chart", "args": null}, "text": null},
        {"functionCall": {"id": "fc.1", "name": "refund", "args": {"cents": 1}}},
        {"functionCall": {"name": "list", "args": {}}},
        {"functionCall": {"name": "list", "args": "{\"sku\": 1"}}
      ]}}], "usageMetadata": {"totalTokenCount": 9}, "modelVersion": "gemini"}"#;
    insta::assert_snapshot!(there_and_back(Shape::Gemini, text));
}

#[test]
fn bedrock() {
    let text = r#"{
      "output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "Two things at once.", "signature": "x"}}},
        {"text": "Let me look."},
        {"toolUse": {"toolUseId": "tooluse_1", "name": "get_price",
         "input": {"sku": 12345678901234567890123, "discount": 1.10}}},
        {"toolUse": {"toolUseId": "srv_1", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
        {"toolUse": {"toolUseId": "functions.touch:1", "name": "touch", "input": {}}},
        {"toolUse": {"toolUseId": "tooluse_3", "name": "chart", "input": {}}},
        {"toolUse": {"toolUseId": "tooluse_4", "name": "refund", "input": "{\"cents\": 1}"}},
        {"toolUse": {"toolUseId": "tooluse_5", "name": "list", "input": {}}},
        {"toolUse": {"toolUseId": "tooluse_6", "name": "list", "input": "{\"sku\": 1"}}
      ]}}, "stopReason": "tool_use", "usage": {"totalTokens": 9}, "metrics": {"latencyMs": 1}}"#;
    insta::assert_snapshot!(there_and_back(Shape::Bedrock, text));
}

#[test]
fn ai_sdk() {
    let text = r#"{"role": "assistant", "content": [
        {"type": "reasoning", "text": "Two things at once."},
        {"type": "tool-call", "toolCallId": "toolu_1", "toolName": "get_price",
         "input": {"sku": 12345678901234567890123, "discount": 1.10}, "providerOptions": {}},
        {"type": "tool-call", "toolCallId": "srv_1", "toolName": "web_search", "input": {},
         "providerExecuted": true},
        {"type": "tool-result", "toolCallId": "srv_1", "toolName": "web_search",
         "output": {"type": "json", "value": []}},
        {"type": "tool-call", "toolCallId": "functions.touch:1", "toolName": "touch"},
        {"type": "tool-call", "toolCallId": "toolu_3", "toolName": "chart", "input": {}},
        {"type": "tool-call", "toolCallId": "toolu_4", "toolName": "refund", "input": {"cents": 1}},
        {"type": "tool-call", "toolCallId": "toolu_5", "toolName": "list", "input": {}},
        {"type": "tool-call", "toolCallId": "toolu_6", "toolName": "list", "input": "{\"sku\": 1"},
        {"type": "tool-call", "toolCallId": "toolu_7", "toolName": "pay", "input": {}},
        {"type": "tool-approval-request", "approvalId": "a", "toolCallId": "toolu_7"}]}"#;
    insta::assert_snapshot!(there_and_back(Shape::AiSdk, text));
}

#[test]
fn langchain() {
    let text = r#"{
      "content": [{"type": "text", "text": "Let me look."}], "additional_kwargs": {},
      "response_metadata": {"stop_reason": "tool_use"}, "type": "ai", "name": null, "id": "run-1",
      "tool_calls": [
        {"name": "get_price", "args": {"sku": 12345678901234567890123, "discount": 1.10},
         "id": "call_1", "type": "tool_call"},
        {"name": "touch", "args": {}, "id": "functions.touch:1", "type": "tool_call"},
        {"name": "chart", "args": {}, "id": null, "type": "tool_call"},
        {"name": "refund", "args": {"cents": 1}, "id": "call_1", "type": "tool_call"}],
      "invalid_tool_calls": [
        {"name": "list", "args": "{\"sku\": 1", "id": "call_5", "error": "x", "type": "invalid_tool_call"},
        {"name": null, "args": null, "id": "call_6", "error": null, "type": "invalid_tool_call"}],
      "usage_metadata": {"total_tokens": 9}}"#;
    insta::assert_snapshot!(there_and_back(Shape::LangChain, text));
}
