//! Puts the sidecar into Kubernetes manifests, and takes it out again.
//!
//! A manifest is text that people keep: comments, order, quotes and anchors stay
//! as they are. So the text is read into a [tree] that knows the place of
//! each part, the rules ([`add`], [`remove`]) ask for changes to that tree, those
//! that would be seen elsewhere through an alias are refused ([`shared`]), the rest
//! is cut into the text ([`edit`]), and the text that comes out is read again and
//! held against what it was to become ([`verify`]).
//!
//! On the pod stays a record of what was there ([`record`]): taken out again, the
//! text is the one that went in.

mod add;
mod asked;
mod edit;
mod extent;
mod growth;
mod join;
mod parse;
mod record;
mod remove;
mod render;
mod report;
mod shared;
mod sidecar;
mod tree;
mod turn;
mod verify;
mod workload;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use asked::{are_secrets, is_config_map, is_container, is_image};
pub use join::{among_others, mark};
pub(crate) use parse::BYTES_MAX;
pub use report::{Report, Verdict};
pub use turn::{inject, uninject};

/// The image of a sidecar when none is named.
pub const IMAGE: &str = concat!("sidecall:", env!("CARGO_PKG_VERSION"));
/// The ConfigMap when none is named.
pub const CONFIG_MAP: &str = "sidecall-config";

/// Where the sidecar stands in a pod.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Layout {
    /// An init container that stays: it is ready before the containers start and
    /// ends after them. Kubernetes 1.29 and later.
    #[default]
    Native,
    /// One more container.
    Classic,
}

/// What every workload gets that does not say otherwise.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The image; [`IMAGE`] where none is named.
    pub image: Option<String>,
    /// The ConfigMap with `sidecall.yaml`; [`CONFIG_MAP`] where none is named.
    pub config_map: Option<String>,
    /// Secrets, each a folder of files for the sidecar.
    pub secrets: Vec<String>,
    /// Where the sidecar stands.
    pub layout: Option<Layout>,
    /// The containers that are to reach it; all where none are named.
    pub containers: Option<Vec<String>>,
    /// How long the configuration lets the sidecar drain.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image: None,
            config_map: None,
            secrets: Vec::new(),
            layout: None,
            containers: None,
            drain: Duration::from_secs(25),
        }
    }
}

/// A text with its changes, and what was done.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The text.
    pub text: String,
    /// What was done with each workload, in the order of the text.
    pub reports: Vec<Report>,
    /// How many objects are no workloads.
    pub others: usize,
}

/// A text that cannot be read: nothing is changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct Error {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong, and what to do.
    pub what: String,
}
