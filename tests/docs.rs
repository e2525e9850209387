//! The pages say what the program does: names, keys, codes and examples in them
//! are held against the code.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, io, path::Path};

use clap::CommandFactory;
use serde_json::Value;
use sidecall::{
    cli::Cli,
    config::{
        self,
        env::{Environment, Variable},
    },
    format::teach,
    model::FailureCode,
    proto,
    telemetry::names,
};

/// Every page that a reader may land on.
const PAGES: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/cli.md",
    "docs/config.md",
    "docs/errors.md",
    "docs/kubernetes.md",
    "docs/operations.md",
    "docs/plan-and-references.md",
    "docs/security.md",
    "docs/telemetry.md",
    "docs/wire.md",
];

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The code blocks of a language on a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let mut blocks = Vec::new();
    for rest in page.split(opening.as_str()).skip(1) {
        blocks.push(rest.split("```").next().unwrap().to_owned());
    }
    blocks
}

/// Every variable is set, no file exists.
struct Set;

impl Environment for Set {
    fn variable(&self, name: &str) -> Variable {
        // What the pages do not name is not set.
        match name.starts_with("OTEL_") {
            true => Variable::Missing,
            false => Variable::Set("value".to_owned()),
        }
    }

    fn file(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for path in PAGES {
        let folder = Path::new(path).parent().unwrap().to_owned();
        for link in page(path).split("](").skip(1) {
            let target = link.split(')').next().unwrap().split('#').next().unwrap();
            let is_elsewhere = target.starts_with("http") || target.is_empty();
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder).join(target);
            assert!(is_elsewhere || file.exists(), "{path}: {target}");
        }
    }
}

#[test]
fn every_whole_configuration_on_a_page_loads_without_a_warning() {
    let mut loaded = 0;
    for path in PAGES {
        for block in blocks(&page(path), "yaml") {
            if block.starts_with("apis:") {
                let config = config::read(path, &block, &Set).unwrap_or_else(|e| panic!("{e}"));
                assert!(config.warnings.warnings.is_empty(), "{}", config.warnings);
                loaded += 1;
            }
        }
    }
    assert!(loaded >= 2, "the README and the reference each show one");
}

#[test]
fn the_fault_on_the_page_is_told_as_it_stands_there() {
    let text = page("docs/config.md");
    let whole = blocks(&text, "yaml").into_iter().find(|block| block.starts_with("apis:")).unwrap();
    let line = whole.lines().find(|line| line.contains(" rate:")).unwrap();
    let faulty = whole.replace(line, "    rte: 10/s");
    let told = config::read("sidecall.yaml", &faulty, &Set).unwrap_err().to_string();
    let shown = blocks(&text, "console").into_iter().find(|block| block.contains("rte")).unwrap();
    assert!(told.starts_with(shown.trim_end()), "{told}");
}

/// The keys that are written in a file, and not the names of a map.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (key, inner) in properties {
            found.insert(key.clone());
            keys(inner, found);
        }
    }
    if let Some(inner) = schema.get("additionalProperties") {
        keys(inner, found);
    }
}

#[test]
fn every_key_of_the_configuration_is_on_its_page() {
    let text = page("docs/config.md");
    let mut found = BTreeSet::new();
    keys(&config::schema(), &mut found);
    assert!(found.len() > 40, "{found:?}");
    for key in found {
        let is_named = ["`", ".", "{", " "].iter().any(|before| {
            ["`", ":", "."].iter().any(|after| text.contains(&format!("{before}{key}{after}")))
        });
        assert!(is_named, "docs/config.md does not say what `{key}` is");
    }
}

#[test]
fn every_failure_code_is_explained() {
    let text = page("docs/errors.md");
    for code in FailureCode::ALL {
        assert!(text.contains(&format!("`{code}`")), "docs/errors.md does not explain `{code}`");
    }
}

#[test]
fn every_subcommand_is_on_its_page() {
    let text = page("docs/cli.md");
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(text.contains(&format!("`sidecall {name}")), "docs/cli.md does not list {name}");
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long().filter(|long| *long != "help") else { continue };
            assert!(
                text.contains(&format!("--{long}")),
                "docs/cli.md does not say what `{name} --{long}` does"
            );
        }
    }
}

#[test]
fn every_rpc_is_on_its_page() {
    let text = page("docs/wire.md");
    let pool = prost_reflect::DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
    let service = pool.get_service_by_name("sidecall.v1.SidecallService").unwrap();
    for method in service.methods() {
        assert!(text.contains(&format!("`{}`", method.name())), "{}", method.name());
    }
}

#[test]
fn the_text_that_teaches_references_is_quoted_as_it_is() {
    let text = page("docs/plan-and-references.md");
    assert!(text.contains(teach::REFERENCES), "docs/plan-and-references.md quotes an older text");
}

/// What Prometheus calls a metric, without what it adds for the parts of a
/// histogram and for counters.
fn in_prometheus(metric: &names::Metric) -> String {
    let name = metric.name.replace('.', "_");
    match metric.unit {
        "s" => name + "_seconds",
        "By" => name + "_bytes",
        _ => name,
    }
}

/// The queries of the dashboard and the rules of the alerts, each with the text
/// that names its labels.
fn queries() -> Vec<String> {
    fn targets(panels: &Value, found: &mut Vec<String>) {
        for panel in panels.as_array().into_iter().flatten() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let legend = target["legendFormat"].as_str().unwrap_or_default();
                found.push(format!("{}\n{legend}", target["expr"].as_str().unwrap()));
            }
            targets(&panel["panels"], found);
        }
    }
    let dashboard: Value =
        serde_json::from_str(&page("deploy/observability/dashboard.json")).unwrap();
    let mut found = Vec::new();
    targets(&dashboard["panels"], &mut found);
    let alerts = page("deploy/observability/alerts.yaml");
    found.extend(alerts.split("- alert:").skip(1).map(str::to_owned));
    found
}

/// The labels that a query groups by, selects by and is told with.
fn labels_in(query: &str) -> BTreeSet<&str> {
    let grouped = query.split("by (").skip(1).map(|rest| rest.split(')').next().unwrap());
    let braced = query.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
    let words = grouped.chain(braced).flat_map(|list| list.split(',')).map(str::trim);
    words
        // Of a rule, and no label of a metric.
        .filter(|word| !word.is_empty() && !word.starts_with("severity:"))
        .map(|word| word.trim_start_matches("$labels.").split(['=', '!']).next().unwrap())
        .collect()
}

#[test]
fn every_query_of_the_dashboard_and_the_alerts_has_an_answer() {
    let mut shown = BTreeSet::new();
    for query in queries() {
        let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let labels = labels_in(&query);
        let mut asked = 0;
        for word in words.filter(|word| word.starts_with("sidecall_") || word.contains("_seconds"))
        {
            let ends = ["_bucket", "_sum", "_count", "_total"];
            let base = ends.iter().find_map(|end| word.strip_suffix(end));
            let is_it = |metric: &&names::Metric| {
                base.into_iter().chain([word]).any(|name| name == in_prometheus(metric))
            };
            let Some(metric) = names::METRICS.iter().find(is_it) else {
                assert!(labels.contains(word), "there is no {word}: {query}");
                continue;
            };
            // Who is asked says Prometheus itself, and of what bucket.
            let has: BTreeSet<String> = metric
                .labels
                .iter()
                .map(|label| label.replace('.', "_"))
                .chain(["job", "instance", "le"].map(str::to_owned))
                .collect();
            for label in &labels {
                assert!(has.contains(*label), "{} has no {label}: {query}", metric.name);
            }
            shown.insert(metric.name);
            asked += 1;
        }
        assert!(asked > 0, "it asks for nothing: {query}");
    }
    let all: BTreeSet<_> = names::METRICS.iter().map(|metric| metric.name).collect();
    let hidden: Vec<_> = all.difference(&shown).collect();
    let kept = [&"sidecall.batch.saved", &"sidecall.call.attempts"];
    assert_eq!(hidden, kept, "measured and never shown");
}

/// Every attribute that is named in the source.
fn attributes() -> Vec<String> {
    let source = page("src/telemetry/names.rs");
    let (_, rest) = source.split_once("pub mod attribute {").unwrap();
    let names = rest.lines().filter_map(|line| line.trim().strip_prefix("pub const "));
    names.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn every_metric_and_attribute_is_on_its_page() {
    let text = page("docs/telemetry.md");
    let (_, metrics) = text.split_once("\n## Metrics\n").unwrap();
    for names::Metric { name, unit, labels, .. } in names::METRICS {
        let start = format!("| `{name}` |");
        let row = metrics.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("docs/telemetry.md has no row of {name}"));
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let said: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let said = if said.is_empty() { "none".to_owned() } else { said.join(", ") };
        assert_eq!((cells[3], cells[4]), (format!("`{unit}`").as_str(), said.as_str()), "{name}");
    }
    let attributes = attributes();
    assert!(attributes.len() > 30, "{attributes:?}");
    for name in attributes {
        assert!(text.contains(&format!("`{name}`")), "docs/telemetry.md has no `{name}`");
    }
}
