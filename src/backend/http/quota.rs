//! What an answer says of the caller's quota: that nothing of it is left, and for
//! how long.
//!
//! Three dialects are read, the first that is there:
//!
//! - `RateLimit` of draft-ietf-httpapi-ratelimit-headers: a list of limits, as a
//!   Structured Field (RFC 9651), `"burst";r=0;t=5, "daily";r=10;t=3600`; and the
//!   dictionary of its seventh revision, `limit=10, remaining=0, reset=5`.
//! - `RateLimit-Remaining` and `RateLimit-Reset` of its earlier revisions.
//! - `X-RateLimit-Remaining` and `X-RateLimit-Reset`, which no document defines:
//!   the second is a number of seconds, or a moment in seconds or milliseconds
//!   since 1970, which counts from the answer's own `Date`.
//!
//! What cannot be read as one of these is passed over, as the draft demands.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

/// Nobody waits longer than a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Larger numbers of seconds are moments, and larger ones still milliseconds.
const EPOCH_SECONDS_MIN: f64 = 1e9;
const EPOCH_MILLISECONDS_MIN: f64 = 1e12;

/// The headers that no document defines, in both spellings.
const DE_FACTO: [(&str, &str); 2] = [
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
];

/// For how long nothing of the quota is left; `None` where something is, or
/// nothing is said.
pub(super) fn exhausted(headers: &HeaderMap) -> Option<Duration> {
    let wait = if headers.contains_key("ratelimit") {
        rate_limit(headers)?
    } else if headers.contains_key("ratelimit-remaining") {
        let is_exhausted = whole(headers, "ratelimit-remaining")? == 0;
        is_exhausted.then_some(Duration::from_secs(whole(headers, "ratelimit-reset")?))?
    } else {
        let (remaining, reset) =
            DE_FACTO.into_iter().find(|(remaining, _)| headers.contains_key(*remaining))?;
        (whole(headers, remaining)? == 0).then(|| de_facto(headers, reset))??
    };
    (!wait.is_zero()).then_some(wait.min(LONGEST))
}

/// The longest wait of those limits of which nothing is left.
fn rate_limit(headers: &HeaderMap) -> Option<Duration> {
    let mut lines = Vec::new();
    for value in headers.get_all("ratelimit") {
        lines.push(value.to_str().ok()?);
    }
    let text = lines.join(",");
    let mut members = split(&text, ',')?.into_iter();
    let limits: Vec<(u64, Option<u64>)> = match text.trim_start().starts_with('"') {
        true => members.map(limit).collect::<Option<_>>()?,
        false => {
            let found = |name| {
                let mut values = members.clone().filter_map(|member| {
                    member.trim().strip_prefix(name)?.trim_start().strip_prefix('=')
                });
                integer(values.next()?)
            };
            let (remaining, reset) = (found("remaining")?, found("reset")?);
            members.all(|member| member.contains('=')).then_some(vec![(remaining, Some(reset))])?
        }
    };
    let waits = limits.into_iter().filter(|(remaining, _)| *remaining == 0);
    waits.filter_map(|(_, wait)| wait).max().map(Duration::from_secs)
}

/// `"name";r=50;t=30` as what is left and for how long.
fn limit(member: &str) -> Option<(u64, Option<u64>)> {
    let parts = split(member, ';')?;
    let (name, parameters) = parts.split_first()?;
    let name = name.trim();
    let is_string = name.len() >= 2 && name.starts_with('"') && name.ends_with('"');
    let (mut remaining, mut wait) = (None, None);
    for parameter in parameters {
        // The last of two counts.
        match parameter.trim().split_once('=') {
            Some(("r", value)) => remaining = Some(integer(value)?),
            Some(("t", value)) => wait = Some(integer(value)?),
            _ => {}
        }
    }
    Some((remaining.filter(|_| is_string)?, wait))
}

/// Cut at `separator`, except within strings; `None` where one does not end.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let (mut is_string, mut is_escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_string => is_escaped = true,
            '"' => is_string = !is_string,
            _ if character == separator && !is_string => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    (!is_string).then_some(parts)
}

/// A number as Structured Fields have them, none below zero.
fn integer(text: &str) -> Option<u64> {
    let text = text.trim();
    let is_digits =
        !text.is_empty() && text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?
}

fn whole(headers: &HeaderMap, name: &str) -> Option<u64> {
    integer(headers.get(name)?.to_str().ok()?)
}

fn de_facto(headers: &HeaderMap, name: &str) -> Option<Duration> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number = text.parse::<f64>().ok().filter(|number| is_number && number.is_finite())?;
    let seconds = match number {
        _ if number < EPOCH_SECONDS_MIN => number,
        _ => {
            let moment = if number < EPOCH_MILLISECONDS_MIN { number } else { number / 1000.0 };
            let date = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
            let now = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            (moment - now.as_secs_f64()).max(0.0)
        }
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn of(headers: &[(&str, &str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        exhausted(&map)
    }

    fn rate_limit(value: &str) -> Option<u64> {
        of(&[("ratelimit", value)]).map(|wait| wait.as_secs())
    }

    const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");

    #[test]
    fn what_is_no_quota_that_is_used_up_is_passed_over() {
        for value in [
            "",
            "0",
            "r=0;t=30",
            "\"default\"",
            "\"default\";r=0",
            "\"default\";t=30",
            "\"default\";r=1;t=30",
            "\"default\";r=-1;t=30",
            "\"default\";r=0.0;t=30",
            "\"default\";r=0;t=soon",
            "\"default\";r=0;t=0",
            "\"default;r=0;t=30",
            "\"default\" x;r=0;t=30",
            "\"a\";r=0;t=30, \"b\"",
            "\"a\";r=0;t=30,",
            "\"a;r=0;t=30\";r=1;t=40",
            "limit=10, remaining=1, reset=30",
            "limit=10, remaining=0",
            "remaining=0, reset=-1",
            "remaining=0, reset=30, x",
        ] {
            assert_eq!(rate_limit(value), None, "{value:?}");
        }
        assert_eq!(of(&[("ratelimit", "\"d\u{e9}\";r=0;t=30")]), None);
        for headers in [
            vec![],
            vec![("ratelimit-remaining", "0")],
            vec![("ratelimit-reset", "30")],
            vec![("ratelimit-remaining", "1"), ("ratelimit-reset", "30")],
            vec![("ratelimit-remaining", "none"), ("ratelimit-reset", "30")],
            vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "tomorrow")],
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "-5")],
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1e3")],
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "")],
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1..5")],
            vec![("x-ratelimit-remaining", "-1"), ("x-ratelimit-reset", "5")],
            // No clock of ours is taken for theirs.
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1784111807")],
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "784111700"), DATE],
        ] {
            let seconds = of(&headers).map(|wait| wait.as_secs());
            assert!(seconds.is_none() || seconds == Some(86_400), "{headers:?}: {seconds:?}");
        }
    }

    #[test]
    fn the_structured_field_tells_of_each_limit_and_the_longest_wait_counts() {
        for (value, seconds) in [
            ("\"default\";r=0;t=30", 30),
            ("  \"default\" ; r=0 ; t=30 ", 30),
            ("\"default\";t=30;pk=:cHsdsRa894==:;r=0", 30),
            ("\"a, b;r=9\";r=0;t=7", 7),
            ("\"a\\\";r=5\";r=0;t=7", 7),
            ("\"burst\";r=0;t=5, \"daily\";r=10;t=3600", 5),
            ("\"burst\";r=0;t=5,\"daily\";r=0;t=3600", 3600),
            ("\"yearly\";r=0;t=31536000", 86_400),
            ("limit=10, remaining=0, reset=4", 4),
            ("remaining=0,reset=4", 4),
        ] {
            assert_eq!(rate_limit(value), Some(seconds), "{value:?}");
        }
        let lines = [("ratelimit", "\"a\";r=0;t=5"), ("ratelimit", "\"b\";r=0;t=6")];
        assert_eq!(of(&lines), Some(Duration::from_secs(6)));
    }

    #[test]
    fn older_fields_and_those_that_nobody_defined_are_read_too() {
        let x = "x-ratelimit-remaining";
        for (headers, ms) in [
            (vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "30")], 30_000),
            (vec![(x, "0"), ("x-ratelimit-reset", "30")], 30_000),
            (vec![(x, "0"), ("x-ratelimit-reset", "0.25")], 250),
            (vec![("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "3")], 3000),
        ] {
            assert_eq!(of(&headers), Some(Duration::from_millis(ms)), "{headers:?}");
        }
        // A moment, by the clock of whoever named it.
        let date = ("date", "Fri, 20 Nov 2026 12:00:00 GMT");
        for reset in ["1795176030", "1795176030000", "1795176030.0"] {
            let headers = [(x, "0"), ("x-ratelimit-reset", reset), date];
            assert_eq!(of(&headers), Some(Duration::from_secs(30)), "{reset}");
        }
        let over = [(x, "0"), ("x-ratelimit-reset", "1795175990"), date];
        assert_eq!(of(&over), None, "it is over");
    }

    #[test]
    fn the_newest_dialect_counts() {
        let older = ("x-ratelimit-remaining", "0");
        let reset = ("x-ratelimit-reset", "30");
        assert_eq!(of(&[("ratelimit", "\"default\";r=5;t=9"), older, reset]), None);
        assert_eq!(of(&[("ratelimit-remaining", "5"), older, reset]), None);
        assert!(of(&[older, reset]).is_some());
    }

    proptest::proptest! {
        #[test]
        fn whatever_an_upstream_writes_is_read_and_bounded(
            name in proptest::sample::select(vec![
                "ratelimit", "ratelimit-reset", "x-ratelimit-reset", "x-ratelimit-remaining",
            ]),
            text in "([ -~]{0,20}|[0-9.]{1,30}|\"[a-z;,=\\\\\"]{0,9}\"(;[rt]=[0-9]{1,20}){0,3})",
        ) {
            let headers = [("ratelimit-remaining", "0"), ("x-ratelimit-remaining", "0"), (name, &*text), DATE];
            for from in 0..2 {
                assert!(of(&headers[from..]).is_none_or(|wait| wait <= LONGEST));
            }
        }
    }
}
