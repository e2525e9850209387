//! The limit: what a turn costs where nothing is done but forwarding it.
//!
//! The same service, HTTP client and runtime as Sidecall's, and none of its
//! features: a call is a GET of `/{tool}/{id}`, its answer goes to the caller as
//! soon as it is there. One future per call in the response's own task, no plan,
//! no validation, no deadlines, no bundle.

use std::{path::Path, pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt, stream::FuturesUnordered};
use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use sidecall::proto::v1::{
    BatchEvent, CallFinished, CancelBatchRequest, CancelBatchResponse, Content,
    ExecuteBatchRequest, ExecuteBatchResponse, ExecuteStreamRequest, ExecuteStreamResponse,
    ListToolsRequest, ListToolsResponse, LogLevelsRequest, LogLevelsResponse, Outcome,
    PlanBatchRequest, PlanBatchResponse, ServeToolsRequest, ServeToolsResponse, StatusRequest,
    StatusResponse, ToolResult, ToolUse, batch_event, content,
    execute_batch_request::Turn,
    sidecall_service_server::{SidecallService, SidecallServiceServer},
};
use tokio::{net::UnixListener, sync::Semaphore};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, Streaming};

/// Serves on `socket` for ever, with at most `connections` to `upstream`, an
/// authority.
pub(crate) async fn serve(
    socket: &Path,
    upstream: String,
    connections: usize,
) -> anyhow::Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(connections)
        .build(connector);
    let forwarder = Forwarder(Arc::new(Shared {
        client,
        upstream: upstream.parse()?,
        places: Semaphore::new(connections),
    }));
    let incoming = UnixListenerStream::new(UnixListener::bind(socket)?);
    tonic::transport::Server::builder()
        .add_service(SidecallServiceServer::new(forwarder))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

struct Forwarder(Arc<Shared>);

struct Shared {
    client: Client<HttpConnector, Empty<bytes::Bytes>>,
    upstream: http::uri::Authority,
    /// One for each connection that may be open.
    places: Semaphore,
}

impl Shared {
    async fn forward(
        self: Arc<Self>,
        index: u32,
        call: ToolUse,
    ) -> Result<ExecuteBatchResponse, Status> {
        let _place = self.places.acquire().await.map_err(unavailable)?;
        let uri = Uri::builder()
            .scheme(http::uri::Scheme::HTTP)
            .authority(self.upstream.clone())
            .path_and_query(format!("/{}/{}", call.name, call.id))
            .build()
            .map_err(unavailable)?;
        let response = self.client.get(uri).await.map_err(unavailable)?;
        let body = response.into_body().collect().await.map_err(unavailable)?.to_bytes();
        let json = String::from_utf8(body.into()).map_err(unavailable)?;
        let result = ToolResult {
            call_id: call.id,
            tool: call.name,
            index,
            outcome: Outcome::Succeeded.into(),
            content: vec![Content { block: Some(content::Block::Json(json)), in_parts: false }],
            ..ToolResult::default()
        };
        let finished = batch_event::Event::CallFinished(CallFinished { result: Some(result) });
        let event = BatchEvent { sequence: 0, event: Some(finished) };
        Ok(ExecuteBatchResponse { event: Some(event) })
    }
}

fn unavailable(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SidecallService for Forwarder {
    type ExecuteBatchStream = Messages<ExecuteBatchResponse>;
    type ExecuteStreamStream = Messages<ExecuteStreamResponse>;
    type ServeToolsStream = Messages<ServeToolsResponse>;

    async fn execute_batch(
        &self,
        request: Request<ExecuteBatchRequest>,
    ) -> Result<Response<Self::ExecuteBatchStream>, Status> {
        let Some(Turn::Typed(turn)) = request.into_inner().turn else {
            return Err(Status::invalid_argument("only typed turns"));
        };
        let calls: FuturesUnordered<_> = (0..)
            .zip(turn.tool_uses)
            .map(|(index, call)| Arc::clone(&self.0).forward(index, call))
            .collect();
        Ok(Response::new(calls.boxed()))
    }

    async fn execute_stream(
        &self,
        _: Request<Streaming<ExecuteStreamRequest>>,
    ) -> Result<Response<Self::ExecuteStreamStream>, Status> {
        Err(Status::unimplemented("only ExecuteBatch"))
    }

    async fn serve_tools(
        &self,
        _: Request<Streaming<ServeToolsRequest>>,
    ) -> Result<Response<Self::ServeToolsStream>, Status> {
        Err(Status::unimplemented("only ExecuteBatch"))
    }

    async fn plan_batch(
        &self,
        _: Request<PlanBatchRequest>,
    ) -> Result<Response<PlanBatchResponse>, Status> {
        Err(Status::unimplemented("only ExecuteBatch"))
    }

    async fn cancel_batch(
        &self,
        _: Request<CancelBatchRequest>,
    ) -> Result<Response<CancelBatchResponse>, Status> {
        Err(Status::unimplemented("only ExecuteBatch"))
    }

    async fn list_tools(
        &self,
        _: Request<ListToolsRequest>,
    ) -> Result<Response<ListToolsResponse>, Status> {
        Err(Status::unimplemented("only ExecuteBatch"))
    }

    async fn log_levels(
        &self,
        _: Request<LogLevelsRequest>,
    ) -> Result<Response<LogLevelsResponse>, Status> {
        Err(Status::unimplemented("only ExecuteBatch"))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Err(Status::unimplemented("only ExecuteBatch"))
    }
}
