//! What is told of those who are nobody.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, metric::Data};

use super::*;
use crate::support::{Collector, collector::texts};

/// The RPCs that were answered, by their statuses.
fn answered(message: &[ResourceMetrics]) -> BTreeMap<String, u64> {
    let scopes = message.iter().flat_map(|resource| &resource.scope_metrics);
    let all = scopes.flat_map(|scope| &scope.metrics);
    let mut by_status = BTreeMap::new();
    for metric in all.filter(|metric| metric.name == "rpc.server.call.duration") {
        let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:#?}") };
        for point in &histogram.data_points {
            let status = texts(&point.attributes)["rpc.status_code"].clone();
            *by_status.entry(status).or_default() += point.count;
        }
    }
    by_status
}

#[tokio::test]
async fn a_stranger_is_counted_and_leaves_no_span_whatever_it_asks_for() {
    let collector = Collector::start().await;
    let otlp = format!("{{endpoint: '{}', delay: 10ms, interval: 20ms}}", collector.url());
    let world = world_of(&base_with(&format!("telemetry: {{otlp: {otlp}}}\n{CALLERS}"))).await;
    let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for shown in ["Bearer the-token-of-nobody", "Basic x"] {
        let metadata = [("traceparent", sampled), ("authorization", shown)];
        let refused = world.send_with(&read("1"), &metadata).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    world.client().list_tools(of("planner", ListToolsRequest::default())).await.unwrap();
    let all = collector.measures(|message| answered(message).values().sum::<u64>() == 3).await;
    let expected = [("OK".to_owned(), 1), ("UNAUTHENTICATED".to_owned(), 2)];
    assert_eq!(answered(&all), BTreeMap::from(expected));
    // What waits is sent at the end.
    world.end().await;
    let spans = collector.all();
    let names: Vec<_> = spans.iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, ["sidecall.v1.SidecallService/ListTools"]);
    assert_ne!(spans[0].trace_id(), sampled[3..35]);
}
