//! The checks catch what they are for: each is given a house with one fault.

use super::{
    absences::{backend_faults, habit_faults, lint_faults, purity_faults},
    floor_faults, read,
    source::Source,
};

fn file(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

/// A house of this file and of empty rooms that it could name.
fn house(path: &str, text: &str) -> Vec<Source> {
    let mut sources = vec![file(path, text)];
    for room in ["rpc", "schedule", "backend/http", "backend", "plan", "shape", "model", "clock"] {
        let other = format!("src/{room}.rs");
        if other != path {
            sources.push(file(&other, ""));
        }
    }
    sources
}

#[track_caller]
fn assert_caught(faults: &[String], expected: &[&str]) {
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, says) in faults.iter().zip(expected) {
        assert!(fault.contains(says), "{fault:?} does not say {says:?}");
    }
}

#[test]
fn an_import_of_a_higher_floor_is_caught_however_it_is_written() {
    for text in [
        "use crate::rpc::status::Code;",
        "use crate::{model::Json, rpc::status};",
        "use crate::{\n    model::{Call, CallId},\n    rpc::{self, status::{a, b as c}},\n};",
        "pub(crate) use super::rpc;",
        "use sidecall::rpc::*;",
        "pub use crate::rpc as other;",
        "fn f() { let _ = crate::rpc::status::of(1); }",
        "fn f(x: &super::rpc::X) {}",
        "mod inner { use super::super::rpc; }",
        "mod inner { fn f() -> crate::rpc::X { todo() } }",
        "fn f() { tokio::select! { _ = crate::rpc::serve() => {} } }",
        "#[derive(crate::rpc::Derived)] struct S;",
        "#[cfg(test)] mod tests { use crate::rpc::X; }",
        "macro_rules! m { () => { $crate::rpc::X } }",
    ] {
        let faults = floor_faults(&house("src/plan.rs", text));
        assert!(!faults.is_empty(), "not caught: {text}");
        for fault in &faults {
            assert!(fault.starts_with("src/plan.rs:"), "{fault}");
            assert!(fault.contains("`rpc` is on floor 6"), "{fault}");
        }
    }
}

#[test]
fn the_offending_line_is_named() {
    let text = "use crate::{\n    model::Json,\n    schedule::{\n        Event,\n    },\n};";
    assert_caught(
        &floor_faults(&house("src/plan/reference.rs", text)),
        &["src/plan/reference.rs:4: `plan` (floor 2) names `crate::schedule::Event`"],
    );
}

#[test]
fn a_neighbour_of_the_same_floor_is_caught() {
    for (path, text) in [
        ("src/plan.rs", "use crate::shape::shape;"),
        ("src/clock.rs", "use crate::model::Json;"),
        ("src/backend/mcp.rs", "use super::http::Api;"),
        ("src/backend.rs", "use http::Api;"),
        ("src/console.rs", "use crate::rpc::X;"),
        ("src/inject.rs", "fn f() { sidecall::cli::run(); }"),
    ] {
        let faults = floor_faults(&house(path, text));
        assert_caught(&faults, &["only lower floors may be named"]);
    }
}

#[test]
fn the_root_and_rooms_without_a_floor_are_caught() {
    for (path, text, says) in [
        ("src/plan.rs", "use crate as root;", "not the root"),
        ("src/plan.rs", "use super::*;", "not the root"),
        ("src/plan.rs", "use crate::misc::x;", "stands on no floor"),
        ("src/attic.rs", "", "stands on no floor"),
    ] {
        assert_caught(&floor_faults(&house(path, text)), &[says]);
    }
}

#[test]
fn grpc_below_its_floor_is_caught() {
    for text in [
        "use tonic::Status;",
        "use tonic::{Request, Status as S};",
        "fn f() -> Result<(), ::tonic::Status> { Ok(()) }",
        "use tonic::*;",
    ] {
        let faults = floor_faults(&house("src/schedule/executor.rs", text));
        assert_caught(&faults, &["gRPC's status is not known below floor 6"]);
    }
    for (path, text) in [
        ("src/schedule.rs", "use crate::proto::v1;"),
        ("src/backend/http/reply.rs", "type X = crate::proto::v1::X;"),
        ("src/config/file.rs", "use crate::proto;"),
        ("src/app.rs", "use crate::proto::DESCRIPTORS;"),
    ] {
        let faults = floor_faults(&house(path, text));
        assert_caught(&faults, &["the wire's types are named only in"]);
    }
}

#[test]
fn what_is_allowed_is_not_called_a_fault() {
    for (path, text) in [
        ("src/lib.rs", "pub mod rpc; pub use rpc::X;"),
        ("src/main.rs", "use sidecall::cli; fn main() { cli::run(); crate::main(); }"),
        ("src/rpc/status.rs", "use tonic::Status; use crate::{proto::v1, schedule::Refusal};"),
        ("src/plan/tests.rs", "use super::*; use crate::plan::build;"),
        ("src/backend/http.rs", "use super::Attempt; use crate::backend::Error; mod path;"),
        ("src/backend/worker.rs", "use crate::proto::v1; fn f(_: tonic::Status) {}"),
        (
            "src/schedule.rs",
            "//! See [`crate::rpc`].\n// crate::rpc::X\nconst S: &str = \"crate::rpc::X\";",
        ),
        ("src/plan.rs", "fn f<'a>() -> impl Sized + use<'a> { a::b::<u8>() }"),
    ] {
        assert_caught(&floor_faults(&house(path, text)), &[]);
    }
}

#[test]
fn an_unfinished_long_or_nameless_file_is_caught() {
    let long = "\n".repeat(401);
    for (path, text, says) in [
        ("src/plan.rs", "// TODO: later", "TODO"),
        ("src/plan.rs", "/* FIXME */", "FIXME"),
        ("src/plan.rs", long.as_str(), "over 400 lines"),
        ("src/plan/mod.rs", "", "name the file after what is in it"),
        ("src/rpc/errors.rs", "", "name the file after what is in it"),
        ("src/plan.rs", "fn f() { todo!() }", "do it"),
        ("src/plan.rs", "#[test] #[ignore] fn f() {}", "not run"),
        ("src/plan.rs", "#[test] #[ignore = \"slow\"] fn f() {}", "not run"),
        ("src/plan.rs", "#![allow(dead_code)]", "expect"),
        ("src/plan.rs", "#[allow(dead_code)] fn f() {}", "expect"),
        (
            "src/plan.rs",
            "#[expect(clippy::disallowed_methods, reason = \"\")] fn f() {}",
            "the method is banned here",
        ),
    ] {
        assert_caught(&habit_faults(&[file(path, text)]), &[says]);
    }
    let fine = "#[expect(dead_code, reason = \"why\")] fn todo() -> &'static str { \"allow\" }";
    assert_caught(&habit_faults(&[file("src/plan.rs", fine)]), &[]);
}

#[test]
fn an_impure_machine_is_caught() {
    for text in [
        "async fn f() {}",
        "fn f() { let _ = crate::clock::now(); }",
        "use std::collections::HashMap;",
        "use std::collections::{BTreeMap, HashSet};",
        "fn f() -> u8 { rand::random() }",
        "use tokio::sync::mpsc;",
    ] {
        let faults = purity_faults(&[file("src/schedule/batch_state/ready.rs", text)]);
        assert!(!faults.is_empty(), "not caught: {text}");
        assert_caught(&purity_faults(&[file("src/schedule/dispatcher.rs", text)]), &[]);
    }
}

#[test]
fn a_backend_made_or_invoked_elsewhere_is_caught() {
    let api = "impl Backend for Route { }";
    let house = |path: &str, text: &str| {
        vec![file("src/backend/http.rs", api), file("src/backend.rs", ""), file(path, text)]
    };
    for (path, text, says) in [
        ("src/config/compile.rs", "use crate::backend::http::Route;", "only `app` constructs"),
        ("src/schedule.rs", "fn f() { crate::backend::http::Route::new(); }", "only `app`"),
        ("src/schedule/dispatcher.rs", "fn f() { x.attempt(y); }", "only `schedule::executor`"),
        ("src/app.rs", "fn f() { tool.backend.attempt(y); }", "only `schedule::executor`"),
    ] {
        assert_caught(&backend_faults(&house(path, text)), &[says]);
    }
    for (path, text) in [
        ("src/app.rs", "use crate::backend::http::Route;"),
        ("src/config.rs", "use crate::backend::http::RequestSettings;"),
        ("src/schedule/executor.rs", "fn f() { x.attempt(y); }"),
        ("src/schedule.rs", "#[cfg(test)] mod tests { fn f() { x.attempt(y); } }"),
        ("src/schedule.rs", "#[tokio::test] async fn f() { x.attempt(y); }\nfn g() {}"),
    ] {
        assert_caught(&backend_faults(&house(path, text)), &[]);
    }
    let after = "#[test] fn f() {}\nfn g() { x.attempt(y); }";
    assert_caught(&backend_faults(&house("src/schedule.rs", after)), &["src/schedule.rs:2"]);
}

#[test]
fn a_lint_that_was_taken_out_is_caught() {
    let manifest = read("Cargo.toml");
    let without = manifest.replace("unwrap_used = \"deny\"\n", "");
    assert_caught(&lint_faults(&without), &["unwrap_used"]);
    let weaker = manifest.replace("unsafe_code = \"forbid\"", "unsafe_code = \"deny\"");
    assert_caught(&lint_faults(&weaker), &["unsafe_code"]);
}

#[test]
fn only_tests_above_the_wire_are_its_clients() {
    let test = "#[cfg(test)] mod tests { use crate::proto::v1::Plan; }";
    assert_caught(&floor_faults(&house("src/app.rs", test)), &[]);
    for (path, text) in [
        ("src/app.rs", "use crate::proto::v1::Plan;"),
        ("src/config.rs", "fn f() { let _ = crate::proto::v1::Plan::default(); }"),
        ("src/schedule.rs", test),
    ] {
        assert_caught(&floor_faults(&house(path, text)), &["the wire's types are named only in"]);
    }
}
