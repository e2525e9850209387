//! Changes that are made only to the version that was read.

use std::sync::{Arc, Mutex};

use sidecall::proto::v1::{FailureCode, Outcome, RetryAdvice};

use crate::support::{Reply, Turn, World};

/// A record that is read with its version and changed only at that.
const RECORDS: &str = r#"
apis:
  crm: {url: "{peer}", retry: {attempts: 5, base: 1ms}}
tools:
  get_user:
    description: Reads a user.
    input: {type: object, properties: {user_id: {type: string}}, required: [user_id]}
    http: {api: crm, get: "/users/{user_id}", result_headers: {etag: ETag}}
  find_users:
    description: Lists users.
    http: {api: crm, get: /users}
  put_user:
    description: Changes a user.
    effect: at_least_once
    input: {type: object, properties: {id: {type: string}, etag: {type: string}, name: {type: string}}, required: [id, etag]}
    http: {api: crm, put: "/users/{id}", json: {name: "{name}"}, version: "{etag}", result_headers: {etag: ETag}}
  patch_user:
    description: Changes a user, whose version stands in the body.
    effect: keyed
    input: {type: object, properties: {id: {type: string}, version: {type: integer}}, required: [id, version]}
    http: {api: crm, patch: "/users/{id}", json: {version: "{version}"}, version: "{version}"}
"#;

/// A user whose entity-tag counts its changes, as RFC 9110 has it.
fn users(world: &World) -> Arc<Mutex<u32>> {
    let version = Arc::new(Mutex::new(1));
    let tag = |version: u32| format!("\"v{version}\"");
    let read = Arc::clone(&version);
    world.peer.script("GET /users/7", move |_| {
        Reply::json(r#"{"name":"Ada", "score":1.10}"#).header("etag", &tag(*read.lock().unwrap()))
    });
    let change = Arc::clone(&version);
    world.peer.script("PUT /users/7", move |arrival| {
        let mut version = change.lock().unwrap();
        if arrival.header("if-match") != tag(*version) {
            return Reply::text(412, "the record has changed");
        }
        *version += 1;
        Reply::new(204, "", "").header("etag", &tag(*version))
    });
    version
}

fn put(etag: &str, name: &str) -> Turn {
    let input = serde_json::json!({"id": "7", "etag": etag, "name": name});
    Turn::one("put_user", &input.to_string())
}

#[tokio::test]
async fn a_change_of_a_version_that_is_gone_is_a_conflict_and_the_present_one_goes_through() {
    let world = World::start(RECORDS).await;
    let version = users(&world);
    let read = || Turn::one("get_user", r#"{"user_id":"7"}"#);

    let ran = world.run(&read()).await;
    ran.assert_succeeded("a", r#"{"name":"Ada", "score":1.10,"etag":"\"v1\""}"#);
    // Somebody else is quicker.
    *version.lock().unwrap() += 1;
    let ran = world.run(&put("\"v1\"", "Bea")).await;
    ran.assert_failed(
        "a",
        FailureCode::Conflict,
        &["412", "version `\"v1\"` (`etag`)", "Read it again with get_user, ", "has changed"],
    );
    let failure = ran.failure("a");
    assert_eq!((failure.retry(), failure.attempts), (RetryAdvice::VerifyFirst, 1));

    let ran = world.run(&read()).await;
    ran.assert_succeeded("a", r#"{"name":"Ada", "score":1.10,"etag":"\"v2\""}"#);
    // Whether the model keeps the quotes or not.
    let ran = world.run(&put("v2", "Bea")).await;
    ran.assert_succeeded("a", r#"{"etag":"\"v3\""}"#);
    let ran = world.run(&put("\"v3\"", "Cleo")).await;
    ran.assert_succeeded("a", r#"{"etag":"\"v4\""}"#);
    let puts = world.peer.lines().iter().filter(|line| line.starts_with("PUT")).count();
    assert_eq!(puts, 3, "no conflict is tried again");
    world.end().await;
}

#[tokio::test]
async fn a_reference_carries_the_version_from_the_read_to_the_change() {
    let world = World::start(RECORDS).await;
    users(&world);
    let turn = Turn::of([
        ("r", "get_user", r#"{"user_id":"7"}"#),
        ("w", "put_user", r#"{"id":"7","etag":"${get_user.etag}","name":"Bea"}"#),
    ]);
    let ran = world.run(&turn.with_references()).await;
    assert_eq!(ran.count(Outcome::Succeeded), 2);
    assert_eq!(world.peer.only("PUT /users/7").header("if-match"), "\"v1\"");
    world.end().await;
}

#[tokio::test]
async fn a_version_in_the_body_is_sent_there_alone_and_its_conflict_is_not_tried_again() {
    let world = World::start(RECORDS).await;
    world.peer.on("PATCH /users/7", Reply::text(409, "stale"));
    let ran = world.run(&Turn::one("patch_user", r#"{"id":"7","version":41}"#)).await;
    ran.assert_failed("a", FailureCode::Conflict, &["409", "version `41` (`version`)", "get_user"]);
    assert_eq!(ran.failure("a").attempts, 1);
    let arrival = world.peer.only("PATCH /users/7");
    assert_eq!(arrival.text(), r#"{"version":41}"#);
    assert!(!arrival.headers.contains_key("if-match"));
    world.end().await;
}

#[tokio::test]
async fn what_would_change_any_version_is_never_sent() {
    let world = World::start(RECORDS).await;
    for etag in ["*", "", "\"v1\", \"v2\""] {
        let ran = world.run(&put(etag, "Bea")).await;
        ran.assert_failed("a", FailureCode::InvalidInput, &["`etag` is the version to change"]);
    }
    assert_eq!(world.peer.lines(), Vec::<String>::new());
    world.end().await;
}

/// The first attempt may have made the change of which the second is told that
/// its version is gone.
#[tokio::test]
async fn a_conflict_after_an_attempt_without_an_answer_says_what_that_may_mean() {
    let world = World::start(RECORDS).await;
    let first = Mutex::new(true);
    world.peer.script("PUT /users/7", move |_| match std::mem::take(&mut *first.lock().unwrap()) {
        true => Reply::cut(),
        false => Reply::text(412, ""),
    });
    let ran = world.run(&put("v1", "Bea")).await;
    ran.assert_failed(
        "a",
        FailureCode::Conflict,
        &["earlier attempt of this very call had no answer and may have made the change itself"],
    );
    assert_eq!(ran.failure("a").attempts, 2);
    world.end().await;
}
