//! What depends on what.
//!
//! [`build`] finds the edges of a turn and proves them acyclic; calls that
//! cannot run carry their fault, and the rest is unharmed. [`Template`] makes
//! an input of other calls' results, [`Whole`] is such a result as references
//! read it, and [`estimate()`] says what a plan will take.
//!
//! Everything is iterative, and linear in calls, edges and bytes.

use std::{ops::Range, sync::Arc, time::Duration};

use self::{graph::cycle::Member, growing::Settled, names::Names};
use crate::model::{ApiName, CallId, Claim, Failure, FailureCode, Json, Ordering, ToolName};

mod edges;
mod estimate;
mod graph;
mod growing;
mod names;
mod order;
mod path;
mod pointers;
mod reference;
mod scan;
mod template;
mod whole;

pub use estimate::{Estimate, depth, depths, estimate, price, remaining};
pub use growing::grow;
pub use path::Path;
pub use reference::{Fault, Reference, Target};
pub use template::Template;
pub use whole::Whole;

/// What the plan must know of a call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its id.
    pub id: &'a CallId,
    /// Its tool's name.
    pub tool: &'a str,
    /// Whether there is such a tool: of one that there is not, nothing is said, so
    /// that it is like any other.
    pub is_known: bool,
    /// Its input; `None` where it cannot be read.
    pub input: Option<&'a Json>,
    /// Ids, names or positions of calls that must succeed first.
    pub depends_on: &'a [String],
    /// `after` of its tool.
    pub after: &'a [ToolName],
    /// Whether references in its input are looked for.
    pub references: bool,
    /// The API that runs it in block order among its other such calls.
    pub turn: Option<&'a ApiName>,
    /// What it reads and writes.
    pub claims: &'a [Claim],
    /// The series that it is of, whose first call that does not succeed skips the
    /// rest.
    pub series: Option<&'a str>,
}

/// A turn's calls and edges, proven acyclic.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In call order.
    pub nodes: Vec<Node>,
    /// By child, then by parent; at most one for each pair: the strongest. Those
    /// of a cycle of needs are absent, since its members cannot run.
    pub edges: Vec<Edge>,
    /// Where each child's edges begin in `edges`; one more than nodes.
    parents: Vec<u32>,
    /// Where each parent's edges begin in `children`; one more than nodes.
    children_from: Vec<u32>,
    /// Places in `edges`, by parent, then by child.
    children: Vec<u32>,
    /// Every call after all that it waits for.
    order: Vec<u32>,
}

/// A call in the plan.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Why it cannot run.
    pub fault: Option<Failure>,
    /// How its input is made of other calls' results; `None` where the input is
    /// sent as it is.
    pub template: Option<Template>,
    /// Whether it names nobody yet in a place that would be a reference if a call
    /// of that name came, and is text if none does.
    pub is_open: bool,
}

/// One dependency.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edge {
    /// Place of the parent in the turn, from 0.
    pub from: usize,
    /// Place of the child.
    pub to: usize,
    /// Why.
    pub kind: EdgeKind,
    /// What the parent's failure means for the child.
    pub strength: Strength,
    /// For people: `${get_user.id}`, `depends_on`, `after get_user`.
    pub reason: Arc<str>,
    /// Whether the two keep block order, whatever else holds them: the child waits
    /// for all that the parent waits for along such edges, also where the parent
    /// ended before them.
    pub in_line: bool,
    /// Set where nobody wrote it: it follows from what the configuration says of
    /// the two tools, and can be lifted there.
    pub lift: Option<Box<Lift>>,
}

/// What an order that nobody wrote costs, and how it is lifted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lift {
    /// So much later the child starts for this edge, by the estimate.
    pub cost: Duration,
    /// The declaration that lifts it.
    pub remedy: Arc<str>,
}

/// Why a call waits for another; the kinds that need it first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum EdgeKind {
    /// `depends_on`.
    Explicit,
    /// A reference in the input.
    Reference,
    /// `after` on the tool.
    After,
    /// What the two read and write.
    Resource,
    /// Block order, of an ordered batch, a series or calls with effects.
    BlockOrder,
}

/// What a parent's failure means for the child; the strongest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Strength {
    /// The child is skipped.
    Need,
    /// The child takes its default and runs.
    Optional,
    /// The child only waits for the parent's end.
    Order,
    /// The child waits until it is known what the parent reads and writes, and
    /// for its end only where that stands against what the child does.
    Keys,
}

/// Plans a turn.
///
/// A call whose dependencies cannot be understood, or that needs itself by
/// whatever detour, gets a fault; every other call is planned as if that one
/// were going to fail. An edge that only orders two calls never stands against
/// a path of needs. In an ordered turn the calls form one chain, in block order
/// as far as their needs allow; in any other, those of a series do, calls with
/// effects where their API says so, and calls that touch the same resource.
pub fn build(calls: &[Call<'_>], ordering: Ordering) -> Plan {
    build_around(calls, ordering, &Settled::default())
}

/// The same, around what is settled already.
fn build_around(calls: &[Call<'_>], ordering: Ordering, settled: &Settled<'_>) -> Plan {
    let (mut nodes, mut edges) = edges::collect(calls, settled);
    let mut order = graph::sort(calls.len(), &edges);
    if order.len() < calls.len() {
        let members = graph::cycle::take_out(calls.len(), &mut edges);
        fault_members(&mut nodes, &members, calls);
        graph::drop_contrary_orders(calls.len(), &mut edges);
        order = graph::sort(calls.len(), &edges);
    }
    match ordering {
        Ordering::Ordered => edges::chain(&order, &mut edges, settled),
        Ordering::Free => {
            edges::series(calls, &order, &mut edges, settled);
            order::add(calls, &mut edges, &mut order, settled);
        }
    }
    Plan::new(nodes, edges, order)
}

/// Says to each call of a cycle how it comes to need itself, unless something
/// else is wrong with it already.
fn fault_members(nodes: &mut [Node], members: &[Member], calls: &[Call<'_>]) {
    if members.is_empty() {
        return;
    }
    let names = Names::new(calls);
    for member in members {
        let circle: Vec<String> = member
            .circle
            .iter()
            .map(|call| call.map_or_else(|| "…".to_owned(), |call| names.label(call)))
            .collect();
        let message = format!(
            "the call needs its own result: `{}`, each needing the next; take out one of these references or depends_on",
            circle.join(" → ")
        );
        nodes[member.call]
            .fault
            .get_or_insert_with(|| Failure::new(FailureCode::InvalidInput, message));
    }
}

impl Edge {
    /// What it costs, where nobody wrote it.
    pub fn cost(&self) -> Duration {
        self.lift.as_ref().map_or(Duration::ZERO, |lift| lift.cost)
    }
}

impl Plan {
    /// `edges` by child, then by parent; `order` such that parents come first.
    fn new(nodes: Vec<Node>, edges: Vec<Edge>, order: Vec<u32>) -> Self {
        let parents = offsets(nodes.len(), edges.iter().map(|edge| edge.to));
        let children_from = offsets(nodes.len(), edges.iter().map(|edge| edge.from));
        let mut next = children_from.clone();
        let mut children = vec![0; edges.len()];
        for (place, edge) in (0..).zip(&edges) {
            children[next[edge.from] as usize] = place;
            next[edge.from] += 1;
        }
        Self { nodes, edges, parents, children_from, children, order }
    }

    /// The edges into the call at this place in the turn, by parent.
    pub fn parents(&self, call: usize) -> &[Edge] {
        &self.edges[range(&self.parents, call)]
    }

    /// The edges out of the call at this place in the turn, by child.
    pub fn children(&self, call: usize) -> impl ExactSizeIterator<Item = &Edge> {
        let places = &self.children[range(&self.children_from, call)];
        places.iter().map(|&place| &self.edges[place as usize])
    }

    /// Every call's place in the turn, each after all that it waits for.
    pub fn order(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator {
        self.order.iter().map(|&call| call as usize)
    }
}

/// Where each group begins in a list sorted by group, and where the last ends.
fn offsets(groups: usize, members: impl Iterator<Item = usize>) -> Vec<u32> {
    let mut offsets = vec![0_u32; groups + 1];
    for group in members {
        offsets[group + 1] += 1;
    }
    for group in 0..groups {
        offsets[group + 1] += offsets[group];
    }
    offsets
}

fn range(offsets: &[u32], group: usize) -> Range<usize> {
    offsets[group] as usize..offsets[group + 1] as usize
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
