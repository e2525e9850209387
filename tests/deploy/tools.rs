//! The tools that render and look, and where `make test` says they are.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde::Deserialize;
use serde_json::Value;
use sidecall::config::env::{Environment, Process, Variable};
use tempfile::TempDir;

/// What a tool has said on either of its outputs.
pub(crate) struct Said {
    pub(crate) well: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// What `look.py` tells of a folder.
#[derive(Deserialize)]
pub(crate) struct Seen {
    /// What each file holds.
    pub(crate) documents: BTreeMap<String, Vec<Value>>,
    /// What no cluster would take.
    pub(crate) faults: Vec<String>,
    /// Kinds that Kubernetes itself does not have.
    pub(crate) unknown: Vec<String>,
    /// The minor versions that were asked.
    pub(crate) versions: Vec<u32>,
}

/// A path below the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A tool; without it what needs it is left out, with a line that says so.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    match Process.variable(name) {
        Variable::Set(path) => Some(PathBuf::from(path)),
        other => {
            // Where everything has to be there, nothing is left out in silence.
            let must_be_there = Process.variable("SIDECALL_TESTS_STRICT") != Variable::Missing;
            assert!(!must_be_there, "{name} is {other:?}; `make test` sets it");
            let line = format!("left out: {name} is {other:?}; `make test` sets it\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
    }
}

/// Runs a tool to its end.
pub(crate) fn run(program: &Path, arguments: &[&OsStr], input: &str) -> Said {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Said {
        well: status.success(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// Reads and validates manifests, each under its name.
pub(crate) fn look(manifests: &BTreeMap<String, String>) -> Option<Seen> {
    let python = tool("SIDECALL_TEST_MANIFESTS_PYTHON")?;
    let folder = TempDir::new().unwrap();
    for (name, text) in manifests {
        fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
    }
    let look = repository("tests/deploy/look.py");
    let said = run(&python, &[look.as_ref(), folder.path().as_ref()], "");
    assert!(said.well, "{}", said.err);
    Some(serde_json::from_str(&said.out).unwrap())
}

/// YAML that is no manifest.
pub(crate) fn read(text: &str) -> Option<Value> {
    let manifest = format!("apiVersion: v0\nkind: Nothing\n{text}");
    let mut seen = look(&BTreeMap::from([("read".to_owned(), manifest)]))?;
    assert_eq!(seen.faults, Vec::<String>::new());
    Some(seen.documents.remove("read").unwrap().remove(0))
}

/// A copy of a folder, with what is below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}

/// The example's chart with the other in it, and helm.
pub(crate) struct Helm {
    program: PathBuf,
    charts: TempDir,
}

impl Helm {
    /// Nothing where this machine has none.
    pub(crate) fn find() -> Option<Self> {
        let program = tool("SIDECALL_TEST_HELM")?;
        let charts = TempDir::new().unwrap();
        copy(&repository("deploy/helm"), charts.path());
        let helm = Self { program, charts };
        let example = helm.chart("example-app");
        let said = helm.run(&["dependency".as_ref(), "build".as_ref(), example.as_ref()], "");
        assert!(said.well, "{}", said.err);
        Some(helm)
    }

    pub(crate) fn chart(&self, name: &str) -> PathBuf {
        self.charts.path().join(name)
    }

    pub(crate) fn run(&self, arguments: &[&OsStr], input: &str) -> Said {
        run(&self.program, arguments, input)
    }

    /// A chart with these values, each over those before it, for a cluster of a version.
    pub(crate) fn template(&self, chart: &str, version: &str, values: &[&str]) -> Said {
        self.template_at(&self.chart(chart), version, values)
    }

    /// The same of a chart that is elsewhere.
    pub(crate) fn template_at(&self, chart: &Path, version: &str, values: &[&str]) -> Said {
        let folder = TempDir::new().unwrap();
        let mut arguments: Vec<PathBuf> = vec!["template".into(), "demo".into(), chart.into()];
        arguments.extend(["--namespace", "agents", "--kube-version", version].map(PathBuf::from));
        for (at, values) in values.iter().enumerate() {
            let file = folder.path().join(format!("{at}.yaml"));
            fs::write(&file, values).unwrap();
            arguments.extend(["--values".into(), file]);
        }
        let arguments: Vec<&OsStr> = arguments.iter().map(|part| part.as_os_str()).collect();
        self.run(&arguments, "")
    }
}
