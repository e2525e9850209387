//! What the process tells of the moment, while calls are in it.

use std::time::Duration;

use prost::Message;
use sidecall::proto::v1::{
    ApiStatus, BreakerState, BucketScope, CallStarted, LockAccess, LocksStatus, Outcome,
    StatusRequest, StatusResponse, Usage, batch_event::Event,
};
use tonic::Code;

use crate::support::{
    Gate, Reply, Turn, World,
    tools::{BASE, base_with_api},
};

async fn look(world: &World) -> StatusResponse {
    world.client().status(StatusRequest::default()).await.unwrap().into_inner()
}

fn crm(status: &StatusResponse) -> &ApiStatus {
    status.apis.iter().find(|api| api.name == "crm").unwrap()
}

fn of(used: u32, max: u32) -> Option<Usage> {
    Some(Usage { used, max: Some(max) })
}

/// Five reads that the peer holds back.
fn reads() -> Turn {
    let read = |n: usize| (format!("r-{n}"), "read".to_owned(), format!(r#"{{"id":"{n}"}}"#));
    Turn::of((0..5).map(read)).session("agent-7")
}

#[tokio::test]
async fn what_runs_and_what_waits_is_told_while_it_does() {
    let settings = "concurrency: 2, rate: [100/s burst 50, 5/min burst 5 per session]";
    let tool = "  capped:\n    description: Reads one at a time.\n    concurrency: 1\n    \
                cache: {ttl: 1m, entries: 7}\n    http: {api: crm, get: /capped}\n";
    let world = World::start(&(base_with_api(settings) + tool)).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));

    let idle = look(&world).await;
    let process = idle.process.clone().unwrap();
    assert_eq!(process.version, env!("CARGO_PKG_VERSION"));
    assert_eq!((process.batches, process.calls), (of(0, 256), of(0, 16384)));
    assert_eq!((process.waiting, process.sessions, process.draining), (0, 0, false));
    assert_eq!(crm(&idle).buckets[0].lowest[0].level, 50);
    assert_eq!(crm(&idle).next_grant, None);

    let mut running = world.send(&reads()).await.unwrap();
    running.until(|event| matches!(event, Event::Started(CallStarted { index: 1, .. }))).await;
    let busy = look(&world).await;
    let process = busy.process.clone().unwrap();
    assert_eq!((process.batches, process.calls), (of(1, 256), of(5, 16384)));
    assert_eq!((process.attempts, process.waiting), (of(2, 1024), 3));
    assert_eq!(process.sessions, 1);
    let api = crm(&busy);
    assert_eq!((api.attempts, api.queue), (of(2, 2), of(3, 10_000)));
    assert!(api.longest_wait.is_some());
    assert_eq!(api.next_grant, None, "they wait for a place and not for time");
    let own = &api.buckets[1];
    assert_eq!((own.rate.as_str(), own.scope()), ("5/min burst 5", BucketScope::Session));
    assert_eq!((own.kept, own.lowest[0].owner.as_str(), own.lowest[0].level), (1, "agent-7", 3));
    assert_eq!(api.breaker.as_ref().unwrap().state(), BreakerState::Closed);
    assert_eq!(api.retries.unwrap().first_attempts, 2);
    let tool = &busy.tools[0];
    assert_eq!((tool.name.as_str(), tool.attempts), ("capped", of(0, 1)));
    assert_eq!(tool.cache.unwrap().entries, of(0, 7));

    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 5);
    let after = look(&world).await;
    let process = after.process.clone().unwrap();
    assert_eq!((process.batches, process.attempts), (of(0, 256), of(0, 1024)));
    assert_eq!(crm(&after).buckets[1].lowest[0].level, 0);
    world.end().await;
}

#[tokio::test]
async fn who_has_a_key_and_who_waits_for_it_is_told() {
    let yaml = BASE.replace("  write:\n", "  write:\n    writes: [\"record/{id}\"]\n");
    let world = World::start(&yaml).await;
    let gate = Gate::closed();
    world.peer.on("POST /write/*", Reply::json("{}").behind(&gate));
    assert_eq!(look(&world).await.locks.unwrap(), LocksStatus::default());

    let write = |id: &str| (format!("w-{id}"), "write".to_owned(), r#"{"id":"a"}"#.to_owned());
    let mut first = world.send(&Turn::of([write("1")]).batch_id("first")).await.unwrap();
    first.until(|event| matches!(event, Event::Started(_))).await;
    let second = world.send(&Turn::of([write("2")]).batch_id("second")).await.unwrap();
    let locks = look(&world).await.locks.unwrap();
    assert_eq!((locks.held, locks.waiting, locks.keys, locks.omitted), (1, 1, 1, 0));
    let key = &locks.busiest[0];
    assert_eq!((key.key.as_str(), key.access()), ("record/a", LockAccess::Write));
    assert_eq!((key.waiters, key.longest_wait.is_some()), (1, true));
    let holder = &key.holders[0];
    assert_eq!((holder.batch_id.as_str(), holder.call_id.as_str()), ("first", "w-1"));
    assert!(holder.held.is_some());

    gate.open();
    first.finish().await;
    second.finish().await;
    assert_eq!(look(&world).await.locks.unwrap(), LocksStatus::default());
    world.end().await;
}

#[tokio::test]
async fn what_a_session_has_spent_is_told_with_what_it_may() {
    let costly = BASE.replace("  write:\n", "  write:\n    cost: 3\n");
    let rate = "url: \"{peer}\", rate: 1000/s burst 9";
    let sections = "sessions: {calls: 5, cost: 10}\n";
    let yaml = costly.replace("url: \"{peer}\"", rate) + sections;
    let world = World::start(&yaml).await;
    world.peer.on("POST /write/*", Reply::json("{}"));
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.run(&Turn::one("write", r#"{"id":"a"}"#).session("agent-7")).await;
    world.run(&Turn::one("read", r#"{"id":"a"}"#).session("agent-8")).await;
    let budgets = look(&world).await.budgets.unwrap();
    assert_eq!((budgets.sessions, budgets.omitted), (2, 0));
    let of_session: Vec<_> = budgets
        .lowest
        .iter()
        .map(|session| (session.session_id.as_str(), session.calls, session.cost))
        .collect();
    let agent_7 = ("agent-7", of(1, 5), of(3, 10));
    assert_eq!(of_session, [agent_7, ("agent-8", of(1, 5), of(1, 10))]);
    world.end().await;
}

#[tokio::test]
async fn an_api_that_is_left_alone_says_why_and_for_how_long() {
    let settings = "retry: {attempts: 1}, breaker: {failures: 2, open: 1m}";
    let world = World::start(&base_with_api(settings)).await;
    world.peer.on("GET /read/down", Reply::text(503, "closed"));
    for _ in 0..2 {
        world.run(&Turn::one("read", r#"{"id":"down"}"#)).await;
    }
    let status = look(&world).await;
    let breaker = crm(&status).breaker.clone().unwrap();
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!((breaker.consecutive_failures, breaker.opened), (2, 1));
    assert!(breaker.why.contains("its last 2 calls failed"), "{}", breaker.why);
    let next = Duration::try_from(breaker.next_probe.unwrap()).unwrap();
    assert!(next > Duration::from_secs(50) && next <= Duration::from_secs(60), "{next:?}");
    world.end().await;
}

#[tokio::test]
async fn a_server_that_drains_tells_so_until_its_last_batch_has_ended() {
    let world = World::start(BASE).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let mut running = world.send(&Turn::one("read", r#"{"id":"a"}"#)).await.unwrap();
    running.until(|event| matches!(event, Event::Started(_))).await;
    world.drain.start();
    let process = look(&world).await.process.unwrap();
    assert_eq!((process.draining, process.batches), (true, of(1, 256)));
    gate.open();
    running.finish().await;
    world.end().await;
}

#[tokio::test]
async fn rows_are_bounded_by_what_is_asked_for_and_by_the_message() {
    let apis: String = (0..300)
        .map(|n| {
            format!("  api_{n:03}: {{url: \"{{peer}}\", rate: [1/s, 60/min, 9/h per session]}}\n")
        })
        .collect();
    let tools = "tools:\n  read:\n    description: Reads.\n    http: {api: api_000, get: /}\n";
    let listen = "listen:\n  unix: {path: \"{folder}/sidecall.sock\"}\n  tcp: 127.0.0.1:0\n  \
                  message_bytes: 64 KiB\n";
    let world = World::start(&format!("apis:\n{apis}{tools}\n{listen}")).await;
    let look = async |rows_max| world.client().status(StatusRequest { rows_max }).await;
    for (rows, shown) in [(None, 20), (Some(1), 1), (Some(7), 7)] {
        let status = look(rows).await.unwrap().into_inner();
        assert_eq!((status.apis.len(), status.apis_omitted as usize), (shown, 300 - shown));
    }
    let status = look(Some(1000)).await.unwrap().into_inner();
    assert_eq!(status.apis.len() + status.apis_omitted as usize, 300);
    assert!(status.encoded_len() <= 64 << 10 && status.apis.len() > 50, "{}", status.apis.len());
    for rows in [0, 1001] {
        let refused = look(Some(rows)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{rows}");
        assert!(refused.message().contains("rows_max"), "{refused}");
    }
    world.end().await;
}
