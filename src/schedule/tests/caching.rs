//! Answers that still hold, over turns.

use std::sync::OnceLock;

use super::{callers::of_tenant, *};
use crate::{
    cache::{self, Writes},
    model::Source,
};

const TTL: Duration = Duration::from_secs(30);

/// Tools whose answers are kept; those of `other…` have an API of their own.
fn cached(tools: &[(&'static str, Script)]) -> World {
    let mut settings = settings();
    settings.apis = vec![api(None, &[])];
    world_of(settings, tools, |tool| {
        tool.cache = Some(cache::Settings::new(TTL));
        if tool.name.starts_with("other") {
            tool.api = ApiName::try_new("other").unwrap();
        }
    })
}

fn one(tool: &str) -> Submission {
    submission(vec![call(tool, "{}")])
}

impl World {
    /// Whether a call of `tool` was answered from memory.
    async fn hits(&self, tool: &str) -> bool {
        let before = self.seen.inputs.lock().unwrap().len();
        let told = self.run(one(tool)).await;
        let has_run = self.seen.inputs.lock().unwrap().len() > before;
        let source = told.results[0].source.unwrap();
        assert_eq!(source, if has_run { Source::Executed } else { Source::Cached });
        !has_run
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_taken_again_by_the_next_turn_until_its_time_is_over() {
    let world = cached(&[("get", Script::Counts(100))]);
    let start = clock::now();
    let first = world.run(one("get")).await;
    let told = world.run(one("get")).await;
    assert_eq!(told.results[0].source, Some(Source::Cached));
    assert_eq!(told.results[0].timings, crate::model::Timings::default());
    assert_eq!((told.json(0), told.finished.duration), (first.json(0), MS(0)));
    assert!(!told.events.iter().any(|event| matches!(event, Event::Started { .. })));

    tokio::time::sleep_until(start + TTL - MS(1)).await;
    assert!(world.hits("get").await);
    tokio::time::sleep(MS(1)).await;
    assert!(!world.hits("get").await);
    assert!(world.hits("get").await);
}

#[tokio::test(start_paused = true)]
async fn without_being_asked_for_nothing_is_kept() {
    let world = world(&[("get", Script::Counts(10))]);
    assert!(!world.hits("get").await);
    assert!(!world.hits("get").await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_for_the_same_tool_input_and_tenant() {
    let world = cached(&[("get", Script::Counts(10)), ("also", Script::Counts(10))]);
    assert!(!world.hits("get").await);
    assert!(!world.hits("also").await);
    let told = world.run(submission(vec![call("get", r#"{"id":1}"#), call("get", " { } ")])).await;
    assert_eq!(told.results[0].source, Some(Source::Executed));
    assert_eq!(told.results[1].source, Some(Source::Cached));
    let told = world.run(of_tenant("another", one("get"))).await;
    assert_eq!(told.results[0].source, Some(Source::Executed));
    assert!(world.hits("get").await);
}

#[tokio::test(start_paused = true)]
async fn a_write_at_the_same_api_ends_every_answer() {
    let world = cached(&[
        ("get", Script::Counts(10)),
        ("other_get", Script::Counts(10)),
        ("do_it", Script::Fails(10)),
    ]);
    assert!(!world.hits("get").await && !world.hits("other_get").await);
    // Even one that says that it failed.
    world.run(one("do_it")).await;
    assert!(!world.hits("get").await);
    assert!(world.hits("other_get").await, "another API's answers hold");
    assert!(world.hits("get").await);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_while_a_write_was_under_way_is_not_kept() {
    // The read begins before, with, or within the write, and ends within or after.
    for (read_at, takes) in [(0, 50), (0, 200), (20, 50), (20, 200), (60, 20)] {
        let world = cached(&[("get", Script::Counts(takes)), ("do_it", Script::Counts(100))]);
        let start = clock::now();
        let write_at = 10;
        let mut running = Vec::new();
        for at in 0..=60 {
            tokio::time::sleep_until(start + MS(at)).await;
            for (when, tool) in [(read_at, "get"), (write_at, "do_it")] {
                if at == when {
                    running.push(world.scheduler.submit(one(tool)).unwrap());
                }
            }
        }
        for running in running {
            collect(running).await;
        }
        assert!(!world.hits("get").await, "read at {read_at} for {takes}");
        assert!(world.hits("get").await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_write_ends_answers_like_any_other() {
    let world = cached(&[("get", Script::Counts(10)), ("do_it", Script::Hangs)]);
    assert!(!world.hits("get").await);
    let running = world.scheduler.submit(one("do_it")).unwrap();
    assert!(!world.scheduler.registry().get("get").unwrap().writes.mark().is_quiet());
    drop(running);
    while world.scheduler.batches_open() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(!world.hits("get").await);
    assert!(world.hits("get").await, "nothing of the write is left");
}

/// Writes for ever, and notes whether that is known while an attempt of it goes.
#[derive(Debug, Default)]
struct Notes {
    writes: Arc<OnceLock<Arc<Writes>>>,
    quiet: Arc<Mutex<Vec<bool>>>,
}

struct Going(Arc<OnceLock<Arc<Writes>>>, Arc<Mutex<Vec<bool>>>);

impl Drop for Going {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0.get().unwrap().mark().is_quiet());
    }
}

impl Backend for Notes {
    fn attempt(&self, _: Attempt) -> backend::Pending {
        let going = Going(Arc::clone(&self.writes), Arc::clone(&self.quiet));
        Box::pin(async move {
            let _going = going;
            std::future::pending().await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_cut_off_is_gone_before_it_counts_as_ended() {
    let notes = Notes::default();
    let (writes, quiet) = (Arc::clone(&notes.writes), Arc::clone(&notes.quiet));
    let get = Scripted { name: "get", script: Script::Hangs, seen: Arc::default() };
    let registry = Registry::new([
        Tool::new(tool_settings("do_it"), Effect::AtMostOnce, Arc::new(notes)),
        Tool::new(tool_settings("get"), Effect::ReadOnly, Arc::new(get)),
    ]);
    writes.set(Arc::clone(&registry.get("get").unwrap().writes)).unwrap();
    let scheduler = Scheduler::new(Arc::new(registry), settings(), Drain::new());
    let mut turn = turn(&["do_it", "get"]);
    turn.calls[0].timeout = Some(MS(100));
    let mut running = scheduler.submit(turn).unwrap();
    while !matches!(running.events.recv().await.unwrap(), Event::Finished(_)) {}
    drop(running);
    while scheduler.batches_open() > 0 || quiet.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*quiet.lock().unwrap(), [false]);
    assert!(writes.get().unwrap().mark().is_quiet());
}

#[tokio::test(start_paused = true)]
async fn only_what_succeeded_is_kept() {
    let world = cached(&[("get", Script::Fails(10)), ("shaky", Script::Recovers(9, 10))]);
    for _ in 0..2 {
        world.run(one("get")).await;
        world.run(one("shaky")).await;
    }
    assert_eq!(world.calls(), BTreeMap::from([("get".into(), 2), ("shaky".into(), 2)]));

    let world = world_of(settings(), &[("shaky", Script::Recovers(9, 10))], |tool| {
        tool.cache = Some(cache::Settings::new(TTL));
        tool.fallback = Some(Json::try_new("7").unwrap());
    });
    for _ in 0..2 {
        let told = world.run(one("shaky")).await;
        assert_eq!(told.results[0].source, Some(Source::Fallback));
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_change_something_is_never_answered_from_memory() {
    let world = cached(&[("do_it", Script::Counts(10)), ("key_it", Script::Counts(10))]);
    for tool in ["do_it", "do_it", "key_it", "key_it"] {
        assert!(!world.hits(tool).await);
    }
}

#[tokio::test(start_paused = true)]
async fn references_read_the_whole_of_a_kept_result() {
    let world = cached(&[
        ("get", Script::Answers(10, r#"{"z":[1.10,2]}"#)),
        ("other_put", Script::Echoes(5)),
    ]);
    assert!(!world.hits("get").await);
    let told = world
        .run(submission(vec![call("get", "{}"), call("other_put", r#"{"v":"${get.z[0]}"}"#)]))
        .await;
    assert_eq!(told.results[0].source, Some(Source::Cached));
    assert_eq!(told.json(1), r#"{"v":1.10}"#);
}

#[tokio::test(start_paused = true)]
async fn a_hit_pays_nothing_and_waits_for_nothing() {
    let mut settings = settings();
    settings.apis = vec![api(Some(1), &["1/h"])];
    let world =
        world_of(settings, &[("get", Script::Counts(10)), ("hang", Script::Hangs)], |tool| {
            tool.cache = Some(cache::Settings::new(TTL));
        });
    world.run(one("get")).await;
    let start = clock::now();
    for _ in 0..10 {
        assert!(world.hits("get").await);
    }
    assert_eq!(clock::now(), start);
}

#[tokio::test(start_paused = true)]
async fn a_shared_run_is_kept_once_for_all() {
    let world = cached(&[("get", Script::Counts(10))]);
    world.run(submission((0..5).map(|_| call("get", "{}")).collect())).await;
    let told = world.run(submission((0..5).map(|_| call("get", "{}")).collect())).await;
    assert!(told.results.iter().all(|result| result.source == Some(Source::Cached)));
    assert_eq!(world.calls()["get"], 1);
    let registry = world.scheduler.registry();
    let tool = registry.get("get").unwrap();
    let status = tool.cache.as_ref().unwrap().status();
    assert_eq!((status.entries, status.hits), (1, 5));
}
