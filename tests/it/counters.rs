//! Agents that change the same row of a real store, through an API that reads,
//! waits and writes, in another process: how many of their changes are there in
//! the end. The API lets two writers meet between reading and writing, so that
//! where nothing keeps them apart a change is lost each time they do.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use sidecall::proto::v1::{FailureCode, Outcome, RetryAdvice};

use crate::support::{
    Turn, World,
    upstream::{Redis, Upstream},
};

const AGENTS: usize = 5;
const EACH: usize = 4;
/// What the row must come to.
const ALL: usize = AGENTS * EACH;

/// `{settings}` are of the API, `{tool}` of the tool that adds.
const CONFIG: &str = r#"
apis:
  store: {url: "{upstream}"{settings}}
tools:
  add:
    description: One more.
    input: {type: object, properties: {name: {type: string}, by: {type: string}}, required: [name]}
    http: {api: store, post: "/counter/{name}"}
{tool}
  read:
    description: The row and its version.
    input: {type: object, properties: {name: {type: string}}, required: [name]}
    http: {api: store, get: "/counter/{name}", result_headers: {etag: ETag}}
  add_to_version:
    description: One more than the version that was read.
    input:
      type: object
      properties: {name: {type: string}, etag: {type: string}}
      required: [name, etag]
    http: {api: store, put: "/counter/{name}", version: "{etag}"}
"#;

struct Store {
    upstream: Upstream,
    _redis: Redis,
}

impl Store {
    async fn start() -> Option<Self> {
        let redis = Redis::start().await?;
        let upstream = Upstream::start(&["--redis", &redis.port(), "--meet", "2"]).await?;
        Some(Self { upstream, _redis: redis })
    }

    async fn world(&self, settings: &str, tool: &str) -> World {
        let yaml = CONFIG.replace("{upstream}", &self.upstream.url());
        World::start(&yaml.replace("{settings}", settings).replace("{tool}", tool)).await
    }

    /// What the row came to.
    async fn value(&self) -> usize {
        let row = self.upstream.ask("GET /counter/row").await;
        let row: BTreeMap<String, usize> = serde_json::from_str(&row).unwrap();
        row["value"]
    }
}

/// Each agent adds one after the other, in a session of its own; gives what the
/// row came to.
async fn added_by_agents(tool: &str) -> Option<usize> {
    let store = Store::start().await?;
    let world = store.world("", tool).await;
    let agent = |agent: usize| {
        let world = &world;
        async move {
            for n in 0..EACH {
                let input = format!(r#"{{"name":"row","by":"{agent}-{n}"}}"#);
                let turn = Turn::one("add", &input).session(&format!("agent-{agent}"));
                assert_eq!(world.run(&turn).await.count(Outcome::Succeeded), 1);
            }
        }
    };
    join_all((0..AGENTS).map(agent)).await;
    world.end().await;
    Some(store.value().await)
}

/// Incident 21.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_write_one_row_lose_no_change_under_a_lock() {
    let Some(value) = added_by_agents(r#"    writes: ["row/{name}"]"#).await else { return };
    assert_eq!(value, ALL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_lock_the_same_agents_lose_changes() {
    let Some(value) = added_by_agents("").await else { return };
    assert!(value < ALL, "nothing was lost: the interleaving was not forced");
}

/// One turn's writes, of which the default order lets none overtake another.
async fn added_in_one_turn(settings: &str, tool: &str) -> Option<usize> {
    let store = Store::start().await?;
    let world = store.world(settings, tool).await;
    let calls = (0..ALL).map(|n| {
        let input = format!(r#"{{"name":"row","by":"{n}"}}"#);
        (format!("add-{n}"), "add".to_owned(), input)
    });
    assert_eq!(world.run(&Turn::of(calls)).await.count(Outcome::Succeeded), ALL);
    world.end().await;
    Some(store.value().await)
}

/// Incident 21: parallel writes of one turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turns_writes_lose_nothing_by_their_order_or_by_their_keys() {
    for (settings, tool) in [("", ""), (", ordering: none", r#"    writes: ["row/{name}"]"#)] {
        let Some(value) = added_in_one_turn(settings, tool).await else { return };
        assert_eq!(value, ALL, "{settings}{tool}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turns_writes_that_nothing_orders_lose_changes() {
    let Some(value) = added_in_one_turn(", ordering: none", "").await else { return };
    assert!(value < ALL, "nothing was lost: the interleaving was not forced");
}

/// An agent that reads again after each conflict, as the message tells it to.
/// Nobody else keeps them apart: the store says whose version is old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_name_the_version_they_read_lose_no_change() {
    let Some(store) = Store::start().await else { return };
    let world = store.world("", "").await;
    let agent = |agent: usize| {
        let world = &world;
        async move {
            let (mut added, mut conflicts) = (0, 0);
            while added < EACH {
                let turn = Turn::of([
                    ("r", "read", r#"{"name":"row"}"#),
                    ("w", "add_to_version", r#"{"name":"row","etag":"${r.etag}"}"#),
                ]);
                let turn = turn.with_references().session(&format!("agent-{agent}"));
                let ran = world.run(&turn).await;
                if ran.count(Outcome::Succeeded) == 2 {
                    added += 1;
                    continue;
                }
                ran.assert_failed("w", FailureCode::Conflict, &["read"]);
                let failure = ran.failure("w");
                assert_eq!((failure.retry(), failure.attempts), (RetryAdvice::VerifyFirst, 1));
                conflicts += 1;
            }
            conflicts
        }
    };
    let conflicts: usize = join_all((0..AGENTS).map(agent)).await.into_iter().sum();
    world.end().await;
    assert_eq!(store.value().await, ALL);
    assert!(conflicts > 0, "nobody met anybody: the interleaving was not forced");
}
