//! What a workload's annotations and the command line ask for.

use std::collections::BTreeSet;

use super::{
    Layout, Settings,
    sidecar::secret_volume,
    tree::Tree,
    workload::{Workload, annotation},
};
use crate::model::nearest::nearest;

/// What our annotations begin with.
const PREFIX: &str = "sidecall.dev/";
/// The annotation that says whether.
pub(super) const INJECT: &str = "sidecall.dev/inject";
/// The annotation on what was injected, with the version that did it.
pub(super) const INJECTED: &str = "sidecall.dev/injected";
/// The annotation with what `--uninject` must know.
pub(super) const RESTORE: &str = "sidecall.dev/restore";
/// Every annotation that people write.
const NAMES: [&str; 6] = ["inject", "config", "image", "layout", "containers", "secrets"];
/// The annotations that programs write.
const WRITTEN: [&str; 4] =
    [INJECTED, RESTORE, "sidecall.dev/config-checksum", "sidecall.dev/component"];
/// Most characters of a Secret's name, so that its volume has one.
const SECRET_MAX: usize = 47;

/// What a workload is to get.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) image: String,
    pub(super) config_map: String,
    pub(super) secrets: Vec<String>,
    pub(super) layout: Layout,
    /// The containers that are to reach the sidecar, and where they are named; all where
    /// none are.
    pub(super) containers: Option<(&'static str, Vec<String>)>,
}

/// Whether a workload says that it wants none.
pub(super) fn is_disabled(tree: &Tree<'_>, workload: &Workload) -> Result<bool, String> {
    match annotation(tree, workload, INJECT) {
        None | Some("enabled") => Ok(false),
        Some("disabled") => Ok(true),
        Some(other) => {
            Err(format!("`{INJECT}: {other}` says nothing: write `enabled` or `disabled`"))
        }
    }
}

/// What a workload asks for; the innermost annotation goes before the others, and
/// any goes before the command line.
pub(super) fn wish(
    tree: &Tree<'_>,
    workload: &Workload,
    settings: &Settings,
) -> Result<Wish, String> {
    known(tree, workload)?;
    let text = |name: &str, given: &Option<String>| {
        let found = annotation(tree, workload, &format!("{PREFIX}{name}"));
        found.map(str::to_owned).or(given.clone())
    };
    let image = text("image", &settings.image);
    let image = image.unwrap_or_else(|| super::IMAGE.to_owned());
    is_image(&image)?;
    let config_map = text("config", &settings.config_map);
    let config_map = config_map.unwrap_or_else(|| super::CONFIG_MAP.to_owned());
    let secrets = list(tree, workload, "secrets")?.unwrap_or_else(|| settings.secrets.clone());
    is_config_map(&config_map)?;
    are_secrets(&secrets)?;
    let layout = match annotation(tree, workload, "sidecall.dev/layout") {
        None => settings.layout.unwrap_or_default(),
        Some("native") => Layout::Native,
        Some("classic") => Layout::Classic,
        Some(other) => {
            return Err(format!(
                "`sidecall.dev/layout: {other}` is no layout: write `native` or `classic`"
            ));
        }
    };
    let containers = match list(tree, workload, "containers")? {
        Some(names) => Some(("sidecall.dev/containers", names)),
        None => settings.containers.clone().map(|names| ("--containers", names)),
    };
    Ok(Wish { image, config_map, secrets, layout, containers })
}

/// Whether that may be an image; why not, else.
pub(crate) fn is_image(image: &str) -> Result<(), String> {
    if image.is_empty() || image.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("`{image}` is no image: write `registry/name:tag`"));
    }
    Ok(())
}

/// Whether a ConfigMap may have that name; why not, else.
pub(crate) fn is_config_map(name: &str) -> Result<(), String> {
    is_name_of("ConfigMap", name)
}

/// Whether Secrets may have those names, and each a volume; why not, else.
pub(crate) fn are_secrets(names: &[String]) -> Result<(), String> {
    let mut volumes = BTreeSet::new();
    for name in names {
        is_name_of("Secret", name)?;
        if name.len() > SECRET_MAX || !volumes.insert(secret_volume(name)) {
            return Err(format!(
                "the Secret `{name}` is named twice, or longer than {SECRET_MAX} characters: its \
                 volume cannot be named after it"
            ));
        }
    }
    Ok(())
}

/// Whether a container may have that name; why not, else.
pub(crate) fn is_container(name: &str) -> Result<(), String> {
    if name.contains('.') || name.len() > 63 || !is_object_name(name) {
        return Err(format!(
            "`{name}` is no name of a container: write those of the pod, with commas between them"
        ));
    }
    Ok(())
}

fn is_name_of(what: &str, name: &str) -> Result<(), String> {
    if is_object_name(name) {
        return Ok(());
    }
    Err(format!(
        "`{name}` is no name of a {what}: write its name alone, lower case, as `metadata.name` has it"
    ))
}

/// An annotation that lists names with commas between them.
fn list(tree: &Tree<'_>, workload: &Workload, name: &str) -> Result<Option<Vec<String>>, String> {
    let Some(text) = annotation(tree, workload, &format!("{PREFIX}{name}")) else {
        return Ok(None);
    };
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_owned).collect();
    if names.is_empty() {
        let fix = "write names with commas between them, or leave it out";
        return Err(format!("`{PREFIX}{name}` names none: {fix}"));
    }
    Ok(Some(names))
}

/// Refuses annotations of ours that mean nothing.
fn known(tree: &Tree<'_>, workload: &Workload) -> Result<(), String> {
    for owner in &workload.owners {
        let Some(annotations) = tree.at(*owner, &["metadata", "annotations"]) else { continue };
        for entry in tree.entries(annotations).unwrap_or_default() {
            let Some(key) = tree.as_text(entry.key) else { continue };
            let Some(name) = key.strip_prefix(PREFIX) else { continue };
            if WRITTEN.contains(&key) {
                continue;
            }
            if !NAMES.contains(&name) {
                let line = tree.line(tree.node(entry.key).start);
                let near = nearest(name, NAMES.iter().copied());
                let fix = near.first().map_or_else(
                    || format!("there are {}", NAMES.join(", ")),
                    |near| format!("is `{PREFIX}{near}` meant?"),
                );
                return Err(format!("the annotation `{key}` (line {line}) means nothing: {fix}"));
            }
            if tree.as_text(entry.value).is_none() || tree.is_null(entry.value) {
                return Err(format!("the annotation `{key}` has no text"));
            }
        }
    }
    Ok(())
}

/// RFC 1123's subdomain, as objects' names are.
fn is_object_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !label.is_empty()
            && label.bytes().all(|byte| is_inner(byte) || byte == b'-')
            && label.bytes().next().is_some_and(is_inner)
            && label.bytes().last().is_some_and(is_inner)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
