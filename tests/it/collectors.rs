//! A collector that does not behave holds up nobody: on a runtime of one worker, where
//! an exporter that waited on it would wait for itself.

use std::{path::Path, process::Stdio, time::Duration};

use sidecall::{clock, proto::v1::Outcome, telemetry::tracer::Tracer};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::support::{PATIENCE, Reply, Turn, World, data::exported, own_address, tools::base_with};

/// Spans of a turn of one call: the RPC, the batch, the call, its attempt.
const SPANS: u64 = 4;

/// A collector as a process of its own. Dropping it ends it.
struct Process {
    port: String,
    lines: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Process {
    /// Nothing where a plain `cargo test` has no tools.
    async fn start() -> Option<Self> {
        let python = exported("SIDECALL_TEST_PYTHON", "`make test` sets it")?;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upstream/collector.py");
        let mut command = Command::new(python);
        command.arg(program).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut collector = Self { port: String::new(), lines, child };
        collector.port = collector.line().await;
        Some(collector)
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("the collector says nothing").unwrap().expect("the collector ended")
    }

    /// Takes in so many spans.
    async fn takes(&mut self, spans: u64) {
        let mut taken = 0;
        while taken < spans {
            taken += self.line().await.parse::<u64>().unwrap();
        }
        assert_eq!(taken, spans);
    }

    /// Stops it where it is: its connections stay, and nothing is answered.
    async fn stop(&self) {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-STOP", &id]).status().await.unwrap();
        assert!(sent.success());
        let is_stopped = || {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('T')
        };
        while !is_stopped() {
            tokio::task::yield_now().await;
        }
    }
}

/// Of so many turns the spans are counted as lost, once the exporter's thread has come
/// to its end: nobody waits for that longer than they have to. A turn whose RPC finds no
/// room has no other span. Of one turn more the collector may have taken spans, and not
/// have said so.
async fn lost(tracer: &Tracer, turns: u64) {
    let counted = async {
        while tracer.dropped() < turns {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let is_counted = timeout(PATIENCE, counted).await.is_ok();
    let dropped = tracer.dropped();
    assert!(is_counted && dropped <= (turns + 1) * SPANS, "{dropped}");
}

/// Traces to `address`; the last spans have what is left of the drain timeout.
async fn world(address: &str) -> World {
    let otlp = format!("{{endpoint: 'http://{address}', delay: 1ms, queue: 50}}");
    let rest = format!("telemetry: {{otlp: {otlp}}}\ndrain: {{timeout: 1s}}\n");
    let world = World::start(&base_with(&rest)).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    world
}

async fn turns(world: &World, count: u64) {
    for _ in 0..count {
        let ran = world.run(&Turn::one("read", r#"{"id":"1"}"#)).await;
        assert_eq!(ran.count(Outcome::Succeeded), 1, "{ran:#?}");
    }
}

/// Ends it; says so where that takes longer than the drain timeout and the second that
/// everything has after it.
async fn ends_soon(world: World) {
    let ending = clock::now();
    world.end().await;
    let took = clock::now() - ending;
    assert!(took < Duration::from_secs(3), "the end took {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_collector_that_is_gone_or_silent_holds_up_no_turn_and_no_end() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = own_address();
    for address in [silent.local_addr().unwrap(), gone] {
        let world = world(&address.to_string()).await;
        let tracer = world.tracer.clone().unwrap();
        turns(&world, 40).await;
        ends_soon(world).await;
        lost(&tracer, 40).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_collector_that_is_stopped_holds_up_no_turn_and_no_end_and_each_lost_span_is_counted() {
    let Some(mut collector) = Process::start().await else { return };
    let world = world(&format!("127.0.0.1:{}", collector.port)).await;
    let tracer = world.tracer.clone().unwrap();
    turns(&world, 1).await;
    collector.takes(SPANS).await;
    collector.stop().await;
    turns(&world, 60).await;
    assert!(tracer.dropped() > 0, "more than there is room for");
    ends_soon(world).await;
    lost(&tracer, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_collector_that_is_killed_under_way_holds_up_no_turn_and_no_end() {
    let Some(mut collector) = Process::start().await else { return };
    let world = world(&format!("127.0.0.1:{}", collector.port)).await;
    let tracer = world.tracer.clone().unwrap();
    turns(&world, 1).await;
    collector.takes(SPANS).await;
    collector.child.kill().await.unwrap();
    turns(&world, 60).await;
    ends_soon(world).await;
    lost(&tracer, 60).await;
}
