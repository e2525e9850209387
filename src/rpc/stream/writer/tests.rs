use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::{
    format::Frame,
    model::{BatchId, CallId, CallResult, Content, Effect, Json, Outcome, Source, Timings},
    plan,
    schedule::{Accepted, BatchFinished},
};

/// Far less than any server has, so that the cases are many.
const BYTES_MAX: usize = 4 << 10;

fn result(index: usize, content: Vec<Content>) -> Arc<CallResult> {
    Arc::new(CallResult {
        index,
        call_id: CallId::positional(index + 1),
        tool: "get_user".into(),
        outcome: Outcome::Succeeded,
        source: Some(Source::Executed),
        content,
        failure: None,
        timings: Timings::default(),
        attempts: Vec::new(),
        truncation: None,
    })
}

fn accepted(calls: usize) -> Event {
    let ids: Vec<_> = (1..=calls).map(CallId::positional).collect();
    let planned: Vec<_> = ids
        .iter()
        .map(|id| plan::Call {
            id,
            tool: "get_user",
            is_known: true,
            input: None,
            depends_on: &[],
            after: &[],
            references: false,
            turn: None,
            claims: &[],
            series: None,
        })
        .collect();
    Event::Accepted(Arc::new(Accepted {
        batch_id: BatchId::try_new("batch").unwrap(),
        plan: Arc::new(plan::build(&planned, crate::model::Ordering::Free)),
        calls: ids.iter().map(|id| (id.clone(), "get_user".into())).collect(),
        latencies: vec![Duration::from_millis(200); calls],
        effects: vec![Some(Effect::ReadOnly); calls],
        is_growing: false,
    }))
}

fn end(results: Vec<Arc<CallResult>>) -> Event {
    Event::BatchFinished(Arc::new(BatchFinished {
        critical_path: (0..results.len()).collect(),
        results,
        duration: Duration::from_millis(200),
        sequential: Duration::from_secs(1),
    }))
}

/// All that a batch with these results writes; they end in the order of
/// `finished`.
fn written(results: &[Arc<CallResult>], finished: &[usize]) -> Vec<v1::BatchEvent> {
    let mut writer = Writer::new(Frame::default(), BYTES_MAX);
    let mut written = Vec::new();
    let mut events = vec![accepted(results.len())];
    events.extend(finished.iter().map(|index| Event::Finished(Arc::clone(&results[*index]))));
    events.push(end(results.to_vec()));
    for event in events {
        writer.take(event);
        written.extend(std::iter::from_fn(|| writer.next()));
    }
    assert!(writer.has_ended());
    written
}

/// What a client makes of the messages: each call's content, and the bundle.
fn read(events: Vec<v1::BatchEvent>) -> (Vec<Vec<Content>>, Vec<String>) {
    let mut parts: Vec<v1::ResultPart> = Vec::new();
    let mut contents: Vec<(u32, Vec<Content>)> = Vec::new();
    let mut bundle: Vec<String> = Vec::new();
    let mut continues = false;
    for (place, event) in events.into_iter().enumerate() {
        assert_eq!(event.sequence, place as u64 + 1, "no gap");
        let message = v1::ExecuteBatchResponse { event: Some(event.clone()) };
        assert!(message.encoded_len() <= BYTES_MAX, "{} bytes", message.encoded_len());
        match event.event.unwrap() {
            batch_event::Event::ResultPart(part) => parts.push(part),
            batch_event::Event::CallFinished(finished) => {
                let result = finished.result.unwrap();
                let own = std::mem::take(&mut parts);
                assert!(own.iter().all(|part| part.call_id == result.call_id));
                contents.push((result.index, joined(&result.content, &own)));
            }
            batch_event::Event::BundlePart(part) => {
                let first = part.first_index as usize;
                assert_eq!(first, bundle.len() - usize::from(continues));
                let mut items = part.items.into_iter();
                if continues {
                    bundle.last_mut().unwrap().push_str(&items.next().unwrap());
                }
                bundle.extend(items);
                continues = part.last_item_continues;
            }
            _ => {}
        }
    }
    assert!(parts.is_empty() && !continues);
    contents.sort_by_key(|(index, _)| *index);
    (contents.into_iter().map(|(_, content)| content).collect(), bundle)
}

fn joined(blocks: &[v1::Content], parts: &[v1::ResultPart]) -> Vec<Content> {
    use v1::{content::Block, result_part::Piece};
    let pieces = |block: usize| {
        parts
            .iter()
            .filter(move |part| part.content_index as usize == block)
            .map(|part| &part.piece)
    };
    let text = |block: usize, whole: &str, in_parts: bool| {
        assert!(!in_parts || whole.is_empty());
        let joined: String = pieces(block)
            .map(|piece| match piece {
                Some(Piece::Text(text)) => text.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        if in_parts { joined } else { whole.to_owned() }
    };
    let data = |block: usize, whole: &Bytes, in_parts: bool| {
        let joined: Vec<u8> = pieces(block)
            .flat_map(|piece| match piece {
                Some(Piece::Data(data)) => data.to_vec(),
                other => panic!("{other:?}"),
            })
            .collect();
        if in_parts { Bytes::from(joined) } else { whole.clone() }
    };
    blocks
        .iter()
        .enumerate()
        .map(|(place, content)| match content.block.as_ref().unwrap() {
            Block::Text(whole) => Content::Text(text(place, whole, content.in_parts).into()),
            Block::Json(whole) => {
                let text = text(place, whole, content.in_parts);
                Content::Json(Json::from_backend(text).unwrap())
            }
            Block::Image(blob) => Content::Image {
                media_type: blob.media_type.as_str().into(),
                data: data(place, &blob.data, content.in_parts),
            },
            Block::Document(blob) => Content::Document {
                media_type: blob.media_type.as_str().into(),
                data: data(place, &blob.data, content.in_parts),
            },
            Block::Link(link) => {
                Content::Link { uri: link.uri.as_str().into(), name: link.name.as_str().into() }
            }
        })
        .collect()
}

/// Sizes around everything that could be got wrong by one, and random ones.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        1..200_usize,
        (BYTES_MAX - 400)..(BYTES_MAX + 400),
        (2 * BYTES_MAX - 800)..(2 * BYTES_MAX + 400),
        1..(4 * BYTES_MAX),
    ]
}

fn text() -> impl Strategy<Value = String> {
    (size(), prop::sample::select(vec!["a", "é", "漢", "🦀", "\"", "\u{1}"]), 0..4_usize).prop_map(
        |(size, character, shift)| {
            "x".repeat(shift) + &character.repeat(size.div_ceil(character.len()))
        },
    )
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        text().prop_map(|text| Content::Text(text.into())),
        text()
            .prop_map(|text| { Content::Json(Json::from_value(&serde_json::Value::String(text))) }),
        size().prop_map(|size| Content::Image {
            media_type: "image/png".into(),
            data: (0..size).map(|byte| byte as u8).collect(),
        }),
        size().prop_map(|size| Content::Document {
            media_type: "application/pdf".into(),
            data: vec![7; size].into(),
        }),
        Just(Content::Link { uri: "https://example.com/a".into(), name: "a".into() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_the_sizes_no_message_is_over_the_cap_and_the_parts_join_to_the_whole(
        (contents, finished) in prop::collection::vec(prop::collection::vec(content(), 0..4), 1..6)
            .prop_flat_map(|contents| {
                let order: Vec<usize> = (0..contents.len()).collect();
                (Just(contents), Just(order).prop_shuffle())
            })
    ) {
        let results: Vec<_> = contents
            .iter()
            .enumerate()
            .map(|(index, content)| result(index, content.clone()))
            .collect();
        let (read_contents, bundle) = read(written(&results, &finished));
        prop_assert_eq!(read_contents, contents);
        // The same bytes, whichever ended first.
        let expected: Vec<_> =
            results.iter().map(|result| Frame::default().encode(result)).collect();
        prop_assert_eq!(bundle, expected);
    }
}

#[test]
fn a_small_batch_is_one_message_for_each_event() {
    let results = [result(0, vec![Content::Text("hello".into())]), result(1, vec![])];
    let kinds: Vec<_> = written(&results, &[1, 0])
        .into_iter()
        .map(|event| match event.event.unwrap() {
            batch_event::Event::Accepted(_) => "accepted",
            batch_event::Event::CallFinished(_) => "finished",
            batch_event::Event::BundlePart(_) => "bundle",
            batch_event::Event::BatchFinished(_) => "end",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["accepted", "finished", "finished", "bundle", "end"]);
}

#[test]
fn a_wide_bundle_goes_in_parts_that_hold_as_many_items_as_fit() {
    let results: Vec<_> =
        (0..100).map(|index| result(index, vec![Content::Text("hello".into())])).collect();
    let finished: Vec<_> = (0..100).rev().collect();
    let events = written(&results, &finished);
    let parts: Vec<_> = events
        .iter()
        .filter_map(|event| match event.event.as_ref().unwrap() {
            batch_event::Event::BundlePart(part) => Some(part),
            _ => None,
        })
        .collect();
    let (full, _) = parts.split_at(parts.len() - 1);
    assert!(!full.is_empty() && full.iter().all(|part| part.encoded_len() > BYTES_MAX / 2));
    assert_eq!(read(events).1.len(), 100);
}

#[test]
fn the_last_result_waits_for_the_end_and_no_other_does() {
    let results = [result(0, vec![]), result(1, vec![])];
    let mut writer = Writer::new(Frame::default(), BYTES_MAX);
    let mut state = |event: Event| {
        writer.take(event);
        (writer.has_news(), writer.is_before_the_end())
    };
    assert_eq!(state(accepted(2)), (false, false));
    assert_eq!(state(Event::Finished(Arc::clone(&results[1]))), (true, false));
    assert_eq!(state(Event::Finished(Arc::clone(&results[0]))), (false, true));
    assert_eq!(state(end(results.to_vec())), (true, false));
}
