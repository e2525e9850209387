//! What a model writes wrongly is never run; the answer says what was wrong
//! and what would be right.

use sidecall::proto::v1::{FailureCode, Outcome};

use crate::support::{Reply, Turn, World, tools::BASE};

/// Incident 18: broken JSON became `{}` and ran.
#[tokio::test]
async fn an_input_that_is_no_json_object_is_never_run_and_echoed() {
    let world = World::start(BASE).await;
    for (input, says) in [
        (r#"{"id": 7"#, "EOF"),
        (r#"{"id": 7,}"#, "trailing comma"),
        ("{'id': 7}", "key must be a string"),
        (r#"{"id":1} {"id":2}"#, "trailing"),
        (r#"{"id":1,"id":2}"#, "stands twice"),
        ("[7]", "object"),
        ("\"id\"", "object"),
        ("null", "object"),
    ] {
        let ran = world.run(&Turn::one("read", input)).await;
        ran.assert_failed("a", FailureCode::InvalidInput, &[says]);
        assert!(ran.bundle[0].contains("invalid_input"), "{}", ran.bundle[0]);
    }
    assert!(world.peer.lines().is_empty());
    world.end().await;
}

#[tokio::test]
async fn an_input_that_does_not_fit_the_schema_names_path_expectation_and_what_came() {
    let world = World::start(
        r#"
apis:
  crm: {url: "{peer}"}
tools:
  refund:
    description: Refunds an order.
    input:
      type: object
      properties:
        order: {type: object, properties: {lines: {type: array, items: {type: object, properties: {cents: {type: integer, minimum: 1}}}}}}
        currency: {enum: [EUR, USD]}
      required: [order, currency]
      additionalProperties: false
    http: {api: crm, post: /refunds, json: {order: "{order}", currency: "{currency}"}}
"#,
    )
    .await;
    for (input, says) in [
        (
            r#"{"order":{"lines":[{"cents":1},{"cents":"12"}]},"currency":"EUR"}"#,
            vec!["lines", "cents", "integer", "\"12\""],
        ),
        (r#"{"order":{"lines":[{"cents":0}]},"currency":"EUR"}"#, vec!["cents", "1"]),
        (r#"{"order":{},"currency":"GBP"}"#, vec!["currency", "EUR", "USD", "GBP"]),
        (r#"{"order":{}}"#, vec!["currency", "required"]),
        (r#"{"order":{},"currency":"EUR","reason":"x"}"#, vec!["reason"]),
        (r#"{"order":{"lines":[{"cents":1.5}]}}"#, vec!["cents", "integer", "1.5", "currency"]),
    ] {
        let ran = world.run(&Turn::one("refund", input)).await;
        ran.assert_failed("a", FailureCode::InvalidInput, &says);
    }
    assert!(world.peer.lines().is_empty());
    world.end().await;
}

#[tokio::test]
async fn an_unknown_tool_is_told_what_there_is() {
    let world = World::start(BASE).await;
    let ran = world.run(&Turn::one("raed", r#"{"id":1}"#)).await;
    ran.assert_failed("a", FailureCode::UnknownTool, &["raed", "read"]);
    world.end().await;
}

#[tokio::test]
async fn an_input_is_checked_again_once_its_references_are_resolved() {
    let world = World::start(BASE).await;
    world.peer.on("GET /read/1", Reply::json(r#"{"id":{"nested":true}}"#));
    let turn =
        Turn::of([("first", "read", r#"{"id":1}"#), ("second", "read", r#"{"id":"${first.id}"}"#)])
            .with_references();
    let ran = world.run(&turn).await;
    assert_eq!(ran.result("first").outcome(), Outcome::Succeeded);
    ran.assert_failed("second", FailureCode::InvalidInput, &["id", "nested"]);
    assert_eq!(world.peer.lines(), ["GET /read/1"]);
    world.end().await;
}
