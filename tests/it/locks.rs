//! Calls that touch the same thing: what an API sees of them that reads,
//! thinks, and writes, as careless ones do.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sidecall::proto::v1::{FailureCode, FailureOrigin, Outcome, RetryAdvice, ToolResult};
use tokio::{net::TcpListener, task::JoinSet};

use crate::support::{Gate, Reply, Turn, World};

/// Files by name. Whoever appends to one reads it, takes a moment, and writes it
/// back whole.
struct Files {
    address: SocketAddr,
    contents: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    _tasks: JoinSet<()>,
}

impl Files {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let contents = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(Self::accept(listener, Arc::clone(&contents)));
        Self { address, contents, _tasks: tasks }
    }

    async fn accept(listener: TcpListener, contents: Arc<Mutex<BTreeMap<String, Vec<String>>>>) {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let contents = Arc::clone(&contents);
            connections.spawn(async move {
                let append = |request| Self::append(request, Arc::clone(&contents));
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(append))
                    .await;
            });
        }
    }

    async fn append(
        request: Request<Incoming>,
        contents: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let name = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let line = request.into_body().collect().await.unwrap().to_bytes();
        let mut lines = contents.lock().unwrap().get(&name).cloned().unwrap_or_default();
        // What it takes to think of what to write.
        tokio::time::sleep(Duration::from_millis(3)).await;
        lines.push(String::from_utf8(line.to_vec()).unwrap());
        contents.lock().unwrap().insert(name, lines);
        Ok(Response::new(Full::default()))
    }

    fn lines(&self, name: &str) -> Vec<String> {
        self.contents.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    /// A server with two tools of two APIs that append to the same files.
    async fn world(&self, declared: &str) -> World {
        let tool = |api: &str| {
            format!(
                "{{description: D., input: {{type: object, properties: {{file: {{type: string}}, \
                 line: {{type: string}}}}, required: [file, line]}}, http: {{api: {api}, post: \
                 '/files/{{file}}', text: '{{line}}'}}{declared}}}"
            )
        };
        let url = format!("{{url: 'http://{}', ordering: none}}", self.address);
        World::start(&format!(
            "apis: {{disk: {url}, share: {url}}}\ntools: {{append: {}, add: {}}}",
            tool("disk"),
            tool("share")
        ))
        .await
    }
}

/// Appends so many lines to two files, by two tools.
fn edits(turn: &str, count: usize) -> Turn {
    Turn::of((0..count).map(|n| {
        let tool = if n % 3 == 0 { "add" } else { "append" };
        let file = if n % 2 == 0 { "even" } else { "odd" };
        let input = format!(r#"{{"file": "{file}", "line": "{turn}-{n}"}}"#);
        (format!("{turn}-{n}"), tool.to_owned(), input)
    }))
    .session(turn)
}

/// Incident 21.
#[tokio::test]
async fn parallel_writes_to_one_file_lose_nothing_and_keep_block_order() {
    let files = Files::start().await;
    let world = files.world(", writes: ['file/{file}']").await;
    let (a, b) = (edits("a", 24), edits("b", 24));
    let (one, other) = tokio::join!(world.run(&a), world.run(&b));
    for ran in [&one, &other] {
        assert_eq!(ran.count(Outcome::Succeeded), 24);
    }
    for (name, rest) in [("even", 0), ("odd", 1)] {
        let lines = files.lines(name);
        for turn in ["a", "b"] {
            let of_turn: Vec<_> = lines.iter().filter(|line| line.starts_with(turn)).collect();
            let expected: Vec<_> =
                (0..24).filter(|n| n % 2 == rest).map(|n| format!("{turn}-{n}")).collect();
            assert_eq!(of_turn, expected.iter().collect::<Vec<_>>(), "{name}: {lines:?}");
        }
        assert_eq!(lines.len(), 24);
    }
    world.end().await;
}

/// What the test above would see if nothing kept the writes apart.
#[tokio::test]
async fn without_keys_this_api_loses_what_is_written_at_once() {
    let files = Files::start().await;
    let world = files.world("").await;
    let ran = world.run(&edits("a", 24)).await;
    assert_eq!(ran.count(Outcome::Succeeded), 24);
    assert!(files.lines("even").len() + files.lines("odd").len() < 24);
    world.end().await;
}

const ORDERS: &str = r#"
apis:
  crm: {url: "{peer}"}
tools:
  find:
    description: Finds an order.
    http: {api: crm, get: /find}
  show:
    description: Shows an order.
    input: {type: object, properties: {id: {type: integer}}, required: [id]}
    http: {api: crm, get: "/show/{id}"}
    reads: ["order/{id}"]
  pay:
    description: Pays an order.
    input: {type: object, properties: {id: {type: integer}}, required: [id]}
    http: {api: crm, post: "/pay/{id}"}
    writes: ["order/{id}"]
"#;

fn locked(result: &ToolResult) -> Duration {
    let locked = result.timings.as_ref().unwrap().locked;
    locked.map_or(Duration::ZERO, |time| time.try_into().unwrap())
}

#[tokio::test]
async fn a_call_that_waits_for_anothers_lock_in_vain_is_told_so_and_is_not_sent() {
    let world = World::start(ORDERS).await;
    let gate = Gate::closed();
    world.peer.on("POST /pay/7", Reply::json("{}").behind(&gate));
    world.peer.on("GET /show/8", Reply::json("{}"));
    let holds = world.send(&Turn::one("pay", r#"{"id": 7}"#).session("one")).await.unwrap();
    world.peer.arrived_at("POST /pay/7").await;

    let wants = Turn::of([("same", "show", r#"{"id": 7.0}"#), ("other", "show", r#"{"id": 8}"#)])
        .session("other")
        .call_timeout(Duration::from_millis(200));
    let ran = world.run(&wants).await;
    ran.assert_succeeded("other", "{}");
    assert_eq!(locked(ran.result("other")), Duration::ZERO);
    ran.assert_failed("same", FailureCode::LockTimeout, &["`order/7`", "another turn", "not sent"]);
    let failure = ran.failure("same");
    assert_eq!(failure.origin(), FailureOrigin::Sidecall);
    assert_eq!((failure.retry(), failure.attempts), (RetryAdvice::SameInput, 0));
    assert!(locked(ran.result("same")) >= Duration::from_millis(200));

    gate.open();
    holds.finish().await.assert_succeeded("a", "{}");
    // Whoever saw the end finds it free.
    world.peer.on("GET /show/7", Reply::json("{}"));
    let again = world.run(&Turn::one("show", r#"{"id": 7}"#)).await;
    again.assert_succeeded("a", "{}");
    assert_eq!(locked(again.result("a")), Duration::ZERO);
    world.end().await;
}

#[tokio::test]
async fn a_key_that_a_result_brings_keeps_block_order_too() {
    let world = World::start(ORDERS).await;
    let gate = Gate::closed();
    world.peer.on("GET /find", Reply::json(r#"{"id": 7}"#).behind(&gate));
    world.peer.on("POST /pay/7", Reply::json("{}").after(Duration::from_millis(20)));
    world.peer.on("GET /show/*", Reply::json("{}"));
    let turn = Turn::of([
        ("find", "find", "{}"),
        ("pay", "pay", r#"{"id": "${find.id}"}"#),
        ("show", "show", r#"{"id": 7}"#),
        ("other", "show", r#"{"id": 8}"#),
    ])
    .with_references();
    let running = world.send(&turn).await.unwrap();
    world.peer.arrived_at("GET /find").await;
    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 4);
    let lines = world.peer.lines();
    let at = |line: &str| lines.iter().position(|arrived| arrived == line).unwrap();
    assert!(at("POST /pay/7") < at("GET /show/7"), "{lines:?}");
    assert!(locked(ran.result("show")) > Duration::ZERO, "it waited for the key, not the call");
    assert_eq!(locked(ran.result("other")), Duration::ZERO);
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_goes_while_it_waits_or_holds_leaves_nothing_behind() {
    let world = World::start(ORDERS).await;
    let gate = Gate::closed();
    world.peer.on("POST /pay/7", Reply::json("{}").behind(&gate));
    let pay = || Turn::one("pay", r#"{"id": 7}"#);
    let holds = world.send(&pay().session("a")).await.unwrap();
    world.peer.arrived_at("POST /pay/7").await;
    let waits = world.send(&pay().session("b")).await.unwrap();
    let last = world.send(&pay().session("c")).await.unwrap();
    drop((waits, holds));
    world.peer.abandoned("POST /pay/7").await;
    world.peer.arrived(2).await;
    gate.open();
    last.finish().await.assert_succeeded("a", "{}");
    assert_eq!(world.peer.log().len(), 2, "the one that went away was never sent");
    world.end().await;
}
