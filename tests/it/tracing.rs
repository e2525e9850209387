//! A caller's trace goes through the batch to every API that it calls.

use sidecall::proto::v1::Outcome;

use crate::support::{Reply, Turn, World, tools::BASE};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn a_trace_does_not_break_at_a_server_that_does_not_trace() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::of([("a", "read", r#"{"id":"1"}"#), ("b", "read", r#"{"id":"2"}"#)]);
    let metadata = [("traceparent", PARENT), ("tracestate", "v=1"), ("baggage", "user=7")];
    let ran = world.send_with(&turn, &metadata).await.unwrap().finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 2, "{ran:#?}");
    let log = world.peer.log();
    assert_eq!(log.len(), 2);
    for arrival in log {
        for (name, value) in metadata {
            assert_eq!(arrival.header(name), value, "{}", arrival.line);
        }
    }
    world.end().await;
}

#[tokio::test]
async fn nothing_is_made_up_for_a_caller_that_does_not_trace() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::of([("a", "read", r#"{"id":"1"}"#)]);
    let metadata = [("traceparent", "no trace"), ("tracestate", "v=1")];
    let ran = world.send_with(&turn, &metadata).await.unwrap().finish().await;
    assert_eq!(ran.count(Outcome::Succeeded), 1, "{ran:#?}");
    for name in ["traceparent", "tracestate", "baggage"] {
        assert_eq!(world.peer.log()[0].header(name), "");
    }
    world.end().await;
}
