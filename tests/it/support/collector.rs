//! An OpenTelemetry collector that keeps what it is sent.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::ResourceMetrics,
    resource::v1::Resource,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::PATIENCE;

/// The collector. Dropping it ends it.
pub(crate) struct Collector {
    address: SocketAddr,
    kept: Arc<Kept>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Kept {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    spans: Vec<Span>,
    /// By message.
    metrics: Vec<Vec<ResourceMetrics>>,
    resources: Vec<Resource>,
    metadata: Vec<MetadataMap>,
}

/// A span as a test reads it.
#[derive(Clone, Debug)]
pub(crate) struct Seen(pub(crate) Span);

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::new(Kept::default());
        let traces = TraceServiceServer::new(Keeper(Arc::clone(&kept)));
        let metrics = MetricsServiceServer::new(Keeper(Arc::clone(&kept)));
        let mut server = JoinSet::new();
        server.spawn(async move {
            tonic::transport::Server::builder()
                .add_service(traces)
                .add_service(metrics)
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
        Self { address, kept, _server: server }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans, once there are so many.
    pub(crate) async fn spans(&self, count: usize) -> Vec<Seen> {
        let mut changed = self.kept.changed.subscribe();
        let enough = async {
            while self.all().len() < count {
                changed.changed().await.unwrap();
            }
        };
        if timeout(PATIENCE, enough).await.is_err() {
            panic!("of {count} spans came {:#?}", self.all());
        }
        self.all()
    }

    /// A message of what was measured, once one is as it is wanted.
    pub(crate) async fn measures(
        &self,
        is_wanted: impl Fn(&[ResourceMetrics]) -> bool,
    ) -> Vec<ResourceMetrics> {
        let mut changed = self.kept.changed.subscribe();
        let found = async {
            loop {
                let messages = self.kept.state.lock().unwrap().metrics.clone();
                if let Some(message) = messages.into_iter().find(|message| is_wanted(message)) {
                    return message;
                }
                changed.changed().await.unwrap();
            }
        };
        match timeout(PATIENCE, found).await {
            Ok(message) => message,
            Err(_) => panic!("none of {:#?}", self.kept.state.lock().unwrap().metrics),
        }
    }

    /// Every span that came.
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.kept.state.lock().unwrap().spans.iter().cloned().map(Seen).collect()
    }

    /// What is said of the process that sent the last message.
    pub(crate) fn resource(&self) -> BTreeMap<String, String> {
        let state = self.kept.state.lock().unwrap();
        state.resources.last().map(|resource| texts(&resource.attributes)).unwrap_or_default()
    }

    /// A header of the last message.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let state = self.kept.state.lock().unwrap();
        Some(state.metadata.last()?.get(name)?.to_str().unwrap().to_owned())
    }
}

impl Seen {
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn kind(&self) -> SpanKind {
        self.0.kind()
    }

    /// Its attributes, numbers and all as text.
    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        texts(&self.0.attributes)
    }

    /// One of them; empty where it is absent.
    pub(crate) fn attribute(&self, name: &str) -> String {
        self.attributes().remove(name).unwrap_or_default()
    }

    /// What its status says where it is an error.
    pub(crate) fn error(&self) -> Option<&str> {
        let status = self.0.status.as_ref()?;
        (status.code() == StatusCode::Error).then_some(status.message.as_str())
    }

    pub(crate) fn trace_id(&self) -> String {
        hex(&self.0.trace_id)
    }

    pub(crate) fn id(&self) -> String {
        hex(&self.0.span_id)
    }

    pub(crate) fn parent(&self) -> String {
        hex(&self.0.parent_span_id)
    }

    /// Takes some time, and this within its parent's. What an RPC began ends after it
    /// where its caller went away.
    pub(crate) fn is_within(&self, parent: &Self) -> bool {
        let (own, whole) = (&self.0, &parent.0);
        let is_left = parent.attribute("rpc.status_code") == "CANCELLED";
        own.start_time_unix_nano < own.end_time_unix_nano
            && whole.start_time_unix_nano <= own.start_time_unix_nano
            && (is_left || own.end_time_unix_nano <= whole.end_time_unix_nano)
    }
}

/// The spans of this name.
pub(crate) fn named_as<'a>(spans: &'a [Seen], name: &str) -> Vec<&'a Seen> {
    spans.iter().filter(|span| span.name() == name).collect()
}

/// The one span of this name.
#[track_caller]
pub(crate) fn named<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    let found = named_as(spans, name);
    let names: Vec<_> = spans.iter().map(Seen::name).collect();
    assert_eq!(found.len(), 1, "{name} in {names:?}");
    found[0]
}

/// The spans are one trace without a gap: each but the first is within another,
/// in time as in the tree. Gives that first one.
#[track_caller]
pub(crate) fn one_tree(spans: &[Seen]) -> &Seen {
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (span.id(), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "an id twice");
    let mut roots = Vec::new();
    for span in spans {
        assert_eq!(span.trace_id(), spans[0].trace_id(), "{}", span.name());
        match by_id.get(&span.parent()) {
            Some(parent) => assert!(span.is_within(parent), "{span:?} is not within {parent:?}"),
            None => roots.push(span),
        }
    }
    let names: Vec<_> = roots.iter().map(|span| span.name()).collect();
    assert_eq!(names.len(), 1, "orphans: {names:?}");
    roots[0]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Attributes, numbers and all as text.
pub(crate) fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &AnyValue| match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        other => panic!("no test expects {other:?}"),
    };
    let pair = |pair: &KeyValue| (pair.key.clone(), pair.value.as_ref().map(text).unwrap());
    attributes.iter().map(pair).collect()
}

struct Keeper(Arc<Kept>);

#[tonic::async_trait]
impl TraceService for Keeper {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        {
            let mut state = self.0.state.lock().unwrap();
            state.metadata.push(request.metadata().clone());
            for resource in request.into_inner().resource_spans {
                state.resources.extend(resource.resource);
                let scopes = resource.scope_spans.into_iter();
                state.spans.extend(scopes.flat_map(|scope| scope.spans));
            }
        }
        self.0.changed.send_replace(());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Keeper {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.state.lock().unwrap().metrics.push(request.into_inner().resource_metrics);
        self.0.changed.send_replace(());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
