//! From a text to a text: all workloads, all or nothing for each.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Error, Outcome, Report, Settings, Verdict, add, asked,
    edit::{Edit, Edits, apply},
    parse::parse,
    remove,
    render::Look,
    shared::{Request, agreed},
    tree::{Id, Kind, Style, Tree},
    verify,
    workload::{self, Workload},
};

/// Workloads by their number in the text, and why each was left alone.
type Refused = BTreeMap<usize, String>;

/// Puts the sidecar into every workload of a text that does not say otherwise. A
/// sidecar that is there already is brought up to date.
pub fn inject(text: &str, settings: &Settings) -> Result<Outcome, Error> {
    let before = parse(text)?;
    let (workloads, others) = workload::find(&before);
    let marked =
        workloads.iter().enumerate().filter(|(_, found)| version(&before, found).is_some());
    let mut again: BTreeSet<usize> = marked.map(|(at, _)| at).collect();
    let mut refused = Refused::new();
    loop {
        // What was injected before is taken out first, so that it comes out the
        // same as if it had never been.
        let (bare, stuck) = without(text, &before, &workloads, &again)?;
        if !stuck.is_empty() {
            again.retain(|at| !stuck.contains_key(at));
            refused.extend(stuck);
            continue;
        }
        let (text, mut verdicts) = with(&bare, settings, &refused)?;
        let failed: Vec<_> = again.iter().filter(|at| !is_injected(&verdicts, **at)).collect();
        if !failed.is_empty() {
            let failed: Vec<usize> = failed.into_iter().copied().collect();
            for at in failed {
                again.remove(&at);
                refused.insert(at, reason(verdicts.get(at)));
            }
            continue;
        }
        compare(&before, &workloads, &text, &mut verdicts)?;
        let reports = reports(&workloads, verdicts);
        return Ok(Outcome { text, reports, others });
    }
}

/// Takes the sidecar out of every workload that was injected.
pub fn uninject(text: &str) -> Result<Outcome, Error> {
    let tree = parse(text)?;
    let (workloads, others) = workload::find(&tree);
    let marked = workloads.iter().enumerate().filter(|(_, found)| version(&tree, found).is_some());
    let all: BTreeSet<usize> = marked.map(|(at, _)| at).collect();
    let mut wanted = all.clone();
    let mut refused = Refused::new();
    let text = loop {
        let (text, stuck) = without(text, &tree, &workloads, &wanted)?;
        if stuck.is_empty() {
            break text;
        }
        wanted.retain(|at| !stuck.contains_key(at));
        refused.extend(stuck);
    };
    let verdicts = workloads.iter().enumerate().map(|(at, found)| {
        let template = found.template;
        let verdict = match refused.remove(&at) {
            Some(why) => Verdict::LeftAlone(why),
            None if all.contains(&at) => Verdict::Uninjected,
            None => template
                .map_or(Ok(()), |template| remove::orphaned(&tree, template))
                .map_or_else(Verdict::LeftAlone, |()| Verdict::HadNone),
        };
        (verdict, Vec::new())
    });
    let reports = reports(&workloads, verdicts.collect());
    Ok(Outcome { text, reports, others })
}

/// A verdict and its notes.
type Verdicts = Vec<(Verdict, Vec<String>)>;

fn reports(workloads: &[Workload], verdicts: Verdicts) -> Vec<Report> {
    let pairs = workloads.iter().zip(verdicts);
    let reports = pairs.map(|(found, (verdict, notes))| Report {
        line: found.line,
        workload: format!("{}/{}", found.kind.to_lowercase(), found.name),
        verdict,
        notes,
    });
    reports.collect()
}

fn is_injected(verdicts: &Verdicts, at: usize) -> bool {
    matches!(verdicts.get(at), Some((Verdict::Injected { .. }, _)))
}

/// Why one that has a sidecar keeps it as it is.
fn reason(verdict: Option<&(Verdict, Vec<String>)>) -> String {
    match verdict {
        Some((Verdict::Passed(why), _)) => format!(
            "{why}, but it was injected before: `sidecall inject --uninject` takes the sidecar out"
        ),
        Some((Verdict::LeftAlone(why), _)) => format!("it keeps the sidecar that it has: {why}"),
        _ => "it keeps the sidecar that it has".to_owned(),
    }
}

fn version<'t>(tree: &'t Tree<'_>, workload: &Workload) -> Option<&'t str> {
    remove::injected(tree, workload.template?)
}

/// The text without the sidecars of these workloads, or those that cannot lose
/// theirs.
fn without(
    text: &str,
    tree: &Tree<'_>,
    workloads: &[Workload],
    numbers: &BTreeSet<usize>,
) -> Result<(String, Refused), Error> {
    let mut stuck = Refused::new();
    let mut requests = Vec::new();
    for at in numbers {
        let Some((found, template)) =
            workloads.get(*at).and_then(|found| Some((found, found.template?)))
        else {
            continue;
        };
        match sound(tree, found).and_then(|()| remove::plan(tree, template)) {
            Ok(edits) => requests.extend(asked_by(*at, edits)),
            Err(why) => {
                stuck.insert(*at, why);
            }
        }
    }
    if !stuck.is_empty() {
        return Ok((text.to_owned(), stuck));
    }
    let out = changed(tree, requests, &mut stuck);
    Ok((out, stuck))
}

/// The text with a sidecar in every workload that is to have one.
fn with(text: &str, settings: &Settings, refused: &Refused) -> Result<(String, Verdicts), Error> {
    let tree = parse(text)?;
    let (workloads, _) = workload::find(&tree);
    let mut verdicts = Verdicts::with_capacity(workloads.len());
    let mut requests = Vec::new();
    for (at, found) in workloads.iter().enumerate() {
        let verdict = match refused.get(&at) {
            Some(why) => (Verdict::LeftAlone(why.clone()), Vec::new()),
            None => match planned(&tree, found, settings) {
                Ok(plan) => {
                    requests.extend(asked_by(at, plan.edits));
                    let containers = plan.containers;
                    (Verdict::Injected { containers, instead_of: None }, plan.notes)
                }
                Err(verdict) => (verdict, Vec::new()),
            },
        };
        verdicts.push(verdict);
    }
    let mut stuck = Refused::new();
    let text = changed(&tree, requests, &mut stuck);
    for (at, why) in stuck {
        verdicts[at] = (Verdict::LeftAlone(why), Vec::new());
    }
    Ok((text, verdicts))
}

fn asked_by(workload: usize, edits: Vec<(Id, Edit)>) -> impl Iterator<Item = Request> {
    edits.into_iter().map(move |(node, edit)| Request { workload, node, edit })
}

/// The sidecar that a workload is to have, or why it gets none.
fn planned(tree: &Tree<'_>, found: &Workload, settings: &Settings) -> Result<add::Plan, Verdict> {
    let fault = Verdict::LeftAlone;
    if asked::is_disabled(tree, found).map_err(fault)? {
        return Err(Verdict::Passed(format!("`{}: disabled`", asked::INJECT)));
    }
    let is_asked = workload::annotation(tree, found, asked::INJECT).is_some();
    let pass = |why: String| if is_asked { fault(why) } else { Verdict::Passed(why) };
    if !found.is_known {
        return Err(pass(format!(
            "{} is no kind that is known here; the Helm chart's templates go into any",
            found.kind
        )));
    }
    let template = found.template.ok_or_else(|| fault("it has no pod template".to_owned()))?;
    if add::is_windows(tree, template) {
        return Err(pass("its pods run on Windows, and the sidecar on Linux".to_owned()));
    }
    sound(tree, found).and_then(|()| remove::orphaned(tree, template)).map_err(fault)?;
    let wish = asked::wish(tree, found, settings).map_err(fault)?;
    add::plan(tree, found, template, &wish, settings).map_err(fault)
}

/// Refuses what readers of YAML do not agree on.
fn sound(tree: &Tree<'_>, found: &Workload) -> Result<(), String> {
    match workload::repeated_key(tree, found.root) {
        None => Ok(()),
        Some(key) => {
            let (line, text) = (tree.line(tree.node(key).start), tree.as_text(key));
            let key = text.unwrap_or_default();
            Err(format!("the key `{key}` (line {line}) stands twice in one mapping: keep one"))
        }
    }
}

/// The text with what is asked for, without the workloads that are then stuck.
fn changed(tree: &Tree<'_>, mut requests: Vec<Request>, stuck: &mut Refused) -> String {
    let look = look(tree);
    loop {
        let edits = match agreed(tree, &requests) {
            Ok(edits) => edits,
            Err((workloads, why)) => {
                requests.retain(|request| !workloads.contains(&request.workload));
                stuck.extend(workloads.into_iter().map(|at| (at, why.clone())));
                continue;
            }
        };
        if let Some(text) = written(tree, &edits, look) {
            return text;
        }
        let bad = unwritable(tree, &requests, look);
        requests.retain(|request| !bad.contains(&request.workload));
        let why = "the change cannot be written into this text without changing more: write the \
                   workload in plain block style, and end the file with a line break";
        stuck.extend(bad.into_iter().map(|at| (at, why.to_owned())));
    }
}

/// Of requests that cannot be written together, the workloads that are at fault:
/// found by halves, since a text may hold thousands.
fn unwritable(tree: &Tree<'_>, requests: &[Request], look: Look) -> BTreeSet<usize> {
    let all: BTreeSet<usize> = requests.iter().map(|request| request.workload).collect();
    let numbers: Vec<usize> = all.iter().copied().collect();
    if numbers.len() < 2 {
        return all;
    }
    let mut bad = BTreeSet::new();
    for half in numbers.chunks(numbers.len().div_ceil(2)) {
        let of_half = requests.iter().filter(|request| half.contains(&request.workload));
        let of_half: Vec<Request> = of_half.cloned().collect();
        // What only the whole agrees on is not asked of a half.
        let edits = agreed(tree, &of_half);
        if edits.is_ok_and(|edits| written(tree, &edits, look).is_none()) {
            bad.extend(unwritable(tree, &of_half, look));
        }
    }
    if bad.is_empty() { all } else { bad }
}

/// The text with these changes, if it then says just that.
fn written(tree: &Tree<'_>, edits: &Edits, look: Look) -> Option<String> {
    let text = apply(tree, edits, look)?;
    let new = parse(&text).ok()?;
    verify::is_as_planned(tree, edits, &new).then_some(text)
}

/// How the lists of a text are indented under their keys.
fn look(tree: &Tree<'_>) -> Look {
    let lists = tree.nodes.iter().filter_map(|node| match &node.kind {
        Kind::Mapping { style: Style::Block, entries } => Some(entries),
        _ => None,
    });
    let indent = lists.flatten().find_map(|entry| {
        let list = tree.node(entry.value);
        let Kind::Sequence { style: Style::Block, dashes, .. } = &list.kind else { return None };
        let key = tree.column(tree.node(entry.key).start);
        Some(tree.column(*dashes.first()?).saturating_sub(key))
    });
    Look { list_indent: indent.unwrap_or(0) }
}

/// Says of what had a sidecar whether it has another now.
fn compare(
    before: &Tree<'_>,
    workloads: &[Workload],
    text: &str,
    verdicts: &mut Verdicts,
) -> Result<(), Error> {
    let after = parse(text)?;
    let (found, _) = workload::find(&after);
    let pairs = workloads.iter().zip(&found).zip(verdicts);
    for ((old, new), (verdict, _)) in pairs {
        let Verdict::Injected { instead_of, .. } = verdict else { continue };
        let Some(version) = version(before, old) else { continue };
        if verify::is_same(before, old.root, &after, new.root) {
            *verdict = Verdict::Unchanged;
        } else {
            *instead_of = Some(version.to_owned());
        }
    }
    Ok(())
}
