//! Who looks at the instruments: both look at the same sums, so that what is measured
//! is added up once and not for each.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use opentelemetry_prometheus::PrometheusExporter;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        InstrumentKind, ManualReader, Pipeline, Temporality, data::ResourceMetrics,
        reader::MetricReader,
    },
};

/// The reader of those who send what was measured. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::telemetry) struct Reader {
    own: Arc<ManualReader>,
    /// That of Prometheus' text, which looks for itself.
    text: Option<Arc<PrometheusExporter>>,
}

impl Reader {
    /// One beside which `text` looks at the same.
    pub(super) fn beside(text: Option<PrometheusExporter>) -> Self {
        Self { own: Arc::default(), text: text.map(Arc::new) }
    }
}

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        if let Some(text) = &self.text {
            text.register_pipeline(Weak::clone(&pipeline));
        }
        self.own.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.own.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.own.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        if let Some(text) = &self.text {
            text.shutdown_with_timeout(timeout)?;
        }
        self.own.shutdown_with_timeout(timeout)
    }

    /// Sums since the beginning: who looks takes nothing from the other.
    fn temporality(&self, _: InstrumentKind) -> Temporality {
        Temporality::Cumulative
    }
}
