//! Turns of each provider, as its API answers them, with everything that can go
//! wrong in one: what comes back is held against the types of the provider's own
//! SDKs.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};
use sidecall::proto::v1::{
    FailureCode, ListToolsRequest, Outcome, Shape, execute_batch_request::Turn as Wire,
};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::support::{Ran, Reply, Turn, World, data::exported, report, tools::base_with};

const REMEDY: &str = "`make test` sets it";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n....";

/// The field of a request that a provider's turn is sent in.
type Field = fn(String) -> Wire;
/// Makes a bundle wrong.
type Spoil = fn(&mut Vec<Value>);

/// The world's tools, and two of other kinds.
const SCREEN: &str = r#"
  left_click:
    description: Clicks.
    input: {type: object, properties: {at: {type: string}}}
    http: {api: crm, post: "/click", json: {at: "{at}"}}
  ask:
    description: Answers a question in free text.
    input: {type: object, properties: {input: {type: string}}, required: [input]}
    http: {api: crm, post: "/ask", json: {question: "{input}"}}
    effect: read_only
"#;

/// One call of a turn, and what is to come of it.
struct Call {
    id: &'static str,
    tool: &'static str,
    /// What the model wrote; it need not be JSON.
    input: &'static str,
    code: Option<FailureCode>,
}

/// Everything at once: an answer, none, an image, a PDF, an error, a call that hangs,
/// one that was sent, one that is skipped, inputs of three kinds that do not fit, a
/// tool that is not there, an id that is not ours.
fn faults() -> Vec<Call> {
    use FailureCode::{
        BackendError, DeadlineExceeded, DependencyFailed, InvalidInput, OutcomeUnknown, UnknownTool,
    };
    let call = |id, tool, input, code| Call { id, tool, input, code };
    vec![
        call("ok", "read", r#"{"id": 12345678901234567890123}"#, None),
        call("empty", "read", r#"{"id": "empty"}"#, None),
        call("image", "read", r#"{"id": "image"}"#, None),
        call("pdf", "read", r#"{"id": "pdf"}"#, None),
        call("five", "read", r#"{"id": "500"}"#, Some(BackendError)),
        call("hang", "read", r#"{"id": "hang"}"#, Some(DeadlineExceeded)),
        call("sent", "write", r#"{"id": "hang", "value": 1}"#, Some(OutcomeUnknown)),
        call("lost", "read", r#"{"id": "${5.x}"}"#, Some(DependencyFailed)),
        call("bad", "read", r#"{"id": "Ber"#, Some(InvalidInput)),
        call("list", "read", "[1]", Some(InvalidInput)),
        call("wrong", "read", r#"{"no": 1}"#, Some(InvalidInput)),
        call("who", "nobody", "{}", Some(UnknownTool)),
        call("functions.read:0", "read", r#"{"id": "ok"}"#, None),
    ]
}

async fn world() -> World {
    let world = World::start(&base_with(SCREEN)).await;
    let peer = &world.peer;
    peer.on("GET /read/12345678901234567890123", Reply::json(r#"{"cents": 1249.90}"#));
    peer.on("GET /read/ok", Reply::text(200, "all is well"));
    peer.on("GET /read/empty", Reply::text(204, ""));
    peer.on("GET /read/image", Reply::new(200, "image/png", PNG));
    peer.on("GET /read/pdf", Reply::new(200, "application/pdf", b"%PDF-1.7".as_slice()));
    peer.on("GET /read/500", Reply::text(500, "boom"));
    peer.on("GET /read/hang", Reply::hang());
    peer.on("POST /write/hang", Reply::hang());
    peer.on("POST /ask", Reply::text(200, "42"));
    world
}

/// The second of a screen's clicks goes wrong.
fn clicks(world: &World) {
    world.peer.script("POST /click", |arrival| match arrival.text() {
        r#"{"at":"b"}"# => Reply::text(422, "nothing there"),
        _ => Reply::text(200, "clicked"),
    });
}

fn assert_came_to(ran: &Ran, calls: &[Call]) {
    for (index, call) in calls.iter().enumerate() {
        let result = ran.finished.iter().find(|result| result.index as usize == index).unwrap();
        match (call.code, &result.failure) {
            (None, None) => assert_eq!(result.outcome(), Outcome::Succeeded, "{}", call.id),
            (Some(code), Some(failure)) => assert_eq!(failure.code(), code, "{failure:?}"),
            _ => panic!("{}: {result:#?}", call.id),
        }
    }
}

fn bundle(ran: &Ran) -> Vec<Value> {
    ran.bundle.iter().map(|item| serde_json::from_str(item).unwrap()).collect()
}

/// The tools of the world as the shape's request holds them.
async fn tools(world: &World, shape: Shape) -> Value {
    let request = ListToolsRequest { shape: shape.into(), ..ListToolsRequest::default() };
    let listed = world.client().list_tools(request).await.unwrap().into_inner();
    serde_json::from_str(&listed.tools_json).unwrap()
}

/// Anthropic's message: the calls of [`faults`], and a toolset's of which the second
/// fails.
fn anthropic(calls: &[Call]) -> Value {
    let mut content = vec![
        json!({"type": "text", "text": "Let me look.", "citations": null}),
        json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search",
               "input": {"query": "x"}, "caller": {"type": "direct"}}),
    ];
    content.extend(calls.iter().map(|call| {
        let input = match serde_json::from_str::<Value>(call.input) {
            // The digits survive in the text alone.
            Ok(Value::Object(_)) if call.id == "ok" => json!("@digits@"),
            Ok(input) if input.is_object() => input,
            _ => json!({"INVALID_JSON": call.input}),
        };
        json!({"type": "tool_use", "id": call.id, "name": call.tool, "input": input,
               "caller": {"type": "direct"}})
    }));
    content.extend(["a", "b", "c", "d"].map(|id| {
        json!({"type": "tool_use", "id": format!("click_{id}"), "name": "left_click",
               "input": {"at": id}, "toolset_name": "computer", "caller": {"type": "direct"}})
    }));
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
           "stop_reason": "tool_use", "stop_sequence": null, "container": null,
           "usage": {"input_tokens": 1, "output_tokens": 1}, "content": content})
}

/// A response of Chat Completions: the calls of [`faults`], and one of a custom tool.
fn openai_chat(calls: &[Call]) -> Value {
    let mut tool_calls: Vec<Value> = calls
        .iter()
        .map(|call| {
            json!({"id": call.id, "type": "function",
                   "function": {"name": call.tool, "arguments": call.input}})
        })
        .collect();
    tool_calls.push(json!({"id": "call_custom", "type": "custom",
                           "custom": {"name": "ask", "input": "6 \"times\" 7?\n"}}));
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt",
           "choices": [{"index": 0, "finish_reason": "tool_calls", "logprobs": null,
                        "message": {"role": "assistant", "content": null, "refusal": null,
                                    "tool_calls": tool_calls}}]})
}

/// A response of Responses: the calls of [`faults`], every other by a program, and
/// one of a custom tool.
fn openai_responses(calls: &[Call]) -> Value {
    let mut output = vec![json!({"type": "reasoning", "id": "rs_1", "summary": []})];
    output.extend(calls.iter().enumerate().map(|(place, call)| {
        let caller = match place % 2 {
            0 => Value::Null,
            _ => json!({"type": "program", "caller_id": format!("prog_{place}")}),
        };
        json!({"type": "function_call", "id": format!("fc_{place}"), "call_id": call.id,
               "name": call.tool, "arguments": call.input, "caller": caller,
               "status": "completed"})
    }));
    output.push(json!({"type": "web_search_call", "id": "ws_1", "status": "completed",
                       "action": {"type": "search", "query": "x"}}));
    output.push(json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_custom",
                       "name": "ask", "input": "6 \"times\" 7?\n"}));
    json!({"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt",
           "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "output": output})
}

/// What an SDK's own types are asked about: each shape's turn, bundle and tools.
async fn everything() -> Vec<Value> {
    let world = world().await;
    clicks(&world);
    let calls = faults();
    let mut seen = Vec::new();
    let shapes: [(&str, Shape, Field, Value); 3] = [
        ("anthropic", Shape::Anthropic, Wire::AnthropicJson, anthropic(&calls)),
        ("openai_chat", Shape::OpenaiChat, Wire::OpenaiChatJson, openai_chat(&calls)),
        (
            "openai_responses",
            Shape::OpenaiResponses,
            Wire::OpenaiResponsesJson,
            openai_responses(&calls),
        ),
    ];
    for (name, shape, field, message) in shapes {
        let text = message.to_string().replace(r#""@digits@""#, calls[0].input);
        let turn = Turn::shaped(field(text.clone()))
            .with_references()
            .call_timeout(Duration::from_millis(400));
        let ran = world.run(&turn).await;
        assert_came_to(&ran, &calls);
        seen.push(json!({
            "shape": name,
            "turn": serde_json::from_str::<Value>(&text).unwrap(),
            "bundle": bundle(&ran),
            "tools": tools(&world, shape).await,
        }));
    }
    world.end().await;
    seen
}

/// What the script of that language says of each: how many items its bundle has, or
/// what is wrong with it; and whether it ended well. Nothing where a plain `cargo test`
/// has no tools.
async fn judged(language: &str, held: &[Value]) -> Option<(Vec<String>, bool)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(language);
    let mut command = match language {
        "python" => {
            let mut command = Command::new(exported("SIDECALL_TEST_PYTHON", REMEDY)?);
            command.arg(folder.join("shapes.py"));
            command
        }
        _ => {
            let modules = exported("SIDECALL_TEST_NODE_MODULES", REMEDY)?;
            let mut command = Command::new("node");
            command.arg(folder.join("shapes.js")).env("NODE_PATH", modules);
            command
        }
    };
    command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for held in held {
        stdin.write_all(format!("{held}\n").as_bytes()).await.unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let said: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(said.len(), held.len(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((said, output.status.success()))
}

/// Incidents 14, 15, 16 and 18 by the providers' own types.
async fn the_sdks_take_every_bundle_and_no_other(language: &str) {
    let held = everything().await;
    let Some(judgement) = judged(language, &held).await else { return };
    assert_eq!(judgement, (["17", "14", "14"].map(str::to_owned).to_vec(), true));

    // What would pass whatever came proves nothing.
    let wrong: [(usize, Spoil); 6] = [
        (0, |bundle| {
            let id = bundle[0]["tool_use_id"].take();
            bundle[0]["tool_call_id"] = id;
        }),
        (0, |bundle| bundle.swap(0, 1)),
        (1, |bundle| bundle[2]["content"] = json!(7)),
        (1, |bundle| drop(bundle.pop())),
        (2, |bundle| bundle[0]["is_error"] = json!(false)),
        (2, |bundle| bundle[2]["output"][0]["type"] = json!("image")),
    ];
    let wrong = wrong.map(|(shape, spoil)| {
        let mut held = held[shape].clone();
        spoil(held["bundle"].as_array_mut().unwrap());
        held
    });
    let (said, is_well) = judged(language, &wrong).await.unwrap();
    assert!(!is_well);
    for said in said {
        assert!(said.parse::<usize>().is_err(), "it was taken: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_types_of_the_python_sdks_take_every_bundle_and_no_other() {
    the_sdks_take_every_bundle_and_no_other("python").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_npm_sdks_send_every_bundle_as_the_apis_take_it() {
    the_sdks_take_every_bundle_and_no_other("node").await;
}

#[tokio::test]
async fn a_toolset_stops_at_its_first_failure_in_the_words_of_the_api_and_the_rest_goes_on() {
    let world = world().await;
    clicks(&world);
    let calls = faults();
    let others: Vec<Call> = calls.into_iter().filter(|call| call.id == "ok").collect();
    let message = anthropic(&others).to_string().replace(r#""@digits@""#, others[0].input);
    let ran = world.run(&Turn::anthropic(message)).await;
    let bundle = bundle(&ran);
    assert_eq!(bundle.len(), 5);
    assert_eq!(bundle[0].get("toolset_name"), None);
    for (block, is_error) in bundle[1..].iter().zip([false, true, true, true]) {
        assert_eq!(block["toolset_name"], "computer");
        assert_eq!(block.get("is_error").is_some(), is_error, "{block}");
    }
    let skipped = "Not executed: an earlier computer action in this turn failed.";
    for block in &bundle[3..] {
        assert_eq!(block["content"], json!([{"type": "text", "text": skipped}]));
    }
    let clicks: Vec<_> =
        world.peer.lines().into_iter().filter(|line| line == "POST /click").collect();
    assert_eq!(clicks.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_custom_calls_text_arrives_as_the_input_of_its_tool() {
    let world = world().await;
    for message in [openai_chat(&[]), openai_responses(&[])] {
        let field = match message.get("choices") {
            Some(_) => Wire::OpenaiChatJson,
            None => Wire::OpenaiResponsesJson,
        };
        let ran = world.run(&Turn::shaped(field(message.to_string()))).await;
        assert_eq!(ran.count(Outcome::Succeeded), 1, "{:?}", ran.bundle);
    }
    for arrival in world.peer.log() {
        assert_eq!(arrival.text(), r#"{"question":"6 \"times\" 7?\n"}"#);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_sends_each_shape_as_it_is_and_prints_its_bundle() {
    let world = world().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    for (message, item) in [
        (openai_chat(&[]), json!({"role": "tool", "tool_call_id": "call_custom", "content": "42"})),
        (
            openai_responses(&[]),
            json!({"type": "custom_tool_call_output", "call_id": "call_custom", "output": "42"}),
        ),
    ] {
        std::fs::write(file.path(), message.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
        command.arg("run").arg(file.path()).arg("--bundle");
        command.arg("--address").arg(format!("unix://{}", world.socket.display()));
        assert_eq!(report(&mut command).await, json!([item]));
    }
    world.end().await;
}

/// Incident 15: Chat Completions tells them apart by their order, and the others not
/// at all.
#[tokio::test]
async fn the_same_id_twice_is_mapped_or_refused_as_the_provider_has_it() {
    let world = world().await;
    let call = || Call { id: "call_0", tool: "read", input: r#"{"id": "ok"}"#, code: None };
    let twice = [call(), call()];
    let ran = world.run(&Turn::shaped(Wire::OpenaiChatJson(openai_chat(&twice).to_string()))).await;
    let ids: Vec<_> = bundle(&ran).iter().map(|item| item["tool_call_id"].clone()).collect();
    assert_eq!(ids, ["call_0", "call_0", "call_custom"]);
    let ids: Vec<_> =
        ran.accepted.plan.unwrap().calls.into_iter().map(|call| call.call_id).collect();
    assert_eq!(ids, ["call_0", "call_0_2", "call_custom"]);
    for wire in [
        Wire::AnthropicJson(anthropic(&twice).to_string()),
        Wire::OpenaiResponsesJson(openai_responses(&twice).to_string()),
    ] {
        let refusal = world.refusal(&Turn::shaped(wire)).await;
        assert_eq!(refusal.code(), tonic::Code::InvalidArgument);
    }
    world.end().await;
}
