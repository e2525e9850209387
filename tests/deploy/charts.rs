//! The charts with every value alone and every pair of values.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::OnceLock,
};

use serde_json::Value;

use crate::{
    changes::{CHANGES, Change, REFUSED, REFUSES_ONLY, before},
    many::{self, Renders},
    promises,
    tools::{Helm, Seen, look, read, repository, run},
};

/// A cluster of today, for which nothing is left out.
pub(crate) const TODAY: &str = "1.35.0";

/// Every value alone under its path, every pair as `one+other`, the example as it is as
/// `example`, and what some are compared with as `before ….`.
struct Rendered {
    seen: Seen,
    refused: BTreeMap<String, String>,
}

fn all() -> Renders {
    let mut all = BTreeMap::from([("example".to_owned(), vec![])]);
    for (at, one) in CHANGES.iter().enumerate() {
        all.insert(one.path.to_owned(), vec![one.values]);
        all.insert(format!("before {}", one.path), vec![before(one.path)]);
        for other in CHANGES[at + 1..].iter().filter(|other| !both_are_workloads(one, other)) {
            all.insert(format!("{}+{}", one.path, other.path), vec![one.values, other.values]);
        }
    }
    all
}

fn both_are_workloads(one: &Change, other: &Change) -> bool {
    [one, other].iter().all(|change| change.path.starts_with(char::is_uppercase))
}

/// The pairs that cannot be.
fn refused() -> BTreeSet<String> {
    REFUSED.iter().map(|(one, other, _)| format!("{one}+{other}")).collect()
}

/// All of it, once for all tests; nothing where a tool is missing.
fn rendered() -> Option<&'static Rendered> {
    static RENDERED: OnceLock<Option<Rendered>> = OnceLock::new();
    let render = || {
        let helm = Helm::find()?;
        let said = many::template(&helm, &all(), &refused());
        let (well, refused): (BTreeMap<_, _>, BTreeMap<_, _>) =
            said.into_iter().partition(|(_, said)| said.well);
        let texts = well.into_iter().map(|(name, said)| (name, said.out)).collect();
        let refused = refused.into_iter().map(|(name, said)| (name, said.err)).collect();
        Some(Rendered { seen: look(&texts)?, refused })
    };
    RENDERED.get_or_init(render).as_ref()
}

#[test]
fn every_value_and_every_pair_renders_what_every_cluster_takes() {
    let Some(rendered) = rendered() else { return };
    assert_eq!(rendered.seen.faults, Vec::<String>::new());
    assert_eq!(rendered.seen.unknown, ["monitoring.coreos.com/v1 PodMonitor"]);
    assert_eq!(rendered.seen.versions, (25..=37).collect::<Vec<_>>());
    let pairs = rendered.seen.documents.keys().filter(|name| name.contains('+')).count();
    let all = CHANGES.len() * (CHANGES.len() - 1) / 2;
    // Of four kinds of workload no two.
    assert_eq!(pairs, all - 6 - REFUSED.len());
}

#[test]
fn many_in_one_run_are_each_as_it_is_alone() {
    let Some(helm) = Helm::find() else { return };
    let mut alone = all();
    alone.retain(|name, _| !name.contains('+'));
    let names = alone.keys().cloned().collect();
    let together = many::template(&helm, &alone, &BTreeSet::new());
    let documents =
        |text: &str| text.split("---\n").map(str::trim_end).collect::<Vec<_>>().join("\n");
    for (name, said) in many::template(&helm, &alone, &names) {
        assert!(said.well, "{name}: {}", said.err);
        assert_eq!(documents(&together[&name].out), documents(&said.out), "{name}");
    }
}

#[test]
fn only_pairs_that_cannot_be_are_refused() {
    let Some(rendered) = rendered() else { return };
    for (one, other, words) in REFUSED {
        let name = format!("{one}+{other}");
        let refusal = rendered.refused.get(&name).unwrap_or_else(|| panic!("{name} is rendered"));
        assert!(refusal.contains(words), "{name}: {refusal}");
    }
    let found: BTreeSet<_> = rendered.refused.keys().cloned().collect();
    assert_eq!(found, refused(), "{:?}", rendered.refused);
}

#[test]
fn whatever_the_values_are_the_pod_is_whole() {
    let Some(rendered) = rendered() else { return };
    for (name, documents) in &rendered.seen.documents {
        let has_sidecar = name.split('+').all(|path| path != "enabled");
        promises::hold(name, documents, has_sidecar);
    }
}

#[test]
fn every_value_changes_what_is_rendered() {
    let Some(rendered) = rendered() else { return };
    for change in CHANGES {
        let documents = &rendered.seen.documents;
        let before = &documents[&format!("before {}", change.path)];
        assert_ne!(&documents[change.path], before, "{} changes nothing", change.path);
    }
}

#[test]
fn the_program_takes_every_configuration_that_the_chart_writes() {
    let Some(rendered) = rendered() else { return };
    let configurations: BTreeSet<&str> = rendered
        .seen
        .documents
        .values()
        .flatten()
        .filter(|document| document["kind"] == "ConfigMap")
        .map(|document| document["data"]["sidecall.yaml"].as_str().unwrap())
        .collect();
    assert!(configurations.len() > 4);
    for configuration in configurations {
        check(configuration);
    }
    // Of an app whose tools are all its workers'.
    let Some(helm) = Helm::find() else { return };
    let said = helm.template("sidecall", TODAY, &[]);
    let Some(seen) = look(&BTreeMap::from([("bare".to_owned(), said.out)])) else { return };
    let map = seen.documents["bare"].iter().find(|document| document["kind"] == "ConfigMap");
    check(map.unwrap()["data"]["sidecall.yaml"].as_str().unwrap());
}

/// `sidecall check` finds nothing in a configuration.
#[track_caller]
pub(crate) fn check(configuration: &str) {
    let program = env!("CARGO_BIN_EXE_sidecall");
    let said = run(program.as_ref(), &["check".as_ref(), "-".as_ref()], configuration);
    assert!(said.well, "{configuration}\n{}{}", said.out, said.err);
}

/// The paths of what a schema has, down to what is no object of its own keys.
fn leaves(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    match schema["properties"].as_object() {
        Some(properties) => {
            for (key, schema) in properties {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(schema, &path, found);
            }
        }
        None => {
            found.insert(path.to_owned());
        }
    }
}

fn schema(chart: &str) -> Value {
    let path = repository(&format!("deploy/helm/{chart}/values.schema.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_value_of_the_schema_has_its_default_its_words_and_its_change() {
    let mut known = BTreeSet::new();
    leaves(&schema("sidecall"), "", &mut known);
    known.remove("global");
    let changed = CHANGES
        .iter()
        .map(|change| change.path)
        .filter(|path| !path.starts_with(char::is_uppercase));
    let changed: BTreeSet<_> =
        changed.chain(REFUSES_ONLY.iter().copied()).map(str::to_owned).collect();
    assert_eq!(known, changed);

    let text = fs::read_to_string(repository("deploy/helm/sidecall/values.yaml")).unwrap();
    let Some(defaults) = read(&text) else { return };
    for path in known {
        let pointer = format!("/{}", path.replace('.', "/"));
        assert!(defaults.pointer(&pointer).is_some(), "values.yaml says nothing of {path}");
    }
    // A key follows its words, or a key that shares them, or opens a section.
    let mut told = false;
    for line in text.lines() {
        let key = line.trim_start();
        let depth = line.len() - key.len();
        match key {
            "" => told = false,
            _ if key.starts_with('#') => told = true,
            _ if depth == 0 => assert!(told || key.ends_with(':'), "no word of {line}"),
            _ => {}
        }
    }
}

/// Objects with keys of their own, and whether others are refused.
fn open_objects(schema: &Value, path: &str, open: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            let closed = members.get("additionalProperties") == Some(&Value::Bool(false));
            let has_keys =
                ["properties", "patternProperties"].iter().any(|key| members.contains_key(*key));
            if has_keys && !closed {
                open.push(path.to_owned());
            }
            for (key, value) in members {
                open_objects(value, &format!("{path}/{key}"), open);
            }
        }
        Value::Array(elements) => {
            elements.iter().for_each(|element| open_objects(element, path, open));
        }
        _ => {}
    }
}

#[test]
fn no_object_of_the_schemas_takes_keys_that_it_does_not_know() {
    for chart in ["sidecall", "example-app"] {
        let mut open = Vec::new();
        open_objects(&schema(chart), "", &mut open);
        assert_eq!(open, Vec::<String>::new(), "{chart}");
    }
}

#[test]
fn helm_lint_finds_nothing() {
    let Some(helm) = Helm::find() else { return };
    let mut renders = all();
    let refused = refused();
    renders.retain(|name, _| !refused.contains(name));
    let Some(found) = many::lint(&helm, &renders) else { return };
    assert_eq!(found, Vec::<String>::new());
    for chart in ["sidecall", "example-app"] {
        let said =
            helm.run(&["lint".as_ref(), "--strict".as_ref(), helm.chart(chart).as_ref()], "");
        assert!(said.well, "{}{}", said.out, said.err);
        let said = said.out + &said.err;
        assert!(!said.contains("[WARNING]") && !said.contains("[ERROR]"), "{said}");
    }
}

#[test]
fn the_main_renders_are_as_they_were() {
    let Some(helm) = Helm::find() else { return };
    let everything: Vec<&str> = [
        "image.digest",
        "secrets",
        "env",
        "otlp.endpoint",
        "podMonitor.labels",
        "networkPolicy.ingress",
        "configChange",
    ]
    .map(|path| CHANGES.iter().find(|change| change.path == path).unwrap().values)
    .to_vec();
    for (name, version, values) in [
        ("native", TODAY, vec![]),
        ("classic", "1.28.0", vec!["sidecall: {layout: classic}"]),
        ("cronjob", TODAY, vec!["{kind: CronJob, sidecall: {workload: job}}"]),
        ("everything", TODAY, everything),
    ] {
        let said = helm.template("example-app", version, &values);
        assert!(said.well, "{}", said.err);
        insta::assert_snapshot!(name, said.out);
    }
    let said = helm.template("sidecall", TODAY, &[]);
    assert!(said.well, "{}", said.err);
    insta::assert_snapshot!("chart_alone", said.out);
}

/// The code blocks of the page that begin with these words.
pub(crate) fn on_the_page(words: &str) -> Vec<String> {
    let page = fs::read_to_string(repository("docs/kubernetes.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| block.starts_with(words)).map(str::to_owned).collect()
}

/// The templates that a text calls with this chart's scope.
fn called(text: &str) -> BTreeSet<&str> {
    let calls = text.split("include \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    calls.filter(|name| name.starts_with("sidecall.")).collect()
}

#[test]
fn the_page_shows_what_works() {
    let example = repository("deploy/helm/example-app/templates/_pod.tpl");
    let example = fs::read_to_string(example).unwrap();
    let pods = on_the_page("metadata:\n  labels:");
    assert_eq!(called(&pods[0]), called(&example));

    for configuration in on_the_page("listen:") {
        check(&configuration);
        assert!(configuration.contains("mode: \"0660\""), "the app may not connect");
    }

    let Some(helm) = Helm::find() else { return };
    let values = on_the_page("sidecall:");
    let said = helm.template("example-app", TODAY, &[&values[0]]);
    assert!(said.well, "{}", said.err);
    assert!(said.out.contains("mountPath: /var/run/secrets/sidecall/crm"), "{}", said.out);
}

#[test]
fn the_callers_on_the_page_are_known_by_what_is_mounted() {
    let Some(helm) = Helm::find() else { return };
    let values = on_the_page("sidecall:");
    let values = values.iter().find(|values| values.contains("callers:")).unwrap();
    let said = helm.template("example-app", TODAY, &[values]);
    assert!(said.well, "{}", said.err);
    let rendered = BTreeMap::from([("page".to_owned(), said.out.clone())]);
    let Some(seen) = look(&rendered) else { return };
    assert_eq!(seen.faults, Vec::<String>::new());
    let documents = &seen.documents["page"];
    let configuration =
        documents.iter().find_map(|document| document["data"]["sidecall.yaml"].as_str()).unwrap();
    // The same files elsewhere, each in the folder of its Secret.
    let folder = tempfile::TempDir::new().unwrap();
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for (name, file, text) in [
        ("issuer", "jwks.json", format!(r#"{{"keys":[{key}]}}"#)),
        ("reviewer", "token", "a-token-of-thirty-two-characters".to_owned()),
    ] {
        let mounted = format!("mountPath: /var/run/secrets/sidecall/{name}\n");
        assert!(said.out.contains(&mounted), "{name} is not mounted:\n{}", said.out);
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join(file), text).unwrap();
    }
    let here = folder.path().display().to_string();
    check(&configuration.replace("/var/run/secrets/sidecall", &here));
    // The agent runs as the user that is named.
    let pods = documents.iter().filter_map(|document| document["spec"].get("template"));
    let users: Vec<_> = pods.map(|pod| &pod["spec"]["securityContext"]["runAsUser"]).collect();
    assert!(configuration.contains("10001") && users.contains(&&10001.into()), "{users:?}");
}

#[test]
fn the_versions_are_the_programs_own() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, lines) in [
        (
            "deploy/helm/sidecall/Chart.yaml",
            vec![format!("version: {version}"), format!("appVersion: \"{version}\"")],
        ),
        ("deploy/helm/example-app/Chart.yaml", vec![format!("    version: {version}")]),
        (
            "deploy/kustomize/native/workload.yaml",
            vec![format!("          image: sidecall:{version}")],
        ),
        (
            "deploy/kustomize/native/cronjob.yaml",
            vec![format!("              image: sidecall:{version}")],
        ),
        ("deploy/Dockerfile", vec![format!("ARG VERSION={version}")]),
        ("deploy/kustomize/classic/workload.yaml", vec![format!("    image: sidecall:{version}")]),
    ] {
        let text = fs::read_to_string(repository(file)).unwrap();
        for line in lines {
            assert!(text.lines().any(|there| there == line), "{file} has no line {line:?}");
        }
    }
}
