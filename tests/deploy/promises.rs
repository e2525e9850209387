//! What holds of a pod with a sidecar, whoever put it there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The pod of a workload's manifest.
pub(crate) fn template(document: &Value) -> Option<&Value> {
    let spec = &document["spec"];
    match document["kind"].as_str()? {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
            Some(&spec["template"])
        }
        "CronJob" => Some(&spec["jobTemplate"]["spec"]["template"]),
        _ => None,
    }
}

fn list<'a>(pod: &'a Value, key: &str) -> &'a [Value] {
    pod["spec"][key].as_array().map_or(&[], Vec::as_slice)
}

/// The sidecar of a pod, and whether it is native; nothing where there is none.
pub(crate) fn sidecar(pod: &Value) -> Option<(&Value, bool)> {
    let named = |containers: &'static str| {
        let mut named =
            list(pod, containers).iter().filter(|container| container["name"] == "sidecall");
        let first = named.next();
        assert_eq!(named.next(), None, "two sidecars");
        first
    };
    let (native, classic) = (named("initContainers"), named("containers"));
    assert!(native.is_none() || classic.is_none(), "a sidecar of each layout");
    native.map(|container| (container, true)).or(classic.map(|container| (container, false)))
}

/// Of everything that is rendered.
#[track_caller]
pub(crate) fn hold(name: &str, documents: &[Value], has_sidecar: bool) {
    let pods: Vec<_> = documents.iter().filter_map(template).collect();
    assert_eq!(pods.len(), 1, "{name}");
    assert_eq!(sidecar(pods[0]).is_some(), has_sidecar, "{name}");
    if has_sidecar {
        whole(name, pods[0]);
        reachable(name, documents, pods[0]);
    } else {
        let text = pods[0].to_string();
        for ours in
            ["sidecall-socket", "sidecall-config", "SIDECALL_ADDRESS", "sidecall.dev", "fsGroup"]
        {
            assert!(!text.contains(ours), "{name}: {text}");
        }
    }
}

/// Of one pod with a sidecar.
#[track_caller]
pub(crate) fn whole(name: &str, pod: &Value) {
    let (sidecar, is_native) = sidecar(pod).unwrap_or_else(|| panic!("{name}: no sidecar"));
    if is_native {
        assert_eq!(sidecar["restartPolicy"], "Always", "{name}");
        assert_eq!(
            list(pod, "initContainers")[0]["name"],
            "sidecall",
            "{name}: the others may call it"
        );
    } else {
        assert_eq!(sidecar["restartPolicy"], Value::Null, "{name}");
        assert_ne!(pod["spec"]["restartPolicy"], "Never", "{name}: it would never end");
    }
    locked_down(name, sidecar);
    probed(name, sidecar);
    let volumes: BTreeSet<&str> =
        list(pod, "volumes").iter().map(|volume| volume["name"].as_str().unwrap()).collect();
    assert_eq!(volumes.len(), list(pod, "volumes").len(), "{name}: two volumes of one name");
    let containers = list(pod, "containers").iter().chain(list(pod, "initContainers"));
    for container in containers {
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let volume = mount["name"].as_str().unwrap();
            assert!(volumes.contains(volume), "{name}: {volume} is no volume");
            let is_ours = volume.starts_with("sidecall-") && volume != "sidecall-socket";
            let is_sidecar = container["name"] == "sidecall";
            assert!(!is_ours || is_sidecar, "{name}: {volume} is in another container");
        }
    }
    let socket =
        list(pod, "volumes").iter().find(|volume| volume["name"] == "sidecall-socket").unwrap();
    assert_eq!(socket["emptyDir"], json!({"medium": "Memory", "sizeLimit": "1Mi"}), "{name}");
    assert!(pod["spec"]["securityContext"]["fsGroup"].as_u64().unwrap() > 0, "{name}");
    for app in list(pod, "containers").iter().filter(|container| container["name"] != "sidecall") {
        let address =
            json!({"name": "SIDECALL_ADDRESS", "value": "unix:///run/sidecall/sidecall.sock"});
        assert!(app["env"].as_array().unwrap().contains(&address), "{name}: {app}");
        let mount = json!({"name": "sidecall-socket", "mountPath": "/run/sidecall"});
        assert!(app["volumeMounts"].as_array().unwrap().contains(&mount), "{name}: {app}");
    }
}

fn locked_down(name: &str, sidecar: &Value) {
    let context = &sidecar["securityContext"];
    assert_eq!(context["runAsNonRoot"], true, "{name}");
    assert_ne!(context["runAsUser"], 0, "{name}");
    assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
    assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{name}");
    assert_eq!(context["seccompProfile"], json!({"type": "RuntimeDefault"}), "{name}");
    // A cluster mounts its token into every container that has nothing there.
    let no_token = json!({
        "name": "sidecall-no-token",
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        "readOnly": true,
    });
    assert!(sidecar["volumeMounts"].as_array().unwrap().contains(&no_token), "{name}");
}

fn probed(name: &str, sidecar: &Value) {
    let admin = &sidecar["ports"][0];
    assert_eq!(admin["name"], "admin", "{name}");
    for (probe, service) in
        [("startupProbe", None), ("readinessProbe", None), ("livenessProbe", Some("liveness"))]
    {
        let probe = &sidecar[probe]["grpc"];
        assert_eq!(probe["port"], admin["containerPort"], "{name}");
        assert_eq!(probe["service"].as_str(), service, "{name}");
    }
}

/// The configuration is the pod's, listens where the probes ask, and drains in time.
fn reachable(name: &str, documents: &[Value], pod: &Value) {
    let volume =
        list(pod, "volumes").iter().find(|volume| volume["name"] == "sidecall-config").unwrap();
    let wanted = &volume["configMap"]["name"];
    let map = documents.iter().find(|document| document["kind"] == "ConfigMap");
    let Some(map) = map else {
        assert_eq!(wanted, "tools-of-the-planner", "{name}");
        return;
    };
    assert_eq!(&map["metadata"]["name"], wanted, "{name}");
    let text = map["data"]["sidecall.yaml"].as_str().unwrap();
    let (sidecar, _) = sidecar(pod).unwrap();
    let admin = format!("0.0.0.0:{}", sidecar["ports"][0]["containerPort"]);
    // The second where it is said what is answered there.
    let admin = ["admin", "address"].map(|key| format!("{key}: {admin}"));
    for lines in [
        admin.each_ref().map(String::as_str).as_slice(),
        &["mode: \"0660\""],
        &["path: /run/sidecall/sidecall.sock"],
    ] {
        let is_there = text.lines().any(|there| lines.contains(&there.trim()));
        assert!(is_there, "{name}: none of {lines:?} in {text}");
    }
    let drain = text.lines().find_map(|line| line.trim().strip_prefix("timeout: ")).unwrap();
    let drain = match drain.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse::<f64>().unwrap() / 1000.0,
        None => drain.strip_suffix('s').unwrap().parse().unwrap(),
    };
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_f64().unwrap();
    assert!(grace > drain + 1.0, "{name}: drains for {drain} of {grace} s");
}
