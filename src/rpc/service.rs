//! The RPCs. Each decodes, asks the scheduler and encodes; nothing is decided
//! here.

use std::{num::NonZeroUsize, pin::Pin, time::Duration};

use tokio_stream::Stream;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use super::{
    auth, deadline,
    decode::{self, Opening, Steps},
    encode, levels, status,
    stream::{Events, SharedFrame},
    tools, traced, workers,
};
use crate::{
    clock,
    proto::v1::{self, sidecall_service_server::SidecallService},
    schedule::{Refusal, Scheduler},
    telemetry::log::Levels,
};

/// Answers RPCs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    scheduler: Scheduler,
    message_bytes_max: NonZeroUsize,
    streams: TaskTracker,
    levels: Option<Levels>,
}

impl Service {
    /// A service whose messages have at most `message_bytes_max` bytes.
    pub fn new(scheduler: Scheduler, message_bytes_max: NonZeroUsize) -> Self {
        Self { scheduler, message_bytes_max, streams: TaskTracker::new(), levels: None }
    }

    /// The same of a process that logs, where it does.
    #[must_use]
    pub fn logging(self, levels: Option<Levels>) -> Self {
        Self { levels, ..self }
    }

    /// What its turns are run by.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Bytes that an answer may be filled with.
    fn room(&self) -> usize {
        self.message_bytes_max.get().saturating_sub(MARGIN_BYTES)
    }

    async fn idle_owned(self) {
        self.streams.wait().await;
    }

    /// The first message of a stream that the caller writes. One that does not come
    /// holds nothing, and nobody waits for it for long.
    async fn first<T>(&self, requests: &mut Streaming<T>) -> Result<Option<T>, Status> {
        let draining = self.scheduler.draining();
        tokio::select! {
            first = requests.message() => first,
            () = draining.cancelled() => Err(status::refused(self.scheduler.refusal())),
            () = tokio::time::sleep(FIRST_MESSAGE) => Ok(None),
        }
    }

    /// Ready when no batch's stream is open.
    pub async fn idle(&self) {
        self.streams.close();
        self.streams.wait().await;
    }
}

#[tonic::async_trait]
impl SidecallService for Service {
    type ExecuteBatchStream = Events<v1::ExecuteBatchResponse>;
    type ExecuteStreamStream = Events<v1::ExecuteStreamResponse>;
    type ServeToolsStream =
        Pin<Box<dyn Stream<Item = Result<v1::ServeToolsResponse, Status>> + Send>>;

    async fn execute_batch(
        &self,
        request: Request<v1::ExecuteBatchRequest>,
    ) -> Result<Response<Self::ExecuteBatchStream>, Status> {
        let caller = auth::caller(&request)?;
        let allowed = deadline::allowed(request.metadata())
            .map_err(|violation| status::refused(Refusal::Invalid(vec![violation])))?;
        // Before the turn is let in: a drain that begins meanwhile waits for it.
        let open = self.streams.token();
        let context = traced::context(&request);
        let trace = context.trace_id();
        let (submission, frame) =
            decode::execute(request.into_inner(), allowed, clock::now(), context, &caller)
                .map_err(status::refused)?;
        let running = self.scheduler.submit(submission).map_err(status::refused)?;
        let bytes_max = self.message_bytes_max.get();
        let wrap = |event| v1::ExecuteBatchResponse { event: Some(event) };
        let events = Events::new(running, frame, bytes_max, wrap, (open, trace));
        Ok(Response::new(events.begun().await))
    }

    async fn execute_stream(
        &self,
        request: Request<Streaming<v1::ExecuteStreamRequest>>,
    ) -> Result<Response<Self::ExecuteStreamStream>, Status> {
        let pass = auth::pass(&request)?;
        let allowed = deadline::allowed(request.metadata())
            .map_err(|violation| status::refused(Refusal::Invalid(vec![violation])))?;
        let (began, context) = (clock::now(), traced::context(&request));
        let trace = context.trace_id();
        let mut requests = request.into_inner();
        let first = self.first(&mut requests).await?;
        let caller = pass.caller()?;
        let open = self.streams.token();
        let Opening { submission, frame } =
            decode::open(first, (began, allowed), clock::now(), context, &caller)
                .map_err(status::refused)?;
        let frame = SharedFrame::from(frame);
        let steps = Steps::new(requests, frame.clone());
        let running = self.scheduler.open(submission, Box::pin(steps)).map_err(status::refused)?;
        let bytes_max = self.message_bytes_max.get();
        let wrap = |event| v1::ExecuteStreamResponse { event: Some(event) };
        let events = Events::new(running, frame, bytes_max, wrap, (open, trace));
        Ok(Response::new(events.begun().await))
    }

    async fn serve_tools(
        &self,
        request: Request<Streaming<v1::ServeToolsRequest>>,
    ) -> Result<Response<Self::ServeToolsStream>, Status> {
        let pass = auth::pass(&request)?;
        let idle = self.clone().idle_owned();
        let told = workers::serve(&self.scheduler, pass, request.into_inner(), idle).await?;
        Ok(Response::new(Box::pin(told)))
    }

    async fn plan_batch(
        &self,
        request: Request<v1::PlanBatchRequest>,
    ) -> Result<Response<v1::PlanBatchResponse>, Status> {
        let caller = auth::caller(&request)?;
        let planned = decode::plan(request.into_inner(), &caller)
            .and_then(|submission| self.scheduler.plan(submission))
            .map_err(status::refused)?;
        let plan = encode::plan(&planned, self.room());
        Ok(Response::new(v1::PlanBatchResponse { plan: Some(plan) }))
    }

    async fn cancel_batch(
        &self,
        request: Request<v1::CancelBatchRequest>,
    ) -> Result<Response<v1::CancelBatchResponse>, Status> {
        let caller = auth::caller(&request)?;
        let (batch_id, call_ids) = decode::cancel(request.into_inner()).map_err(status::refused)?;
        let cancelled = self
            .scheduler
            .cancel(&caller.owner, &batch_id, call_ids)
            .await
            .ok_or_else(|| status::no_such_batch(&batch_id))?;
        let call_ids = cancelled.iter().map(ToString::to_string).collect();
        Ok(Response::new(v1::CancelBatchResponse { call_ids }))
    }

    async fn list_tools(
        &self,
        request: Request<v1::ListToolsRequest>,
    ) -> Result<Response<v1::ListToolsResponse>, Status> {
        let caller = auth::caller(&request)?;
        let request = request.into_inner();
        let (wanted, session) = decode::list(&request, &caller).map_err(status::refused)?;
        let seen = self.scheduler.registry().view(&caller, session.as_ref());
        Ok(Response::new(tools::page(&seen, &request.page_token, wanted, self.room())))
    }

    async fn log_levels(
        &self,
        request: Request<v1::LogLevelsRequest>,
    ) -> Result<Response<v1::LogLevelsResponse>, Status> {
        if !auth::caller(&request)?.is_admin {
            return Err(status::not_admin());
        }
        levels::answer(self.levels.as_ref(), request.into_inner()).map(Response::new)
    }

    async fn status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let caller = auth::caller(&request)?;
        let rows = decode::status(request.get_ref()).map_err(status::refused)?;
        let look = |rows| self.scheduler.status(&caller, rows);
        Ok(Response::new(encode::status(look, &caller, rows, self.room())))
    }
}

/// How long the message of an RPC is waited for, or the first one of a stream.
pub(super) const FIRST_MESSAGE: Duration = Duration::from_secs(10);

/// Bytes of an answer around what fills it.
const MARGIN_BYTES: usize = 1 << 10;
