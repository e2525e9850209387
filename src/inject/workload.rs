//! Which documents are workloads, and where their pods are described.

use super::tree::{Id, Kind, Tree};

/// Something that runs pods.
#[derive(Debug)]
pub(super) struct Workload {
    /// Its kind, as it is written.
    pub(super) kind: String,
    /// Its name, and its namespace before a `/` where it names one.
    pub(super) name: String,
    /// The line on which it begins.
    pub(super) line: usize,
    /// The object itself.
    pub(super) root: Id,
    /// What holds the pod's `metadata` and `spec`; none where that cannot be.
    pub(super) template: Option<Id>,
    /// What has annotations that count, the innermost first: the template, what
    /// is around it, the object.
    pub(super) owners: Vec<Id>,
    /// Whether its pods are to end by themselves.
    pub(super) is_job: bool,
    /// Whether the kind is known here.
    pub(super) is_known: bool,
}

/// Most workloads of a text, aliases followed.
const WORKLOADS_MAX: usize = 20_000;

/// Every kind, the groups of its versions, and where its pod template is.
const KINDS: &[(&str, &[&str], &[&str])] = &[
    ("Deployment", &["apps", "extensions"], &["spec", "template"]),
    ("StatefulSet", &["apps"], &["spec", "template"]),
    ("DaemonSet", &["apps", "extensions"], &["spec", "template"]),
    ("ReplicaSet", &["apps", "extensions"], &["spec", "template"]),
    ("ReplicationController", &[""], &["spec", "template"]),
    ("Job", &["batch"], &["spec", "template"]),
    ("CronJob", &["batch"], &["spec", "jobTemplate", "spec", "template"]),
    ("PodTemplate", &[""], &["template"]),
    ("Pod", &[""], &[]),
];

/// All workloads of a text, in its order, and how many other objects there are.
pub(super) fn find(tree: &Tree<'_>) -> (Vec<Workload>, usize) {
    let mut found = Vec::new();
    let mut others = 0;
    for root in &tree.documents {
        let place = Place { root: *root, given: None, depth: 0 };
        object(tree, place, &mut found, &mut others);
    }
    (found, others)
}

/// An object, and the kind and version that its list gives it.
struct Place<'a> {
    root: Id,
    given: Option<(&'a str, &'a str)>,
    depth: usize,
}

fn object(tree: &Tree<'_>, place: Place<'_>, found: &mut Vec<Workload>, others: &mut usize) {
    let root = tree.resolved(place.root);
    if tree.entries(root).is_none() {
        // An empty document is nothing.
        *others += usize::from(!tree.is_null(root));
        return;
    }
    let given = place.given;
    let version = tree.text_at(root, &["apiVersion"]).or(given.map(|(_, version)| version));
    let kind = tree.text_at(root, &["kind"]).or(given.map(|(kind, _)| kind));
    let (Some(version), Some(kind)) = (version, kind) else {
        *others += 1;
        return;
    };
    let items = tree.at(root, &["items"]).and_then(|items| tree.items(items));
    if let Some((of, items)) = kind.strip_suffix("List").zip(items) {
        let given = (!of.is_empty()).then_some((of, version));
        for item in items {
            if place.depth < 8 && found.len() < WORKLOADS_MAX {
                let place = Place { root: *item, given, depth: place.depth + 1 };
                object(tree, place, found, others);
            }
        }
        return;
    }
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    let mut known = KINDS.iter();
    let known = known.find(|(name, groups, _)| *name == kind && groups.contains(&group));
    // A kind of someone else's that has a template all the same.
    let path = known.map_or(&["spec", "template"][..], |(_, _, path)| path);
    let template = tree.at(root, path).filter(|template| {
        let has_pod = tree.at(*template, &["spec", "containers"]);
        known.is_some() || has_pod.is_some_and(|id| tree.items(id).is_some())
    });
    if known.is_none() && template.is_none() {
        *others += 1;
        return;
    }
    let inner = tree.at(root, &["spec", "jobTemplate"]).filter(|_| kind == "CronJob");
    let owners = template.into_iter().chain(inner).chain((Some(root) != template).then_some(root));
    let name = tree.text_at(root, &["metadata", "name"]);
    let name = name.or(tree.text_at(root, &["metadata", "generateName"])).unwrap_or("(no name)");
    let space = tree.text_at(root, &["metadata", "namespace"]);
    found.push(Workload {
        kind: kind.to_owned(),
        name: space.map_or_else(|| name.to_owned(), |space| format!("{space}/{name}")),
        line: tree.line(tree.node(place.root).start),
        root,
        template,
        owners: owners.collect(),
        is_job: matches!(kind, "Job" | "CronJob"),
        is_known: known.is_some(),
    });
}

/// The annotation of a workload that counts, and the text of its value.
pub(super) fn annotation<'t>(
    tree: &'t Tree<'_>,
    workload: &Workload,
    name: &str,
) -> Option<&'t str> {
    let mut owners = workload.owners.iter();
    owners.find_map(|owner| tree.text_at(*owner, &["metadata", "annotations", name]))
}

/// A key that stands twice in one mapping, somewhere in a node.
pub(super) fn repeated_key(tree: &Tree<'_>, id: Id) -> Option<Id> {
    match &tree.node(id).kind {
        Kind::Sequence { items, .. } => items.iter().find_map(|item| repeated_key(tree, *item)),
        Kind::Mapping { entries, .. } => {
            let mut known = std::collections::BTreeSet::new();
            let mut keys = entries.iter().map(|entry| entry.key);
            let again = keys.find(|key| {
                let text = tree.as_text(*key);
                text.is_some_and(|text| !known.insert(text))
            });
            again.or_else(|| entries.iter().find_map(|entry| repeated_key(tree, entry.value)))
        }
        _ => None,
    }
}
