//! What is known of a turn, from its events.

use std::{collections::HashMap, time::Duration};

use super::{
    order::Order,
    row::{Row, Span, SpanKind},
};
use crate::{
    cli::terminal::harmless,
    proto::v1::{self, batch_event::Event},
};

/// What is known of a turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waterfall {
    /// In call order.
    pub(crate) rows: Vec<Row>,
    /// How it ended, once it has.
    pub(crate) summary: Option<v1::BatchSummary>,
    /// How long it is expected to take.
    pub(crate) expected: Duration,
    /// What order that nobody wrote makes of it.
    pub(crate) order: Order,
    /// Children of each row, each with whether it only waits for what the parent
    /// reads and writes to be known.
    children: Vec<Vec<(usize, bool)>>,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum State {
    /// Only planned: its times are estimates.
    Planned,
    /// Waits for calls.
    Blocked,
    /// Waits for its turn.
    Queued,
    /// In an attempt.
    Running,
    /// Between attempts.
    BackingOff,
    /// Succeeded.
    Done,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
    /// Never ran.
    Skipped,
}

impl State {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Blocked => "blocked",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::BackingOff => "retrying",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing more will happen to the call.
    pub(crate) fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled | Self::Skipped)
    }
}

impl Waterfall {
    /// What a plan expects.
    pub(crate) fn planned(plan: &v1::Plan) -> Self {
        let mut waterfall = Self::default();
        waterfall.accept(plan);
        // A child may stand before its parent in the turn, but never at a lesser
        // depth.
        let mut starts = vec![Duration::ZERO; plan.calls.len()];
        let runs = |call: &&v1::PlannedCall| call.fault.is_none();
        let latency = |at: usize| {
            plan.calls.get(at).filter(runs).map_or(Duration::ZERO, |call| time(call.latency))
        };
        let mut order: Vec<usize> = (0..plan.calls.len()).collect();
        order.sort_by_key(|&at| plan.calls.get(at).map_or(0, |call| call.depth));
        for at in order {
            let begin = starts.get(at).copied().unwrap_or_default();
            let end = begin + latency(at);
            for &(child, is_keys) in waterfall.children.get(at).into_iter().flatten() {
                if let Some(start) = starts.get_mut(child) {
                    *start = if is_keys { begin } else { end }.max(*start);
                }
            }
        }
        for (at, (row, start)) in waterfall.rows.iter_mut().zip(starts).enumerate() {
            row.spans.clear();
            row.state = State::Planned;
            if let Some(fault) = plan.calls.get(at).and_then(|call| call.fault.clone()) {
                row.state = State::Failed;
                row.failure = Some(fault);
                continue;
            }
            let end = start + latency(at);
            let wait = Span { kind: SpanKind::Blocked, from: Duration::ZERO, to: Some(start) };
            let run = Span { kind: SpanKind::Running, from: start, to: Some(end) };
            row.spans.extend([wait, run].into_iter().filter(|span| span.to > Some(span.from)));
        }
        waterfall
    }

    /// Takes in an event that was seen this long after the first.
    pub(crate) fn apply(&mut self, event: &v1::BatchEvent, seen: Duration) {
        match &event.event {
            Some(Event::Accepted(accepted)) => {
                self.accept(&accepted.plan.clone().unwrap_or_default());
            }
            Some(Event::Started(started)) => {
                if let Some(row) = self.row(started.index) {
                    row.begin(started);
                }
                self.let_go(started.index, time(started.at), |is_keys| is_keys);
            }
            Some(Event::Retrying(retrying)) => {
                if let Some(row) = self.row(retrying.index) {
                    row.enter(State::BackingOff, SpanKind::BackingOff, seen);
                }
            }
            Some(Event::CallFinished(finished)) => {
                if let Some(result) = &finished.result {
                    self.end(result, seen);
                }
            }
            Some(Event::BatchFinished(finished)) => self.summary.clone_from(&finished.summary),
            Some(
                Event::CallPlanned(_)
                | Event::Progress(_)
                | Event::ResultPart(_)
                | Event::BundlePart(_),
            )
            | None => {}
        }
    }

    /// The end of what is drawn: of the batch, or the present.
    pub(crate) fn end_at(&self, now: Duration) -> Duration {
        let ends = self.rows.iter().filter_map(|row| row.spans.last()).filter_map(|span| span.to);
        let last = ends.max().unwrap_or_default();
        match &self.summary {
            Some(summary) => time(summary.duration).max(last),
            None => now.max(last),
        }
    }

    /// The label of a call, by its id.
    pub(crate) fn label(&self, call_id: &str) -> Option<&str> {
        self.rows.iter().find(|row| row.call_id == call_id).map(|row| row.label.as_str())
    }

    fn row(&mut self, index: u32) -> Option<&mut Row> {
        self.rows.get_mut(usize::try_from(index).ok()?)
    }

    fn accept(&mut self, plan: &v1::Plan) {
        self.expected = time(plan.estimate.and_then(|estimate| estimate.critical_path));
        self.order = Order::of(plan);
        self.children = vec![Vec::new(); plan.calls.len()];
        let mut open_parents = vec![0; plan.calls.len()];
        for edge in &plan.edges {
            let (from, to) = (edge.from as usize, edge.to as usize);
            if let (Some(children), Some(open)) =
                (self.children.get_mut(from), open_parents.get_mut(to))
            {
                children.push((to, edge.strength() == v1::EdgeStrength::Keys));
                *open += 1;
            }
        }
        let rows = plan.calls.iter().zip(labels(plan)).zip(open_parents);
        self.rows =
            rows.map(|((call, label), open_parents)| waiting(call, label, open_parents)).collect();
    }

    fn end(&mut self, result: &v1::ToolResult, seen: Duration) {
        let Some(row) = self.row(result.index) else { return };
        row.end(result, seen);
        let end = row.spans.last().and_then(|span| span.to).unwrap_or(seen);
        self.let_go(result.index, end, |_| true);
    }

    /// Those behind a call need not wait for it any longer.
    fn let_go(&mut self, index: u32, end: Duration, which: impl Fn(bool) -> bool) {
        let Some(children) = self.children.get_mut(index as usize) else { return };
        let gone = children.extract_if(.., |(_, is_keys)| which(*is_keys));
        for (child, _) in gone.collect::<Vec<_>>() {
            let Some(child) = self.rows.get_mut(child) else { continue };
            child.open_parents = child.open_parents.saturating_sub(1);
            if child.open_parents == 0 && child.state == State::Blocked {
                child.enter(State::Queued, SpanKind::Waiting, end);
            }
        }
    }
}

fn waiting(call: &v1::PlannedCall, label: String, open_parents: usize) -> Row {
    let (state, kind) = if open_parents > 0 {
        (State::Blocked, SpanKind::Blocked)
    } else {
        (State::Queued, SpanKind::Waiting)
    };
    Row {
        label,
        call_id: call.call_id.clone(),
        state,
        spans: vec![Span { kind, from: Duration::ZERO, to: None }],
        timings: v1::Timings::default(),
        attempts: Vec::new(),
        source: v1::Source::Unspecified,
        failure: None,
        open_parents,
    }
}

/// Names as references write them: `track_shipment#2` where there are more.
fn labels(plan: &v1::Plan) -> Vec<String> {
    let mut calls: HashMap<&str, usize> = HashMap::new();
    for call in &plan.calls {
        *calls.entry(&call.tool).or_default() += 1;
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let label = |call: &v1::PlannedCall, nth: usize| {
        let tool = harmless(&call.tool);
        if calls.get(call.tool.as_str()) > Some(&1) { format!("{tool}#{nth}") } else { tool }
    };
    let mut labels = Vec::with_capacity(plan.calls.len());
    for call in &plan.calls {
        let nth = seen.entry(&call.tool).or_default();
        *nth += 1;
        labels.push(label(call, *nth));
    }
    labels
}

/// A time from the wire; an absent or negative one is none.
pub(crate) fn time(time: Option<prost_types::Duration>) -> Duration {
    time.and_then(|time| Duration::try_from(time).ok()).unwrap_or_default()
}
