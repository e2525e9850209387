//! The examples: what one command applies, and that it fits together. Their agents run in
//! `make examples`.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{
    charts::check,
    components::kustomize,
    promises::{self, template},
    tools::{look, repository, tool},
};

/// Folders of `deploy/examples` that are applied.
pub(crate) const EXAMPLES: [&str; 2] = ["python", "typescript"];

/// What comes after `http://` in a text, up to the path: hosts with their ports.
fn addresses(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.split("http://").skip(1).map(|rest| {
        let end = rest.find(|char: char| !char.is_alphanumeric() && !":-.".contains(char));
        let (host, port) = rest[..end.unwrap_or(rest.len())].split_once(':').unwrap();
        (host, port.parse().unwrap())
    })
}

#[test]
fn one_command_applies_all_that_an_example_needs() {
    let Some(program) = tool("SIDECALL_TEST_KUSTOMIZE") else { return };
    for example in EXAMPLES {
        let said = kustomize(program.clone(), &repository(&format!("deploy/examples/{example}")));
        assert!(said.well, "{}", said.err);
        let Some(mut seen) = look(&BTreeMap::from([(example.to_owned(), said.out)])) else {
            return;
        };
        assert_eq!((seen.faults, seen.unknown), (vec![], vec![]));
        let documents = seen.documents.remove(example).unwrap();
        let of = |kind: &'static str| documents.iter().filter(move |there| there["kind"] == kind);

        let agents = of("Deployment").filter(|there| there["metadata"]["annotations"].is_object());
        let agents: Vec<&Value> = agents.collect();
        assert_eq!(agents.len(), 1);
        promises::whole(example, template(agents[0]).unwrap());
        assert_eq!(template(agents[0]).unwrap()["spec"]["automountServiceAccountToken"], false);

        let configuration =
            of("ConfigMap").next().unwrap()["data"]["sidecall.yaml"].as_str().unwrap();
        check(configuration);
        let called = format!("{configuration}{}", agents[0]);
        let mut hosts = 0;
        for (host, port) in addresses(&called) {
            let serves = of("Service").find(|service| service["metadata"]["name"] == host);
            let ports =
                serves.unwrap_or_else(|| panic!("nothing is {host}"))["spec"]["ports"].as_array();
            assert!(
                ports.unwrap().iter().any(|there| there["port"] == port),
                "{host} has no {port}"
            );
            hosts += 1;
        }
        assert!(hosts > 3);
        let namespaces = documents.iter().filter(|there| there["kind"] != "Namespace");
        for document in namespaces {
            assert_eq!(document["metadata"]["namespace"], "sidecall-example");
        }
    }
}

#[test]
fn both_examples_have_the_tools_of_the_examples_outside_a_cluster() {
    let tools = |path: &str| {
        let text = fs::read_to_string(repository(path)).unwrap();
        let tools = text.split_once("\ntools:\n").unwrap().1;
        tools.lines().filter(|line| !line.contains("latency:")).collect::<Vec<_>>().join("\n")
    };
    let outside = tools("examples/sidecall.yaml");
    for example in EXAMPLES {
        assert_eq!(tools(&format!("deploy/examples/{example}/sidecall.yaml")), outside);
    }
}

#[test]
fn the_images_are_built_of_what_is_there_and_of_nothing_that_was_built() {
    let read = |path: &str| fs::read_to_string(repository(path)).unwrap();
    // An entry is a name at any depth, or one at the root.
    let ignored = read(".dockerignore");
    let ignored: Vec<&str> =
        ignored.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for built in ["target", "node_modules", "dist", ".venv", "__pycache__"] {
        assert!(ignored.contains(&format!("**/{built}").as_str()), "{built} goes along");
    }
    let is_ignored = |path: &str| {
        let mut parts = path.split('/');
        parts.any(|part| ignored.iter().any(|entry| entry.trim_start_matches("**/") == part))
    };
    let mut copied = 0;
    for example in EXAMPLES.into_iter().chain(["world"]) {
        let file = read(&format!("deploy/examples/{example}/Dockerfile"));
        let copies = file.lines().filter_map(|line| line.strip_prefix("COPY "));
        for sources in copies.filter(|line| !line.starts_with("--from=")) {
            let mut sources: Vec<&str> = sources.split(' ').collect();
            sources.pop();
            for source in sources {
                assert!(
                    repository(source).exists(),
                    "{example} copies {source}, which is not there"
                );
                assert!(!is_ignored(source), "{example} copies {source}, which is ignored");
                copied += 1;
            }
        }
    }
    assert!(copied > 5);
    // Of the program's own image all is named, since all else is left out.
    let own = read("deploy/Dockerfile.dockerignore");
    let mut own = own.lines();
    assert_eq!(own.next(), Some("*"));
    for kept in own {
        assert!(repository(kept.strip_prefix('!').unwrap()).exists(), "{kept} is not there");
    }
}
