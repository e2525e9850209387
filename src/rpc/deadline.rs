//! The RPC's own deadline.
//!
//! tonic reads `grpc-timeout` for itself, ends only the response's head by it
//! and says CANCELLED; so it is read here, and the batch ends before it.

use std::time::Duration;

use tonic::metadata::MetadataMap;

use crate::schedule::Violation;

/// How long before the RPC's deadline the batch ends, so that the caller still
/// gets its bundle: this, or a tenth of what remains if that is less.
const MARGIN: Duration = Duration::from_millis(250);

const HEADER: &str = "grpc-timeout";

/// What the caller gives the batch, by the RPC's deadline; `None` where there
/// is none.
///
/// # Errors
///
/// A value that the protocol does not know.
pub(super) fn allowed(metadata: &MetadataMap) -> Result<Option<Duration>, Violation> {
    let Some(value) = metadata.get(HEADER) else { return Ok(None) };
    let remaining = value.to_str().ok().and_then(parse).ok_or_else(|| Violation {
        field: HEADER.to_owned(),
        description: "is not one to eight digits and a unit of H, M, S, m, u or n".to_owned(),
    })?;
    Ok(Some(remaining - MARGIN.min(remaining / 10)))
}

/// `TimeoutValue TimeoutUnit` of the gRPC protocol: one to eight digits and a
/// unit (`PROTOCOL-HTTP2.md`).
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 60 * 60),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed_by(value: &'static str) -> Result<Option<Duration>, Violation> {
        let mut metadata = MetadataMap::new();
        metadata.insert(HEADER, value.parse().unwrap());
        allowed(&metadata)
    }

    #[test]
    fn what_the_protocol_does_not_know_is_a_violation() {
        for value in ["", "S", "5", "5s", "5h", "-5S", "+5S", "5.5S", "123456789n", "5 S", "0x5S"] {
            let violation = allowed_by(value).unwrap_err();
            assert_eq!(violation.field, "grpc-timeout", "{value:?}");
        }
    }

    #[test]
    fn every_unit_of_the_protocol_is_read() {
        for (text, expected) in [
            ("2H", Duration::from_secs(7200)),
            ("3M", Duration::from_secs(180)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("1500m", Duration::from_millis(1500)),
            ("20u", Duration::from_micros(20)),
            ("00000007n", Duration::from_nanos(7)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn the_batch_ends_a_quarter_of_a_second_or_a_tenth_before_the_rpc() {
        assert_eq!(allowed(&MetadataMap::new()).unwrap(), None);
        for (text, expected_ms) in [("10S", 9750), ("2500m", 2250), ("1S", 900), ("100m", 90)] {
            let expected = Duration::from_millis(expected_ms);
            assert_eq!(allowed_by(text).unwrap(), Some(expected), "{text}");
        }
        assert_eq!(allowed_by("0m").unwrap(), Some(Duration::ZERO));
    }
}
