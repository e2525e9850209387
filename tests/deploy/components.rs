//! The kustomize components, over a workload of every kind.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    charts::TODAY,
    promises::{self, sidecar, template},
    tools::{Helm, Said, copy, look, repository, run, tool},
};

const WORKLOADS: &str = include_str!("workloads.yaml");

/// Builds an overlay of these workloads with these components; nothing where there is no
/// kustomize.
fn build(workloads: &str, components: &[&str]) -> Option<Said> {
    patched(workloads, components, "[]")
}

/// The same, with a JSON patch of the Deployment.
fn patched(workloads: &str, components: &[&str], patch: &str) -> Option<Said> {
    let program = tool("SIDECALL_TEST_KUSTOMIZE")?;
    let folder = TempDir::new().unwrap();
    copy(&repository("deploy/kustomize"), &folder.path().join("kustomize"));
    let overlay = folder.path().join("overlay");
    fs::create_dir(&overlay).unwrap();
    fs::write(overlay.join("workloads.yaml"), workloads).unwrap();
    let components: Vec<_> = components.iter().map(|name| format!("../kustomize/{name}")).collect();
    let kustomization = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: agents\n\
         resources: [workloads.yaml]\ncomponents: [{}]\n\
         patches: [{{path: patch.yaml, target: {{kind: Deployment, name: deployment}}}}]\n",
        components.join(", ")
    );
    fs::write(overlay.join("patch.yaml"), patch).unwrap();
    fs::write(overlay.join("kustomization.yaml"), kustomization).unwrap();
    Some(kustomize(program, &overlay))
}

#[test]
fn kustomizations_that_each_have_the_component_are_built_together() {
    let Some(program) = tool("SIDECALL_TEST_KUSTOMIZE") else { return };
    let folder = TempDir::new().unwrap();
    copy(&repository("deploy/kustomize"), &folder.path().join("kustomize"));
    let write = |name: &str, kustomization: &str| {
        fs::create_dir(folder.path().join(name)).unwrap();
        let path = folder.path().join(name).join("kustomization.yaml");
        fs::write(path, kustomization).unwrap();
    };
    let deployment = WORKLOADS.split("---\n").next().unwrap();
    for (name, layout) in [("one", "native"), ("other", "classic")] {
        let base = "resources: [workload.yaml]\ncomponents: [../kustomize/";
        write(name, &format!("{base}{layout}]\n"));
        let own = deployment.replace("name: deployment", &format!("name: {name}"));
        fs::write(folder.path().join(name).join("workload.yaml"), own).unwrap();
    }
    write("both", "resources: [../one, ../other]\n");
    write("again", "resources: [../one]\ncomponents: [../kustomize/native]\n");
    for (overlay, pods) in [("both", 2), ("again", 1)] {
        let said = kustomize(program.clone(), &folder.path().join(overlay));
        assert!(said.well, "{}", said.err);
        let Some(seen) = look(&BTreeMap::from([("built".to_owned(), said.out)])) else { return };
        assert_eq!(seen.faults, Vec::<String>::new());
        let documents = &seen.documents["built"];
        assert_eq!(documents.len(), pods, "{documents:?}");
        for document in documents {
            promises::whole(overlay, template(document).unwrap());
        }
    }
}

#[test]
fn a_workload_has_one_sidecar_however_components_are_combined() {
    for components in [["native", "native"], ["classic", "classic"]] {
        let Some(said) = build(&services(), &components) else { return };
        assert!(said.well, "{}", said.err);
        let Some(seen) = look(&BTreeMap::from([("twice".to_owned(), said.out)])) else { return };
        assert_eq!(seen.faults, Vec::<String>::new());
        let asked = |there: &&Value| there["metadata"]["annotations"].is_object();
        let asked: Vec<_> = seen.documents["twice"].iter().filter(asked).collect();
        assert_eq!(asked.len(), 4);
        for workload in asked {
            promises::whole(components[0], template(workload).unwrap());
        }
    }
    for components in [["native", "classic"], ["classic", "native"]] {
        let Some(said) = build(&services(), &components) else { return };
        let words = format!(
            "has its sidecar from the component `{}`: take one of `native` and `classic`",
            components[0]
        );
        assert!(!said.well && said.err.contains(&words), "{components:?}: {}", said.err);
    }
}

/// kustomize itself, or the one that kubectl has in it.
pub(crate) fn kustomize(program: PathBuf, overlay: &Path) -> Said {
    let is_kubectl = program.file_name().is_some_and(|name| name == "kubectl");
    let verb = if is_kubectl { "kustomize" } else { "build" };
    run(&program, &[verb.as_ref(), overlay.as_ref()], "")
}

/// The workloads without those that a Job's pod is of.
fn services() -> String {
    let documents = WORKLOADS.split("---\n");
    let services = documents.filter(|document| {
        !document.contains("\n          restartPolicy: Never") && !document.contains("kind: Job")
    });
    services.collect::<Vec<_>>().join("---\n")
}

#[test]
fn every_kind_of_workload_that_asks_gets_the_sidecar_and_no_other() {
    for (components, workloads, asked) in [
        (["native", "monitoring", "network-policy"], WORKLOADS.to_owned(), 6),
        (["classic", "monitoring", "network-policy"], services(), 4),
    ] {
        let Some(said) = build(&workloads, &components) else { return };
        assert!(said.well, "{}", said.err);
        insta::assert_snapshot!(format!("kustomize_{}", components[0]), said.out);
        let manifests =
            BTreeMap::from([("before".to_owned(), workloads), ("after".to_owned(), said.out)]);
        let Some(seen) = look(&manifests) else { return };
        assert_eq!(seen.faults, Vec::<String>::new());
        let mut found = 0;
        for document in &seen.documents["after"] {
            let Some(pod) = template(document) else { continue };
            let name = document["metadata"]["name"].as_str().unwrap();
            if name == "other" {
                let same = |before: &&Value| {
                    before["metadata"]["name"] == "other" && before["kind"] == document["kind"]
                };
                let before = seen.documents["before"].iter().find(same).unwrap();
                assert_eq!(template(before), Some(pod));
            } else {
                promises::whole(name, pod);
                found += 1;
            }
        }
        assert_eq!(found, asked);
    }
}

#[test]
fn the_classic_layout_is_refused_in_jobs() {
    let Some(said) = build(WORKLOADS, &["classic"]) else { return };
    assert!(!said.well);
    assert!(said.err.contains("take the component `native`"), "{}", said.err);
}

#[test]
fn a_kind_that_the_components_do_not_know_is_refused_when_it_asks() {
    for kind in ["v1\nkind: Pod", "v1\nkind: PodTemplate", "v1\nkind: ReplicationController"] {
        let asks = format!(
            "apiVersion: {kind}\nmetadata:\n  name: alone\n  \
             annotations: {{sidecall.dev/inject: enabled}}\n"
        );
        for component in ["native", "classic"] {
            let workloads = format!("{}---\n{asks}", services());
            let Some(said) = build(&workloads, &[component]) else { return };
            assert!(!said.well, "{kind} is built");
            assert!(said.err.contains("take `sidecall inject` for this one"), "{}", said.err);
        }
    }
}

#[test]
fn an_address_from_elsewhere_gives_way_to_the_sockets() {
    let from = "{name: SIDECALL_ADDRESS, valueFrom: {configMapKeyRef: {name: a, key: b}}}";
    for own in [from, "{name: SIDECALL_ADDRESS, value: 'http://elsewhere:1'}"] {
        let workloads = WORKLOADS.replace("{name: PORT, value: \"8080\"}", own);
        assert_ne!(workloads, WORKLOADS);
        let Some(said) = build(&workloads, &["native"]) else { return };
        assert!(said.well, "{}", said.err);
        assert!(!said.out.contains("configMapKeyRef") && !said.out.contains("elsewhere"));
        let Some(seen) = look(&BTreeMap::from([("own".to_owned(), said.out)])) else { return };
        assert_eq!(seen.faults, Vec::<String>::new());
        let deployments = seen.documents["own"].iter();
        let mut deployments = deployments.filter(|there| there["metadata"]["name"] == "deployment");
        promises::whole(own, template(deployments.next().unwrap()).unwrap());
    }
}

#[test]
fn the_sidecar_is_the_same_by_helm_by_kustomize_and_by_inject() {
    let Some(helm) = Helm::find() else { return };
    for (layout, workloads) in [("native", WORKLOADS.to_owned()), ("classic", services())] {
        let Some(said) = build(&workloads, &[layout]) else { return };
        let values = format!("sidecall: {{layout: {layout}, fullnameOverride: sidecall-config}}");
        let chart = helm.template("example-app", TODAY, &[&values]);
        let arguments = ["inject", "--layout", layout, "-"].map(AsRef::as_ref);
        let injected = run(Path::new(env!("CARGO_BIN_EXE_sidecall")), &arguments, &workloads);
        assert!(injected.well, "{}", injected.err);
        let rendered = [("chart", chart), ("kustomize", said), ("inject", injected)];
        let manifests = rendered.map(|(name, said)| (name.to_owned(), said.out));
        let Some(seen) = look(&BTreeMap::from(manifests)) else { return };
        assert_eq!(seen.faults, Vec::<String>::new());
        let chart = seen.documents["chart"].iter().find_map(template).unwrap();
        let pods = [&seen.documents["kustomize"], &seen.documents["inject"]];
        let pods = pods.into_iter().flatten().filter_map(template);
        let with_sidecar: Vec<_> = pods.filter(|pod| sidecar(pod).is_some()).collect();
        assert!(with_sidecar.len() > 5);
        for pod in with_sidecar {
            promises::whole("rendered", pod);
            assert_eq!(sidecar(pod), sidecar(chart));
            assert_eq!(
                pod["spec"]["securityContext"]["fsGroup"],
                chart["spec"]["securityContext"]["fsGroup"]
            );
            for volume in ["sidecall-socket", "sidecall-no-token", "sidecall-config"] {
                let of = |pod: &Value| {
                    let volumes = pod["spec"]["volumes"].as_array().unwrap();
                    volumes.iter().find(|there| there["name"] == volume).cloned()
                };
                assert_eq!(of(pod), of(chart));
            }
        }
    }
}

#[test]
fn the_patch_on_the_page_brings_a_secret_to_the_sidecar_alone() {
    let page = fs::read_to_string(repository("docs/kubernetes.md")).unwrap();
    let patch =
        page.split("```yaml\n").find(|block| block.contains("sidecall-secret-crm")).unwrap();
    let patch = patch.split("```").next().unwrap();
    let classic = patch.replace("initContainers:", "containers:");
    for (layout, patch) in [("native", patch), ("classic", classic.as_str())] {
        let Some(said) = patched(&services(), &[layout], patch) else { return };
        assert!(said.well, "{}", said.err);
        let Some(seen) = look(&BTreeMap::from([("patched".to_owned(), said.out)])) else { return };
        assert_eq!(seen.faults, Vec::<String>::new());
        let mut patched = seen.documents["patched"].iter();
        let pod = patched.find_map(|document| {
            template(document).filter(|_| document["metadata"]["name"] == "deployment")
        });
        let pod = pod.unwrap();
        promises::whole("patched", pod);
        let secret = pod["spec"]["volumes"].as_array().unwrap();
        let secret = secret.iter().find(|volume| volume["name"] == "sidecall-secret-crm").unwrap();
        assert_eq!(secret["secret"]["defaultMode"], 0o440);
        let mounts = sidecar(pod).unwrap().0["volumeMounts"].as_array().unwrap();
        assert!(mounts.iter().any(|mount| mount["name"] == "sidecall-secret-crm"), "{mounts:?}");
    }
}

#[test]
fn the_patch_on_the_page_brings_a_token_to_its_caller_alone() {
    let page = fs::read_to_string(repository("docs/kubernetes.md")).unwrap();
    let patch =
        page.split("```yaml\n").find(|block| block.contains("serviceAccountToken")).unwrap();
    let patch = patch.split("```").next().unwrap();
    let Some(said) = patched(&services(), &["native"], patch) else { return };
    assert!(said.well, "{}", said.err);
    let Some(seen) = look(&BTreeMap::from([("patched".to_owned(), said.out)])) else { return };
    assert_eq!(seen.faults, Vec::<String>::new());
    let mut patched = seen.documents["patched"].iter();
    let deployment = patched.find(|document| document["metadata"]["name"] == "deployment").unwrap();
    let pod = template(deployment).unwrap();
    promises::whole("patched", pod);
    let mounts = |container: &Value| container["volumeMounts"].to_string().contains("\"caller\"");
    let containers = pod["spec"]["containers"].as_array().unwrap();
    let with: Vec<_> = containers.iter().filter(|container| mounts(container)).collect();
    assert_eq!(with.len(), 1);
    assert_eq!((&with[0]["name"], &with[0]["image"]), (&"agent".into(), &"agent:1".into()));
    assert!(!mounts(sidecar(pod).unwrap().0));
}

#[test]
fn what_looks_at_manifests_finds_what_no_cluster_takes() {
    let deployment = WORKLOADS.split("---\n").next().unwrap();
    let wrong = [
        ("misspelt", deployment.replace("containers:", "contianers:")),
        (
            "twice",
            deployment.replace("  name: deployment", "  name: deployment\n  name: deployment"),
        ),
        ("type", deployment.replace("  selector:", "  replicas: two\n  selector:")),
        ("missing", deployment.replace("  selector: {matchLabels: {app: deployment}}\n", "")),
    ];
    let manifests = wrong.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
    let Some(seen) = look(&manifests) else { return };
    for (name, text) in wrong {
        assert_ne!(text, deployment, "{name} is not wrong");
        assert!(seen.faults.iter().any(|fault| fault.starts_with(name)), "{name} is not found");
    }
}
