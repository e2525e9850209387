//! Pods that end: apps that take their time, apps that end first.

use std::{path::Path, time::Duration};

use tokio::process::Command;

use crate::{
    kubelet::Restart,
    often,
    place::{Layout, Place, Shape},
    pod::Told,
};

/// In a native layout the sidecar serves as long as its app runs.
#[track_caller]
fn sidecar_ended_last(told: &Told) {
    let lines = &told.lines;
    assert!(told.last("agent ended") < told.last("sidecar TERM"), "{lines:#?}");
    sidecar_ended_itself(told);
}

#[track_caller]
fn sidecar_ended_itself(told: &Told) {
    let lines = &told.lines;
    assert_eq!(lines[told.last("sidecar ended")], "sidecar ended: exit status: 0", "{lines:#?}");
    assert_eq!(told.count("sidecar KILL"), 0, "{lines:#?}");
}

/// A `preStop` hook that ends when somebody writes to this pipe.
fn waits_for(pipe: &Path) -> Box<dyn Fn() -> Command + Send> {
    let pipe = pipe.to_owned();
    Box::new(move || {
        let mut hook = Command::new("sh");
        hook.args(["-c", "read line < \"$0\""]).arg(&pipe);
        hook
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_ends_slowly_has_its_native_sidecar_to_the_end() {
    often("slow exit, native", async |rng, place| {
        let pipe = place.path().join("pre-stop");
        assert!(Command::new("mkfifo").arg(&pipe).status().await.unwrap().success());
        let turns = rng.usize(1..=3).to_string();
        let mut shape = place.usual(&["--last-turns", &turns]);
        shape.agent.hook = Some(waits_for(&pipe));
        let pod = place.pod(shape);
        place.asked(rng.usize(1..40)).await;
        let ends = pod.delete();
        let works_on = async {
            pod.says("agent hook started", 1).await;
            place.asked(rng.usize(1..20)).await;
            tokio::fs::write(&pipe, "go\n").await.unwrap();
        };
        let (told, ()) = tokio::join!(ends, works_on);
        assert!(told.last("agent hook ended") < told.last("agent TERM"), "{:#?}", told.lines);
        assert!(told.lines.contains(&"agent ended: exit status: 0".to_owned()));
        sidecar_ended_last(&told);
        let tally = place.judge(0).await;
        assert_eq!((tally.synthetic, tally.raised), (0, 0), "{tally:?}");
        tally
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_ends_slowly_beside_a_classic_sidecar_is_refused_and_told_so() {
    often("slow exit, classic", async |rng, place| {
        let agent = &["--last-turns", "2", "--connect-timeout", "0.3"];
        let pod = place.pod(Shape { layout: Layout::Classic, ..place.usual(agent) });
        place.asked(rng.usize(1..40)).await;
        let told = pod.delete().await;
        assert!(told.lines.contains(&"agent ended: exit status: 0".to_owned()));
        sidecar_ended_itself(&told);
        let tally = place.judge(0).await;
        // What ran went on to its end; what came after was refused as a whole.
        assert_eq!(tally.interrupted, 0, "{tally:?}");
        tally
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_killed_leaves_its_sidecar_time_to_end() {
    often("slow exit, killed", async |rng, place| {
        let shape = place.usual(&["--deaf", "--conversations", "2"]);
        // Longer than the moments that each has at least, or shorter: then the sidecar's
        // turn comes while the app still lives.
        let grace = Duration::from_millis(if rng.bool() { 200 } else { 2200 });
        let pod = place.pod(Shape { grace, ..shape });
        place.asked(rng.usize(1..40)).await;
        let told = pod.delete().await;
        assert_eq!(told.count("agent KILL"), 1, "{:#?}", told.lines);
        sidecar_ended_itself(&told);
        place.judge(2).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_done_when_its_app_is() {
    often("app first", async |rng, place| {
        let turns = rng.usize(1..=4).to_string();
        let shape = place.usual(&["--turns", &turns]);
        let pod = place.pod(Shape { restart: Restart::Never, ..shape });
        let told = pod.ends().await;
        assert!(told.lines.contains(&"agent ended: exit status: 0".to_owned()));
        sidecar_ended_last(&told);
        let tally = place.judge(0).await;
        assert_eq!((tally.synthetic, tally.raised), (0, 0), "{tally:?}");
        assert_eq!(tally.turns, 3 * turns.parse::<usize>().unwrap());
        tally
    })
    .await;
}

/// A Job whose app dies with turns open, and whose sidecar may die as well.
async fn died_once(place: &Place, dies_after: usize, kills: bool) -> Told {
    let dies_after = dies_after.to_string();
    let agent: &[&[&str]] = &[&["--die-after", &dies_after], &["--turns", "2"]];
    let shape = Shape { agent: place.agent(agent), ..place.usual(&[]) };
    let pod = place.pod(Shape { restart: Restart::OnFailure, ..shape });
    pod.says("agent started", 2).await;
    if kills {
        place.asked(1).await;
        assert!(pod.signal("sidecar", "KILL"));
    }
    pod.ends().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jobs_app_that_dies_with_turns_open_is_started_again_and_the_job_ends() {
    often("app dies first", async |rng, place| {
        let told = died_once(place, rng.usize(1..6), rng.bool()).await;
        assert!(told.lines.contains(&"agent ended: exit status: 9".to_owned()));
        sidecar_ended_last(&told);
        place.judge(3).await
    })
    .await;
}
