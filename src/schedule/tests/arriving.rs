//! Turns that come while the model is still writing them.

use futures_util::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::*;
use crate::schedule::arrivals::Begun;

mod ends;
mod random;
mod waiting;

/// Writes a turn.
struct Pen {
    steps: mpsc::Sender<Arrival>,
    calls: usize,
}

impl Pen {
    async fn say(&self, arrival: Arrival) {
        // A batch that has ended listens no more.
        let _ = self.steps.send(arrival).await;
    }

    /// Begins a call; gives its place in the turn.
    async fn begin(&mut self, tool: &str, input: &str) -> usize {
        let Call { id, tool, depends_on, timeout, .. } = call(tool, "{}");
        let input = input.to_owned();
        let begun = Begun { id, tool, input, depends_on, timeout, series: None, extra_bytes: 0 };
        self.say(Arrival::Begun(begun)).await;
        self.calls += 1;
        self.calls - 1
    }

    async fn end(&self, index: usize) {
        self.say(Arrival::Ended { index }).await;
    }

    /// A whole call.
    async fn write(&mut self, tool: &str, input: &str) -> usize {
        let index = self.begin(tool, input).await;
        self.end(index).await;
        index
    }

    async fn commit(self) {
        self.say(Arrival::Committed).await;
    }
}

impl World {
    fn open(&self) -> (Pen, Running) {
        self.open_with(submission(Vec::new())).unwrap()
    }

    fn open_with(&self, submission: Submission) -> Result<(Pen, Running), Refusal> {
        let (steps, received) = mpsc::channel(1);
        let running = self.scheduler.open(submission, ReceiverStream::new(received).boxed())?;
        Ok((Pen { steps, calls: 0 }, running))
    }

    fn sent(&self) -> Vec<String> {
        self.seen.inputs.lock().unwrap().iter().map(|(tool, _)| tool.clone()).collect()
    }
}

/// Lets everything happen that needs no time.
async fn settle() {
    tokio::time::sleep(MS(0)).await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// The model writes for two seconds; each tool would be done two seconds and four
/// tenths after it began.
#[tokio::test(start_paused = true)]
async fn calls_that_only_read_run_while_the_model_still_writes() {
    let tools = ["a", "b", "c", "d", "e"];
    let scripts =
        tools.into_iter().zip((1..=5).rev()).map(|(tool, n)| (tool, Script::Echoes(400 * n)));
    let world = world(&scripts.collect::<Vec<_>>());

    let began = clock::now();
    for _ in tools {
        tokio::time::sleep(MS(400)).await;
    }
    world.run(turn(&tools)).await;
    assert_eq!(clock::now() - began, MS(4000));

    let began = clock::now();
    let (mut pen, running) = world.open();
    for tool in tools {
        let index = pen.begin(tool, "{\"n\"").await;
        tokio::time::sleep(MS(400)).await;
        pen.say(Arrival::Fragment { index, text: ":1}".into() }).await;
        pen.end(index).await;
    }
    pen.commit().await;
    let told = world.told(running).await;
    assert_eq!(clock::now() - began, MS(2400));
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 5]);
    assert_eq!(told.finished.duration, MS(2400));
    for result in &told.results {
        assert_eq!(result.timings.blocked, Duration::ZERO, "it waited for nobody");
        assert_eq!(told.json(result.index), r#"{"n":1}"#);
    }
    assert_eq!(told.finished.critical_path.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_change_something_waits_for_the_commit() {
    let world = world(&[
        ("get", Script::Echoes(10)),
        ("do_it", Script::Echoes(10)),
        ("key_it", Script::Echoes(10)),
    ]);
    let (mut pen, running) = world.open();
    for tool in ["do_it", "get", "key_it", "nothing"] {
        pen.write(tool, "{}").await;
    }
    tokio::time::sleep(MS(1000)).await;
    assert_eq!(world.sent(), ["get"]);
    pen.commit().await;
    let told = world.told(running).await;
    use Outcome::{Failed, Succeeded};
    assert_eq!(told.outcomes(), [Succeeded, Succeeded, Succeeded, Failed]);
    assert_eq!(told.failure(3).0, FailureCode::UnknownTool);
    assert_eq!(told.finished.duration, MS(1020), "the two writes keep block order");
    assert_eq!(told.results[0].timings.blocked, MS(1000));
}

#[tokio::test(start_paused = true)]
async fn every_call_is_planned_once_with_the_edges_that_are_known() {
    let world = world(&[("get", Script::Echoes(10)), ("then", Script::Echoes(10))]);
    let (mut pen, running) = world.open();
    pen.write("get", "{}").await;
    pen.write("then", r#"{"v":"${get.x}"}"#).await;
    pen.begin("then", r#"{"v":"#).await;
    settle().await;
    pen.commit().await;
    let told = world.told(running).await;
    let planned: Vec<_> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Planned(planned) => {
                Some((planned.index, planned.edges.len(), planned.depth, planned.fault.is_some()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(planned, [(0, 0, 0, false), (1, 1, 1, false), (2, 0, 0, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_turn_without_calls_ends_with_its_commit() {
    let world = world(&[]);
    let (pen, running) = world.open();
    tokio::time::sleep(MS(300)).await;
    pen.commit().await;
    let told = world.told(running).await;
    assert!(told.results.is_empty());
    assert_eq!(told.finished.duration, MS(300));
}

#[tokio::test(start_paused = true)]
async fn identical_reads_of_a_turn_run_once_also_where_the_second_comes_later() {
    let world = world(&[("get", Script::Counts(100)), ("do_it", Script::Echoes(1))]);
    let (mut pen, running) = world.open();
    pen.write("get", "{}").await;
    pen.write("get", "{}").await;
    tokio::time::sleep(MS(500)).await;
    // The first have ended.
    pen.write("get", "{}").await;
    pen.write("do_it", "{}").await;
    // Behind a write it asks again.
    pen.write("get", "{}").await;
    settle().await;
    pen.commit().await;
    let told = world.told(running).await;
    assert_eq!(world.calls()["get"], 2);
    let sources: Vec<_> = told.results.iter().map(|result| result.source.unwrap()).collect();
    use crate::model::Source::{Executed, Shared};
    assert_eq!(sources, [Executed, Shared, Shared, Executed, Executed]);
}
