//! What must be absent, checked as text and tokens.

use std::collections::BTreeSet;

use super::{assert_none, modules, read, room, source::Source};

/// Lines of a file.
const LINES_MAX: usize = 400;

/// Words that put off work, and where the house would grow a lumber room.
const PUT_OFF: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];
const LUMBER: &[&str] = &["mod", "errors", "util", "utils", "common", "helpers", "misc"];

/// What a pure machine has none of.
const IMPURE: &[&str] =
    &["async", "await", "now", "SystemTime", "HashMap", "HashSet", "rand", "tokio", "thread", "fs"];

/// Where a file steps around a banned method, which `.clippy.toml` explains.
const STEPS_AROUND: &[&str] = &[
    "src/clock.rs",
    "src/drain.rs",
    "src/config/env.rs",
    "src/rpc/status.rs",
    // Cargo speaks to build scripts by environment.
    "build.rs",
];

fn everything() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches", "fuzz/fuzz_targets"] {
        sources.extend(Source::read_all(folder));
    }
    sources.push(Source { path: "build.rs".to_owned(), text: read("build.rs") });
    sources
}

/// Files that are too long, put work off, or are named for nothing.
pub(super) fn habit_faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for Source { path, text } in sources {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!(
                "{path}:{lines}: over {LINES_MAX} lines: split it by what it decides"
            ));
        }
        let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs"));
        if stem.is_some_and(|stem| LUMBER.contains(&stem)) {
            faults.push(format!("{path}:1: name the file after what is in it"));
        }
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            // This file has to name them.
            let is_list = path.starts_with("tests/architecture");
            if let Some(word) = words.find(|word| PUT_OFF.contains(word)).filter(|_| !is_list) {
                faults.push(format!("{path}:{}: {word}: do it, or leave it out", number + 1));
            }
        }
        faults.extend(token_faults(&Source { path: path.clone(), text: text.clone() }));
    }
    faults
}

/// Attributes and macros that no file may hold.
fn token_faults(source: &Source) -> Vec<String> {
    let path = &source.path;
    let tokens = source.tokens();
    let mut faults = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let next: Vec<&str> = tokens[at..].iter().take(5).map(|t| t.text.as_str()).collect();
        let why = match next.as_slice() {
            ["#", "[", "ignore", ..] => "a test that is not run proves nothing",
            ["#", "[", "allow", ..] | ["#", "!", "[", "allow", ..] => {
                "write #[expect(lint, reason = \"…\")]"
            }
            ["todo" | "unimplemented", "!", ..] => "do it, or leave it out",
            ["disallowed_methods", ..] if !STEPS_AROUND.contains(&path.as_str()) => {
                "the method is banned here; .clippy.toml says why"
            }
            _ => continue,
        };
        faults.push(format!("{path}:{}: `{}`: {why}", token.line, next.concat()));
    }
    faults
}

/// What is not pure in the machines of `schedule`.
pub(super) fn purity_faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in
        sources.iter().filter(|source| source.path.starts_with("src/schedule/batch_state"))
    {
        for token in source.tokens() {
            if !token.in_tests && IMPURE.contains(&token.text.as_str()) {
                faults.push(format!(
                    "{}:{}: `{}`: the machine has no async, clock, randomness or unordered map",
                    source.path, token.line, token.text
                ));
            }
        }
    }
    faults
}

/// Who names a concrete backend, or invokes one, and may not.
pub(super) fn backend_faults(sources: &[Source]) -> Vec<String> {
    let modules = modules(sources);
    let concrete: BTreeSet<String> = sources.iter().flat_map(implementers).collect();
    let mut faults = Vec::new();
    for source in sources {
        let home = room(&source.module()).map_or("", |(home, _)| home);
        if !home.starts_with("backend") && home != "app" {
            for mention in source.mentions(&modules) {
                let is_backend = mention.path.get(1).is_some_and(|part| part == "backend");
                let named = mention.path.iter().find(|part| concrete.contains(*part));
                if let Some(name) = named.filter(|_| is_backend && !mention.in_tests) {
                    faults.push(format!(
                        "{}:{}: `{name}`: only `app` constructs backends",
                        source.path, mention.line
                    ));
                }
            }
        }
        if home.starts_with("backend") || source.path.starts_with("src/schedule/executor") {
            continue;
        }
        for call in source.tokens().windows(3) {
            let [dot, name, open] = call else { continue };
            let is_call = dot.text == "." && name.text == "attempt" && open.text == "(";
            if is_call && !name.in_tests {
                faults.push(format!(
                    "{}:{}: `.attempt(`: only `schedule::executor` invokes backends",
                    source.path, name.line
                ));
            }
        }
    }
    faults
}

/// The types of a backend's file that make attempts.
fn implementers(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/backend/") {
        return Vec::new();
    }
    let tokens = source.tokens();
    let mut found = Vec::new();
    for window in tokens.windows(4) {
        let words: Vec<&str> = window.iter().map(|token| token.text.as_str()).collect();
        if let ["impl" | ":", "Backend", "for", name] = words.as_slice() {
            found.push((*name).to_owned());
        }
    }
    found
}

/// What the manifest's lint tables lack.
pub(super) fn lint_faults(manifest: &str) -> Vec<String> {
    const REQUIRED: &[(&str, &[&str])] = &[
        ("[lints.rust]", &[r#"unsafe_code = "forbid""#, "missing_docs", "unreachable_pub"]),
        (
            "[lints.clippy]",
            &[
                "unwrap_used",
                "expect_used",
                "panic",
                "todo",
                "unimplemented",
                "dbg_macro",
                "print_stdout",
                "print_stderr",
                "allow_attributes",
                "allow_attributes_without_reason",
                "wildcard_imports",
                "mod_module_files",
                "too_many_lines",
                "too_many_arguments",
                "large_futures",
                "unused_async",
                "await_holding_lock",
                "disallowed_methods",
            ],
        ),
    ];
    let mut faults = Vec::new();
    for (table, lints) in REQUIRED {
        let body = manifest.split(table).nth(1).unwrap_or("");
        let body = body.split("\n[").next().unwrap_or("");
        for lint in *lints {
            let line =
                if lint.contains('=') { (*lint).to_owned() } else { format!(r#"{lint} = "deny""#) };
            if !body.lines().any(|has| has.trim() == line) {
                faults.push(format!("Cargo.toml: {table} lacks `{line}`"));
            }
        }
    }
    faults
}

#[test]
fn files_are_short_finished_and_named_for_what_they_hold() {
    assert_none(&habit_faults(&everything()));
}

#[test]
fn the_batch_machine_is_pure() {
    assert_none(&purity_faults(&Source::read_all("src")));
}

#[test]
fn only_app_constructs_backends_and_only_the_executor_invokes_them() {
    assert_none(&backend_faults(&Source::read_all("src")));
}

#[test]
fn the_lints_that_hold_it_up_are_on() {
    assert_none(&lint_faults(&read("Cargo.toml")));
    let clippy = read(".clippy.toml");
    for method in [
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "tokio::time::Instant::now",
        "std::env::var",
        "tokio::spawn",
        "tokio::sync::mpsc::unbounded_channel",
        "tonic::Status::new",
    ] {
        assert!(clippy.contains(&format!("path = \"{method}\"")), ".clippy.toml lacks {method}");
    }
}
