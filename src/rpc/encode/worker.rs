//! What a worker is told.

use std::collections::HashMap;

use http::HeaderMap;

use super::duration;
use crate::{
    backend::worker::{Job, Order},
    clock::Instant,
    proto::v1::{self, serve_tools_response::Message},
};

/// An order, as it leaves at `now`.
pub(in crate::rpc) fn order(order: Order, now: Instant) -> v1::ServeToolsResponse {
    let message = match order {
        Order::Welcome(heartbeat) => {
            Message::Welcome(v1::WorkerWelcome { heartbeat: Some(duration(heartbeat)) })
        }
        Order::Attempt(job) => Message::Attempt(attempt(*job, now)),
        Order::Cancel(attempt_id) => Message::Cancel(v1::WorkerCancel { attempt_id }),
        Order::Heartbeat => Message::Heartbeat(v1::WorkerHeartbeat {}),
        Order::Drain => Message::Drain(v1::WorkerDrain {}),
    };
    v1::ServeToolsResponse { message: Some(message) }
}

fn attempt(job: Job, now: Instant) -> v1::WorkerAttempt {
    let Job { id, tool, attempt } = job;
    let mut headers = HeaderMap::new();
    if let Some(trace) = &attempt.trace {
        trace.inject(&mut headers);
    }
    let context: HashMap<String, String> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    v1::WorkerAttempt {
        attempt_id: id,
        tool: tool.to_string(),
        input_json: attempt.input.as_str().to_owned(),
        call_id: attempt.whose.call.to_string(),
        batch_id: attempt.whose.batch.to_string(),
        session_id: attempt.whose.session.to_string(),
        number: attempt.number.get(),
        timeout: Some(duration(attempt.deadline.saturating_duration_since(now))),
        idempotency_key: attempt.key.as_deref().unwrap_or_default().to_owned(),
        context,
    }
}
