//! The whole program over the real wire: the server in this process, a client
//! with nothing but stubs, scripted HTTP peers, real clients of other
//! languages. A module for each behaviour.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod admin;
mod agent_loops;
mod breakers;
mod broken_tools;
mod budgets;
mod bundle;
mod callers;
mod cancelling;
mod clients;
mod collectors;
mod counters;
mod deadlines;
mod failures;
mod fan_out;
mod isolation;
mod jaeger;
mod ledger;
mod locks;
mod malformed;
mod nested_tasks;
mod one_span_per_call;
mod ordering;
mod parallel_turns;
mod pushed_metrics;
mod rates;
mod references;
mod refusals;
mod reload;
mod requests;
mod results;
mod retries;
mod saturation;
mod secrets;
mod shapes;
mod sharing;
mod status;
mod storms;
mod streaming;
mod support;
mod the_peer;
mod tls;
mod tracing;
mod versions;
mod wire;
mod worker_bounds;
mod worker_processes;
mod worker_telemetry;
mod workers;
