//! `sidecall inject` as a program, over manifests as people write them.
//!
//! `tests/inject/corpus` holds them. What comes out is golden as the difference to what
//! went in, is held against what went in by another parser of YAML (`oracle.py`), and
//! is validated against the schemas of Kubernetes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sidecall::config::env::{Environment, Process, Variable};

#[path = "inject/program.rs"]
mod program;

/// Versions of Kubernetes whose schemas the output is held against: the first that has
/// native sidecars by default, one of today, and the newest that the validator knows.
const VERSIONS: [&str; 3] = ["1.29", "1.33", "1.37"];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inject/corpus")
}

/// The names of all manifests.
fn names() -> Vec<String> {
    let files = fs::read_dir(corpus()).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 30, "only {} manifests", names.len());
    names
}

/// `sidecall inject` in the corpus's folder.
fn inject(arguments: &[&str], input: Option<&[u8]>) -> Output {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_sidecall"));
    command.arg("inject").args(arguments).current_dir(corpus());
    command.write_stdin(input.unwrap_or_default()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn original(name: &str) -> Vec<u8> {
    fs::read(corpus().join(name)).unwrap()
}

#[test]
fn each_manifest_changes_by_its_sidecar_and_by_nothing_else() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("inject/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for name in names() {
        let output = inject(&[&name], None);
        let (before, after) = (original(&name), String::from_utf8(output.stdout.clone()).unwrap());
        let before = String::from_utf8(before).unwrap();
        let diff = similar::TextDiff::from_lines(&before, &after);
        let diff = diff.unified_diff().context_radius(2).to_string();
        let shown = format!("exit code {}\n{}\n{diff}", code(&output), stderr(&output));
        let shown = shown.replace(env!("CARGO_PKG_VERSION"), "VERSION").replace('\r', "␍");
        settings.bind(|| insta::assert_snapshot!(name.as_str(), shown));
    }
}

#[test]
fn what_went_in_comes_out_again_byte_for_byte() {
    for name in names() {
        let injected = inject(&[&name], None);
        let back = inject(&["--uninject", "-"], Some(&injected.stdout));
        assert!(back.stdout == original(&name), "{name}:\n{}", stderr(&back));
        assert_eq!(code(&back), 0, "{name}:\n{}", stderr(&back));
    }
}

#[test]
fn twice_is_once() {
    for name in names() {
        let once = inject(&[&name], None);
        let twice = inject(&["-"], Some(&once.stdout));
        assert!(once.stdout == twice.stdout, "{name}");
        assert_eq!(code(&once), code(&twice), "{name}:\n{}", stderr(&twice));
        assert!(!stderr(&twice).contains(": injected,"), "{name}:\n{}", stderr(&twice));
    }
}

#[test]
fn other_options_replace_a_sidecar_as_if_it_had_never_been() {
    let options =
        ["--image", "mine:2", "--config-map", "tools", "--secret", "a", "--secret", "b", "-"];
    for name in names() {
        let plain = original(&name);
        let other = inject(&options, Some(&plain));
        let first = inject(&[&name], None);
        let replaced = inject(&options, Some(&first.stdout));
        assert!(other.stdout == replaced.stdout, "{name}:\n{}", stderr(&replaced));
    }
    let first = inject(&["deployment.yaml"], None);
    let replaced = inject(&options, Some(&first.stdout));
    let version = env!("CARGO_PKG_VERSION");
    let said = format!("injected anew (was {version}), for app\n");
    assert_eq!(stderr(&replaced), format!("stdin:1: deployment/agents/planner: {said}"));
}

#[test]
fn the_classic_layout_goes_into_everything_but_jobs_and_comes_out_again() {
    for name in names() {
        let injected = inject(&["--layout", "classic", &name], None);
        let back = inject(&["--uninject", "-"], Some(&injected.stdout));
        assert!(back.stdout == original(&name), "{name}:\n{}", stderr(&back));
    }
    let job = inject(&["--layout", "classic", "cronjob.yaml"], None);
    assert_eq!((code(&job), job.stdout == original("cronjob.yaml")), (1, true));
    assert!(stderr(&job).contains("a job would never end"), "{}", stderr(&job));
}

/// Folders with what went in, what came out, and what came out of that again.
struct Folders(tempfile::TempDir);

impl Folders {
    fn new(options: &[&str]) -> Self {
        let folders = Self(tempfile::tempdir().unwrap());
        for folder in ["injected", "uninjected"] {
            fs::create_dir(folders.path(folder)).unwrap();
        }
        for name in names() {
            let injected = inject(&[options, &[&name]].concat(), None).stdout;
            let back = inject(&["--uninject", "-"], Some(&injected)).stdout;
            fs::write(folders.path("injected").join(&name), injected).unwrap();
            fs::write(folders.path("uninjected").join(&name), back).unwrap();
        }
        folders
    }

    fn path(&self, folder: &str) -> PathBuf {
        self.0.path().join(folder)
    }

    /// The lines that the other parser has to say.
    fn judged(&self, python: &str, versions: &[&str]) -> Vec<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inject/oracle.py");
        let folders = [corpus(), self.path("injected"), self.path("uninjected")];
        let output =
            Command::new(python).arg(script).args(folders).args(versions).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

/// A Python; without it what needs it is left out, with a line that says so.
fn python(variable: &str) -> Option<String> {
    match Process.variable(variable) {
        Variable::Set(path) => Some(path),
        other => {
            // Where everything has to be there, nothing is left out in silence.
            let must_be_there = Process.variable("SIDECALL_TESTS_STRICT") != Variable::Missing;
            assert!(!must_be_there, "{variable} is {other:?}; `make test` sets it");
            let line = format!("left out: {variable} is {other:?}; `make test` sets it\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
    }
}

#[test]
fn another_parser_finds_the_original_and_a_whole_sidecar() {
    let Some(python) = python("SIDECALL_TEST_PYTHON") else { return };
    for options in [&[][..], &["--layout", "classic", "--secret", "tokens"]] {
        let said = Folders::new(options).judged(&python, &[]);
        assert!(said.len() == 1 && said[0].ends_with(" sidecars"), "{}", said.join("\n"));
        let count: usize = said[0].split(' ').next().unwrap().parse().unwrap();
        assert!(count >= 35, "{count} sidecars");
    }
}

#[test]
fn what_comes_out_is_what_a_cluster_takes() {
    let Some(python) = python("SIDECALL_TEST_MANIFESTS_PYTHON") else { return };
    let said = Folders::new(&["--secret", "tokens"]).judged(&python, &VERSIONS);
    assert!(said.len() == 1 && said[0].ends_with(" sidecars"), "{}", said.join("\n"));
}

#[test]
fn the_other_parser_sees_what_is_not_as_it_was() {
    let Some(python) = python("SIDECALL_TEST_PYTHON") else { return };
    let folders = Folders::new(&[]);
    let change = |folder: &str, name: &str, from: &str, to: &str| {
        let file = folders.path(folder).join(name);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        fs::write(file, text.replace(from, to)).unwrap();
    };
    change("injected", "deployment.yaml", "replicas: 2", "replicas: \"2\"");
    change("injected", "classic.yaml", "drop: [ALL]", "drop: []");
    change("injected", "unicode.yaml", "value: \"é\"", "value: é.");
    change("uninjected", "crlf.yaml", "volumes: []", "volumes:");
    let said = folders.judged(&python, &[]);
    let faulty: Vec<&str> = said.iter().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(
        faulty,
        ["classic.yaml", "crlf.yaml", "deployment.yaml", "unicode.yaml"],
        "{}",
        said.join("\n")
    );
}
