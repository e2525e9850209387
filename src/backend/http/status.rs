//! The one table from HTTP status to failure.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use super::quota;
use crate::{
    backend::Error,
    model::{FailureCode as Code, FailureOrigin, RetryAdvice as Retry},
};

/// What statuses mean for whoever made the call: the code, what helps, and a
/// sentence for the model.
type Meaning = (&'static [u16], Code, Retry, &'static str);

/// Every status that means more than its class (RFC 9110, section 15; RFC 6585).
///
/// What the operator set up, credentials and method among it, is no fault of
/// the input: the model is told that nothing it can write changes it.
#[rustfmt::skip]
const MEANINGS: &[Meaning] = &[
    (&[400, 422], Code::ToolError, Retry::ChangedInput,
        "It does not accept this input"),
    (&[401, 407, 511], Code::BackendError, Retry::Never,
        "It did not accept the credentials that the tool is configured with; no other input changes that"),
    (&[402], Code::BackendError, Retry::Never,
        "It wants to be paid first; no other input changes that"),
    (&[403], Code::BackendError, Retry::Never,
        "The credentials that the tool is configured with may not do this"),
    (&[404, 410], Code::ToolError, Retry::ChangedInput,
        "It knows nothing of that name; check the identifiers"),
    (&[405, 406, 411, 415, 417, 421, 426, 428], Code::BackendError, Retry::Never,
        "It does not take requests of this kind; the tool's operator must mend that"),
    (&[408, 425], Code::Unavailable, Retry::SameInput,
        "It did not process the request; the same call may succeed"),
    (&[409, 412, 423], Code::Conflict, Retry::VerifyFirst,
        "What it would change is in another state than expected; read it again before deciding"),
    (&[413, 414, 431], Code::ToolError, Retry::ChangedInput,
        "The input is too large for it"),
    (&[429], Code::RateLimited, Retry::SameInput,
        "It has had too many requests and did not process this one; the same call may succeed later"),
    (&[451], Code::ToolError, Retry::Never,
        "It may not give this out for legal reasons"),
    (&[501, 505, 506, 510], Code::BackendError, Retry::Never,
        "It cannot do this; the tool's operator must mend that"),
    (GATEWAY, Code::Unavailable, Retry::SameInput,
        "A proxy before it had no answer from it"),
    (&[503], Code::Unavailable, Retry::SameInput,
        "It does not serve at the moment; the same call may succeed later"),
];

/// Said by a proxy, which does not know what the backend did.
const GATEWAY: &[u16] = &[502, 504];

fn meaning(status: u16) -> (Code, Retry, &'static str) {
    if let Some((_, code, retry, hint)) = MEANINGS.iter().find(|row| row.0.contains(&status)) {
        return (*code, *retry, hint);
    }
    match status {
        300..=399 => (
            Code::BackendError,
            Retry::Never,
            "Redirects are not followed; the tool's operator must configure the final address",
        ),
        400..=499 => (
            Code::ToolError,
            Retry::ChangedInput,
            "It refused the request; another input may succeed",
        ),
        _ => (Code::BackendError, Retry::SameInput, "It failed"),
    }
}

/// The error of an answer that is no success. Where more is known than its status
/// says, `refusal` is that; `said` is what its body said.
pub(super) fn error(
    status: StatusCode,
    headers: &HeaderMap,
    is_safe: bool,
    refusal: Option<(Code, Retry, String)>,
    said: Option<&str>,
) -> Error {
    let (code, mut retry, hint) = refusal.unwrap_or_else(|| {
        let (code, retry, hint) = meaning(status.as_u16());
        (code, retry, hint.to_owned())
    });
    let is_gateway = GATEWAY.contains(&status.as_u16());
    if !is_safe && retry == Retry::SameInput && (is_gateway || code == Code::BackendError) {
        // It may have done half of its work, or all.
        retry = Retry::VerifyFirst;
    }
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let mut message = format!("the backend answered {}{reason}. {hint}.", status.as_u16());
    let pause = quota::exhausted(headers);
    let refused_by_quota = pause.filter(|_| code == Code::RateLimited);
    let wait = retry_after(headers)
        .or(refused_by_quota)
        .filter(|_| matches!(code, Code::RateLimited | Code::Unavailable));
    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
        message.push_str(&format!(" It asked for {wait:.1?} without a call."));
    }
    if let Some(said) = said {
        message.push_str(" It said: ");
        message.push_str(said);
    }

    let mut error = Error::new(code, message).with_retry(retry).answered();
    error.origin = FailureOrigin::Backend;
    if is_gateway && !is_safe {
        error = error.maybe_sent();
    }
    error.pause = pause;
    if let Some(wait) = wait {
        error.retry_after = Some(wait);
        if retry == Retry::SameInput {
            error.retry = Retry::After(wait);
        }
    }
    error
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date, which counts
/// from the answer's own `Date`, so that no clock needs to agree with another.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    /// Nobody waits longer than a day.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        let now = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
        until.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sent;

    fn of(status: u16, headers: &[(&'static str, &str)], is_safe: bool) -> Error {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        error(StatusCode::from_u16(status).unwrap(), &map, is_safe, None, Some("why"))
    }

    #[test]
    fn every_status_is_a_failure_that_says_what_helps() {
        use Retry::{ChangedInput, Never, SameInput, VerifyFirst};
        for (status, code, retry, unsafe_retry) in [
            (301, Code::BackendError, Never, Never),
            (304, Code::BackendError, Never, Never),
            (400, Code::ToolError, ChangedInput, ChangedInput),
            (401, Code::BackendError, Never, Never),
            (403, Code::BackendError, Never, Never),
            (404, Code::ToolError, ChangedInput, ChangedInput),
            (405, Code::BackendError, Never, Never),
            (408, Code::Unavailable, SameInput, SameInput),
            (409, Code::Conflict, VerifyFirst, VerifyFirst),
            (410, Code::ToolError, ChangedInput, ChangedInput),
            (412, Code::Conflict, VerifyFirst, VerifyFirst),
            (413, Code::ToolError, ChangedInput, ChangedInput),
            (418, Code::ToolError, ChangedInput, ChangedInput),
            (422, Code::ToolError, ChangedInput, ChangedInput),
            (429, Code::RateLimited, SameInput, SameInput),
            (500, Code::BackendError, SameInput, VerifyFirst),
            (501, Code::BackendError, Never, Never),
            (502, Code::Unavailable, SameInput, VerifyFirst),
            (503, Code::Unavailable, SameInput, SameInput),
            (504, Code::Unavailable, SameInput, VerifyFirst),
            (599, Code::BackendError, SameInput, VerifyFirst),
        ] {
            let error = of(status, &[], true);
            assert_eq!((error.code, error.retry), (code, retry), "{status}");
            assert_eq!(of(status, &[], false).retry, unsafe_retry, "{status}");
            assert_eq!((error.origin, error.sent), (FailureOrigin::Backend, Sent::Answered));
            assert!(error.message.contains(&status.to_string()), "{}", error.message);
            assert!(error.message.ends_with("It said: why"), "{}", error.message);
        }
    }

    #[test]
    fn the_answer_of_a_proxy_does_not_say_what_the_backend_did() {
        for status in [502, 504] {
            assert_eq!(of(status, &[], false).sent, Sent::Maybe);
            assert_eq!(of(status, &[], true).sent, Sent::Answered);
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_date() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (headers, wait) in [
            (vec![("retry-after", "7")], Some(7)),
            (vec![("retry-after", "0")], Some(0)),
            (vec![("retry-after", "99999999999999999999999")], Some(86400)),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date], Some(30)),
            (vec![("retry-after", "Sunday, 06-Nov-94 08:49:07 GMT"), date], Some(0)),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], None),
            (vec![("retry-after", "-1")], None),
            (vec![("retry-after", "1.5")], None),
            (vec![("retry-after", "soon"), date], None),
            (vec![], None),
        ] {
            let wait = wait.map(Duration::from_secs);
            let error = of(429, &headers, false);
            assert_eq!(error.retry_after, wait, "{headers:?}");
            assert_eq!(error.retry, wait.map_or(Retry::SameInput, Retry::After), "{headers:?}");
            let told = wait.filter(|wait| !wait.is_zero());
            let words =
                told.map(|wait| format!(" It asked for {wait:.1?} without a call. It said"));
            match words {
                Some(words) => assert!(error.message.contains(&words), "{}", error.message),
                None => assert!(!error.message.contains("asked for"), "{}", error.message),
            }
        }
        assert_eq!(of(400, &[("retry-after", "7")], true).retry_after, None);
    }
}
