//! What is measured, as Prometheus reads it; in paused time.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_sdk::metrics::{
    data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics},
    reader::MetricReader,
};
use tokio::time::advance;

use super::{
    labels::OFFERED_MAX,
    sessions::{SESSIONS_FOR, SESSIONS_MAX},
    *,
};
use crate::{
    clock,
    model::{CallId, Failure, Outcome, Source},
    telemetry::reloads::Reloads,
};

fn metrics() -> Metrics {
    with_reader().0
}

fn with_reader() -> (Metrics, Reader) {
    let tool = Tool {
        name: "get".into(),
        description: "Gets.".into(),
        api: "crm".into(),
        kind: "extension",
    };
    Metrics::new(Resource::builder_empty().build(), &[tool])
}

fn result(tool: &str, failure: Option<FailureCode>) -> CallResult {
    CallResult {
        index: 0,
        call_id: CallId::try_new("a").unwrap(),
        tool: tool.into(),
        outcome: if failure.is_some() { Outcome::Failed } else { Outcome::Succeeded },
        source: failure.is_none().then_some(Source::Executed),
        content: vec![Content::Text("12345678".into())],
        failure: failure.map(|code| Failure::new(code, "no")),
        timings: Timings {
            throttled: Duration::from_millis(20),
            running: Duration::from_millis(10),
            ..Timings::default()
        },
        attempts: Vec::new(),
        truncation: None,
    }
}

/// The value of a line of the text; `None` where it is not there.
fn value(metrics: &Metrics, name: &str, labels: &[&str]) -> Option<f64> {
    let text = String::from_utf8(metrics.text().unwrap()).unwrap();
    let line = text.lines().find(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[track_caller]
fn is(metrics: &Metrics, name: &str, labels: &[&str], expected: f64) {
    let found = value(metrics, name, labels);
    let text = String::from_utf8(metrics.text().unwrap()).unwrap();
    assert!(found.is_some_and(|found| (found - expected).abs() < 1e-9), "{name} {found:?}\n{text}");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_measured_under_its_tool_s_name_and_no_caller_s() {
    let metrics = metrics();
    metrics.batch_began(None, 3, clock::now());
    metrics.call(&result("get", None), None, 1);
    metrics.call(&result("get", Some(FailureCode::ToolError)), None, 2);
    metrics.call(&result("made_up_canary", Some(FailureCode::UnknownTool)), None, 0);

    let get = "gen_ai_tool_name=\"get\"";
    let tool = "gen_ai_execute_tool_duration_seconds";
    is(&metrics, &format!("{tool}_count"), &[get, "error_type=\"tool_error\""], 1.0);
    // 30 ms are between the convention's bounds of 20 and 40.
    is(&metrics, &format!("{tool}_bucket"), &[get, "le=\"0.02\""], 0.0);
    is(&metrics, &format!("{tool}_bucket"), &[get, "le=\"0.04\""], 1.0);
    is(&metrics, &format!("{tool}_count"), &["gen_ai_tool_name=\"_OTHER\""], 1.0);
    is(&metrics, "sidecall_call_attempts_sum", &[get], 3.0);
    is(&metrics, "sidecall_call_in_flight", &[], 0.0);
    let tokens = ["sidecall_wait_kind=\"tokens\"", "sidecall_api=\"crm\""];
    is(&metrics, "sidecall_wait_duration_seconds_sum", &tokens, 0.04);
    is(&metrics, "sidecall_result_size_bytes_sum", &["stage=\"shown\"", get], 8.0);
    is(&metrics, "sidecall_result_tokens_sum", &[get], 2.0);
    assert!(!String::from_utf8(metrics.text().unwrap()).unwrap().contains("canary"));
}

#[test]
fn what_the_conventions_name_is_measured_as_they_have_it() {
    let (metrics, reader) = with_reader();
    metrics.call(&result("get", None), None, 1);
    metrics.call(&result("get", Some(FailureCode::ToolError)), None, 1);
    metrics.call(&result("made_up", Some(FailureCode::UnknownTool)), None, 0);
    metrics.rpc(&"a.B/C".into(), "OK", Duration::from_millis(1));
    metrics.rpc(&"a.B/C".into(), "INVALID_ARGUMENT", Duration::from_millis(1));
    metrics.rpc(&"a.B/C".into(), "INTERNAL", Duration::from_millis(1));
    let mut all = ResourceMetrics::default();
    reader.collect(&mut all).unwrap();
    let all = all.scope_metrics().flat_map(ScopeMetrics::metrics);
    let by_convention = all.filter(|metric| names::tests::assert_metric(metric)).count();
    assert_eq!(by_convention, 2);
    // What fails by the caller's fault is no error of the server's.
    let rpc = "rpc_server_call_duration_seconds_count";
    is(&metrics, rpc, &["rpc_status_code=\"INTERNAL\"", "error_type=\"INTERNAL\""], 1.0);
    assert_eq!(value(&metrics, rpc, &["error_type=\"INVALID_ARGUMENT\""]), None);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_slower_than_one_by_one_is_told_so() {
    let metrics = metrics();
    let (duration, sequential) = (Duration::from_secs(4), Duration::from_secs(1));
    let at = clock::now();
    let ended =
        Ended { session: None, width: 1, depth: 1, duration, sequential, critical: sequential, at };
    metrics.batch(ended);
    // What was saved has a floor, and tells of no loss.
    is(&metrics, "sidecall_batch_saved_seconds_sum", &[], 0.0);
    is(&metrics, "sidecall_batch_sequential_seconds_sum", &[], 1.0);
    is(&metrics, "sidecall_batch_duration_seconds_sum", &[], 4.0);
}

#[test]
fn tools_of_workers_are_named_up_to_a_bound() {
    let metrics = metrics();
    let offered = |name: String| Tool {
        name: name.into(),
        description: "Runs in the agent.".into(),
        api: "workers".into(),
        kind: "function",
    };
    for n in 0..=OFFERED_MAX {
        let tool = offered(format!("own_{n}"));
        metrics.retried(&tool.name, Some(&tool), FailureCode::Unavailable);
    }
    let first = offered("own_0".to_owned());
    metrics.call(&result("own_0", None), Some(&first), 1);
    metrics.retried("own_0", Some(&first), FailureCode::Unavailable);
    let retries = |name: &str| {
        let name = format!("gen_ai_tool_name=\"{name}\"");
        value(&metrics, "sidecall_retry_count_total", &[&name, "sidecall_api=\"workers\""])
    };
    let counts: Vec<_> = ["own_0", "own_999", "own_1000", names::OTHER].map(retries).into();
    assert_eq!(counts, [Some(2.0), Some(1.0), None, Some(1.0)]);
    let call = ["gen_ai_tool_name=\"own_0\"", "gen_ai_tool_type=\"function\""];
    is(&metrics, "gen_ai_execute_tool_duration_seconds_count", &call, 1.0);
}

#[test]
fn each_metric_has_the_labels_that_are_said_of_it_and_no_others() {
    let (metrics, reader) = with_reader();
    metrics.call(&result("get", None), None, 1);
    metrics.call(&result("get", Some(FailureCode::RateLimited)), None, 0);
    metrics.retried("get", None, FailureCode::Unavailable);
    metrics.rpc(&"a.B/C".into(), "INTERNAL", Duration::from_millis(1));
    metrics.watch_breakers(|| vec![("crm".into(), 2)]);
    metrics.watch_reloads(&Reloads::default());
    let mut all = ResourceMetrics::default();
    reader.collect(&mut all).unwrap();
    let mut labelled: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for metric in all.scope_metrics().flat_map(ScopeMetrics::metrics) {
        let labels = labelled.entry(metric.name().to_owned()).or_default();
        names::tests::each_label(metric, |name| labels.extend([name.to_owned()]));
    }
    for Metric { name, labels, .. } in names::METRICS.iter().filter(|m| !m.labels.is_empty()) {
        let said = labels.iter().map(|&label| label.to_owned()).collect();
        assert_eq!(labelled.remove(*name), Some(said), "{name}");
    }
    assert!(labelled.values().all(BTreeSet::is_empty), "{labelled:?}");
}

#[test]
fn whoever_looks_takes_nothing_from_the_other() {
    let (metrics, reader) = with_reader();
    metrics.watch_breakers(|| vec![("crm".into(), 2)]);
    let sent = |name: &str| {
        let mut all = ResourceMetrics::default();
        reader.collect(&mut all).unwrap();
        let mut all = all.scope_metrics().flat_map(ScopeMetrics::metrics);
        let value = match all.find(|metric| metric.name() == name)?.data() {
            AggregatedMetrics::U64(MetricData::Sum(sum)) => sum.data_points().next()?.value(),
            AggregatedMetrics::U64(MetricData::Gauge(gauge)) => gauge.data_points().next()?.value(),
            other => panic!("{other:?}"),
        };
        Some(value)
    };
    for count in 1..=2_u32 {
        metrics.retried("get", None, FailureCode::Unavailable);
        for _ in 0..2 {
            assert_eq!(sent(names::RETRIES.name), Some(count.into()));
            assert_eq!(sent(names::BREAKER_STATE.name), Some(2));
            is(&metrics, "sidecall_retry_count_total", &[], f64::from(count));
            is(&metrics, "sidecall_breaker_state", &[], 2.0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_had_no_token_in_time_is_counted_at_its_api() {
    let metrics = metrics();
    metrics.call(&result("get", Some(FailureCode::RateLimited)), None, 0);
    // An API's own 429 is no bucket's.
    metrics.call(&result("get", Some(FailureCode::RateLimited)), None, 1);
    metrics.retried("get", None, FailureCode::Unavailable);
    is(&metrics, "sidecall_bucket_refusals_total", &["sidecall_api=\"crm\""], 1.0);
    let retry = ["error_type=\"unavailable\"", "sidecall_api=\"crm\"", "tool_name=\"get\""];
    is(&metrics, "sidecall_retry_count_total", &retry, 1.0);
}

#[tokio::test(start_paused = true)]
async fn between_two_batches_of_a_session_the_model_thinks() {
    let metrics = metrics();
    let session = SessionId::try_new("s").unwrap();
    let batch = |at| Ended {
        session: Some(&session),
        width: 5,
        depth: 2,
        duration: Duration::from_secs(2),
        sequential: Duration::from_secs(5),
        critical: Duration::from_secs(1),
        at,
    };
    metrics.batch_began(Some(&session), 5, clock::now());
    advance(Duration::from_secs(2)).await;
    metrics.batch(batch(clock::now()));
    assert_eq!(value(&metrics, "sidecall_session_turn_duration_seconds_count", &[]), None);
    advance(Duration::from_secs(7)).await;
    metrics.batch_began(Some(&session), 5, clock::now());
    metrics.batch_began(Some(&SessionId::try_new("other").unwrap()), 1, clock::now());
    advance(Duration::from_secs(2)).await;
    metrics.batch(batch(clock::now()));

    is(&metrics, "sidecall_session_think_duration_seconds_sum", &[], 7.0);
    is(&metrics, "sidecall_session_think_duration_seconds_count", &[], 1.0);
    is(&metrics, "sidecall_session_turn_duration_seconds_sum", &[], 9.0);
    is(&metrics, "sidecall_batch_saved_seconds_sum", &[], 6.0);
    is(&metrics, "sidecall_batch_sequential_seconds_sum", &[], 10.0);
    is(&metrics, "sidecall_batch_critical_path_seconds_sum", &[], 2.0);
    is(&metrics, "sidecall_batch_width_sum", &[], 10.0);
    is(&metrics, "sidecall_batch_depth_sum", &[], 4.0);
    is(&metrics, "sidecall_batch_duration_seconds_count", &[], 2.0);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_sessions_are_remembered_and_not_for_ever() {
    let mut sessions = Sessions::default();
    let id = |n: usize| SessionId::try_new(format!("s-{n}")).unwrap();
    for n in 0..=SESSIONS_MAX {
        sessions.ends(&id(n), clock::now());
    }
    assert_eq!(sessions.ended.len(), SESSIONS_MAX);
    assert!(sessions.ended(&id(0), clock::now()).is_none());
    assert!(sessions.ended(&id(1), clock::now()).is_some());
    advance(SESSIONS_FOR).await;
    assert!(sessions.ended(&id(1), clock::now()).is_none());
    sessions.ends(&id(0), clock::now());
    assert_eq!((sessions.ended.len(), sessions.order.len()), (1, 1));
}

#[test]
fn what_others_count_is_asked_for_when_somebody_looks() {
    let metrics = metrics();
    metrics.watch_count(names::SPANS_DROPPED, || 7);
    metrics.watch_breakers(|| vec![("crm".into(), 2)]);
    metrics.watch_memory(|| Some((5, 9)), || 3);
    metrics.watch_certificates(|| Some(1_798_761_600));
    metrics.rpc(&"a.B/C".into(), "OK", Duration::from_millis(4));
    is(&metrics, "sidecall_memory_usage_bytes", &[], 5.0);
    is(&metrics, "sidecall_memory_limit_bytes", &[], 9.0);
    is(&metrics, "sidecall_tls_certificate_not_after_seconds", &[], 1_798_761_600.0);
    is(&metrics, "sidecall_batch_shed_total", &[], 3.0);
    is(&metrics, "sidecall_telemetry_dropped_total", &[], 7.0);
    is(&metrics, "sidecall_breaker_state", &["sidecall_api=\"crm\""], 2.0);
    is(&metrics, "rpc_server_call_duration_seconds_count", &["rpc_method=\"a.B/C\""], 1.0);
}
