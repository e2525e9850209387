//! What the file declares, each key once: its name, type, default and sentence.
//!
//! Nothing here looks across settings; that is [`compile`](super::compile). What
//! is `None` was reported already, and the rest is still looked at.

pub(super) mod admin;
pub(super) mod api;
pub(super) mod bounds;
pub(super) mod breaker;
pub(super) mod cache;
pub(super) mod callers;
pub(super) mod capture;
pub(super) mod claim;
pub(super) mod listen;
pub(super) mod memory;
pub(super) mod otlp;
pub(super) mod process;
pub(super) mod rate;
pub(super) mod request;
pub(super) mod retry;
pub(super) mod secret;
pub(super) mod sessions;
pub(super) mod template;
pub(super) mod tool;
pub(super) mod workers;

use super::file::{Fields, Map, Object, Placed};
use crate::model::{ApiName, ToolName};

/// The whole file.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) listen: Option<listen::Listen>,
    pub(super) callers: Option<Option<Placed<callers::Callers>>>,
    pub(super) apis: Option<Map<ApiName, api::Api>>,
    pub(super) tools: Option<Map<ToolName, tool::Tool>>,
    pub(super) defaults: Option<bounds::Defaults>,
    pub(super) bounds: Option<bounds::Bounds>,
    pub(super) sessions: Option<sessions::Sessions>,
    pub(super) workers: Option<workers::Workers>,
    pub(super) telemetry: Option<process::Telemetry>,
    pub(super) drain: Option<process::Drain>,
}

impl Object for Root {
    const WHAT: &'static str = "the file";
    const DOC: &'static str = "The configuration of Sidecall.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Some(Self {
            listen: fields.section("listen"),
            callers: fields.optional(
                "callers",
                "Who may call, and what. Everyone who can reach a listener, where nothing is said.",
            ),
            apis: fields
                .optional("apis", "The upstreams that tools share, by name.")
                .map(Option::unwrap_or_default),
            tools: fields
                .optional("tools", "What the model may call, by name.")
                .map(Option::unwrap_or_default),
            defaults: fields.section("defaults"),
            bounds: fields.section("bounds"),
            sessions: fields.section("sessions"),
            workers: fields.section("workers"),
            telemetry: fields.section("telemetry"),
            drain: fields.section("drain"),
        })
    }
}
