//! The 150 nested tasks of NesTools: plans with data references as models
//! wrote them.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Map;
use sidecall::{
    backend::{Attempt, Backend, Pending, Reply as Answer},
    drain::Drain,
    limits::{Rate, gate},
    model::{ApiName, Call, CallId, Content, Effect, Json, Ordering, ToolName},
    policy::Caller,
    proto::v1::{Outcome, execute_batch_request},
    registry::{Registry, Schema, Tool, tool},
    schedule::{BatchFinished, Event, Scheduler, Settings, Submission},
    telemetry::propagate,
};

use crate::support::{
    Reply, World,
    data::{config, seed},
    nestools::{Api, Task, answer_text, tasks},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reference_of_the_nested_tasks_arrives_with_its_value_and_type() {
    let Some(tasks) = tasks() else { return };
    let mut tools = Map::new();
    for task in &tasks {
        task.tools(&mut tools);
    }
    let world = World::start(&config(&tools)).await;
    for task in &tasks {
        for (name, api) in &task.apis {
            let api = api.clone();
            let path = task.path(name);
            let line = format!("POST {path}");
            world.peer.script(&line, move |arrival| {
                let latency = Duration::from_millis(seed(&[&arrival.line]) % 8);
                Reply::json(answer_text(&api, &path, arrival.text())).after(latency)
            });
        }
    }
    let mut references = 0;
    for task in &tasks {
        let before = world.peer.log().len();
        let ran = world.run(&task.turn()).await;
        assert_eq!(ran.count(Outcome::Succeeded), task.calls.len(), "task {}: {ran:#?}", task.id);
        let mut came: Vec<_> = world.peer.log()[before..]
            .iter()
            .map(|arrival| (arrival.line.clone(), arrival.text().to_owned()))
            .collect();
        let lines = task.calls.iter().map(|call| format!("POST {}", task.path(&call.api)));
        let mut expected: Vec<_> = lines.zip(task.bodies()).collect();
        came.sort();
        expected.sort();
        assert_eq!(came, expected, "task {}", task.id);
        references += ran.accepted.plan.unwrap().edges.len();
    }
    assert!(references > 150, "only {references} edges");
    world.end().await;
}

/// A tool that answers as its API would, after a time of its own.
#[derive(Debug)]
struct Timed {
    api: Api,
    path: String,
    latency: Duration,
    came: Arc<Mutex<Vec<(String, String)>>>,
}

impl Backend for Timed {
    fn attempt(&self, attempt: Attempt) -> Pending {
        let body = attempt.input.to_string();
        let text = answer_text(&self.api, &self.path, &body);
        self.came.lock().unwrap().push((self.path.clone(), body));
        let latency = self.latency;
        Box::pin(async move {
            tokio::time::sleep(latency).await;
            Ok(Answer::new(vec![Content::Json(Json::try_new(text).unwrap())]))
        })
    }
}

fn latency(path: &str) -> Duration {
    Duration::from_millis(50 + seed(&[path]) % 950)
}

/// Limits that hold nobody.
fn settings() -> Settings {
    let plenty = NonZeroUsize::new(1 << 20).unwrap();
    Settings {
        batches_max: plenty,
        batch_calls_max: plenty,
        batch_bytes_max: plenty,
        session_calls_max: plenty,
        calls_max: plenty,
        batch_concurrency: plenty,
        session_concurrency: plenty,
        concurrency: plenty,
        batch_timeout: Duration::from_secs(600),
        sessions: sidecall::budget::Settings::default(),
        apis: Vec::new(),
        tools: Vec::new(),
    }
}

type Log = Arc<Mutex<Vec<(String, String)>>>;

/// A tool of which `expected` is declared that it takes so long.
fn timed_tool(task: &Task, name: &str, came: &Log, expected: Option<Duration>) -> Tool {
    let path = task.path(name);
    let mut declared = Map::new();
    task.tools(&mut declared);
    let schema = Json::from_value(&declared[&task.tool_name(name)]["input"]);
    let settings = tool::Settings {
        timeout: Duration::from_secs(60),
        latency: expected,
        result_bytes_max: 1 << 20,
        ..tool::Settings::new(
            ToolName::try_new(task.tool_name(name)).unwrap(),
            Schema::try_new(schema).unwrap(),
            ApiName::try_new("world").unwrap(),
        )
    };
    let (api, latency) = (task.apis[name].clone(), latency(&path));
    let backend = Timed { api, path, latency, came: Arc::clone(came) };
    Tool::new(settings, Effect::ReadOnly, Arc::new(backend))
}

fn submission(task: &Task) -> Submission {
    let Some(execute_batch_request::Turn::Typed(typed)) = task.turn().0.turn else {
        unreachable!()
    };
    let calls = typed.tool_uses.into_iter().enumerate().map(|(at, tool_use)| Call {
        id: CallId::positional(at + 1),
        tool: tool_use.name.into(),
        input: Ok(Json::try_new(tool_use.input_json).unwrap()),
        depends_on: Vec::new(),
        timeout: None,
        series: None,
    });
    Submission {
        caller: Arc::new(Caller::local()),
        batch_id: None,
        session_id: None,
        references: true,
        ordering: Ordering::Free,
        deadline: None,
        call_timeout: None,
        calls: calls.collect(),
        fingerprint: [0; 32],
        context: propagate::Context::default(),
    }
}

/// The longest chain of calls, each with its tool's latency.
fn critical_path(task: &Task) -> Duration {
    let mut ends: BTreeMap<usize, Duration> = BTreeMap::new();
    for (at, call) in task.calls.iter().enumerate() {
        let begins = task.parents(at).into_iter().map(|parent| ends[&parent]).max();
        ends.insert(at, begins.unwrap_or_default() + latency(&task.path(&call.api)));
    }
    ends.into_values().max().unwrap()
}

async fn finished(scheduler: &Scheduler, task: &Task) -> Arc<BatchFinished> {
    let mut running = scheduler.submit(submission(task)).unwrap();
    loop {
        if let Event::BatchFinished(finished) = running.events.recv().await.unwrap() {
            return finished;
        }
    }
}

/// A call starts when its own inputs are ready, so a turn takes what its
/// longest chain takes. On paused time, which real sockets would jump over.
#[tokio::test(start_paused = true)]
async fn a_nested_task_takes_as_long_as_its_longest_chain() {
    let Some(tasks) = tasks() else { return };
    let came = Arc::default();
    let tools = tasks
        .iter()
        .flat_map(|task| task.apis.keys().map(|name| timed_tool(task, name, &came, None)));
    let drain = Drain::new();
    let scheduler = Scheduler::new(Arc::new(Registry::new(tools)), settings(), drain.clone());
    let (mut all, mut longest) = (Duration::ZERO, Duration::ZERO);
    for task in &tasks {
        let finished = finished(&scheduler, task).await;
        let critical = critical_path(task);
        let bound = critical.mul_f64(1.01);
        let took = finished.duration;
        assert!(took >= critical && took <= bound, "task {}: {took:?} of {critical:?}", task.id);
        let paths = task.calls.iter().map(|call| task.path(&call.api));
        let mut expected: Vec<_> = paths.zip(task.bodies()).collect();
        let mut came = std::mem::take(&mut *came.lock().unwrap());
        came.sort();
        expected.sort();
        assert_eq!(came, expected, "task {}", task.id);
        all += took;
        longest += finished.sequential;
    }
    assert!(all < longest, "one by one it would have taken {longest:?}, and took {all:?}");
    drain.kill();
    drain.finished().await;
}

/// What a task's turn takes where its calls share a token every half second.
async fn makespan(task: &Task, expected: impl Fn(&str) -> Duration) -> Duration {
    let came = Arc::default();
    let tools = task
        .apis
        .keys()
        .map(|name| timed_tool(task, name, &came, Some(expected(&task.path(name)))));
    let mut settings = settings();
    settings.apis.push(gate::Api {
        rates: vec![(Rate::try_new("2/s").unwrap(), gate::Per::Api)],
        ..gate::Api::new(ApiName::try_new("world").unwrap())
    });
    let drain = Drain::new();
    let scheduler = Scheduler::new(Arc::new(Registry::new(tools)), settings, drain.clone());
    let finished = finished(&scheduler, task).await;
    drain.kill();
    drain.finished().await;
    finished.duration
}

/// Where tokens are scarce, whoever the turn waits for goes first. Tools that are
/// said to take no time are served as they come, and none of them waits less.
#[tokio::test(start_paused = true)]
async fn critical_path_first_ends_scarce_turns_sooner_than_first_come() {
    let Some(tasks) = tasks() else { return };
    let (mut ours, mut first_come) = (Duration::ZERO, Duration::ZERO);
    let (mut sooner, mut later) = (0, 0);
    for task in &tasks {
        let by_path = makespan(task, latency).await;
        let by_number = makespan(task, |_| Duration::ZERO).await;
        ours += by_path;
        first_come += by_number;
        sooner += usize::from(by_path < by_number);
        later += usize::from(by_path > by_number);
    }
    let count = u32::try_from(tasks.len()).unwrap();
    let (ours, first_come) = (ours / count, first_come / count);
    println!("mean makespan {ours:?}, first come {first_come:?}; {sooner} sooner, {later} later");
    assert!(ours < first_come, "{ours:?} by path, {first_come:?} by number");
    assert!(sooner > 10 * later, "{sooner} turns end sooner and {later} later");
}
