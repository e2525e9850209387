//! The RPCs. Each decodes, asks the scheduler and encodes; nothing is decided
//! here.

use std::{num::NonZeroUsize, pin::Pin, sync::Arc};

use prost::Message;
use tokio_stream::Stream;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use super::{deadline, decode, encode, status, stream::Events, traced};
use crate::{
    clock,
    format::{Definition, Shape, teach},
    model::{Owner, Tenant},
    proto::v1::{self, sidecall_service_server::SidecallService},
    registry::{Registry, Tool},
    schedule::{Refusal, Scheduler},
};

/// Answers RPCs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    scheduler: Scheduler,
    message_bytes_max: NonZeroUsize,
    streams: TaskTracker,
}

impl Service {
    /// A service whose messages have at most `message_bytes_max` bytes.
    pub fn new(scheduler: Scheduler, message_bytes_max: NonZeroUsize) -> Self {
        Self { scheduler, message_bytes_max, streams: TaskTracker::new() }
    }

    /// Bytes that an answer may be filled with.
    fn room(&self) -> usize {
        self.message_bytes_max.get().saturating_sub(MARGIN_BYTES)
    }

    /// Ready when no batch's stream is open.
    pub async fn idle(&self) {
        self.streams.close();
        self.streams.wait().await;
    }
}

#[tonic::async_trait]
impl SidecallService for Service {
    type ExecuteBatchStream = Events;
    type ExecuteStreamStream =
        Pin<Box<dyn Stream<Item = Result<v1::ExecuteStreamResponse, Status>> + Send>>;
    type ServeToolsStream =
        Pin<Box<dyn Stream<Item = Result<v1::ServeToolsResponse, Status>> + Send>>;

    async fn execute_batch(
        &self,
        request: Request<v1::ExecuteBatchRequest>,
    ) -> Result<Response<Events>, Status> {
        let allowed = deadline::allowed(request.metadata())
            .map_err(|violation| status::refused(Refusal::Invalid(vec![violation])))?;
        // Before the turn is let in: a drain that begins meanwhile waits for it.
        let open = self.streams.token();
        let context = traced::context(&request);
        let (submission, frame) =
            decode::execute(request.into_inner(), allowed, clock::now(), context)
                .map_err(status::refused)?;
        let running = self.scheduler.submit(submission).map_err(status::refused)?;
        let bytes_max = self.message_bytes_max.get();
        let events = Events::new(running, frame, bytes_max, open);
        Ok(Response::new(events.begun().await))
    }

    async fn execute_stream(
        &self,
        _: Request<Streaming<v1::ExecuteStreamRequest>>,
    ) -> Result<Response<Self::ExecuteStreamStream>, Status> {
        Err(Status::unimplemented("ExecuteStream"))
    }

    async fn serve_tools(
        &self,
        _: Request<Streaming<v1::ServeToolsRequest>>,
    ) -> Result<Response<Self::ServeToolsStream>, Status> {
        Err(Status::unimplemented("ServeTools"))
    }

    async fn plan_batch(
        &self,
        request: Request<v1::PlanBatchRequest>,
    ) -> Result<Response<v1::PlanBatchResponse>, Status> {
        let planned = decode::plan(request.into_inner())
            .and_then(|submission| self.scheduler.plan(submission))
            .map_err(status::refused)?;
        let plan = encode::plan(&planned, self.room());
        Ok(Response::new(v1::PlanBatchResponse { plan: Some(plan) }))
    }

    async fn cancel_batch(
        &self,
        request: Request<v1::CancelBatchRequest>,
    ) -> Result<Response<v1::CancelBatchResponse>, Status> {
        let (batch_id, call_ids) = decode::cancel(request.into_inner()).map_err(status::refused)?;
        let cancelled = self
            .scheduler
            .cancel(&Owner::local(), &batch_id, call_ids)
            .await
            .ok_or_else(|| status::no_such_batch(&batch_id))?;
        let call_ids = cancelled.iter().map(ToString::to_string).collect();
        Ok(Response::new(v1::CancelBatchResponse { call_ids }))
    }

    async fn list_tools(
        &self,
        request: Request<v1::ListToolsRequest>,
    ) -> Result<Response<v1::ListToolsResponse>, Status> {
        let request = request.into_inner();
        let (shape, references) = decode::list(&request).map_err(status::refused)?;
        let instructions = if references { teach::REFERENCES } else { "" };
        let room = self.room().saturating_sub(instructions.len());
        let page = page(self.scheduler.registry(), &request.page_token, shape, room);
        Ok(Response::new(v1::ListToolsResponse {
            tools_json: shape
                .map(|shape| shape.tool_definitions(page.tools.iter().map(|tool| definition(tool))))
                .unwrap_or_default(),
            tools: page.tools.iter().map(|tool| typed(tool)).collect(),
            instructions: instructions.to_owned(),
            next_page_token: page.next_token,
        }))
    }

    async fn status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let rows = decode::status(request.get_ref()).map_err(status::refused)?;
        let look = |rows| self.scheduler.status(rows);
        Ok(Response::new(encode::status(look, &Tenant::local(), rows, self.room())))
    }
}

/// Bytes of an answer around what fills it.
const MARGIN_BYTES: usize = 1 << 10;

struct Page<'a> {
    tools: Vec<&'a Arc<Tool>>,
    next_token: String,
}

/// The tools after the one named `token`, as many as fit into `room` bytes and
/// at least one.
fn page<'a>(registry: &'a Registry, token: &str, shape: Option<Shape>, room: usize) -> Page<'a> {
    let mut page = Page { tools: Vec::new(), next_token: String::new() };
    let mut bytes = 0;
    for tool in registry.iter().skip_while(|tool| tool.name.as_str() <= token) {
        let shaped = shape.map_or(0, |shape| shape.tool_definitions([definition(tool)]).len());
        bytes += typed(tool).encoded_len() + shaped + 16;
        if bytes > room
            && let Some(last) = page.tools.last()
        {
            page.next_token = last.name.to_string();
            break;
        }
        page.tools.push(tool);
    }
    page
}

fn definition(tool: &Tool) -> Definition<'_> {
    Definition {
        name: &tool.name,
        description: &tool.description,
        input_schema: tool.schema.source().as_str(),
    }
}

fn typed(tool: &Tool) -> v1::ToolDefinition {
    v1::ToolDefinition {
        name: tool.name.to_string(),
        description: tool.description.clone(),
        input_schema_json: tool.schema.source().as_str().to_owned(),
        effect: encode::effect(tool.effect).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::{Attempt, Backend, Pending},
        model::{ApiName, Effect, Json, ToolName},
        registry::{Schema, tool::Settings},
    };

    #[derive(Debug)]
    struct NeverRun;

    impl Backend for NeverRun {
        fn attempt(&self, _: Attempt) -> Pending {
            Box::pin(std::future::pending())
        }
    }

    fn tool(index: usize) -> Tool {
        let name = ToolName::try_new(format!("tool_{index:02}")).unwrap();
        let schema = Schema::try_new(Json::try_new(r#"{"type":"object"}"#).unwrap()).unwrap();
        let api = ApiName::try_new("api").unwrap();
        let description = "x".repeat(index * 10);
        let settings = Settings { description, ..Settings::new(name, schema, api) };
        Tool::new(settings, Effect::ReadOnly, Arc::new(NeverRun))
    }

    #[test]
    fn pages_hold_every_tool_once_whatever_their_size() {
        let registry = Registry::new((0..40).map(tool));
        let all: Vec<_> = registry.iter().map(|tool| tool.name.to_string()).collect();
        for shape in [None, Some(Shape::Anthropic)] {
            for room in [0, 500, 2_000, 1 << 20] {
                let (mut read, mut token, mut pages) = (Vec::new(), String::new(), 0);
                loop {
                    let page = page(&registry, &token, shape, room);
                    read.extend(page.tools.iter().map(|tool| tool.name.to_string()));
                    pages += 1;
                    token = page.next_token;
                    if token.is_empty() {
                        break;
                    }
                }
                assert_eq!(read, all, "{room} bytes");
                assert_eq!(pages == 1, room == 1 << 20, "{pages} pages of {room} bytes");
            }
        }
    }

    #[test]
    fn a_token_of_another_configuration_goes_on_at_its_place() {
        let registry = Registry::new((0..5).map(tool));
        let page = page(&registry, "tool_02b", None, 1 << 20);
        let names: Vec<_> = page.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["tool_03", "tool_04"]);
    }
}
