//! What a scanner for weak settings finds, and why it is as it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    charts::TODAY,
    components::kustomize,
    examples::EXAMPLES,
    tools::{Helm, read, repository, run, tool},
};

/// An entry of `deploy/waivers.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiver {
    check: String,
    /// Only of these, as `Kind/name`; of everything where there is none.
    of: Option<Vec<String>>,
    why: String,
}

#[derive(Deserialize)]
struct Finding {
    check_id: String,
    check_name: String,
    /// `Kind.namespace.name`, and of pods of a workload more.
    resource: String,
}

impl Finding {
    fn of(&self) -> String {
        let mut parts = self.resource.split('.');
        let kind = parts.next().unwrap();
        format!("{kind}/{}", parts.nth(1).unwrap())
    }
}

/// What is delivered, each render in a file.
fn delivered() -> Option<BTreeMap<String, String>> {
    let helm = Helm::find()?;
    let program = tool("SIDECALL_TEST_KUSTOMIZE")?;
    let mut delivered = BTreeMap::new();
    for (name, values) in [
        ("native", "{}"),
        ("classic", "sidecall: {layout: classic, fullnameOverride: classic}"),
        (
            "cronjob",
            "{kind: CronJob, sidecall: {workload: job, podMonitor: {enabled: true}, networkPolicy: {enabled: true}}}",
        ),
    ] {
        let said = helm.template("example-app", TODAY, &[values]);
        assert!(said.well, "{}", said.err);
        delivered.insert(name.to_owned(), said.out);
    }
    for example in EXAMPLES {
        let said = kustomize(program.clone(), &repository(&format!("deploy/examples/{example}")));
        assert!(said.well, "{}", said.err);
        delivered.insert(example.to_owned(), said.out);
    }
    Some(delivered)
}

#[test]
fn every_finding_is_waived_with_a_reason_and_every_waiver_is_needed() {
    let Some(checkov) = tool("SIDECALL_TEST_CHECKOV") else { return };
    let Some(delivered) = delivered() else { return };
    // It passes over what begins with a dot, as temporary folders do.
    let folder = tempfile::Builder::new().prefix("delivered").tempdir().unwrap();
    for (name, text) in &delivered {
        fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
    }
    let arguments = ["--framework", "kubernetes", "--skip-download", "--quiet", "-o", "json", "-d"];
    let mut arguments: Vec<_> = arguments.map(AsRef::as_ref).to_vec();
    arguments.push(folder.path().as_ref());
    let said = run(&checkov, &arguments, "");
    let report: Value =
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.err));
    assert!(report["summary"]["passed"].as_u64().unwrap() > 200, "{}", report["summary"]);
    assert_eq!(report["summary"]["parsing_errors"], 0);
    let found: Vec<Finding> =
        serde_json::from_value(report["results"]["failed_checks"].clone()).unwrap();

    let text = fs::read_to_string(repository("deploy/waivers.yaml")).unwrap();
    let Some(waivers) = read(&text) else { return };
    let waivers: Vec<Waiver> = serde_json::from_value(waivers["waivers"].clone()).unwrap();
    let mut needed = BTreeSet::new();
    for finding in &found {
        let waiver = waivers.iter().position(|waiver| {
            let of = waiver.of.as_ref();
            waiver.check == finding.check_id && of.is_none_or(|of| of.contains(&finding.of()))
        });
        let Finding { check_id, check_name, .. } = finding;
        needed
            .insert(waiver.unwrap_or_else(|| panic!("{check_id} {check_name}: {}", finding.of())));
    }
    for (at, waiver) in waivers.iter().enumerate() {
        assert!(waiver.why.split(' ').count() > 5, "{}: why?", waiver.check);
        assert!(needed.contains(&at), "{} is waived, and nothing is found", waiver.check);
    }
}
