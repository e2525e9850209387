//! Workers that are processes of their own: real clients of other languages, some of
//! which are killed or stopped in the middle of a call.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use sidecall::{
    clock,
    proto::v1::{Effect, FailureCode, Outcome, serve_tools_response::Message},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinSet,
    time::timeout,
};

use crate::support::{
    PATIENCE, Reply, Turn, World,
    data::exported,
    tools::{BASE, base_with},
    worker::{Worker, json, shared, tool},
};

const REMEDY: &str = "`make test` sets it";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A worker's process. Killed when it is dropped.
struct Process {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, says }
    }

    async fn says(&mut self, word: &str) {
        // An interpreter begins slowly on a busy machine.
        let line = timeout(3 * PATIENCE, self.says.next_line()).await.expect(word).unwrap();
        assert_eq!(line.as_deref(), Some(word));
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().await.unwrap().success());
    }
}

fn clients(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(language)
}

/// A worker in Python; nothing where a plain `cargo test` has no tools.
fn python(world: &World, stubs: &Path, arguments: &[&str]) -> Option<Command> {
    let mut command = Command::new(exported("SIDECALL_TEST_PYTHON", REMEDY)?);
    command.arg(clients("python").join("worker.py")).arg("--stubs").arg(stubs);
    command.arg("--address").arg(format!("unix:{}", world.socket.display())).args(arguments);
    Some(command)
}

fn node(world: &World) -> Option<Command> {
    let modules = exported("SIDECALL_TEST_NODE_MODULES", REMEDY)?;
    let mut command = Command::new("node");
    command.arg(clients("node").join("worker.js")).env("NODE_PATH", modules);
    command.arg("--address").arg(format!("unix:{}", world.socket.display()));
    Some(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remote_and_in_agent_tools_of_two_languages_are_one_plan_and_one_trace() {
    let world = World::start(BASE).await;
    let stubs = tempfile::tempdir().unwrap();
    let (Some(python), Some(node)) = (python(&world, stubs.path(), &[]), node(&world)) else {
        return world.end().await;
    };
    let (mut python, mut node) = (Process::start(python), Process::start(node));
    python.says("ready").await;
    node.says("ready").await;
    world.peer.on("GET /read/7", Reply::json(r#"{"price": 19.90}"#));
    let turn = Turn::of([
        ("a", "read", r#"{"id": 7}"#),
        ("b", "echo_python", r#"{"price": "${read.price}"}"#),
        ("c", "echo_node", r#"{"seen": "${echo_python.input.price}", "twice": "${1.price}"}"#),
    ]);
    let context = format!("00-{TRACE}-b7ad6b7169203331-01");
    let running =
        world.send_with(&turn.with_references(), &[("traceparent", &context)]).await.unwrap();
    let ran = running.finish().await;
    assert_eq!(ran.summary.succeeded, 3, "{ran:#?}");
    let seen = |call: &str| -> serde_json::Value { serde_json::from_str(&ran.text(call)).unwrap() };
    assert_eq!(seen("b")["input"]["price"], 19.9);
    assert_eq!(seen("c")["input"], serde_json::json!({"seen": 19.9, "twice": 19.9}));
    for call in ["b", "c"] {
        let parent = seen(call)["traceparent"].as_str().unwrap().to_owned();
        assert!(parent.contains(TRACE), "{call}: {parent}");
    }
    // The server ends, and lets them go with a word.
    world.end().await;
    python.says("bye").await;
    node.says("bye").await;
}

/// A worker of this process that answers at once, and writes down what it did.
async fn survivor(world: &World, did: Arc<Mutex<Vec<String>>>) -> JoinSet<()> {
    let tools = vec![tool("pay", Effect::AtMostOnce), tool("look", Effect::ReadOnly)];
    let mut worker = Worker::join(world, shared("survivor", tools)).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(message) = worker.next_ever().await {
            if let Message::Attempt(attempt) = message {
                did.lock().unwrap().push(format!("{} {}", attempt.tool, attempt.call_id));
                worker.answer(attempt.attempt_id, json("1")).await;
            }
        }
    });
    tasks
}

fn lines(ledger: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(ledger).unwrap_or_default();
    // The last line may be written at this moment.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}

/// Ready once the ledger has more lines than that.
async fn until_longer(ledger: &Path, length: usize) {
    let looked = async {
        while lines(ledger).len() <= length {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, looked).await.expect("the worker did nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_killed_workers_do_nothing_twice_and_leave_no_call_without_a_result() {
    const ROUNDS: usize = 50;
    let world = World::start(BASE).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let arguments = ["--name", "victim", "--ledger", ledger.to_str().unwrap()];
    let start = || python(&world, folder.path(), &arguments).map(Process::start);
    // The first generates the stubs; from then on one is always on its way.
    let Some(mut victim) = start() else { return world.end().await };
    victim.says("ready").await;
    let did: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut survivor = survivor(&world, Arc::clone(&did)).await;
    let mut longest = Duration::ZERO;
    let mut unknown = 0;
    for round in 0..ROUNDS {
        let next = (round + 1 < ROUNDS).then(|| {
            let Some(process) = start() else { panic!("it was there before") };
            process
        });
        let before = lines(&ledger).len();
        let calls = (0..6).map(|n| {
            let tool = if n % 3 == 0 { "look" } else { "pay" };
            (format!("r{round}_c{n}"), tool.to_owned(), format!(r#"{{"n":{n}}}"#))
        });
        let running = world.send(&Turn::of(calls)).await.unwrap();
        until_longer(&ledger, before).await;
        victim.child.start_kill().unwrap();
        let killed = clock::now();
        let ran = running.finish().await;
        longest = longest.max(killed.elapsed());
        for result in &ran.finished {
            let code = result.failure.as_ref().map(|failure| failure.code());
            match (result.tool.as_str(), result.outcome(), code) {
                (_, Outcome::Succeeded, None) => {}
                ("pay", Outcome::Failed, Some(FailureCode::OutcomeUnknown)) => unknown += 1,
                _ => panic!("{result:#?}"),
            }
        }
        victim.child.wait().await.unwrap();
        if let Some(mut next) = next {
            next.says("ready").await;
            victim = next;
        }
    }
    assert!(unknown > 0, "nobody was killed while it paid");
    let mut done = lines(&ledger);
    done.extend(did.lock().unwrap().iter().cloned());
    let pays: Vec<_> = done.iter().filter(|line| line.starts_with("pay ")).collect();
    let distinct: BTreeSet<_> = pays.iter().collect();
    assert_eq!(pays.len(), distinct.len(), "a payment was made twice");
    assert!(pays.len() <= ROUNDS * 4 && pays.len() >= ROUNDS * 4 - unknown);
    // By its connection and not by missed heartbeats, on a machine that may be busy.
    assert!(longest <= Duration::from_secs(5), "a loss was noticed after {longest:?}");
    world.end().await;
    survivor.join_next().await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_worker_is_lost_within_two_heartbeats() {
    let every = Duration::from_millis(500);
    let world = World::start(&base_with("workers: {heartbeat: 500ms}\n")).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let arguments = ["--name", "sleeper", "--ledger", ledger.to_str().unwrap()];
    let Some(command) = python(&world, folder.path(), &arguments) else {
        return world.end().await;
    };
    let mut process = Process::start(command);
    process.says("ready").await;
    let running = world.send(&Turn::one("look", "{}")).await.unwrap();
    until_longer(&ledger, 0).await;
    // It is heard for as long as it lives, whatever its call takes.
    let mut other = Worker::join(&world, shared("other", vec![tool("u", Effect::ReadOnly)])).await;
    other.heartbeats(4).await;
    process.signal("-STOP").await;
    let stopped = clock::now();
    let ran = running.finish().await;
    let noticed = stopped.elapsed();
    let failure = ran.failure("a");
    assert_eq!(failure.code(), FailureCode::WorkerLost);
    assert!(failure.message.contains("it was not heard for 1.0s"), "{failure:?}");
    // The server itself said how long it waited; what is over that is the machine's own.
    assert!(noticed <= 2 * every + Duration::from_secs(2), "{noticed:?}");
    process.child.start_kill().unwrap();
    process.child.wait().await.unwrap();
    world.end().await;
}
