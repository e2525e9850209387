//! Writes of one turn keep block order where nobody said that they need not,
//! and reads wait for nobody.

use std::time::Duration;

use sidecall::proto::v1::{EdgeKind, EdgeStrength, FailureCode, Outcome, Plan};

use crate::support::{
    Gate, Reply, Turn, World,
    tools::{BASE, base_with_api},
};

fn writes<const N: usize>(ids: [&str; N]) -> Turn {
    let input = |id| format!(r#"{{"id":"{id}","value":1}}"#);
    Turn::of(ids.map(|id| (id.to_owned(), "write".to_owned(), input(id))))
}

fn plan(plan: Option<&Plan>) -> Vec<(u32, u32, EdgeKind, EdgeStrength)> {
    let edges = &plan.unwrap().edges;
    edges.iter().map(|edge| (edge.from, edge.to, edge.kind(), edge.strength())).collect()
}

fn time(time: Option<prost_types::Duration>) -> Duration {
    Duration::try_from(time.unwrap()).unwrap()
}

#[tokio::test]
async fn the_writes_of_a_turn_arrive_one_after_the_other_in_block_order() {
    let world = World::start(BASE).await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    for (id, gate) in ["a", "b", "c"].into_iter().zip(&gates) {
        world.peer.on(&format!("POST /write/{id}"), Reply::json("{}").behind(gate));
    }
    let running = world.send(&writes(["a", "b", "c"])).await.unwrap();
    for (place, gate) in gates.iter().enumerate() {
        world.peer.arrived(place + 1).await;
        assert_eq!(world.peer.lines().len(), place + 1, "nobody else has come");
        gate.open();
    }
    let ran = running.finish().await;
    assert_eq!(world.peer.lines(), ["POST /write/a", "POST /write/b", "POST /write/c"]);
    assert_eq!(world.peer.in_flight_max(), 1);
    assert_eq!(ran.count(Outcome::Succeeded), 3);

    let plan = self::plan(ran.accepted.plan.as_ref());
    let order = |from, to| (from, to, EdgeKind::BlockOrder, EdgeStrength::Order);
    assert_eq!(plan, [order(0, 1), order(1, 2)]);
    let plan = ran.accepted.plan.unwrap();
    let second = Duration::from_secs(1);
    assert_eq!(
        plan.edges.iter().map(|edge| time(edge.cost)).collect::<Vec<_>>(),
        [second, 2 * second]
    );
    assert_eq!(time(plan.estimate.unwrap().order), 2 * second);
    for edge in &plan.edges {
        assert_eq!(edge.reason, "block order of crm");
        assert_eq!(edge.remedy, "`writes: [...]` on the tool, or `apis.crm.ordering: none`");
    }
    world.end().await;
}

#[tokio::test]
async fn an_api_that_is_told_so_gets_them_all_at_once() {
    let world = World::start(&base_with_api("ordering: none")).await;
    let gate = Gate::closed();
    world.peer.on("POST /write/*", Reply::json("{}").behind(&gate));
    let running = world.send(&writes(["a", "b", "c"])).await.unwrap();
    world.peer.arrived(3).await;
    gate.open();
    let ran = running.finish().await;
    assert_eq!((ran.count(Outcome::Succeeded), world.peer.in_flight_max()), (3, 3));
    assert_eq!(plan(ran.accepted.plan.as_ref()), []);
    world.end().await;
}

#[tokio::test]
async fn reads_and_the_writes_of_another_api_are_not_held_up() {
    let yaml = BASE.replace("apis:\n", "apis:\n  bank: {url: \"{peer}\"}\n")
        + "  pay: {description: Pays., http: {api: bank, post: /pay}}\n";
    let world = World::start(&yaml).await;
    let gate = Gate::closed();
    world.peer.on("POST /write/*", Reply::json("{}").behind(&gate));
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.peer.on("POST /pay", Reply::json("{}"));
    let mut running = world
        .send(&Turn::of([
            ("a", "write", r#"{"id":"a","value":1}"#),
            ("b", "write", r#"{"id":"b","value":1}"#),
            ("c", "read", r#"{"id":"c"}"#),
            ("d", "pay", "{}"),
        ]))
        .await
        .unwrap();
    running.until_finished("c").await;
    running.until_finished("d").await;
    assert!(!world.peer.lines().contains(&"POST /write/b".to_owned()));
    gate.open();
    assert_eq!(running.finish().await.count(Outcome::Succeeded), 4);
    world.end().await;
}

#[tokio::test]
async fn a_write_that_fails_does_not_stop_the_next() {
    let world = World::start(BASE).await;
    world.peer.on("POST /write/a", Reply::cut());
    world.peer.on("POST /write/*", Reply::json("{}"));
    let turn = Turn::of([
        ("a", "write", r#"{"id":"a","value":1}"#),
        ("b", "write", r#"{"value":1}"#),
        ("c", "write", r#"{"id":"c","value":1}"#),
    ]);
    let ran = world.run(&turn).await;
    ran.assert_failed("a", FailureCode::OutcomeUnknown, &[]);
    ran.assert_failed("b", FailureCode::InvalidInput, &["id"]);
    ran.assert_succeeded("c", "{}");
    assert_eq!(world.peer.lines(), ["POST /write/a", "POST /write/c"]);
    world.end().await;
}

/// The second cannot run; the third does not take that for its own turn.
#[tokio::test]
async fn a_write_that_cannot_run_lets_nobody_overtake() {
    let world = World::start(BASE).await;
    let gate = Gate::closed();
    world.peer.on("POST /write/a", Reply::json("{}").behind(&gate));
    world.peer.on("POST /write/c", Reply::json("{}"));
    world.peer.on("GET /read/*", Reply::text(404, "none"));
    let turn = Turn::of([
        ("a", "write", r#"{"id":"a","value":1}"#),
        ("r", "read", r#"{"id":"r"}"#),
        ("b", "write", r#"{"id":"b","value":"${r}"}"#),
        ("c", "write", r#"{"id":"c","value":1}"#),
    ]);
    let mut running = world.send(&turn.with_references()).await.unwrap();
    let skipped = running.until_finished("b").await;
    assert_eq!(skipped.outcome(), Outcome::Skipped);
    world.peer.arrived_at("POST /write/a").await;
    gate.open();
    let ran = running.finish().await;
    assert_eq!(ran.completion_order(), ["r", "b", "a", "c"]);
    assert_eq!(world.peer.in_flight_max(), 2, "the first write and the read");
    world.end().await;
}

/// A reference forward is a need, and block order gives way to it.
#[tokio::test]
async fn a_write_that_another_needs_goes_before_it() {
    let world = World::start(BASE).await;
    world.peer.on("POST /write/*", Reply::json(r#"{"n":7}"#));
    let turn = Turn::of([
        ("a", "write", r#"{"id":"a","value":"${c.n}"}"#),
        ("b", "write", r#"{"id":"b","value":1}"#),
        ("c", "write", r#"{"id":"c","value":1}"#),
    ]);
    let ran = world.run(&turn.with_references()).await;
    assert_eq!(ran.count(Outcome::Succeeded), 3);
    assert_eq!(world.peer.lines(), ["POST /write/b", "POST /write/c", "POST /write/a"]);
    assert_eq!(world.peer.only("POST /write/a").text(), "7");
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_turn_leaves_no_write_of_its_line_behind() {
    let world = World::start(BASE).await;
    world.peer.on("POST /write/a", Reply::hang());
    let running = world.send(&writes(["a", "b", "c"])).await.unwrap();
    world.peer.arrived(1).await;
    running.hang_up();
    world.peer.abandoned("POST /write/a").await;
    // Nobody expects another: it would fail the end.
    world.end().await;
}
