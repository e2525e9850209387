//! What was measured, sent in intervals.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, RetryPolicy, WithExportConfig, WithTonicConfig,
    tonic_types::metadata,
};
use opentelemetry_sdk::metrics::{
    data::ResourceMetrics, exporter::PushMetricExporter, reader::MetricReader,
};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    telling::{Loss, Telling},
};
use crate::{clock, telemetry::metrics::Reader};

/// How long the last message may take.
const LAST: Duration = Duration::from_millis(200);

/// Sends what was measured.
pub(super) struct Measuring {
    exporter: MetricExporter,
    reader: Reader,
    every: Duration,
    timeout: Duration,
    telling: Telling,
    failed: Arc<AtomicU64>,
}

impl Measuring {
    /// Must be called within the runtime that sends.
    pub(super) fn new(
        settings: &Settings,
        endpoint: &str,
        reader: Reader,
        telling: Telling,
    ) -> Result<Self, ExporterBuildError> {
        let headers: HeaderMap = settings.headers.iter().cloned().collect();
        let exporter = MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(settings.metrics_timeout)
            .with_metadata(metadata::MetadataMap::from_headers(headers))
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        let (every, timeout) = (settings.metrics_every, settings.metrics_timeout);
        Ok(Self { exporter, reader, every, timeout, telling, failed: Arc::default() })
    }

    /// Messages that were not taken so far.
    pub(super) fn failed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.failed)
    }

    /// Each time all that was measured so far, so that nothing is lost with one that
    /// fails; a last time at the end.
    pub(super) async fn run(mut self, ending: CancellationToken) {
        let mut is_last = false;
        while !is_last {
            let next = sleep_until(clock::now() + self.every);
            tokio::select! {
                () = next => {}
                () = ending.cancelled() => is_last = true,
            }
            let mut metrics = ResourceMetrics::default();
            if self.reader.collect(&mut metrics).is_ok() {
                let within = if is_last { LAST } else { self.timeout };
                let sent = timeout(within, self.exporter.export(&metrics)).await;
                if !self.telling.is_taken(sent) {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                }
                self.tell_of_failures();
            }
        }
    }

    fn tell_of_failures(&mut self) {
        let failed = self.failed.load(Ordering::Relaxed);
        if let Some(Loss { lost, endpoint, cause }) = self.telling.of(failed) {
            tracing::warn!(
                messages = lost,
                endpoint,
                error = cause,
                "The collector did not take what was measured; the next message says it again."
            );
        }
    }
}
