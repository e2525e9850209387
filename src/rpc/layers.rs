//! What stands between a connection and an RPC.
//!
//! From the outside in: the accept loop's own I/O, which can be cut; HTTP/2 with
//! its bounds; the choice of the service by path; who calls, but for health, which
//! probes ask that have no secrets; what is told of an RPC, of which whoever is nobody
//! takes no room; the time that a message has; tonic's codec with its own bounds.
//! Admission is not here: it needs to know the turn, and is the scheduler's.

use std::{
    convert::Infallible,
    num::NonZeroUsize,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{BoxFuture, Either, Ready, ready},
};
use http::{Request, Response, StatusCode, header};
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, server::NamedService, service::Routes};
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, HealthService},
};

mod greeting;
mod timely;

use greeting::Greeted;
use timely::timely;

use super::{
    Settings,
    auth::Auth,
    listen::{Incoming, Io, Visitor},
    service::Service,
    traced::Traced,
};
use crate::{
    proto::{self, v1::sidecall_service_server::SidecallServiceServer},
    telemetry::Telemetry,
};

/// A ping on a connection that was silent for so long. A peer that is gone
/// without a word would keep its batches running for ever.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long the answer to it may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a request around its inputs: names, ids, what depends on what. A turn
/// over its bound must be read to be refused with words.
const REQUEST_MARGIN_BYTES: usize = 4 << 20;
/// hyper's own default, pinned: metadata is small. Longer ones are refused, and how
/// many CONTINUATION frames may come follows of it.
const HEADER_LIST_BYTES_MAX: u32 = 16 << 10;
/// Streams that a client may reset before anybody saw them, at one time. More is a
/// flood of resets and ends the connection; a client that cancels a whole turn of
/// RPCs at once stays below.
const RESETS_PENDING_MAX: usize = 64;
/// Streams that the server itself resets for what is wrong with them, until the
/// connection ends. tonic, told nothing, would have no bound.
const RESETS_OWN_MAX: usize = 256;
/// Bytes that may come unread of a stream, and of a connection. hyper's own default,
/// pinned: it is what a caller can make the server hold for nothing.
const WINDOW_BYTES: u32 = 1 << 20;
/// The service that health is asked of for whether the process lives: a probe that is
/// to restart it must not ask whether it takes turns.
const LIVENESS: &str = "liveness";

/// Serves connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Server {
    choice: Choice,
    streams_max: u32,
    health: HealthReporter,
}

impl Server {
    /// Serves `service` and reflection to those whom `auth` lets in, and health to
    /// all. `inputs_bytes_max` is the bound on the inputs of one turn; `telemetry` is
    /// told of every RPC of the service.
    ///
    /// # Errors
    ///
    /// The descriptors that this program was built with are not readable.
    pub fn try_new(
        service: Service,
        auth: Auth,
        settings: &Settings,
        inputs_bytes_max: NonZeroUsize,
        telemetry: Telemetry,
    ) -> Result<Self, tonic_reflection::server::Error> {
        let sidecall = SidecallServiceServer::new(service)
            .max_decoding_message_size(inputs_bytes_max.get().saturating_add(REQUEST_MARGIN_BYTES));
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()?;
        let health = HealthReporter::new();
        let health_service = tonic_health::pb::health_server::HealthServer::new(
            HealthService::from_health_reporter(health.clone()),
        );
        let others = Routes::new(health_service).add_service(reflection).prepare();
        let choice = Choice { sidecall, others, auth, traced: Traced::new(telemetry) };
        Ok(Self { choice, streams_max: settings.streams_max, health })
    }

    /// What health says from now on, of the process and of the service: whether they
    /// take turns. That the process lives is said by whoever answers at all.
    pub async fn set_serving(&self, is_serving: bool) {
        let status = if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in ["", Sidecall::NAME] {
            self.health.set_service_status(service, status).await;
        }
        self.health.set_service_status(LIVENESS, ServingStatus::Serving).await;
    }

    /// What health says, for other faces that tell it.
    pub fn health(&self) -> HealthReporter {
        self.health.clone()
    }

    /// Serves the connections that come, until `closing`: then no more are
    /// accepted, and those that are open end when their RPCs have.
    pub async fn serve(self, incoming: Incoming, closing: CancellationToken) {
        let auth = self.choice.auth.clone();
        let greeted =
            move |io: Io| Greeted::new(if auth.is_guarded() { io.awaiting_a_caller() } else { io });
        let served = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(self.streams_max)
            .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
            .http2_max_pending_accept_reset_streams(Some(RESETS_PENDING_MAX))
            .http2_max_local_error_reset_streams(Some(RESETS_OWN_MAX))
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .serve_with_incoming_shutdown(
                self.choice,
                incoming.map(move |io| io.map(&greeted)),
                closing.cancelled_owned(),
            )
            .await;
        // The accept loop has no error, and the service is always ready.
        if let Err(error) = served {
            tracing::error!(%error, "A listener has ended by a fault.");
        }
    }
}

type Sidecall = SidecallServiceServer<Service>;

/// The service that probes ask.
const HEALTH: &str = tonic_health::pb::health_server::SERVICE_NAME;

/// Chooses the service by path. Sidecall's own RPCs go to it directly; a
/// general router in between costs each of them two allocations.
#[derive(Clone, Debug)]
struct Choice {
    sidecall: Sidecall,
    others: Routes,
    auth: Auth,
    traced: Option<Traced>,
}

impl tower::Service<Request<Body>> for Choice {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        BoxFuture<'static, Result<Response<Body>, Infallible>>,
        Ready<Result<Response<Body>, Infallible>>,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Both services are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if is_of(request.uri().path(), Sidecall::NAME) {
            if let Err(refused) = self.auth.admit(&mut request) {
                let answer = refused.into_http();
                return Either::Right(ready(Ok(match &self.traced {
                    Some(traced) => traced.refused(request.uri().path(), answer),
                    None => answer,
                })));
            }
            let request = timely(request);
            Either::Left(match &self.traced {
                Some(traced) => traced.call(&mut self.sidecall, request),
                None => self.sidecall.call(request),
            })
        } else if is_grpc(&request) {
            if is_of(request.uri().path(), HEALTH) {
                if let Some(visitor) = request.extensions().get::<Visitor>() {
                    visitor.asks_health();
                }
                request = timely(request);
            } else if let Err(refused) = self.auth.admit(&mut request) {
                return Either::Right(ready(Ok(refused.into_http())));
            }
            Either::Left(Box::pin(self.others.call(request)))
        } else {
            Either::Right(ready(Ok(not_grpc())))
        }
    }
}

/// Whether `path` is `/service/…`.
fn is_of(path: &str, service: &str) -> bool {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(service))
        .is_some_and(|method| method.starts_with('/'))
}

fn is_grpc(request: &Request<Body>) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// tonic's own answer to a path that it does not know is HTTP's 200, which a
/// browser or a probe takes for success.
fn not_grpc() -> Response<Body> {
    let mut response = Response::new(Body::new("This server speaks gRPC.\n".to_owned()));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain"));
    response
}
