//! What `deploy/` holds: the charts with every value and every pair of values, the
//! kustomize components and the examples, held against what a cluster takes, against
//! each other, and against the program whose configuration they carry.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "it/support/addresses.rs"]
mod addresses;

#[path = "deploy/tools.rs"]
mod tools;

#[path = "deploy/changes.rs"]
mod changes;

#[path = "deploy/many.rs"]
mod many;

#[path = "deploy/charts.rs"]
mod charts;

#[path = "deploy/promises.rs"]
mod promises;

#[path = "deploy/edges.rs"]
mod edges;

#[path = "deploy/refusals.rs"]
mod refusals;

#[path = "deploy/components.rs"]
mod components;

#[path = "deploy/examples.rs"]
mod examples;

#[path = "deploy/serves.rs"]
mod serves;

#[path = "deploy/scan.rs"]
mod scan;
