use super::*;
use crate::{clock, model::Owner};

fn tool_use(id: &str, name: &str, input: &str) -> v1::ToolUse {
    v1::ToolUse {
        id: id.to_owned(),
        name: name.to_owned(),
        input_json: input.to_owned(),
        ..v1::ToolUse::default()
    }
}

fn typed(tool_uses: Vec<v1::ToolUse>) -> v1::ExecuteBatchRequest {
    v1::ExecuteBatchRequest {
        turn: Some(v1::execute_batch_request::Turn::Typed(v1::ToolUses { tool_uses })),
        ..v1::ExecuteBatchRequest::default()
    }
}

fn valid() -> v1::ExecuteBatchRequest {
    typed(vec![tool_use("a", "get_user", "{}")])
}

fn decoded(request: v1::ExecuteBatchRequest) -> Submission {
    of_caller(request, &Arc::new(Caller::local())).unwrap()
}

fn of_caller(
    request: v1::ExecuteBatchRequest,
    caller: &Arc<Caller>,
) -> Result<Submission, Refusal> {
    let context = propagate::Context::default();
    execute(request, None, clock::now(), context, caller).map(|(submission, _)| submission)
}

/// Of another owner.
fn other() -> Arc<Caller> {
    Arc::new(Caller { owner: Owner::try_new("other").unwrap(), ..Caller::local() })
}

fn faults(request: v1::ExecuteBatchRequest) -> Vec<(String, String)> {
    match of_caller(request, &Arc::new(Caller::local())) {
        Err(Refusal::Invalid(violations)) => {
            violations.into_iter().map(|fault| (fault.field, fault.description)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn seconds(seconds: i64, nanos: i32) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos })
}

#[test]
fn a_request_with_one_fault_is_refused_at_its_field() {
    type Change = fn(&mut v1::ExecuteBatchRequest);
    let table: [(Change, &str, &str); 14] = [
        (|request| request.turn = None, "turn", "`typed` or one of the providers' shapes"),
        (|request| *request = typed(vec![]), "typed.tool_uses", "at least one"),
        (|request| request.batch_id = "a b".into(), "batch_id", "holds ' '"),
        (|request| request.batch_id = "x".repeat(129), "batch_id", "at most 128"),
        (|request| request.session_id = "ä".into(), "session_id", "holds 'ä'"),
        (|request| request.references = 9, "references", "9 is no value"),
        (|request| request.ordering = -1, "ordering", "-1 is no value"),
        (|request| request.on_disconnect = 7, "on_disconnect", "7 is no value"),
        (|request| request.on_disconnect = 2, "on_disconnect", "needs a journal"),
        (|request| request.timeout = seconds(0, 0), "timeout", "more than zero"),
        (|request| request.timeout = seconds(-1, 0), "timeout", "more than zero"),
        (|request| request.call_timeout = seconds(0, -1), "call_timeout", "more than zero"),
        (
            |request| *request = typed(vec![tool_use("", "", "{}")]),
            "typed.tool_uses[0].name",
            "is missing",
        ),
        (
            |request| *request = typed(vec![tool_use("", &"n".repeat(257), "{}")]),
            "typed.tool_uses[0].name",
            "257 bytes",
        ),
    ];
    for (change, field, says) in table {
        let mut request = valid();
        change(&mut request);
        let faults = faults(request);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].0, field);
        assert!(faults[0].1.contains(says), "{faults:?}");
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_fields() {
    let request = v1::ExecuteBatchRequest {
        batch_id: "a b".into(),
        timeout: seconds(0, 0),
        ..typed(vec![
            tool_use("a.b", "t", "{}"),
            tool_use("x", "", "{}"),
            v1::ToolUse { timeout: seconds(-3, 0), ..tool_use("x", "t", "{}") },
        ])
    };
    let fields: Vec<_> = faults(request).into_iter().map(|(field, _)| field).collect();
    let expected = [
        "batch_id",
        "timeout",
        "typed.tool_uses[0].id",
        "typed.tool_uses[1].name",
        "typed.tool_uses[2].id",
        "typed.tool_uses[2].timeout",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn an_id_that_stands_twice_is_refused_naming_both_places() {
    for second in ["call_1", "x"] {
        let first = if second == "x" { "x" } else { "" };
        let request = typed(vec![tool_use(first, "t", "{}"), tool_use(second, "t", "{}")]);
        let faults = faults(request);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].0, "typed.tool_uses[1].id");
        assert!(faults[0].1.contains("tool_uses[0]"), "{faults:?}");
    }
}

#[test]
fn an_input_that_cannot_be_read_fails_its_call_and_not_the_turn() {
    let submission = decoded(typed(vec![
        tool_use("", "t", "{\"a\": }"),
        tool_use("", "t", "[1]"),
        tool_use("", "t", "{\"a\":1,\"a\":2}"),
        tool_use("", "t", "{\"n\":1.10}"),
    ]));
    let inputs: Vec<_> = submission.calls.iter().map(|call| call.input.clone()).collect();
    let came: Vec<_> = inputs[..3].iter().map(|input| &**input.as_ref().unwrap_err()).collect();
    assert_eq!(came, ["{\"a\": }", "[1]", "{\"a\":1,\"a\":2}"]);
    assert_eq!(inputs[3].as_ref().unwrap().as_str(), "{\"n\":1.10}");
}

#[test]
fn what_is_left_out_gets_its_default() {
    let submission = decoded(typed(vec![tool_use("x", "t", ""), tool_use("", "t", "")]));
    let ids: Vec<_> = submission.calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids, ["x", "call_2"]);
    assert_eq!(submission.calls[0].input.as_ref().unwrap().as_str(), "{}");
    assert_eq!(submission.batch_id, None);
    assert_eq!(submission.session_id, None);
    assert_eq!(submission.deadline, None);
    assert_eq!(submission.call_timeout, None);
    assert_eq!(submission.ordering, Ordering::Free);
    assert!(!submission.references);
    assert_eq!(*submission.caller, Caller::local());
}

#[test]
fn a_session_is_its_callers_own_whoever_else_names_one_so() {
    let named = || v1::ExecuteBatchRequest { session_id: "chat-1".into(), ..valid() };
    let [ours, theirs] = [Arc::new(Caller::local()), other()]
        .map(|caller| of_caller(named(), &caller).unwrap().session_id.unwrap());
    assert_ne!(ours, theirs);
    assert_eq!((theirs.as_str(), theirs.owner().as_str()), ("chat-1", "other"));
    let request = v1::ListToolsRequest { session_id: "chat-1".into(), ..Default::default() };
    assert_eq!(list(&request, &other()).unwrap().1, Some(theirs));
}

#[test]
fn what_is_set_arrives() {
    let submission = decoded(v1::ExecuteBatchRequest {
        batch_id: "turn:1".into(),
        session_id: "s".into(),
        references: 1,
        ordering: 2,
        on_disconnect: 1,
        call_timeout: seconds(1, 500_000_000),
        ..typed(vec![v1::ToolUse {
            depends_on: vec!["get_user".into(), "2".into()],
            timeout: seconds(0, 20_000_000),
            ..tool_use("a", "t", "{}")
        }])
    });
    assert_eq!(submission.batch_id.unwrap().as_str(), "turn:1");
    assert_eq!(submission.session_id.unwrap().as_str(), "s");
    assert!(submission.references);
    assert_eq!(submission.ordering, Ordering::Ordered);
    assert_eq!(submission.call_timeout, Some(Duration::from_millis(1500)));
    assert_eq!(submission.calls[0].depends_on, ["get_user", "2"]);
    assert_eq!(submission.calls[0].timeout, Some(Duration::from_millis(20)));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_the_earlier_of_the_rpcs_and_the_requests() {
    let now = clock::now();
    let ms = Duration::from_millis;
    let table = [
        (None, None, None),
        (Some(ms(300)), None, Some(ms(300))),
        (None, seconds(2, 0), Some(ms(2000))),
        (Some(ms(300)), seconds(2, 0), Some(ms(300))),
        (Some(ms(3000)), seconds(2, 0), Some(ms(2000))),
        (None, seconds(i64::MAX, 0), None),
    ];
    for (allowed, timeout, expected) in table {
        let request = v1::ExecuteBatchRequest { timeout, ..valid() };
        let deadline = execute(request, allowed, now, propagate::Context::default(), &other())
            .unwrap()
            .0
            .deadline;
        assert_eq!(deadline.map(|deadline| deadline - now), expected, "{allowed:?} {timeout:?}");
    }
}

#[test]
fn the_fingerprint_is_of_the_content_and_not_of_the_id() {
    let of = |batch_id: &str, input: &str| {
        let request = typed(vec![tool_use("a", "t", input)]);
        decoded(v1::ExecuteBatchRequest { batch_id: batch_id.into(), ..request }).fingerprint
    };
    assert_eq!(of("one", "{}"), of("two", "{}"));
    assert_ne!(of("one", "{}"), of("one", "{ }"));
}

#[test]
fn a_providers_fault_is_told_under_the_field_that_brought_it() {
    let request = v1::ExecuteBatchRequest {
        turn: Some(v1::execute_batch_request::Turn::AnthropicJson("nonsense".into())),
        ..v1::ExecuteBatchRequest::default()
    };
    assert!(faults(request).iter().all(|(field, _)| field.starts_with("anthropic_json")));
}

#[test]
fn a_cancellation_names_its_batch_and_calls() {
    let wrong = v1::CancelBatchRequest { batch_id: String::new(), call_ids: vec!["a b".into()] };
    let Err(Refusal::Invalid(violations)) = cancel(wrong) else { panic!("accepted") };
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["batch_id", "call_ids[0]"]);

    let right = v1::CancelBatchRequest { batch_id: "b".into(), call_ids: vec!["a".into()] };
    let (batch_id, call_ids) = cancel(right).unwrap();
    assert_eq!((batch_id.as_str(), call_ids[0].as_str()), ("b", "a"));
}

#[test]
fn a_shape_that_is_unknown_is_refused() {
    let request = v1::ListToolsRequest { shape: 99, ..v1::ListToolsRequest::default() };
    assert!(matches!(list(&request, &other()), Err(Refusal::Invalid(_))));
    let request = v1::ListToolsRequest { shape: 1, references: 1, latencies: true, ..request };
    let shape = Some(format::Shape::Anthropic);
    let wanted = Wanted { shape, references: true, latencies: true };
    assert_eq!(list(&request, &other()).unwrap(), (wanted, None));
}
