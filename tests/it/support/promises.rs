//! What holds for every turn that was accepted, whatever happened in it.

use std::collections::BTreeMap;

use serde_json::Value;
use sidecall::proto::v1::{Outcome, PlannedCall, ToolResult, batch_event::Event, content};

use super::events::Ran;

/// No message that the server sends is larger.
const MESSAGE_BYTES_MAX: usize = 3 << 20;

/// Fails the test unless every promise was kept.
#[track_caller]
pub(super) fn assert_kept(ran: &Ran) {
    assert!(ran.message_bytes_max <= MESSAGE_BYTES_MAX, "{} bytes", ran.message_bytes_max);
    the_stream_is_whole(ran);
    every_call_has_one_result(ran);
    for result in &ran.finished {
        a_result_is_consistent(result);
    }
    the_summary_counts(ran);
    the_bundle_is_the_providers(ran);
}

#[track_caller]
fn the_stream_is_whole(ran: &Ran) {
    for (at, event) in ran.events.iter().enumerate() {
        assert_eq!(event.sequence, at as u64 + 1, "a gap in the sequence");
        let is_first = matches!(event.event, Some(Event::Accepted(_)));
        assert_eq!(is_first, at == 0, "`accepted` is the first event and once");
        let is_last = matches!(event.event, Some(Event::BatchFinished(_)));
        assert_eq!(is_last, at + 1 == ran.events.len(), "`batch_finished` is the last and once");
    }
    let order = ran.events.iter().filter_map(|event| match &event.event {
        Some(Event::Started(_) | Event::CallFinished(_)) => Some(0),
        Some(Event::BundlePart(_)) => Some(1),
        _ => None,
    });
    assert!(order.is_sorted(), "the bundle comes after every result");
}

#[track_caller]
fn every_call_has_one_result(ran: &Ran) {
    let plan = ran.accepted.plan.as_ref().unwrap();
    let came: BTreeMap<u32, &PlannedCall> = ran
        .events
        .iter()
        .filter_map(|event| match &event.event {
            Some(Event::CallPlanned(planned)) => Some((planned.index, planned.call.as_ref()?)),
            _ => None,
        })
        .collect();
    // A call of a turn that was cut off may have no place in a plan.
    let calls = match plan.calls.len() + plan.calls_omitted as usize {
        0 => ran.summary.calls as usize,
        calls => calls,
    };
    assert_eq!(ran.finished.len(), calls, "N in, N out");
    let by_index: BTreeMap<u32, &ToolResult> =
        ran.finished.iter().map(|result| (result.index, result)).collect();
    assert_eq!(by_index.len(), calls, "a call with two results");
    for (call, result) in plan.calls.iter().zip(by_index.values()) {
        assert_eq!((&call.call_id, &call.tool), (&result.call_id, &result.tool));
    }
    assert!(by_index.keys().copied().eq(0..u32::try_from(calls).unwrap()));
    for (index, call) in came {
        let result = by_index[&index];
        assert_eq!((&call.call_id, &call.tool), (&result.call_id, &result.tool));
    }
}

#[track_caller]
fn a_result_is_consistent(result: &ToolResult) {
    let is_success = result.outcome() == Outcome::Succeeded;
    assert_ne!(result.outcome(), Outcome::Unspecified, "{result:#?}");
    assert_eq!(result.is_error, !is_success, "{result:#?}");
    assert_eq!(result.failure.is_none(), is_success, "{result:#?}");
    assert!(result.timings.is_some(), "{result:#?}");
    if let Some(failure) = &result.failure {
        assert!(failure.code != 0 && failure.origin != 0 && failure.retry != 0, "{failure:#?}");
        assert!(!failure.message.is_empty(), "{failure:#?}");
    }
    for content in &result.content {
        match content.block.as_ref().unwrap() {
            content::Block::Text(text) => assert!(!text.is_empty(), "an empty text block"),
            content::Block::Json(text) => {
                serde_json::from_str::<Value>(text).unwrap();
            }
            content::Block::Image(_) | content::Block::Document(_) | content::Block::Link(_) => {}
        }
    }
}

#[track_caller]
fn the_summary_counts(ran: &Ran) {
    let summary = &ran.summary;
    assert_eq!(summary.calls as usize, ran.finished.len());
    assert_eq!(summary.bundle_items as usize, ran.bundle.len());
    for (outcome, counted) in [
        (Outcome::Succeeded, summary.succeeded),
        (Outcome::Failed, summary.failed),
        (Outcome::Cancelled, summary.cancelled),
        (Outcome::Skipped, summary.skipped),
    ] {
        assert_eq!(counted as usize, ran.count(outcome), "{outcome:?} in {summary:#?}");
    }
}

/// One item for each call. What came as Anthropic's blocks or typed is answered in
/// `tool_result` blocks, in call order, as the API takes them.
#[track_caller]
fn the_bundle_is_the_providers(ran: &Ran) {
    let mut calls: Vec<&ToolResult> = ran.finished.iter().collect();
    calls.sort_by_key(|result| result.index);
    assert_eq!(ran.bundle.len(), calls.len(), "N in, N out");
    for (item, call) in ran.bundle.iter().zip(calls) {
        let block: Value = serde_json::from_str(item).unwrap();
        let id = &call.call_id;
        let is_portable = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(!id.is_empty() && id.chars().all(is_portable), "{id:?}");
        let Some(written) = block.get("tool_use_id").and_then(Value::as_str) else {
            // Another provider's: its own types judge it.
            assert!(block.is_object() && block.get("tool_result").is_none(), "{item}");
            continue;
        };
        assert_eq!(block["type"], "tool_result", "{item}");
        // An id that cannot stand here goes back as it came.
        let is_own = written.chars().all(is_portable) && written.len() <= 128;
        assert!(written == id || !is_own, "{written} for {id}: the bundle is in call order");
        let is_error = block.get("is_error").is_some_and(|flag| flag.as_bool().unwrap());
        assert_eq!(is_error, call.is_error, "{item}");
        match block.get("content") {
            None => assert!(!is_error, "an error says something: {item}"),
            Some(Value::String(text)) => assert!(!text.is_empty(), "an empty text: {item}"),
            Some(Value::Array(blocks)) => {
                for block in blocks {
                    let kind = block["type"].as_str().unwrap();
                    assert!(["text", "image", "document"].contains(&kind), "{item}");
                    assert_ne!(block.get("text"), Some(&Value::String(String::new())), "{item}");
                }
            }
            Some(other) => panic!("{other}"),
        }
    }
}
