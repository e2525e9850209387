//! To the collector, over OTLP.
//!
//! The exporter has a thread and a runtime of its own, so that a collector that is
//! gone, slow or silent takes nothing from those that make calls, and so that it
//! can never wait for a thread that waits for it. What comes faster than it
//! leaves is dropped at a bound, and counted.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::OptionFuture;
use http::HeaderMap;
use opentelemetry_otlp::{
    ExporterBuildError, RetryPolicy, SpanExporter as SpansOverOtlp, WithExportConfig,
    WithTonicConfig, tonic_types::metadata,
};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter},
};
use tokio::{
    sync::oneshot,
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    metrics::Reader,
    queue::Items,
    spans::{Maker, captured_bytes},
    tracer::{Item, Room, Tracer},
};
use crate::{clock, model::Secrets};

/// Spans that leave in one message: some hundred KiB.
const MESSAGE_SPANS_MAX: usize = 512;
/// Bytes of inputs and results that leave in one message: with its spans it stays
/// well below the 4 MiB that a collector takes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Why telemetry cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint is none, or TLS cannot be set up.
    #[error("telemetry.otlp: {0}")]
    Endpoint(#[from] ExporterBuildError),
    /// There is no thread to be had.
    #[error("the exporter's thread cannot be started: {0}")]
    Thread(#[from] io::Error),
}

impl Error {
    /// Whether another configuration would mend it.
    pub fn is_in_the_settings(&self) -> bool {
        matches!(self, Self::Endpoint(_))
    }
}

/// The exporter. Dropped, it ends without sending what it has.
#[derive(Debug)]
pub struct Exporter {
    ending: CancellationToken,
    /// How much time is left for what waits.
    within: Option<oneshot::Sender<Duration>>,
    ended: oneshot::Receiver<()>,
    metrics_failed: Arc<AtomicU64>,
}

impl Exporter {
    /// Starts the thread. Nothing is connected yet. There is a tracer where spans go
    /// somewhere.
    ///
    /// # Errors
    ///
    /// An endpoint that is none, or no thread to be had.
    pub(super) fn start(
        settings: &Settings,
        resource: &Resource,
        ratio: f64,
        maker: Maker,
        measured: Option<Reader>,
    ) -> Result<(Option<Tracer>, Self), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exporters = {
            // The channels to the collector belong to the runtime that they are made in.
            let _within = runtime.enter();
            exporters(settings, resource, maker.secrets(), measured)
        };
        let (spans, measuring) = match exporters {
            Ok(exporters) => exporters,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error.into());
            }
        };
        let (within, rest) = oneshot::channel();
        let (tell_ended, ended) = oneshot::channel();
        let ending = CancellationToken::new();
        let metrics_failed = measuring.as_ref().map(Measuring::failed).unwrap_or_default();
        let traced = spans.map(|(exporter, telling)| {
            let (tracer, items, room) =
                Tracer::new(ratio, settings.queue_spans_max.get(), maker.capture());
            let sending = Sending {
                exporter,
                telling,
                maker: Arc::new(maker),
                items,
                room,
                timeout: settings.timeout,
                delay: settings.delay,
                spans: Vec::new(),
                captured_bytes: 0,
                under_way: 0,
            };
            (tracer, sending)
        });
        let (tracer, sending) = traced.unzip();
        let stop = ending.clone();
        std::thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
            runtime.block_on(async {
                let measured = measuring.map(|measuring| measuring.run(stop.clone()));
                let sent = sending.map(|sending| sending.run(stop, rest));
                tokio::join!(OptionFuture::from(sent), OptionFuture::from(measured));
            });
            runtime.shutdown_background();
            // Whoever waited may have given up.
            let _ = tell_ended.send(());
        })?;
        Ok((tracer, Self { ending, within: Some(within), ended, metrics_failed }))
    }

    /// Counts the messages of metrics that were not taken.
    pub(super) fn metrics_failed(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let failed = Arc::clone(&self.metrics_failed);
        move || failed.load(Ordering::Relaxed)
    }

    /// Sends what waits, and ends; both within this time.
    pub async fn end(mut self, within: Duration) {
        if let Some(tell) = self.within.take() {
            let _ = tell.send(within);
        }
        self.ending.cancel();
        if timeout(within, &mut self.ended).await.is_err() {
            tracing::warn!("The collector did not take the last spans in time.");
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

/// What sends spans, and tells of those that it lost.
type Spans = (SpansOverOtlp, Telling);

/// What sends spans and what was measured, each where it has somewhere to go.
fn exporters(
    settings: &Settings,
    resource: &Resource,
    secrets: &Secrets,
    measured: Option<Reader>,
) -> Result<(Option<Spans>, Option<Measuring>), ExporterBuildError> {
    let telling = |endpoint: &str| Telling::new(endpoint, secrets.clone());
    let spans = settings
        .traces
        .as_deref()
        .map(|endpoint| Ok((span_exporter(settings, endpoint, resource)?, telling(endpoint))));
    let metrics = settings.metrics.as_deref().zip(measured);
    let metrics = metrics
        .map(|(endpoint, reader)| Measuring::new(settings, endpoint, reader, telling(endpoint)));
    Ok((spans.transpose()?, metrics.transpose()?))
}

fn span_exporter(
    settings: &Settings,
    endpoint: &str,
    resource: &Resource,
) -> Result<SpansOverOtlp, ExporterBuildError> {
    let headers: HeaderMap = settings.headers.iter().cloned().collect();
    let mut exporter = SpansOverOtlp::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(settings.timeout)
        .with_metadata(metadata::MetadataMap::from_headers(headers))
        .with_retry_policy(RetryPolicy::recommended())
        .build()?;
    exporter.set_resource(resource);
    Ok(exporter)
}

/// What the thread does.
struct Sending<E> {
    exporter: E,
    maker: Arc<Maker>,
    items: Items,
    room: Room,
    timeout: Duration,
    delay: Duration,
    /// The next message, how much in it came from inputs and results, and how many
    /// spans the one under way has.
    spans: Vec<SpanData>,
    captured_bytes: usize,
    under_way: usize,
    telling: Telling,
}

impl<E: SpanExporter> Sending<E> {
    /// Sends until the tracers are gone, or it is told to end and has done so, or
    /// the time that it was then given is over.
    async fn run(mut self, ending: CancellationToken, within: oneshot::Receiver<Duration>) {
        let deadline = async {
            ending.cancelled().await;
            // An owner that is gone leaves no time.
            if let Ok(within) = within.await {
                tokio::time::sleep(within).await;
            }
        };
        tokio::select! {
            () = self.work(&ending) => {}
            () = deadline => {}
        }
        self.count_what_is_left();
    }

    async fn work(&mut self, ending: &CancellationToken) {
        loop {
            let item = tokio::select! {
                biased;
                item = self.items.recv() => item,
                () = ending.cancelled(), if !self.items.is_closed() => {
                    // What waits still comes out; nothing more comes in.
                    self.items.close();
                    continue;
                }
            };
            let Some(item) = item else { return };
            self.unpack(item).await;
            self.gather(ending).await;
            self.send().await;
        }
    }

    /// Leaves what comes soon to itself, so that a message carries many spans and
    /// those who send them do not wake this thread for each.
    async fn gather(&mut self, ending: &CancellationToken) {
        let soon = sleep_until(clock::now() + self.delay);
        tokio::pin!(soon);
        let mut is_over = false;
        while !is_over && !self.spans.is_empty() {
            is_over = tokio::select! {
                () = &mut soon => true,
                () = ending.cancelled() => true,
                () = self.items.enough() => false,
            };
            while let Some(item) = self.items.try_recv() {
                self.unpack(item).await;
            }
        }
    }

    /// Makes the item's spans, and sends them whenever there is a message full.
    async fn unpack(&mut self, item: Item) {
        let maker = Arc::clone(&self.maker);
        let captures = maker.capture().inputs || maker.capture().results;
        for span in maker.spans(&item) {
            let bytes = if captures { captured_bytes(&span) } else { 0 };
            if self.captured_bytes + bytes > MESSAGE_BYTES_MAX {
                self.send().await;
            }
            self.captured_bytes += bytes;
            self.spans.push(span);
            if self.spans.len() >= MESSAGE_SPANS_MAX {
                self.send().await;
            }
        }
        self.room.give_back(item.weight());
    }

    async fn send(&mut self) {
        if self.spans.is_empty() {
            return;
        }
        self.under_way = self.spans.len();
        let message = std::mem::take(&mut self.spans);
        self.captured_bytes = 0;
        let sent = timeout(self.timeout, self.exporter.export(message)).await;
        if !self.telling.is_taken(sent) {
            self.room.lose(self.under_way);
        }
        self.under_way = 0;
        self.tell_of_losses();
    }

    fn tell_of_losses(&mut self) {
        if let Some(Loss { lost, endpoint, cause }) = self.telling.of(self.room.dropped()) {
            tracing::warn!(
                spans = lost,
                endpoint,
                error = cause,
                "Spans were dropped, since the collector did not take them."
            );
        }
    }

    fn count_what_is_left(&mut self) {
        self.room.lose(self.under_way + self.spans.len());
        self.items.close();
        while let Some(item) = self.items.try_recv() {
            self.room.give_back(item.weight());
            self.room.lose(item.spans_max());
        }
    }
}

mod measuring;
mod settings;
mod telling;

use measuring::Measuring;
pub use settings::Settings;
use telling::{Loss, Telling};

#[cfg(test)]
mod tests;
