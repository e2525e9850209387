//! Rates, by the log of the API that they are for: what is used of them, and
//! that no window sees more; who shares them; what becomes of a storm of 429s.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use anyhow::{Context, ensure};
use futures_util::future::{join_all, try_join_all};
use serde_json::json;
use sidecall::{
    clock,
    proto::v1::{ExecuteBatchResponse, Outcome, batch_event::Event},
};
use tonic::Streaming;

use crate::{
    load::{Agent, turn_of},
    report::{Bound, Row},
    rig::{Came, Rig},
};

/// A rate in numbers of our own.
struct Allowance {
    burst: f64,
    /// A second.
    rate: f64,
}

impl Allowance {
    fn of(&self, window: Duration) -> f64 {
        self.burst + self.rate * window.as_secs_f64()
    }
}

/// Tokens of a call of `logged3`.
const DEAR: usize = 3;
const BUCKETS: [Allowance; 2] =
    [Allowance { burst: 20.0, rate: 200.0 }, Allowance { burst: 200.0, rate: 100.0 }];
/// Four sessions' calls, of which every seventh is followed by a dear one: what
/// the rates allow in ten seconds.
const SATURATION: (usize, usize) = (4, 210);
/// A timer's step, and what the wire rounds.
const STEP: Duration = Duration::from_millis(2);

/// When a call's attempt began, and how long it waited for its token.
type Seen = HashMap<String, (Duration, Duration)>;

/// `bucket.saturation` and `bucket.window`.
pub(crate) async fn saturation(rig: &Rig) -> anyhow::Result<Vec<Row>> {
    let api = json!({"rate": ["200/s burst 20", "6000/min burst 200"], "retry": {"attempts": 1}});
    let tools = [("logged", json!({})), ("logged3", json!({"cost": DEAR}))];
    let server = rig.limited("saturation", &json!({}), &api, &tools)?;
    rig.log()?;
    let mut streams = Vec::new();
    for session in 0..SATURATION.0 {
        let calls = (0..SATURATION.1).flat_map(|n| {
            let dear = n.is_multiple_of(7).then(|| ("logged3", format!("{session}-dear-{n}")));
            dear.into_iter().chain([("logged", format!("{session}-{n}"))])
        });
        let turn = turn_of(calls, &format!("session-{session}"));
        streams.push(Agent::connect(&server.socket).await?.open(turn).await?);
    }
    let seen = try_join_all(streams.into_iter().map(watch)).await?;
    let log = rig.log()?;
    ensure!(log.len() == seen.iter().map(HashMap::len).sum::<usize>(), "a call came twice");

    let jitter = jitter(&seen, &log)?;
    let tokens = |came: &Came| if came.tool == "logged3" { DEAR } else { 1 };
    let mut fullest: f64 = 0.0;
    for (first, from) in log.iter().enumerate() {
        let mut came = 0;
        for to in &log[first..] {
            came += tokens(to);
            for bucket in &BUCKETS {
                let allowed = bucket.of(to.at - from.at + jitter + STEP);
                fullest = fullest.max(came as f64 / allowed);
            }
        }
    }
    let took = span(&log)?;
    let granted: usize = log.iter().map(tokens).sum();
    let allowed = BUCKETS.iter().map(|bucket| bucket.of(took)).fold(f64::MAX, f64::min);
    let of =
        format!("{granted} tokens in {:.2} s, jitter {:.1} ms", took.as_secs_f64(), ms(jitter));
    Ok(vec![
        Row::alone(
            "bucket.saturation",
            "granted/allowed",
            granted as f64 / allowed,
            Bound::ValueAtLeast(0.99),
        )
        .remark(of),
        Row::alone("bucket.window", "granted/allowed", fullest, Bound::ValueAtMost(1.0))
            .remark("the fullest of all windows of both rates"),
    ])
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn span(log: &[Came]) -> anyhow::Result<Duration> {
    let (first, last) = log.first().zip(log.last()).context("nothing came")?;
    Ok(last.at - first.at)
}

/// Reads a stream to its end.
async fn watch(mut events: Streaming<ExecuteBatchResponse>) -> anyhow::Result<Seen> {
    let mut seen = Seen::new();
    while let Some(message) = events.message().await? {
        match message.event.and_then(|event| event.event) {
            Some(Event::Started(started)) => {
                let at = started.at.context("a start without a time")?.try_into()?;
                seen.insert(started.call_id, (at, Duration::ZERO));
            }
            Some(Event::CallFinished(finished)) => {
                let result = finished.result.context("a finished call without a result")?;
                ensure!(result.outcome() == Outcome::Succeeded, "{:?}", result.failure);
                let throttled = result.timings.and_then(|timings| timings.throttled);
                let seen = seen.get_mut(&result.call_id).context("it never started")?;
                seen.1 = throttled.map_or(Ok(Duration::ZERO), TryInto::try_into)?;
            }
            _ => {}
        }
    }
    Ok(seen)
}

/// How much longer some requests were under way than others, from the token to
/// the API: by the wait for the token and by the attempt's start, since each of
/// the two alone leaves a part of the way out. The clocks have no common zero, so
/// each batch is measured by itself.
fn jitter(seen: &[Seen], log: &[Came]) -> anyhow::Result<Duration> {
    let at: HashMap<&str, Duration> = log.iter().map(|came| (came.key.as_str(), came.at)).collect();
    let spread = |batch: &Seen, of: fn(&(Duration, Duration)) -> Duration| {
        let (mut least, mut most) = (f64::MAX, f64::MIN);
        for (call, times) in batch {
            let came = at.get(call.as_str()).with_context(|| format!("{call} never came"))?;
            let late = came.as_secs_f64() - of(times).as_secs_f64();
            (least, most) = (least.min(late), most.max(late));
        }
        anyhow::Ok(most - least)
    };
    let (mut started, mut throttled) = (0.0_f64, 0.0_f64);
    for batch in seen {
        started = started.max(spread(batch, |times| times.0)?);
        throttled = throttled.max(spread(batch, |times| times.1)?);
    }
    Ok(Duration::from_secs_f64(started + throttled))
}

const SESSIONS: usize = 20;
/// Tokens a second: the smallest session has more calls than its share in
/// [`FAIR`].
const FAIR_RATE: usize = 180;
const FAIR: Duration = Duration::from_secs(5);

/// `bucket.fairness`: Jain's index over sessions of 100 to 955 calls, from when all
/// of them wait.
pub(crate) async fn fairness(rig: &Rig) -> anyhow::Result<Row> {
    let api = json!({
        "rate": format!("{FAIR_RATE}/s burst 10"), "queue": 100_000, "timeout": "10m",
    });
    let server = rig.limited("fairness", &json!({}), &api, &[("logged", json!({}))])?;
    let mut streams = Vec::new();
    for session in 0..SESSIONS {
        let calls = (0..100 + 45 * session).map(|n| ("logged", format!("{session}-{n}")));
        let turn = turn_of(calls, &format!("session-{session}"));
        streams.push(Agent::connect(&server.socket).await?.open(turn).await?);
    }
    rig.log()?;
    let reading = join_all(streams.into_iter().map(watch));
    // None of them is at its end by then.
    let _ = tokio::time::timeout(FAIR, reading).await;
    drop(server);

    let mut shares = [0.0_f64; SESSIONS];
    for came in rig.log()? {
        let session = came.key.split('-').next().context("a key without a session")?;
        shares[session.parse::<usize>()?] += 1.0;
    }
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    let (least, most) = shares.iter().fold((f64::MAX, 0.0), |(least, most): (f64, f64), share| {
        (least.min(*share), most.max(*share))
    });
    let jain = sum * sum / (SESSIONS as f64 * squares);
    Ok(Row::alone("bucket.fairness", "Jain's index", jain, Bound::ValueAtLeast(0.95))
        .remark(format!("{sum} calls, {least}-{most} a session")))
}

/// Agents that send a call each in every beat.
const AGENTS: usize = 20;
const BEAT: Duration = Duration::from_millis(100);
const LOAD: f64 = 200.0;
/// Beats before the storm, in it and after it.
const CALM: usize = 30;
const STORM: usize = 50;
const AFTER: usize = 60;

/// `storm.retries` and `storm.goodput`.
pub(crate) async fn storm(rig: &Rig) -> anyhow::Result<Vec<Row>> {
    let server = rig.limited("storm", &json!({}), &json!({}), &[("logged", json!({}))])?;
    rig.log()?;
    let mut agents = Vec::new();
    for _ in 0..AGENTS {
        agents.push(Agent::connect(&server.socket).await?);
    }
    let begin = clock::now();
    let mut streams = Vec::new();
    for beat in 0..CALM + STORM + AFTER {
        tokio::time::sleep_until(begin + BEAT * u32::try_from(beat)?).await;
        if beat == CALM {
            rig.ask("/control/busy")?;
        } else if beat == CALM + STORM {
            rig.ask("/control/well")?;
        }
        for (number, agent) in agents.iter_mut().enumerate() {
            let call = ("logged", format!("{number}-{beat}"));
            streams.push(agent.open(turn_of([call], &format!("agent-{number}"))).await?);
        }
    }
    for mut events in streams {
        while events.message().await?.is_some() {}
    }

    let log = rig.log()?;
    let calls = log.iter().map(|came| came.key.as_str()).collect::<HashSet<_>>().len();
    let retries = log.len() - calls;
    let last = log.iter().rfind(|came| came.status == 429).context("there was no storm")?.at;
    let within = Duration::from_secs(5);
    let is_good = |came: &&Came| came.status == 200 && came.at > last && came.at <= last + within;
    let goodput = log.iter().filter(is_good).count() as f64 / (LOAD * within.as_secs_f64());
    Ok(vec![
        Row::alone(
            "storm.retries",
            "of base load",
            retries as f64 / calls as f64,
            Bound::ValueAtMost(0.2),
        )
        .remark(format!("{retries} retries of {calls} calls, 5 s of 429s")),
        Row::alone("storm.goodput", "of base load", goodput, Bound::ValueAtLeast(0.95))
            .remark("in the 5 seconds after the last 429"),
    ])
}
