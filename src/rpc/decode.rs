//! Requests as [`Submission`]s.
//!
//! Every fault is found before any is told, each with its field's path. What
//! a model can get wrong (an input that is no JSON, a tool that does not exist)
//! is no fault of the request: that call fails, and the rest runs.

use std::{collections::HashMap, sync::Arc, time::Duration};

use prost::Message;
use sha2::{Digest, Sha256};

use super::tools::Wanted;
use crate::{
    clock::Instant,
    format::{self, Frame, Shape},
    model::{BatchId, Call, CallId, Ordering, SessionId, call},
    policy::Caller,
    proto::v1,
    schedule::{Refusal, Submission, Violation},
    telemetry::propagate,
};

mod steps;
pub(super) mod worker;

pub(super) use steps::{Opening, Steps, open};

/// Most bytes of a tool's name as a model wrote it, known or not.
const TOOL_BYTES_MAX: usize = 256;

/// Rows of a list of a moment where nothing else is said.
const STATUS_ROWS: usize = 20;
/// And at most.
const STATUS_ROWS_MAX: usize = 1000;

/// A turn of the caller's to run. `allowed` is the time that the RPC's deadline leaves
/// it.
///
/// # Errors
///
/// [`Refusal::Invalid`] with every fault.
pub(super) fn execute(
    mut request: v1::ExecuteBatchRequest,
    allowed: Option<Duration>,
    now: Instant,
    context: propagate::Context,
    caller: &Arc<Caller>,
) -> Result<(Submission, Frame), Refusal> {
    let batch_id = std::mem::take(&mut request.batch_id);
    // A batch whose id is made here cannot be sent again, so nothing is compared
    // with its content.
    let fingerprint = match &*batch_id {
        "" => [0; 32],
        _ => Sha256::digest(request.encode_to_vec()).into(),
    };
    let turn = request.turn.take();
    let request = v1::ExecuteBatchRequest { batch_id, ..request };
    let ends = allowed.and_then(|allowed| now.checked_add(allowed));
    let mut faults = Faults::default();
    let submission = faults.submission(request, ends, now, caller);
    let format::Turn { calls, frame } = faults.turn(turn);
    faults.none()?;
    Ok((Submission { calls, fingerprint, context, ..submission }, frame))
}

/// A turn to plan.
///
/// # Errors
///
/// [`Refusal::Invalid`] with every fault.
pub(super) fn plan(
    request: v1::PlanBatchRequest,
    caller: &Arc<Caller>,
) -> Result<Submission, Refusal> {
    let v1::PlanBatchRequest { references, ordering, session_id, turn } = request;
    let request = v1::ExecuteBatchRequest {
        references,
        ordering,
        session_id,
        turn: turn.map(Into::into),
        ..v1::ExecuteBatchRequest::default()
    };
    execute(request, None, crate::clock::now(), propagate::Context::default(), caller)
        .map(|(submission, _)| submission)
}

/// What to cancel.
///
/// # Errors
///
/// [`Refusal::Invalid`] with every fault.
pub(super) fn cancel(request: v1::CancelBatchRequest) -> Result<(BatchId, Vec<CallId>), Refusal> {
    let mut faults = Faults::default();
    if request.batch_id.is_empty() {
        faults.add("batch_id", "is missing: name the batch that is to be cancelled");
    }
    let batch_id = faults.id("batch_id", request.batch_id, BatchId::try_new);
    let mut call_ids = Vec::with_capacity(request.call_ids.len());
    for (index, id) in request.call_ids.into_iter().enumerate() {
        match CallId::try_new(id) {
            Ok(id) => call_ids.push(id),
            Err(error) => faults.add(format!("call_ids[{index}]"), error.to_string()),
        }
    }
    match batch_id {
        Some(id) if faults.found.is_empty() => Ok((id, call_ids)),
        _ => Err(Refusal::Invalid(faults.found)),
    }
}

/// What is wanted of the tools, and the session that they are for.
///
/// # Errors
///
/// [`Refusal::Invalid`] with every fault.
pub(super) fn list(
    request: &v1::ListToolsRequest,
    caller: &Caller,
) -> Result<(Wanted, Option<SessionId>), Refusal> {
    let mut faults = Faults::default();
    let shape = faults.shape(request.shape);
    let references = faults.references(request.references);
    let session = faults.session("session_id", request.session_id.clone(), caller);
    faults.none()?;
    Ok((Wanted { shape, references, latencies: request.latencies }, session))
}

/// Rows of each list of a moment that is to be shown.
pub(super) fn status(request: &v1::StatusRequest) -> Result<usize, Refusal> {
    let mut faults = Faults::default();
    let rows = request.rows_max.map_or(STATUS_ROWS, |rows| rows as usize);
    if !(1..=STATUS_ROWS_MAX).contains(&rows) {
        faults.add("rows_max", format!("{rows} is not from 1 to {STATUS_ROWS_MAX}"));
    }
    faults.none()?;
    Ok(rows)
}

/// What is wrong with a request, collected.
#[derive(Default)]
struct Faults {
    /// What the fields' names begin with.
    within: &'static str,
    found: Vec<Violation>,
}

impl Faults {
    /// Of a message that stands `within` another.
    fn within(within: &'static str) -> Self {
        Self { within, found: Vec::new() }
    }

    fn add(&mut self, field: impl AsRef<str>, description: impl Into<String>) {
        let field = format!("{}{}", self.within, field.as_ref());
        self.found.push(Violation { field, description: description.into() });
    }

    fn none(self) -> Result<(), Refusal> {
        if self.found.is_empty() { Ok(()) } else { Err(Refusal::Invalid(self.found)) }
    }

    /// A turn without its calls: all else that a request says of it. `ends` is when the
    /// RPC's deadline ends it.
    fn submission(
        &mut self,
        request: v1::ExecuteBatchRequest,
        ends: Option<Instant>,
        now: Instant,
        caller: &Arc<Caller>,
    ) -> Submission {
        let batch_id = self.id("batch_id", request.batch_id, BatchId::try_new);
        let session_id = self.session("session_id", request.session_id, caller);
        let references = self.references(request.references);
        let ordering = self.ordering(request.ordering);
        self.on_disconnect(request.on_disconnect);
        // What lies beyond the clock's end is no deadline.
        let timeout = self.timeout("timeout", request.timeout);
        let ends = [ends, timeout.and_then(|timeout| now.checked_add(timeout))];
        let call_timeout = self.timeout("call_timeout", request.call_timeout);
        Submission {
            caller: Arc::clone(caller),
            batch_id,
            session_id,
            references,
            ordering,
            deadline: ends.into_iter().flatten().min(),
            call_timeout,
            calls: Vec::new(),
            fingerprint: [0; 32],
            context: propagate::Context::default(),
        }
    }

    fn unknown(&mut self, field: &str, number: i32) {
        self.add(field, format!("{number} is no value that this server knows"));
    }

    /// An id that may be absent.
    fn id<T>(
        &mut self,
        field: &str,
        text: String,
        try_new: impl FnOnce(String) -> Result<T, crate::model::id::Error>,
    ) -> Option<T> {
        if text.is_empty() {
            return None;
        }
        try_new(text).map_err(|error| self.add(field, error.to_string())).ok()
    }

    /// A session of the caller's, which may be absent. No other owner's is ever meant.
    fn session(&mut self, field: &str, text: String, caller: &Caller) -> Option<SessionId> {
        self.id(field, text, SessionId::try_new).map(|session| session.of(&caller.owner))
    }

    fn references(&mut self, number: i32) -> bool {
        match v1::References::try_from(number) {
            Ok(v1::References::On) => true,
            Ok(v1::References::Off | v1::References::Unspecified) => false,
            Err(_) => {
                self.unknown("references", number);
                false
            }
        }
    }

    fn ordering(&mut self, number: i32) -> Ordering {
        match v1::Ordering::try_from(number) {
            Ok(v1::Ordering::Free | v1::Ordering::Unspecified) => Ordering::Free,
            Ok(v1::Ordering::Ordered) => Ordering::Ordered,
            Err(_) => {
                self.unknown("ordering", number);
                Ordering::Free
            }
        }
    }

    fn on_disconnect(&mut self, number: i32) {
        match v1::OnDisconnect::try_from(number) {
            Ok(v1::OnDisconnect::Cancel | v1::OnDisconnect::Unspecified) => {}
            Ok(v1::OnDisconnect::Continue) => self.add(
                "on_disconnect",
                "ON_DISCONNECT_CONTINUE needs a journal, and this server has none; leave it out",
            ),
            Err(_) => self.unknown("on_disconnect", number),
        }
    }

    fn timeout(&mut self, field: &str, wire: Option<prost_types::Duration>) -> Option<Duration> {
        let timeout = Duration::try_from(wire?).unwrap_or_default();
        if timeout.is_zero() {
            self.add(field, "must be more than zero; leave it out to set none");
            return None;
        }
        Some(timeout)
    }

    fn shape(&mut self, number: i32) -> Option<Shape> {
        let Ok(shape) = v1::Shape::try_from(number) else {
            self.unknown("shape", number);
            return None;
        };
        match shape {
            v1::Shape::Unspecified => None,
            v1::Shape::Anthropic => Some(Shape::Anthropic),
            v1::Shape::OpenaiChat => Some(Shape::OpenAiChat),
            v1::Shape::OpenaiResponses => Some(Shape::OpenAiResponses),
            v1::Shape::Gemini => Some(Shape::Gemini),
            v1::Shape::Bedrock => Some(Shape::Bedrock),
            v1::Shape::AiSdk => Some(Shape::AiSdk),
            v1::Shape::Langchain => Some(Shape::LangChain),
        }
    }

    fn turn(&mut self, turn: Option<v1::execute_batch_request::Turn>) -> format::Turn {
        use v1::execute_batch_request::Turn;
        match turn {
            None => {
                self.add("turn", "is missing: set `typed` or one of the providers' shapes");
                format::Turn { calls: Vec::new(), frame: Frame::default() }
            }
            Some(Turn::Typed(typed)) => {
                format::Turn { calls: self.typed(typed), frame: Frame::default() }
            }
            Some(Turn::AnthropicJson(text)) => {
                self.shaped("anthropic_json", Shape::Anthropic, &text)
            }
            Some(Turn::OpenaiChatJson(text)) => {
                self.shaped("openai_chat_json", Shape::OpenAiChat, &text)
            }
            Some(Turn::OpenaiResponsesJson(text)) => {
                self.shaped("openai_responses_json", Shape::OpenAiResponses, &text)
            }
            Some(Turn::GeminiJson(text)) => self.shaped("gemini_json", Shape::Gemini, &text),
            Some(Turn::BedrockJson(text)) => self.shaped("bedrock_json", Shape::Bedrock, &text),
            Some(Turn::AiSdkJson(text)) => self.shaped("ai_sdk_json", Shape::AiSdk, &text),
            Some(Turn::LangchainJson(text)) => {
                self.shaped("langchain_json", Shape::LangChain, &text)
            }
        }
    }

    fn typed(&mut self, turn: v1::ToolUses) -> Vec<Call> {
        if turn.tool_uses.is_empty() {
            self.add("typed.tool_uses", "is empty: a turn has at least one call");
        }
        let mut positions = HashMap::with_capacity(turn.tool_uses.len());
        let mut calls = Vec::with_capacity(turn.tool_uses.len());
        for (index, tool_use) in turn.tool_uses.into_iter().enumerate() {
            let id = self.call_id(index, tool_use.id);
            if let Some(first) = id.clone().and_then(|id| positions.insert(id, index)) {
                self.add(
                    path(index, "id"),
                    format!("is also that of tool_uses[{first}]; every call has its own"),
                );
            }
            self.tool(|| path(index, "name"), &tool_use.name);
            // Most set none, and then nothing can be wrong with it.
            let timeout = match tool_use.timeout {
                None => None,
                some => self.timeout(&path(index, "timeout"), some),
            };
            let Some(id) = id else { continue };
            calls.push(Call {
                id,
                tool: tool_use.name.into(),
                input: call::input(tool_use.input_json),
                depends_on: tool_use.depends_on,
                timeout,
                series: None,
            });
        }
        calls
    }

    fn call_id(&mut self, index: usize, text: String) -> Option<CallId> {
        if text.is_empty() {
            return Some(CallId::positional(index + 1));
        }
        CallId::try_new(text).map_err(|error| self.add(path(index, "id"), error.to_string())).ok()
    }

    /// A tool's name is the model's to get wrong, but every message about its
    /// call repeats it.
    fn tool(&mut self, field: impl FnOnce() -> String, name: &str) {
        if name.is_empty() {
            self.add(field(), "is missing: name the tool");
        } else if name.len() > TOOL_BYTES_MAX {
            let length = name.len();
            self.add(field(), format!("has {length} bytes; at most {TOOL_BYTES_MAX} are allowed"));
        }
    }

    /// A turn as a provider wrote it.
    fn shaped(&mut self, field: &str, shape: Shape, text: &str) -> format::Turn {
        match shape.decode(text) {
            Ok(turn) => {
                for call in &turn.calls {
                    self.tool(|| format!("{field} ({})", call.id), &call.tool);
                }
                turn
            }
            Err(faults) => {
                for format::Fault { path, message } in faults {
                    let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                    self.add(format!("{field}{dot}{path}"), message);
                }
                format::Turn { calls: Vec::new(), frame: Frame::new(shape) }
            }
        }
    }
}

fn path(index: usize, field: &str) -> String {
    format!("typed.tool_uses[{index}].{field}")
}

#[cfg(test)]
mod tests;
