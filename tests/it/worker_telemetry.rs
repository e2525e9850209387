//! What is traced and measured of tools that workers offer.

use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, metric::Data};
use sidecall::proto::v1::{Effect, FailureCode};

use crate::support::{
    Collector, Turn, World,
    collector::{named_as, texts},
    tools::base_with,
    worker::{Worker, json, shared, tool},
};

/// Tools, their types and codes, of every call that was measured.
fn measured(message: &[ResourceMetrics]) -> Vec<[String; 3]> {
    let scopes = message.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    let mut calls = Vec::new();
    for metric in metrics.filter(|metric| metric.name == "gen_ai.execute_tool.duration") {
        let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:#?}") };
        for point in &histogram.data_points {
            let has = texts(&point.attributes);
            let text = |name| has.get(name).cloned().unwrap_or_default();
            calls.push(["gen_ai.tool.name", "gen_ai.tool.type", "error.type"].map(text));
        }
    }
    calls.sort();
    calls
}

#[tokio::test]
async fn a_call_of_a_worker_s_tool_is_told_by_its_name_also_where_it_never_ran() {
    let collector = Collector::start().await;
    let otlp = format!("{{endpoint: '{}', delay: 10ms, interval: 20ms}}", collector.url());
    let world = World::start(&base_with(&format!("telemetry: {{otlp: {otlp}}}\n"))).await;
    let mut worker = Worker::join(&world, shared("w", vec![tool("own", Effect::ReadOnly)])).await;
    let turn = Turn::of([("a", "own", "{}"), ("b", "own", "[]")]);
    let running = world.send(&turn).await.unwrap();
    let attempt = worker.attempt().await;
    worker.answer(attempt.attempt_id, json("{}")).await;
    let ran = running.finish().await;
    ran.assert_succeeded("a", "{}");
    assert_eq!(ran.failure("b").code(), FailureCode::InvalidInput);

    let message = collector.measures(|message| measured(message).len() == 2).await;
    let row = |error: &str| ["own", "function", error].map(str::to_owned);
    assert_eq!(measured(&message), [row(""), row("invalid_input")]);
    // The RPC, the batch, two calls and an attempt.
    let spans = collector.spans(5).await;
    let calls = named_as(&spans, "execute_tool own");
    assert_eq!(calls.len(), 2, "{spans:#?}");
    for call in calls {
        assert_eq!(call.attribute("gen_ai.tool.type"), "function");
        assert_eq!(call.attribute("gen_ai.tool.description"), "What own does.");
        assert_eq!(call.attribute("sidecall.api"), "workers");
    }
    worker.cut();
    world.end().await;
}
