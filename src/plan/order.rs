//! Order that nobody wrote: calls with effects keep block order, and calls that
//! touch the same resource do.
//!
//! These edges give way to everything else. They are found along a sequence of
//! the calls: block order, or, where a call refers forward, the nearest to it
//! that all other edges allow. Since all of them follow that one sequence, they
//! make no cycle.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use self::conflicts::Conflict;
use super::{Call, Edge, EdgeKind, Lift, Strength, graph, growing::Settled};
use crate::model::{Access, ApiName, ClaimKey};

mod conflicts;

/// Most characters of a resource's name in a reason.
const NAME_CHARS_MAX: usize = 64;

/// Adds to `edges` what calls wait for by default and by what they read and
/// write, and brings `order` in line. What is settled comes first: nobody waits
/// for those after it in vain.
pub(super) fn add(
    calls: &[Call<'_>],
    edges: &mut Vec<Edge>,
    order: &mut Vec<u32>,
    settled: &Settled<'_>,
) {
    // Most turns only read.
    if calls.iter().all(|call| call.turn.is_none() && call.claims.is_empty()) {
        return;
    }
    let mut found = find(calls, settled.first(0..calls.len()));
    if found.is_empty() {
        return;
    }
    if edges.iter().any(|edge| edge.from > edge.to) {
        let others = edges.len();
        edges.append(&mut found);
        let sequence = graph::nearest_sequence(calls.len(), edges);
        edges.truncate(others);
        found = find(calls, settled.first(sequence.iter().map(|&call| call as usize)));
    }
    found.retain(|edge| !settled.has(edge.to));
    edges.append(&mut found);
    edges.sort_by_key(|edge| (edge.to, edge.from, edge.strength, edge.kind));
    edges.dedup_by(|lesser, kept| {
        let is_same = (lesser.to, lesser.from) == (kept.to, kept.from);
        kept.in_line |= is_same && lesser.in_line;
        is_same
    });
    *order = graph::sort(calls.len(), edges);
}

/// The edges along this sequence of all calls; some pairs may have two.
fn find(calls: &[Call<'_>], sequence: impl Iterator<Item = usize> + Clone) -> Vec<Edge> {
    let mut edges = Vec::new();
    in_turn(calls, sequence.clone(), &mut edges);
    let conflicts = conflicts::find(calls, sequence);
    if !conflicts.is_empty() {
        let remedy = Arc::from("narrower keys in `reads` and `writes` of the tools");
        edges.extend(conflicts.iter().map(|conflict| resource(conflict, &remedy)));
    }
    edges
}

/// Calls of one API that keep block order form one chain.
fn in_turn(calls: &[Call<'_>], sequence: impl Iterator<Item = usize>, edges: &mut Vec<Edge>) {
    // The last of each, and what is said of those behind it.
    let mut lines: HashMap<&ApiName, (usize, Arc<str>, Arc<str>)> = HashMap::new();
    for to in sequence {
        let Some(api) = calls[to].turn else { continue };
        let Some((last, reason, remedy)) = lines.get_mut(api) else {
            let reason = format!("block order of {api}").into();
            let remedy =
                format!("`writes: [...]` on the tool, or `apis.{api}.ordering: none`").into();
            lines.insert(api, (to, reason, remedy));
            continue;
        };
        edges.push(Edge {
            from: std::mem::replace(last, to),
            to,
            kind: EdgeKind::BlockOrder,
            strength: Strength::Order,
            reason: Arc::clone(reason),
            in_line: true,
            lift: Some(lift(remedy)),
        });
    }
}

fn lift(remedy: &Arc<str>) -> Box<Lift> {
    Box::new(Lift { cost: Duration::ZERO, remedy: Arc::clone(remedy) })
}

fn resource(conflict: &Conflict<'_>, remedy: &Arc<str>) -> Edge {
    let Conflict { from: (from, before), to: (to, claim), is_certain } = *conflict;
    let key = Key(&claim.key);
    let reason = if is_certain {
        match (before.access, claim.access) {
            (Access::Write, Access::Write) => format!("both write {key}"),
            (Access::Write, Access::Read) => format!("reads {key}, which that call writes"),
            (Access::Read, _) => format!("writes {key}, which that call reads"),
        }
    } else if before.key == claim.key {
        format!("{key} may be the same")
    } else {
        format!("{key} may be {}", Key(&before.key))
    };
    Edge {
        from,
        to,
        kind: EdgeKind::Resource,
        strength: if is_certain { Strength::Order } else { Strength::Keys },
        reason: reason.into(),
        in_line: true,
        lift: Some(lift(remedy)),
    }
}

/// A resource's name for people, with a sign for what is yet to come.
struct Key<'a>(&'a ClaimKey);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = match self.0 {
            ClaimKey::Known(name) => name.chars().take(NAME_CHARS_MAX + 1).collect(),
            ClaimKey::Unknown(pieces) => {
                let parts = pieces.iter().enumerate();
                let parts = parts.flat_map(|(at, piece)| [if at > 0 { "…" } else { "" }, piece]);
                parts.flat_map(str::chars).take(NAME_CHARS_MAX + 1).collect()
            }
        };
        match shown.char_indices().nth(NAME_CHARS_MAX) {
            Some((end, _)) => write!(f, "{}…", &shown[..end]),
            None => f.write_str(&shown),
        }
    }
}
