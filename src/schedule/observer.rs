//! What is told of a batch to those who watch the process: the one place where
//! the schedule meets telemetry. Where nobody watches, it does nothing.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Instant,
    model::{BatchId, CallResult, FailureCode, SessionId},
    plan::{self, EdgeKind, Plan},
    telemetry::{
        Telemetry,
        metrics::{self, Metrics},
        outgoing::Outgoing,
        propagate::Context,
        record::{Batch, Edge, Stage},
        spans::Tool,
    },
};

/// Follows one batch.
#[derive(Debug, Default)]
pub(super) struct Observer {
    record: Option<Box<Batch>>,
    /// What every attempt carries on, where the batch is not recorded.
    passed_on: Option<Arc<Outgoing>>,
    metrics: Option<Metrics>,
    /// Where its caller named one.
    session: Option<SessionId>,
}

/// How a batch ended.
pub(super) struct Ended<'a> {
    pub(super) plan: &'a Plan,
    pub(super) critical_path: &'a [usize],
    pub(super) duration: Duration,
    pub(super) running: &'a dyn Fn(usize) -> Duration,
    pub(super) at: Instant,
}

impl Observer {
    /// A batch of so many calls begins.
    pub(super) fn new(
        telemetry: &Telemetry,
        context: Context,
        ids: (&BatchId, Option<SessionId>),
        calls: usize,
        now: Instant,
    ) -> Self {
        let (batch_id, session) = ids;
        let metrics = telemetry.metrics.clone();
        if let Some(metrics) = &metrics {
            metrics.batch_began(session.as_ref(), calls, now);
        }
        let (context, record) = match &telemetry.tracer {
            Some(tracer) => tracer.batch(&context, (batch_id.clone(), session.clone()), calls, now),
            None => (context, None),
        };
        // A recorded attempt carries its own span.
        let carried = if record.is_some() { None } else { context.carried(None) };
        let passed_on = carried.map(|carried| Arc::new(Outgoing::new(Some(carried))));
        Self { record, passed_on, metrics, session }
    }

    /// A call came that the batch did not begin with.
    pub(super) fn came(&mut self) {
        if let Some(metrics) = &self.metrics {
            metrics.call_came();
        }
        if let Some(record) = &mut self.record {
            record.came();
        }
    }

    /// The call's inputs are there.
    pub(super) fn ready(&mut self, call: usize, now: Instant) {
        if let Some(record) = &mut self.record {
            record.ready(call, now);
        }
    }

    /// The call runs with this input, or would have. What was said first holds.
    pub(super) fn takes(&mut self, call: usize, input: &str) {
        if let Some(record) = &mut self.record {
            record.takes(call, input);
        }
    }

    /// The call begins to wait.
    pub(super) fn waits(&mut self, call: usize, stage: Stage, now: Instant) {
        if let Some(record) = &mut self.record {
            record.enters(call, stage, now);
        }
    }

    /// So much of the wait that ends now was for tokens.
    pub(super) fn throttled(&mut self, call: usize, wait: Duration, now: Instant) {
        if let Some(record) = &mut self.record {
            record.was_throttled(call, wait, now);
        }
    }

    /// What the call did is over; with this code where it was an attempt that
    /// failed.
    pub(super) fn is_over(&mut self, call: usize, code: Option<FailureCode>, now: Instant) {
        if let Some(record) = &mut self.record {
            record.leaves(call, code, now);
        }
    }

    /// An attempt begins. Gives what it carries on.
    pub(super) fn attempts(
        &mut self,
        call: usize,
        number: u32,
        now: Instant,
    ) -> Option<Arc<Outgoing>> {
        match &mut self.record {
            Some(record) => Some(record.attempts(call, number, now)),
            None => self.passed_on.clone(),
        }
    }

    /// An attempt of this tool, a worker's maybe, failed so, and is made again.
    pub(super) fn retries(&self, tool: &str, offered: Option<&Arc<Tool>>, code: FailureCode) {
        if let Some(metrics) = &self.metrics {
            metrics.retried(tool, offered.map(|tool| &**tool), code);
        }
    }

    /// A call, of a worker's tool maybe, is terminal, after so many attempts.
    pub(super) fn ends(
        &mut self,
        result: &CallResult,
        offered: Option<&Arc<Tool>>,
        attempts: usize,
        now: Instant,
    ) {
        if let Some(metrics) = &self.metrics {
            metrics.call(result, offered.map(|tool| &**tool), attempts);
        }
        if let Some(record) = &mut self.record {
            if let Some(tool) = offered {
                record.is_offered(result.index, tool);
            }
            record.ends(result, now);
        }
    }

    /// The batch has ended.
    pub(super) fn end(self, ended: &Ended<'_>) {
        if self.record.is_none() && self.metrics.is_none() {
            return;
        }
        let Ended { plan, critical_path, duration, running, at } = *ended;
        let (width, depth) = (plan.nodes.len(), plan::depth(&plan::depths(plan)));
        if let Some(metrics) = &self.metrics {
            metrics.batch(metrics::Ended {
                session: self.session.as_ref(),
                width,
                depth,
                duration,
                sequential: (0..width).map(running).sum(),
                critical: critical_path.iter().copied().map(running).sum(),
                at,
            });
        }
        if let Some(record) = self.record {
            let parents = (0..width).flat_map(|call| plan.parents(call));
            let edges = parents.map(|edge| Edge {
                from: edge.from,
                to: edge.to,
                kind: kind(edge.kind),
                reason: Arc::clone(&edge.reason),
            });
            record.end(critical_path, edges.collect(), depth, at);
        }
    }
}

fn kind(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Explicit => "explicit",
        EdgeKind::Reference => "reference",
        EdgeKind::After => "after",
        EdgeKind::BlockOrder => "block_order",
        EdgeKind::Resource => Edge::RESOURCE,
    }
}
