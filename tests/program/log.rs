//! What it logs: of itself, as JSON, at levels that change, to nobody who reads.

use sidecall::proto::v1::{
    ExecuteBatchRequest, ToolUse, ToolUses, execute_batch_request,
    sidecall_service_client::SidecallServiceClient,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    time::timeout,
};

use super::{LONG, Place, Program};

/// The trace of those who send turns.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn where_it_can_be_watched_is_told_with_the_port_that_was_taken() {
    let place = Place::new("http://127.0.0.1:1");
    place.adds("listen: {admin: '127.0.0.1:0'}\n");
    let mut program = place.serve(1024).await;
    let told = timeout(LONG, program.log.next_line()).await.unwrap().unwrap().unwrap();
    assert!(told.contains("Traces are off: neither `telemetry.otlp.endpoint`"), "{told}");
    let (_, rest) = told.split_once("Metrics are read at http://").unwrap();
    let (address, _) = rest.split_once("/metrics").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let ask = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let who = text.lines().find(|line| line.starts_with("target_info")).unwrap();
    for label in ["service_name=\"sidecall\"", "service_instance_id=", "telemetry_sdk_name="] {
        assert!(who.contains(label), "{label} is not in {who}");
    }
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

#[tokio::test]
async fn a_log_in_json_has_an_object_a_line_and_the_trace_of_each_turn() {
    let place = Place::new("http://127.0.0.1:1");
    place.adds("telemetry: {log: {format: json, filter: 'info,sidecall=debug'}}\n");
    let mut program = place.serve(1024).await;
    failing_turn(&program).await;
    program.signal("TERM");
    let mut failed = 0;
    let mut said = Vec::new();
    while let Some(line) = timeout(LONG, program.log.next_line()).await.unwrap().unwrap() {
        let line: serde_json::Value = serde_json::from_str(&line).expect(&line);
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "{line} has no {name}");
        }
        if line["message"].as_str().unwrap().starts_with("An attempt failed") {
            assert_eq!((&line["level"], &line["trace.id"]), (&"DEBUG".into(), &TRACE.into()));
            assert!(line["batch.id"].is_string(), "{line}");
            failed += 1;
        }
        said.push(line);
    }
    assert!(failed > 0, "{said:#?}");
    let is_said =
        |text: &str| said.iter().any(|line| line["message"].as_str().unwrap().contains(text));
    assert!(is_said("Traces are off") && is_said("Draining") && is_said("Ended."), "{said:#?}");
    assert_eq!(program.ends().await.code(), Some(0));
}

/// A turn of one call, whose API is not there, in this trace.
async fn failing_turn(program: &Program) {
    let tool_use = ToolUse { name: "read".to_owned(), ..ToolUse::default() };
    let turn = execute_batch_request::Turn::Typed(ToolUses { tool_uses: vec![tool_use] });
    let request = ExecuteBatchRequest { turn: Some(turn), ..ExecuteBatchRequest::default() };
    let mut request = tonic::Request::new(request);
    let traceparent = format!("00-{TRACE}-b7ad6b7169203331-01");
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    let mut client = SidecallServiceClient::new(program.channel().await);
    let mut events = client.execute_batch(request).await.unwrap().into_inner();
    while events.message().await.unwrap().is_some() {}
}

#[tokio::test]
async fn what_is_logged_is_changed_while_the_server_runs_and_changed_back() {
    let place = Place::new("http://127.0.0.1:1");
    let mut program = place.serve(1024).await;
    let address = format!("unix://{}", place.socket().display());
    let log = async |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
        let output = command.args(["log", "--address", &address]).args(arguments).output();
        let output = output.await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout) + &text(output.stderr))
    };
    assert_eq!(log(&[]).await, (Some(0), "info\n".to_owned()));
    failing_turn(&program).await;

    let filter = "warn,sidecall::schedule=debug";
    let changed = format!("{filter}\n  configured: info; `sidecall log --reset` goes back to it\n");
    assert_eq!(log(&[filter]).await, (Some(0), changed.clone()));
    assert_eq!(log(&[]).await, (Some(0), changed.clone()));
    failing_turn(&program).await;
    let (before, _) = program.until("An attempt failed").await;
    assert!(!before.iter().any(|line| line.contains("DEBUG")), "{before:?}");

    // What is no filter changes nothing.
    let (code, said) = log(&["loud"]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("filter: `loud` is no log filter; write a level"), "{said}");
    assert_eq!(log(&[]).await, (Some(0), changed));

    assert_eq!(log(&["--reset"]).await, (Some(0), "info\n".to_owned()));
    failing_turn(&program).await;
    program.signal("TERM");
    let (after, _) = program.until("Draining").await;
    let reset = after.iter().position(|line| line.contains("What is logged was changed"));
    let later = &after[reset.unwrap()..];
    assert!(!later.iter().any(|line| line.contains("An attempt failed")), "{later:?}");
    assert_eq!(program.ends().await.code(), Some(0));
}

/// What a pipe of 64 KiB holds at least, since lines are not cut at its pages' ends.
const PIPE_BYTES: usize = 60 << 10;

#[tokio::test]
async fn who_does_not_read_the_log_stops_neither_turns_nor_the_end() {
    let place = Place::new("http://127.0.0.1:1");
    place.adds("telemetry: {log: {filter: trace}}\n");
    // Nobody reads after its first words.
    let mut program = place.serve(1024).await;
    for _ in 0..50 {
        timeout(LONG, failing_turn(&program)).await.expect("a turn hangs");
    }
    assert!(timeout(LONG, program.is_healthy()).await.expect("its health hangs"));

    let address = format!("unix://{}", place.socket().display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    command.args(["log", "--address", &address, "off"]).kill_on_drop(true);
    let off = timeout(LONG, command.output()).await.expect("`log off` hangs").unwrap();
    assert_eq!(off.status.code(), Some(0), "{off:?}");
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));

    let mut rest = Vec::new();
    program.log.into_inner().read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() >= PIPE_BYTES, "the pipe was never full: {} bytes", rest.len());
}
