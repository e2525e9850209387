//! What reaches an API is what the model wrote, in the place that the operator
//! gave it, and nothing more.

use sidecall::proto::v1::{FailureCode, Outcome};

use crate::support::{Peer, Reply, Turn, World, tools::BASE};

const SLOTS: &str = r#"
apis:
  crm:
    url: "{peer}/v2"
    headers: {X-Client: sidecall}
    auth: {header: {name: X-Api-Key, value: {file: "{folder}/key"}}}
tools:
  search:
    description: Searches.
    input: {type: object, properties: {region: {}, limit: {}, tag: {}, text: {}}, required: [region]}
    http: {api: crm, get: "/regions/{region}/customers", query: {limit: "{limit}", q: "{text}"}, headers: {X-Tag: "{tag}"}}
  put_json:
    description: Puts.
    input: {type: object, properties: {a: {}, b: {}, absent: {}}}
    http: {api: crm, put: /json, json: {whole: "{a}", text: "a is {a}", fixed: {n: 1}, gone: "{absent}", nested: ["{b.c}"]}}
  post_form:
    description: Posts.
    input: {type: object, properties: {a: {}, b: {}}}
    http: {api: crm, post: /form, form: {a: "{a}", b: "{b}"}}
  patch_text:
    description: Patches.
    input: {type: object, properties: {a: {}}}
    http: {api: crm, patch: /text, text: "{a}!"}
  drop:
    description: Drops.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, delete: "/things/{id}"}
"#;

async fn world() -> World {
    let peer = Peer::start().await;
    peer.on("GET /v2/*", Reply::json("{}"));
    for method in ["PUT", "POST", "PATCH", "DELETE"] {
        peer.on(&format!("{method} /v2/*"), Reply::json("{}"));
    }
    World::start_in_folder(peer, SLOTS, |folder| {
        std::fs::write(folder.join("key"), "s3cr3t\n").unwrap();
    })
    .await
}

#[tokio::test]
async fn slots_stand_in_path_query_headers_and_each_kind_of_body() {
    let world = world().await;
    let turn = Turn::of([
        ("s", "search", r#"{"region":"eu west:1","limit":10,"text":"a&b=c d","tag":"x-1"}"#),
        ("j", "put_json", r#"{"a":12345678901234567890.10,"b":{"c":[1e2]}}"#),
        ("f", "post_form", r#"{"a":"x y&z","b":1.10}"#),
        ("t", "patch_text", r#"{"a":"gr\u00fc\u00df"}"#),
        ("d", "drop", r#"{"id":"t-1"}"#),
    ]);
    let ran = world.run(&turn).await;
    assert_eq!(ran.count(Outcome::Succeeded), 5, "{ran:#?}");
    let mut lines = world.peer.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            "DELETE /v2/things/t-1",
            "GET /v2/regions/eu%20west%3A1/customers?limit=10&q=a%26b%3Dc%20d",
            "PATCH /v2/text",
            "POST /v2/form",
            "PUT /v2/json",
        ]
    );
    let search = world.peer.only("GET *");
    assert_eq!((search.header("x-tag"), search.header("x-client")), ("x-1", "sidecall"));
    let json = world.peer.only("PUT *");
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(
        json.text(),
        r#"{"whole":12345678901234567890.10,"text":"a is 12345678901234567890.10","fixed":{"n":1},"nested":[[1e2]]}"#
    );
    let form = world.peer.only("POST *");
    assert_eq!(form.header("content-type"), "application/x-www-form-urlencoded");
    assert!(["a=x+y%26z&b=1.10", "a=x%20y%26z&b=1.10"].contains(&form.text()), "{}", form.text());
    assert_eq!(world.peer.only("PATCH *").text(), "grüß!");
    for arrival in world.peer.log() {
        assert_eq!(arrival.header("x-api-key"), "s3cr3t");
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_absent_leaves_no_trace() {
    let world = world().await;
    let turn =
        Turn::of([("s", "search", r#"{"region":"eu"}"#), ("f", "post_form", r#"{"b":true}"#)]);
    let ran = world.run(&turn).await;
    assert_eq!(ran.count(Outcome::Succeeded), 2, "{ran:#?}");
    let search = world.peer.only("GET *");
    assert_eq!(search.line, "GET /v2/regions/eu/customers");
    assert!(!search.headers.contains_key("x-tag"));
    assert_eq!(world.peer.only("POST *").text(), "b=true");
    world.end().await;
}

/// Values are data: they change neither where a request goes nor what it is.
#[tokio::test]
async fn no_value_changes_the_paths_depth_the_authority_or_the_headers() {
    let world = world().await;
    for region in [
        "..",
        ".",
        "../admin",
        "a/../../b",
        "%2e%2e",
        "//evil.example",
        "@evil.example",
        "?x=1#y",
        "\\..\\",
        "",
    ] {
        let input = serde_json::json!({"region": region}).to_string();
        let ran = world.run(&Turn::one("search", &input)).await;
        if ran.result("a").is_error {
            ran.assert_failed("a", FailureCode::InvalidInput, &["region"]);
        }
    }
    for line in world.peer.lines() {
        let path = line.trim_start_matches("GET ");
        assert!(path.starts_with("/v2/regions/") && path.ends_with("/customers"), "{line}");
        assert_eq!(path.matches('/').count(), 4, "{line}");
        assert!(!path.contains("/../") && !path.contains('?') && !path.contains('#'), "{line}");
    }
    let before = world.peer.lines().len();
    for tag in ["x\r\nX-Admin: 1", "x\ny", "x\0"] {
        let input = serde_json::json!({"region": "eu", "tag": tag}).to_string();
        let ran = world.run(&Turn::one("search", &input)).await;
        ran.assert_failed("a", FailureCode::InvalidInput, &["tag"]);
    }
    assert_eq!(world.peer.lines().len(), before);
    world.end().await;
}

/// Incident 32: `X-Api-Key` followed a redirect to another host.
#[tokio::test]
async fn a_redirect_is_answered_and_never_followed() {
    let elsewhere = Peer::start().await;
    let world = world_redirecting_to(&elsewhere.url()).await;
    for status in [301, 302, 303, 307, 308] {
        let ran = world.run(&Turn::one("read", &format!(r#"{{"id":{status}}}"#))).await;
        ran.assert_failed("a", FailureCode::BackendError, &[&status.to_string()]);
        let message = &ran.failure("a").message;
        assert!(!message.contains("127.0.0.1"), "{message}");
    }
    assert_eq!(world.peer.lines().len(), 5);
    assert!(elsewhere.lines().is_empty());
    world.end().await;
}

async fn world_redirecting_to(url: &str) -> World {
    let world = World::start(BASE).await;
    for status in [301, 302, 303, 307, 308] {
        let reply = Reply::text(status, "").header("location", &format!("{url}/stolen"));
        world.peer.on(&format!("GET /read/{status}"), reply);
    }
    world
}

/// A canary secret is in no result, no failure, and no status.
#[tokio::test]
async fn a_credential_is_told_to_nobody() {
    let world = world().await;
    let turn = Turn::of([
        ("s", "search", r#"{"region":"eu"}"#),
        ("bad", "search", r#"{"region":[]}"#),
        ("lost", "nobody", "{}"),
    ]);
    let ran = world.run(&turn).await;
    assert!(!format!("{ran:?}").contains("s3cr3t"));
    let status = world.refusal(&turn.batch_id("not an id")).await;
    assert!(!format!("{status:?}").contains("s3cr3t"));
    world.end().await;
}
