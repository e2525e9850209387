//! How long the certificates still hold.

use opentelemetry::metrics::AsyncInstrument;

use super::Metrics;
use crate::telemetry::names::{self, Metric};

impl Metrics {
    /// Shows when the first of the certificates ends that are served, whenever it is
    /// looked at.
    pub fn watch_certificates(&self, ends_at: impl Fn() -> Option<u64> + Send + Sync + 'static) {
        let Metric { name, unit, sentence, .. } = names::CERTIFICATE_ENDS;
        let observe = move |observer: &dyn AsyncInstrument<u64>| {
            if let Some(ends_at) = ends_at() {
                observer.observe(ends_at, &[]);
            }
        };
        let gauge = self.0.meter.u64_observable_gauge(name).with_unit(unit);
        gauge.with_description(sentence).with_callback(observe).build();
    }
}
