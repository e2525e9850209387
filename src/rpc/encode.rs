//! The model's words as messages. Nothing here can fail.
//!
//! Everything that a caller, a model or a backend wrote is bounded before it
//! enters a message, so that none outgrows the size that clients accept.
//! Content is the exception: `stream` sends what is large in parts.

use std::time::Duration;

use super::cut;
use crate::{
    backend::Progress,
    model::{
        AttemptTimings, CallId, CallResult, Content, Effect, Failure, FailureCode, FailureOrigin,
        Outcome, RetryAdvice, Source, Timings,
    },
    proto::v1,
    schedule::{Accepted, BatchFinished},
};

mod plan;
mod status;
pub(super) mod worker;

pub(super) use plan::{call_planned, plan};
pub(super) use status::status;

/// Most bytes of a failure's message.
const MESSAGE_BYTES_MAX: usize = 16 << 10;
/// Tag and length of a field of less than 2 MiB.
const FIELD_BYTES: usize = 5;

/// A turn that will run. The message has at most `bytes_max` bytes.
pub(super) fn accepted(accepted: &Accepted, bytes_max: usize) -> v1::BatchAccepted {
    let batch_id = accepted.batch_id.to_string();
    let rest = bytes_max.saturating_sub(batch_id.len() + 2 * FIELD_BYTES);
    v1::BatchAccepted { plan: Some(plan(accepted, rest)), batch_id }
}

/// What running a tool twice means.
pub(super) fn effect(effect: Effect) -> v1::Effect {
    match effect {
        Effect::ReadOnly => v1::Effect::ReadOnly,
        Effect::Keyed => v1::Effect::Keyed,
        Effect::AtMostOnce => v1::Effect::AtMostOnce,
        Effect::AtLeastOnce => v1::Effect::AtLeastOnce,
    }
}

/// An attempt begins.
pub(super) fn started(
    index: usize,
    call_id: &CallId,
    attempt: u32,
    at: Duration,
    timings: Timings,
) -> v1::CallStarted {
    let some = |time: Duration| (!time.is_zero()).then(|| duration(time));
    v1::CallStarted {
        call_id: call_id.to_string(),
        index: count(index),
        attempt,
        at: Some(duration(at)),
        timings: Some(v1::Timings {
            blocked: some(timings.blocked),
            locked: some(timings.locked),
            queued: some(timings.queued),
            throttled: some(timings.throttled),
            backing_off: some(timings.backing_off),
            running: some(timings.running),
        }),
    }
}

/// How far an attempt is.
pub(super) fn progress(index: usize, call_id: &CallId, progress: &Progress) -> v1::CallProgress {
    v1::CallProgress {
        call_id: call_id.to_string(),
        index: count(index),
        done: progress.done,
        total: progress.total,
        message: progress.message.to_string(),
    }
}

/// An attempt failed, and another follows.
pub(super) fn retrying(
    index: usize,
    call_id: &CallId,
    attempt: u32,
    delay: Duration,
    why: &Failure,
) -> v1::CallRetrying {
    v1::CallRetrying {
        call_id: call_id.to_string(),
        index: count(index),
        attempt,
        delay: Some(duration(delay)),
        failure: Some(failure(why)),
    }
}

/// A terminal result. Blocks for which `is_in_parts` holds are empty.
pub(super) fn result(result: &CallResult, is_in_parts: impl Fn(usize) -> bool) -> v1::ToolResult {
    let outcome = match result.outcome {
        Outcome::Succeeded => v1::Outcome::Succeeded,
        Outcome::Failed => v1::Outcome::Failed,
        Outcome::Cancelled => v1::Outcome::Cancelled,
        Outcome::Skipped => v1::Outcome::Skipped,
    };
    let source = match result.source {
        None => v1::Source::Unspecified,
        Some(Source::Executed) => v1::Source::Executed,
        Some(Source::Shared) => v1::Source::Shared,
        Some(Source::Cached) => v1::Source::Cached,
        Some(Source::Fallback) => v1::Source::Fallback,
    };
    let blocks = result.content.iter().enumerate();
    v1::ToolResult {
        call_id: result.call_id.to_string(),
        tool: result.tool.to_string(),
        index: count(result.index),
        outcome: outcome.into(),
        is_error: result.is_error(),
        source: source.into(),
        content: blocks.map(|(place, block)| content(block, is_in_parts(place))).collect(),
        failure: result.failure.as_ref().map(failure),
        timings: Some(timings(result.timings)),
        attempts: result.attempts.iter().map(attempt).collect(),
        truncation: result.truncation.map(|truncation| v1::Truncation {
            whole_bytes: truncation.whole_bytes as u64,
            kept_bytes: truncation.kept_bytes as u64,
        }),
    }
}

fn content(content: &Content, in_parts: bool) -> v1::Content {
    use v1::content::Block;
    let text = |text: &str| if in_parts { String::new() } else { text.to_owned() };
    let blob = |media_type: &str, data: &bytes::Bytes| v1::Blob {
        media_type: media_type.to_owned(),
        data: if in_parts { bytes::Bytes::new() } else { data.clone() },
    };
    let block = match content {
        Content::Text(value) => Block::Text(text(value)),
        Content::Json(value) => Block::Json(text(value.as_str())),
        Content::Image { media_type, data } => Block::Image(blob(media_type, data)),
        Content::Document { media_type, data } => Block::Document(blob(media_type, data)),
        Content::Link { uri, name } => {
            Block::Link(v1::Link { uri: uri.to_string(), name: name.to_string() })
        }
    };
    v1::Content { block: Some(block), in_parts }
}

fn timings(timings: Timings) -> v1::Timings {
    v1::Timings {
        blocked: Some(duration(timings.blocked)),
        locked: Some(duration(timings.locked)),
        queued: Some(duration(timings.queued)),
        throttled: Some(duration(timings.throttled)),
        backing_off: Some(duration(timings.backing_off)),
        running: Some(duration(timings.running)),
    }
}

fn attempt(attempt: &AttemptTimings) -> v1::Attempt {
    v1::Attempt {
        at: Some(duration(attempt.at)),
        backing_off: Some(duration(attempt.backing_off)),
        queued: Some(duration(attempt.queued)),
        throttled: Some(duration(attempt.throttled)),
        running: Some(duration(attempt.running)),
        code: attempt.code.map_or(v1::FailureCode::Unspecified, code).into(),
    }
}

/// Why a call did not succeed.
pub(super) fn failure(failure: &Failure) -> v1::Failure {
    let origin = match failure.origin {
        FailureOrigin::Caller => v1::FailureOrigin::Caller,
        FailureOrigin::Sidecall => v1::FailureOrigin::Sidecall,
        FailureOrigin::Backend => v1::FailureOrigin::Backend,
    };
    let (retry, retry_after) = match failure.retry {
        RetryAdvice::Never => (v1::RetryAdvice::Never, None),
        RetryAdvice::SameInput => (v1::RetryAdvice::SameInput, None),
        RetryAdvice::After(after) => (v1::RetryAdvice::After, Some(duration(after))),
        RetryAdvice::ChangedInput => (v1::RetryAdvice::ChangedInput, None),
        RetryAdvice::VerifyFirst => (v1::RetryAdvice::VerifyFirst, None),
    };
    v1::Failure {
        code: code(failure.code).into(),
        origin: origin.into(),
        retry: retry.into(),
        retry_after,
        message: cut(&failure.message, MESSAGE_BYTES_MAX),
        attempts: failure.attempts,
    }
}

fn code(code: FailureCode) -> v1::FailureCode {
    match code {
        FailureCode::InvalidInput => v1::FailureCode::InvalidInput,
        FailureCode::UnknownTool => v1::FailureCode::UnknownTool,
        FailureCode::Denied => v1::FailureCode::Denied,
        FailureCode::ToolError => v1::FailureCode::ToolError,
        FailureCode::Conflict => v1::FailureCode::Conflict,
        FailureCode::DependencyFailed => v1::FailureCode::DependencyFailed,
        FailureCode::RateLimited => v1::FailureCode::RateLimited,
        FailureCode::BudgetExceeded => v1::FailureCode::BudgetExceeded,
        FailureCode::Repeated => v1::FailureCode::Repeated,
        FailureCode::Unavailable => v1::FailureCode::Unavailable,
        FailureCode::BackendError => v1::FailureCode::BackendError,
        FailureCode::AttemptTimeout => v1::FailureCode::AttemptTimeout,
        FailureCode::DeadlineExceeded => v1::FailureCode::DeadlineExceeded,
        FailureCode::Cancelled => v1::FailureCode::Cancelled,
        FailureCode::LockTimeout => v1::FailureCode::LockTimeout,
        FailureCode::Overloaded => v1::FailureCode::Overloaded,
        FailureCode::ResultTooLarge => v1::FailureCode::ResultTooLarge,
        FailureCode::ResultInvalid => v1::FailureCode::ResultInvalid,
        FailureCode::OutcomeUnknown => v1::FailureCode::OutcomeUnknown,
        FailureCode::WorkerLost => v1::FailureCode::WorkerLost,
        FailureCode::Internal => v1::FailureCode::Internal,
    }
}

/// Counts and times. The critical path is as long as fits into `bytes_max`.
pub(super) fn summary(finished: &BatchFinished, bytes_max: usize) -> v1::BatchSummary {
    let of = |outcome: Outcome| {
        count(finished.results.iter().filter(|result| result.outcome == outcome).count())
    };
    let mut bytes = 0;
    let critical_path = finished
        .critical_path
        .iter()
        .filter_map(|place| finished.results.get(*place))
        .map(|result| result.call_id.to_string())
        .take_while(|id| {
            bytes += id.len() + FIELD_BYTES;
            bytes <= bytes_max / 2
        })
        .collect();
    v1::BatchSummary {
        calls: count(finished.results.len()),
        succeeded: of(Outcome::Succeeded),
        failed: of(Outcome::Failed),
        cancelled: of(Outcome::Cancelled),
        skipped: of(Outcome::Skipped),
        duration: Some(duration(finished.duration)),
        sequential: Some(duration(finished.sequential)),
        critical_path,
        bundle_items: count(finished.results.len()),
    }
}

fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        // Less than 10^9.
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

pub(super) fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
