//! The names against OpenTelemetry's conventions, as their registry has them: a
//! table of what of it is used, and where it was read.

use std::collections::BTreeSet;

use opentelemetry::{
    KeyValue, Value,
    trace::{SpanKind, Status},
};
use opentelemetry_sdk::{
    metrics::data::{AggregatedMetrics, MetricData},
    trace::SpanData,
};

use super::*;

/// A type of the registry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Text,
    Int,
    /// Structured, or JSON in a string where spans have nothing better.
    Any,
}

// Where each row was read: repository, commit, file.
const GEN_AI: &str = "open-telemetry/semantic-conventions-genai \
                      e8fc5751506258db1459d1bde47994e01dee922e model/gen-ai/registry.yaml";
const GEN_AI_METRICS: &str = "open-telemetry/semantic-conventions-genai \
                              004902b8cb70aa5ae6ca4ae07132b7daabcd3e10 \
                              model/gen-ai/{metrics,spans}.yaml docs/gen-ai/gen-ai-metrics.md";
const GEN_AI_SPANS: &str = "open-telemetry/semantic-conventions-genai \
                            002c8a6ea1c8a42b14a4527db83b3cabcded610a model/gen-ai/spans.yaml";
const HTTP_SPANS: &str = "open-telemetry/semantic-conventions \
                          02c448a70659340c7921e0f00955764ea72a3ad0 model/http/spans.yaml, \
                          1ebf1557c025c28b21b760ed26dc26c89fbd68a1 model/http/common.yaml";
const GRPC: &str = "open-telemetry/semantic-conventions \
                    556f7bdb62fd1e6f89cee07b88e52ddb35f0c495 model/rpc/grpc.yaml";
const RPC_METRICS: &str = "open-telemetry/semantic-conventions \
                           160132eac1ede872f49eecc8efe85fd23debb404 model/rpc/metrics.yaml, \
                           36884c9c7450a52d4442c14ce1f97154a986e052 docs/rpc/rpc-metrics.md";
const HTTP: &str = "open-telemetry/semantic-conventions \
                    0325d15e01ca6293d2a97a8969f9273e4b9225f2 model/http/registry.yaml";
const URL: &str = "open-telemetry/semantic-conventions \
                   12e714652e248bbf18ef51f7ef9039739dc12ca2 model/url/registry.yaml";
const SERVER: &str = "open-telemetry/semantic-conventions \
                      2551ae7106cc1a0bb068b62f3ad118e1c859026f model/server/registry.yaml";
const ERROR: &str = "open-telemetry/semantic-conventions \
                     0662005b15aaf4550e8ce4222799c99d266d996e model/error/registry.yaml";

/// Attributes: name, type, where it was read.
const ATTRIBUTES: &[(&str, Kind, &str)] = &[
    ("error.type", Kind::Text, ERROR),
    ("gen_ai.conversation.id", Kind::Text, GEN_AI),
    ("gen_ai.operation.name", Kind::Text, GEN_AI),
    ("gen_ai.tool.call.arguments", Kind::Any, GEN_AI),
    ("gen_ai.tool.call.id", Kind::Text, GEN_AI),
    ("gen_ai.tool.call.result", Kind::Any, GEN_AI),
    ("gen_ai.tool.description", Kind::Text, GEN_AI),
    ("gen_ai.tool.name", Kind::Text, GEN_AI),
    ("gen_ai.tool.type", Kind::Text, GEN_AI),
    ("http.request.method", Kind::Text, HTTP),
    ("http.request.resend_count", Kind::Int, HTTP),
    ("http.response.status_code", Kind::Int, HTTP),
    ("rpc.method", Kind::Text, GRPC),
    ("rpc.status_code", Kind::Text, GRPC),
    ("rpc.system.name", Kind::Text, GRPC),
    ("server.address", Kind::Text, SERVER),
    ("server.port", Kind::Int, SERVER),
    ("url.full", Kind::Text, URL),
    ("url.template", Kind::Text, URL),
];

/// Values that the registry names, where an attribute has others than free ones.
const VALUES: &[(&str, &[&str])] = &[
    ("gen_ai.operation.name", &["execute_tool"]),
    ("gen_ai.tool.type", &["function", "extension", "datastore"]),
    ("rpc.system.name", &["grpc"]),
];

/// A span of the conventions.
struct Span {
    kind: SpanKind,
    /// What it is called: attributes in braces.
    names: &'static [&'static str],
    /// Attributes that each has.
    required: &'static [&'static str],
    /// Others that it may have.
    optional: &'static [&'static str],
    read_at: &'static str,
}

const EXECUTE_TOOL: Span = Span {
    kind: SpanKind::Internal,
    // A name that no tool has is the model's own words: no name for a span.
    names: &["execute_tool {gen_ai.tool.name}", "execute_tool"],
    required: &["gen_ai.operation.name", "gen_ai.tool.name"],
    optional: &[
        "error.type",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.id",
        "gen_ai.tool.call.result",
        "gen_ai.tool.description",
        "gen_ai.tool.type",
    ],
    read_at: GEN_AI_SPANS,
};

const RPC_SERVER: Span = Span {
    kind: SpanKind::Server,
    names: &["{rpc.method}"],
    required: &["rpc.system.name", "rpc.status_code"],
    optional: &["error.type", "rpc.method", "server.address", "server.port"],
    read_at: GRPC,
};

const HTTP_CLIENT: Span = Span {
    kind: SpanKind::Client,
    names: &["{http.request.method} {url.template}"],
    required: &["http.request.method", "server.address", "server.port", "url.full"],
    optional: &[
        "error.type",
        "http.request.resend_count",
        "http.response.status_code",
        "url.template",
    ],
    read_at: HTTP_SPANS,
};

/// No convention's: an attempt that a worker makes.
const WORKER_CLIENT: Span = Span {
    kind: SpanKind::Client,
    names: &["run {gen_ai.tool.name}"],
    required: &["gen_ai.tool.name", "sidecall.worker.name"],
    optional: &["error.type"],
    read_at: "docs/telemetry.md",
};

/// A histogram of the conventions.
struct Histogram {
    name: &'static str,
    unit: &'static str,
    bounds: &'static [f64],
    /// Attributes that each point has.
    required: &'static [&'static str],
    /// Others that it may have.
    optional: &'static [&'static str],
    read_at: &'static str,
}

const HISTOGRAMS: &[Histogram] = &[
    Histogram {
        name: "gen_ai.execute_tool.duration",
        unit: "s",
        bounds: &[
            0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
        ],
        required: &["gen_ai.tool.name"],
        optional: &["error.type", "gen_ai.agent.name", "gen_ai.tool.type"],
        read_at: GEN_AI_METRICS,
    },
    Histogram {
        name: "rpc.server.call.duration",
        unit: "s",
        bounds: &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0],
        required: &["rpc.system.name", "rpc.status_code"],
        optional: &["error.type", "rpc.method", "server.address", "server.port"],
        read_at: RPC_METRICS,
    },
];

/// An attribute that was emitted is ours, or is as the registry has it.
#[track_caller]
pub(in crate::telemetry) fn assert_attribute(attribute: &KeyValue) {
    let (name, value) = (attribute.key.as_str(), &attribute.value);
    if name.starts_with("sidecall.") {
        return;
    }
    let row = ATTRIBUTES.iter().find(|row| row.0 == name);
    let (_, kind, read_at) = row.unwrap_or_else(|| panic!("no convention has {name}"));
    let is_right = match value {
        Value::String(_) => *kind != Kind::Int,
        Value::I64(_) => *kind == Kind::Int,
        _ => false,
    };
    assert!(is_right, "{name}={value:?} is {kind:?} in {read_at}");
    if let Some((_, values)) = VALUES.iter().find(|row| row.0 == name) {
        assert!(values.contains(&&*value.as_str()), "{name}={value:?} is none of {values:?}");
    }
}

/// A span that was made is as the conventions have it, and so is each of its
/// attributes. One that is ours has no name of theirs.
#[track_caller]
pub(in crate::telemetry) fn assert_span(span: &SpanData) {
    span.attributes.iter().for_each(assert_attribute);
    let text = |name: &str| {
        let mut of = span.attributes.iter().filter(|pair| pair.key.as_str() == name);
        of.next().map(|pair| pair.value.as_str().into_owned())
    };
    let row = match span.span_kind {
        SpanKind::Server => &RPC_SERVER,
        SpanKind::Client if text("sidecall.worker.name").is_some() => &WORKER_CLIENT,
        SpanKind::Client => &HTTP_CLIENT,
        _ if text("gen_ai.operation.name").is_some() => &EXECUTE_TOOL,
        _ => return,
    };
    assert_eq!(span.span_kind, row.kind, "{span:?}");
    let has: BTreeSet<_> = span.attributes.iter().map(|pair| pair.key.as_str()).collect();
    let theirs: BTreeSet<_> =
        has.iter().copied().filter(|name| !name.starts_with("sidecall.")).collect();
    let required: BTreeSet<_> = row.required.iter().copied().collect();
    let allowed = required.iter().chain(row.optional).copied().collect();
    assert!(has.is_superset(&required), "{has:?} in {}", row.read_at);
    assert!(theirs.is_subset(&allowed), "{theirs:?} in {}", row.read_at);
    assert_eq!(has.len(), span.attributes.len(), "an attribute twice: {span:?}");
    let is_error = matches!(span.status, Status::Error { .. });
    assert_eq!(has.contains("error.type"), is_error, "{span:?} in {}", row.read_at);
    let is_called_so = row.names.iter().any(|name| {
        let parts = theirs.iter().fold((*name).to_owned(), |name, attribute| {
            name.replace(&format!("{{{attribute}}}"), &text(attribute).unwrap_or_default())
        });
        parts == span.name
    });
    assert!(is_called_so, "{} is none of {:?} in {}", span.name, row.names, row.read_at);
}

#[test]
fn every_attribute_that_is_not_ours_is_in_the_table_and_the_other_way_round() {
    let source = include_str!("../names.rs");
    let (_, attributes) = source.split_once("pub mod attribute {").unwrap();
    let mut ours: BTreeSet<_> = attributes
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub const ")?.split('"').nth(1))
        .filter(|name| !name.starts_with("sidecall."))
        .collect();
    let table: BTreeSet<_> = ATTRIBUTES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(ours, table);
    // What spans and metrics may have is of known types too; of an agent's name and of
    // its own address no span here says anything.
    let spans = [EXECUTE_TOOL, RPC_SERVER, HTTP_CLIENT];
    let of_spans = spans.iter().flat_map(|span| span.required.iter().chain(span.optional));
    let of_metrics = HISTOGRAMS.iter().flat_map(|row| row.required.iter().chain(row.optional));
    ours.insert("gen_ai.agent.name");
    for name in of_spans.chain(of_metrics) {
        assert!(ours.contains(name), "{name} is not in the table");
    }
}

/// A metric that was emitted is ours, or is as the registry has it, with at least
/// one point. Says which.
#[track_caller]
pub(in crate::telemetry) fn assert_metric(
    metric: &opentelemetry_sdk::metrics::data::Metric,
) -> bool {
    let name = metric.name();
    if name.starts_with("sidecall.") {
        return false;
    }
    let row = HISTOGRAMS.iter().find(|row| row.name == name);
    let row = row.unwrap_or_else(|| panic!("no convention has {name}"));
    assert_eq!(metric.unit(), row.unit, "{name} in {}", row.read_at);
    let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else {
        panic!("{name} is no histogram: {metric:?}");
    };
    assert!(histogram.data_points().next().is_some(), "{name} was not measured");
    for point in histogram.data_points() {
        let bounds: Vec<_> = point.bounds().collect();
        assert_eq!(bounds, row.bounds, "{name} in {}", row.read_at);
        point.attributes().for_each(assert_attribute);
        let has: BTreeSet<_> = point.attributes().map(|pair| pair.key.as_str()).collect();
        let required: BTreeSet<_> = row.required.iter().copied().collect();
        let allowed: BTreeSet<_> = required.iter().chain(row.optional).copied().collect();
        assert!(has.is_superset(&required), "{name} {has:?} in {}", row.read_at);
        assert!(has.is_subset(&allowed), "{name} {has:?} in {}", row.read_at);
    }
    true
}

/// The attributes of a metric's points.
pub(in crate::telemetry) fn each_label(
    metric: &opentelemetry_sdk::metrics::data::Metric,
    mut label: impl FnMut(&str),
) {
    let mut each = |pair: &KeyValue| label(pair.key.as_str());
    match metric.data() {
        AggregatedMetrics::F64(MetricData::Histogram(data)) => {
            data.data_points().for_each(|point| point.attributes().for_each(&mut each));
        }
        AggregatedMetrics::U64(MetricData::Histogram(data)) => {
            data.data_points().for_each(|point| point.attributes().for_each(&mut each));
        }
        AggregatedMetrics::U64(MetricData::Sum(data)) => {
            data.data_points().for_each(|point| point.attributes().for_each(&mut each));
        }
        AggregatedMetrics::I64(MetricData::Sum(data)) => {
            data.data_points().for_each(|point| point.attributes().for_each(&mut each));
        }
        AggregatedMetrics::U64(MetricData::Gauge(data)) => {
            data.data_points().for_each(|point| point.attributes().for_each(&mut each));
        }
        other => panic!("{}: {other:?} is not looked into", metric.name()),
    }
}

#[test]
fn metrics_are_named_once_with_a_unit_and_a_sentence() {
    let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len());
    for Metric { name, unit, sentence, .. } in METRICS {
        assert!(!name.contains("total") && !name.ends_with("seconds"), "{name}");
        assert!(["s", "By"].contains(unit) || unit.starts_with('{'), "{name}: {unit}");
        assert!(sentence.ends_with('.'), "{name}");
    }
}

#[test]
fn a_metric_that_is_not_ours_is_a_convention_s() {
    for Metric { name, unit, .. } in METRICS {
        let row = HISTOGRAMS.iter().find(|row| row.name == *name);
        assert!(name.starts_with("sidecall.") || row.is_some(), "no convention has {name}");
        assert!(row.is_none_or(|row| row.unit == *unit), "{name}: {unit}");
    }
}

#[test]
fn bounds_of_buckets_rise() {
    let rises = |bounds: &[f64]| bounds.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(rises(&TOOL_BUCKETS) && rises(&RPC_BUCKETS) && rises(&DURATION_BUCKETS));
    assert!(rises(&COUNT_BUCKETS) && rises(&SIZE_BUCKETS));
}
