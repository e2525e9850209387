//! Cost against size, in this process: a scheduler whose backend answers at
//! once, and the plan alone.
//!
//! Every size does the same work on the same memory, cut into more or fewer
//! batches: inputs that fit a processor's cache at one size and not at another
//! would say more of the cache than of the program.

use std::{future, num::NonZeroUsize, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use nix::time::{ClockId, clock_gettime};
use sidecall::{
    backend::{Attempt, Backend, Pending, Reply},
    drain::Drain,
    model::{ApiName, Call, CallId, Content, Effect, Json, Ordering, Outcome, ToolName},
    plan,
    policy::Caller,
    registry::{Registry, Schema, Tool, tool},
    schedule::{Event, Scheduler, Settings, Submission},
    telemetry::propagate,
};

use crate::{
    report::{Bound, Row},
    stats::Samples,
};

const ROUNDS: usize = 15;
/// Calls that a round runs, in however many batches.
const CALLS: usize = 20_000;
const CALL_SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Edges that a round plans, in however many plans.
const EDGES: usize = 105_000;
/// Of one knot of 5, then of so many knots of 21 that ten edges are of each
/// call: the last is about 10,000 calls.
const EDGE_SIZES: [usize; 4] = [10, 1_050, 10_500, 105_000];

/// A tool that answers with its input, at once.
#[derive(Debug)]
struct Echo;

impl Backend for Echo {
    fn attempt(&self, attempt: Attempt) -> Pending {
        let content = vec![Content::Json(attempt.input)];
        Box::pin(future::ready(Ok(Reply::new(content))))
    }
}

/// The cost of a call in batches of 10 to 10,000, on one thread.
pub(crate) async fn calls() -> anyhow::Result<Row> {
    let drain = Drain::new();
    let scheduler = Scheduler::new(Arc::new(Registry::new([echo()?])), bounds(8)?, drain.clone());
    let mut costs = CALL_SIZES.map(|_| Samples::default());
    for round in 0..=ROUNDS {
        for (size, costs) in CALL_SIZES.into_iter().zip(&mut costs) {
            let submissions: Vec<_> =
                (0..CALLS / size).map(|_| echoes(size)).collect::<anyhow::Result<_>>()?;
            let begin = cpu()?;
            for submission in submissions {
                run(&scheduler, submission, size).await?;
            }
            // The first round warms up.
            if round > 0 {
                costs.push((cpu()? - begin).as_secs_f64() * 1e6 / CALLS as f64);
            }
        }
    }
    drain.kill();
    drain.finished().await;
    Ok(row("engine.growth.calls", "us/call", &CALL_SIZES, &costs))
}

/// The cost of an edge in plans of 10 to 100,000.
pub(crate) fn edges() -> anyhow::Result<Row> {
    let mut costs = EDGE_SIZES.map(|_| Samples::default());
    let knots = EDGE_SIZES.map(|size| if size == 10 { 5 } else { 21 });
    for round in 0..=ROUNDS {
        for ((size, width), costs) in EDGE_SIZES.into_iter().zip(knots).zip(&mut costs) {
            let edges = width * (width - 1) / 2;
            let calls = knotted(EDGES / edges, width)?;
            let calls: Vec<_> = calls.iter().map(Knotted::call).collect();
            let begin = cpu()?;
            for turn in calls.chunks(size / edges * width) {
                let plan = plan::build(turn, Ordering::Free);
                ensure!(plan.edges.len() == size, "{} edges, not {size}", plan.edges.len());
            }
            if round > 0 {
                costs.push((cpu()? - begin).as_secs_f64() * 1e9 / EDGES as f64);
            }
        }
    }
    Ok(row("engine.growth.edges", "ns/edge", &EDGE_SIZES, &costs))
}

/// Processor time of this thread, which does all of it: what else the machine
/// does is not in it.
pub(crate) fn cpu() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// The size whose cost is furthest from that of the size in the middle. Of all
/// rounds the cheapest counts: what disturbs a round only adds to it.
fn row(name: &'static str, unit: &'static str, sizes: &[usize], costs: &[Samples]) -> Row {
    let costs: Vec<_> = costs.iter().map(Samples::min).collect();
    let middle = costs[costs.len() / 2];
    let off = |cost: f64| (cost / middle - 1.0).abs();
    let furthest =
        costs.iter().copied().max_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap_or(f64::NAN);
    let all: Vec<_> =
        sizes.iter().zip(&costs).map(|(size, cost)| format!("{size}: {cost:.2}")).collect();
    Row::beside(name, unit, (furthest, middle), Bound::RatioWithin(0.15)).remark(all.join(", "))
}

async fn run(scheduler: &Scheduler, submission: Submission, calls: usize) -> anyhow::Result<()> {
    let mut running = scheduler.submit(submission)?;
    let mut succeeded = 0;
    while let Some(event) = running.events.recv().await {
        if let Event::Finished(result) = event
            && result.outcome == Outcome::Succeeded
        {
            succeeded += 1;
        }
    }
    ensure!(succeeded == calls, "{succeeded} of {calls} calls succeeded");
    Ok(())
}

fn echo() -> anyhow::Result<Tool> {
    let schema = r#"{"type":"object","properties":{"key":{"type":"string"}},"required":["key"]}"#;
    let schema = Schema::try_new(Json::try_new(schema)?)?;
    let settings =
        tool::Settings::new(ToolName::try_new("echo")?, schema, ApiName::try_new("echo")?);
    Ok(Tool::new(settings, Effect::ReadOnly, Arc::new(Echo)))
}

/// Room for the largest batch, and places for so many calls at once. With few, at
/// every size most calls wait for theirs, so that the sizes differ in nothing but
/// size.
pub(crate) fn bounds(places: usize) -> anyhow::Result<Settings> {
    let many = NonZeroUsize::new(1 << 30).context("not zero")?;
    let places = NonZeroUsize::new(places).context("not zero")?;
    Ok(Settings {
        batches_max: many,
        batch_calls_max: many,
        batch_bytes_max: many,
        session_calls_max: many,
        calls_max: many,
        batch_concurrency: places,
        session_concurrency: places,
        concurrency: places,
        batch_timeout: Duration::from_secs(600),
        sessions: sidecall::budget::Settings::default(),
        apis: Vec::new(),
        tools: Vec::new(),
    })
}

fn echoes(calls: usize) -> anyhow::Result<Submission> {
    let calls = (0..calls)
        .map(|place| {
            anyhow::Ok(Call {
                id: CallId::try_new(format!("k{place}"))?,
                tool: "echo".into(),
                input: Ok(Json::try_new(format!(r#"{{"key":"k{place}"}}"#))?),
                depends_on: Vec::new(),
                timeout: None,
                series: None,
            })
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(submission(calls))
}

/// A batch of these calls, with nothing asked for.
pub(crate) fn submission(calls: Vec<Call>) -> Submission {
    Submission {
        caller: Arc::new(Caller::local()),
        batch_id: None,
        session_id: None,
        references: false,
        ordering: Ordering::Free,
        deadline: None,
        call_timeout: None,
        calls,
        fingerprint: [0; 32],
        context: propagate::Context::default(),
    }
}

/// A call of a knot: each of its calls needs all before it, and none of another
/// knot.
struct Knotted {
    id: CallId,
    input: Json,
    depends_on: Vec<String>,
}

impl Knotted {
    fn call(&self) -> plan::Call<'_> {
        plan::Call {
            id: &self.id,
            tool: "get_user",
            is_known: true,
            input: Some(&self.input),
            depends_on: &self.depends_on,
            after: &[],
            references: true,
            turn: None,
            claims: &[],
            series: None,
        }
    }
}

/// `count` knots of `width` calls, of which every second names its parents in
/// `depends_on` and every other by references.
fn knotted(count: usize, width: usize) -> anyhow::Result<Vec<Knotted>> {
    (0..count * width)
        .map(|place| {
            let first = place - place % width;
            let parents = (first..place).map(|parent| format!("k{parent}"));
            let (depends_on, input) = if place % 2 == 0 {
                (parents.collect(), "{}".to_owned())
            } else {
                let members: Vec<_> = parents
                    .enumerate()
                    .map(|(field, parent)| format!(r#""f{field}":"${{{parent}.name}}""#))
                    .collect();
                (Vec::new(), format!("{{{}}}", members.join(",")))
            };
            Ok(Knotted {
                id: CallId::try_new(format!("k{place}"))?,
                input: Json::try_new(input)?,
                depends_on,
            })
        })
        .collect()
}
