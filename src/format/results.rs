//! Results that the tests of all shapes write.

use super::CallResult;
use crate::model::{CallId, Content, Failure, FailureCode, Outcome, Source, Timings, Truncation};

/// A call that its tool answered.
pub(super) fn succeeded(content: Vec<Content>) -> CallResult {
    CallResult {
        index: 0,
        call_id: CallId::try_new("toolu_1").unwrap(),
        tool: "get_user".into(),
        outcome: Outcome::Succeeded,
        source: Some(Source::Executed),
        content,
        failure: None,
        timings: Timings::default(),
        attempts: Vec::new(),
        truncation: Some(Truncation { whole_bytes: 9, kept_bytes: 1 }),
    }
}

/// A call that was refused, beside what its tool said.
pub(super) fn failed(content: Vec<Content>) -> CallResult {
    CallResult {
        outcome: Outcome::Failed,
        source: None,
        failure: Some(Failure::new(FailureCode::InvalidInput, "cents: expected an integer")),
        ..succeeded(content)
    }
}
