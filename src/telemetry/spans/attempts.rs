//! The spans of attempts: by the conventions of whatever they went to.

use std::sync::Arc;

use opentelemetry::{
    KeyValue, Value,
    trace::{SpanId, SpanKind, Status},
};
use opentelemetry_sdk::trace::SpanData;

use super::{Maker, within};
use crate::telemetry::{
    names::attribute,
    outgoing::{Http, Target},
    record::{Attempt, EndedBatch},
};

impl Maker {
    /// What it went to and how it failed; its times are not told yet.
    pub(super) fn tried(&self, batch: &EndedBatch, attempt: &Attempt, parent: SpanId) -> SpanData {
        let own = within(batch, attempt.span);
        let mut span = match attempt.outgoing.target().map(|target| &**target) {
            Some(Target::Http(http)) => {
                let status = attempt.outgoing.status();
                SpanData {
                    span_kind: SpanKind::Client,
                    attributes: told(http, status, attempt.number),
                    ..self.span(own, parent, format!("{} {}", http.method, http.template))
                }
            }
            Some(Target::Worker(worker)) => SpanData {
                span_kind: SpanKind::Client,
                attributes: vec![
                    KeyValue::new(attribute::TOOL_NAME, self.redactor.line(&worker.tool)),
                    KeyValue::new(attribute::WORKER, self.redactor.line(&worker.worker)),
                ],
                ..self.span(own, parent, self.redactor.line(&format!("run {}", worker.tool)))
            },
            // It failed before there was anything to send.
            None => self.span(own, parent, "attempt"),
        };
        if let Some(code) = attempt.code {
            // The convention's: the status where there is one.
            let kind = match attempt.outgoing.status() {
                Some(status) if status >= 400 => Value::from(status.to_string()),
                _ => Value::from(code.as_str()),
            };
            span.attributes.push(KeyValue::new(attribute::ERROR_TYPE, kind));
            span.status = Status::error(code.as_str());
        }
        span
    }
}

fn told(http: &Http, status: Option<u16>, number: u32) -> Vec<KeyValue> {
    let Http { method, template, url, address, port } = http;
    // Those below, too, and an error's.
    let mut attributes = Vec::with_capacity(8);
    attributes.extend([
        KeyValue::new(attribute::HTTP_METHOD, Arc::clone(method)),
        KeyValue::new(attribute::URL_TEMPLATE, Arc::clone(template)),
        KeyValue::new(attribute::URL_FULL, Arc::clone(url)),
        KeyValue::new(attribute::SERVER_ADDRESS, Arc::clone(address)),
        KeyValue::new(attribute::SERVER_PORT, i64::from(*port)),
    ]);
    if let Some(status) = status {
        attributes.push(KeyValue::new(attribute::HTTP_STATUS, i64::from(status)));
    }
    if number > 1 {
        attributes.push(KeyValue::new(attribute::HTTP_RESEND, i64::from(number - 1)));
    }
    attributes
}
