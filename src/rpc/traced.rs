//! What is told of an RPC, from its request to its status: a span and a measure.

use std::{
    collections::HashSet,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::{Code, body::Body};

use super::code_name;
use crate::{
    clock::{self, Instant},
    proto,
    telemetry::{Telemetry, metrics::Metrics, names, propagate, record::Rpc},
};

const STATUS: &str = "grpc-status";

/// Tells of the RPCs of a service. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Traced {
    telemetry: Telemetry,
    /// `package.Service/Method`: what else a caller may ask for names nothing.
    methods: Arc<HashSet<Arc<str>>>,
}

impl Traced {
    /// `None` where nobody watches.
    pub(super) fn new(telemetry: Telemetry) -> Option<Self> {
        if telemetry.tracer.is_none() && telemetry.metrics.is_none() {
            return None;
        }
        let methods = proto::METHODS.iter().map(|method| Arc::from(*method)).collect();
        Some(Self { telemetry, methods: Arc::new(methods) })
    }

    /// Passes the request on with the context that it makes, and follows its
    /// answer to the end.
    pub(super) fn call<S>(&self, service: &mut S, mut request: Request<Body>) -> S::Future
    where
        S: tower::Service<
                Request<Body>,
                Response = Response<Body>,
                Error = Infallible,
                Future = BoxFuture<'static, Result<Response<Body>, Infallible>>,
            >,
    {
        let method = self.method(request.uri().path());
        let record = self.telemetry.tracer.as_ref().and_then(|tracer| {
            let (context, record) = tracer.rpc(request.headers(), &method);
            request.extensions_mut().insert(context);
            record
        });
        let metrics = self.telemetry.metrics.clone();
        let response = service.call(request);
        if record.is_none() && metrics.is_none() {
            return response;
        }
        let rpc = Open { record, metrics, method, began: clock::now(), status: None };
        Box::pin(async move { Ok(follow(response.await?, rpc)) })
    }

    /// Measures the answer to whoever was not let in. There is no span of it: its
    /// context is not heeded, and the room for spans is for those who were.
    pub(super) fn refused(&self, path: &str, answer: Response<Body>) -> Response<Body> {
        let (metrics, method) = (self.telemetry.metrics.clone(), self.method(path));
        let rpc = Open { record: None, metrics, method, began: clock::now(), status: None };
        follow(answer, rpc)
    }

    fn method(&self, path: &str) -> Arc<str> {
        let known = self.methods.get(path.trim_start_matches('/'));
        known.cloned().unwrap_or_else(|| names::OTHER.into())
    }
}

/// An RPC that is open. Dropped, it has ended.
struct Open {
    record: Option<Rpc>,
    metrics: Option<Metrics>,
    method: Arc<str>,
    began: Instant,
    /// None where its caller went away.
    status: Option<&'static str>,
}

impl Open {
    fn has_status(&mut self, status: &'static str) {
        self.status = Some(status);
        if let Some(record) = &mut self.record {
            record.has_status(status);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(metrics) = &self.metrics {
            let status = self.status.unwrap_or(code_name(Code::Cancelled));
            metrics.rpc(&self.method, status, clock::now() - self.began);
        }
    }
}

/// The context that an RPC's own work is in.
pub(super) fn context<T>(request: &tonic::Request<T>) -> propagate::Context {
    let made = request.extensions().get::<propagate::Context>();
    made.cloned().unwrap_or_else(|| propagate::Context::of(request.metadata().as_ref()))
}

fn follow(response: Response<Body>, mut rpc: Open) -> Response<Body> {
    // An RPC that is refused at once has its status in the head.
    learn(&mut rpc, response.headers());
    response.map(|body| Body::new(Followed { body, rpc }))
}

fn learn(rpc: &mut Open, headers: &HeaderMap) {
    if let Some(status) = headers.get(STATUS) {
        rpc.has_status(code_name(Code::from_bytes(status.as_bytes())));
    }
}

/// A response's body whose RPC ends with it.
struct Followed {
    body: Body,
    rpc: Open,
}

impl http_body::Body for Followed {
    type Data = bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    learn(&mut self.rpc, trailers);
                }
            }
            Some(Err(status)) => self.rpc.has_status(code_name(status.code())),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
