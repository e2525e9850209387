//! Many renders in few runs of helm, which takes longer to start than to render.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    charts::TODAY,
    tools::{Helm, Said, copy, look, repository},
};

/// Values of the example app under a name, each over those before it.
pub(crate) type Renders = BTreeMap<String, Vec<&'static str>>;

/// Renders of a run. What helm does with a chart's dependencies grows faster than they do.
const AT_ONCE: usize = 40;

/// Does the parts of some work at once.
fn at_once<T: Sync>(parts: &[T], work: impl Fn(&T) + Sync) {
    let waiting = Mutex::new(parts.iter());
    let next = || waiting.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(part) = next() {
                    work(part);
                }
            });
        }
    });
}

/// Every render, as `helm template` has it; those of `apart` each by a run of its own.
pub(crate) fn template(
    helm: &Helm,
    renders: &Renders,
    apart: &BTreeSet<String>,
) -> BTreeMap<String, Said> {
    let (alone, together): (Vec<_>, Vec<_>) =
        renders.iter().partition(|(name, _)| apart.contains(*name));
    let mut parts: Vec<_> = together.chunks(AT_ONCE).collect();
    parts.extend(alone.chunks(1));
    let said = Mutex::new(BTreeMap::new());
    at_once(&parts, |part| {
        let whole = if part.len() > 1 { umbrella(helm, part) } else { None };
        // A refusal is one of many's: each for itself it is seen whose.
        let whole = whole.unwrap_or_else(|| {
            let one = |(name, values): &(&String, &Vec<&'static str>)| {
                ((*name).clone(), helm.template("example-app", TODAY, values))
            };
            part.iter().map(one).collect()
        });
        said.lock().unwrap().extend(whole);
    });
    said.into_inner().unwrap()
}

/// One chart that has the example as a dependency once for each render; nothing where one
/// of them is refused.
fn umbrella(
    helm: &Helm,
    renders: &[(&String, &Vec<&'static str>)],
) -> Option<BTreeMap<String, Said>> {
    let folder = TempDir::new().unwrap();
    copy(&helm.chart("example-app"), &folder.path().join("charts/example-app"));
    let mut chart = "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n".to_owned();
    let mut layers: Vec<String> = Vec::new();
    for (at, (_, values)) in renders.iter().enumerate() {
        chart += &format!("  - {{name: example-app, version: 0.1.0, alias: render-{at}}}\n");
        for (layer, values) in values.iter().enumerate() {
            layers.resize(layers.len().max(layer + 1), String::new());
            layers[layer] += &format!("render-{at}:\n  {values}\n");
        }
    }
    fs::write(folder.path().join("Chart.yaml"), chart).unwrap();
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    let said = helm.template_at(folder.path(), TODAY, &layers);
    if !said.well {
        return None;
    }
    let mut texts: BTreeMap<usize, String> = BTreeMap::new();
    for document in said.out.split("---\n# Source: umbrella/charts/render-").skip(1) {
        let (at, rest) = document.split_once('/').unwrap();
        let text = texts.entry(at.parse().unwrap()).or_default();
        *text += &format!("---\n# Source: example-app/{rest}");
    }
    let well = |(at, (name, _)): (usize, &(&String, _))| {
        let out = texts.remove(&at).unwrap_or_default();
        ((*name).clone(), Said { well: true, out, err: String::new() })
    };
    Some(renders.iter().enumerate().map(well).collect())
}

/// What `helm lint --strict` finds, each line under its render's name. A run takes many
/// charts, and values for all of them: so each render is a copy of the example that has
/// its values as its defaults.
pub(crate) fn lint(helm: &Helm, renders: &Renders) -> Option<Vec<String>> {
    let values = read_all(renders)?;
    let folder = TempDir::new().unwrap();
    let charts: Vec<PathBuf> = renders
        .iter()
        .map(|(name, layers)| {
            let chart = folder.path().join(name);
            copy(&helm.chart("example-app"), &chart);
            let base = values["defaults"].clone();
            let merged = layers.iter().fold(base, |under, over| merge(under, &values[*over]));
            fs::write(chart.join("values.yaml"), merged.to_string()).unwrap();
            chart
        })
        .collect();
    let parts: Vec<_> = charts.chunks(AT_ONCE).collect();
    let found = Mutex::new(Vec::new());
    at_once(&parts, |part| {
        let arguments = ["lint", "--strict", "--kube-version", TODAY].map(OsStr::new);
        let arguments = arguments.into_iter().chain(part.iter().map(|chart| chart.as_os_str()));
        let said = helm.run(&arguments.collect::<Vec<_>>(), "");
        let all = said.out + &said.err;
        let count = format!("{} chart(s) linted, 0 chart(s) failed", part.len());
        let mut wrong = faults(&all, folder.path());
        if wrong.is_empty() && !(said.well && all.contains(&count)) {
            wrong.push(all);
        }
        found.lock().unwrap().extend(wrong);
    });
    Some(found.into_inner().unwrap())
}

fn faults(said: &str, folder: &Path) -> Vec<String> {
    let mut chart = "";
    let mut faults = Vec::new();
    let prefix = format!("==> Linting {}/", folder.display());
    for line in said.lines() {
        chart = line.strip_prefix(&prefix).unwrap_or(chart);
        if ["[WARNING]", "[ERROR]"].iter().any(|mark| line.contains(mark)) {
            faults.push(format!("{chart}: {line}"));
        }
    }
    faults
}

/// The values of all renders as they are read, and the example's own as `defaults`.
fn read_all(renders: &Renders) -> Option<BTreeMap<String, Value>> {
    let defaults = repository("deploy/helm/example-app/values.yaml");
    let defaults = fs::read_to_string(defaults).unwrap();
    let texts: BTreeSet<&str> = renders.values().flatten().copied().collect();
    let wrap = |text: &str| {
        let lines: String = text.lines().map(|line| format!("  {line}\n")).collect();
        format!("apiVersion: v0\nkind: Nothing\nvalues:\n{lines}")
    };
    let named = texts.iter().enumerate().map(|(at, text)| (at.to_string(), wrap(text)));
    let mut files: BTreeMap<String, String> = named.collect();
    files.insert("defaults".to_owned(), wrap(&defaults));
    let mut seen = look(&files)?;
    assert_eq!(seen.faults, Vec::<String>::new());
    let mut of = |name: &str| seen.documents.remove(name).unwrap().remove(0)["values"].take();
    let mut read = BTreeMap::from([("defaults".to_owned(), of("defaults"))]);
    read.extend(
        texts.iter().enumerate().map(|(at, text)| ((*text).to_owned(), of(&at.to_string()))),
    );
    Some(read)
}

/// Values over others, as helm lays them.
fn merge(under: Value, over: &Value) -> Value {
    let (Value::Object(mut under), Value::Object(over)) = (under, over) else {
        return over.clone();
    };
    for (key, over) in over {
        let value = merge(under.remove(key).unwrap_or_default(), over);
        under.insert(key.clone(), value);
    }
    Value::Object(under)
}
