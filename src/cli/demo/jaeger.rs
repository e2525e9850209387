//! A Jaeger that listens on this machine: the demo's turns are traced to it, and
//! found again on its page.

use std::{
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{config::Config, model::BatchId, proto::v1, telemetry::export};

/// How long it may take to accept a connection, on this machine.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// How long a turn may take to be found, once it has ended.
const FOUND_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// How long a span waits for others.
const DELAY: Duration = Duration::from_millis(50);
/// Most of an answer that is read: a trace of the demo's is some 50 KiB.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Where Jaeger takes spans in, and where it shows them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ports {
    collector: SocketAddr,
    page: SocketAddr,
}

impl Default for Ports {
    /// The usual ones.
    fn default() -> Self {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { collector: at(4317), page: at(16686) }
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = text.split_once(',').and_then(|(collector, page)| {
            Some(Self { collector: collector.parse().ok()?, page: page.parse().ok()? })
        });
        pair.ok_or_else(|| {
            "write where it takes OTLP and where its page is: 127.0.0.1:4317,127.0.0.1:16686"
                .to_owned()
        })
    }
}

/// Where the demo's turns are traced to.
#[derive(Debug)]
pub(super) enum Traces {
    /// A Jaeger.
    Jaeger(Ports, Turns),
    /// Where the environment says.
    Elsewhere(String),
    /// Nowhere.
    Nowhere,
}

/// The turns that were sent so far.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// What the next one shows.
    title: String,
    /// What each showed, and the id that it is found by.
    sent: Vec<(String, BatchId)>,
}

impl Traces {
    /// Looks whether a Jaeger listens, where the environment names no collector and
    /// turns nothing off.
    pub(super) async fn begin(config: &Config, ports: Ports) -> Self {
        let otlp = config.telemetry.otlp.as_ref();
        if let Some(endpoint) = otlp.and_then(|otlp| otlp.traces.clone()) {
            return Self::Elsewhere(endpoint);
        }
        if config.telemetry.untraced_by.is_some() {
            return Self::Nowhere;
        }
        let (collector, page) = tokio::join!(listens(ports.collector), listens(ports.page));
        if collector && page { Self::Jaeger(ports, Turns::default()) } else { Self::Nowhere }
    }

    /// Has a server of this configuration trace to it.
    pub(super) fn watch(&self, config: &mut Config) {
        if let Self::Jaeger(Ports { collector, .. }, _) = self {
            let endpoint = format!("http://{collector}");
            config.telemetry.sampling = 1.0;
            // Jaeger takes no metrics; they may go to another.
            let metrics = config.telemetry.otlp.take().and_then(|otlp| otlp.metrics);
            config.telemetry.otlp =
                Some(export::Settings { delay: DELAY, metrics, ..export::Settings::new(endpoint) });
        }
    }

    /// What the turns that follow show.
    pub(super) fn shows(&mut self, title: &str) {
        if let Self::Jaeger(_, turns) = self {
            title.clone_into(&mut turns.title);
        }
    }

    /// A turn that is about to be sent, with an id that it is found by.
    pub(super) fn marked(
        &mut self,
        mut request: v1::ExecuteBatchRequest,
    ) -> v1::ExecuteBatchRequest {
        if let Self::Jaeger(_, turns) = self {
            let id = BatchId::random();
            request.batch_id = id.to_string();
            turns.sent.push((turns.title.clone(), id));
        }
        request
    }

    /// What is said of it in the end, line by line.
    pub(super) async fn lines(&self) -> Vec<String> {
        let (Ports { page, .. }, turns) = match self {
            Self::Jaeger(ports, turns) => (ports, &turns.sent),
            Self::Elsewhere(endpoint) => {
                return vec![format!("Every turn was traced to {endpoint}.")];
            }
            Self::Nowhere => {
                return vec![
                    "Every turn as a trace: `make jaeger` in another terminal, then the demo again."
                        .to_owned(),
                ];
            }
        };
        let width = turns.iter().map(|(title, _)| title.chars().count()).max().unwrap_or(0);
        let mut lines = vec!["Every turn as a trace, in Jaeger:".to_owned()];
        for (title, batch) in turns {
            lines.push(match timeout(FOUND_TIMEOUT, trace(*page, batch)).await {
                Ok(trace) => format!("{title:width$}  http://{page}/trace/{trace}"),
                Err(_) => format!("{title:width$}  did not arrive at http://{page}"),
            });
        }
        lines
    }
}

async fn listens(address: SocketAddr) -> bool {
    matches!(timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await, Ok(Ok(_)))
}

/// The trace that this batch is in, once Jaeger has taken it in: it tells nobody when
/// it has.
async fn trace(page: SocketAddr, batch: &BatchId) -> String {
    let tags = format!(r#"{{"sidecall.batch.id":"{batch}"}}"#);
    let tags = utf8_percent_encode(&tags, NON_ALPHANUMERIC);
    let url = format!("http://{page}/api/traces?service=sidecall&lookback=1h&tags={tags}");
    loop {
        let answer = get(&url).await.unwrap_or_default();
        if let Some(trace) = answer["data"][0]["traceID"].as_str() {
            return trace.to_owned();
        }
        sleep(LOOK).await;
    }
}

/// What is answered, where it is JSON.
async fn get(url: &str) -> Option<Value> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(url.parse().ok()?).await.ok()?;
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
    serde_json::from_slice(&body.to_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_ports_are_written_as_two_addresses() {
        let ports: Ports = "127.0.0.1:1,127.0.0.1:2".parse().unwrap();
        assert_eq!((ports.collector.port(), ports.page.port()), (1, 2));
        assert_eq!("127.0.0.1:4317,127.0.0.1:16686".parse(), Ok(Ports::default()));
        for text in ["", "127.0.0.1:1", "localhost:1,localhost:2", "1,2"] {
            let error = text.parse::<Ports>().unwrap_err();
            assert!(error.contains("127.0.0.1:4317,127.0.0.1:16686"), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn half_a_jaeger_is_none() {
        let config =
            crate::config::read("", crate::cli::demo::CONFIG, &crate::config::env::Process);
        let mut config = config.unwrap();
        config.telemetry.otlp = None;
        let listens = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listens = listens.local_addr().map(|address| (listens, address)).unwrap();
        let closed = {
            let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            free.local_addr().unwrap()
        };
        let traces = Traces::begin(&config, Ports { collector: listens.1, page: closed }).await;
        assert!(matches!(traces, Traces::Nowhere), "{traces:?}");
        traces.watch(&mut config);
        assert!(config.telemetry.otlp.is_none());
        assert!(traces.lines().await[0].contains("`make jaeger`"));

        config.telemetry.otlp = Some(export::Settings::new("http://collector:4317"));
        let traces = Traces::begin(&config, Ports::default()).await;
        assert_eq!(traces.lines().await, ["Every turn was traced to http://collector:4317."]);
    }

    #[tokio::test]
    async fn a_turn_that_never_arrives_is_said_so() {
        // It listens, and says nothing.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let ports = Ports { collector: address, page: address };
        let mut traces = Traces::Jaeger(ports, Turns::default());
        traces.shows("1. One");
        let marked = traces.marked(v1::ExecuteBatchRequest::default());
        assert!(!marked.batch_id.is_empty());
        tokio::time::pause();
        let lines = traces.lines().await;
        assert_eq!(lines[1], format!("1. One  did not arrive at http://{address}"));
    }
}
