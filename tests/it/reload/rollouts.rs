//! Changes under load: no call is lost, none is made twice.

use std::collections::BTreeSet;

use sidecall::proto::v1::{Effect, serve_tools_response::Message};

use super::*;
use crate::support::worker::{Worker, json, shared, tool};

const AGENTS: usize = 6;
const TURNS: usize = 12;

#[tokio::test]
async fn a_rollout_under_load_loses_no_call_and_makes_none_twice() {
    let version = |n: usize| {
        let api = format!(
            "rate: {}/s burst {}, concurrency: {}",
            400 + 100 * (n % 3),
            20 + 10 * (n % 4),
            3 + n % 5
        );
        base_with_api(&api).replace("/read/{id}", &format!("/v{}/{{id}}", n % 2))
    };
    let mut server = Server::start(&version(0)).await;
    for line in ["GET /v0/*", "GET /v1/*", "POST /write/*"] {
        server.peer.on(line, Reply::json("1"));
    }
    let mut agents = JoinSet::new();
    for agent in 0..AGENTS {
        let client = server.client();
        agents.spawn(async move {
            for turn in 0..TURNS {
                let id = |call: usize| format!(r#"{{"id":"{agent}-{turn}-{call}"}}"#);
                let calls = (0..6).map(|call| {
                    let tool = if call % 3 == 2 { "write" } else { "read" };
                    (format!("c{call}"), tool.to_owned(), id(call))
                });
                let turn = Turn::of(calls).depends_on(5, &["c0"]);
                let stream = client.clone().execute_batch(turn.0).await.unwrap().into_inner();
                let ran = Running::new(stream).finish().await;
                assert_eq!(ran.count(Outcome::Succeeded), 6, "{ran:#?}");
            }
        });
    }
    let mut changes = 0;
    while !agents.is_empty() {
        changes += 1;
        server.change(&version(changes));
        // Some of them go on before the next change.
        server.peer.arrived(server.peer.log().len() + 3).await;
        while let Some(ended) = agents.try_join_next() {
            ended.unwrap();
        }
        if server.peer.log().len() + 3 > AGENTS * TURNS * 6 {
            break;
        }
    }
    while let Some(ended) = agents.join_next().await {
        ended.unwrap();
    }
    assert!(changes > 20, "{changes}");
    let lines = server.peer.lines();
    let of = |line: &String| line.rsplit('/').next().unwrap().to_owned();
    let calls: BTreeSet<String> = lines.iter().map(of).collect();
    assert_eq!((lines.len(), calls.len()), (AGENTS * TURNS * 6, AGENTS * TURNS * 6));
    let process = server.status().await.process.unwrap();
    assert_eq!((process.attempts.unwrap().used, process.waiting), (0, 0));
    server.end().await;
}

#[tokio::test]
async fn a_worker_keeps_its_stream_its_tools_and_the_calls_that_it_makes() {
    let mut server = Server::start(BASE).await;
    let socket = server.folder.path().join("sidecall.sock");
    let hello = shared("pool", vec![tool("local", Effect::ReadOnly)]);
    let mut worker = Worker::join_at(socket, hello).await;
    let running = server.send(&Turn::one("local", "{}")).await;
    let Some(Message::Attempt(attempt)) = worker.next().await else { panic!() };
    server.change(&read_at("/new/{id}"));
    worker.answer(attempt.attempt_id, json("1")).await;
    running.finish().await.assert_succeeded("a", "1");

    assert_eq!(server.tools().await, ["echo", "local", "read", "write"]);
    let running = server.send(&Turn::one("local", "{}")).await;
    let Some(Message::Attempt(attempt)) = worker.next().await else { panic!() };
    worker.answer(attempt.attempt_id, json("2")).await;
    running.finish().await.assert_succeeded("a", "2");
    drop(worker);
    server.end().await;
}
