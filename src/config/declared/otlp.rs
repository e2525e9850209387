//! `telemetry.otlp:` and `telemetry.sampling:`.

use std::{num::NonZeroUsize, time::Duration};

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Schema, json};

use super::secret::Secret;
use crate::{
    backend::http::HeaderName,
    config::file::{
        Decoder, Fields, Map, Node, Object, Setting, Shown,
        decode::Name,
        scalar::{Count, written},
    },
    telemetry::export::Settings,
};

/// Spans that may wait.
pub(crate) type Queue = Count<1_000_000>;

/// Where traces go. What is not said here may be said by the environment.
#[derive(Debug, Default)]
pub(crate) struct Otlp {
    pub(crate) endpoint: Option<String>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) queue: Option<NonZeroUsize>,
    pub(crate) delay: Option<Duration>,
    pub(crate) interval: Option<Duration>,
}

impl Object for Otlp {
    const WHAT: &'static str = "`telemetry.otlp`";
    const DOC: &'static str = "The OpenTelemetry collector that traces and metrics are sent to, over OTLP and \
                               gRPC. Nowhere, where no `endpoint` is named here or by \
                               `OTEL_EXPORTER_OTLP_ENDPOINT`.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let endpoint = fields
            .optional::<Endpoint>("endpoint", "Its address: `http://127.0.0.1:4317`, or `https`.");
        let headers = fields.optional::<Map<Metadata, Token>>(
            "headers",
            "Headers that go with every message, their values as secrets.",
        );
        let timeout =
            fields.optional("timeout", "How long a message may take; 10 s where nothing is said.");
        let queue = fields.optional::<Queue>(
            "queue",
            "Most spans that wait to be sent; what comes beyond is dropped and counted. 32768 \
             where nothing is said.",
        );
        let delay = fields.optional(
            "delay",
            "How long a span waits for others to leave with; 1 s where nothing is said.",
        );
        let interval = fields.optional(
            "interval",
            "How often what was measured is sent; every 60 s where nothing is said.",
        );
        let headers = headers?.unwrap_or_default().0.into_iter();
        Some(Self {
            endpoint: endpoint?.map(|Endpoint(endpoint)| endpoint),
            headers: headers.filter_map(|entry| Some((entry.name?.0, entry.value?.0))).collect(),
            timeout: timeout?,
            queue: queue?.map(|Count(queue)| queue),
            delay: delay?,
            interval: interval?,
        })
    }
}

/// The collector's address.
#[derive(Debug)]
struct Endpoint(String);

impl Setting for Endpoint {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        match Settings::check(&text) {
            Ok(()) => Some(Self(text)),
            Err(what) => {
                decoder.fault(node.span, what, "write `http://127.0.0.1:4317`");
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^https?://[^/@?#]+/?$", "examples": ["http://127.0.0.1:4317"]})
    }
}

/// The name of a header; any may carry credentials, since every value is a
/// secret.
#[derive(Debug)]
struct Metadata(HeaderName);

impl Name for Metadata {
    fn read(text: &str) -> Result<Self, (usize, String, String)> {
        let name = HeaderName::try_new(text);
        name.map(Self).map_err(|fault| (fault.offset, fault.problem, fault.fix))
    }

    fn schema() -> Schema {
        <HeaderName as Name>::schema()
    }
}

/// The value of a header, from where secrets come from.
#[derive(Debug)]
pub(crate) struct Token(HeaderValue);

impl Setting for Token {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Secret(secret) = Secret::decode(node, decoder)?;
        let value = header(&secret);
        if value.is_none() {
            let fix = "look at the variable or file that it comes from: a line break in it?";
            decoder.fault(node.span, "the value cannot stand in a header", fix);
        }
        value.map(Self)
    }

    fn schema() -> Schema {
        Secret::schema()
    }
}

fn header(secret: &SecretString) -> Option<HeaderValue> {
    let text = secret.expose_secret();
    let mut value = HeaderValue::from_str(text).ok().filter(|_| text.is_ascii())?;
    value.set_sensitive(true);
    Some(value)
}

/// A part of all: from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio(pub(crate) f64);

impl Ratio {
    /// Reads it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        text.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).map(Self)
    }
}

impl Setting for Ratio {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let expected = "a number from 0 to 1, such as `0.1`";
        let Some(text) = written(node) else {
            decoder.mismatch(node, expected);
            return None;
        };
        let ratio = Self::read(text).filter(|_| node.as_text().is_none());
        if ratio.is_none() {
            let what = format!("`{text}` is no part of all");
            decoder.fault(node.span, what, format!("write {expected}"));
        }
        ratio
    }

    fn schema() -> Schema {
        json!({"type": "number", "minimum": 0, "maximum": 1})
    }
}

impl Shown for Ratio {
    fn shown(&self) -> Schema {
        json!(self.0)
    }
}
