//! The scheduler on paused time, with backends that do as they are told.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering as Atomic},
    },
    time::Duration,
};

use super::*;
use crate::{
    backend::{self, Attempt, Backend, Reply},
    budget,
    limits::{Rate, gate},
    model::{
        ApiName, Call, CallResult, Content, Effect, FailureCode, Json, Ordering, Outcome, Series,
        Tenant, ToolName,
    },
    registry::{Schema, Tool, tool},
    telemetry::{Telemetry, propagate, tracer::Tracer},
};

mod arriving;
mod bounds;
mod breakers;
mod budgets;
mod caching;
mod callers;
mod deadlines;
mod locks;
pub(super) mod logging;
mod order;
mod random;
mod random_writes;
mod rates;
mod retries;
mod sharing;
mod watching;

/// What a tool does when it is called.
#[derive(Clone, Debug)]
enum Script {
    /// Answers with its own input, after so long.
    Echoes(u64),
    /// Answers which of all attempts it is, from 0, after so long.
    Counts(u64),
    /// Answers this JSON, after so long.
    Answers(u64, &'static str),
    /// Says no, after so long.
    Fails(u64),
    /// Fails so often, each after so long, then answers.
    Recovers(u32, u64),
    /// As before; what fails may have been sent.
    RecoversSent(u32, u64),
    /// Asks to be left alone for so many seconds, after so long.
    Throttles(u64, u64),
    /// Gives up at its deadline, as a backend does.
    Ends,
    /// Never answers.
    Hangs,
    /// Was sent, and never answers.
    HangsSent,
    /// Breaks when it is asked.
    Panics,
    /// Breaks while it works.
    PanicsLater,
    /// Never answers, and breaks when it is dropped.
    PanicsWhenDropped,
}

/// What the tools have seen.
#[derive(Debug, Default)]
struct Seen {
    inputs: Mutex<Vec<(String, String)>>,
    /// When each of those attempts began.
    starts: Mutex<Vec<clock::Instant>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Seen {
    /// An attempt begins; gives its number, from 0.
    fn note(&self, tool: &str, input: &str) -> usize {
        let mut inputs = self.inputs.lock().unwrap();
        inputs.push((tool.to_owned(), input.to_owned()));
        self.starts.lock().unwrap().push(clock::now());
        inputs.len() - 1
    }
}

#[derive(Debug)]
struct Scripted {
    name: &'static str,
    script: Script,
    seen: Arc<Seen>,
}

/// Panics when it is dropped.
struct Breaks;

impl Drop for Breaks {
    fn drop(&mut self) {
        panic!("as it was told")
    }
}

/// Counts an attempt while it lives.
struct InFlight(Arc<Seen>);

impl InFlight {
    fn new(seen: &Arc<Seen>) -> Self {
        let now = seen.in_flight.fetch_add(1, Atomic::SeqCst) + 1;
        seen.most_in_flight.fetch_max(now, Atomic::SeqCst);
        Self(Arc::clone(seen))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Atomic::SeqCst);
    }
}

impl Backend for Scripted {
    fn attempt(&self, attempt: Attempt) -> backend::Pending {
        let input = attempt.input.to_string();
        let number = self.seen.note(self.name, &input);
        let script = self.script.clone();
        assert!(!matches!(script, Script::Panics), "as it was told");
        let in_flight = InFlight::new(&self.seen);
        Box::pin(async move {
            let _in_flight = in_flight;
            let json =
                |text: String| Ok(Reply::new(vec![Content::Json(Json::try_new(text).unwrap())]));
            match script {
                Script::Echoes(ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    json(input)
                }
                Script::Counts(ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    json(number.to_string())
                }
                Script::Answers(ms, text) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    json(text.to_owned())
                }
                Script::Fails(ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    Err(backend::Error::new(FailureCode::ToolError, "it said no").answered())
                }
                Script::Recovers(fails, ms) | Script::RecoversSent(fails, ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    if attempt.number.get() > fails {
                        let key = attempt.key.as_deref().unwrap_or("none");
                        return json(format!(r#"{{"attempt":{},"key":{key:?}}}"#, attempt.number));
                    }
                    let error = backend::Error::new(FailureCode::Unavailable, "not now");
                    Err(if matches!(script, Script::RecoversSent(..)) {
                        error.maybe_sent()
                    } else {
                        error
                    })
                }
                Script::Throttles(ms, seconds) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    let mut error =
                        backend::Error::new(FailureCode::RateLimited, "too much").answered();
                    error.retry_after = Some(Duration::from_secs(seconds));
                    Err(error)
                }
                Script::Ends => {
                    tokio::time::sleep_until(attempt.deadline).await;
                    Err(backend::Error::new(FailureCode::DeadlineExceeded, "too slow").maybe_sent())
                }
                Script::HangsSent => {
                    attempt.sent.set();
                    std::future::pending().await
                }
                Script::PanicsLater => {
                    tokio::task::yield_now().await;
                    panic!("as it was told")
                }
                Script::PanicsWhenDropped => {
                    let _breaks = Breaks;
                    std::future::pending().await
                }
                Script::Hangs | Script::Panics => std::future::pending().await,
            }
        })
    }
}

/// A scheduler with tools that do as they are told.
struct World {
    scheduler: Scheduler,
    drain: Drain,
    seen: Arc<Seen>,
    tracer: Tracer,
}

fn nz(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn settings() -> Settings {
    Settings {
        batches_max: nz(8),
        batch_calls_max: nz(2000),
        batch_bytes_max: nz(1 << 20),
        session_calls_max: nz(4000),
        calls_max: nz(8000),
        batch_concurrency: nz(1000),
        session_concurrency: nz(1000),
        concurrency: nz(1000),
        batch_timeout: Duration::from_secs(600),
        // Turns of one call a thousand times are none of an agent in a loop.
        sessions: budget::Settings { repeat: None, ..budget::Settings::default() },
        apis: Vec::new(),
        tools: Vec::new(),
    }
}

/// The API of all tools here.
fn api(concurrency: Option<usize>, rates: &[&str]) -> gate::Api {
    gate::Api {
        name: ApiName::try_new("api").unwrap(),
        concurrency: concurrency.map(nz),
        rates: rates.iter().map(|rate| (Rate::try_new(rate).unwrap(), gate::Per::Api)).collect(),
        ..gate::Api::new(ApiName::try_new("api").unwrap())
    }
}

fn world(tools: &[(&'static str, Script)]) -> World {
    world_with(settings(), tools)
}

fn world_with(settings: Settings, tools: &[(&'static str, Script)]) -> World {
    world_of(settings, tools, |_| {})
}

fn world_of(
    settings: Settings,
    tools: &[(&'static str, Script)],
    declare: impl Fn(&mut tool::Settings),
) -> World {
    let seen = Arc::new(Seen::default());
    let registry = Registry::new(tools.iter().map(|(name, script)| {
        let backend = Scripted { name, script: script.clone(), seen: Arc::clone(&seen) };
        let effect = match name.split_once('_') {
            Some(("do", _)) => Effect::AtMostOnce,
            Some(("key", _)) => Effect::Keyed,
            _ => Effect::ReadOnly,
        };
        let mut settings = tool_settings(name);
        declare(&mut settings);
        Tool::new(settings, effect, Arc::new(backend))
    }));
    let (drain, tracer) = (Drain::new(), Tracer::for_nobody());
    let told = Telemetry::traced(tracer.clone());
    let scheduler = Scheduler::observed(Arc::new(registry), settings, drain.clone(), told);
    World { scheduler, drain, seen, tracer }
}

fn tool_settings(name: &str) -> tool::Settings {
    let name = ToolName::try_new(name).unwrap();
    let schema = Schema::try_new(Json::try_new(r#"{"type":"object"}"#).unwrap()).unwrap();
    let api = ApiName::try_new("api").unwrap();
    tool::Settings { result_bytes_max: 1000, ..tool::Settings::new(name, schema, api) }
}

fn call(tool: &str, input: &str) -> Call {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let id = format!("{tool}_{}", NEXT.fetch_add(1, Atomic::Relaxed));
    Call {
        id: CallId::try_new(id).unwrap(),
        tool: tool.into(),
        input: Ok(Json::try_new(input).unwrap()),
        depends_on: Vec::new(),
        timeout: None,
        series: None,
    }
}

/// One call of each of these tools, no two with the same input.
fn turn(tools: &[&str]) -> Submission {
    let number = |(n, tool): (usize, &&str)| call(tool, &format!(r#"{{"n":{n}}}"#));
    submission(tools.iter().enumerate().map(number).collect())
}

fn submission(calls: Vec<Call>) -> Submission {
    Submission {
        caller: Arc::new(Caller::local()),
        batch_id: None,
        session_id: None,
        references: true,
        ordering: Ordering::Free,
        deadline: None,
        call_timeout: None,
        calls,
        fingerprint: [0; 32],
        context: propagate::Context::default(),
    }
}

/// Everything that a batch told, and what it must hold whatever happened.
struct Told {
    events: Vec<Event>,
    results: Vec<Arc<CallResult>>,
    finished: Arc<BatchFinished>,
}

impl Told {
    fn outcomes(&self) -> Vec<Outcome> {
        self.results.iter().map(|result| result.outcome).collect()
    }

    fn failure(&self, index: usize) -> (FailureCode, &str) {
        let failure = self.results[index].failure.as_ref().unwrap();
        (failure.code, &failure.message)
    }

    fn json(&self, index: usize) -> String {
        match &self.results[index].content[..] {
            [Content::Json(json)] => json.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Indices in the order in which the calls ended.
    fn order(&self) -> Vec<usize> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Finished(result) => Some(result.index),
                _ => None,
            })
            .collect()
    }
}

/// All that a batch tells.
async fn collect(mut running: Running) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = running.events.recv().await {
        events.push(event);
    }
    events
}

impl World {
    async fn run(&self, submission: Submission) -> Told {
        self.told(self.scheduler.submit(submission).unwrap()).await
    }

    /// Reads a batch to its end and checks what always holds, whatever happened in it.
    async fn told(&self, running: Running) -> Told {
        let events = collect(running).await;
        let Some(Event::Accepted(accepted)) = events.first() else { panic!("{events:?}") };
        let Some(Event::BatchFinished(finished)) = events.last() else { panic!("{events:?}") };
        let mut results: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Finished(result) => Some(Arc::clone(result)),
                _ => None,
            })
            .collect();
        results.sort_by_key(|result| result.index);
        assert_eq!(results.len(), finished.results.len());
        assert!(accepted.is_growing || results.len() == accepted.calls.len());
        assert!(results.iter().zip(&accepted.calls).all(|(result, (id, _))| result.call_id == *id));
        for (index, result) in results.iter().enumerate() {
            assert_eq!((result.index, result.failure.is_some()), (index, result.is_error()));
            assert!(Arc::ptr_eq(result, &finished.results[index]));
        }
        assert_eq!(self.scheduler.batches_open(), 0);
        let gate = &self.scheduler.shared.gate;
        assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
        assert_eq!(self.scheduler.shared.locks.waiting(), 0);
        assert_eq!(self.scheduler.shared.budgets.status(0).open, 0);
        assert_eq!(self.seen.in_flight.load(Atomic::SeqCst), 0);
        assert_eq!(self.tracer.spans_open(), 0, "spans are left open");
        assert!(self.scheduler.registry().iter().all(|tool| tool.writes.mark().is_quiet()));
        Told { finished: Arc::clone(finished), events, results }
    }

    /// How often each tool was called.
    fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for (tool, _) in self.seen.inputs.lock().unwrap().iter() {
            *calls.entry(tool.clone()).or_default() += 1;
        }
        calls
    }
}

const MS: fn(u64) -> Duration = Duration::from_millis;
