//! The only place that assembles: APIs, tools, scheduler, listeners.
//!
//! [`bind`] makes everything and listens; [`Bound`] says where, and runs it.

use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Admin},
    backend::{http, worker},
    clock,
    config::{Config, Fixed},
    drain::Drain,
    model::{ApiName, Secrets, ToolName},
    overload::Memory,
    registry::Registry,
    rpc::{self, auth::Auth, layers::Server, listen, service::Service},
    schedule::{self, Scheduler},
    telemetry::{
        Telemetry,
        export::{self, Exporter},
        log::Levels,
        tracer::Tracer,
    },
};

pub mod overload;
mod parts;
pub mod reload;
pub mod signal;

use parts::{Declared, Parts, told};
pub use reload::Reload;

/// How long the results of killed batches have to reach their callers.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// How long connections have to close, first by themselves and then cut. The
/// process ends a second after its drain timeout at the latest, and these three
/// leave a quarter of it.
const GOODBYE: Duration = Duration::from_millis(250);
/// How long they have to close by themselves where the drain timeout leaves more: who
/// is cut cannot tell a request that was not taken from one that may have run.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// How long the last spans have to reach the collector: at least this, which is
/// what is left of that second, and up to the other where the drain timeout
/// leaves more.
const LAST_SPANS: Duration = Duration::from_millis(200);
const LAST_SPANS_MAX: Duration = Duration::from_secs(2);

/// A server that listens and does not serve yet.
#[derive(Debug)]
pub struct Bound {
    /// Its Unix socket.
    pub unix: Option<PathBuf>,
    /// Its TCP address, with the port that was taken.
    pub tcp: Option<SocketAddr>,
    /// The tools that it serves.
    pub tools: Arc<Registry>,
    /// Ends it: [`Drain::start`] lets running batches finish, [`Drain::kill`]
    /// does not.
    pub drain: Drain,
    drain_timeout: Duration,
    reload: Option<Reload>,
    tracer: Option<Tracer>,
    exporter: Option<Exporter>,
    admin: Option<Admin>,
    listeners: listen::Bound,
    server: Server,
    service: Service,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tool of an API that does not exist.
    #[error("tools.{tool}: there is no API {api:?}; add it under `apis`")]
    NoSuchApi {
        /// The tool.
        tool: ToolName,
        /// The API that it names.
        api: ApiName,
    },
    /// An API that cannot be used as it is configured.
    #[error("apis.{api}: {cause}")]
    Api {
        /// The API.
        api: ApiName,
        /// Why.
        #[source]
        cause: http::client::Error,
    },
    /// Telemetry that cannot be sent.
    #[error(transparent)]
    Telemetry(#[from] export::Error),
    /// No admin address to be had.
    #[error(transparent)]
    Admin(#[from] admin::Error),
    /// No address to be had.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// The program itself is broken.
    #[error("the descriptors in this program cannot be read: {0}")]
    Descriptors(#[from] tonic_reflection::server::Error),
}

/// Assembles what the configuration says and listens. Must be called within a
/// tokio runtime.
///
/// # Errors
///
/// [`Error`] says which part could not be made, and what to do.
pub fn bind(config: Config) -> Result<Bound, Error> {
    assemble(config, None, None)
}

/// The same for a process of its own: it logs, by levels that callers may change, and
/// refuses turns where its memory is short.
///
/// # Errors
///
/// As [`bind`].
pub fn bind_process(
    config: Config,
    levels: Levels,
    memory: Option<Memory>,
) -> Result<Bound, Error> {
    assemble(config, Some(levels), memory)
}

fn assemble(
    config: Config,
    levels: Option<Levels>,
    memory: Option<Memory>,
) -> Result<Bound, Error> {
    let fixed = Fixed::of(&config);
    let Config { listen, admin, callers, rpc, apis, tools, retries, bounds, telemetry, .. } =
        config;
    // Its own, since what is kept secret comes to be more.
    let secrets = Secrets::default();
    secrets.become_all_of(&telemetry.secrets, &Secrets::default());
    let (parts, tools) = Parts::default().succeeded(Declared { apis, retries, tools })?;
    let tools = tools.into_iter().map(|renewed| renewed.tool);
    let tools = Registry::with_workers(tools, config.offers, worker::Pool::new(config.workers));
    let told: Vec<_> = tools.iter().map(|tool| told(tool)).collect();
    let (telemetry, exporter) = Telemetry::start(&telemetry, &told)?;
    let telemetry = telemetry.logging(levels);
    let of_reload = telemetry.clone();
    let metrics = telemetry.metrics.clone();
    if let (Some(memory), Some(metrics)) = (&memory, &metrics) {
        self::overload::measure(memory, metrics);
    }
    let auth = Auth::new(callers);
    let (bounds, rpc) = ((bounds, memory), (&rpc, &listen, auth.clone()));
    let bound = Bound::try_new(tools, bounds, rpc, config.drain_timeout, telemetry)?;
    let admin =
        admin.map(|admin| Admin::bind(admin, metrics, bound.server.health(), bound.drain.clone()));
    let scheduler = bound.service.scheduler().clone();
    let reload = Reload { scheduler, auth, telemetry: of_reload, parts, fixed, secrets };
    Ok(Bound { exporter, reload: Some(reload), admin: admin.transpose()?, ..bound })
}

impl Bound {
    fn try_new(
        tools: Registry,
        (bounds, memory): (schedule::Settings, Option<Memory>),
        (rpc, listen, auth): (&rpc::Settings, &listen::Settings, Auth),
        drain_timeout: Duration,
        telemetry: Telemetry,
    ) -> Result<Self, Error> {
        let drain = Drain::new();
        let tools = Arc::new(tools);
        let inputs_bytes_max = bounds.batch_bytes_max;
        let scheduler =
            Scheduler::observed(Arc::clone(&tools), bounds, drain.clone(), telemetry.clone())
                .bounded_by(memory);
        if let Some(metrics) = &telemetry.metrics {
            metrics.watch_breakers(schedule::breakers(&scheduler));
        }
        let (levels, metrics) = (telemetry.levels.clone(), telemetry.metrics.clone());
        let service = Service::new(scheduler, rpc.message_bytes_max).logging(levels);
        let tracer = telemetry.tracer.clone();
        let server = Server::try_new(service.clone(), auth, rpc, inputs_bytes_max, telemetry)?;
        // Last, so that nobody connects to what cannot serve.
        let listeners = listen::bind(listen)?;
        if let (Some(metrics), Some(ends_at)) = (metrics, listeners.ends_at()) {
            metrics.watch_certificates(ends_at);
        }
        Ok(Self {
            unix: listeners.unix().map(Path::to_owned),
            tcp: listeners.tcp(),
            tools,
            drain,
            drain_timeout,
            reload: None,
            tracer,
            exporter: None,
            admin: None,
            listeners,
            server,
            service,
        })
    }

    /// Its admin port's address, with the port that was taken.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Admin::address)
    }

    /// Whether TLS is spoken at its TCP address.
    pub fn is_tls(&self) -> bool {
        self.listeners.is_tls()
    }

    /// What of it can be changed while it runs; once.
    pub fn reload(&mut self) -> Option<Reload> {
        self.reload.take()
    }

    /// Who takes down what is traced, where there is somebody to tell it to.
    pub fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_ref()
    }

    /// Serves until drained: until [`drain`](Self::drain) is started and every
    /// batch has ended, at the latest after the drain timeout.
    ///
    /// While it drains it still listens, so that health can be asked and batches
    /// can be cancelled; new turns are refused.
    pub async fn run(self) {
        let Self { drain, drain_timeout, listeners, server, service, exporter, admin, .. } = self;
        let closing = CancellationToken::new();
        let cut = CancellationToken::new();
        server.set_serving(true).await;
        if let Some(admin) = admin {
            drain.spawn(admin.serve(closing.clone()));
        }
        for incoming in listeners.into_incoming(&drain, &cut) {
            drain.spawn(server.clone().serve(incoming, closing.clone()));
        }

        drain.draining().cancelled().await;
        let last = clock::now() + drain_timeout;
        server.set_serving(false).await;
        let killed = drain.killed().clone();
        let idle_or_killed = async {
            tokio::select! {
                () = service.idle() => {}
                () = killed.cancelled() => {}
            }
        };
        if !within(drain_timeout, idle_or_killed).await {
            tracing::warn!(
                drain.timeout_ms = drain_timeout.as_millis(),
                "Batches are still running at the end of the drain timeout; they are cancelled.",
            );
        }

        let is_killed = killed.is_cancelled();

        // Batches that still run end now, each call with its result.
        drain.kill();
        within(LAST_WORDS, service.idle()).await;
        closing.cancel();
        let rest = last.saturating_duration_since(clock::now()).clamp(GOODBYE, GOODBYE_MAX);
        if !within(if is_killed { GOODBYE } else { rest }, drain.finished()).await {
            // Idle and half-open connections, and clients that do not read.
            cut.cancel();
            if !within(GOODBYE, drain.finished()).await {
                tracing::warn!(tasks = drain.tasks_open(), "Tasks did not end and are abandoned.");
            }
        }
        if let Some(exporter) = exporter {
            let rest = last.saturating_duration_since(clock::now());
            exporter.end(rest.clamp(LAST_SPANS, LAST_SPANS_MAX)).await;
        }
    }
}

/// Whether `work` was done in time.
async fn within(time: Duration, work: impl Future<Output = ()>) -> bool {
    timeout(time, work).await.is_ok()
}

#[cfg(test)]
mod tests;
