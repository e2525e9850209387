//! Which configuration runs.

use std::time::UNIX_EPOCH;

use opentelemetry::KeyValue;

use super::Metrics;
use crate::telemetry::{
    names::{self, Metric, attribute},
    reloads::Reloads,
};

impl Metrics {
    /// Shows which configuration runs, and counts what came of the tries to change it,
    /// whenever it is looked at.
    pub(in crate::telemetry) fn watch_reloads(&self, reloads: &Reloads) {
        let meter = &self.0.meter;
        let Metric { name, unit, sentence, .. } = names::CONFIG_RELOADS;
        let counted = reloads.clone();
        meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(sentence)
            .with_callback(move |observer| {
                let seen = counted.seen();
                for (outcome, count) in [("applied", seen.applied), ("refused", seen.refused)] {
                    observer.observe(count, &[KeyValue::new(attribute::RELOAD_OUTCOME, outcome)]);
                }
            })
            .build();
        let gauge = |Metric { name, unit, sentence, .. }: Metric, of: fn(&Reloads) -> u64| {
            let reloads = reloads.clone();
            let gauge = meter.u64_observable_gauge(name).with_unit(unit);
            let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
                observer.observe(of(&reloads), &[]);
            };
            gauge.with_description(sentence).with_callback(observe).build();
        };
        gauge(names::CONFIG_GENERATION, |reloads| reloads.seen().generation);
        gauge(names::CONFIG_VALID, |reloads| u64::from(!reloads.seen().is_refused));
        gauge(names::CONFIG_LOADED, |reloads| {
            // A clock before 1970 is none.
            reloads.seen().since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
        });
    }
}
