//! Cost against size, in this process: a scheduler whose backend answers at
//! once, and the plan alone.

use std::{future, num::NonZeroUsize, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use sidecall::{
    backend::{Attempt, Backend, Pending, Reply},
    clock,
    drain::Drain,
    model::{ApiName, Call, CallId, Content, Effect, Json, Ordering, Outcome, Owner, ToolName},
    plan,
    registry::{Registry, Schema, Tool, tool},
    schedule::{Event, Scheduler, Settings, Submission},
};

use crate::{
    report::{Bound, Row},
    stats::Samples,
};

const ROUNDS: usize = 7;
/// Calls of one size that a round runs, however many batches that takes.
const CALLS: usize = 20_000;
const CALL_SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Edges of one size that a round plans.
const EDGES: usize = 200_000;
const EDGE_SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

/// A tool that answers with its input, at once.
#[derive(Debug)]
struct Echo;

impl Backend for Echo {
    fn attempt(&self, attempt: Attempt) -> Pending {
        let content = vec![Content::Json(attempt.input)];
        Box::pin(future::ready(Ok(Reply { content })))
    }
}

/// The cost of a call in batches of 10 to 10,000, on one thread.
pub(crate) async fn calls() -> anyhow::Result<Row> {
    let drain = Drain::new();
    let scheduler = Scheduler::new(Arc::new(Registry::new([echo()?])), bounds()?, drain.clone());
    let mut costs = CALL_SIZES.map(|_| Samples::default());
    for round in 0..=ROUNDS {
        for (size, costs) in CALL_SIZES.into_iter().zip(&mut costs) {
            let mut took = Duration::ZERO;
            for _ in 0..CALLS / size {
                let submission = submission(size)?;
                let begin = clock::now();
                run(&scheduler, submission, size).await?;
                took += begin.elapsed();
            }
            // The first round warms up.
            if round > 0 {
                costs.push(took.as_secs_f64() * 1e6 / CALLS as f64);
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
    for round in 0..=ROUNDS {
        for (size, costs) in EDGE_SIZES.into_iter().zip(&mut costs) {
            let calls = knots(size / KNOT_EDGES)?;
            let calls: Vec<_> = calls.iter().map(Knotted::call).collect();
            let begin = clock::now();
            for _ in 0..EDGES / size {
                let plan = plan::build(&calls, Ordering::Free);
                ensure!(plan.edges.len() == size, "{} edges, not {size}", plan.edges.len());
            }
            if round > 0 {
                costs.push(begin.elapsed().as_secs_f64() * 1e9 / EDGES as f64);
            }
        }
    }
    Ok(row("engine.growth.edges", "ns/edge", &EDGE_SIZES, &costs))
}

/// The size whose cost is furthest from that of the size in the middle.
fn row(name: &'static str, unit: &'static str, sizes: &[usize], costs: &[Samples]) -> Row {
    let costs: Vec<_> = costs.iter().map(Samples::median).collect();
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
        match event {
            Event::Finished(result) if result.outcome == Outcome::Succeeded => succeeded += 1,
            Event::Accepted(_)
            | Event::Started { .. }
            | Event::Finished(_)
            | Event::BatchFinished(_) => {}
        }
    }
    ensure!(succeeded == calls, "{succeeded} of {calls} calls succeeded");
    Ok(())
}

fn echo() -> anyhow::Result<Tool> {
    let schema = r#"{"type":"object","properties":{"key":{"type":"string"}},"required":["key"]}"#;
    let settings = tool::Settings {
        name: ToolName::try_new("echo")?,
        description: "Its input.".to_owned(),
        schema: Schema::try_new(Json::try_new(schema)?)?,
        api: ApiName::try_new("echo")?,
        timeout: Duration::from_secs(30),
        latency: None,
        after: Vec::new(),
        references: true,
        result_bytes_max: 100 << 10,
    };
    Ok(Tool::new(settings, Effect::ReadOnly, Arc::new(Echo)))
}

/// The usual places, and room for the largest batch.
fn bounds() -> anyhow::Result<Settings> {
    let many = NonZeroUsize::new(1 << 30).context("not zero")?;
    let places = NonZeroUsize::new(128).context("not zero")?;
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
        api_concurrency: Vec::new(),
    })
}

fn submission(calls: usize) -> anyhow::Result<Submission> {
    let calls = (0..calls)
        .map(|place| {
            anyhow::Ok(Call {
                id: CallId::try_new(format!("k{place}"))?,
                tool: "echo".into(),
                input: Ok(Json::try_new(format!(r#"{{"key":"k{place}"}}"#))?),
                depends_on: Vec::new(),
                timeout: None,
            })
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Submission {
        owner: Owner::local(),
        batch_id: None,
        session_id: None,
        references: false,
        ordering: Ordering::Free,
        deadline: None,
        call_timeout: None,
        calls,
        fingerprint: [0; 32],
    })
}

const KNOT_CALLS: usize = 5;
/// Each of a knot's calls needs all before it.
const KNOT_EDGES: usize = KNOT_CALLS * (KNOT_CALLS - 1) / 2;

/// A call of a knot: the first calls of each know no other, so that calls and
/// edges grow alike at every size.
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
            input: Some(&self.input),
            depends_on: &self.depends_on,
            after: &[],
            references: true,
        }
    }
}

/// `count` knots, in which every second call names its parents in `depends_on`
/// and every other by references.
fn knots(count: usize) -> anyhow::Result<Vec<Knotted>> {
    (0..count * KNOT_CALLS)
        .map(|place| {
            let first = place - place % KNOT_CALLS;
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
