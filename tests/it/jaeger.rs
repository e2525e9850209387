//! A turn of a Python agent's, read back from Jaeger and seen on its page.
//!
//! `make test` builds Jaeger where there is Go, and says where it is; else the
//! same is asserted of a collector of the tests' own, in `tracing`.

use std::{path::Path, time::Duration};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sidecall::config::env::{Environment, Process, Variable};
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use self::process::Jaeger;
use crate::support::{
    PATIENCE, Peer, Reply, Turn, World, data::exported, report, tools::base_with,
};

mod process;

const REMEDY: &str = "`make test` sets it";
const DEPLOYED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/observability");
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/demo");

/// The RPC of a turn.
const EXECUTE: &str = "sidecall.v1.SidecallService/ExecuteBatch";

/// A span as Jaeger gives it back.
#[derive(Clone, Debug)]
struct Span {
    service: String,
    span: Value,
}

impl Span {
    fn text(&self, key: &str) -> &str {
        self.span[key].as_str().unwrap_or_default()
    }

    fn attribute(&self, name: &str) -> String {
        let attributes = self.span["attributes"].as_array().into_iter().flatten();
        let mut named = attributes.filter(|attribute| attribute["key"] == name);
        let Some(value) = named.next().and_then(|attribute| attribute["value"].as_object()) else {
            return String::new();
        };
        match value.values().next() {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

/// The spans of an answer of the API's.
fn spans(answer: &Value) -> Vec<Span> {
    let resources = answer["result"]["resourceSpans"].as_array().into_iter().flatten();
    let mut spans = Vec::new();
    for resource in resources {
        let attributes = resource["resource"]["attributes"].as_array().into_iter().flatten();
        let service = attributes
            .filter(|attribute| attribute["key"] == "service.name")
            .filter_map(|attribute| attribute["value"]["stringValue"].as_str())
            .collect::<String>();
        let scopes = resource["scopeSpans"].as_array().into_iter().flatten();
        for span in scopes.flat_map(|scope| scope["spans"].as_array().into_iter().flatten()) {
            spans.push(Span { service: service.clone(), span: span.clone() });
        }
    }
    spans
}

/// RPCs of turns, batches and calls among them.
fn counts(spans: &[Span]) -> (usize, usize, usize) {
    let of = |name: &str| spans.iter().filter(|s| s.text("name").starts_with(name)).count();
    (of(EXECUTE), of("batch"), of("execute_tool"))
}

/// The demo's APIs, as far as its turns ask for them.
async fn demo_apis() -> Peer {
    let peer = Peer::start().await;
    let data = |name: &str| std::fs::read_to_string(format!("{DEMO}/data/{name}.json")).unwrap();
    let soon = |text: String| Reply::json(text).after(Duration::from_millis(20));
    peer.on("GET /crm/*", soon(data("customer")));
    peer.on("GET /shop/customers/*", soon(data("orders")));
    peer.on("GET /shop/shipments/*", soon(r#"{"place":"Hamburg"}"#.to_owned()));
    peer.on("GET /support/*", soon(data("tickets")));
    peer.on("GET /billing/*", soon(data("billing")));
    peer.on("GET /bureau/*", Reply::text(503, "closed"));
    peer.on("POST /crm/briefs", soon("{}".to_owned()));
    peer
}

/// The demo's turns in one trace of a Python agent's. Gives its id, the id of the
/// agent's span, and all spans as Jaeger has them.
async fn traced(jaeger: &Jaeger) -> Option<(String, String, Vec<Span>)> {
    let python = exported("SIDECALL_TEST_PYTHON", REMEDY)?;
    let demo = std::fs::read_to_string(format!("{DEMO}/sidecall.yaml")).unwrap();
    let telemetry =
        format!("telemetry: {{otlp: {{endpoint: 'http://{}', delay: 10ms}}}}\n", jaeger.collector);
    let yaml = demo.replace("http://127.0.0.1:4180", "{peer}") + &telemetry;
    let world = World::start_in_folder(demo_apis().await, &yaml, |_| {}).await;

    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/python/traced.py");
    let ids = report(
        Command::new(python)
            .arg(client)
            .arg("--address")
            .arg(format!("unix:{}", world.socket.display()))
            .arg("--collector")
            .arg(&jaeger.collector)
            .args(["gather", "failure"].map(|turn| format!("{DEMO}/turns/{turn}.json")))
            .kill_on_drop(true),
    )
    .await;
    // What waits to be sent is, at the end.
    world.end().await;

    let id = |name: &str| ids[name].as_str().unwrap().to_owned();
    let (trace, root) = (id("trace_id"), id("span_id"));
    // The agent's; for each turn an RPC and a batch; 11 calls with what attempts there
    // were. They come in several messages.
    let is_whole = |answer: &Value| {
        let spans = spans(answer);
        counts(&spans) == (2, 2, 11) && spans.iter().any(|span| span.service == "agent")
    };
    let answer = jaeger.until(&format!("v3/traces/{trace}"), is_whole).await;
    Some((trace, root, spans(&answer)))
}

/// The span of a call.
fn call<'a>(spans: &'a [Span], id: &str) -> &'a Span {
    let mut of = spans.iter().filter(|span| span.attribute("gen_ai.tool.call.id") == id);
    of.next().unwrap_or_else(|| panic!("no {id}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_agents_turns_are_one_trace_in_jaeger() {
    let Some(jaeger) = Jaeger::start().await else { return };
    let Some((trace, root, spans)) = traced(&jaeger).await else { return };

    for span in &spans {
        assert_eq!(span.text("traceId"), trace);
        let parent = span.text("parentSpanId");
        let is_root = span.service == "agent";
        assert_eq!(span.text("spanId") == root, is_root);
        let known = spans.iter().filter(|other| other.text("spanId") == parent).count();
        assert_eq!(known, usize::from(!is_root), "an orphan: {span:#?}");
    }
    let of = |name: &str| spans.iter().filter(|span| span.text("name") == name).collect::<Vec<_>>();
    let rpcs = of(EXECUTE);
    assert_eq!(rpcs.len(), 2);
    assert!(rpcs.iter().all(|rpc| rpc.text("parentSpanId") == root));
    // Kinds as OTLP numbers them: server, internal, client.
    assert!(rpcs.iter().all(|rpc| rpc.span["kind"] == 2), "{rpcs:#?}");

    for (id, tool, error) in [
        ("toolu_11", "find_customer", ""),
        ("toolu_17", "write_brief", ""),
        ("toolu_21", "get_customer", ""),
        ("toolu_22", "get_credit_score", "unavailable"),
        ("toolu_23", "propose_limit", "dependency_failed"),
    ] {
        let span = call(&spans, id);
        assert_eq!(span.text("name"), format!("execute_tool {tool}"));
        assert_eq!(span.span["kind"], 1, "{span:#?}");
        assert_eq!(span.attribute("gen_ai.operation.name"), "execute_tool");
        assert_eq!(span.attribute("gen_ai.tool.name"), tool);
        assert_eq!(span.attribute("error.type"), error);
        let is_error = span.span["status"]["code"] == 2;
        assert_eq!(is_error, !error.is_empty(), "{span:#?}");
        let attempts: Vec<_> = spans
            .iter()
            .filter(|other| other.text("parentSpanId") == span.text("spanId"))
            .filter(|other| other.span["kind"] == 3)
            .collect();
        assert_eq!(attempts.is_empty(), error == "dependency_failed", "{attempts:#?}");
    }
    let link = &call(&spans, "toolu_23").span["links"][0];
    assert_eq!(link["spanId"], call(&spans, "toolu_22").span["spanId"]);
    let links = call(&spans, "toolu_17").span["links"].as_array().map(Vec::len);
    assert_eq!(links, Some(6), "the customer, the orders, two shipments, tickets, billing");
    assert!(spans.iter().any(|span| span.attribute("sidecall.critical_path") == "true"));

    // Found again by what a person has at hand, the id of a call, and as the page
    // searches: this version's own API finds nothing by attributes.
    let tags = utf8_percent_encode(r#"{"gen_ai.tool.call.id":"toolu_17"}"#, NON_ALPHANUMERIC);
    let path = format!("traces?service=sidecall&lookback=1h&tags={tags}");
    let is_found = |answer: &Value| answer["data"].as_array().is_some_and(|data| data.len() == 1);
    let found = jaeger.until(&path, is_found).await;
    assert_eq!(found["data"][0]["traceID"], trace);
    // Nor does Jaeger mend anything of it.
    let found = &found["data"][0];
    let seen = found["spans"].as_array().unwrap();
    assert_eq!(seen.len(), spans.len());
    for seen in seen.iter().chain([found]) {
        let warnings = seen["warnings"].as_array().into_iter().flatten();
        assert_eq!(warnings.count(), 0, "{seen:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_the_calls_and_the_error_on_jaegers_page() {
    let Some(chromium) = exported("SIDECALL_TEST_CHROMIUM", REMEDY) else { return };
    let Some(modules) = exported("SIDECALL_TEST_NODE_MODULES", REMEDY) else { return };
    let Some(jaeger) = Jaeger::start().await else { return };
    let Some((trace, ..)) = traced(&jaeger).await else { return };

    let folder = TempDir::new().unwrap();
    // Where a file is named, the screenshot is kept in it.
    let screenshot = match Process.variable("SIDECALL_TEST_SCREENSHOT") {
        Variable::Set(path) => path.into(),
        _ => folder.path().join("trace.png"),
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/node/trace_page.js");
    let shown = ["execute_tool write_brief", "execute_tool get_credit_score"];
    let seen = report(
        Command::new("node")
            .arg(script)
            .arg(format!("{}/trace/{trace}", jaeger.query))
            .arg(&chromium)
            .arg(&screenshot)
            .args(shown)
            .env("NODE_PATH", modules)
            .kill_on_drop(true),
    )
    .await;
    let rows = seen["spans"].as_array().unwrap();
    let row = |name: &str| {
        let mut of = rows.iter().filter(|row| row["text"].as_str().unwrap().contains(name));
        of.next().unwrap_or_else(|| panic!("no {name} among {rows:#?}"))
    };
    let errors = shown.map(|name| row(name)["hasError"].as_bool());
    assert_eq!(errors, [Some(false), Some(true)], "{rows:#?}");
    assert!(std::fs::metadata(&screenshot).unwrap().len() > 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_ends_with_the_address_of_each_turn_s_trace() {
    let Some(jaeger) = Jaeger::start().await else { return };
    let mut demo = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    demo.args(["demo", "--ascii", "--jaeger", &jaeger.ports]).env_remove("OTEL_SDK_DISABLED");
    let output = demo.kill_on_drop(true).output().await.unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));

    let page = format!("{}/trace/", jaeger.query);
    let traces: Vec<_> = shown.lines().filter_map(|line| line.split_once(&page)).collect();
    let titles: Vec<_> = traces.iter().map(|(title, _)| title.trim()).collect();
    assert_eq!(titles.len(), 9, "a turn each, and two of the last: {shown}");
    assert!(titles[2].starts_with("3. Fan out, then gather"), "{titles:?}");
    for ((_, trace), calls) in traces.iter().zip([5, 5, 7, 4, 8, 8, 5, 8, 8]) {
        let is_whole = |answer: &Value| counts(&spans(answer)) == (1, 1, calls);
        jaeger.until(&format!("v3/traces/{trace}"), is_whole).await;
    }
}

#[tokio::test]
async fn the_jaeger_that_others_are_given_opens_and_takes_a_turn_in() {
    let Some(jaeger) = Jaeger::deployed().await else { return };
    let otlp = format!("{{endpoint: 'http://{}', delay: 1ms}}", jaeger.collector);
    let world = World::start(&base_with(&format!("telemetry: {{otlp: {otlp}}}\n"))).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.run(&Turn::one("read", r#"{"id":"1"}"#)).await;
    // The RPC, the batch, the call, its attempt.
    let is_whole = |answer: &Value| {
        answer["data"][0]["spans"].as_array().is_some_and(|spans| spans.len() == 4)
    };
    jaeger.until("traces?service=sidecall&lookback=1h", is_whole).await;
    world.end().await;
}

/// Whether the collector that Jaeger is built on takes this configuration, and what it
/// says of it.
async fn is_taken(program: &str, config: &str) -> (bool, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("collector.yaml");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(program);
    command.arg("validate").arg("--config").arg(format!("file:{}", path.display()));
    let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await.unwrap().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn the_collector_that_others_are_given_is_valid_but_for_its_health_that_jaeger_lacks() {
    let Some(program) = exported("SIDECALL_TEST_JAEGER", REMEDY) else { return };
    let whole = std::fs::read_to_string(format!("{DEPLOYED}/collector.yaml")).unwrap();
    let lacking = "extensions:\n  health_check:\n    endpoint: 0.0.0.0:13133\n";
    let config = whole.replace(lacking, "").replace("  extensions: [health_check]\n", "");
    assert!(!config.contains("health") && config.contains("tail_sampling"), "{config}");
    let (is_valid, said) = is_taken(&program, &config).await;
    assert!(is_valid, "{said}");
    for (right, wrong) in
        [("decision_wait", "decision_wai"), ("exporters: [otlp]", "exporters: [x]")]
    {
        let (is_valid, said) = is_taken(&program, &config.replace(right, wrong)).await;
        assert!(!is_valid, "{wrong}: {said}");
    }
}
