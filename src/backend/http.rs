//! Attempts over HTTP.
//!
//! An [`Api`] is one upstream: its origin, credentials and connection pool,
//! shared by its tools. An [`Endpoint`] is one tool's way to it: a request made
//! of templates whose slots take fields of the call's input.
//!
//! - `settings`, `header`: what the configuration says, parsed into types that
//!   cannot be wrong.
//! - `template`: text, paths and JSON with slots.
//! - `endpoint`: one tool's requests, from input to bytes.
//! - `connect`, `tls`, `client`: an API's connections, and one exchange.
//! - `reply`, `status`: what the answer means.

use std::fmt;

pub mod client;
mod connect;
pub mod endpoint;
pub mod header;
mod reply;
pub mod settings;
mod status;
pub mod template;
#[cfg(test)]
mod tests;
mod tls;

pub use client::Api;
pub use endpoint::Endpoint;
pub use header::{Auth, HeaderName, HeaderValue};
pub use settings::{ApiSettings, BaseUrl, Body, CaBundle, Method, RequestSettings};
pub use template::{JsonTemplate, PathTemplate, Slot, TextTemplate};

/// What is wrong with the text of a setting, where, and what to write instead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Where in the text, in bytes from its beginning.
    pub offset: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

impl Fault {
    fn new(offset: usize, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { offset, problem: problem.into(), fix: fix.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.fix)
    }
}

impl std::error::Error for Fault {}
