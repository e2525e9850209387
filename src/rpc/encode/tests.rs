use std::sync::Arc;

use prost::Message;

use super::*;
use crate::model::{BatchId, Ordering};
use crate::plan;

fn batch(calls: usize, id_bytes: usize, fault: Option<&str>) -> Accepted {
    let ids: Vec<_> =
        (0..calls).map(|index| CallId::try_new(format!("{index:0>id_bytes$}")).unwrap()).collect();
    let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let planned: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(index, id)| plan::Call {
            id,
            tool: "t",
            is_known: true,
            input: None,
            depends_on: if index == 0 { &[] } else { &names[index - 1..index] },
            after: &[],
            references: false,
            turn: None,
            claims: &[],
            series: None,
        })
        .collect();
    let mut plan = plan::build(&planned, Ordering::Free);
    for node in &mut plan.nodes {
        node.fault =
            fault.map(|message| Failure::new(FailureCode::InvalidInput, message.to_owned()));
    }
    Accepted {
        batch_id: BatchId::try_new("batch").unwrap(),
        calls: ids.into_iter().map(|id| (id, "t".into())).collect(),
        plan: Arc::new(plan),
        latencies: vec![Duration::from_millis(200); calls],
        effects: vec![Some(Effect::ReadOnly); calls],
        is_growing: false,
    }
}

#[test]
fn a_plan_that_is_too_large_leaves_out_edges_then_words_then_calls_and_says_so() {
    for (calls, id_bytes, fault) in [
        (2_000, 20, None),
        (1_000, 128, None),
        (300, 8, Some("x".repeat(5_000))),
        (3_000, 128, Some("y".repeat(300))),
    ] {
        for bytes_max in [16 << 10, 64 << 10, 256 << 10, 3 << 20] {
            let accepted = batch(calls, id_bytes, fault.as_deref());
            let plan = plan(&accepted, bytes_max);
            assert!(plan.encoded_len() <= bytes_max, "{} of {bytes_max}", plan.encoded_len());
            assert_eq!(plan.calls.len() + plan.calls_omitted as usize, calls);
            let edges = accepted.plan.edges.len();
            assert_eq!(plan.edges.len() + plan.edges_omitted as usize, edges);
        }
    }
}

#[test]
fn a_plan_that_fits_is_whole() {
    let plan = plan(&batch(100, 8, Some("no such tool")), 3 << 20);
    assert_eq!((plan.calls_omitted, plan.edges_omitted), (0, 0));
    assert_eq!(plan.calls[0].fault.as_ref().unwrap().message, "no such tool");
}

#[test]
fn every_failure_code_has_the_wires_name_for_it() {
    for known in FailureCode::ALL {
        let wire = format!("FAILURE_CODE_{}", known.as_str().to_uppercase());
        assert_eq!(code(known).as_str_name(), wire);
    }
}

#[test]
fn advice_to_wait_says_how_long() {
    let sent = failure(
        &Failure::new(FailureCode::RateLimited, "wait")
            .with_retry(RetryAdvice::After(Duration::from_millis(1500))),
    );
    assert_eq!(sent.retry(), v1::RetryAdvice::After);
    assert_eq!(sent.retry_after, Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }));
}

#[test]
fn a_message_longer_than_a_model_reads_is_cut_between_characters() {
    let sent = failure(&Failure::new(FailureCode::BackendError, "é".repeat(100_000)));
    assert!(sent.message.len() <= MESSAGE_BYTES_MAX && sent.message.ends_with("é…"));
}
