//! Every value of the chart, changed: alone to show that it does something, and with each
//! of the others to show that they bear each other.

/// A change of values, with what it needs in order to be seen.
pub(crate) struct Change {
    /// The value, as a path from the chart's root.
    pub(crate) path: &'static str,
    /// The values of the example app that change it.
    pub(crate) values: &'static str,
}

const fn change(path: &'static str, values: &'static str) -> Change {
    Change { path, values }
}

/// The workloads beside a Deployment. A path that begins with a capital is no value of
/// the sidecar's chart.
pub(crate) const CHANGES: &[Change] = &[
    change("StatefulSet", "kind: StatefulSet"),
    change("DaemonSet", "kind: DaemonSet"),
    change("Job", "{kind: Job, sidecall: {workload: job}}"),
    change("CronJob", "{kind: CronJob, sidecall: {workload: job}}"),
    change("enabled", "sidecall: {enabled: false}"),
    change("fullnameOverride", "sidecall: {fullnameOverride: planner-tools}"),
    change("image.repository", "sidecall: {image: {repository: registry.example/sidecall}}"),
    change("image.tag", "sidecall: {image: {tag: 0.2.0}}"),
    change(
        "image.digest",
        "sidecall: {image: {digest: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}}",
    ),
    change("image.pullPolicy", "sidecall: {image: {pullPolicy: Always}}"),
    change("layout", "sidecall: {layout: classic}"),
    change("config", "sidecall: {config: {bounds: {batches: 1000000}, listen: {streams: 64}}}"),
    change(
        "existingConfigMap",
        "sidecall: {existingConfigMap: tools-of-the-planner, config: null}",
    ),
    change("configChange", "sidecall: {configChange: restart}"),
    change(
        "secrets",
        "sidecall: {secrets: [{name: crm, secretName: crm-credentials}, {name: tls, secretName: sidecall.tls}]}",
    ),
    change("env", "sidecall: {env: [{name: OTEL_SERVICE_NAME, value: planner-tools}]}"),
    change("drainTimeout", "sidecall: {drainTimeout: 500ms}"),
    change("terminationGracePeriodSeconds", "sidecall: {terminationGracePeriodSeconds: 27}"),
    change("adminPort", "sidecall: {adminPort: 19464}"),
    change("metrics", "sidecall: {metrics: false}"),
    change("otlp.endpoint", "sidecall: {otlp: {endpoint: 'http://jaeger.observability:4317'}}"),
    change("runAsUser", "sidecall: {runAsUser: 1000}"),
    change("runAsGroup", "sidecall: {runAsGroup: 1000}"),
    change("fsGroup", "sidecall: {fsGroup: 1000}"),
    change("resources.requests", "sidecall: {resources: {requests: {cpu: 1, memory: 64Mi}}}"),
    change("resources.limits", "sidecall: {resources: {limits: {memory: null}}}"),
    change("probes.startup", "sidecall: {probes: {startup: {failureThreshold: 600}}}"),
    change("probes.readiness", "sidecall: {probes: {readiness: {timeoutSeconds: 3}}}"),
    change("probes.liveness", "sidecall: {probes: {liveness: {initialDelaySeconds: 5}}}"),
    change("podMonitor.enabled", "sidecall: {podMonitor: {enabled: true}}"),
    change("podMonitor.interval", "sidecall: {podMonitor: {enabled: true, interval: 15s}}"),
    change(
        "podMonitor.labels",
        "sidecall: {podMonitor: {enabled: true, labels: {release: prometheus}}}",
    ),
    change("networkPolicy.enabled", "sidecall: {networkPolicy: {enabled: true}}"),
    change(
        "networkPolicy.metricsFrom",
        "sidecall: {networkPolicy: {enabled: true, metricsFrom: []}}",
    ),
    change(
        "networkPolicy.ingress",
        "sidecall: {networkPolicy: {enabled: true, ingress: [{ports: [{port: 8080}]}]}}",
    ),
    change("networkPolicy.egress", "sidecall: {networkPolicy: {enabled: true, egress: []}}"),
];

/// Only refuses: the jobs above show what it lets pass.
pub(crate) const REFUSES_ONLY: &[&str] = &["workload"];

/// What another value needs in order to show anything: `podMonitor.interval` is seen
/// against a PodMonitor without one.
pub(crate) fn before(path: &str) -> &'static str {
    match path.split_once('.') {
        Some(("podMonitor", rest)) if rest != "enabled" => {
            "sidecall: {podMonitor: {enabled: true}}"
        }
        Some(("networkPolicy", rest)) if rest != "enabled" => {
            "sidecall: {networkPolicy: {enabled: true}}"
        }
        _ => "{}",
    }
}

/// Pairs that cannot be, and a word of why.
pub(crate) const REFUSED: &[(&str, &str, &str)] = &[
    ("Job", "layout", "write `layout: native`"),
    ("CronJob", "layout", "write `layout: native`"),
    ("existingConfigMap", "configChange", "write `configChange: reload`"),
    ("existingConfigMap", "otlp.endpoint", "write telemetry.otlp.endpoint there"),
    ("existingConfigMap", "metrics", "write `metrics: off` in its listen.admin"),
    ("metrics", "podMonitor.enabled", "a PodMonitor reads /metrics"),
    ("metrics", "podMonitor.interval", "a PodMonitor reads /metrics"),
    ("metrics", "podMonitor.labels", "a PodMonitor reads /metrics"),
];
