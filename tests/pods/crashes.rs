//! Sidecars that die: killed again and again, out of memory, or hanging.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    assert_interrupted,
    kubelet::Probe,
    often,
    place::{IMAGE, Place, Shape},
    pod::Pod,
};

/// Turns in which the app is not alone.
const AGENT: &[&str] = &["--conversations", "3"];
/// Requests that show that all goes on as before.
const ONWARDS: usize = 20;

/// The pod goes on as it should, and ends of itself.
async fn ends_well(place: &Place, pod: &Pod) {
    place.asked(ONWARDS).await;
    let told = pod.delete().await;
    let lines = &told.lines;
    assert_eq!(lines[told.last("agent ended")], "agent ended: exit status: 0", "{lines:#?}");
    assert_eq!(lines[told.last("sidecar ended")], "sidecar ended: exit status: 0", "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_crashes_again_and_again_costs_typed_results_and_nothing_else() {
    let sum = often("crash loop", async |rng, place| {
        let pod = place.pod(place.usual(AGENT));
        for crash in 1..=rng.usize(2..=4) {
            place.asked(rng.usize(1..40)).await;
            assert!(pod.signal("sidecar", "KILL"), "it runs: somebody was asked");
            pod.says("sidecar ended: signal: 9", crash).await;
            pod.says("sidecar started", crash + 1).await;
        }
        ends_well(place, &pod).await;
        place.judge(0).await
    })
    .await;
    assert_interrupted(&sum);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_hangs_is_replaced_by_its_liveness_probe() {
    let sum = often("hang", async |rng, place| {
        let mut shape = place.usual(AGENT);
        for (probe, health) in &mut shape.sidecar.probes {
            if *probe == Probe::Liveness {
                health.timeout = Duration::from_millis(300);
            }
        }
        // It ends by SIGKILL alone, once its time is over.
        let pod = place.pod(Shape { grace: Duration::from_secs(1), ..shape });
        place.asked(rng.usize(1..40)).await;
        assert!(pod.signal("sidecar", "STOP"));
        let told = pod.says("sidecar started", 2).await;
        assert!(told.last("sidecar TERM") < told.last("sidecar KILL"), "{:#?}", told.lines);
        ends_well(place, &pod).await;
        place.judge(0).await
    })
    .await;
    assert_interrupted(&sum);
}

/// A cgroup with a bound on its memory, of which the sidecar is the first to go.
struct Memory(PathBuf);

impl Memory {
    const ROOT: &str = "/sys/fs/cgroup/memory";

    /// A new one; nothing where this user may make none.
    fn new(seed: u64) -> Option<Self> {
        let name = format!("sidecall-pods-{}-{seed}", std::process::id());
        let folder = Path::new(Self::ROOT).join(name);
        fs::create_dir(&folder).ok()?;
        Some(Self(folder))
    }

    fn read(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(self.0.join(file)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("{key} in {text}")).trim().parse().unwrap()
    }

    /// The words before a command that runs in it.
    fn entering(&self, score: &str) -> Vec<String> {
        let script = format!(
            "echo $$ > {}/cgroup.procs; echo {score} > /proc/self/oom_score_adj; exec \"$@\"",
            self.0.display()
        );
        ["sh", "-c", &script, "sh"].map(str::to_owned).into()
    }

    /// Leaves the sidecar no room and takes some of it: the kernel kills.
    async fn run_out(&self) {
        let room = self.read("memory.stat", "rss ") + (8 << 20);
        fs::write(self.0.join("memory.limit_in_bytes"), room.to_string()).unwrap();
        let mut words = self.entering("0");
        let fill = "while :; do x=$x$(head -c 1048576 /dev/zero | tr '\\0' x); done";
        words.extend(["sh", "-c", fill].map(str::to_owned));
        let mut hog = tokio::process::Command::new(&words[0]);
        let mut hog = hog.args(&words[1..]).kill_on_drop(true).spawn().unwrap();
        // It takes more than there is, and goes after the sidecar did.
        hog.wait().await.unwrap();
        fs::write(self.0.join("memory.limit_in_bytes"), "-1").unwrap();
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Its processes have ended, or are about to.
        let _ = fs::remove_dir(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_out_of_memory_costs_typed_results_and_nothing_else() {
    let sum = often("out of memory", async |rng, place| {
        // Where no cgroup can be made it is what the kernel does: SIGKILL.
        let memory = Memory::new(rng.u64(..));
        let mut shape = place.usual(AGENT);
        if let Some(memory) = &memory {
            shape.sidecar.command = place.image(&memory.entering("1000"), Path::new(IMAGE));
        }
        let pod = place.pod(shape);
        place.asked(rng.usize(1..40)).await;
        match &memory {
            Some(memory) => {
                memory.run_out().await;
                assert!(memory.read("memory.oom_control", "oom_kill ") > 0);
            }
            None => assert!(pod.signal("sidecar", "KILL")),
        }
        pod.says("sidecar ended: signal: 9", 1).await;
        pod.says("sidecar started", 2).await;
        ends_well(place, &pod).await;
        place.judge(0).await
    })
    .await;
    assert_interrupted(&sum);
}
