//! Refusals as gRPC statuses: the only place that makes one.
//!
//! Details are `google.rpc` messages in `grpc-status-details-bin`. They travel
//! in the trailers, of which gRPC's own clients accept 8 KiB, so what a caller
//! wrote is cut before it is echoed.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::cut;
use crate::{
    model::BatchId,
    policy::Tools,
    schedule::{Refusal, Violation},
    telemetry::propagate::TraceId,
};

/// `ErrorInfo.domain` of every reason.
pub(super) const DOMAIN: &str = "sidecall.dev";

/// Most violations that are listed; the message has the count of all.
const VIOLATIONS_MAX: usize = 12;
/// Most bytes of a violation's field.
const FIELD_BYTES_MAX: usize = 80;
/// Most bytes of a violation's description, or of a message.
const TEXT_BYTES_MAX: usize = 240;

/// A status's code as gRPC writes it, and OpenTelemetry.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// A refused turn.
pub(super) fn refused(refusal: Refusal) -> Status {
    let message = refusal.to_string();
    match refusal {
        Refusal::Invalid(violations) => invalid(&violations),
        Refusal::Exhausted { retry_after, .. } => {
            status(Code::ResourceExhausted, &message, retry(info("EXHAUSTED"), retry_after))
        }
        Refusal::TooLarge(_) => status(Code::ResourceExhausted, &message, info("TOO_LARGE")),
        Refusal::Draining { retry_after } => status(
            Code::Unavailable,
            "the server is ending and takes no new turns",
            retry(info("DRAINING"), retry_after),
        ),
        Refusal::Running(id) => {
            status(Code::AlreadyExists, &message, with_batch(info("BATCH_RUNNING"), &id))
        }
        Refusal::Finished(id) => {
            status(Code::AlreadyExists, &message, with_batch(info("BATCH_FINISHED"), &id))
        }
        Refusal::IdReused(id) => {
            status(Code::AlreadyExists, &message, with_batch(info("BATCH_ID_REUSED"), &id))
        }
    }
}

/// No such batch runs, or it is somebody else's: the same answer for both.
pub(super) fn no_such_batch(id: &BatchId) -> Status {
    let message = format!("no batch {id} is running");
    status(Code::NotFound, &message, with_batch(info("BATCH_NOT_FOUND"), id))
}

/// Nobody that is known. Why is in the log: here it would help who tries.
pub(super) fn unauthenticated() -> Status {
    status(Code::Unauthenticated, "the caller is not known", info("UNAUTHENTICATED"))
}

/// A worker's caller is known by another name now, or has moved to another tenant.
pub(super) fn another_by_now() -> Status {
    let message = "who may call was changed, and this stream's caller is another by now, or of \
                   another tenant: open the stream again";
    status(Code::Unavailable, message, retry(info("CALLER_CHANGED"), Duration::ZERO))
}

/// A worker offers what its caller may not.
pub(super) fn not_offered(names: &[&str], tools: &Tools) -> Status {
    let message = format!(
        "this caller may not offer {}; its policy lets it offer and call {tools}",
        names.join(", ")
    );
    status(Code::PermissionDenied, &message, info("TOOLS_NOT_ALLOWED"))
}

/// A caller asks for what only operators may.
pub(super) fn not_admin() -> Status {
    let message = "this caller may not change what is logged: its policy does not say `admin: on`";
    status(Code::PermissionDenied, message, info("ADMIN_ONLY"))
}

/// There is no log whose levels could be changed.
pub(super) fn no_log(why: &str) -> Status {
    status(Code::FailedPrecondition, why, info("NO_LOG"))
}

/// A fault of the server's. The caller learns a number under which the log has
/// the cause, and nothing else.
pub(super) fn internal(cause: &str, trace: Option<TraceId>) -> Status {
    let correlation = BatchId::random();
    tracing::error!(
        correlation_id = %correlation,
        trace.id = trace.as_ref().map(tracing::field::display),
        cause,
        "A request failed by a fault of the server."
    );
    let mut details = ErrorDetails::new();
    details.set_error_info(
        "INTERNAL",
        DOMAIN,
        [("correlation_id".to_owned(), correlation.to_string())],
    );
    status(Code::Internal, &format!("internal fault {correlation}"), details)
}

fn invalid(violations: &[Violation]) -> Status {
    let message = match violations {
        [] => "the request is not valid".to_owned(),
        [one] => format!("{}: {}", one.field, one.description),
        [first, ..] => format!(
            "{} faults, the first: {}: {}",
            violations.len(),
            first.field,
            first.description
        ),
    };
    let mut details = info("INVALID");
    let listed: Vec<_> = violations
        .iter()
        .take(VIOLATIONS_MAX)
        .map(|violation| {
            FieldViolation::new(
                cut(&violation.field, FIELD_BYTES_MAX),
                cut(&violation.description, TEXT_BYTES_MAX),
            )
        })
        .collect();
    details.set_bad_request(listed);
    status(Code::InvalidArgument, &message, details)
}

fn info(reason: &str) -> ErrorDetails {
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, DOMAIN, []);
    details
}

fn with_batch(mut details: ErrorDetails, id: &BatchId) -> ErrorDetails {
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    details.set_error_info(reason, DOMAIN, [("batch_id".to_owned(), id.to_string())]);
    details
}

fn retry(mut details: ErrorDetails, after: Duration) -> ErrorDetails {
    details.set_retry_info(Some(after));
    details
}

fn status(code: Code, message: &str, details: ErrorDetails) -> Status {
    Status::with_error_details(code, cut(message, TEXT_BYTES_MAX), details)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> BatchId {
        BatchId::try_new("turn-7").unwrap()
    }

    fn violation(field: &str, description: &str) -> Violation {
        Violation { field: field.to_owned(), description: description.to_owned() }
    }

    /// What a client can read of a status, in one line each.
    fn read(status: &Status) -> String {
        let details = status.get_error_details();
        let mut lines = vec![format!("{:?}: {}", status.code(), status.message())];
        if let Some(info) = details.error_info() {
            lines.push(format!("{} {} {:?}", info.domain, info.reason, info.metadata));
        }
        if let Some(retry) = details.retry_info() {
            lines.push(format!("retry {:?}", retry.retry_delay));
        }
        for violation in details.bad_request().into_iter().flat_map(|bad| &bad.field_violations) {
            lines.push(format!("{}: {}", violation.field, violation.description));
        }
        lines.join("\n")
    }

    #[test]
    fn every_refusal_has_its_code_reason_and_details() {
        let after = Duration::from_millis(1500);
        let refusals = [
            Refusal::Invalid(vec![violation("turn", "is missing")]),
            Refusal::Invalid(vec![
                violation("typed.tool_uses[0].id", "holds ' '"),
                violation("timeout", "must be more than zero"),
            ]),
            Refusal::Exhausted { what: "256 batches are open".to_owned(), retry_after: after },
            Refusal::TooLarge("the turn has 2000 calls; at most 1024 are allowed".to_owned()),
            Refusal::Draining { retry_after: after },
            Refusal::Running(id()),
            Refusal::Finished(id()),
            Refusal::IdReused(id()),
        ];
        let mut all: Vec<_> = refusals.into_iter().map(|refusal| read(&refused(refusal))).collect();
        all.push(read(&no_such_batch(&id())));
        all.push(read(&no_log("this process does not log by itself")));
        all.push(read(&unauthenticated()));
        all.push(read(&another_by_now()));
        all.push(read(&not_offered(&["pay", "refund"], &Tools::Matching(Vec::new()))));
        all.push(read(&not_admin()));
        insta::assert_snapshot!(all.join("\n\n"));
    }

    #[test]
    fn an_internal_fault_shows_a_number_and_nothing_of_its_cause() {
        let status = internal("the password is swordfish", None);
        let shown = format!("{} {:?}", read(&status), status.details());
        assert!(!shown.contains("swordfish"), "{shown}");
        let details = status.get_error_details();
        let number = &details.error_info().unwrap().metadata["correlation_id"];
        assert!(status.message().contains(number.as_str()));
    }

    #[test]
    fn a_status_fits_into_the_trailers_whatever_the_caller_wrote() {
        let long = "ü\n".repeat(1000);
        let status = refused(Refusal::Invalid(vec![violation(&long, &long); 1000]));
        let headers: usize = status
            .into_http::<tonic::body::Body>()
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 32)
            .sum();
        assert!(headers < 8 << 10, "{headers} bytes");
    }
}
