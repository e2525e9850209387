//! Finds what the calls of a turn say of each other.

use std::{cell::LazyCell, sync::Arc};

use super::{
    Call, Edge, EdgeKind, Node, Strength, Target, Template, growing::Settled, names::Names, scan,
};
use crate::model::{Failure, FailureCode, Json};

/// The calls with their faults and templates, and what they wait for: by child,
/// then by parent, at most one for each pair, cycles and all.
pub(super) fn collect(calls: &[Call<'_>], settled: &Settled<'_>) -> (Vec<Node>, Vec<Edge>) {
    // Most turns name nobody.
    let names = LazyCell::new(|| Names::new(calls));
    let depends_on: Arc<str> = "depends_on".into();
    let mut nodes = Vec::with_capacity(calls.len());
    let mut edges = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        if settled.has(place) {
            nodes.push(Node::default());
            edges.extend(settled.edges_into(place));
            continue;
        }
        let mut own = Own { to: place, edges: Vec::new(), faults: Vec::new(), is_open: false };
        if !call.depends_on.is_empty() {
            own.explicit(call.depends_on, &names, &depends_on);
        }
        let input = call.input.filter(|_| call.references);
        let template = input
            .filter(|input| scan::is_worth_it(input.as_str()))
            .and_then(|input| own.references(input, &names));
        for tool in call.after {
            own.after(tool, &names);
        }
        strongest(&mut own.edges);
        edges.append(&mut own.edges);
        let fault = (!own.faults.is_empty())
            .then(|| Failure::new(FailureCode::InvalidInput, own.faults.join("; ")));
        nodes.push(Node { fault, template, is_open: own.is_open });
    }
    (nodes, edges)
}

/// Sorts one child's edges by parent and keeps the strongest of each.
pub(super) fn strongest(edges: &mut Vec<Edge>) {
    edges.sort_by_key(|edge| (edge.from, edge.strength, edge.kind));
    edges.dedup_by_key(|edge| edge.from);
}

/// Adds the edges of an ordered turn: each call needs the one before it in
/// `order`, so that the first that does not succeed skips the rest.
pub(super) fn chain(order: &[u32], edges: &mut Vec<Edge>, settled: &Settled<'_>) {
    edges.extend(links(order, &"block order".into(), settled));
    strongest_of_all(edges);
}

/// Adds the edges of each series of the turn: those of an ordered turn, among its
/// calls alone.
pub(super) fn series(
    calls: &[Call<'_>],
    order: &[u32],
    edges: &mut Vec<Edge>,
    settled: &Settled<'_>,
) {
    let mut all: Vec<(&str, Vec<u32>)> = Vec::new();
    for &call in order {
        let Some(name) = calls[call as usize].series else { continue };
        // A turn has one or two.
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(call),
            None => all.push((name, vec![call])),
        }
    }
    if all.is_empty() {
        return;
    }
    for (name, members) in all {
        edges.extend(links(&members, &format!("block order of {name}").into(), settled));
    }
    strongest_of_all(edges);
}

/// Each of these calls needs the one before it.
fn links(order: &[u32], reason: &Arc<str>, settled: &Settled<'_>) -> impl Iterator<Item = Edge> {
    let pairs = order.windows(2).filter(|pair| !settled.has(pair[1] as usize));
    pairs.map(|pair| Edge {
        from: pair[0] as usize,
        to: pair[1] as usize,
        kind: EdgeKind::BlockOrder,
        strength: Strength::Need,
        reason: Arc::clone(reason),
        in_line: false,
        lift: None,
    })
}

/// Sorts the edges of all children and keeps the strongest of each pair.
fn strongest_of_all(edges: &mut Vec<Edge>) {
    edges.sort_by_key(|edge| (edge.to, edge.from, edge.strength, edge.kind));
    edges.dedup_by_key(|edge| (edge.to, edge.from));
}

/// What one call says.
struct Own {
    to: usize,
    edges: Vec<Edge>,
    faults: Vec<String>,
    is_open: bool,
}

impl Own {
    fn explicit(&mut self, depends_on: &[String], names: &Names<'_>, reason: &Arc<str>) {
        for name in depends_on {
            let found = match name.parse::<Target>() {
                Ok(target) => names.find(&target).map_err(|nobody| names.explain(&target, nobody)),
                Err(_) => Err(format!("`{name}` is no call of this turn; {}", names.everyone())),
            };
            match found {
                Ok(from) => self.push(from, EdgeKind::Explicit, Strength::Need, reason),
                Err(fault) => self.faults.push(format!("depends_on: {fault}")),
            }
        }
    }

    fn references(&mut self, input: &Json, names: &Names<'_>) -> Option<Template> {
        let found = scan::find(input.as_str(), names);
        self.faults.extend(found.faults);
        self.is_open = found.is_open;
        let template =
            (!found.pieces.is_empty()).then(|| Template::new(input.clone(), found.pieces))?;
        for reading in template.readings() {
            let strength = match reading.default {
                Some(_) => Strength::Optional,
                None => Strength::Need,
            };
            self.push(reading.from, EdgeKind::Reference, strength, &reading.written);
        }
        Some(template)
    }

    /// Orders the call behind every other call of the tool.
    fn after(&mut self, tool: &str, names: &Names<'_>) {
        let others = names.calls_of(tool);
        if others.is_empty() {
            return;
        }
        let reason: Arc<str> = format!("after {tool}").into();
        let own = self.to;
        for &from in others.iter().filter(|&&from| from != own && names.is_known(from)) {
            self.push(from, EdgeKind::After, Strength::Order, &reason);
        }
    }

    fn push(&mut self, from: usize, kind: EdgeKind, strength: Strength, reason: &Arc<str>) {
        let (to, reason) = (self.to, Arc::clone(reason));
        let edge = Edge { from, to, kind, strength, reason, in_line: false, lift: None };
        self.edges.push(edge);
    }
}
