//! What somebody else watches: the memory that there is.

use opentelemetry::metrics::AsyncInstrument;

use super::Metrics;
use crate::telemetry::names::{self, Metric};

impl Metrics {
    /// Shows how many bytes are used and of how many, and counts the batches that
    /// were refused for want of them, whenever it is looked at.
    pub fn watch_memory(
        &self,
        usage: impl Fn() -> Option<(u64, u64)> + Clone + Send + Sync + 'static,
        refused: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let gauge = |Metric { name, unit, sentence, .. }: Metric, part: fn((u64, u64)) -> u64| {
            let usage = usage.clone();
            let observe = move |observer: &dyn AsyncInstrument<u64>| {
                if let Some(usage) = usage() {
                    observer.observe(part(usage), &[]);
                }
            };
            let gauge = self.0.meter.u64_observable_gauge(name).with_unit(unit);
            gauge.with_description(sentence).with_callback(observe).build();
        };
        gauge(names::MEMORY_USAGE, |(used, _)| used);
        gauge(names::MEMORY_LIMIT, |(_, max)| max);
        self.watch_count(names::BATCHES_SHED, refused);
    }
}
