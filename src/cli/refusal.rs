//! What a server refused, for the person who asked.

use std::fmt;

use tonic_types::StatusExt;

use super::{client::innermost, terminal::harmless, waterfall::draw};
use crate::rpc::code_name;

/// A turn that was not run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    code: &'static str,
    /// Empty where the violations say it all.
    message: String,
    details: Vec<String>,
}

impl From<&tonic::Status> for Refusal {
    fn from(status: &tonic::Status) -> Self {
        let found = status.get_error_details();
        let mut details = Vec::new();
        let mut message = said(status);
        for violation in found.bad_request().into_iter().flat_map(|bad| &bad.field_violations) {
            message.clear();
            details.push(format!("{}: {}", violation.field, violation.description));
        }
        for violation in found.quota_failure().into_iter().flat_map(|quota| &quota.violations) {
            details.push(format!("{}: {}", violation.subject, violation.description));
        }
        if let Some(delay) = found.retry_info().and_then(|retry| retry.retry_delay) {
            details.push(format!("Nothing has run. Try again in {}.", draw::text(delay)));
        }
        Self {
            code: code_name(status.code()),
            message,
            details: details.iter().map(|detail| harmless(detail)).collect(),
        }
    }
}

impl Refusal {
    /// The same with what to do about it, if anything.
    pub(crate) fn with_advice(mut self, advice: Option<String>) -> Self {
        self.details.extend(advice.map(|advice| harmless(&advice)));
        self
    }
}

/// What a status says. Of one that the connection made, what is behind it: tonic's own
/// text is "transport error".
pub(crate) fn said(status: &tonic::Status) -> String {
    match std::error::Error::source(status) {
        Some(cause) => harmless(&innermost(cause)),
        None => harmless(status.message()),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        self.details.iter().try_for_each(|detail| write!(f, "\n  {detail}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::{Code, Status};
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn each_violation_stands_on_a_line_of_its_own() {
        let mut details = ErrorDetails::new();
        details
            .add_bad_request_violation("typed.tool_uses[2].id", "the id `a b` has a blank")
            .add_bad_request_violation("typed.tool_uses[4].id", "stands at\u{7} 0 too");
        let status = Status::with_error_details(
            Code::InvalidArgument,
            "2 faults, the first: \u{1b}[2J",
            details,
        );
        insta::assert_snapshot!(Refusal::from(&status), @r"
        INVALID_ARGUMENT
          typed.tool_uses[2].id: the id `a b` has a blank
          typed.tool_uses[4].id: stands at� 0 too
        ");
    }

    #[test]
    fn the_time_to_wait_is_said() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(1500)));
        let status =
            Status::with_error_details(Code::ResourceExhausted, "256 batches run", details);
        insta::assert_snapshot!(Refusal::from(&status), @r"
        RESOURCE_EXHAUSTED: 256 batches run
          Nothing has run. Try again in 1.50 s.
        ");
    }
}
