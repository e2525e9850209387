//! No call outlives its time by more than a quarter of a second, whatever its
//! backend does, and its turn ends with a bundle.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use sidecall::{
    clock,
    proto::v1::{FailureCode, Outcome},
};
use socket2::{Domain, Socket, Type};

use crate::support::{Gate, Ran, Reply, Turn, World, tools::BASE};

/// What a call may take beyond its deadline.
const GRACE: Duration = Duration::from_millis(250);

/// An address that takes connections no more: its queue is full.
struct BlackHole {
    address: SocketAddr,
    _listener: Socket,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    fn open() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            queue.push(stream);
        }
        Self { address, _listener: listener, _queue: queue }
    }
}

/// Runs the turn; gives how long it took as the caller saw it.
async fn timed(world: &World, turn: &Turn) -> (Ran, Duration) {
    let began = clock::now();
    let ran = world.run(turn).await;
    (ran, began.elapsed())
}

/// How long the call had been open when it ended, by its own timings.
fn spent(ran: &Ran, call_id: &str) -> Duration {
    let timings = ran.result(call_id).timings.unwrap();
    [timings.blocked, timings.queued, timings.running]
        .into_iter()
        .map(|time| Duration::try_from(time.unwrap()).unwrap())
        .sum()
}

#[track_caller]
fn assert_within(took: Duration, time: Duration) {
    assert!(took >= time, "ended after {took:?}, before its {time:?}");
    assert!(took <= time + GRACE, "ended {:?} after its {time:?}", took - time);
}

/// Incident 11: in each phase of an HTTP exchange.
#[tokio::test]
async fn a_silent_server_costs_the_calls_time_and_no_more() {
    let hole = BlackHole::open();
    let yaml = format!(
        "{BASE}  connect:\n    description: Never connects.\n    http: {{api: hole, get: /}}\n"
    );
    let hole_api = format!("apis:\n  hole: {{url: \"http://{}\"}}\n", hole.address);
    let world = World::start(&yaml.replace("apis:\n", &hole_api)).await;
    world.peer.on("GET /read/head", Reply::hang());
    world.peer.on("GET /read/body", Reply::json("[1,").endless());
    let time = Duration::from_millis(300);
    for (tool, id) in [("connect", ""), ("read", "head"), ("read", "body")] {
        let input = if id.is_empty() { "{}".to_owned() } else { format!(r#"{{"id":"{id}"}}"#) };
        let turn = Turn::one(tool, &input).call_timeout(time);
        let (ran, took) = timed(&world, &turn).await;
        ran.assert_failed("a", FailureCode::DeadlineExceeded, &["time"]);
        assert_within(took, time);
        if !id.is_empty() {
            world.peer.abandoned(&format!("GET /read/{id}")).await;
        }
    }
    world.end().await;
}

#[tokio::test]
async fn the_most_specific_time_holds() {
    let yaml = r#"
defaults: {timeout: 600ms}
apis:
  plain: {url: "{peer}"}
  timed: {url: "{peer}", timeout: 450ms}
tools:
  by_default: {description: D., http: {api: plain, get: /default}}
  by_api: {description: D., http: {api: timed, get: /api}}
  by_tool: {description: D., http: {api: timed, get: /tool}, timeout: 300ms}
  by_call: {description: D., http: {api: timed, get: /call}, timeout: 300ms}
"#;
    let world = World::start(yaml).await;
    world.peer.on("GET /*", Reply::hang());
    let tools = ["by_default", "by_api", "by_tool", "by_call"];
    let ids = ["default", "api", "tool", "call"];
    let turn = Turn::of(ids.into_iter().zip(tools).map(|(id, tool)| (id, tool, "{}")))
        .call(3, |call| call.timeout = Some(Duration::from_millis(150).try_into().unwrap()));
    let (ran, took) = timed(&world, &turn).await;
    assert_eq!(ran.completion_order(), ["call", "tool", "api", "default"]);
    for (id, ms) in ids.into_iter().zip([600, 450, 300, 150]) {
        ran.assert_failed(id, FailureCode::DeadlineExceeded, &[]);
        assert_within(spent(&ran, id), Duration::from_millis(ms));
    }
    assert_within(took, Duration::from_millis(600));

    // The request's own time beats all but the call's.
    let (ran, took) = timed(&world, &turn.call_timeout(Duration::from_millis(220))).await;
    assert_eq!(ran.completion_order()[0], "call");
    for (id, ms) in ids.into_iter().zip([220, 220, 220, 150]) {
        ran.assert_failed(id, FailureCode::DeadlineExceeded, &[]);
        assert_within(spent(&ran, id), Duration::from_millis(ms));
    }
    assert_within(took, Duration::from_millis(220));
    world.end().await;
}

/// A call's time begins when its inputs are ready, and the wait for a place is
/// part of it.
#[tokio::test]
async fn a_call_that_never_got_its_place_ends_at_its_deadline_unsent() {
    let world = World::start(&crate::support::tools::base_with_api("concurrency: 1")).await;
    world.peer.on("GET /read/*", Reply::hang());
    let turn = Turn::of([("a", "read", r#"{"id":1}"#), ("b", "read", r#"{"id":2}"#)])
        .call(0, |call| call.timeout = Some(Duration::from_millis(600).try_into().unwrap()))
        .call(1, |call| call.timeout = Some(Duration::from_millis(200).try_into().unwrap()));
    let mut running = world.send(&turn).await.unwrap();
    running.until_started("a").await;
    let waiting = running.until_finished("b").await;
    let failure = waiting.failure.as_ref().unwrap();
    assert_eq!((failure.code(), failure.attempts), (FailureCode::DeadlineExceeded, 0));
    running.finish().await;
    assert_eq!(world.peer.lines(), ["GET /read/1"]);
    world.end().await;
}

#[tokio::test]
async fn the_batchs_time_ends_every_open_call() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/quick", Reply::json("{}"));
    world.peer.on("GET /read/*", Reply::hang());
    let time = Duration::from_millis(300);
    let turn = Turn::of([
        ("quick", "read", r#"{"id":"quick"}"#),
        ("stuck", "read", r#"{"id":"stuck"}"#),
        ("child", "read", r#"{"id":"child"}"#),
    ])
    .depends_on(2, &["stuck"])
    .timeout(time);
    let (ran, took) = timed(&world, &turn).await;
    ran.assert_succeeded("quick", "{}");
    ran.assert_failed("stuck", FailureCode::DeadlineExceeded, &[]);
    assert_ne!(ran.result("child").outcome(), Outcome::Succeeded);
    assert_within(took, time);
    world.peer.abandoned("GET /read/stuck").await;
    world.end().await;
}

/// The stub's own deadline: the bundle is there before it.
#[tokio::test]
async fn an_rpcs_deadline_is_kept_and_the_bundle_comes_before_it() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/quick", Reply::json("{}"));
    world.peer.on("GET /read/*", Reply::hang());
    let turn =
        Turn::of([("quick", "read", r#"{"id":"quick"}"#), ("stuck", "read", r#"{"id":"stuck"}"#)]);
    for ms in [2000, 4000] {
        let began = clock::now();
        let time = Duration::from_millis(ms);
        let ran = world.send_within(&turn, time).await.unwrap().finish().await;
        let took = began.elapsed();
        ran.assert_succeeded("quick", "{}");
        ran.assert_failed("stuck", FailureCode::DeadlineExceeded, &[]);
        assert!(took < time, "{took:?}");
        let margin = Duration::from_millis(250).min(time / 10);
        assert!(took >= time - margin, "{took:?} is early for {time:?}");
    }
    world.end().await;
}

/// A write that was sent and had no answer may have happened.
#[tokio::test]
async fn a_write_that_runs_out_of_time_in_flight_is_unknown() {
    let world = World::start(BASE).await;
    world.peer.on("POST /write/*", Reply::hang());
    let turn =
        Turn::one("write", r#"{"id":"1","value":{}}"#).call_timeout(Duration::from_millis(200));
    let (ran, took) = timed(&world, &turn).await;
    ran.assert_failed("a", FailureCode::OutcomeUnknown, &[]);
    assert_within(took, Duration::from_millis(200));
    assert_eq!(world.peer.lines().len(), 1, "sent once and never again");
    world.end().await;
}

/// Incident 8.
#[tokio::test]
async fn a_stuck_call_does_not_hold_what_its_siblings_returned() {
    let world = World::start(BASE).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/stuck", Reply::hang());
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let turn = Turn::of([
        ("stuck", "read", r#"{"id":"stuck"}"#),
        ("a", "read", r#"{"id":"a"}"#),
        ("b", "read", r#"{"id":"b"}"#),
    ])
    .call_timeout(Duration::from_secs(2));
    let mut running = world.send(&turn).await.unwrap();
    world.peer.arrived(3).await;
    let began = clock::now();
    gate.open();
    let first = running.until_finished("a").await;
    assert!(!first.is_error);
    assert!(began.elapsed() < Duration::from_secs(1));
    let ran = running.finish().await;
    assert_eq!(*ran.completion_order().last().unwrap(), "stuck");
    world.end().await;
}
