//! Turns that are sent while the model still writes them, over the real wire.

use std::time::Duration;

use sidecall::proto::v1::{
    CancelBatchRequest, Commit, ExecuteStreamRequest, FailureCode, InputFragment, Outcome,
    References, Shape, StreamOpen, ToolUse, ToolUseBegun, ToolUseEnded, batch_event::Event,
    execute_stream_request::Step,
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::support::{Reply, Running, World, tools::BASE};

mod clients;

/// Writes a turn.
struct Pen {
    steps: mpsc::Sender<ExecuteStreamRequest>,
    blocks: u32,
}

impl Pen {
    async fn say(&self, step: Step) {
        // A stream that has ended takes no more.
        let _ = self.steps.send(ExecuteStreamRequest { step: Some(step) }).await;
    }

    /// Begins a call whose id is its tool's name with its place.
    async fn begin(&mut self, tool: &str) -> u32 {
        let block = self.blocks;
        self.blocks += 1;
        let id = format!("{tool}_{block}");
        let tool_use = Some(ToolUse { id, name: tool.to_owned(), ..ToolUse::default() });
        self.say(Step::ToolUseBegun(ToolUseBegun { block, tool_use, ..Default::default() })).await;
        block
    }

    async fn goes_on(&self, block: u32, json: &str) {
        self.say(Step::InputFragment(InputFragment { block, json: json.to_owned() })).await;
    }

    async fn end(&self, block: u32) {
        self.say(Step::ToolUseEnded(ToolUseEnded { block })).await;
    }

    /// A whole call; gives its id.
    async fn write(&mut self, tool: &str, input: &str) -> String {
        let block = self.begin(tool).await;
        self.goes_on(block, input).await;
        self.end(block).await;
        format!("{tool}_{block}")
    }

    async fn commit(&self) {
        self.say(Step::Commit(Commit {})).await;
    }
}

async fn open_within(
    world: &World,
    open: StreamOpen,
    time: Option<Duration>,
) -> Result<(Pen, Running), Status> {
    let (steps, received) = mpsc::channel(8);
    let pen = Pen { steps, blocks: 0 };
    pen.say(Step::Open(open)).await;
    let mut request = Request::new(ReceiverStream::new(received));
    if let Some(time) = time {
        request.set_timeout(time);
    }
    let response = world.client().execute_stream(request).await?;
    Ok((pen, Running::of_stream(response.into_inner())))
}

async fn open(world: &World) -> (Pen, Running) {
    let open = StreamOpen { references: References::On.into(), ..StreamOpen::default() };
    open_within(world, open, None).await.unwrap()
}

/// How the stream ends that was broken off, and how its calls did.
async fn broken(mut running: Running) -> (Status, Vec<Outcome>) {
    let mut outcomes = Vec::new();
    loop {
        match running.next().await {
            Err(status) => return (status, outcomes),
            Ok(Some(Event::CallFinished(finished))) => {
                outcomes.push(finished.result.unwrap().outcome());
            }
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended well: {:#?}", running.seen),
        }
    }
}

#[tokio::test]
async fn reads_run_before_the_commit_and_writes_after_it_with_what_was_read() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json(r#"{"v":1.10}"#));
    world.peer.on("POST /write/*", Reply::json("{}"));
    let (mut pen, mut running) = open(&world).await;
    let read = pen.write("read", r#"{"id":"r"}"#).await;
    let write = pen.write("write", r#"{"id":"w","value":"${read.v}"}"#).await;
    running.until_finished(&read).await;
    pen.commit().await;
    let ran = running.finish().await;
    ran.assert_succeeded(&write, "{}");
    assert_eq!(world.peer.only("POST /write/w").text(), "1.10");
    let planned =
        ran.events.iter().filter(|event| matches!(event.event, Some(Event::CallPlanned(_))));
    assert_eq!(planned.count(), 2);
    assert!(ran.accepted.plan.as_ref().unwrap().calls.is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_stream_that_ends_without_a_commit_discards_what_waits_for_it() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::hang());
    let (mut pen, mut running) = open(&world).await;
    let write = pen.write("write", r#"{"id":"w","value":1}"#).await;
    let read = pen.write("read", r#"{"id":"r"}"#).await;
    running.until_started(&read).await;
    drop(pen);
    let ran = running.finish().await;
    assert_eq!(ran.count(Outcome::Cancelled), 2);
    ran.assert_failed(&write, FailureCode::Cancelled, &["its turn was cut off"]);
    assert_eq!(ran.bundle.len(), 2);
    if !world.peer.lines().is_empty() {
        world.peer.abandoned("GET /read/r").await;
    }
    assert!(!world.peer.lines().iter().any(|line| line.starts_with("POST")));
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_goes_before_the_commit_takes_its_reads_along() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::hang());
    let (mut pen, running) = open(&world).await;
    pen.write("write", r#"{"id":"w","value":1}"#).await;
    pen.write("read", r#"{"id":"r"}"#).await;
    world.peer.arrived(1).await;
    // A client of tonic's resets a stream only when it has let go of both its sides.
    running.hang_up();
    drop(pen);
    world.peer.abandoned("GET /read/r").await;
    assert_eq!(world.peer.lines(), ["GET /read/r"]);
    world.end().await;
}

#[tokio::test]
async fn a_fault_of_the_protocol_is_a_status_and_cancels_what_runs() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::hang());
    for what in ["open", "fragment", "block", "after"] {
        let (mut pen, mut running) = open(&world).await;
        let read = pen.write("read", r#"{"id":"r"}"#).await;
        running.until_started(&read).await;
        pen.write("write", r#"{"id":"w","value":1}"#).await;
        match what {
            "open" => pen.say(Step::Open(StreamOpen::default())).await,
            "fragment" => pen.goes_on(77, "{").await,
            "block" => {
                pen.blocks = 0;
                pen.begin("read").await;
            }
            _ => {
                pen.goes_on(77, "{").await;
                pen.commit().await;
            }
        }
        let (status, outcomes) = broken(running).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(!status.get_error_details().bad_request().unwrap().field_violations.is_empty());
        assert_eq!(outcomes, [Outcome::Cancelled; 2], "{what}");
    }
    assert!(!world.peer.lines().iter().any(|line| line.starts_with("POST")));

    for first in [Step::Commit(Commit {}), Step::ToolUseEnded(ToolUseEnded { block: 0 })] {
        let first = tokio_stream::iter([ExecuteStreamRequest { step: Some(first) }]);
        let status = world.client().execute_stream(first).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("begins with `open`"), "{status:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_stream_is_one_batch_with_its_id_its_bounds_and_its_time() {
    let bounds = "\nbounds: {batches: 1, batch_calls: 3}\n";
    let world = World::start(&format!("{BASE}{bounds}")).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let named = || StreamOpen { batch_id: "turn-1".to_owned(), ..StreamOpen::default() };
    let (mut pen, running) = open_within(&world, named(), None).await.unwrap();
    let refused = |result: Result<(Pen, Running), Status>| {
        let status = result.err().unwrap();
        let reason = status.get_error_details().error_info().unwrap().reason.clone();
        (status.code(), reason)
    };
    let again = refused(open_within(&world, named(), None).await);
    assert_eq!(again, (Code::AlreadyExists, "BATCH_RUNNING".to_owned()));
    let another = refused(open_within(&world, StreamOpen::default(), None).await);
    assert_eq!(another, (Code::ResourceExhausted, "EXHAUSTED".to_owned()));
    for n in 0..4 {
        pen.write("read", &format!(r#"{{"id":{n}}}"#)).await;
    }
    let (status, outcomes) = broken(running).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("bounds.batch_calls"), "{status:?}");
    assert_eq!(outcomes.len(), 3);
    let again = refused(open_within(&world, named(), None).await);
    assert_eq!(again, (Code::AlreadyExists, "BATCH_FINISHED".to_owned()));

    // Nothing comes: the RPC's own deadline ends it in time.
    let within = Some(Duration::from_millis(500));
    let (mut pen, running) = open_within(&world, StreamOpen::default(), within).await.unwrap();
    let write = pen.write("write", r#"{"id":"w","value":1}"#).await;
    let ran = running.finish().await;
    ran.assert_failed(&write, FailureCode::DeadlineExceeded, &["not sent"]);
    world.end().await;
}

#[tokio::test]
async fn a_turn_that_is_still_coming_can_be_cancelled_by_its_id() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::hang());
    let named = StreamOpen { batch_id: "turn-1".to_owned(), ..StreamOpen::default() };
    let (mut pen, mut running) = open_within(&world, named, None).await.unwrap();
    let read = pen.write("read", r#"{"id":"r"}"#).await;
    let write = pen.write("write", r#"{"id":"w","value":1}"#).await;
    running.until_planned(1).await;
    let cancel = CancelBatchRequest { batch_id: "turn-1".to_owned(), call_ids: Vec::new() };
    let cancelled = world.client().cancel_batch(cancel).await.unwrap().into_inner();
    assert_eq!(cancelled.call_ids, [read, write]);
    let ran = running.finish().await;
    assert_eq!(ran.count(Outcome::Cancelled), 2);
    world.end().await;
}

#[tokio::test]
async fn calls_that_their_provider_gave_one_id_have_two_results_with_it() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let chat = StreamOpen { shape: Shape::OpenaiChat.into(), ..StreamOpen::default() };
    let (pen, running) = open_within(&world, chat, None).await.unwrap();
    for (block, id) in (0..).zip(["functions.read:0", "call", "call"]) {
        let tool_use = ToolUse { id: id.to_owned(), name: "read".to_owned(), ..ToolUse::default() };
        let block_json = match block {
            2 => format!(r#"{{"index":2,"id":"{id}","function":{{"name":"read"}}}}"#),
            _ => String::new(),
        };
        let begun = ToolUseBegun { block, tool_use: Some(tool_use), block_json };
        pen.say(Step::ToolUseBegun(begun)).await;
        pen.goes_on(block, &format!(r#"{{"id":"{block}"}}"#)).await;
        pen.end(block).await;
    }
    pen.commit().await;
    let ran = running.finish().await;
    for id in ["functions_read_0", "call", "call_2"] {
        ran.assert_succeeded(id, "{}");
    }
    let answered = ran.bundle.iter().map(|item| {
        let item: serde_json::Value = serde_json::from_str(item).unwrap();
        item["tool_call_id"].as_str().unwrap().to_owned()
    });
    assert_eq!(answered.collect::<Vec<_>>(), ["functions.read:0", "call", "call"]);
    world.end().await;
}

#[tokio::test]
async fn a_drain_lets_a_turn_that_is_still_coming_go_on_and_takes_no_other() {
    let world = World::start(BASE).await;
    world.peer.on("POST /write/*", Reply::json("{}"));
    let (mut pen, running) = open(&world).await;
    let write = pen.write("write", r#"{"id":"w","value":1}"#).await;
    // One of which nothing has come yet holds nothing.
    let (_silent, received) = mpsc::channel::<ExecuteStreamRequest>(1);
    let mut client = world.client();
    let mut silent = JoinSet::new();
    silent.spawn(async move { client.execute_stream(ReceiverStream::new(received)).await });
    tokio::task::yield_now().await;
    world.drain.start();
    let status = silent.join_next().await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    pen.commit().await;
    let ran = running.finish().await;
    ran.assert_succeeded(&write, "{}");
    world.end().await;
}
