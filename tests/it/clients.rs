//! Real clients of other languages, with generated stubs and default settings.
//!
//! `make test` installs what they need and says where by environment; there a
//! missing part fails the test. A plain `cargo test` leaves them out and says so.

use std::{path::Path, process::Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::support::{Reply, World, data::exported, report};

const REMEDY: &str = "`make test` sets it";

const WORLD: &str = r#"
apis:
  crm: {url: "{peer}", response_bytes: 16MiB}
tools:
  number:
    description: Something about a number.
    max_bytes: 16MiB
    input: {type: object, properties: {n: {type: integer}}, required: [n]}
    http: {api: crm, get: "/number/{n}"}
  hang:
    description: Never answers.
    input: {type: object, properties: {n: {type: integer}}, required: [n]}
    http: {api: crm, get: "/hang/{n}"}
"#;

/// The client program; nothing where a plain `cargo test` has no tools.
fn client(language: &str) -> Option<Command> {
    program(language, "client")
}

/// A program in this language.
pub(crate) fn program(language: &str, name: &str) -> Option<Command> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(language);
    let mut command = match language {
        "python" => {
            let python = exported("SIDECALL_TEST_PYTHON", REMEDY)?;
            assert!(Path::new(&python).exists(), "{python} is missing: run `make tools`");
            let mut command = Command::new(python);
            command.arg(folder.join(format!("{name}.py")));
            command
        }
        _ => {
            let modules = exported("SIDECALL_TEST_NODE_MODULES", REMEDY)?;
            assert!(Path::new(&modules).exists(), "{modules} is missing: run `make tools`");
            let mut command = Command::new("node");
            command.arg(folder.join(format!("{name}.js"))).env("NODE_PATH", modules);
            command
        }
    };
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

/// Runs the client to its end; gives the report that it printed.
pub(crate) async fn report_of(mut command: Command, address: &str, arguments: &[&str]) -> Value {
    command.arg("--address").arg(address).args(arguments);
    report(&mut command).await
}

/// Incident 1, and 14, 16 and 19 by the provider's own types.
async fn wide_turns_and_large_results(language: &str) {
    let Some(wide) = client(language) else { return };
    let world = World::start(WORLD).await;
    let filler = "x".repeat(30_000);
    world.peer.script("GET /number/*", move |arrival| match arrival.line.as_str() {
        "GET /number/3" => Reply::text(500, "boom"),
        "GET /number/4" => Reply::text(204, ""),
        line => Reply::json(format!(r#"{{"line":"{line}","filler":"{filler}"}}"#)),
    });
    let unix = format!("unix:{}", world.socket.display());
    let seen = report_of(wide, &unix, &["--tool", "number", "--calls", "200"]).await;
    let ids: Vec<Value> = (0..200).map(|n| Value::from(format!("toolu_{n}"))).collect();
    assert_eq!(seen["bundle_ids"], Value::from(ids), "in call order, each once");
    let finished = seen["finished"].as_array().unwrap();
    assert_eq!(finished.len(), 200);
    for result in finished {
        assert_eq!(result["is_error"], Value::from(result["id"] == "toolu_3"), "{result}");
    }

    let world_of_large = World::start(WORLD).await;
    let ten_megabytes = "𝄞é€x".repeat(1_048_576);
    world_of_large.peer.on("GET /number/0", Reply::text(200, &ten_megabytes));
    let tcp = world_of_large.tcp.to_string();
    let Some(large) = client(language) else { return };
    let seen = report_of(large, &tcp, &["--tool", "number", "--calls", "1"]).await;
    let length = seen["finished"][0]["length"].as_u64().unwrap();
    // Python counts characters, Node UTF-16 units.
    assert!([4 * 1_048_576, 5 * 1_048_576].contains(&length), "{length}");
    world.end().await;
    world_of_large.end().await;
}

/// Incident 10.
async fn a_cancel_reaches_the_upstream(language: &str) {
    let Some(command) = client(language) else { return };
    let world = World::start(WORLD).await;
    world.peer.on("GET /hang/*", Reply::hang());
    let unix = format!("unix:{}", world.socket.display());
    let arguments = ["--tool", "hang", "--calls", "1", "--cancel-when-started"];
    let seen = report_of(command, &unix, &arguments).await;
    assert_eq!(seen["cancelled"], true);
    // The call was cancelled before it was sent, or the upstream was told.
    if !world.peer.lines().is_empty() {
        world.peer.abandoned("GET /hang/0").await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_stubs_take_wide_turns_and_large_results_and_anthropics_types_the_bundle() {
    wide_turns_and_large_results("python").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_stubs_take_wide_turns_and_large_results() {
    wide_turns_and_large_results("node").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_agents_cancel_reaches_the_upstream() {
    a_cancel_reaches_the_upstream("python").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_agents_cancel_reaches_the_upstream() {
    a_cancel_reaches_the_upstream("node").await;
}
