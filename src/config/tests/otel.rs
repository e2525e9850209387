//! OpenTelemetry's own variables hold where the file is silent.

use super::*;

fn with(variables: &[(&'static str, &'static str)], text: &str) -> Config {
    let mut environment = environment();
    environment.variables.extend(variables.iter().copied());
    read("x.yaml", text, &environment).unwrap_or_else(|faults| panic!("{faults}"))
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:4317");
const FILE: &str = "telemetry: {otlp: {endpoint: 'http://file:1', timeout: 1s}, sampling: 0.5}";

#[test]
fn nothing_is_told_where_nothing_is_named() {
    let config = with(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "5")], "telemetry: {sampling: 0.5}");
    assert!(config.telemetry.otlp.is_none());
}

#[test]
fn the_environment_fills_what_the_file_leaves_out() {
    let variables = [
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", " http://traces:4317 "),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "77"),
        ("OTEL_BSP_SCHEDULE_DELAY", "70"),
        ("OTEL_SERVICE_NAME", "agent"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=pro%2Cd, service.name=x"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
    ];
    let telemetry::Settings { otlp, sampling, .. } = with(&variables, "").telemetry;
    let otlp = otlp.unwrap();
    assert_eq!(otlp.endpoint, "http://traces:4317");
    assert_eq!(
        (otlp.timeout, otlp.delay),
        (Duration::from_millis(2500), Duration::from_millis(70))
    );
    assert_eq!(otlp.queue_spans_max.get(), 77);
    let pair = |(key, value): &(String, String)| format!("{key}={value}");
    let resource: Vec<_> = otlp.resource.iter().map(pair).collect();
    let last = "service.name=agent";
    assert_eq!(resource, ["deployment.environment=pro,d", "service.name=x", last]);
    assert!((sampling - 0.1).abs() < 1e-9);
}

#[test]
fn what_the_file_says_holds() {
    let variables =
        [ENDPOINT, ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"), ("OTEL_TRACES_SAMPLER", "always_off")];
    let telemetry::Settings { otlp, sampling, .. } = with(&variables, FILE).telemetry;
    let otlp = otlp.unwrap();
    assert_eq!((otlp.endpoint.as_str(), otlp.timeout), ("http://file:1", Duration::from_secs(1)));
    assert!((sampling - 0.5).abs() < 1e-9);
}

#[test]
fn it_can_be_turned_off_from_outside() {
    for variable in [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none")] {
        assert!(with(&[variable], FILE).telemetry.otlp.is_none(), "{variable:?}");
    }
    assert!(with(&[("OTEL_SDK_DISABLED", "false")], FILE).telemetry.otlp.is_some());
}

#[test]
fn what_cannot_be_understood_is_told_of_and_passed_over() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "ten"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_RESOURCE_ATTRIBUTES", "novalue"),
    ] {
        let config = with(&[ENDPOINT, (name, value)], "");
        let warnings = config.warnings.to_string();
        assert!(warnings.contains(name) && warnings.contains(value), "{name}: {warnings}");
        assert!(config.telemetry.otlp.is_some() && config.telemetry.sampling >= 1.0);
        // An empty one counts as not set.
        let config = with(&[ENDPOINT, (name, " ")], "");
        assert!(!config.warnings.to_string().contains(name));
    }
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector"),
    ] {
        let config = with(&[ENDPOINT, (name, value)], "");
        assert!(config.warnings.to_string().contains(name));
        assert!(config.telemetry.otlp.is_none(), "nothing is sent to where nobody understands it");
    }
}
