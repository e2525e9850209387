//! Calls that need themselves.

use std::collections::VecDeque;

use super::Adjacent;
use crate::plan::{Edge, Strength};

/// A longer circle is named in part.
const SPELT_MAX: usize = 16;

/// Not visited.
const NONE: u32 = u32::MAX;

/// The strongly connected component of every call, by number (Tarjan's
/// algorithm with its stack on the heap).
pub(crate) fn components(count: usize, edges: &[Edge], kept: impl Fn(&Edge) -> bool) -> Vec<u32> {
    let children = Adjacent::by(count, edges, |edge| edge.from, kept);
    let mut index = vec![NONE; count];
    let mut low = vec![0_u32; count];
    let mut component = vec![NONE; count];
    let (mut visited, mut found) = (0_u32, 0_u32);
    let mut open: Vec<usize> = Vec::new();
    // A node and how many of its edges were followed.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for root in 0..count {
        if index[root] != NONE {
            continue;
        }
        path.push((root, 0));
        while let Some((node, followed)) = path.last_mut() {
            let node = *node;
            if *followed == 0 && index[node] == NONE {
                (index[node], low[node]) = (visited, visited);
                visited += 1;
                open.push(node);
            }
            if let Some(&edge) = children.of(node).get(*followed) {
                *followed += 1;
                let next = edges[edge as usize].to;
                if index[next] == NONE {
                    path.push((next, 0));
                } else if component[next] == NONE {
                    low[node] = low[node].min(index[next]);
                }
                continue;
            }
            path.pop();
            if let Some(&(before, _)) = path.last() {
                low[before] = low[before].min(low[node]);
            }
            if low[node] == index[node] {
                while let Some(member) = open.pop() {
                    component[member] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    component
}

/// A call that needs itself, and how.
#[derive(Debug)]
pub(crate) struct Member {
    /// The call.
    pub(crate) call: usize,
    /// From the call to itself, each needing the next. `None` stands for what
    /// was left out of a long circle.
    pub(crate) circle: Vec<Option<usize>>,
}

/// Takes the needs out of `edges` that lie on a circle, and names the calls on
/// it.
pub(crate) fn take_out(count: usize, edges: &mut Vec<Edge>) -> Vec<Member> {
    let is_need = |edge: &Edge| edge.strength != Strength::Order;
    let component = components(count, edges, is_need);
    let circular: Vec<Edge> = edges
        .extract_if(.., |edge| is_need(edge) && component[edge.from] == component[edge.to])
        .collect();
    let needs = Adjacent::by(count, &circular, |edge| edge.to, |_| true);
    let needed_by = Adjacent::by(count, &circular, |edge| edge.from, |_| true);
    // Two trees in each component: from its first call along needs, and back.
    let mut trees = Trees { before: vec![NONE; count], after: vec![NONE; count] };
    let mut members = Vec::new();
    for call in 0..count {
        if needs.of(call).is_empty() {
            continue;
        }
        if trees.before[call] == NONE {
            grow(call, &mut trees.before, |node| needs.of(node), |edge| circular[edge].from);
            grow(call, &mut trees.after, |node| needed_by.of(node), |edge| circular[edge].to);
        }
        let itself = needs.of(call).iter().any(|&edge| circular[edge as usize].from == call);
        let circle = if itself {
            vec![Some(call), Some(call)]
        } else {
            trees.circle(call, circular[needs.of(call)[0] as usize].from)
        };
        members.push(Member { call, circle });
    }
    members
}

/// Breadth first from `root`; for each node the one that it was reached from.
fn grow<'a>(
    root: usize,
    tree: &mut [u32],
    edges: impl Fn(usize) -> &'a [u32],
    end: impl Fn(usize) -> usize,
) {
    let mut queue = VecDeque::from([root]);
    tree[root] = u32::try_from(root).unwrap_or(NONE);
    while let Some(node) = queue.pop_front() {
        for &edge in edges(node) {
            let next = end(edge as usize);
            if tree[next] == NONE {
                tree[next] = u32::try_from(node).unwrap_or(NONE);
                queue.push_back(next);
            }
        }
    }
}

struct Trees {
    /// On the way from the component's first call: who needs this one.
    before: Vec<u32>,
    /// On the way to the component's first call: whom this one needs.
    after: Vec<u32>,
}

impl Trees {
    /// A circle through `call`, which needs `needed`.
    fn circle(&self, call: usize, needed: usize) -> Vec<Option<usize>> {
        // At the component's first call both trees end: leave it by any need.
        let is_root = self.after[call] as usize == call;
        let mut there = vec![call];
        if is_root {
            there.push(needed);
        }
        let mut reached = true;
        while let Some(&last) = there.last() {
            let next = self.after[last] as usize;
            if next == last || (is_root && last == call && there.len() > 1) {
                break;
            }
            if there.len() == SPELT_MAX {
                reached = false;
                break;
            }
            there.push(next);
        }
        // The way back to the call, from its end; the first call of the
        // component is the last of `there`.
        let mut back = vec![call];
        while !is_root && let Some(&last) = back.last() {
            let next = self.before[last] as usize;
            if next == last {
                break;
            }
            if back.len() == SPELT_MAX {
                reached = false;
                break;
            }
            back.push(next);
        }
        back.reverse();
        if !reached || there.len() + back.len() > SPELT_MAX {
            let start = there.iter().take(4).copied().map(Some);
            let end = back.iter().skip(back.len().saturating_sub(4)).copied().map(Some);
            let end: Vec<_> = if is_root { vec![Some(call)] } else { end.collect() };
            return start.chain([None]).chain(end).collect();
        }
        if is_root {
            return there.into_iter().map(Some).collect();
        }
        // Where the way there first meets the way back, the rest is a detour.
        let (meets, resumes) = there
            .iter()
            .enumerate()
            .skip(1)
            .find_map(|(meets, node)| Some((meets, back.iter().position(|other| other == node)?)))
            .unwrap_or((there.len() - 1, 0));
        there.truncate(meets + 1);
        there.into_iter().chain(back.into_iter().skip(resumes + 1)).map(Some).collect()
    }
}
