//! Every value of the chart, changed: alone to show that it does something, and in pairs
//! to show that they bear each other.

/// A change of values, with what it needs in order to be seen.
pub(crate) struct Change {
    /// The value, as a path from the chart's root.
    pub(crate) path: &'static str,
    /// The values of the example app that change it.
    pub(crate) values: &'static str,
    /// Whether it is tried with every other that is.
    pub(crate) paired: bool,
}

const fn change(path: &'static str, values: &'static str) -> Change {
    Change { path, values, paired: false }
}

const fn paired(path: &'static str, values: &'static str) -> Change {
    Change { path, values, paired: true }
}

/// The workloads beside a Deployment. A path that begins with a capital is no value of
/// the sidecar's chart.
pub(crate) const CHANGES: &[Change] = &[
    paired("StatefulSet", "kind: StatefulSet"),
    paired("DaemonSet", "kind: DaemonSet"),
    paired("Job", "{kind: Job, sidecall: {workload: job}}"),
    paired("CronJob", "{kind: CronJob, sidecall: {workload: job}}"),
    change("enabled", "sidecall: {enabled: false}"),
    paired("fullnameOverride", "sidecall: {fullnameOverride: planner-tools}"),
    change("image.repository", "sidecall: {image: {repository: registry.example/sidecall}}"),
    change("image.tag", "sidecall: {image: {tag: 0.2.0}}"),
    paired(
        "image.digest",
        "sidecall: {image: {digest: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}}",
    ),
    paired("image.pullPolicy", "sidecall: {image: {pullPolicy: Always}}"),
    paired("layout", "sidecall: {layout: classic}"),
    change("config", "sidecall: {config: {bounds: {batches: 1000000}, listen: {streams: 64}}}"),
    paired(
        "existingConfigMap",
        "sidecall: {existingConfigMap: tools-of-the-planner, config: null}",
    ),
    paired("configChange", "sidecall: {configChange: restart}"),
    paired(
        "secrets",
        "sidecall: {secrets: [{name: crm, secretName: crm-credentials}, {name: tls, secretName: sidecall.tls}]}",
    ),
    paired("env", "sidecall: {env: [{name: OTEL_SERVICE_NAME, value: planner-tools}]}"),
    paired("drainTimeout", "sidecall: {drainTimeout: 500ms}"),
    paired("terminationGracePeriodSeconds", "sidecall: {terminationGracePeriodSeconds: 27}"),
    paired("adminPort", "sidecall: {adminPort: 19464}"),
    paired("otlp.endpoint", "sidecall: {otlp: {endpoint: 'http://jaeger.observability:4317'}}"),
    change("runAsUser", "sidecall: {runAsUser: 1000}"),
    change("runAsGroup", "sidecall: {runAsGroup: 1000}"),
    paired("fsGroup", "sidecall: {fsGroup: 1000}"),
    change("resources.requests", "sidecall: {resources: {requests: {cpu: 1, memory: 64Mi}}}"),
    paired("resources.limits", "sidecall: {resources: {limits: {memory: null}}}"),
    change("probes.startup", "sidecall: {probes: {startup: {failureThreshold: 600}}}"),
    change("probes.readiness", "sidecall: {probes: {readiness: {timeoutSeconds: 3}}}"),
    change("probes.liveness", "sidecall: {probes: {liveness: {initialDelaySeconds: 5}}}"),
    paired("podMonitor.enabled", "sidecall: {podMonitor: {enabled: true}}"),
    change("podMonitor.interval", "sidecall: {podMonitor: {enabled: true, interval: 15s}}"),
    change(
        "podMonitor.labels",
        "sidecall: {podMonitor: {enabled: true, labels: {release: prometheus}}}",
    ),
    paired("networkPolicy.enabled", "sidecall: {networkPolicy: {enabled: true}}"),
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
];
