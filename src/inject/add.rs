//! What a pod must have changed to get a sidecar, or why it gets none.

use std::time::Duration;

use super::{
    Layout, Settings,
    asked::{INJECTED, RESTORE, Wish},
    edit::Edit,
    growth::Growth,
    record::Record,
    render::Value,
    sidecar::{self, Sidecar},
    tree::{Id, Tree},
    workload::Workload,
};

/// A sidecar for a workload: the changes, and what its reader should know.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) edits: Vec<(Id, Edit)>,
    /// The containers that reach the sidecar.
    pub(super) containers: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Containers of service meshes, which call no tools.
const MESHES: [&str; 6] = [
    "istio-init",
    "istio-validation",
    "istio-proxy",
    "linkerd-init",
    "linkerd-network-validator",
    "linkerd-proxy",
];

/// A container and its name.
#[derive(Clone, Debug)]
struct Container {
    id: Id,
    name: String,
}

/// The pod as the rules see it.
struct Pod {
    spec: Id,
    first: Vec<Container>,
    main: Vec<Container>,
}

/// Plans a sidecar for a workload that has none.
pub(super) fn plan(
    tree: &Tree<'_>,
    workload: &Workload,
    template: Id,
    wish: &Wish,
    settings: &Settings,
) -> Result<Plan, String> {
    let pod = pod(tree, template)?;
    refuse(tree, workload, &pod, wish, settings)?;
    let targets = targets(&pod, wish)?;
    let mut notes = notes(tree, template, &pod);
    let mut growth = Growth { tree, asked: Vec::new(), record: Record::default() };
    for target in &targets {
        reach(&mut growth, target, &mut notes)?;
    }
    let sidecar = Sidecar {
        image: &wish.image,
        config_map: &wish.config_map,
        secrets: &wish.secrets,
        layout: wish.layout,
    };
    let container = vec![sidecar.container()];
    match wish.layout {
        Layout::Native => {
            let at = place(&pod.first, &mut notes);
            growth.list(pod.spec, "initContainers", "initContainers", at, container)?;
        }
        Layout::Classic => growth.list(pod.spec, "containers", "containers", None, container)?,
    }
    growth.list(pod.spec, "volumes", "volumes", None, sidecar.volumes())?;
    group(&mut growth, pod.spec, &mut notes)?;
    mark(&mut growth, template)?;
    let containers = targets.into_iter().map(|target| target.name).collect();
    Ok(Plan { edits: growth.asked, containers, notes })
}

fn pod(tree: &Tree<'_>, template: Id) -> Result<Pod, String> {
    let spec = tree.at(template, &["spec"]);
    let spec = spec.filter(|spec| tree.entries(*spec).is_some_and(|entries| !entries.is_empty()));
    let spec = spec.ok_or("its pod has no `spec`")?;
    let read = |key: &str| -> Result<Vec<Container>, String> {
        let Some(list) = tree.at(spec, &[key]) else { return Ok(Vec::new()) };
        let Some(items) = tree.items(list) else {
            let line = tree.line(tree.node(list).start);
            let is_nothing = tree.is_null(list);
            return if is_nothing {
                Ok(Vec::new())
            } else {
                Err(format!("`{key}` (line {line}) is no list"))
            };
        };
        let containers = items.iter().map(|item| {
            let id = tree.resolved(*item);
            let name = tree.text_at(id, &["name"]).filter(|name| !name.is_empty());
            let name = name.map(str::to_owned);
            let line = tree.line(tree.node(*item).start);
            let name = name.ok_or_else(|| format!("a container (line {line}) has no name"))?;
            Ok(Container { id, name })
        });
        containers.collect()
    };
    let (first, main) = (read("initContainers")?, read("containers")?);
    if main.is_empty() {
        return Err("its pod has no containers".to_owned());
    }
    let mut names = std::collections::BTreeSet::new();
    if let Some(again) = first.iter().chain(&main).find(|found| !names.insert(&found.name)) {
        return Err(format!("two containers are named `{}`", again.name));
    }
    Ok(Pod { spec, first, main })
}

/// What stands against a sidecar.
fn refuse(
    tree: &Tree<'_>,
    workload: &Workload,
    pod: &Pod,
    wish: &Wish,
    settings: &Settings,
) -> Result<(), String> {
    if wish.layout == Layout::Classic && workload.is_job {
        return Err("in the classic layout a job would never end, since its sidecar does not: \
                    write `sidecall.dev/layout: native` (Kubernetes 1.29 and later)"
            .to_owned());
    }
    let restart = tree.text_at(pod.spec, &["restartPolicy"]);
    if let Some(policy) = restart.filter(|policy| ["Never", "OnFailure"].contains(policy))
        && wish.layout == Layout::Classic
    {
        return Err(format!(
            "in the classic layout a pod with `restartPolicy: {policy}` would never end, since its \
             sidecar does not: write `sidecall.dev/layout: native` (Kubernetes 1.29 and later), or \
             `restartPolicy: Always`"
        ));
    }
    let names = pod.first.iter().chain(&pod.main).map(|found| (found.id, found.name.as_str()));
    let volumes = tree.at(pod.spec, &["volumes"]);
    let volumes = volumes.and_then(|list| tree.items(list)).unwrap_or_default();
    let named = volumes.iter().map(|id| (*id, tree.text_at(*id, &["name"]).unwrap_or_default()));
    let container = names.clone().find(|(_, name)| *name == sidecar::NAME);
    let volume = named.into_iter().find(|(_, name)| sidecar::is_volume(name));
    for (what, found) in [("container", container), ("volume", volume)] {
        if let Some((id, name)) = found {
            let line = tree.line(tree.node(id).start);
            return Err(format!(
                "it has a {what} `{name}` (line {line}) that was not injected: take it out, or \
                 write `sidecall.dev/inject: disabled`"
            ));
        }
    }
    for (id, name) in names {
        let ports = tree.at(id, &["ports"]).and_then(|ports| tree.items(ports));
        let mut ports = ports.unwrap_or_default().iter();
        let port = sidecar::ADMIN_PORT.to_string();
        let is_taken = |id: &Id| {
            let protocol = tree.text_at(*id, &["protocol"]);
            tree.text_at(*id, &["containerPort"]) == Some(port.as_str())
                && !protocol.is_some_and(|other| ["UDP", "SCTP"].contains(&other))
        };
        if ports.any(is_taken) {
            return Err(format!(
                "its container `{name}` listens on port {port}, where the sidecar's health is \
                 asked for: give the container another port"
            ));
        }
    }
    drains_in_time(grace(tree, pod)?, settings.drain)
}

/// How many seconds the pod has to end, where it says so.
fn grace(tree: &Tree<'_>, pod: &Pod) -> Result<Option<u64>, String> {
    let key = "terminationGracePeriodSeconds";
    let Some(id) = tree.at(pod.spec, &[key]).filter(|id| !tree.is_null(*id)) else {
        return Ok(None);
    };
    // Other ways to write a number mean one thing to one reader and another to the next:
    // `040` is 32 or 40.
    let text = tree.as_plain(id).filter(|text| {
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
        is_decimal && (*text == "0" || !text.starts_with('0'))
    });
    let seconds = text.and_then(|text| text.parse().ok());
    seconds.map(Some).ok_or_else(|| {
        let line = tree.line(tree.node(id).start);
        format!("its `{key}` (line {line}) is no whole number of seconds: write it as `30`")
    })
}

/// Whether the sidecar has drained before the pod is killed; why not, else.
fn drains_in_time(grace: Option<u64>, drain: Duration) -> Result<(), String> {
    // More than a second beyond the drain timeout.
    let needed = drain.as_secs().saturating_add(2);
    match grace {
        Some(seconds) if seconds < needed => Err(format!(
            "its grace period of {seconds} s ends before the sidecar has drained, which may take \
             {} s: write `terminationGracePeriodSeconds: {}`, or a shorter `drain: {{timeout: …}}` \
             in the configuration and the same as `--drain`",
            drain.as_secs_f64(),
            needed.max(30)
        )),
        None if needed > 30 => Err(format!(
            "without `terminationGracePeriodSeconds` its grace period is 30 s, and the sidecar may \
             take {} s to drain: write `terminationGracePeriodSeconds: {needed}`",
            drain.as_secs_f64()
        )),
        _ => Ok(()),
    }
}

/// Whether a workload's pods run on Windows.
pub(super) fn is_windows(tree: &Tree<'_>, template: Id) -> bool {
    ["os", "nodeSelector"]
        .iter()
        .zip(["name", "kubernetes.io/os"])
        .any(|(key, name)| tree.text_at(template, &["spec", key, name]) == Some("windows"))
}

/// The containers that are to reach the sidecar.
fn targets(pod: &Pod, wish: &Wish) -> Result<Vec<Container>, String> {
    let is_mesh = |found: &&Container| MESHES.contains(&found.name.as_str());
    let Some((named_by, names)) = &wish.containers else {
        let others: Vec<_> = pod.main.iter().filter(|found| !is_mesh(found)).cloned().collect();
        let why = "all its containers are a mesh's: name those that call tools in \
                   `sidecall.dev/containers`";
        return if others.is_empty() { Err(why.to_owned()) } else { Ok(others) };
    };
    let all = || pod.first.iter().chain(&pod.main);
    if let Some(unknown) = names.iter().find(|name| all().all(|found| found.name != **name)) {
        let known: Vec<_> =
            all().filter(|found| !is_mesh(found)).map(|c| c.name.as_str()).collect();
        return Err(format!(
            "`{named_by}` names `{unknown}`, which it does not have: there are {}",
            known.join(", ")
        ));
    }
    Ok(all().filter(|found| names.contains(&found.name)).cloned().collect())
}

/// Gives a container the socket and its address.
fn reach(
    growth: &mut Growth<'_, '_>,
    target: &Container,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let (tree, name) = (growth.tree, &target.name);
    let listed = |key: &str| {
        let list = tree.at(target.id, &[key]);
        list.and_then(|list| tree.items(list)).unwrap_or_default().iter()
    };
    let path = |id: &Id| tree.text_at(*id, &["mountPath"]).map(|path| path.trim_end_matches('/'));
    let mut mounts = listed("volumeMounts");
    if mounts.any(|id| path(id) == Some(sidecar::SOCKET_PATH)) {
        let at = sidecar::SOCKET_PATH;
        return Err(format!(
            "its container `{name}` has something else at {at}, where the socket goes: mount that elsewhere"
        ));
    }
    let mut set = listed("env");
    if set.any(|id| tree.text_at(*id, &["name"]) == Some(sidecar::ADDRESS.0)) {
        growth.record.kept.push(name.clone());
        notes.push(format!("`{name}` keeps its own {}", sidecar::ADDRESS.0));
    } else {
        growth.list(target.id, "env", &format!("{name}.env"), None, vec![sidecar::address()])?;
    }
    let place = format!("{name}.volumeMounts");
    growth.list(target.id, "volumeMounts", &place, None, vec![sidecar::mount()])
}

/// Where the sidecar goes among the containers that start first: before all, so
/// that they may call it, but after a mesh's, through which its own calls go.
fn place(first: &[Container], notes: &mut Vec<String>) -> Option<usize> {
    let last = first.iter().rposition(|found| MESHES.contains(&found.name.as_str()));
    if let Some(last) = last {
        notes.push(format!("starts after `{}`, and stops before it", first[last].name));
    }
    let at = last.map_or(0, |last| last + 1);
    (at < first.len()).then_some(at)
}

/// Lets other users of the pod use the socket.
fn group(growth: &mut Growth<'_, '_>, spec: Id, notes: &mut Vec<String>) -> Result<(), String> {
    let tree = growth.tree;
    let context = tree.at(spec, &["securityContext"]);
    let set = context.and_then(|context| tree.at(context, &["fsGroup"]));
    if let Some(set) = set.filter(|set| !tree.is_null(*set)) {
        notes.push(format!("keeps `fsGroup: {}`", tree.as_text(set).unwrap_or_default()));
        return Ok(());
    }
    if set.is_some() {
        return Err("`fsGroup` is there without a value: give it one, or take it out".to_owned());
    }
    growth.record.absent.push("fsGroup".to_owned());
    let entries = vec![("fsGroup".to_owned(), Value::from(sidecar::GROUP))];
    growth.entries(spec, "securityContext", "securityContext", entries)
}

/// Says on the pod that it was injected, and what was there.
fn mark(growth: &mut Growth<'_, '_>, template: Id) -> Result<(), String> {
    // The record also says what stood where it is written itself: that is seen first.
    let record = std::mem::take(&mut growth.record);
    let mut seen = Growth { tree: growth.tree, asked: Vec::new(), record };
    put_marks(&mut seen, template, Vec::new())?;
    let mut marks = vec![(INJECTED.to_owned(), Value::from(env!("CARGO_PKG_VERSION")))];
    marks.extend(seen.record.text().map(|text| (RESTORE.to_owned(), text.into())));
    put_marks(growth, template, marks)
}

fn put_marks(
    growth: &mut Growth<'_, '_>,
    template: Id,
    marks: Vec<(String, Value)>,
) -> Result<(), String> {
    let metadata = growth.tree.at(template, &["metadata"]);
    let has_entries = |id: &Id| growth.tree.entries(*id).is_some_and(|found| !found.is_empty());
    match metadata.filter(has_entries) {
        Some(metadata) => growth.entries(metadata, "annotations", "annotations", marks),
        None => {
            growth.record.absent.push("annotations".to_owned());
            let annotations = vec![("annotations".to_owned(), Value::Map(marks))];
            growth.entries(template, "metadata", "metadata", annotations)
        }
    }
}

/// What its reader should know of a pod.
fn notes(tree: &Tree<'_>, template: Id, pod: &Pod) -> Vec<String> {
    let mut notes = Vec::new();
    let port = sidecar::ADMIN_PORT;
    if tree.text_at(pod.spec, &["hostNetwork"]) == Some("true") {
        notes.push(format!("hostNetwork: the sidecar takes port {port} of the node"));
    }
    let asks = |key: &str, values: &[&str]| {
        ["annotations", "labels"].iter().any(|place| {
            let text = tree.text_at(template, &["metadata", place, key]);
            text.is_some_and(|text| values.contains(&text))
        })
    };
    let has = |name: &str| pod.first.iter().chain(&pod.main).any(|found| found.name == name);
    let istio = "sidecar.istio.io/inject";
    let excluded = "traffic.sidecar.istio.io/excludeInboundPorts";
    let is_excluded = tree.text_at(template, &["metadata", "annotations", excluded]).is_some();
    if (asks(istio, &["true"]) || has("istio-proxy")) && !is_excluded {
        notes.push(format!(
            "istio: where it takes mutual TLS only, `{excluded}: \"{port}\"` lets the probes of \
             the sidecar through"
        ));
    }
    let linkerd = "config.linkerd.io/skip-inbound-ports";
    let is_skipped = tree.text_at(template, &["metadata", "annotations", linkerd]).is_some();
    let is_meshed = asks("linkerd.io/inject", &["enabled", "ingress"]) || has("linkerd-proxy");
    if is_meshed && !is_skipped {
        notes.push(format!(
            "linkerd: where its policy denies by default, `{linkerd}: \"{port}\"` lets the probes \
             of the sidecar through"
        ));
    }
    notes
}
