//! W3C Trace Context and Baggage: in from a caller's metadata, out to every
//! attempt.
//!
//! What a caller says is passed on whether or not this process traces: a trace
//! must not break at it.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};
pub use opentelemetry::trace::TraceId;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};

use crate::clock::Anchor;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Most bytes of `tracestate`; the recommendation asks for at least 512.
const TRACESTATE_BYTES_MAX: usize = 512;
/// Most bytes of `baggage`, as its recommendation has it.
const BAGGAGE_BYTES_MAX: usize = 8192;

/// Where somebody is in a trace, and what goes on with it.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The caller's span, or ours; none where nobody traces.
    pub parent: Option<SpanContext>,
    tracestate: Option<HeaderValue>,
    baggage: Option<HeaderValue>,
    /// When the RPC began that this is in, where it is recorded.
    pub(super) began: Option<Anchor>,
}

impl Context {
    /// What a caller's headers say. What breaks the recommendation counts as
    /// not there: a caller's mistake must cost no call.
    pub fn of(headers: &HeaderMap) -> Self {
        let parent = headers.get(TRACEPARENT).and_then(|value| parent(value.as_bytes()));
        // It means nothing without the parent that it belongs to.
        let tracestate = parent.and_then(|_| joined(headers, &TRACESTATE, TRACESTATE_BYTES_MAX));
        let state =
            tracestate.as_ref().and_then(|value| value.to_str().ok()?.parse::<TraceState>().ok());
        let parent = parent.map(|(trace, span, flags)| {
            SpanContext::new(trace, span, flags, true, state.clone().unwrap_or_default())
        });
        Self {
            parent,
            tracestate: tracestate.filter(|_| state.is_some()),
            baggage: joined(headers, &BAGGAGE, BAGGAGE_BYTES_MAX),
            began: None,
        }
    }

    /// The same with another span as the parent of what follows.
    #[must_use]
    pub fn within(&self, span: SpanContext) -> Self {
        Self { parent: Some(span), ..self.clone() }
    }

    /// The trace, where there is one: for the lines of the log.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.parent.as_ref().map(SpanContext::trace_id)
    }

    /// What an attempt carries on, as the child `span` of the parent; the parent
    /// itself where nobody records the attempt. `None` where there is nothing.
    pub fn carried(&self, span: Option<SpanId>) -> Option<Carried> {
        let traceparent = self.parent.as_ref().and_then(|parent| {
            let span = span.unwrap_or(parent.span_id());
            traceparent(parent.trace_id(), span, parent.trace_flags())
        });
        if traceparent.is_none() && self.baggage.is_none() {
            return None;
        }
        let tracestate = self.tracestate.clone().filter(|_| traceparent.is_some());
        Some(Carried { traceparent, tracestate, baggage: self.baggage.clone() })
    }
}

/// The headers of an attempt; as they stand, whatever carries them.
#[derive(Clone, Debug)]
pub struct Carried {
    traceparent: Option<HeaderValue>,
    tracestate: Option<HeaderValue>,
    baggage: Option<HeaderValue>,
}

impl Carried {
    /// The trace's id, in the middle of `00-{trace}-{span}-{flags}`.
    pub(super) fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_ref()?.to_str().ok()?.split('-').nth(1)
    }

    /// Puts them into a request's headers, in place of what stood there.
    pub fn inject(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            (TRACEPARENT, &self.traceparent),
            (TRACESTATE, &self.tracestate),
            (BAGGAGE, &self.baggage),
        ] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
}

/// `00-{trace}-{span}-{flags}`, and what a later version may add.
fn parent(text: &[u8]) -> Option<(TraceId, SpanId, TraceFlags)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_whole = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    // Of its own version the recommendation knows every part.
    if !is_whole || version == "ff" || version == "00" && parts.next().is_some() {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let is_valid = trace != TraceId::INVALID && span != SpanId::INVALID;
    is_valid.then_some((trace, span, flags))
}

fn traceparent(trace: TraceId, span: SpanId, flags: TraceFlags) -> Option<HeaderValue> {
    let mut text = String::with_capacity(55);
    write!(text, "00-{trace}-{span}-{:02x}", flags.to_u8()).ok()?;
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()
}

/// The header's value, which may be in several parts; `None` where it is over
/// `bytes_max`, since half a list is another list.
fn joined(headers: &HeaderMap, name: &HeaderName, bytes_max: usize) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let (first, more) = (values.next()?, values.next());
    if more.is_none() {
        return Some(first.clone()).filter(|value| value.len() <= bytes_max);
    }
    let mut whole = Vec::new();
    for value in headers.get_all(name) {
        if !whole.is_empty() {
            whole.push(b',');
        }
        whole.extend_from_slice(value.as_bytes());
        if whole.len() > bytes_max {
            return None;
        }
    }
    HeaderValue::from_bytes(&whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn carried(context: &Context, span: Option<SpanId>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(carried) = context.carried(span) {
            carried.inject(&mut headers);
        }
        headers
    }

    #[test]
    fn what_breaks_the_recommendation_counts_as_not_there() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        ] {
            let context = Context::of(&headers(&[("traceparent", text), ("tracestate", "a=b")]));
            assert!(context.parent.is_none(), "{text}");
            assert!(carried(&context, None).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let text = PARENT.replacen("00", "cc", 1) + "-what-comes";
        let parent = Context::of(&headers(&[("traceparent", &text)])).parent.unwrap();
        assert_eq!(parent.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(parent.is_sampled() && parent.is_remote());
    }

    #[test]
    fn a_caller_s_context_goes_on_untouched_where_nobody_traces() {
        let given = [("traceparent", PARENT), ("tracestate", "a=1,b=2"), ("baggage", "user=7")];
        let out = carried(&Context::of(&headers(&given)), None);
        assert_eq!(out, headers(&given));
    }

    #[test]
    fn an_attempt_s_own_span_takes_the_parent_s_place() {
        let context = Context::of(&headers(&[("traceparent", PARENT), ("tracestate", "a=1")]));
        let out = carried(&context, Some(SpanId::from(7)));
        assert_eq!(out["traceparent"], PARENT.replace("b7ad6b7169203331", "0000000000000007"));
        let trace = context.carried(None).unwrap().trace_id().unwrap().to_owned();
        assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(out["tracestate"], "a=1");
    }

    #[test]
    fn a_list_in_several_headers_is_one_list() {
        let given = headers(&[
            ("traceparent", PARENT),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
            ("baggage", "c=3"),
            ("baggage", "d=4"),
        ]);
        let out = carried(&Context::of(&given), None);
        assert_eq!(
            (&out["tracestate"], &out["baggage"]),
            (&"a=1,b=2".parse().unwrap(), &"c=3,d=4".parse().unwrap())
        );
    }

    #[test]
    fn a_list_that_is_too_long_or_no_list_is_left_out_whole() {
        let long = format!("a={}", "x".repeat(BAGGAGE_BYTES_MAX));
        let out = carried(
            &Context::of(&headers(&[
                ("traceparent", PARENT),
                ("tracestate", "no list"),
                ("baggage", &long),
            ])),
            None,
        );
        assert_eq!(out, headers(&[("traceparent", PARENT)]));
    }

    #[test]
    fn baggage_goes_on_without_a_trace() {
        let out = carried(&Context::of(&headers(&[("baggage", "a=b")])), Some(SpanId::from(1)));
        assert_eq!(out, headers(&[("baggage", "a=b")]));
    }
}
