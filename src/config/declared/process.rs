//! `telemetry:` and `drain:`.

use std::time::Duration;

use serde_json::{Value as Schema, json};

use super::{
    capture::Capture,
    otlp::{Otlp, Ratio},
};
use crate::{
    config::file::{
        Decoder, Fields, Node, Object, Setting, Shown,
        scalar::{OneOf, Word},
    },
    telemetry::log,
};

/// What the process says of itself.
#[derive(Debug)]
pub(crate) struct Telemetry {
    pub(crate) log: log::Settings,
    pub(crate) otlp: Otlp,
    pub(crate) sampling: Option<Ratio>,
    pub(crate) capture: Capture,
}

impl Object for Telemetry {
    const WHAT: &'static str = "`telemetry`";
    const DOC: &'static str = "What the process says of itself.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let log = fields.section::<Log>("log");
        let otlp = fields.section::<Otlp>("otlp");
        let sampling = fields.optional::<Ratio>(
            "sampling",
            "Which part of the traces that begin here is recorded, from 0 to 1; all where nothing \
             is said. A caller's own trace is recorded as its caller decided.",
        );
        let capture = fields.section::<Capture>("capture");
        Some(Self { log: log?.0, otlp: otlp?, sampling: sampling?, capture: capture? })
    }
}

#[derive(Debug)]
struct Log(log::Settings);

impl Object for Log {
    const WHAT: &'static str = "`telemetry.log`";
    const DOC: &'static str = "Logs, on stderr.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let filter = fields.or(
            "filter",
            Filter("info".to_owned()),
            "What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), also by module, \
             as in `info,sidecall::rpc=debug`.",
        );
        let format = fields.or(
            "format",
            OneOf(log::Format::Human),
            "The form of a line: `human` for people, `json` for one JSON object a line.",
        );
        let (Filter(filter), OneOf(format)) = (filter?, format?);
        Some(Self(log::Settings { filter, format }))
    }
}

impl Word for log::Format {
    const WHAT: &'static str = "a log format";
    const ALL: &'static [(&'static str, Self)] = &[("human", Self::Human), ("json", Self::Json)];
}

/// A `tracing` filter.
#[derive(Debug)]
struct Filter(String);

impl Setting for Filter {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        match log::levels::check(&text) {
            Ok(()) => Some(Self(text)),
            Err(log::levels::Fault { what, fix }) => {
                decoder.fault(node.span, what, fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        let most = log::levels::FILTER_BYTES_MAX;
        json!({"type": "string", "minLength": 1, "maxLength": most, "examples": ["info", "warn,sidecall=debug"]})
    }
}

impl Shown for Filter {
    fn shown(&self) -> Schema {
        json!(self.0)
    }
}

/// How the process ends.
#[derive(Debug)]
pub(crate) struct Drain {
    pub(crate) timeout: Duration,
}

impl Object for Drain {
    const WHAT: &'static str = "`drain`";
    const DOC: &'static str = "How the process ends once it is told to.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let timeout = fields.or(
            "timeout",
            Duration::from_secs(25),
            "How long running batches may go on. Keep it below the pod's \
             `terminationGracePeriodSeconds`.",
        );
        Some(Self { timeout: timeout? })
    }
}
