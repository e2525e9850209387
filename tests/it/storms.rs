//! An API that refuses everyone for a while: how much more it hears because of
//! it, and how soon all is well again, by the log of an API in another process.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use sidecall::{clock, proto::v1::Outcome};

use crate::support::{
    Turn, World,
    upstream::{Came, Upstream},
};

/// Agents that send a turn of one call each in every beat.
const AGENTS: usize = 10;
const BEAT: Duration = Duration::from_millis(100);
/// First attempts a second.
const LOAD: f64 = 100.0;
/// Beats before the storm, in it and after it.
const CALM: usize = 20;
const STORM: usize = 15;
const AFTER: usize = 40;

const CONFIG: &str = r#"
apis:
  crm: {url: "{upstream}"}
tools:
  read:
    description: Reads.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: "/busy/{id}"}
"#;

/// Keeps the load up through a storm; gives the API's log.
async fn weathered(storm: &str) -> Option<(Vec<Came>, usize)> {
    let upstream = Upstream::start(&[]).await?;
    let world = World::start(&CONFIG.replace("{upstream}", &upstream.url())).await;
    let begin = clock::now();
    let mut sent = Vec::new();
    for beat in 0..CALM + STORM + AFTER {
        tokio::time::sleep_until(begin + BEAT * u32::try_from(beat).unwrap()).await;
        if beat == CALM {
            upstream.ask(&format!("POST /storm?on=yes{storm}")).await;
        }
        if beat == CALM + STORM {
            upstream.ask("POST /storm?on=no").await;
        }
        for agent in 0..AGENTS {
            let turn = Turn::of([("a", "read", format!(r#"{{"id":"{agent}-{beat}"}}"#).as_str())]);
            let session = format!("agent-{agent}");
            sent.push(world.send(&turn.session(&session)).await.unwrap());
        }
    }
    let ran = join_all(sent.into_iter().map(|running| running.finish())).await;
    let succeeded = ran.iter().map(|ran| ran.count(Outcome::Succeeded)).sum();
    world.end().await;
    Some((upstream.log().await, succeeded))
}

fn assert_weathered(log: &[Came]) {
    let calls: BTreeSet<&str> = log.iter().map(|came| came.line.as_str()).collect();
    let retries = log.len() - calls.len();
    assert!(retries > 0, "nothing was tried again");
    assert!(retries as f64 <= 0.2 * calls.len() as f64, "{retries} retries of {}", calls.len());

    let refused = log.iter().rposition(|came| came.status == 429).unwrap();
    let over = log[refused].at;
    // The sixth second is the first that must be whole; there may be more to
    // catch up with before.
    let second = |n: u32| {
        let (from, to) =
            (over + Duration::from_secs(1) * n, over + Duration::from_secs(1) * (n + 1));
        log.iter().filter(|came| came.status == 200 && from <= came.at && came.at < to).count()
    };
    let goodput: Vec<usize> = (0..3).map(second).collect();
    assert!(goodput[1] as f64 >= 0.95 * LOAD, "{goodput:?}");
    assert!(goodput[2] as f64 >= 0.95 * LOAD, "{goodput:?}");
}

/// Incident 5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_429s_is_not_fed_with_retries_and_leaves_nothing_behind() {
    let Some((log, succeeded)) = weathered("").await else { return };
    assert_weathered(&log);
    // What came in calm weather, and after it.
    assert!(succeeded >= (CALM + AFTER) * AGENTS, "{succeeded}");
}

/// Incident 5: what waits for the pause to end is not lost, and hardly anyone
/// asks before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_that_says_how_long_is_sat_out_by_everyone() {
    let Some((log, succeeded)) = weathered("&retry_after=1").await else { return };
    assert_weathered(&log);
    let refused = log.iter().filter(|came| came.status == 429).count();
    assert!(refused < STORM * AGENTS, "{refused} asked in vain");
    assert!(succeeded >= (CALM + AFTER) * AGENTS, "{succeeded}");
}
