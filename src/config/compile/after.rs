//! `after:` of tools: names that exist, and no circle.

use std::collections::{BTreeMap, BTreeSet};

use super::Tools;
use crate::{
    config::file::{
        Decoder, Placed,
        decode::{Entry, Place},
    },
    registry::nearest::nearest,
};

/// Reports names of `after` that are no tool, and each circle once.
pub(super) fn check(tools: &Tools, decoder: &mut Decoder<'_>) {
    let names = || tools.0.iter().map(|entry| entry.text.as_str());
    let mut edges: BTreeMap<&str, Vec<(&str, &Place)>> = BTreeMap::new();
    for Entry { text, value, .. } in &tools.0 {
        let after = value.as_ref().and_then(|tool| tool.after.as_ref());
        for Placed { value: target, place } in after.into_iter().flatten() {
            if names().any(|name| name == target.as_str()) {
                edges.entry(text).or_default().push((target, place));
                continue;
            }
            let fix = match nearest(target, names()).first() {
                Some(meant) => format!("write `{meant}`"),
                None => "write the name of a tool of this file".to_owned(),
            };
            decoder.fault_at(place, format!("there is no tool `{target}`"), fix);
        }
    }
    for (circle, place) in circles(&edges) {
        let what = match circle.as_slice() {
            [only, _] => format!("`{only}` cannot come after itself"),
            _ => format!("these tools wait for each other: {}", circle.join(" → ")),
        };
        decoder.fault_at(place, what, "take one of them out of an `after`");
    }
}

type Edges<'a> = BTreeMap<&'a str, Vec<(&'a str, &'a Place)>>;

/// Walks depth first without recursion; a way back to a tool that is still open
/// closes a circle.
fn circles<'a>(edges: &Edges<'a>) -> Vec<(Vec<&'a str>, &'a Place)> {
    let mut circles = Vec::new();
    let mut done = BTreeSet::new();
    for start in edges.keys() {
        let mut way = vec![(*start, 0)];
        while let Some((tool, next)) = way.last_mut() {
            let tool = *tool;
            let edge = edges.get(tool).and_then(|edges| edges.get(*next));
            *next += 1;
            let Some((target, place)) = edge.filter(|_| !done.contains(tool)) else {
                done.insert(tool);
                way.pop();
                continue;
            };
            if let Some(from) = way.iter().position(|(tool, _)| tool == target) {
                let mut circle: Vec<_> = way[from..].iter().map(|(tool, _)| *tool).collect();
                circle.push(target);
                circles.push((circle, *place));
            } else {
                way.push((target, 0));
            }
        }
    }
    circles
}
