//! Values that are easily written wrongly into a manifest, and charts of one's own.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{
    charts::{TODAY, on_the_page},
    promises::{self, sidecar, template},
    tools::{Helm, look},
};

/// What the example renders with each of these, all of it as a cluster takes it.
fn rendered(values: &[(&str, &str)]) -> Option<BTreeMap<String, Vec<Value>>> {
    let helm = Helm::find()?;
    let manifests = values.iter().map(|(name, values)| {
        let said = helm.template("example-app", TODAY, &[values]);
        assert!(said.well, "{values}: {}", said.err);
        ((*name).to_owned(), said.out)
    });
    let seen = look(&manifests.collect())?;
    assert_eq!(seen.faults, Vec::<String>::new());
    Some(seen.documents)
}

fn pod(documents: &[Value]) -> &Value {
    documents.iter().find_map(template).unwrap()
}

#[test]
fn a_text_that_reads_as_something_else_stays_a_text() {
    let values = [
        ("digits", "sidecall: {fullnameOverride: '123', podMonitor: {enabled: true}}"),
        ("truth", "sidecall: {fullnameOverride: 'true', networkPolicy: {enabled: true}}"),
        ("map", "sidecall: {config: null, existingConfigMap: '123'}"),
        ("secret", "sidecall: {secrets: [{name: '1', secretName: '123'}]}"),
        ("image", "image: '1'"),
        (
            "repository",
            "sidecall: {image: {repository: 'registry.example:5000/team_a/side-call'}, \
             resources: {limits: {memory: 1.5Gi, cpu: 500m}}}",
        ),
    ];
    let Some(documents) = rendered(&values) else { return };
    for documents in documents.values() {
        promises::whole("texts", pod(documents));
    }
}

#[test]
fn a_number_of_many_digits_stays_a_number() {
    let values = [(
        "numbers",
        "{runAsUser: 1000650000, sidecall: {runAsUser: 1000650000, runAsGroup: 1000660000, \
         fsGroup: 1000670000, terminationGracePeriodSeconds: 10000000}}",
    )];
    let Some(documents) = rendered(&values) else { return };
    let pod = pod(&documents["numbers"]);
    assert_eq!(pod["spec"]["securityContext"]["runAsUser"].as_u64(), Some(1_000_650_000));
    assert_eq!(pod["spec"]["securityContext"]["fsGroup"].as_u64(), Some(1_000_670_000));
    assert_eq!(pod["spec"]["terminationGracePeriodSeconds"].as_u64(), Some(10_000_000));
    let context = &sidecar(pod).unwrap().0["securityContext"];
    assert_eq!(context["runAsUser"].as_u64(), Some(1_000_650_000));
    assert_eq!(context["runAsGroup"].as_u64(), Some(1_000_660_000));
}

#[test]
fn a_probe_without_keys_has_kubernetes_own_numbers() {
    let values = [
        ("null", "sidecall: {probes: {startup: null}}"),
        ("keys", "sidecall: {probes: {startup: {periodSeconds: null, failureThreshold: null}}}"),
    ];
    let Some(documents) = rendered(&values) else { return };
    for (name, documents) in &documents {
        let pod = pod(documents);
        promises::whole(name, pod);
        let probe = sidecar(pod).unwrap().0["startupProbe"].as_object().unwrap();
        assert_eq!(probe.keys().collect::<Vec<_>>(), ["grpc"], "{name}");
    }
}

#[test]
fn what_the_values_name_is_written_once_and_is_theirs() {
    let values = [(
        "twice",
        "sidecall: {otlp: {endpoint: 'http://jaeger:4317'}, \
         env: [{name: POD_NAME, value: mine}, {name: OTEL_RESOURCE_ATTRIBUTES, value: a=b}], \
         podMonitor: {enabled: true, labels: {app.kubernetes.io/name: mine, release: r}}}",
    )];
    let Some(documents) = rendered(&values) else { return };
    let env = sidecar(pod(&documents["twice"])).unwrap().0["env"].as_array().unwrap();
    let names: Vec<&str> = env.iter().map(|there| there["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["POD_NAMESPACE", "POD_UID", "POD_NAME", "OTEL_RESOURCE_ATTRIBUTES"]);
    assert_eq!((&env[2]["value"], &env[3]["value"]), (&Value::from("mine"), &Value::from("a=b")));
    let mut monitors =
        documents["twice"].iter().filter(|document| document["kind"] == "PodMonitor");
    let labels = &monitors.next().unwrap()["metadata"]["labels"];
    assert_eq!(
        (&labels["app.kubernetes.io/name"], &labels["release"]),
        (&Value::from("mine"), &Value::from("r"))
    );
}

#[test]
fn a_schedule_may_be_a_word() {
    let values = [
        ("word", "{kind: CronJob, schedule: '@daily', sidecall: {workload: job}}"),
        ("every", "{kind: CronJob, schedule: '@every 90m', sidecall: {workload: job}}"),
        ("fields", "{kind: CronJob, schedule: '0 0 1 1 *', sidecall: {workload: job}}"),
    ];
    let Some(documents) = rendered(&values) else { return };
    assert_eq!(documents["word"].iter().filter(|there| there["kind"] == "CronJob").count(), 1);
}

/// A chart of one's own, with the pods that its template has.
fn own_chart(helm: &Helm, dependencies: &str, pods: &[String]) -> Vec<Value> {
    let chart = helm.chart(&format!("own-{}", pods.len()));
    fs::create_dir_all(chart.join("templates")).unwrap();
    let about = format!("apiVersion: v2\nname: own\nversion: 0.1.0\n{dependencies}");
    fs::write(chart.join("Chart.yaml"), about).unwrap();
    for (at, pod) in pods.iter().enumerate() {
        let deployment = format!(
            "{{{{- define \"pod-{at}\" }}}}\n{pod}{{{{- end }}}}\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: agent-{at}}}\nspec:\n  \
             selector: {{matchLabels: {{app: agent}}}}\n  template:\n    \
             {{{{- include \"pod-{at}\" . | nindent 4 }}}}\n"
        );
        fs::write(chart.join(format!("templates/agent-{at}.yaml")), deployment).unwrap();
    }
    let said = helm.run(&["dependency".as_ref(), "build".as_ref(), chart.as_ref()], "");
    assert!(said.well, "{}{}", said.out, said.err);
    let said = helm.template(&format!("own-{}", pods.len()), TODAY, &[]);
    assert!(said.well, "{}", said.err);
    let Some(mut seen) = look(&BTreeMap::from([("own".to_owned(), said.out)])) else {
        return Vec::new();
    };
    assert_eq!(seen.faults, Vec::<String>::new());
    seen.documents.remove("own").unwrap()
}

#[test]
fn a_chart_as_the_page_has_it_renders_with_one_sidecar_and_with_two() {
    let Some(helm) = Helm::find() else { return };
    let dependencies = on_the_page("dependencies:").remove(0);
    assert!(!dependencies.contains("condition:"), "what it switches off is included anyway");
    let pod = on_the_page("metadata:\n  labels:").remove(0);
    let documents = own_chart(&helm, &dependencies, std::slice::from_ref(&pod));
    if documents.is_empty() {
        return;
    }
    promises::hold("own", &documents, true);

    let item = dependencies.strip_prefix("dependencies:\n").unwrap();
    let two = format!("dependencies:\n{item}    alias: planner\n{item}    alias: writer\n");
    let pods = ["planner", "writer"]
        .map(|alias| pod.replace(".Subcharts.sidecall", &format!(".Subcharts.{alias}")));
    let documents = own_chart(&helm, &two, &pods);
    for (pod, map) in documents.iter().filter_map(template).zip(["demo-planner", "demo-writer"]) {
        promises::whole(map, pod);
        assert_eq!(pod["metadata"]["labels"]["sidecall.dev/sidecar"], map);
        let maps = documents.iter().filter(|there| there["kind"] == "ConfigMap");
        assert_eq!(maps.filter(|there| there["metadata"]["name"] == map).count(), 1);
    }
}
