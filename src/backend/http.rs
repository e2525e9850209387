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
//! - `version`: which version a change is made to.
//! - `reply`, `status`, `quota`: what the answer means.

pub mod client;
mod connect;
pub mod endpoint;
pub mod header;
mod quota;
mod reply;
pub mod settings;
mod status;
pub mod template;
#[cfg(test)]
mod tests;
mod tls;
mod version;

pub use client::Api;
pub use endpoint::Endpoint;
pub use header::{Auth, HeaderName, HeaderValue};
pub use settings::{ApiSettings, BaseUrl, Body, CaBundle, Method, RequestSettings};
pub use template::{JsonTemplate, PathTemplate, TextTemplate};
pub use version::Version;

pub use crate::model::slot::{Fault, Slot};
