//! Which collectors, and how.

use std::{fmt, num::NonZeroUsize, time::Duration};

use http::{HeaderName, HeaderValue, Uri};

/// Where telemetry goes.
#[derive(Clone, Eq, PartialEq)]
pub struct Settings {
    /// The gRPC address of the collector that spans go to: `http://127.0.0.1:4317`.
    /// Where there is none, nothing is traced.
    pub traces: Option<String>,
    /// The same for what was measured.
    pub metrics: Option<String>,
    /// Sent with every message; never shown.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long a message of spans may take.
    pub timeout: Duration,
    /// The same of one of what was measured.
    pub metrics_timeout: Duration,
    /// Most spans that wait; what comes beyond is dropped.
    pub queue_spans_max: NonZeroUsize,
    /// How long the first of a message's spans waits for more.
    pub delay: Duration,
    /// How often what was measured leaves.
    pub metrics_every: Duration,
}

impl Settings {
    /// Telemetry to a collector, in the usual way.
    pub fn new(endpoint: impl Into<String>) -> Self {
        let endpoint = endpoint.into();
        Self {
            traces: Some(endpoint.clone()),
            metrics: Some(endpoint),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            metrics_timeout: Duration::from_secs(10),
            queue_spans_max: NonZeroUsize::MIN.saturating_add((1 << 15) - 1),
            delay: Duration::from_secs(1),
            metrics_every: Duration::from_secs(60),
        }
    }

    /// Whether collectors usually speak HTTP there, and no gRPC.
    pub fn is_at_the_port_of_http(endpoint: &str) -> bool {
        endpoint.parse().is_ok_and(|uri: Uri| uri.port_u16() == Some(4318))
    }

    /// Checks an endpoint.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn check(endpoint: &str) -> Result<(), String> {
        let uri: Uri = endpoint.parse().map_err(|_| format!("`{endpoint}` is no address"))?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let has_host = uri.authority().is_some_and(|to| !to.as_str().contains('@'));
        if !is_http || !has_host || uri.path() != "/" || uri.query().is_some() {
            return Err(format!("`{endpoint}` is not `http://` or `https://`, a host and a port"));
        }
        Ok(())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { traces, metrics, headers, timeout, metrics_timeout, .. } = self;
        let Self { queue_spans_max, delay, metrics_every, .. } = self;
        f.debug_struct("Settings")
            .field("traces", traces)
            .field("metrics", metrics)
            .field("headers", &headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("timeout", timeout)
            .field("metrics_timeout", metrics_timeout)
            .field("queue_spans_max", queue_spans_max)
            .field("delay", delay)
            .field("metrics_every", metrics_every)
            .finish()
    }
}
