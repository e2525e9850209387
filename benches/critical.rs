//! What critical path first is worth: the nested tasks of NesTools where tokens
//! are scarce, beside the same turns served as their calls come.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::Value;
use sidecall::{
    backend::{Attempt, Backend, Pending, Reply},
    drain::Drain,
    limits::{Rate, gate},
    model::{ApiName, Call, CallId, Content, Effect, Json, ToolName},
    registry::{Registry, Schema, Tool, tool},
    schedule::{Event, Scheduler},
};

use crate::{
    growth,
    report::{Bound, Row},
    stats::Samples,
};

/// Tokens of all calls of a turn: one in half the time that a call takes.
const RATE: &str = "20/s";
/// Turns at once, each with a gate of its own; more would measure the processor.
const AT_ONCE: usize = 15;

#[derive(Deserialize)]
struct Task {
    call: Vec<Gold>,
}

/// A call as the data has it: a parameter that names an earlier call's response
/// takes its value.
#[derive(Deserialize)]
struct Gold {
    api_name: String,
    parameters: Value,
    responses: Vec<String>,
}

/// A tool that takes its time.
#[derive(Debug)]
struct Slow(Duration);

impl Backend for Slow {
    fn attempt(&self, attempt: Attempt) -> Pending {
        let latency = self.0;
        Box::pin(async move {
            tokio::time::sleep(latency).await;
            Ok(Reply::new(vec![Content::Json(attempt.input)]))
        })
    }
}

/// `bucket.critical_path`; nothing where the data is not to be had.
pub(crate) async fn path(data: Option<&Path>) -> anyhow::Result<Option<Row>> {
    let Some(data) = data else { return Ok(None) };
    let file = data.join("nestools/nested-calls-150.jsonl");
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let tasks: Vec<Task> =
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("the tasks")?;
    let (mut by_path, mut first_come) = (Samples::default(), Samples::default());
    for tasks in tasks.chunks(AT_ONCE) {
        for took in try_join_all(tasks.iter().map(|task| makespan(task, latency))).await? {
            by_path.push_ms(took);
        }
        // Of tools that are said to take no time none has a longer path.
        for took in
            try_join_all(tasks.iter().map(|task| makespan(task, |_| Duration::ZERO))).await?
        {
            first_come.push_ms(took);
        }
    }
    let figures = (by_path.mean(), first_come.mean());
    Ok(Some(Row::beside("bucket.critical_path", "ms", figures, Bound::RatioAtMost(1.0)).remark(
        format!("mean makespan of {} turns beside first come, {RATE} for each", tasks.len()),
    )))
}

fn latency(tool: &str) -> Duration {
    let mut hasher = DefaultHasher::new();
    tool.hash(&mut hasher);
    Duration::from_millis(5 + hasher.finish() % 95)
}

/// What a turn of its own scheduler takes, with what its tools are said to take.
async fn makespan(task: &Task, expected: fn(&str) -> Duration) -> anyhow::Result<Duration> {
    let api = ApiName::try_new("api")?;
    let tools = task.call.iter().map(|call| {
        let name = ToolName::try_new(call.api_name.clone())?;
        let schema = Schema::try_new(Json::try_new(r#"{"type":"object"}"#)?)?;
        let settings = tool::Settings {
            latency: Some(expected(&call.api_name)),
            ..tool::Settings::new(name, schema, api.clone())
        };
        anyhow::Ok(Tool::new(settings, Effect::ReadOnly, Arc::new(Slow(latency(&call.api_name)))))
    });
    let registry = Registry::new(tools.collect::<anyhow::Result<Vec<_>>>()?);
    let mut settings = growth::bounds(1 << 20)?;
    settings.apis.push(gate::Api {
        rates: vec![(Rate::try_new(RATE)?, gate::Per::Api)],
        ..gate::Api::new(api.clone())
    });
    let drain = Drain::new();
    let scheduler = Scheduler::new(Arc::new(registry), settings, drain.clone());
    let calls = task.call.iter().enumerate().map(|(at, call)| {
        anyhow::Ok(Call {
            id: CallId::try_new(format!("k{at}"))?,
            tool: call.api_name.as_str().into(),
            // No two are the same.
            input: Ok(Json::try_new(format!(r#"{{"at":{at}}}"#))?),
            depends_on: parents(&call.parameters, &task.call[..at]),
            timeout: None,
            series: None,
        })
    });
    let submission = growth::submission(calls.collect::<anyhow::Result<_>>()?);
    let mut running = scheduler.submit(submission)?;
    while let Some(event) = running.events.recv().await {
        if let Event::BatchFinished(finished) = event {
            drain.kill();
            drain.finished().await;
            return Ok(finished.duration);
        }
    }
    bail!("a batch without an end")
}

/// Ids of the calls whose responses the parameters name.
fn parents(parameters: &Value, before: &[Gold]) -> Vec<String> {
    match parameters {
        Value::String(name) => {
            let of = before.iter().position(|call| call.responses.contains(name));
            of.map(|at| format!("k{at}")).into_iter().collect()
        }
        Value::Array(all) => all.iter().flat_map(|one| parents(one, before)).collect(),
        Value::Object(all) => all.values().flat_map(|one| parents(one, before)).collect(),
        _ => Vec::new(),
    }
}
