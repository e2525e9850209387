//! Real clients of other languages, with generated stubs and default settings.

use serde_json::Value;

use crate::{
    clients::{program, report_of},
    support::{Reply, World},
};

const WORLD: &str = r#"
apis:
  crm: {url: "{peer}"}
tools:
  read:
    description: Reads a record.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: "/read/{id}"}
  hang:
    description: Never answers.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: "/hang/{id}"}
  write:
    description: Writes a record.
    input: {type: object, properties: {id: {type: string}, value: {}}, required: [id]}
    http: {api: crm, post: "/write/{id}", json: "{value}"}
"#;

/// What a client of this language saw of a scene; nothing where a plain `cargo
/// test` has no tools.
async fn play(language: &str, world: &World, scene: &str) -> Option<Value> {
    let command = program(language, "streaming")?;
    let unix = format!("unix:{}", world.socket.display());
    Some(report_of(command, &unix, &["--scene", scene]).await)
}

async fn world() -> World {
    let world = World::start(WORLD).await;
    world.peer.on("GET /read/*", Reply::json(r#"{"v": 1.10}"#));
    world.peer.on("GET /hang/*", Reply::hang());
    world.peer.on("POST /write/*", Reply::json("{}"));
    world
}

fn writes(world: &World) -> usize {
    world.peer.lines().iter().filter(|line| line.starts_with("POST")).count()
}

async fn a_turn_in_pieces(language: &str) {
    let world = world().await;
    let Some(seen) = play(language, &world, "turn").await else { return world.end().await };
    assert_eq!(seen["before_commit"], "toolu_0", "{seen}");
    assert_eq!(seen["bundle_ids"], serde_json::json!(["toolu_0", "toolu_1"]), "{seen}");
    let read = world.peer.only("GET /read/r%F0%9F%98%80%C3%A9%20%C3%A9");
    assert!(read.is_answered);
    assert_eq!(world.peer.only("POST /write/w").text(), "1.10");
    world.end().await;
}

async fn a_turn_that_is_cut(language: &str) {
    for scene in ["cut", "vanish", "broken"] {
        let world = world().await;
        let Some(seen) = play(language, &world, scene).await else { return world.end().await };
        // The read was cancelled before it was sent, or the upstream was told.
        if !world.peer.lines().is_empty() {
            world.peer.abandoned("GET /hang/h").await;
        }
        assert_eq!(writes(&world), 0, "{scene}: {seen}");
        match scene {
            "cut" => {
                for call in ["toolu_0", "toolu_1"] {
                    let finished = &seen["finished"][call];
                    assert_eq!(finished[0], 3, "cancelled: {seen}");
                    assert!(finished[1].as_str().unwrap().contains("cut off"), "{seen}");
                }
                assert_eq!(seen["bundle_ids"], serde_json::json!(["toolu_0", "toolu_1"]));
            }
            "broken" => {
                assert_eq!(seen["code"], "INVALID_ARGUMENT", "{seen}");
                assert!(seen["details"].as_str().unwrap().contains("9 is that of no call"));
            }
            _ => {}
        }
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_stubs_send_a_turn_in_pieces() {
    a_turn_in_pieces("python").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_stubs_send_a_turn_in_pieces() {
    a_turn_in_pieces("node").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_of_a_turn_that_a_python_agent_cuts_off_is_ever_sent() {
    a_turn_that_is_cut("python").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_of_a_turn_that_a_node_agent_cuts_off_is_ever_sent() {
    a_turn_that_is_cut("node").await;
}
