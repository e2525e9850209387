//! `telemetry.capture:`.

use serde_json::{Value as Schema, json};

use crate::{
    config::file::{
        Decoder, Fields, Node, Object, Setting,
        scalar::{OneOf, Size, Word},
    },
    telemetry::capture::Settings,
};

/// Bytes of an input or a result: some lines at least, and no more than a page that
/// shows a trace can take.
pub(crate) type Bytes = Size<64, { 64 << 10 }>;

/// What spans hold of inputs and results. What is not said here may be said by the
/// environment.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) inputs: Option<OneOf<Captured>>,
    pub(crate) results: Option<OneOf<Captured>>,
    pub(crate) bytes: Bytes,
    pub(crate) keys: Vec<Key>,
}

impl Object for Capture {
    const WHAT: &'static str = "`telemetry.capture`";
    const DOC: &'static str = "What the spans of calls hold of their inputs and results: nothing, unless it is \
                               switched on here or by `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let inputs = fields.optional(
            "inputs",
            "Whether inputs are captured: `on` or `off`, whatever the environment says.",
        );
        let results = fields.optional(
            "results",
            "Whether results are captured: `on` or `off`, whatever the environment says.",
        );
        let bytes = fields.or(
            "bytes",
            Size(Settings::BYTES_MAX.get()),
            "Most bytes of an input and of a result; one that is cut says so.",
        );
        let keys = fields.optional(
            "redact",
            "Keys whose values are hidden, beside `password`, `token`, `api_key` and their like.",
        );
        Some(Self {
            inputs: inputs?,
            results: results?,
            bytes: bytes?,
            keys: keys?.unwrap_or_default(),
        })
    }
}

/// Whether something is captured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Captured {
    On,
    Off,
}

impl Word for Captured {
    const WHAT: &'static str = "a setting of `capture`";
    const ALL: &'static [(&'static str, Self)] = &[("on", Self::On), ("off", Self::Off)];
}

/// A key whose value is secret.
#[derive(Debug)]
pub(crate) struct Key(pub(crate) String);

impl Setting for Key {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        if !Settings::is_key(&text) {
            let fix = "write its words, such as `tax_id`, in whatever style";
            decoder.fault(node.span, format!("`{text}` has no letter and no digit"), fix);
            return None;
        }
        Some(Self(text))
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "[\\p{L}\\p{N}]", "examples": ["tax_id"]})
    }
}
