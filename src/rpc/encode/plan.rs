//! Plans as messages.

use prost::Message;

use super::{FIELD_BYTES, count, duration, effect, failure};
use crate::{
    plan::{self, EdgeKind, Strength},
    proto::v1,
    rpc::cut,
    schedule::{Accepted, Planned},
};

/// Most bytes of a fault's message where many must fit into one plan.
const FAULT_BYTES_MAX: usize = 240;
/// Most bytes of an edge's reason: it may quote an input.
const REASON_BYTES_MAX: usize = 240;

/// A plan of at most `bytes_max` bytes: edges that do not fit are left out and
/// counted; where the calls alone do not fit, so are the last of them.
pub(in crate::rpc) fn plan(accepted: &Accepted, bytes_max: usize) -> v1::Plan {
    let estimate = plan::estimate(&accepted.plan, &accepted.latencies);
    let mut plan = v1::Plan {
        calls: planned_calls(accepted, &estimate),
        estimate: Some(v1::PlanEstimate {
            sequential: Some(duration(estimate.sequential)),
            critical_path: Some(duration(estimate.critical_path)),
            speedup: estimate.speedup,
            width: count(estimate.width),
            depth: count(estimate.depth),
            order: Some(duration(estimate.order)),
        }),
        ..v1::Plan::default()
    };
    let edges = &accepted.plan.edges;
    // Room for the two counts of what is left out.
    let bytes_max = bytes_max.saturating_sub(4 * FIELD_BYTES);
    let mut bytes = plan.encoded_len();
    if bytes > bytes_max {
        bytes -= shorten_faults(&mut plan.calls);
    }
    while bytes > bytes_max
        && let Some(call) = plan.calls.pop()
    {
        bytes = bytes.saturating_sub(call.encoded_len());
        plan.calls_omitted += 1;
    }
    if plan.calls_omitted == 0 {
        plan.edges.reserve(edges.len());
        for edge in edges {
            let edge = self::edge(edge);
            bytes += edge.encoded_len() + FIELD_BYTES;
            if bytes > bytes_max {
                break;
            }
            plan.edges.push(edge);
        }
    }
    plan.edges_omitted = count(edges.len() - plan.edges.len());
    plan
}

/// A call that came later has its place in the plan. The message has at most
/// `bytes_max` bytes: edges that do not fit are left out.
pub(in crate::rpc) fn call_planned(planned: &Planned, bytes_max: usize) -> v1::CallPlanned {
    let call = v1::PlannedCall {
        call_id: planned.call_id.to_string(),
        tool: planned.tool.to_string(),
        fault: planned.fault.as_ref().map(failure),
        latency: Some(duration(planned.latency)),
        depth: count(planned.depth),
        critical: false,
        effect: planned.effect.map_or(v1::Effect::Unspecified, effect).into(),
    };
    let mut told =
        v1::CallPlanned { index: count(planned.index), call: Some(call), edges: Vec::new() };
    let mut bytes = told.encoded_len() + FIELD_BYTES;
    for edge in &planned.edges {
        let edge = self::edge(edge);
        bytes += edge.encoded_len() + FIELD_BYTES;
        if bytes > bytes_max {
            break;
        }
        told.edges.push(edge);
    }
    told
}

fn planned_calls(accepted: &Accepted, estimate: &plan::Estimate) -> Vec<v1::PlannedCall> {
    let mut calls: Vec<_> = accepted
        .calls
        .iter()
        .zip(&accepted.plan.nodes)
        .zip(accepted.latencies.iter().zip(&accepted.effects))
        .map(|(((call_id, tool), node), (latency, &tools_effect))| v1::PlannedCall {
            call_id: call_id.to_string(),
            tool: tool.to_string(),
            fault: node.fault.as_ref().map(failure),
            latency: Some(duration(*latency)),
            effect: tools_effect.map_or(v1::Effect::Unspecified, effect).into(),
            ..v1::PlannedCall::default()
        })
        .collect();
    for (call, depth) in calls.iter_mut().zip(&estimate.depths) {
        call.depth = count(*depth);
    }
    for &index in &estimate.critical {
        if let Some(call) = calls.get_mut(index) {
            call.critical = true;
        }
    }
    calls
}

/// Cuts the messages of the faults, and gives the bytes that it won.
fn shorten_faults(calls: &mut [v1::PlannedCall]) -> usize {
    let mut won = 0;
    for fault in calls.iter_mut().filter_map(|call| call.fault.as_mut()) {
        let before = fault.message.len();
        fault.message = cut(&fault.message, FAULT_BYTES_MAX);
        won += before - fault.message.len();
    }
    won
}

fn edge(edge: &plan::Edge) -> v1::Edge {
    let kind = match edge.kind {
        EdgeKind::Explicit => v1::EdgeKind::Explicit,
        EdgeKind::Reference => v1::EdgeKind::Reference,
        EdgeKind::After => v1::EdgeKind::After,
        EdgeKind::Resource => v1::EdgeKind::Resource,
        EdgeKind::BlockOrder => v1::EdgeKind::BlockOrder,
    };
    let strength = match edge.strength {
        Strength::Need => v1::EdgeStrength::Need,
        Strength::Optional => v1::EdgeStrength::Optional,
        Strength::Order => v1::EdgeStrength::Order,
        Strength::Keys => v1::EdgeStrength::Keys,
    };
    let lift = edge.lift.as_deref();
    v1::Edge {
        from: count(edge.from),
        to: count(edge.to),
        kind: kind.into(),
        strength: strength.into(),
        reason: cut(&edge.reason, REASON_BYTES_MAX),
        cost: lift.map(|lift| duration(lift.cost)),
        remedy: lift.map_or_else(String::new, |lift| cut(&lift.remedy, REASON_BYTES_MAX)),
    }
}
