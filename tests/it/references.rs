//! Values go from one call's result into another's input: the right ones, with
//! their JSON types, as they were written.

use sidecall::proto::v1::{FailureCode, Outcome};

use crate::support::{Peer, Ran, Reply, Turn, World, tools::BASE};

const ADA: &str = r#"{"id":12345678901234567890,"name":"Ada \"the first\"","vip":true,"score":1.10,
  "none":null,"orders":[{"id":"o-1","cents":129900},{"id":"o-2","cents":1e2}],"rates":{"Exchange Rate":0.70}}"#;

/// What arrived at `/echo`.
fn echoed(peer: &Peer) -> String {
    peer.only("POST /echo").text().to_owned()
}

async fn world_with_ada() -> World {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/ada", Reply::json(ADA)).on("POST /echo", Reply::json("{}"));
    world
}

/// Runs `read(ada)` and an `echo` of this input that may refer to it.
async fn refer(world: &World, input: &str) -> Ran {
    let turn = Turn::of([("r", "read", r#"{"id":"ada"}"#), ("e", "echo", input)]);
    world.run(&turn.with_references()).await
}

#[tokio::test]
async fn a_whole_reference_keeps_its_json_type_and_its_digits() {
    for (reference, arrives) in [
        ("${read.id}", "12345678901234567890"),
        ("${read.score}", "1.10"),
        ("${read.vip}", "true"),
        ("${read.none}", "null"),
        ("${read.name}", r#""Ada \"the first\"""#),
        ("${read.orders[1].cents}", "1e2"),
        ("${read.orders[-1].id}", r#""o-2""#),
        ("${read.orders[*].id}", r#"["o-1","o-2"]"#),
        ("${read.rates['Exchange Rate']}", "0.70"),
        ("${read.orders[0]}", r#"{"id":"o-1","cents":129900}"#),
        // By name and number, by position, by id.
        ("${read#1.vip}", "true"),
        ("${1.vip}", "true"),
        ("${r.vip}", "true"),
    ] {
        let world = world_with_ada().await;
        let input = format!(
            r#"{{"a":"{reference}","b":{{"$ref":"{}"}}}}"#,
            &reference[2..reference.len() - 1]
        );
        let ran = refer(&world, &input).await;
        assert_eq!(ran.result("e").outcome(), Outcome::Succeeded, "{reference}: {ran:#?}");
        let body = echoed(&world.peer);
        assert_eq!(body, format!(r#"{{"a":{arrives},"b":{arrives}}}"#), "{reference}");
        world.end().await;
    }
}

/// Incident 23: `$1` inside `$10`, `$100` in what a user wrote.
#[tokio::test]
async fn text_that_only_looks_like_a_reference_stays_as_it_is() {
    for (input, arrives) in [
        (r#"{"a":"$1 and $10 cost $100"}"#, r#"{"a":"$1 and $10 cost $100"}"#),
        (r#"{"a":"${HOME}/bin ${read.name}"}"#, r#"{"a":"${HOME}/bin Ada \"the first\""}"#),
        (r#"{"a":"$${read.name}"}"#, r#"{"a":"${read.name}"}"#),
        (
            r#"{"a":"is ${read.vip}, has ${read.orders[0].cents}"}"#,
            r#"{"a":"is true, has 129900"}"#,
        ),
        (r#"{"a":"id-${1.id}-0"}"#, r#"{"a":"id-12345678901234567890-0"}"#),
    ] {
        let world = world_with_ada().await;
        let ran = refer(&world, input).await;
        assert_eq!(ran.result("e").outcome(), Outcome::Succeeded, "{input}: {ran:#?}");
        assert_eq!(echoed(&world.peer), arrives, "{input}");
        world.end().await;
    }
}

#[tokio::test]
async fn ten_calls_and_the_first_are_told_apart() {
    let world = World::start(BASE).await;
    world.peer.script("GET /read/*", |arrival| {
        Reply::json(format!("{:?}", arrival.line.trim_start_matches("GET /read/")))
    });
    world.peer.on("POST /echo", Reply::json("{}"));
    let mut calls: Vec<(String, String, String)> = (1..=10)
        .map(|n| (format!("c{n}"), "read".to_owned(), format!(r#"{{"id":"v{n}"}}"#)))
        .collect();
    let input = r#"{"a":"${1}","b":"${10}","c":"${read#10} ${read#1} ${c1}${c10}"}"#;
    calls.push(("e".to_owned(), "echo".to_owned(), input.to_owned()));
    let ran = world.run(&Turn::of(calls).with_references()).await;
    assert_eq!(ran.count(Outcome::Succeeded), 11, "{ran:#?}");
    assert_eq!(echoed(&world.peer), r#"{"a":"v1","b":"v10","c":"v10 v1 v1v10"}"#);
    world.end().await;
}

#[tokio::test]
async fn a_reference_forwards_is_a_reference_like_any_other() {
    let world = world_with_ada().await;
    let turn = Turn::of([
        ("e", "echo", r#"{"a":"${read.vip}","b":"${2.score}"}"#),
        ("r", "read", r#"{"id":"ada"}"#),
    ])
    .with_references();
    let ran = world.run(&turn).await;
    assert_eq!(ran.count(Outcome::Succeeded), 2, "{ran:#?}");
    assert_eq!(echoed(&world.peer), r#"{"a":true,"b":1.10}"#);
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_resolved_is_never_run_and_says_why() {
    for (input, says) in [
        (r#"{"a":"${nobody.id}"}"#, vec!["nobody"]),
        (r#"{"a":"${read.nam}"}"#, vec!["nam", "name", "orders"]),
        (r#"{"a":"${read.orders[7].id}"}"#, vec!["orders[7]"]),
        (r#"{"a":"${read.[}"}"#, vec!["${read.[}"]),
        (r#"{"a":"${e.x}"}"#, vec!["echo → echo"]),
        (r#"{"a":"${9.x}"}"#, vec!["9"]),
        (r#"{"a":{"$ref":"nobody.id"}}"#, vec!["nobody"]),
    ] {
        let world = world_with_ada().await;
        let ran = refer(&world, input).await;
        assert_eq!(ran.result("r").outcome(), Outcome::Succeeded);
        ran.assert_failed("e", FailureCode::InvalidInput, &says);
        assert_eq!(world.peer.lines(), ["GET /read/ada"]);
        world.end().await;
    }
}

#[tokio::test]
async fn a_name_that_was_called_twice_is_ambiguous_and_the_choices_are_named() {
    let world = world_with_ada().await;
    let turn = Turn::of([
        ("r1", "read", r#"{"id":"ada"}"#),
        ("r2", "read", r#"{"id":"ada"}"#),
        ("e", "echo", r#"{"a":"${read.vip}"}"#),
    ]);
    let ran = world.run(&turn.with_references()).await;
    ran.assert_failed("e", FailureCode::InvalidInput, &["read#1", "read#2"]);
    world.end().await;
}

#[tokio::test]
async fn a_default_takes_the_place_of_what_failed_or_is_missing() {
    for (input, arrives) in [
        (r#"{"a":{"$ref":"read.nowhere","default":{"tier":"none"}}}"#, r#"{"a":{"tier":"none"}}"#),
        (r#"{"a":{"$ref":"bad.id","default":1.50}}"#, r#"{"a":1.50}"#),
        (r#"{"a":{"$ref":"read.vip","default":false}}"#, r#"{"a":true}"#),
    ] {
        let world = world_with_ada().await;
        world.peer.on("POST /write/*", Reply::text(500, "boom"));
        let turn = Turn::of([
            ("r", "read", r#"{"id":"ada"}"#),
            ("bad", "write", r#"{"id":"x","value":1}"#),
            ("e", "echo", input),
        ]);
        let ran = world.run(&turn.with_references()).await;
        assert_eq!(ran.result("e").outcome(), Outcome::Succeeded, "{input}: {ran:#?}");
        assert_eq!(echoed(&world.peer), arrives);
        world.end().await;
    }
}

/// What came from a result is data: a tool cannot make the next one read more.
#[tokio::test]
async fn text_that_came_from_a_result_is_never_expanded() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/1", Reply::json(r#"{"note":"${read#2.secret} $${x}"}"#));
    world.peer.on("GET /read/2", Reply::json(r#"{"secret":"s3cret"}"#));
    world.peer.on("POST /echo", Reply::json("{}"));
    let turn = Turn::of([
        ("r1", "read", r#"{"id":1}"#),
        ("r2", "read", r#"{"id":2}"#),
        ("e", "echo", r#"{"a":"${r1.note}","b":"note: ${r1.note}"}"#),
    ]);
    world.run(&turn.with_references()).await;
    let body = echoed(&world.peer);
    assert_eq!(body, r#"{"a":"${read#2.secret} $${x}","b":"note: ${read#2.secret} $${x}"}"#);
    world.end().await;
}

#[tokio::test]
async fn references_read_the_whole_result_and_not_what_was_cut_for_the_model() {
    let yaml = BASE.replace("  read:\n", "  read:\n    max_bytes: 1KiB\n");
    let world = World::start(&yaml).await;
    let long = format!(r#"{{"filler":"{}","last":"the end"}}"#, "x".repeat(50_000));
    world.peer.on("GET /read/ada", Reply::json(long)).on("POST /echo", Reply::json("{}"));
    let ran = refer(&world, r#"{"a":"${read.last}"}"#).await;
    assert!(ran.result("r").truncation.is_some());
    assert!(!ran.text("r").contains("the end") || ran.text("r").len() <= 1024);
    assert_eq!(echoed(&world.peer), r#"{"a":"the end"}"#);
    world.end().await;
}

#[tokio::test]
async fn references_are_taken_as_text_where_nobody_asked_for_them() {
    let quiet = BASE.replace("  echo:\n", "  echo:\n    references: off\n");
    for (yaml, asked) in [(BASE.to_owned(), false), (quiet, true)] {
        let world = World::start(&yaml).await;
        world.peer.on("GET /read/ada", Reply::json(ADA)).on("POST /echo", Reply::json("{}"));
        let input = r#"{"a":"${read.vip}","b":{"$ref":"read.vip"},"c":"$${x}"}"#;
        let turn = Turn::of([("r", "read", r#"{"id":"ada"}"#), ("e", "echo", input)]);
        let ran = world.run(&if asked { turn.with_references() } else { turn }).await;
        assert_eq!(ran.count(Outcome::Succeeded), 2);
        assert_eq!(echoed(&world.peer), input);
        world.end().await;
    }
}
