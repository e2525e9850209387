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
    let telemetry::Settings { otlp, sampling, resource, .. } = with(&variables, "").telemetry;
    let otlp = otlp.unwrap();
    assert_eq!(otlp.traces.as_deref(), Some("http://traces:4317"));
    assert_eq!(otlp.metrics.as_deref(), Some("http://env:4317"));
    assert_eq!(
        (otlp.timeout, otlp.delay),
        (Duration::from_millis(2500), Duration::from_millis(70))
    );
    assert_eq!(otlp.queue_spans_max.get(), 77);
    let pair = |(key, value): &(String, String)| format!("{key}={value}");
    let resource: Vec<_> = resource.iter().map(pair).collect();
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
    assert_eq!((otlp.traces, otlp.timeout), (Some("http://file:1".into()), Duration::from_secs(1)));
    assert_eq!(otlp.metrics.as_deref(), Some("http://file:1"));
    assert!((sampling - 0.5).abs() < 1e-9);
}

#[test]
fn it_can_be_turned_off_from_outside() {
    let telemetry = with(&[("OTEL_SDK_DISABLED", "TRUE")], FILE).telemetry;
    assert!(telemetry.otlp.is_none());
    assert_eq!(telemetry.untraced_by, Some("OTEL_SDK_DISABLED"));
    assert!(with(&[("OTEL_SDK_DISABLED", "false")], FILE).telemetry.otlp.is_some());
}

#[test]
fn each_signal_is_turned_off_and_sent_elsewhere_for_itself() {
    let to = |variables: &[(&'static str, &'static str)], text| {
        let telemetry = with(variables, text).telemetry;
        let otlp = telemetry.otlp.map(|otlp| (otlp.traces, otlp.metrics));
        (otlp.unwrap_or_default(), telemetry.untraced_by)
    };
    let at = |address: &str| Some(address.to_owned());
    let (no_traces, no_metrics) =
        (("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none"));
    let by = Some("OTEL_TRACES_EXPORTER");
    assert_eq!(to(&[no_traces], FILE), ((None, at("http://file:1")), by));
    assert_eq!(to(&[no_metrics], FILE), ((at("http://file:1"), None), None));
    assert_eq!(to(&[no_traces, no_metrics], FILE), ((None, None), by));
    let metrics = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:1");
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:1");
    assert_eq!(to(&[metrics], "").0, (None, at("http://metrics:1")));
    assert_eq!(to(&[traces], "").0, (at("http://traces:1"), None));
    assert_eq!(to(&[metrics, ENDPOINT], "").0, (at("http://env:4317"), at("http://metrics:1")));
    let timeouts = [
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "7000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "3000"),
    ];
    let otlp = with(&timeouts, "").telemetry.otlp.unwrap();
    assert_eq!([otlp.timeout, otlp.metrics_timeout], [7, 3].map(Duration::from_secs));
}

#[test]
fn who_tells_is_said_where_there_is_no_collector_too() {
    let variables = [("OTEL_SERVICE_NAME", "agent"), ("OTEL_RESOURCE_ATTRIBUTES", "a=b")];
    let telemetry = with(&variables, "").telemetry;
    assert!(telemetry.otlp.is_none());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(telemetry.resource, [pair("a", "b"), pair("service.name", "agent")]);
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
        let warnings = config.warnings.to_string();
        assert_eq!(warnings.matches(name).count(), 1, "{warnings}");
        let traces = config.telemetry.otlp.and_then(|otlp| otlp.traces);
        assert!(traces.is_none(), "nothing is sent to where nobody understands it");
    }
}

#[test]
fn a_variable_beyond_the_bounds_of_its_key_is_told_of_and_passed_over() {
    let usual = with(&[ENDPOINT], "").telemetry.otlp.unwrap();
    for (name, most, beyond) in [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1000000", ["1000001", "18446744073709551615"]),
        ("OTEL_BSP_SCHEDULE_DELAY", "31536000000", ["31536000001", "18446744073709551615"]),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "31536000000", ["31536000001", "18446744073709551615"]),
        ("OTEL_METRIC_EXPORT_INTERVAL", "31536000000", ["31536000001", "18446744073709551615"]),
    ] {
        let config = with(&[ENDPOINT, (name, most)], "");
        assert!(!config.warnings.to_string().contains(name), "{name}={most}");
        for value in beyond {
            let config = with(&[ENDPOINT, (name, value)], "");
            let warnings = config.warnings.to_string();
            assert!(warnings.contains(name) && warnings.contains("at most"), "{warnings}");
            let otlp = config.telemetry.otlp.unwrap();
            assert_eq!(format!("{otlp:?}"), format!("{usual:?}"), "{name}={value}");
            telemetry::Telemetry::start(
                &telemetry::Settings { otlp: Some(otlp), ..telemetry::Settings::default() },
                &[],
            )
            .unwrap();
        }
    }
}

#[test]
fn a_port_where_collectors_speak_http_is_told_of() {
    for (variables, text) in [
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:4318")][..], ""),
        (&[], "telemetry: {otlp: {endpoint: 'http://file:4318'}}"),
    ] {
        let config = with(variables, text);
        let warnings = config.warnings.to_string();
        assert!(warnings.contains("OTLP over HTTP") && warnings.contains("4317"), "{warnings}");
        assert!(config.telemetry.otlp.is_some(), "somebody may have gRPC there");
    }
    assert!(!with(&[ENDPOINT], "").warnings.to_string().contains("HTTP"));
}

const CAPTURE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

#[test]
fn content_is_captured_where_the_file_or_else_the_environment_says_so() {
    let captured = |value: &'static str, text: &str| {
        let capture = with(&[(CAPTURE, value)], text).telemetry.capture;
        (capture.inputs, capture.results)
    };
    let (silent, mixed) = ("", "telemetry: {capture: {inputs: on, results: off}}");
    for on in ["true", "True", "SPAN_ONLY", "span_and_event"] {
        assert_eq!(captured(on, silent), (true, true), "{on}");
        assert_eq!(captured(on, "telemetry: {capture: {inputs: off}}"), (false, true), "{on}");
        assert_eq!(captured(on, mixed), (true, false), "{on}");
    }
    for off in ["", "false", "NO_CONTENT"] {
        assert_eq!(captured(off, silent), (false, false), "{off}");
        assert_eq!(captured(off, mixed), (true, false), "{off}");
    }
    // How much is captured does not say that it is.
    assert_eq!(captured("", "telemetry: {capture: {bytes: 1 KiB}}"), (false, false));
}

#[test]
fn content_that_is_wanted_where_none_is_sent_is_told_of_and_not_captured() {
    for value in ["EVENT_ONLY", "yes", "1"] {
        let config = with(&[(CAPTURE, value)], "");
        let warnings = config.warnings.to_string();
        assert!(warnings.contains(CAPTURE) && warnings.contains("SPAN_ONLY"), "{warnings}");
        let capture = config.telemetry.capture;
        assert!(!capture.inputs && !capture.results, "{value}");
    }
}

#[test]
fn every_secret_that_is_fetched_is_known_to_all_that_speak() {
    let text = "apis:
  a: {url: 'https://a', auth: {basic: {user: u, password: {file: token}}}}
  b: {url: 'https://b', auth: {header: {name: X-Key, value: {file: /absolute}}}}
telemetry: {otlp: {endpoint: 'http://a:1', headers: {Authorization: {env: CRM_TOKEN}}}}";
    let variables = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20canary-of-otel,x=canary-x"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "y=canary-y"),
    ];
    let config = with(&variables, text);
    let (of_a, of_spans) = (&config.apis[0].secrets, &config.telemetry.secrets);
    for secret in
        ["canary-token", "canary-file", "canary absolute", "canary-of-otel", "canary-x", "canary-y"]
    {
        assert!(of_spans.are_in(secret) && of_a.are_in(secret), "{secret}");
    }
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn a_secret_that_is_too_short_to_be_told_from_other_text_is_warned_of() {
    let text = "apis: {a: {url: 'https://a', auth: {bearer: {env: SHORT}}}}\ntools:";
    let warnings = with(&[("SHORT", "abc")], text).warnings.to_string();
    assert!(warnings.contains("apis.a.auth.bearer: a secret of 3 bytes"), "{warnings}");
}
