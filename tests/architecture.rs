//! The house's floors, as data: who may name whom, and what must be absent.
//!
//! A fault is the offending line with what to do about it. Each check is shown
//! to catch what it is for.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs};

#[path = "architecture/source.rs"]
mod source;

#[path = "architecture/absences.rs"]
mod absences;

#[path = "architecture/catches.rs"]
mod catches;

use source::Source;

/// The floors. A room imports only from lower floors, never sideways; a path
/// belongs to the longest room that it begins with. A part of a room that has
/// siblings (`backend::http`) may use what the room itself holds.
const FLOORS: &[(u8, &[&str])] = &[
    (9, &["main", "cli", "inject"]),
    (8, &["app"]),
    (7, &["config"]),
    (6, &["rpc", "console", "admin"]),
    (5, &["schedule"]),
    (4, &["registry"]),
    (
        3,
        &[
            "backend",
            "backend::http",
            "backend::mcp",
            "backend::grpc",
            "backend::process",
            "backend::postgres",
            "backend::worker",
        ],
    ),
    (
        2,
        &[
            "plan", "limits", "locks", "retry", "shape", "journal", "cache", "budget", "policy",
            "overload", "format",
        ],
    ),
    (1, &["telemetry"]),
    (0, &["model", "clock", "drain", "sync", "files"]),
];

/// The pairs of a floor that may meet: the program runs its command line, and one
/// of its commands is `inject`.
const NEIGHBOURS: &[(&str, &str)] = &[("main", "cli"), ("cli", "inject")];

/// Stands beside the floors: the wire's generated types.
const WIRE: &str = "proto";

/// Who may name the wire's types. Above `rpc` a test may too: it is a client.
const SPEAKS_WIRE: &[&str] = &["rpc", "cli", "backend::worker", "backend::grpc"];

/// Below this floor nobody knows gRPC's status.
const STATUS_FLOOR: u8 = 6;

/// The room of an absolute path, and its floor.
fn room(path: &[String]) -> Option<(&'static str, u8)> {
    let path = path.strip_prefix(&["crate".to_owned()]).unwrap_or(path);
    let rooms = FLOORS.iter().flat_map(|(floor, rooms)| rooms.iter().map(|room| (*room, *floor)));
    rooms
        .filter(|(room, _)| {
            let parts: Vec<&str> = room.split("::").collect();
            path.len() >= parts.len() && path.iter().zip(&parts).all(|(a, b)| a == b)
        })
        .max_by_key(|(room, _)| room.len())
}

/// Every module that these files are, with the inline ones left out: those are
/// rooms of nobody.
fn modules(sources: &[Source]) -> BTreeSet<Vec<String>> {
    sources.iter().map(Source::module).collect()
}

/// Every path of `sources` that leads upwards, sideways or nowhere.
fn floor_faults(sources: &[Source]) -> Vec<String> {
    let modules = modules(sources);
    let mut faults = Vec::new();
    for source in sources {
        let module = source.module();
        // The library's root is the map and names every room.
        if module.is_empty() || module == [WIRE] {
            continue;
        }
        let Some((home, floor)) = room(&module) else {
            faults.push(format!(
                "{}:1: `{}` stands on no floor: give it one in tests/architecture.rs",
                source.path,
                module.join("::")
            ));
            continue;
        };
        for mention in source.mentions(&modules) {
            if let Some(why) = objection(home, floor, &mention.path)
                && !is_client(&mention, floor)
            {
                faults.push(format!(
                    "{}:{}: `{home}` (floor {floor}) names `{}`: {why}",
                    source.path,
                    mention.line,
                    mention.path.join("::")
                ));
            }
        }
    }
    faults
}

/// Whether a test of what stands above the wire names the wire's types.
fn is_client(mention: &source::Mention, floor: u8) -> bool {
    mention.in_tests && floor > STATUS_FLOOR && mention.path.get(1).is_some_and(|room| room == WIRE)
}

/// Why the room `home` may not name `path`, if it may not.
fn objection(home: &str, floor: u8, path: &[String]) -> Option<String> {
    if path[0] != "crate" {
        let is_status = path[0] == "tonic"
            && path[1..].iter().any(|part| part == "Status" || part == "Code" || part == "*");
        return (is_status && floor < STATUS_FLOOR && !SPEAKS_WIRE.contains(&home))
            .then(|| format!("gRPC's status is not known below floor {STATUS_FLOOR}"));
    }
    match path.get(1).map(String::as_str) {
        None | Some("*") => Some("name the module that is meant, not the root".to_owned()),
        Some(WIRE) => (!SPEAKS_WIRE.contains(&home)).then(|| {
            format!("the wire's types are named only in {}: speak `model`", SPEAKS_WIRE.join(", "))
        }),
        Some(_) => {
            let Some((target, target_floor)) = room(path) else {
                return Some("it stands on no floor: give it one".to_owned());
            };
            let is_inside = target == home || home.starts_with(&format!("{target}::"));
            let is_below = target_floor < floor;
            let is_allowed = is_inside || is_below || NEIGHBOURS.contains(&(home, target));
            (!is_allowed).then(|| {
                format!("`{target}` is on floor {target_floor}; only lower floors may be named")
            })
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR")))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with every fault on a line of its own.
#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_room_names_lower_floors_only() {
    let sources = Source::read_all("src");
    assert!(sources.len() > 20, "only {} files found below src", sources.len());
    assert_none(&floor_faults(&sources));
}
