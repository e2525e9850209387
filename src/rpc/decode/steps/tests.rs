use futures_util::{StreamExt, stream};
use proptest::prelude::*;

use super::*;
use crate::format::Shape;

fn request(step: Step) -> v1::ExecuteStreamRequest {
    v1::ExecuteStreamRequest { step: Some(step) }
}

fn begun(block: u32, id: &str) -> Step {
    let tool_use = v1::ToolUse { id: id.into(), name: "get".into(), ..v1::ToolUse::default() };
    Step::ToolUseBegun(v1::ToolUseBegun { block, tool_use: Some(tool_use), ..Default::default() })
}

fn fragment(block: u32) -> Step {
    Step::InputFragment(v1::InputFragment { block, json: "{".into() })
}

fn ended(block: u32) -> Step {
    Step::ToolUseEnded(v1::ToolUseEnded { block })
}

fn commit() -> Step {
    Step::Commit(v1::Commit {})
}

/// What comes of these steps.
async fn take(steps: Vec<Result<v1::ExecuteStreamRequest, Status>>) -> Vec<Arrival> {
    Steps::new(stream::iter(steps), Frame::default().into()).collect().await
}

fn fault(arrival: Option<&Arrival>) -> String {
    match arrival {
        Some(Arrival::Broken(Refusal::Invalid(violations))) => {
            format!("{}: {}", violations[0].field, violations[0].description)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_fault_of_the_protocol_ends_the_turn_and_says_where() {
    let open = || Step::Open(v1::StreamOpen::default());
    for (steps, says) in [
        (vec![open()], "open: is the second of its stream, which has one (in request 2 of"),
        (vec![fragment(0)], "input_fragment.block: 0 is that of no call"),
        (vec![ended(7)], "tool_use_ended.block: 7 is that of no call"),
        (vec![begun(1, "a"), begun(1, "b")], "tool_use_begun.block: 1 is also that of the call at"),
        (
            vec![begun(1, "a"), begun(2, "a")],
            "tool_use_begun.tool_use.id: \"a\" is also that of an",
        ),
        (
            vec![begun(1, ""), begun(2, "call_1")],
            "tool_use_begun.tool_use.id: \"call_1\" was given",
        ),
        (vec![begun(1, "a.b")], "tool_use_begun.tool_use.id: the call id holds '.'"),
        (
            vec![begun(1, "a"), ended(1), fragment(1)],
            "input_fragment.block: 1 is that of a call whose",
        ),
        (
            vec![begun(1, "a"), ended(1), ended(1)],
            "tool_use_ended.block: 1 is that of a call whose",
        ),
        (vec![commit(), commit()], "step: follows `commit`, which is the last (in request 3 of"),
        (vec![commit(), begun(1, "a")], "step: follows `commit`"),
        (
            vec![Step::ToolUseBegun(v1::ToolUseBegun::default())],
            "tool_use_begun.tool_use: is missing",
        ),
        (
            vec![Step::ToolUseBegun(v1::ToolUseBegun {
                tool_use: Some(v1::ToolUse::default()),
                ..Default::default()
            })],
            "tool_use_begun.tool_use.name: is missing",
        ),
        (
            vec![Step::ToolUseBegun(v1::ToolUseBegun {
                tool_use: Some(v1::ToolUse { name: "t".into(), ..Default::default() }),
                block_json: "[1]".into(),
                ..Default::default()
            })],
            "tool_use_begun.block_json: is no JSON object",
        ),
    ] {
        let count = steps.len();
        let more = [commit(), commit()];
        let arrivals =
            take(steps.into_iter().chain(more).map(|step| Ok(request(step))).collect()).await;
        assert_eq!(arrivals.len(), count, "{says}: what follows is not read");
        let fault = fault(arrivals.last());
        assert!(fault.starts_with(says), "{fault}");
    }
    let empty = take(vec![Ok(v1::ExecuteStreamRequest::default())]).await;
    assert!(fault(empty.first()).starts_with("step: is missing"));
}

#[tokio::test]
async fn a_tool_is_found_by_the_name_that_its_provider_was_told() {
    for (shape, tool) in [(Shape::Gemini, "2fa"), (Shape::Anthropic, "t__2fa")] {
        let Step::ToolUseBegun(mut told) = begun(0, "a") else { panic!("another step") };
        told.tool_use.as_mut().unwrap().name = "t__2fa".into();
        let steps = stream::iter([Ok(request(Step::ToolUseBegun(told)))]);
        let arrivals: Vec<_> = Steps::new(steps, Frame::new(shape).into()).collect().await;
        let Some(Arrival::Begun(begun)) = arrivals.first() else { panic!("{arrivals:?}") };
        assert_eq!(&*begun.tool, tool);
    }
}

#[tokio::test]
async fn an_id_is_a_fault_only_where_its_provider_could_not_tell_the_answers_apart() {
    for (shape, ids, expected) in [
        (Shape::OpenAiChat, ["a", "a", "x.y:0"], Some(["a", "a_2", "x_y_0"])),
        (Shape::Gemini, ["", "call_1", "call_1"], Some(["call_1", "call_1_2", "call_1_3"])),
        (Shape::LangChain, ["call_2", "", "größe"], Some(["call_2", "call_2_2", "gr__e"])),
        (Shape::Anthropic, ["a.b", "a_b", "c"], Some(["a_b", "a_b_2", "c"])),
        (Shape::Anthropic, ["a", "b", "a"], None),
        (Shape::OpenAiResponses, ["a.b", "b", "a.b"], None),
        (Shape::Bedrock, ["a", "b", "a"], None),
        (Shape::AiSdk, ["a", "b", "a"], None),
    ] {
        let steps = (0..).zip(ids).map(|(block, id)| Ok(request(begun(block, id))));
        let steps = Steps::new(stream::iter(steps), Frame::new(shape).into());
        let arrivals: Vec<_> = steps.collect().await;
        let Some(expected) = expected else {
            let fault = fault(arrivals.last());
            assert!(fault.contains("is also that of an earlier call (in request 4"), "{fault}");
            continue;
        };
        let known = arrivals.iter().map(|arrival| match arrival {
            Arrival::Begun(begun) => begun.id.to_string(),
            other => panic!("{shape:?}: {other:?}"),
        });
        assert_eq!(known.collect::<Vec<_>>(), expected, "{shape:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_fault_and_a_caller_that_goes_is_none() {
    let internal = take(vec![Err(Status::internal("garbage"))]).await;
    assert!(fault(internal.first()).contains("cannot be read: garbage"));
    let large = take(vec![Err(Status::out_of_range("too large"))]).await;
    assert!(matches!(&large[..], [Arrival::Broken(Refusal::TooLarge(_))]));
    assert!(take(vec![Err(Status::cancelled("gone"))]).await.is_empty());
}

#[test]
fn a_stream_that_does_not_begin_with_open_is_refused_with_every_fault_of_it() {
    let (now, caller) = (crate::clock::now(), Arc::new(Caller::local()));
    let open = |first| open(first, (now, None), now, propagate::Context::default(), &caller);
    for first in [None, Some(v1::ExecuteStreamRequest::default()), Some(request(commit()))] {
        let Err(Refusal::Invalid(violations)) = open(first) else { panic!("it was opened") };
        assert_eq!(violations[0].description, "a stream begins with `open`");
    }
    let wrong = v1::StreamOpen {
        batch_id: "a b".into(),
        references: 9,
        shape: 99,
        on_disconnect: v1::OnDisconnect::Continue.into(),
        timeout: Some(prost_types::Duration::default()),
        ..Default::default()
    };
    let Err(Refusal::Invalid(violations)) = open(Some(request(Step::Open(wrong)))) else {
        panic!("it was opened")
    };
    let fields: Vec<_> = violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(
        fields,
        ["open.batch_id", "open.references", "open.on_disconnect", "open.timeout", "open.shape"]
    );
}

#[test]
fn a_stream_is_told_from_another_with_its_id_and_from_a_batch() {
    let print = |batch_id: &str, session_id: &str| {
        let open = v1::StreamOpen {
            batch_id: batch_id.into(),
            session_id: session_id.into(),
            ..Default::default()
        };
        let now = crate::clock::now();
        let first = Some(request(Step::Open(open)));
        let caller = Arc::new(Caller::local());
        super::open(first, (now, None), now, propagate::Context::default(), &caller)
            .unwrap()
            .submission
            .fingerprint
    };
    assert_eq!(print("a", "s"), print("a", "s"));
    assert_ne!(print("a", "s"), print("a", "t"));
    assert_eq!(print("", "s"), [0; 32], "it cannot be sent again");
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..4_u32, 0..6_usize).prop_map(|(block, id)| begun(block, ["", "a", "b", "c", "d", "!"][id])),
        4 => (0..4_u32).prop_map(fragment),
        4 => (0..4_u32).prop_map(ended),
        1 => Just(commit()),
        1 => Just(Step::Open(v1::StreamOpen::default())),
    ]
}

proptest! {
    /// Whatever a caller sends: places are given in the order of the calls, steps are
    /// of calls that are open, and nothing follows the end.
    #[test]
    fn every_step_that_is_passed_on_makes_sense(steps in proptest::collection::vec(any_step(), 0..40)) {
        let steps = steps.into_iter().map(|step| Ok(request(step))).collect();
        let arrivals = futures_util::FutureExt::now_or_never(take(steps)).unwrap();
        let mut is_open: Vec<bool> = Vec::new();
        let mut has_ended = false;
        for arrival in arrivals {
            prop_assert!(!has_ended || matches!(arrival, Arrival::Broken(_)));
            match arrival {
                Arrival::Begun(_) => is_open.push(true),
                Arrival::Fragment { index, .. } => prop_assert!(is_open[index]),
                Arrival::Ended { index } => prop_assert!(std::mem::replace(&mut is_open[index], false)),
                Arrival::Committed | Arrival::Broken(_) => has_ended = true,
            }
        }
    }
}
