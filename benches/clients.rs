//! The packages for agents beside what an agent would use without them: the same
//! turns, the same upstream, one run, in turn.
//!
//! A way's processor time is that of its process, and of Sidecall's where it has
//! one. Plain `asyncio.gather` and `Promise.all` are shown beside: they limit,
//! trace and protect nothing, and are the fastest that a user has.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::{
    report::{Bound, Row},
    rig::{Rig, Server},
    stats::Samples,
};

const ROUNDS: usize = 3;
/// Connections to the upstream: as many as calls may be in flight.
const CONNECTIONS: usize = 1024;

/// Where the agents' languages and packages are.
#[derive(Debug)]
pub(crate) struct Tools {
    /// Has the packages that agents are written with.
    pub(crate) python: PathBuf,
    /// The same for Node.js.
    pub(crate) node_modules: PathBuf,
}

/// What a script prints.
#[derive(Debug, Deserialize)]
struct Figures {
    turns_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_s_per_1000_calls: f64,
    turns: f64,
    /// One of each agent, before those.
    warm_up_turns: f64,
}

/// A way's figures, by round.
#[derive(Debug, Default)]
struct Way {
    turns: Samples,
    p50: Samples,
    p99: Samples,
    cpu: Samples,
}

/// Calls of a turn, in both scripts.
const CALLS: f64 = 5.0;

impl Way {
    /// Takes a round in; `server` is the processor time of Sidecall over all of it.
    fn push(&mut self, figures: &Figures, server: f64) {
        self.turns.push(figures.turns_per_second);
        self.p50.push(figures.p50_ms);
        self.p99.push(figures.p99_ms);
        let server = server / ((figures.turns + figures.warm_up_turns) * CALLS) * 1e3;
        self.cpu.push(figures.cpu_s_per_1000_calls + server);
    }
}

/// One language's script and how it is run.
#[derive(Debug)]
struct Script {
    program: PathBuf,
    script: PathBuf,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Script {
    /// Runs `way` to its end, of as many agents as that takes.
    fn run(&self, way: &str, args: &[&str]) -> anyhow::Result<Figures> {
        let output = Command::new(&self.program)
            .arg(&self.script)
            .arg(way)
            .args(args)
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .output()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} {way}: {said}", self.script.display());
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{} {way} printed something else", self.script.display()))
    }

    /// Runs `way` through `server`, or without one.
    fn measure(
        &self,
        way: &str,
        rig: &Rig,
        server: Option<&Server>,
        args: &[&str],
        into: &mut Way,
    ) -> anyhow::Result<()> {
        let address = server.map(|server| format!("unix://{}", server.socket.display()));
        let upstream = format!("http://{}", rig.authority());
        let place = ["--address", address.as_deref().unwrap_or_default(), "--upstream", &upstream];
        let cpu = || -> anyhow::Result<f64> {
            Ok(server
                .map(|server| server.process.cpu())
                .transpose()?
                .unwrap_or_default()
                .as_secs_f64())
        };
        let before = cpu()?;
        let figures = self.run(way, &[&place, args].concat())?;
        into.push(&figures, cpu()? - before);
        Ok(())
    }
}

/// Both languages.
pub(crate) fn measure(rig: &Rig, tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts = root.join("benches/clients");
    let python = Script {
        program: tools.python.clone(),
        script: scripts.join("agents.py"),
        environment: vec![("PYTHONPATH", root.join("clients/python/src"))],
    };
    let node = Script {
        program: PathBuf::from("node"),
        script: beside_packages(rig, &scripts.join("agents.mjs"), tools, root)?,
        environment: Vec::new(),
    };
    let server = rig.sidecall(CONNECTIONS)?;
    let mut rows = beside(rig, &server, &python, &PYTHON)?;
    rows.push(one_by_one(rig, &server, &python)?);
    rows.extend(beside(rig, &server, &node, &TYPESCRIPT)?);
    Ok(rows)
}

/// What a language is compared with, and the rows' names.
#[derive(Debug)]
struct Names {
    reference: &'static str,
    bare: &'static str,
    turns: [&'static str; 2],
    p99: [&'static str; 2],
    cpu: [&'static str; 2],
}

const PYTHON: Names = Names {
    reference: "toolnode",
    bare: "gather",
    turns: ["client.python.turns", "client.python.gather.turns"],
    p99: ["client.python.p99", "client.python.gather.p99"],
    cpu: ["client.python.cpu", "client.python.gather.cpu"],
};

const TYPESCRIPT: Names = Names {
    reference: "aisdk",
    bare: "all",
    turns: ["client.typescript.turns", "client.typescript.all.turns"],
    p99: ["client.typescript.p99", "client.typescript.all.p99"],
    cpu: ["client.typescript.cpu", "client.typescript.all.cpu"],
};

/// 200 agents with turns of five calls of 20 ms.
fn beside(rig: &Rig, server: &Server, script: &Script, names: &Names) -> anyhow::Result<Vec<Row>> {
    let (mut ours, mut theirs, mut bare) = (Way::default(), Way::default(), Way::default());
    // What is compared with may take half a minute for each of them.
    let args = ["--turns", "2"];
    for _ in 0..ROUNDS {
        script.measure("sidecall", rig, Some(server), &args, &mut ours)?;
        script.measure(names.reference, rig, None, &args, &mut theirs)?;
        script.measure(names.bare, rig, None, &args, &mut bare)?;
    }
    let mut rows = Vec::new();
    for (other, way, place) in [(&theirs, names.reference, 0), (&bare, names.bare, 1)] {
        let bound = |bound| if place == 0 { bound } else { Bound::Shown };
        let row = |name, unit, figure: fn(&Way) -> &Samples, promise| {
            let figures = (figure(&ours).median(), figure(other).median());
            Row::beside(name, unit, figures, bound(promise))
                .remark(format!("{way}; rounds {}", figure(&ours).spread()))
        };
        let at_least = Bound::RatioAtLeast(1.0);
        let at_most = Bound::RatioAtMost(1.0);
        rows.push(row(names.turns[place], "turns/s", |way| &way.turns, at_least));
        rows.push(row(names.p99[place], "ms", |way| &way.p99, at_most));
        rows.push(row(names.cpu[place], "s/1000 calls", |way| &way.cpu, at_most));
    }
    Ok(rows)
}

/// One agent with five tools of 200 ms: Anthropic's tool runner runs them one
/// after the other.
fn one_by_one(rig: &Rig, server: &Server, script: &Script) -> anyhow::Result<Row> {
    let args = ["--agents", "1", "--turns", "5", "--tool", "wait200"];
    let (mut ours, mut theirs) = (Way::default(), Way::default());
    script.measure("sidecall", rig, Some(server), &args, &mut ours)?;
    script.measure("runner", rig, None, &args, &mut theirs)?;
    let figures = (ours.p50.median(), theirs.p50.median());
    let row = Row::beside("client.python.five", "ms", figures, Bound::RatioAtMost(0.25));
    Ok(row.remark("Anthropic's tool runner"))
}

/// The script in a folder with the packages that it imports: Node.js looks for
/// them beside the file.
fn beside_packages(
    rig: &Rig,
    script: &Path,
    tools: &Tools,
    root: &Path,
) -> anyhow::Result<PathBuf> {
    let packages = rig.folder().join("node_modules");
    fs::create_dir_all(packages.join("@sidecall"))?;
    for entry in fs::read_dir(&tools.node_modules)? {
        let entry = entry?;
        std::os::unix::fs::symlink(entry.path(), packages.join(entry.file_name()))?;
    }
    let client = root.join("clients/typescript");
    ensure!(client.join("dist").exists(), "clients/typescript is not built: make bench does");
    std::os::unix::fs::symlink(client, packages.join("@sidecall/client"))?;
    let copy = rig.folder().join("agents.mjs");
    fs::copy(script, &copy)?;
    Ok(copy)
}
