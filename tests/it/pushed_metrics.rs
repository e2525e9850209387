//! What was measured, as it comes to a collector over OTLP.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, HistogramDataPoint, Metric, ResourceMetrics, metric::Data,
    number_data_point::Value,
};
use sidecall::{clock, proto::v1::Outcome, telemetry::names};

use crate::support::{
    Collector, Gate, Peer, Reply, Turn, World, collector::texts, tools::base_with,
};

/// By its name.
fn metrics(message: &[ResourceMetrics]) -> BTreeMap<String, Metric> {
    let scopes = message.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    let mut by_name = BTreeMap::new();
    for metric in metrics {
        let before = by_name.insert(metric.name.clone(), metric.clone());
        assert!(before.is_none(), "{} twice in a message", metric.name);
    }
    by_name
}

/// The points of a histogram, and whether they count from the start of the process.
fn points(metric: &Metric) -> &[HistogramDataPoint] {
    let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:#?}") };
    assert_eq!(histogram.aggregation_temporality(), AggregationTemporality::Cumulative);
    &histogram.data_points
}

fn count(message: &[ResourceMetrics], name: &str) -> u64 {
    let metrics = metrics(message);
    metrics.get(name).map_or(0, |metric| points(metric).iter().map(|point| point.count).sum())
}

/// The bounds of the conventions, as they are written there:
/// <https://github.com/open-telemetry/semantic-conventions-genai>,
/// `docs/gen-ai/gen-ai-metrics.md`, and `docs/rpc/rpc-metrics.md` beside it.
const TOOL: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const RPC: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

async fn world(collector: &Collector) -> World {
    world_with(collector, |_| {}).await
}

/// The same with an API that answers this before all else.
async fn world_with(collector: &Collector, first: impl FnOnce(&Peer)) -> World {
    let otlp = format!("{{endpoint: '{}', interval: 20ms}}", collector.url());
    let world = World::start(&base_with(&format!("telemetry: {{otlp: {otlp}}}\n"))).await;
    first(&world.peer);
    world.peer.on("GET /read/gone", Reply::text(404, "no"));
    world.peer.on("GET /read/*", Reply::json("{}"));
    world
}

fn turn() -> Turn {
    Turn::of([
        ("a", "read", r#"{"id":"1"}"#),
        ("b", "read", r#"{"id":"gone"}"#),
        ("c", "made_up", "{}"),
    ])
    .session("s")
}

#[tokio::test]
async fn calls_and_rpcs_arrive_as_the_conventions_have_them() {
    let collector = Collector::start().await;
    let world = world(&collector).await;
    let ran = world.run(&turn()).await;
    assert_eq!(ran.count(Outcome::Succeeded), 1, "{ran:#?}");
    let message = collector
        .measures(|message| {
            count(message, "gen_ai.execute_tool.duration") == 3
                && count(message, "rpc.server.call.duration") == 1
        })
        .await;
    let resource = message[0].resource.as_ref().unwrap();
    assert_eq!(texts(&resource.attributes)["service.name"], "sidecall");
    let metrics = metrics(&message);

    let calls = &metrics["gen_ai.execute_tool.duration"];
    assert_eq!(calls.unit, "s");
    let of: BTreeSet<_> = points(calls)
        .iter()
        .map(|point| {
            assert_eq!(point.explicit_bounds, TOOL);
            assert_eq!(point.bucket_counts.len(), TOOL.len() + 1);
            assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
            assert!(0 < point.start_time_unix_nano);
            assert!(point.start_time_unix_nano <= point.time_unix_nano);
            let mut has = texts(&point.attributes);
            let mut take = |name| has.remove(name).unwrap_or_default();
            let of = (
                take("gen_ai.tool.name"),
                take("gen_ai.tool.type"),
                take("error.type"),
                point.count,
            );
            assert!(has.is_empty(), "{has:?}");
            of
        })
        .collect();
    let row = |tool: &str, kind: &str, error: &str| (tool.into(), kind.into(), error.into(), 1);
    assert_eq!(
        of,
        BTreeSet::from([
            row("read", "extension", ""),
            row("read", "extension", "tool_error"),
            row("_OTHER", "", "unknown_tool"),
        ])
    );

    let rpcs = &metrics["rpc.server.call.duration"];
    assert_eq!(rpcs.unit, "s");
    let [point] = points(rpcs) else { panic!("{rpcs:#?}") };
    assert_eq!(point.explicit_bounds, RPC);
    let has = texts(&point.attributes);
    assert_eq!(has["rpc.system.name"], "grpc");
    assert_eq!(has["rpc.method"], "sidecall.v1.SidecallService/ExecuteBatch");
    assert_eq!(has["rpc.status_code"], "OK");
    world.end().await;
}

#[tokio::test]
async fn every_metric_arrives_with_its_name_unit_and_sentence() {
    let collector = Collector::start().await;
    let world = world(&collector).await;
    for _ in 0..2 {
        world.run(&turn()).await;
    }
    let told = ["sidecall.batch.duration", "rpc.server.call.duration"];
    let message =
        collector.measures(|message| told.iter().all(|name| count(message, name) == 2)).await;
    let metrics = metrics(&message);
    for name in [
        "sidecall.batch.critical_path",
        "sidecall.batch.depth",
        "sidecall.batch.saved",
        "sidecall.batch.sequential",
        "sidecall.batch.width",
        "sidecall.breaker.state",
        "sidecall.call.attempts",
        "sidecall.call.in_flight",
        "sidecall.config.generation",
        "sidecall.config.loaded",
        "sidecall.config.reloads",
        "sidecall.config.valid",
        "sidecall.result.size",
        "sidecall.result.tokens",
        "sidecall.session.think.duration",
        "sidecall.session.turn.duration",
        "sidecall.telemetry.dropped",
        "sidecall.telemetry.metrics.failed",
    ] {
        assert!(metrics.contains_key(name), "{name} is not in {:?}", metrics.keys());
    }
    for (name, metric) in &metrics {
        let known = names::METRICS.iter().find(|known| known.name == name);
        let known = known.unwrap_or_else(|| panic!("{name} is no metric of ours"));
        assert_eq!(metric.unit, known.unit, "{name}");
        assert_eq!(metric.description, known.sentence, "{name}");
        match metric.data.as_ref().unwrap() {
            Data::Histogram(_) => assert!(!points(metric).is_empty(), "{name}"),
            Data::Sum(sum) => {
                let cumulative = AggregationTemporality::Cumulative;
                assert_eq!(sum.aggregation_temporality(), cumulative, "{name}");
                assert_eq!(sum.is_monotonic, name != "sidecall.call.in_flight", "{name}");
            }
            Data::Gauge(_) => {
                let is_gauge = |start| name.starts_with(start);
                assert!(
                    is_gauge("sidecall.breaker.state") || is_gauge("sidecall.config."),
                    "{name}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let Some(Data::Sum(open)) = &metrics["sidecall.call.in_flight"].data else { unreachable!() };
    assert_eq!(open.data_points[0].value, Some(Value::AsInt(0)));
    world.end().await;
}

#[tokio::test]
async fn each_message_counts_from_the_start_so_that_a_lost_one_costs_nothing() {
    let collector = Collector::start().await;
    let world = world(&collector).await;
    let name = "gen_ai.execute_tool.duration";
    let began =
        |message: &[ResourceMetrics]| points(&metrics(message)[name])[0].start_time_unix_nano;
    world.run(&turn()).await;
    let first = collector.measures(|message| count(message, name) == 3).await;
    world.run(&turn()).await;
    let second = collector.measures(|message| count(message, name) == 6).await;
    assert_eq!(began(&first), began(&second));
    world.end().await;
}

/// The only point of a histogram without labels: how many, and how long together.
fn only(message: &[ResourceMetrics], name: &str) -> (u64, f64) {
    let metrics = metrics(message);
    let [point] = points(&metrics[name]) else { panic!("{name}") };
    (point.count, point.sum.unwrap())
}

#[tokio::test]
async fn what_the_model_thinks_between_two_turns_of_a_session_is_measured_and_the_turn_with_it() {
    let collector = Collector::start().await;
    let gate = Gate::closed();
    let late = Reply::json("{}").behind(&gate);
    let world = world_with(&collector, |peer| {
        peer.on("GET /read/late", late);
    })
    .await;
    let sending = clock::now();
    world.run(&turn()).await;
    let ended = clock::now();
    // Another session's turn is nobody's thinking.
    world.run(&turn().session("other")).await;
    let second = Turn::one("read", r#"{"id":"late"}"#).session("s");
    let sent = clock::now();
    let running = world.send(&second).await.unwrap();
    world.peer.arrived_at("GET /read/late").await;
    let arrived = clock::now();
    gate.open();
    running.finish().await;

    let batches = "sidecall.batch.duration";
    let message = collector.measures(|message| count(message, batches) == 3).await;
    let (thought, thinking) = only(&message, "sidecall.session.think.duration");
    let (turned, turning) = only(&message, "sidecall.session.turn.duration");
    assert_eq!((thought, turned), (1, 1));
    let (least, most) = ((sent - ended).as_secs_f64(), (arrived - sending).as_secs_f64());
    assert!((least..=most).contains(&thinking), "{least} {thinking} {most}");
    // With the tools' time, which is not more than all batches took.
    let tools = turning - thinking;
    assert!(0.0 < tools && tools <= only(&message, batches).1, "{tools}");
    world.end().await;
}
