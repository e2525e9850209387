//! Ten seconds of more work than an API's rates allow, by the log of an API in
//! another process: nothing that was allowed is left unused, and no window of
//! any length sees more.

use std::{collections::BTreeMap, time::Duration};

use sidecall::proto::v1::{Outcome, batch_event::Event};

use crate::support::{
    Turn, World,
    events::Ran,
    upstream::{Came, Upstream},
};

/// A timer's step, and what the wire rounds.
const STEP: Duration = Duration::from_millis(2);

/// Tokens of a call of `heavy`.
const HEAVY: usize = 3;

struct Bucket {
    burst: f64,
    /// A second.
    rate: f64,
}

impl Bucket {
    fn allows(&self, window: Duration) -> f64 {
        self.burst + self.rate * window.as_secs_f64()
    }
}

const CONFIG: &str = r#"
apis:
  crm: {url: "{upstream}", rate: [100/s burst 10, 3000/min burst 100]}
tools:
  light:
    description: One token.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: "/ok/1/{id}"}
  heavy:
    description: Three tokens.
    cost: 3
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: "/ok/3/{id}"}
"#;

const BUCKETS: [Bucket; 2] =
    [Bucket { burst: 10.0, rate: 100.0 }, Bucket { burst: 100.0, rate: 50.0 }];

/// Tokens that the two allow together in ten seconds, in four sessions' turns.
const SESSIONS: usize = 4;
const LIGHT: usize = 105;
const HEAVIES: usize = 15;

fn turn(session: usize) -> Turn {
    let call = |tool: &str, n: usize| {
        let id = format!("{session}-{tool}-{n}");
        (id.clone(), tool.to_owned(), format!(r#"{{"id":"{id}"}}"#))
    };
    let every = LIGHT / HEAVIES;
    let calls = (0..LIGHT).flat_map(|n| {
        let heavy = n.is_multiple_of(every).then(|| call("heavy", n / every));
        heavy.into_iter().chain([call("light", n)])
    });
    Turn::of(calls).session(&format!("session-{session}"))
}

fn id(came: &Came) -> &str {
    came.line.rsplit('/').next().unwrap()
}

fn tokens(came: &Came) -> usize {
    if came.line.starts_with("GET /ok/3/") { HEAVY } else { 1 }
}

/// How much longer some requests were under way than others, from the token to
/// the API: by the wait for the token and by the attempt's start, since each of
/// the two alone leaves a part of the way out.
fn jitter(ran: &[Ran], log: &[Came]) -> Duration {
    let throttled = |ran: &Ran| {
        let of = ran.finished.iter();
        of.map(|result| (result.call_id.clone(), result.timings.unwrap().throttled)).collect()
    };
    let started = |ran: &Ran| {
        let of = ran.events.iter();
        of.filter_map(|event| match event.event.as_ref().unwrap() {
            Event::Started(started) => Some((started.call_id.clone(), started.at)),
            _ => None,
        })
        .collect()
    };
    spread(ran, log, throttled) + spread(ran, log, started)
}

/// Between the least and the most that arrivals came after that time. The clocks
/// have no common zero, so each batch is measured by itself.
fn spread(
    ran: &[Ran],
    log: &[Came],
    times: impl Fn(&Ran) -> Vec<(String, Option<prost_types::Duration>)>,
) -> Duration {
    let at: BTreeMap<&str, Duration> = log.iter().map(|came| (id(came), came.at)).collect();
    let of_batch = |ran: &Ran| {
        let late = times(ran).into_iter().map(|(call, time)| {
            let time = time.map_or(Duration::ZERO, |time| time.try_into().unwrap());
            at[call.as_str()].as_secs_f64() - time.as_secs_f64()
        });
        let late: Vec<f64> = late.collect();
        let least = late.iter().copied().fold(f64::MAX, f64::min);
        late.into_iter().fold(f64::MIN, f64::max) - least
    };
    Duration::from_secs_f64(ran.iter().map(of_batch).fold(0.0, f64::max))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_saturated_seconds_use_what_the_rates_allow_and_no_window_sees_more() {
    let Some(upstream) = Upstream::start(&[]).await else { return };
    let world = World::start(&CONFIG.replace("{upstream}", &upstream.url())).await;
    let mut running = Vec::new();
    for session in 0..SESSIONS {
        running.push(world.send(&turn(session)).await.unwrap());
    }
    let ran = futures_util::future::join_all(running.into_iter().map(|one| one.finish())).await;
    for ran in &ran {
        assert_eq!(ran.count(Outcome::Succeeded), LIGHT + HEAVIES);
    }
    world.end().await;

    let log = upstream.log().await;
    assert_eq!(log.len(), SESSIONS * (LIGHT + HEAVIES), "each came once");
    let jitter = jitter(&ran, &log);
    for (first, from) in log.iter().enumerate() {
        let mut came = 0;
        for to in &log[first..] {
            came += tokens(to);
            let window = to.at - from.at;
            for bucket in &BUCKETS {
                let allowed = bucket.allows(window + jitter + STEP);
                assert!(came as f64 <= allowed, "{came} in {window:?}, jitter {jitter:?}");
            }
        }
    }
    let took = log[log.len() - 1].at - log[0].at;
    let granted: usize = log.iter().map(tokens).sum();
    let allowed = BUCKETS.iter().map(|bucket| bucket.allows(took)).fold(f64::MAX, f64::min);
    let part = granted as f64 / allowed;
    assert!(took > Duration::from_millis(9500), "{took:?} is not ten seconds");
    assert!(part >= 0.99, "{granted} of {allowed:.1} in {took:?}, jitter {jitter:?}");
    println!("granted/allowed {part:.4} in {took:?}, jitter {jitter:?}");
}
