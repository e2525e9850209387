//! That nothing is missing from what a world told of itself: no span left open, and
//! of those that were told no orphan, none twice, none outside its parent's times, and
//! one for each call.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use sidecall::telemetry::tracer::Tracer;

use super::{
    Collector,
    collector::{Seen, named_as},
};

/// Follows a world to its end.
pub(crate) struct Watch {
    tracer: Option<Tracer>,
    /// The world's own, where its test does not say where telemetry goes.
    collector: Option<Collector>,
}

impl Watch {
    /// Begins before the world does. Gives what is said in its configuration.
    pub(crate) async fn begin(yaml: &str) -> (Option<Collector>, String) {
        let has_its_own = yaml.lines().any(|line| line.starts_with("telemetry:"));
        if has_its_own {
            return (None, yaml.to_owned());
        }
        let collector = Collector::start().await;
        // All of it leaves at the end, where it disturbs nobody.
        let otlp = format!("{{endpoint: '{}', delay: 1h, interval: 1h}}", collector.url());
        (Some(collector), format!("{yaml}\ntelemetry: {{otlp: {otlp}}}\n"))
    }

    pub(crate) fn new(tracer: Option<Tracer>, collector: Option<Collector>) -> Self {
        Self { tracer, collector }
    }

    /// The world has ended, and everything in it.
    #[track_caller]
    pub(crate) fn end(self) {
        let Some(tracer) = self.tracer else { return };
        assert_eq!(tracer.spans_open(), 0, "spans are left open");
        let Some(collector) = self.collector else { return };
        let spans = collector.all();
        let faults = faults(&spans);
        // What was lost on its way may be anybody's parent; what found no room is not.
        if tracer.dropped() == tracer.refused() {
            assert!(faults.is_empty(), "{faults:#?} in {spans:#?}");
        }
    }
}

/// What is wrong with spans of which none is missing.
pub(crate) fn faults(spans: &[Seen]) -> Vec<String> {
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (span.id(), span)).collect();
    let mut faults = Vec::new();
    if by_id.len() < spans.len() {
        faults.push("an id stands twice".to_owned());
    }
    let mut calls: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for span in spans {
        let parent = by_id.get(&span.parent());
        if parent.is_some_and(|parent| parent.trace_id() != span.trace_id()) {
            faults.push(format!("{} is in another trace than its parent", span.name()));
        }
        if let Some(parent) = parent.filter(|parent| !span.is_within(parent)) {
            let (name, of) = (span.name(), parent.name());
            faults.push(format!("{name} is not within the times of {of}: {span:?} {parent:?}"));
        }
        let is_call = span.attribute("gen_ai.operation.name") == "execute_tool";
        let within = match (span.kind(), is_call) {
            // Its parent is the caller's.
            (SpanKind::Server, _) => continue,
            (SpanKind::Internal, true) => "batch",
            (SpanKind::Internal, false) if span.name() == "batch" => "sidecall.v1.",
            _ => "execute_tool",
        };
        if !parent.is_some_and(|parent| parent.name().starts_with(within)) {
            let parent = parent.map(|parent| parent.name());
            faults.push(format!("{} stands in {parent:?}, not in {within}", span.name()));
        }
        if is_call {
            calls.entry(span.parent()).or_default().push(span.attribute("gen_ai.tool.call.id"));
        }
    }
    for batch in named_as(spans, "batch") {
        let calls = calls.remove(&batch.id()).unwrap_or_default();
        let ids: BTreeSet<_> = calls.iter().collect();
        let width = batch.attribute("sidecall.batch.width");
        if ids.len() != calls.len() || calls.len().to_string() != width {
            faults.push(format!("a batch of {width} calls has spans of {calls:?}"));
        }
    }
    faults
}
