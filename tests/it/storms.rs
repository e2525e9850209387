//! An API that refuses everyone for a while: how much more it hears because of
//! it, and how soon all is well again, by the log of an API in another process.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use sidecall::{clock, proto::v1::Outcome};

use crate::support::{
    Ran, Turn, World,
    upstream::{Came, Upstream},
};

/// Agents that send a turn of one call each in every beat.
const AGENTS: usize = 10;
const BEAT: Duration = Duration::from_millis(100);
/// Beats until all is well again: the last pause is a second long.
const SETTLED: usize = 20;
/// A call that takes longer has waited for something.
const SOON: Duration = Duration::from_secs(3);
/// Beats before the storm, in it and after it.
const CALM: usize = 20;
const STORM: usize = 15;
const AFTER: usize = 50;

const CONFIG: &str = r#"
bounds: {batches: 2000}
apis:
  crm: {url: "{upstream}"}
tools:
  read:
    description: Reads.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: "/busy/{id}"}
"#;

/// Keeps the load up through a storm; gives the API's log, and of each beat what
/// became of its calls.
async fn weathered(storm: &str) -> Option<(Vec<Came>, Vec<(usize, Ran)>)> {
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
            sent.push((beat, world.send(&turn.session(&session)).await.unwrap()));
        }
    }
    let ran = sent.into_iter().map(|(beat, running)| async move { (beat, running.finish().await) });
    let ran = join_all(ran).await;
    world.end().await;
    Some((upstream.log().await, ran))
}

/// The API heard little more than the load, and from two seconds after the storm all
/// is as it was before. By the calls that were sent, not by the clock: a machine
/// that is slow to send them is no fault of what is tested.
fn assert_weathered(log: &[Came], ran: &[(usize, Ran)]) {
    let calls: BTreeSet<&str> = log.iter().map(|came| came.line.as_str()).collect();
    let retries = log.len() - calls.len();
    assert!(retries > 0, "nothing was tried again");
    assert!(retries as f64 <= 0.2 * calls.len() as f64, "{retries} retries of {}", calls.len());

    let goodput = |from: usize, to: usize| {
        let of = ran.iter().filter(|(beat, _)| (from..to).contains(beat));
        let (good, all) = of.fold((0, 0), |(good, all), (_, ran)| {
            let is_good = ran.count(Outcome::Succeeded) == 1 && ran.duration() < SOON;
            (good + usize::from(is_good), all + 1)
        });
        f64::from(good as u32) / f64::from(all)
    };
    assert!(goodput(0, CALM) >= 0.95, "there was no calm before");
    assert!(log.iter().any(|came| came.status == 429), "there was no storm");
    let after = goodput(CALM + STORM + SETTLED, CALM + STORM + AFTER);
    assert!(after >= 0.95, "{after} of what was sent once it had settled");
}

fn succeeded(ran: &[(usize, Ran)]) -> usize {
    ran.iter().map(|(_, ran)| ran.count(Outcome::Succeeded)).sum()
}

/// Incident 5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_429s_is_not_fed_with_retries_and_leaves_nothing_behind() {
    let Some((log, ran)) = weathered("").await else { return };
    assert_weathered(&log, &ran);
    // What came in calm weather, and after it.
    let succeeded = succeeded(&ran);
    assert!(succeeded >= (CALM + AFTER) * AGENTS, "{succeeded}");
}

/// Incident 5: what waits for the pause to end is not lost, and hardly anyone
/// asks before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_that_says_how_long_is_sat_out_by_everyone() {
    let Some((log, ran)) = weathered("&retry_after=1").await else { return };
    assert_weathered(&log, &ran);
    let refused = log.iter().filter(|came| came.status == 429).count();
    assert!(refused < STORM * AGENTS / 2, "{refused} asked in vain");
    let succeeded = succeeded(&ran);
    assert!(succeeded >= ran.len() * 9 / 10, "{succeeded} of {}", ran.len());
}
