//! What is measured, through OpenTelemetry's API once; a reader of OTLP and one of
//! Prometheus' text look at the same instruments.
//!
//! Labels come from enums and from the configuration: what a caller made up counts
//! as [`names::OTHER`].

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter, MeterProvider, UpDownCounter},
};
use opentelemetry_sdk::{
    Resource,
    metrics::{Instrument, SdkMeterProvider, Stream},
};
use prometheus::{Encoder, TextEncoder};

use super::{
    names::{self, Metric, attribute},
    spans::Tool,
};
use crate::{
    clock::Instant,
    model::{CallResult, Content, FailureCode, SessionId, Timings},
};

/// Bytes that a token is taken to have.
const TOKEN_BYTES: usize = 4;

/// Measures. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    /// Holds the instruments' readers.
    _provider: SdkMeterProvider,
    registry: prometheus::Registry,
    meter: Meter,
    instruments: Instruments,
    known: Known,
    sessions: Mutex<Sessions>,
}

struct Instruments {
    tool: Histogram<f64>,
    rpc: Histogram<f64>,
    batch: Histogram<f64>,
    width: Histogram<u64>,
    depth: Histogram<u64>,
    critical: Histogram<f64>,
    saved: Histogram<f64>,
    sequential: Histogram<f64>,
    attempts: Histogram<u64>,
    in_flight: UpDownCounter<i64>,
    wait: Histogram<f64>,
    retries: Counter<u64>,
    refusals: Counter<u64>,
    size: Histogram<u64>,
    tokens: Histogram<u64>,
    think: Histogram<f64>,
    turn: Histogram<f64>,
}

/// A batch that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// Its session, where its caller named one.
    pub session: Option<&'a SessionId>,
    /// Its calls.
    pub width: usize,
    /// Calls in its longest chain of dependencies.
    pub depth: usize,
    /// From accepted to its last result.
    pub duration: Duration,
    /// The sum of its calls' running times.
    pub sequential: Duration,
    /// That of those that determined its duration.
    pub critical: Duration,
    /// When it ended.
    pub at: Instant,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// What has no labels is one sum. There would be room for 2000, of which pages are used
/// in a process that has measured nothing yet.
fn alone(instrument: &Instrument) -> Option<Stream> {
    let metric = names::METRICS.iter().find(|metric| metric.name == instrument.name())?;
    let stream = Stream::builder().with_cardinality_limit(1);
    if metric.labels.is_empty() { stream.build().ok() } else { None }
}

impl Metrics {
    /// Instruments of these tools, and the reader of those who send.
    pub(super) fn new(resource: Resource, tools: &[Tool]) -> (Self, Reader) {
        let registry = prometheus::Registry::new();
        let text = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build();
        // A registry of our own has nothing that could be in the way.
        let reader = Reader::beside(text.ok());
        let provider = SdkMeterProvider::builder().with_resource(resource).with_view(alone);
        let provider = provider.with_reader(reader.clone()).build();
        let meter = provider.meter("sidecall");
        let inner = Inner {
            instruments: Instruments::new(&meter),
            known: Known::new(tools),
            _provider: provider,
            registry,
            meter,
            sessions: Mutex::default(),
        };
        (Self(Arc::new(inner)), reader)
    }

    /// These are the tools from now on.
    pub(super) fn tell_of(&self, tools: &[Tool]) {
        self.0.known.replace(tools);
    }

    /// Counts what somebody else counts, whenever it is looked at.
    pub(super) fn watch_count(
        &self,
        metric: Metric,
        count: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.0
            .meter
            .u64_observable_counter(metric.name)
            .with_unit(metric.unit)
            .with_description(metric.sentence)
            .with_callback(move |observer| observer.observe(count(), &[]))
            .build();
    }

    /// Shows the state of each API's breaker whenever it is looked at: 0 closed, 1
    /// half open, 2 open.
    pub fn watch_breakers(
        &self,
        states: impl Fn() -> Vec<(Arc<str>, u64)> + Send + Sync + 'static,
    ) {
        let Metric { name, unit, sentence, .. } = names::BREAKER_STATE;
        let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            for (api, state) in states() {
                observer.observe(state, &[KeyValue::new(attribute::API, api)]);
            }
        };
        let gauge = self.0.meter.u64_observable_gauge(name).with_unit(unit);
        gauge.with_description(sentence).with_callback(observe).build();
    }

    /// Prometheus' text of everything.
    ///
    /// # Errors
    ///
    /// Something was measured that cannot be told so; nothing else is then.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// The media type of that text.
    pub fn text_type(&self) -> String {
        TextEncoder::new().format_type().to_owned()
    }

    /// From here on there is something that cannot be told.
    #[cfg(test)]
    pub(crate) fn breaks(&self) {
        struct Nameless(prometheus::core::Desc);
        impl prometheus::core::Collector for Nameless {
            fn desc(&self) -> Vec<&prometheus::core::Desc> {
                vec![&self.0]
            }

            fn collect(&self) -> Vec<prometheus::proto::MetricFamily> {
                let mut family = prometheus::proto::MetricFamily::default();
                family.set_field_type(prometheus::proto::MetricType::GAUGE);
                family.set_metric(vec![prometheus::proto::Metric::default()]);
                vec![family]
            }
        }
        let (name, sentence) = ("nameless".to_owned(), "It has no name.".to_owned());
        let described =
            prometheus::core::Desc::new(name, sentence, Vec::new(), Default::default()).unwrap();
        self.0.registry.register(Box::new(Nameless(described))).unwrap();
    }

    /// An RPC has ended.
    pub fn rpc(&self, method: &Arc<str>, status: &'static str, duration: Duration) {
        let labels = [
            KeyValue::new(attribute::RPC_SYSTEM, "grpc"),
            KeyValue::new(attribute::RPC_METHOD, Arc::clone(method)),
            KeyValue::new(attribute::RPC_STATUS, status),
            KeyValue::new(attribute::ERROR_TYPE, status),
        ];
        let [usual @ .., _] = &labels;
        let is_fault = names::RPC_FAULTS.contains(&status);
        let labels = if is_fault { &labels[..] } else { &usual[..] };
        self.0.instruments.rpc.record(duration.as_secs_f64(), labels);
    }

    /// A batch of so many calls was accepted.
    pub fn batch_began(&self, session: Option<&SessionId>, calls: usize, now: Instant) {
        let Instruments { in_flight, think, .. } = &self.0.instruments;
        in_flight.add(signed(calls), &[]);
        if let Some(ended) = session.and_then(|session| self.sessions().ended(session, now)) {
            think.record((now - ended).as_secs_f64(), &[]);
        }
    }

    /// A call came that its batch did not begin with.
    pub fn call_came(&self) {
        self.0.instruments.in_flight.add(1, &[]);
    }

    /// A call is terminal, after so many attempts; its tool is this one, where it is a
    /// worker's.
    pub fn call(&self, result: &CallResult, offered: Option<&Tool>, attempts: usize) {
        let Instruments {
            tool,
            attempts: of_attempts,
            in_flight,
            wait,
            refusals,
            size,
            tokens,
            ..
        } = &self.0.instruments;
        let Labels { name, kind, api } = self.0.known.labels(&result.tool, offered);
        in_flight.add(-1, &[]);
        let code = result.failure.as_ref().map(|failure| failure.code);
        let Timings { locked, queued, throttled, backing_off, running, .. } = result.timings;
        let duration = locked + queued + throttled + backing_off + running;
        let error = code.map(|code| KeyValue::new(attribute::ERROR_TYPE, code.as_str()));
        let labels: Vec<_> = [Some(name.clone()), kind, error].into_iter().flatten().collect();
        tool.record(duration.as_secs_f64(), &labels);
        if attempts > 0 {
            of_attempts.record(attempts as u64, std::slice::from_ref(&name));
        }
        if code == Some(FailureCode::RateLimited) && attempts == 0 {
            refusals.add(1, std::slice::from_ref(&api));
        }
        for (what, time) in [
            ("dependencies", result.timings.blocked),
            ("locks", locked),
            ("concurrency", queued),
            ("tokens", throttled),
            ("backoff", backing_off),
        ] {
            if !time.is_zero() {
                let kind = KeyValue::new(attribute::WAIT_KIND, what);
                wait.record(time.as_secs_f64(), &[kind, api.clone()]);
            }
        }
        if code.is_none() {
            let shown: usize = result.content.iter().map(Content::size_bytes).sum();
            let whole = result.truncation.map_or(shown, |truncation| truncation.whole_bytes);
            for (stage, bytes) in [("whole", whole), ("shown", shown)] {
                size.record(bytes as u64, &[KeyValue::new(attribute::STAGE, stage), name.clone()]);
            }
            tokens.record(shown.div_ceil(TOKEN_BYTES) as u64, std::slice::from_ref(&name));
        }
    }

    /// An attempt failed so, and is made again.
    pub fn retried(&self, tool: &str, offered: Option<&Tool>, code: FailureCode) {
        let Labels { name, api, .. } = self.0.known.labels(tool, offered);
        let error = KeyValue::new(attribute::ERROR_TYPE, code.as_str());
        self.0.instruments.retries.add(1, &[name, api, error]);
    }

    /// A batch has ended.
    pub fn batch(&self, ended: Ended<'_>) {
        let Instruments { batch, width, depth, critical, saved, sequential, turn, .. } =
            &self.0.instruments;
        batch.record(ended.duration.as_secs_f64(), &[]);
        width.record(ended.width as u64, &[]);
        depth.record(ended.depth as u64, &[]);
        critical.record(ended.critical.as_secs_f64(), &[]);
        sequential.record(ended.sequential.as_secs_f64(), &[]);
        saved.record(ended.sequential.saturating_sub(ended.duration).as_secs_f64(), &[]);
        if let Some(session) = ended.session
            && let Some(before) = self.sessions().ends(session, ended.at)
        {
            turn.record((ended.at - before).as_secs_f64(), &[]);
        }
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instruments {
    fn new(meter: &Meter) -> Self {
        let time = |Metric { name, unit, sentence, .. }: Metric, bounds: &[f64]| {
            let histogram = meter.f64_histogram(name).with_unit(unit).with_description(sentence);
            histogram.with_boundaries(bounds.to_vec()).build()
        };
        let count = |Metric { name, unit, sentence, .. }: Metric, bounds: &[f64]| {
            let histogram = meter.u64_histogram(name).with_unit(unit).with_description(sentence);
            histogram.with_boundaries(bounds.to_vec()).build()
        };
        let counter = |Metric { name, unit, sentence, .. }: Metric| {
            meter.u64_counter(name).with_unit(unit).with_description(sentence).build()
        };
        let Metric { name, unit, sentence, .. } = names::CALLS_IN_FLIGHT;
        let in_flight =
            meter.i64_up_down_counter(name).with_unit(unit).with_description(sentence).build();
        let (durations, counts) = (&names::DURATION_BUCKETS[..], &names::COUNT_BUCKETS[..]);
        Self {
            tool: time(names::EXECUTE_TOOL_DURATION, &names::TOOL_BUCKETS),
            rpc: time(names::RPC_DURATION, &names::RPC_BUCKETS),
            batch: time(names::BATCH_DURATION, durations),
            width: count(names::BATCH_WIDTH, counts),
            depth: count(names::BATCH_DEPTH, counts),
            critical: time(names::BATCH_CRITICAL_PATH, durations),
            saved: time(names::BATCH_SAVED, durations),
            sequential: time(names::BATCH_SEQUENTIAL, durations),
            attempts: count(names::CALL_ATTEMPTS, counts),
            in_flight,
            wait: time(names::WAIT_DURATION, durations),
            retries: counter(names::RETRIES),
            refusals: counter(names::BUCKET_REFUSALS),
            size: count(names::RESULT_SIZE, &names::SIZE_BUCKETS),
            tokens: count(names::RESULT_TOKENS, &names::SIZE_BUCKETS),
            think: time(names::THINK_DURATION, durations),
            turn: time(names::TURN_DURATION, durations),
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

mod labels;
mod memory;
mod reader;
mod reloads;
mod sessions;
mod tls;

use labels::{Known, Labels};
pub(super) use reader::Reader;
use sessions::Sessions;

#[cfg(test)]
mod tests;
