//! What the charts refuse, and what they say to write instead.

use crate::{charts::TODAY, tools::Helm};

#[track_caller]
fn refused(helm: &Helm, version: &str, values: &str, words: &[&str]) {
    let said = helm.template("example-app", version, &[values]);
    assert!(!said.well, "{values} is rendered");
    for word in words {
        assert!(said.err.contains(word), "{values}: no {word:?} in {}", said.err);
    }
}

#[test]
fn a_misspelt_key_is_refused_at_every_depth() {
    let Some(helm) = Helm::find() else { return };
    for (values, key) in [
        ("knid: Job", "knid"),
        ("sidecall: {drainTimeuot: 25s}", "drainTimeuot"),
        ("sidecall: {image: {repo: x}}", "repo"),
        ("sidecall: {otlp: {endpiont: 'http://x:1'}}", "endpiont"),
        ("sidecall: {resources: {limit: {}}}", "limit"),
        ("sidecall: {resources: {limits: {memroy: 1Gi}}}", "memroy"),
        ("sidecall: {probes: {startUp: {}}}", "startUp"),
        ("sidecall: {probes: {startup: {period: 1}}}", "period"),
        ("sidecall: {podMonitor: {enable: true}}", "enable"),
        ("sidecall: {networkPolicy: {igress: []}}", "igress"),
        ("sidecall: {networkPolicy: {ingress: [{form: []}]}}", "form"),
        ("sidecall: {networkPolicy: {egress: [{port: 1}]}}", "port"),
        ("sidecall: {networkPolicy: {metricsFrom: [{namespace: x}]}}", "namespace"),
        ("sidecall: {secrets: [{name: crm, secret: x}]}", "secret"),
        ("sidecall: {env: [{key: A, value: b}]}", "key"),
    ] {
        refused(&helm, TODAY, values, &["additional properties", &format!("'{key}'")]);
    }
}

#[test]
fn a_value_that_nothing_could_mean_is_refused() {
    let Some(helm) = Helm::find() else { return };
    for (values, place) in [
        ("sidecall: {layout: sidecar}", "layout"),
        ("sidecall: {workload: Job}", "workload"),
        ("sidecall: {drainTimeout: 25}", "drainTimeout"),
        ("sidecall: {drainTimeout: 25 s}", "drainTimeout"),
        ("sidecall: {drainTimeout: 0s}", "drainTimeout"),
        ("sidecall: {terminationGracePeriodSeconds: 30s}", "terminationGracePeriodSeconds"),
        ("sidecall: {runAsUser: 0}", "runAsUser"),
        ("sidecall: {fsGroup: 0}", "fsGroup"),
        ("sidecall: {adminPort: 80}", "adminPort"),
        ("sidecall: {metrics: 'off'}", "metrics"),
        ("sidecall: {image: {digest: 'sha256:12'}}", "digest"),
        ("sidecall: {image: {repository: 'sidecall:0.2.0'}}", "repository"),
        ("sidecall: {image: {repository: registry.example/Sidecall}}", "repository"),
        ("sidecall: {resources: {limits: {memory: lots}}}", "memory"),
        ("sidecall: {env: [{name: A B, value: c}]}", "env"),
        ("sidecall: {otlp: {endpoint: 'jaeger:4317'}}", "endpoint"),
        ("sidecall: {secrets: [{name: crm}]}", "secretName"),
        ("sidecall: {secrets: [{name: ../crm, secretName: crm}]}", "secrets"),
        ("sidecall: {config: 'apis: {}'}", "config"),
        ("{kind: CronJob, schedule: hourly, sidecall: {workload: job}}", "schedule"),
    ] {
        refused(&helm, TODAY, values, &[place]);
    }
}

#[test]
fn what_cannot_be_right_is_refused_with_what_to_write() {
    let Some(helm) = Helm::find() else { return };
    let map = "config: null, existingConfigMap: tools";
    for (version, values, words) in [
        (
            TODAY,
            "{kind: Job, sidecall: {workload: job, layout: classic}}",
            "write `layout: native`",
        ),
        ("1.28.9", "{}", "needs Kubernetes 1.29, and this is v1.28.9: write `layout: classic`"),
        (
            TODAY,
            "sidecall: {drainTimeout: 30s}",
            "write `terminationGracePeriodSeconds: 32` or more",
        ),
        (
            TODAY,
            "sidecall: {drainTimeout: 29s}",
            "killed after 30 s, before the sidecar has drained (29s and a second)",
        ),
        (
            TODAY,
            "sidecall: {drainTimeout: 1m}",
            "write `terminationGracePeriodSeconds: 62` or more",
        ),
        (
            TODAY,
            "sidecall: {terminationGracePeriodSeconds: 26}",
            "write `terminationGracePeriodSeconds: 27` or more",
        ),
        (TODAY, "sidecall: {existingConfigMap: tools}", "write one of them"),
        (
            TODAY,
            &format!("sidecall: {{{map}, configChange: restart}}"),
            "write `configChange: reload`",
        ),
        (
            TODAY,
            &format!("sidecall: {{{map}, otlp: {{endpoint: 'http://j:1'}}}}"),
            "write telemetry.otlp.endpoint there",
        ),
        (
            TODAY,
            "sidecall: {config: {listen: {admin: '0.0.0.0:1'}}}",
            "config.listen.admin is written by the chart: write `adminPort`",
        ),
        (
            TODAY,
            "sidecall: {config: {listen: {unix: {mode: '0600'}}}}",
            "config.listen.unix is written by the chart",
        ),
        (
            TODAY,
            "sidecall: {config: {drain: {timeout: 5s}}}",
            "config.drain.timeout is written by the chart: write `drainTimeout`",
        ),
        (
            TODAY,
            "sidecall: {otlp: {endpoint: 'http://a:1'}, config: {telemetry: {otlp: {endpoint: 'http://b:1'}}}}",
            "both `otlp.endpoint` and config.telemetry.otlp.endpoint",
        ),
        (
            TODAY,
            "sidecall: {secrets: [{name: a, secretName: b}, {name: a, secretName: c}]}",
            "two of `secrets` are named \"a\"",
        ),
    ] {
        refused(&helm, version, values, &[words]);
    }
}

#[test]
fn the_chart_alone_refuses_the_same() {
    let Some(helm) = Helm::find() else { return };
    for (values, words) in [
        ("drainTimeout: 30s", "write `terminationGracePeriodSeconds: 32`"),
        (
            "{existingConfigMap: tools, otlp: {endpoint: 'http://j:1'}}",
            "write telemetry.otlp.endpoint",
        ),
    ] {
        let said = helm.template("sidecall", TODAY, &[values]);
        assert!(!said.well && said.err.contains(words), "{values}: {}", said.err);
    }
}

#[test]
fn what_would_be_no_manifest_is_refused_with_what_to_write() {
    let Some(helm) = Helm::find() else { return };
    for (values, words) in [
        ("{kind: Job, sidecall: {layout: classic}}", "write `sidecall.workload: job`"),
        ("{kind: CronJob}", "write `sidecall.workload: job`"),
        ("sidecall: {config: {drain: 5s}}", "config.drain is 5s, and has keys instead"),
        (
            "sidecall: {config: {listen: '0.0.0.0:7070'}}",
            "config.listen is 0.0.0.0:7070, and has keys instead",
        ),
        (
            "sidecall: {config: {telemetry: {otlp: foo}}}",
            "config.telemetry.otlp is foo, and has keys instead",
        ),
        (
            "sidecall: {env: [{name: A, value: b}, {name: A, value: c}]}",
            "two of `env` are named \"A\"",
        ),
        ("sidecall: {image: null}", "`image` is null: leave it out"),
        ("sidecall: {probes: null}", "`probes` is null: leave it out"),
        ("sidecall: {otlp: null}", "`otlp` is null: leave it out"),
        ("sidecall: {podMonitor: null}", "`podMonitor` is null: leave it out"),
        ("sidecall: {networkPolicy: null}", "`networkPolicy` is null: leave it out"),
        ("sidecall: {layout: null}", "`layout` is null: leave it out"),
        ("sidecall: {configChange: null}", "`configChange` is null: leave it out"),
        ("sidecall: {runAsUser: null}", "`runAsUser` is null: leave it out"),
    ] {
        refused(&helm, TODAY, values, &[words]);
    }
}
