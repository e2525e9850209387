//! Sidecall executes the tool calls of an LLM agent's turn.
//!
//! An agent's turn ends with `tool_use` blocks. Sidecall takes the turn over
//! gRPC, resolves what depends on what, runs the rest at once, streams each
//! result as it is done, and ends with one bundle that the model's API accepts
//! as it is.
//!
//! # The map, from the ground up
//!
//! A floor imports only lower floors, never sideways; `tests/architecture.rs`
//! holds the table.
//!
//! | floor | rooms | what they know |
//! |---|---|---|
//! | 0 | [`model`], [`clock`], [`drain`], [`sync`], [`files`], [`proto`] | the words; the time; the process's tasks and end; what threads meet over; files that others change; the wire's types |
//! | 1 | [`telemetry`] | how the process speaks of itself |
//! | 2 | [`plan`], [`limits`], [`locks`], [`retry`], [`cache`], [`budget`], [`overload`], [`policy`], [`shape`], [`format`](mod@format) | what depends on what; whose turn it is; who may touch what; what is tried again; what still holds; what a session may spend; what the machine lets it have; who may call; what a model can take; what providers write |
//! | 3 | [`backend`] | how one attempt is made |
//! | 4 | [`registry`] | which tools there are |
//! | 5 | [`schedule`] | from a turn to its results |
//! | 6 | [`rpc`], [`admin`] | the wire; what operators ask |
//! | 7 | [`config`] | one YAML file |
//! | 8 | [`app`] | the only assembly |
//! | 9 | [`cli`], [`inject`] | the command line; Kubernetes manifests |
//!
//! # The life of a call
//!
//! `rpc` decodes it, `plan` finds what it waits for, `schedule` decides when it
//! runs, `limits` grants its rights, `backend` makes the attempt, `shape` cuts
//! the result, `rpc` streams it.
//!
//! # What never happens
//!
//! - N calls in, N terminal results out: every accepted call ends in exactly one
//!   [`schedule::Event::Finished`], whatever else happens.
//! - Numbers and strings reach a tool as the model wrote them: JSON is carried as
//!   source text ([`model::Json`]) and never written anew.
//! - [`tonic::Status`] and generated types are not named below floor 6.
//! - [`schedule::batch_state`] has no async, clock, randomness or unordered map.
//! - Only `app` constructs backends; only `schedule::executor` invokes them.
//! - Only `config::env` reads the environment, only [`clock`] reads a clock, and
//!   every task is spawned on a [`drain::Drain`].
//! - Every queue, channel and buffer has a bound.

pub mod admin;
pub mod app;
pub mod backend;
pub mod budget;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod drain;
pub mod files;
pub mod format;
pub mod inject;
pub mod limits;
pub mod locks;
pub mod model;
pub mod overload;
pub mod plan;
pub mod policy;
pub mod proto;
pub mod registry;
pub mod retry;
pub mod rpc;
pub mod schedule;
pub mod shape;
pub mod sync;
pub mod telemetry;
