//! Canaries everywhere: what came from a turn or from an API is in nothing that
//! the process says of itself unless somebody asked for it, and what the
//! configuration keeps secret is nowhere at all.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use sidecall::proto::v1::{
    FailureCode, LogLevelsRequest, StatusRequest, log_levels_request::Change,
    sidecall_service_client::SidecallServiceClient,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tonic::Request;

use crate::support::{
    Collector, PATIENCE, Peer, Ran, Reply, Turn,
    collector::{Seen, named},
    events::Running,
    own_address,
    world::connect,
};

const BEARER: &str = "canary-of/bearer";
const PASSWORD: &str = "canary-of-basic";
const KEY: &str = "canary-of+header";
const COLLECTOR: &str = "canary-of-collector";
/// What the configuration keeps secret.
const KEPT: [&str; 4] = [BEARER, PASSWORD, KEY, COLLECTOR];

const YAML: &str = r#"
listen:
  unix: {path: "{folder}/sidecall.sock"}
  admin: {admin}
apis:
  bearer: {url: "{peer}/bearer", auth: {bearer: {env: CANARY_BEARER}}}
  basic: {url: "{peer}/basic", auth: {basic: {user: agent, password: {file: "{folder}/password"}}}}
  header: {url: "{peer}/header", auth: {header: {name: X-Key, value: {env: CANARY_KEY}}}}
tools:
  find:
    description: Finds.
    input: {type: object, properties: {q: {}, id: {}, password: {}, note: {}, page: {}}}
    http:
      api: bearer
      get: "/find/{id}"
      query: {q: "{q}"}
      headers: {X-Page: "{page}"}
  save:
    description: Saves.
    input: {type: object, properties: {id: {}, api_key: {}, text: {}}}
    http: {api: basic, post: /save, json: {id: "{id}", key: "{api_key}", text: "{text}"}}
    writes: ["record/{id}"]
  break:
    description: Breaks.
    input: {type: object, properties: {id: {}}}
    http: {api: header, get: "/break/{id}"}
telemetry:
  log: {filter: trace}
  otlp:
    endpoint: "{collector}"
    delay: 10ms
    headers: {Authorization: {env: CANARY_COLLECTOR}}
"#;

/// The server as a process of its own, since its log is the process's.
struct Program {
    child: Child,
    log: watch::Receiver<String>,
    admin: SocketAddr,
    folder: TempDir,
    reading: JoinSet<()>,
}

impl Program {
    async fn start(peer: &Peer, collector: &Collector, environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let admin = own_address();
        let yaml = YAML
            .replace("{peer}", &peer.url())
            .replace("{collector}", &collector.url())
            .replace("{admin}", &admin.to_string())
            .replace("{folder}", &folder.path().display().to_string());
        let config = folder.path().join("sidecall.yaml");
        std::fs::write(&config, yaml).unwrap();
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sidecall"))
            .arg("serve")
            .arg("--config")
            .arg(config)
            .env("CANARY_BEARER", BEARER)
            .env("CANARY_KEY", KEY)
            .env("CANARY_COLLECTOR", format!("Bearer {COLLECTOR}"))
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (written, log) = watch::channel(String::new());
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            while let Some(line) = lines.next_line().await.unwrap() {
                written.send_modify(|log| log.extend([&line, "\n"]));
            }
        });
        let mut program = Self { child, log, admin, folder, reading };
        program.says("Serving 3 tools").await;
        program
    }

    async fn says(&mut self, text: &str) {
        let said = timeout(PATIENCE, self.log.wait_for(|log| log.contains(text))).await;
        let has_said = matches!(said, Ok(Ok(_)));
        drop(said);
        if !has_said {
            panic!("it never said {text:?}: {}", *self.log.borrow());
        }
    }

    fn socket(&self) -> PathBuf {
        Path::join(self.folder.path(), "sidecall.sock")
    }

    /// What Prometheus would be told.
    async fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.admin).await.unwrap();
        let asked = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Ends it; gives all that it logged.
    async fn end(mut self) -> String {
        let pid = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap();
        assert!(sent.success());
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it did not end").unwrap();
        assert_eq!(ended.code(), Some(0), "{}", *self.log.borrow());
        self.reading.join_next().await.unwrap().unwrap();
        self.log.borrow().clone()
    }
}

/// All that a process said while it ran a turn with canaries in it.
struct Said {
    ran: Ran,
    refusal: tonic::Status,
    spans: Vec<Seen>,
    /// To those who watch the process: its log, its metrics, how it is.
    log: String,
    metrics: String,
    moment: String,
}

/// An upstream that tells whoever asks what it was sent.
async fn upstream() -> Peer {
    let peer = Peer::start().await;
    let found = r#"{"id":"canary-result","session_token":"canary-result-token","n":1.10}"#;
    peer.on("GET /bearer/find/*", Reply::json(found));
    let saved = format!(r#"{{"saved":"canary-result","note":"sent with {KEY}"}}"#);
    peer.on("POST /basic/save", Reply::json(saved));
    peer.script("GET /header/break/*", |arrival| {
        let headers: String =
            arrival.headers.iter().map(|(name, value)| format!("{name}: {value:?}; ")).collect();
        let encoded = BASE64_STANDARD.encode(format!("agent:{PASSWORD}"));
        let said = format!("canary-body, was sent {headers} and {KEY} {BEARER} {encoded}");
        Reply::text(if arrival.line.ends_with("twice") { 503 } else { 401 }, &said)
    });
    peer
}

async fn run(environment: &[(&str, &str)]) -> Said {
    let (peer, collector) = (upstream().await, Collector::start().await);
    let program = Program::start(&peer, &collector, environment).await;
    let mut client = SidecallServiceClient::new(connect(program.socket()).await);
    let find = format!(
        r#"{{"q":"canary-input","id":"canary-input-id","password":"canary-input-password",
            "note":"my key is {BEARER}","page":"canary-input-page"}}"#
    );
    let turn = Turn::of([
        ("found", "find", find.as_str()),
        ("saved", "save", r#"{"id":"canary-input-id","api_key":"canary-input-key"}"#),
        ("again", "save", r#"{"id":"canary-input-id","text":"${found.session_token}"}"#),
        ("broken", "break", r#"{"id":"canary-input-id"}"#),
        ("twice", "break", r#"{"id":"twice"}"#),
        ("no_json", "find", r#"{"password":"canary-input-password"#),
        ("no_tool", "canary-tool", r#"{"token":"canary-input-token"}"#),
    ]);
    let mut request = Request::new(turn.with_references().0);
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    let stream = client.execute_batch(request).await.unwrap().into_inner();
    let ran = Running::new(stream).finish().await;

    let empty_id = Turn::of([(" ", "find", r#"{"q":"canary-input"}"#)]);
    let refusal = client.execute_batch(empty_id.0).await.unwrap_err();
    // What is changed at run time is told as it was: with what came from a caller.
    let change = Some(Change::Filter("trace,sidecall=trace".to_owned()));
    client.log_levels(LogLevelsRequest { change }).await.unwrap();
    let moment = client.status(StatusRequest::default()).await.unwrap().into_inner();
    // The turn: its RPC, the batch, seven calls, their attempts: 3, 1 and 3.
    let spans = collector.spans(1 + 1 + 7 + 7).await;
    assert_eq!(collector.header("authorization"), Some(format!("Bearer {COLLECTOR}")));
    let metrics = program.metrics().await;
    drop(client);
    let log = program.end().await;
    assert_eq!(peer.only("GET /header/break/canary-input-id").header("x-key"), KEY);
    let sent = peer.only("GET /bearer/find/*");
    assert_eq!(sent.header("authorization"), format!("Bearer {BEARER}"));
    assert!(sent.line.contains("canary-input") && sent.header("x-page").contains("canary-input"));
    Said { ran, refusal, spans, log, metrics, moment: format!("{moment:?}") }
}

/// The text has none of the secrets that the configuration keeps, nor of how they
/// are sent.
#[track_caller]
fn assert_keeps_secrets(what: &str, text: &str) {
    let encoded = BASE64_STANDARD.encode(format!("agent:{PASSWORD}"));
    for secret in KEPT.iter().copied().chain([encoded.trim_end_matches('=')]) {
        for line in text.lines() {
            assert!(!line.contains(secret), "{what} shows {secret}: {line}");
        }
    }
}

impl Said {
    /// What holds whatever is captured.
    fn check(&self) {
        let Self { ran, refusal, spans, log, metrics, moment } = self;
        // Those who watch the process are told what was done, and that it was.
        for line in ["An attempt failed", "TRACE", "What is logged was changed"] {
            assert!(log.contains(line), "nothing is said of {line:?}");
        }
        assert!(metrics.contains("gen_ai_tool_name=\"find\""), "{metrics}");
        assert!(moment.contains("header"), "{moment}");
        let refusal = format!("{refusal:?} {:?}", std::str::from_utf8(refusal.details()));
        assert!(refusal.contains("tool_uses[0]"), "{refusal}");
        for (what, text) in [
            ("the log", log),
            ("the metrics", metrics),
            ("the moment", moment),
            ("a status", &refusal),
        ] {
            assert_keeps_secrets(what, text);
            for line in text.lines() {
                assert!(!line.contains("canary"), "{what} shows what came from outside: {line}");
            }
        }
        assert_keeps_secrets("a span", &format!("{spans:#?}"));
        // The model is told what its tools said, and no secret in it.
        let broken = ran.failure("broken");
        assert_eq!(broken.code(), FailureCode::BackendError);
        assert!(broken.message.contains("canary-body, was sent"), "{}", broken.message);
        assert_eq!(broken.message.matches("[redacted]").count(), 4, "{}", broken.message);
        assert!(ran.failure("twice").message.contains("[redacted]"));
        for event in &ran.events {
            // A result that succeeded is passed on as it came.
            let text = format!("{event:?}").replace(&format!("sent with {KEY}"), "");
            assert_keeps_secrets("an event", &text);
        }
    }

    /// The span of a call.
    fn call(&self, id: &str) -> &Seen {
        let mut spans = self.spans.iter();
        spans.find(|span| span.attribute("gen_ai.tool.call.id") == id).unwrap()
    }
}

const ARGUMENTS: &str = "gen_ai.tool.call.arguments";
const RESULT: &str = "gen_ai.tool.call.result";

#[tokio::test]
async fn nothing_that_came_from_outside_is_told_to_those_who_watch() {
    let said = run(&[]).await;
    said.check();
    for span in &said.spans {
        // The name that a model made up is one of its attributes, and no input.
        let text = format!("{span:#?}").replace("canary-tool", "");
        assert!(!text.contains("canary"), "{text}");
    }
    let again = said.call("again");
    let reasons = format!("{:?}", again.0.links);
    assert!(reasons.contains("the same resource"), "{reasons}");
    assert!(named(&said.spans, "batch").attribute(ARGUMENTS).is_empty());
}

#[tokio::test]
async fn what_is_captured_has_its_place_and_no_secret_in_it() {
    let name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
    let said = run(&[(name, "SPAN_ONLY")]).await;
    said.check();
    let found = said.call("found");
    let input: serde_json::Value = serde_json::from_str(&found.attribute(ARGUMENTS)).unwrap();
    assert_eq!(input["q"], "canary-input");
    assert_eq!(input["password"], "[redacted]");
    assert_eq!(input["note"], "my key is [redacted]");
    let result = r#"{"id":"canary-result","session_token":"[redacted]","n":1.10}"#;
    assert_eq!(found.attribute(RESULT), result);
    let saved = said.call("saved");
    assert_eq!(saved.attribute(ARGUMENTS), r#"{"id":"canary-input-id","api_key":"[redacted]"}"#);
    assert_eq!(
        saved.attribute(RESULT),
        r#"{"saved":"canary-result","note":"sent with [redacted]"}"#
    );
    // With what it was made of, which is not secret by the key that it has here.
    let again = said.call("again").attribute(ARGUMENTS);
    assert_eq!(again, r#"{"id":"canary-input-id","text":"canary-result-token"}"#);
    // As the model wrote it, where nothing could be made of it.
    assert_eq!(said.call("no_json").attribute(ARGUMENTS), r#"{"password":"[redacted]""#);
    assert_eq!(said.call("no_tool").attribute(ARGUMENTS), r#"{"token":"[redacted]"}"#);
    assert_eq!(said.call("broken").attribute(RESULT), "", "a failure is told by its code");
    let elsewhere = said.spans.iter().map(|span| {
        let mut span = span.clone();
        span.0.attributes.retain(|pair| ![ARGUMENTS, RESULT].contains(&pair.key.as_str()));
        format!("{:#?}", (span.0.name, span.0.attributes, span.0.status))
    });
    for text in elsewhere {
        assert!(!text.replace("canary-tool", "").contains("canary"), "{text}");
    }
}
