//! What the file says of telemetry, and what OpenTelemetry's own environment
//! variables say where it is silent.
//!
//! As its specification has it, a variable that is empty counts as not set, and
//! one that cannot be understood is told of and passed over.

use std::{collections::BTreeSet, time::Duration};

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use crate::{
    config::{
        declared::{
            capture::{Capture, Captured},
            otlp::{Otlp, Queue, Ratio},
            process::Telemetry,
        },
        env::Variable,
        file::{
            Decoder,
            decode::Place,
            scalar::{Count, LONGEST, OneOf},
        },
    },
    telemetry::{self, capture, export},
};

/// The settings of telemetry.
pub(super) fn settings(
    declared: Telemetry,
    is_scraped: bool,
    decoder: &mut Decoder<'_>,
) -> telemetry::Settings {
    let Telemetry { otlp, sampling, capture, .. } = declared;
    let mut environment = Environment(decoder);
    let sampling = sampling.map_or_else(|| environment.sampling(), |Ratio(ratio)| ratio);
    let untraced_by = environment.untraced_by();
    let otlp = environment.otlp(otlp, untraced_by.is_none());
    let resource = environment.resource();
    let capture = environment.capture(capture);
    environment.keep_headers();
    let secrets = decoder.secrets();
    telemetry::Settings { otlp, untraced_by, resource, sampling, is_scraped, capture, secrets }
}

/// An endpoint and its protocol, each with the variable that says so.
type Named = ((String, String), Option<(String, String)>);

struct Environment<'d, 'a>(&'d mut Decoder<'a>);

impl Environment<'_, '_> {
    fn variable(&self, name: &str) -> Option<String> {
        match self.0.environment().variable(name) {
            Variable::Set(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Variable::Set(_) | Variable::Missing | Variable::NotUnicode => None,
        }
    }

    /// The variable of a signal, else the one of all signals; with its name.
    fn of_signal(&self, signal: &str, rest: &str) -> Option<(String, String)> {
        [format!("OTEL_EXPORTER_OTLP_{signal}_{rest}"), format!("OTEL_EXPORTER_OTLP_{rest}")]
            .into_iter()
            .find_map(|name| Some((self.variable(&name)?, name)))
    }

    fn is_disabled(&self) -> bool {
        self.variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    fn is_none(&self, exporter: &str) -> bool {
        self.variable(exporter).is_some_and(|text| text == "none")
    }

    /// The variable that turns traces off, whatever the file says.
    fn untraced_by(&self) -> Option<&'static str> {
        if self.is_disabled() {
            return Some("OTEL_SDK_DISABLED");
        }
        Some("OTEL_TRACES_EXPORTER").filter(|name| self.is_none(name))
    }

    fn pass_over(&mut self, name: &str, text: &str, fix: &str) {
        let what = format!("the environment variable `{name}` is {text:?}, which is passed over");
        self.0.warn(&Place { path: "telemetry".to_owned(), ..Place::default() }, what, fix);
    }

    fn read<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>, fix: &str) -> Option<T> {
        let text = self.variable(name)?;
        let value = read(&text);
        if value.is_none() {
            self.pass_over(name, &text, fix);
        }
        value
    }

    fn otlp(&mut self, declared: Otlp, is_traced: bool) -> Option<export::Settings> {
        let is_measured = !self.is_disabled() && !self.is_none("OTEL_METRICS_EXPORTER");
        let Otlp { endpoint, headers, timeout, queue, delay, interval } = declared;
        let (traces, metrics) = match endpoint {
            Some(endpoint) => (Some(endpoint.clone()), Some(endpoint)),
            None => self.of_each(
                |variables, signal| {
                    let endpoint = variables.of_signal(signal, "ENDPOINT")?;
                    Some((endpoint, variables.of_signal(signal, "PROTOCOL")))
                },
                Self::endpoint,
            ),
        };
        let (traces, metrics) = (traces.filter(|_| is_traced), metrics.filter(|_| is_measured));
        let to: BTreeSet<_> = [&traces, &metrics].into_iter().flatten().collect();
        let usual = export::Settings::new(*to.first()?);
        for endpoint in to {
            self.warn_of_the_port(endpoint);
        }
        // The bounds are those of the file.
        let ms = |text: &str| {
            let time = text.parse().ok().map(Duration::from_millis)?;
            (!time.is_zero() && time <= LONGEST).then_some(time)
        };
        let fix = "write a number of milliseconds, at most a year";
        let (of_traces, of_metrics) = match timeout {
            Some(timeout) => (Some(timeout), Some(timeout)),
            None => self.of_each(
                |variables, signal| variables.of_signal(signal, "TIMEOUT"),
                |variables, (text, name)| {
                    let timeout = ms(&text);
                    if timeout.is_none() {
                        variables.pass_over(&name, &text, fix);
                    }
                    timeout
                },
            ),
        };
        let queue = queue.or_else(|| {
            let spans = |text: &str| Queue::read(text).map(|Count(spans)| spans);
            self.read("OTEL_BSP_MAX_QUEUE_SIZE", spans, "write a number of spans, at most 1000000")
        });
        let delay = delay.or_else(|| self.read("OTEL_BSP_SCHEDULE_DELAY", ms, fix));
        let interval = interval.or_else(|| self.read("OTEL_METRIC_EXPORT_INTERVAL", ms, fix));
        Some(export::Settings {
            headers: headers.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            timeout: of_traces.unwrap_or(usual.timeout),
            metrics_timeout: of_metrics.unwrap_or(usual.metrics_timeout),
            queue_spans_max: queue.unwrap_or(usual.queue_spans_max),
            delay: delay.unwrap_or(usual.delay),
            metrics_every: interval.unwrap_or(usual.metrics_every),
            traces,
            metrics,
        })
    }

    /// What the environment says of traces and of metrics. What is wrong with a variable
    /// of both is told once.
    fn of_each<N: PartialEq, T: Clone>(
        &mut self,
        named: impl Fn(&Self, &str) -> Option<N>,
        read: impl Fn(&mut Self, N) -> Option<T>,
    ) -> (Option<T>, Option<T>) {
        let (of_traces, of_metrics) = (named(self, "TRACES"), named(self, "METRICS"));
        let is_the_same = of_traces == of_metrics;
        let traces = of_traces.and_then(|named| read(self, named));
        let metrics = match is_the_same {
            true => traces.clone(),
            false => of_metrics.and_then(|named| read(self, named)),
        };
        (traces, metrics)
    }

    fn warn_of_the_port(&mut self, endpoint: &str) {
        if export::Settings::is_at_the_port_of_http(endpoint) {
            let place = Place { path: "telemetry.otlp.endpoint".to_owned(), ..Place::default() };
            let what = format!("`{endpoint}` is where collectors take OTLP over HTTP");
            self.0.warn(&place, what, "write the port for gRPC, usually 4317");
        }
    }

    fn endpoint(&mut self, named: Named) -> Option<String> {
        let ((endpoint, name), protocol) = named;
        if let Some((protocol, name)) = protocol.filter(|(protocol, _)| protocol != "grpc") {
            self.pass_over(&name, &protocol, "write `grpc`, and its endpoint: nothing is sent now");
            return None;
        }
        if let Err(what) = export::Settings::check(&endpoint) {
            let fix = format!("write `http://127.0.0.1:4317`: {what}");
            self.pass_over(&name, &endpoint, &fix);
            return None;
        }
        Some(endpoint)
    }

    /// What the file says holds, of inputs and of results; what it leaves open the
    /// environment decides.
    fn capture(&mut self, declared: Capture) -> capture::Settings {
        let Capture { inputs, results, bytes, keys } = declared;
        let name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
        // Events are not sent, so that those who want content there alone get none.
        let fix = "write `SPAN_ONLY` or `true`, `NO_CONTENT` or `false`";
        let is_asked_for = self.read(name, captured, fix).unwrap_or(false);
        let is_on = |said: Option<OneOf<Captured>>| {
            said.map_or(is_asked_for, |OneOf(said)| said == Captured::On)
        };
        capture::Settings {
            inputs: is_on(inputs),
            results: is_on(results),
            bytes_max: bytes.get(),
            keys: keys.into_iter().map(|key| key.0).collect(),
        }
    }

    /// The exporter itself reads them, as `key=value,…`, percent-encoded.
    fn keep_headers(&mut self) {
        for signal in ["", "TRACES_", "METRICS_"] {
            let headers = self.variable(&format!("OTEL_EXPORTER_OTLP_{signal}HEADERS"));
            for pair in headers.iter().flat_map(|headers| headers.split(',')) {
                let value = pair.split_once('=').map_or(pair, |(_, value)| value).trim();
                let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
                self.0.keeps(SecretString::from(value));
            }
        }
    }

    /// Whose parent is sampled is sampled, whatever the ratio: so `always_on` and
    /// the like differ from their `parentbased_` namesakes in nothing here.
    fn sampling(&mut self) -> f64 {
        let name = "OTEL_TRACES_SAMPLER";
        let Some(sampler) = self.variable(name) else { return 1.0 };
        match sampler.strip_prefix("parentbased_").unwrap_or(&sampler) {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => {
                let ratio = |text: &str| Ratio::read(text).map(|Ratio(ratio)| ratio);
                self.read("OTEL_TRACES_SAMPLER_ARG", ratio, "write a number from 0 to 1")
                    .unwrap_or(1.0)
            }
            _ => {
                let fix = "write `parentbased_always_on`, `parentbased_always_off` or \
                           `parentbased_traceidratio`";
                self.pass_over(name, &sampler, fix);
                1.0
            }
        }
    }

    /// `key=value,…`, percent-encoded; the service's name has a variable of its
    /// own, which goes before.
    fn resource(&mut self) -> Vec<(String, String)> {
        let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
        let list = |text: &str| {
            text.split(',')
                .map(str::trim)
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').filter(|(key, _)| !key.trim().is_empty()))
                .map(|pair| pair.map(|(key, value)| (decoded(key), decoded(value))))
                .collect::<Option<Vec<_>>>()
        };
        let fix = "write `key=value,key=value`";
        let mut resource = self.read("OTEL_RESOURCE_ATTRIBUTES", list, fix).unwrap_or_default();
        if let Some(name) = self.variable("OTEL_SERVICE_NAME") {
            resource.push(("service.name".to_owned(), name));
        }
        resource
    }
}

/// Whether content is to be in spans, by the words that OpenTelemetry's own libraries
/// take.
fn captured(text: &str) -> Option<bool> {
    match text.to_ascii_uppercase().as_str() {
        "TRUE" | "SPAN_ONLY" | "SPAN_AND_EVENT" => Some(true),
        "FALSE" | "NO_CONTENT" => Some(false),
        _ => None,
    }
}
