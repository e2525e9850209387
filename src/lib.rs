//! Sidecall executes the tool calls of an LLM agent's turn.
pub mod app;
pub mod backend;
pub mod cli;
pub mod clock;
pub mod config;
pub mod drain;
pub mod format;
pub mod limits;
pub mod model;
pub mod plan;
pub mod proto;
pub mod registry;
pub mod rpc;
pub mod schedule;
pub mod shape;
pub mod telemetry;
