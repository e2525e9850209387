//! The bundle is what the model's API takes as it is: every call answered
//! once, in call order, under its own id, and never an empty text.

use std::time::Duration;

use serde_json::{Value, json};
use sidecall::proto::v1::{FailureCode, Outcome};

use crate::support::{Gate, Reply, Turn, World, tools::BASE};

/// Incident 19: a prompt cache holds only while the history is the same bytes.
#[tokio::test]
async fn the_bundle_is_in_call_order_and_byte_for_byte_the_same_whoever_is_first() {
    let world = World::start(BASE).await;
    let mut bundles = Vec::new();
    for order in [["x", "y", "z"], ["z", "x", "y"], ["y", "z", "x"]] {
        let gates = order.map(|id| {
            let gate = Gate::closed();
            let reply = Reply::json(format!(r#"{{"id": "{id}", "n": 1.10}}"#)).behind(&gate);
            let line = format!("GET /read/{id}-{}", bundles.len());
            world.peer.on(&line, reply);
            (id, gate)
        });
        let round = bundles.len();
        let turn =
            Turn::of(["x", "y", "z"].map(|id| {
                (id.to_owned(), "read".to_owned(), format!(r#"{{"id":"{id}-{round}"}}"#))
            }));
        let mut running = world.send(&turn).await.unwrap();
        world.peer.arrived(3 * (round + 1)).await;
        for (id, gate) in gates {
            gate.open();
            running.until_finished(id).await;
        }
        let ran = running.finish().await;
        assert_eq!(ran.completion_order(), order);
        bundles.push(ran.bundle);
    }
    assert_eq!(bundles[0], bundles[1]);
    assert_eq!(bundles[0], bundles[2]);
    world.end().await;
}

/// Incident 14: one turn with everything that can go wrong.
#[tokio::test]
async fn every_tool_use_has_its_tool_result_under_every_fault_at_once() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/ok", Reply::json(r#"{"ok":true}"#));
    world.peer.on("GET /read/empty", Reply::text(204, ""));
    world.peer.on("GET /read/500", Reply::text(500, ""));
    world.peer.on("GET /read/cut", Reply::cut());
    world.peer.on("GET /read/lies", Reply::json("{not json"));
    world.peer.on("GET /read/hang", Reply::hang());
    world.peer.on("POST /write/hang", Reply::hang());
    let calls = [
        ("ok", "read", r#"{"id":"ok"}"#, None),
        ("empty", "read", r#"{"id":"empty"}"#, None),
        ("five", "read", r#"{"id":"500"}"#, Some(FailureCode::BackendError)),
        ("cut", "read", r#"{"id":"cut"}"#, Some(FailureCode::Unavailable)),
        ("lies", "read", r#"{"id":"lies"}"#, Some(FailureCode::ResultInvalid)),
        ("hang", "read", r#"{"id":"hang"}"#, Some(FailureCode::DeadlineExceeded)),
        ("sent", "write", r#"{"id":"hang","value":1}"#, Some(FailureCode::OutcomeUnknown)),
        ("bad", "read", "{", Some(FailureCode::InvalidInput)),
        ("wrong", "read", "{}", Some(FailureCode::InvalidInput)),
        ("who", "nobody", "{}", Some(FailureCode::UnknownTool)),
        ("loop1", "read", r#"{"id":"l"}"#, Some(FailureCode::InvalidInput)),
        ("loop2", "read", r#"{"id":"l"}"#, Some(FailureCode::InvalidInput)),
        ("child", "read", r#"{"id":"c"}"#, Some(FailureCode::DependencyFailed)),
        ("lost", "read", r#"{"id":"${five.x}"}"#, Some(FailureCode::DependencyFailed)),
        ("astray", "read", r#"{"id":"${ok.nowhere}"}"#, Some(FailureCode::InvalidInput)),
    ];
    let turn = Turn::of(calls.map(|(id, tool, input, _)| (id, tool, input)))
        .with_references()
        .depends_on(10, &["loop2"])
        .depends_on(11, &["loop1"])
        .depends_on(12, &["bad"])
        .call_timeout(Duration::from_millis(400));
    let ran = world.run(&turn).await;
    for (id, _, _, code) in calls {
        match code {
            None => assert_eq!(ran.result(id).outcome(), Outcome::Succeeded, "{id}"),
            Some(code) => assert_eq!(ran.failure(id).code(), code, "{id}: {:?}", ran.failure(id)),
        }
    }
    world.end().await;
}

/// Incident 16: an empty text block is refused by the API.
#[tokio::test]
async fn a_result_with_nothing_in_it_has_no_empty_text() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/204", Reply::text(204, ""));
    world.peer.on("GET /read/200", Reply::text(200, ""));
    world.peer.on("GET /read/json", Reply::json(r#""""#));
    world.peer.on("GET /read/500", Reply::text(500, ""));
    let turn = Turn::of(
        ["204", "200", "json", "500"]
            .map(|id| (format!("c{id}"), "read".to_owned(), format!(r#"{{"id":"{id}"}}"#))),
    );
    // Every run is held to it.
    let ran = world.run(&turn).await;
    assert!(ran.result("c204").content.is_empty() && ran.result("c200").content.is_empty());
    ran.assert_succeeded("cjson", r#""""#);
    assert!(ran.bundle[3].contains("500"), "{}", ran.bundle[3]);
    world.end().await;
}

/// Incident 15.
#[tokio::test]
async fn ids_are_kept_as_they_came_and_written_where_there_is_none() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/*", Reply::json("1"));
    let ids = ["toolu_01A09q90qw90lq917835lq9", "", "call_9-Z", "", &"i".repeat(128)];
    let turn = Turn::of(ids.map(|id| (id, "read", r#"{"id":1}"#)));
    let ran = world.run(&turn).await;
    let of_bundle: Vec<String> = ran
        .bundle
        .iter()
        .map(|item| {
            let block: Value = serde_json::from_str(item).unwrap();
            block["tool_use_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(of_bundle, [ids[0], "call_2", ids[2], "call_4", ids[4]]);
    world.end().await;
}

#[tokio::test]
async fn anthropic_blocks_come_in_and_go_out_and_what_is_the_providers_own_is_passed_over() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/7", Reply::json(r#"{"name":"Ada","cents":12345678901234567890.10}"#));
    world.peer.on("POST /write/8", Reply::text(409, "changed meanwhile"));
    let content = json!([
        {"type": "thinking", "thinking": "…", "signature": "s"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"id": 7}},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "x", "server_name": "s", "input": {}},
        {"type": "tool_use", "id": "toolu_2", "name": "write", "input": {"id": "8", "value": 1}},
        {"type": "a_kind_of_tomorrow", "x": 1},
    ]);
    let message =
        json!({"id": "msg_1", "role": "assistant", "stop_reason": "tool_use", "content": content});
    for turn in [content.to_string(), message.to_string()] {
        let ran = world.run(&Turn::anthropic(turn)).await;
        assert_eq!(ran.bundle.len(), 2);
        assert!(ran.bundle[0].contains("12345678901234567890.10"), "{}", ran.bundle[0]);
        let refused: Value = serde_json::from_str(&ran.bundle[1]).unwrap();
        assert_eq!(
            (&refused["tool_use_id"], &refused["is_error"]),
            (&json!("toolu_2"), &json!(true))
        );
        assert!(ran.bundle[1].contains("conflict"), "{}", ran.bundle[1]);
    }
    world.end().await;
}
