//! What the process says of itself.
//!
//! - `propagate`, `outgoing`: a caller's trace, in and out.
//! - `tracer`, `record`: who is traced, and what is written down while it runs.
//! - `capture`: what is shown of inputs and results, where anything is.
//! - `spans`: the spans that are made of it, in the thread of
//! - `export`: the way to the collector.
//! - `resource`: who tells.
//! - `ways`: where all of it goes, for people.
//! - `names`: how everything is called.
//! - `log`: logs on stderr.
//! - `reloads`: which configuration runs.
//! - `told`: what is told of its tools.

pub mod capture;
pub mod export;
pub mod log;
pub mod metrics;
pub mod names;
pub mod outgoing;
pub mod propagate;
mod queue;
pub mod record;
pub mod reloads;
mod resource;
pub mod spans;
mod told;
pub mod tracer;
mod ways;

use crate::model::Secrets;

/// Those who watch the process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// Who takes down what happens; nobody, where there is nobody to tell.
    pub tracer: Option<tracer::Tracer>,
    /// Who measures; nobody, where there is nobody to look.
    pub metrics: Option<metrics::Metrics>,
    /// What changes how the process logs; nothing, where it does not log itself.
    pub levels: Option<log::Levels>,
    /// Which configuration runs.
    pub reloads: reloads::Reloads,
    /// What the spans tell of tools, where there are any.
    tools: Option<told::ByTool<spans::Tool>>,
    /// What is shown nowhere.
    secrets: Secrets,
}

impl Telemetry {
    /// Begins to trace and to measure, for whoever the settings name.
    ///
    /// # Errors
    ///
    /// An endpoint that is none, or no thread to be had.
    pub fn start(
        settings: &Settings,
        tools: &[spans::Tool],
    ) -> Result<(Self, Option<export::Exporter>), export::Error> {
        let Settings { otlp, sampling, is_scraped, capture, secrets, .. } = settings;
        let resource = resource::of(&settings.resource);
        let is_sent = otlp.as_ref().is_some_and(|otlp| otlp.metrics.is_some());
        let measured =
            (*is_scraped || is_sent).then(|| metrics::Metrics::new(resource.clone(), tools));
        let (metrics, reader) = measured.unzip();
        let reloads = reloads::Reloads::default();
        if let Some(metrics) = &metrics {
            metrics.watch_reloads(&reloads);
        }
        let own =
            Self { metrics: metrics.clone(), reloads, secrets: secrets.clone(), ..Self::default() };
        let Some(otlp) = otlp else {
            return Ok((own, None));
        };
        let maker = spans::Maker::new(tools, (capture.clone(), secrets.clone()));
        let tools = Some(maker.tools().clone());
        let (tracer, exporter) =
            export::Exporter::start(otlp, &resource, *sampling, maker, reader)?;
        if let Some(metrics) = &metrics {
            if let Some(dropping) = tracer.clone() {
                metrics.watch_count(names::SPANS_DROPPED, move || dropping.dropped());
            }
            metrics.watch_count(names::METRICS_FAILED, exporter.metrics_failed());
        }
        Ok((Self { tracer, tools, ..own }, Some(exporter)))
    }

    /// These are the tools from now on.
    pub fn tell_of(&self, tools: &[spans::Tool]) {
        if let Some(metrics) = &self.metrics {
            metrics.tell_of(tools);
        }
        if let Some(told) = &self.tools {
            told.replace(spans::by_name(tools));
        }
    }

    /// These secrets of the configuration are shown nowhere from now on, nor are those
    /// of the one before, which may still be on their way.
    pub fn keep_secret(&self, secrets: &Secrets, before: &Secrets) {
        self.secrets.become_all_of(secrets, before);
    }

    /// What is told to nobody but the one who takes it down.
    #[cfg(test)]
    pub(crate) fn traced(tracer: tracer::Tracer) -> Self {
        Self { tracer: Some(tracer), ..Self::default() }
    }

    /// The same of a process that logs, where it does.
    #[must_use]
    pub fn logging(self, levels: Option<log::Levels>) -> Self {
        if let (Some(metrics), Some(levels)) = (&self.metrics, levels.clone()) {
            metrics.watch_count(names::LOG_DROPPED, move || levels.dropped());
        }
        Self { levels, ..self }
    }
}

/// What is told to others.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where to; nowhere where there is none, and then nothing is recorded.
    pub otlp: Option<export::Settings>,
    /// The variable of the environment that keeps traces from being sent.
    pub untraced_by: Option<&'static str>,
    /// What this process is called, and what else is said of it.
    pub resource: Vec<(String, String)>,
    /// Which part of the traces that begin here is recorded, from 0 to 1. A
    /// caller's own trace is recorded as its caller decided.
    pub sampling: f64,
    /// Whether somebody comes for Prometheus' text.
    pub is_scraped: bool,
    /// What spans hold of inputs and results.
    pub capture: capture::Settings,
    /// What no span holds.
    pub secrets: Secrets,
}

impl Default for Settings {
    /// Nothing is told.
    fn default() -> Self {
        let (capture, secrets) = (capture::Settings::default(), Secrets::default());
        let (otlp, untraced_by, resource) = (None, None, Vec::new());
        let (sampling, is_scraped) = (1.0, false);
        Self { otlp, untraced_by, resource, sampling, is_scraped, capture, secrets }
    }
}
