//! What a pod must have changed to lose its sidecar.

use super::{
    asked::{INJECTED, RESTORE},
    edit::Edit,
    record::Record,
    sidecar,
    tree::{Id, Tree},
};

/// The version that injected a pod, if one did.
pub(super) fn injected<'t>(tree: &'t Tree<'_>, template: Id) -> Option<&'t str> {
    tree.text_at(template, &["metadata", "annotations", INJECTED])
}

/// Why a pod is not touched that has what an injection left, and not that it was one.
pub(super) fn orphaned(tree: &Tree<'_>, template: Id) -> Result<(), String> {
    let left = tree.at(template, &["metadata", "annotations", RESTORE]);
    match left.filter(|_| injected(tree, template).is_none()) {
        None => Ok(()),
        Some(left) => {
            let line = tree.line(tree.node(left).start);
            Err(format!(
                "it has `{RESTORE}` (line {line}) without `{INJECTED}`: write `{INJECTED}: \"{}\"` \
                 beside it, or take both and the sidecar out by hand",
                env!("CARGO_PKG_VERSION")
            ))
        }
    }
}

/// Plans to give back what was there.
pub(super) fn plan(tree: &Tree<'_>, template: Id) -> Result<Vec<(Id, Edit)>, String> {
    let record = Record::read(tree.text_at(template, &["metadata", "annotations", RESTORE]))?;
    let spec = tree.at(template, &["spec"]).ok_or("its pod has no `spec`")?;
    let mut removal = Removal { tree, record, asked: Vec::new() };
    let is_named = |names: &'static [&'static str]| {
        move |id: Id| tree.text_at(id, &["name"]).is_some_and(|name| names.contains(&name))
    };
    let is_volume = |id: Id| tree.text_at(id, &["name"]).is_some_and(sidecar::is_volume);
    for list in ["initContainers", "containers"] {
        let containers = tree.at(spec, &[list]).and_then(|list| tree.items(list));
        for container in containers.unwrap_or_default() {
            let container = tree.resolved(*container);
            let Some(name) = tree.text_at(container, &["name"]) else { continue };
            if name == sidecar::NAME {
                continue;
            }
            if !removal.record.kept.iter().any(|kept| kept == name) {
                let is_address = |id: Id| {
                    tree.text_at(id, &["name"]) == Some(sidecar::ADDRESS.0)
                        && tree.text_at(id, &["value"]) == Some(sidecar::ADDRESS.1)
                };
                removal.items(container, "env", &format!("{name}.env"), is_address);
            }
            let place = format!("{name}.volumeMounts");
            removal.items(container, "volumeMounts", &place, is_named(&[sidecar::SOCKET]));
        }
        removal.items(spec, list, list, is_named(&[sidecar::NAME]));
    }
    removal.items(spec, "volumes", "volumes", is_volume);
    let context = tree.at(spec, &["securityContext"]);
    let set = context.and_then(|context| tree.text_at(context, &["fsGroup"]));
    if removal.record.was_absent("fsGroup") && set == Some(&sidecar::GROUP.to_string()) {
        removal.keys(spec, "securityContext", "securityContext", &["fsGroup"]);
    }
    let metadata = tree.at(template, &["metadata"]).ok_or("its pod has no `metadata`")?;
    // What is left empty goes with what it stands in, where neither was there.
    let annotations = tree.at(metadata, &["annotations"]);
    let is_all = annotations.and_then(|id| tree.entries(id)).is_some_and(|entries| {
        let ours = |key| tree.as_text(key).is_some_and(|key| [INJECTED, RESTORE].contains(&key));
        entries.iter().all(|entry| ours(entry.key))
    });
    if is_all && removal.record.was_absent("annotations") {
        removal.keys(template, "metadata", "metadata", &["annotations"]);
    } else {
        removal.keys(metadata, "annotations", "annotations", &[INJECTED, RESTORE]);
    }
    Ok(removal.asked)
}

/// Changes that take out, asked for one after the other.
struct Removal<'a, 't> {
    tree: &'a Tree<'t>,
    record: Record,
    asked: Vec<(Id, Edit)>,
}

impl Removal<'_, '_> {
    /// Takes items out of the list under a key.
    fn items(&mut self, map: Id, key: &str, place: &str, is_ours: impl Fn(Id) -> bool) {
        let found = self.tree.get(map, key);
        let Some(items) = found.and_then(|found| self.tree.items(found)) else { return };
        let gone = items.iter().enumerate().filter(|(_, item)| is_ours(self.tree.resolved(**item)));
        let gone: Vec<usize> = gone.map(|(at, _)| at).collect();
        let is_all = gone.len() == items.len();
        self.parts(map, key, place, gone, is_all.then_some("[]"));
    }

    /// Takes entries out of the mapping under a key.
    fn keys(&mut self, map: Id, key: &str, place: &str, gone: &[&str]) {
        let found = self.tree.get(map, key);
        let Some(entries) = found.and_then(|found| self.tree.entries(found)) else { return };
        let is_gone = |key: Id| self.tree.as_text(key).is_some_and(|key| gone.contains(&key));
        let numbers = entries.iter().enumerate().filter(|(_, entry)| is_gone(entry.key));
        let numbers: Vec<usize> = numbers.map(|(at, _)| at).collect();
        let is_all = numbers.len() == entries.len();
        self.parts(map, key, place, numbers, is_all.then_some("{}"));
    }

    /// Takes parts out of what stands under a key, or, with all of them, what was
    /// not there itself.
    fn parts(&mut self, map: Id, key: &str, place: &str, gone: Vec<usize>, empty: Option<&str>) {
        let Some(found) = self.tree.get(map, key).filter(|_| !gone.is_empty()) else { return };
        let Some(empty) = empty else {
            self.asked.push((found, Edit::Drop(gone)));
            return;
        };
        match self.tree.own(map, key) {
            Some((at, _)) if self.record.was_absent(place) => {
                let map = self.tree.resolved(map);
                self.asked.push((map, Edit::Drop(vec![at])));
            }
            _ => {
                let was = self.record.was.get(place).map_or(empty, String::as_str);
                self.asked.push((found, Edit::Empty(was.to_owned())));
            }
        }
    }
}
