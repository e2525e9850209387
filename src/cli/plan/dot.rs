//! A plan for Graphviz.

use std::{fmt::Write, time::Duration};

use crate::{
    cli::waterfall::{
        Waterfall,
        draw::{self, code},
        time,
    },
    proto::v1,
};

/// The plan as a DOT graph. Calls are boxes, the longest chain is bold, faults
/// are red; needs are solid, optional needs dashed, mere order dotted, with an
/// empty arrow where it holds only until something is known.
pub(super) fn dot(plan: &v1::Plan) -> String {
    let waterfall = Waterfall::planned(plan);
    let mut graph = String::from(
        "digraph turn {\n  rankdir=LR;\n  node [shape=box, style=rounded, \
         fontname=\"Helvetica\"];\n  edge [fontname=\"Helvetica\", fontsize=10];\n\n",
    );
    for (at, (call, row)) in plan.calls.iter().zip(&waterfall.rows).enumerate() {
        let (below, more) = match &call.fault {
            Some(fault) => {
                (code(fault), format!(", color=red, tooltip=\"{}\"", escaped(&fault.message)))
            }
            None if call.critical => (draw::text(time(call.latency)), ", penwidth=2".to_owned()),
            None => (draw::text(time(call.latency)), String::new()),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(graph, "  c{at} [label=\"{}\\n{below}\"{more}];", escaped(&row.label));
    }
    for edge in &plan.edges {
        let style = match edge.strength() {
            v1::EdgeStrength::Need | v1::EdgeStrength::Unspecified => "",
            v1::EdgeStrength::Optional => ", style=dashed",
            v1::EdgeStrength::Order => ", style=dotted",
            v1::EdgeStrength::Keys => ", style=dotted, arrowhead=empty",
        };
        let mut reason = escaped(&edge.reason);
        let mut more = String::new();
        if !edge.remedy.is_empty() {
            more = format!(", tooltip=\"lifted by {}\"", escaped(&edge.remedy));
        }
        match time(edge.cost) {
            Duration::ZERO => {}
            cost => reason.push_str(&format!("\\n+{}", draw::text(cost))),
        }
        let ends = format!("c{} -> c{}", edge.from, edge.to);
        let _ = writeln!(graph, "  {ends} [label=\"{reason}\"{style}{more}];");
    }
    if let Some(order) = waterfall.order.brief() {
        let _ = writeln!(graph, "  label=\"{order} of {}\";", draw::text(waterfall.expected));
    }
    if plan.edges_omitted > 0 {
        let _ = writeln!(graph, "  // {} more edges are left out", plan.edges_omitted);
    }
    graph.push_str("}\n");
    graph
}

/// Text inside of quotes: a backslash begins an escape in a label, and a
/// control character means nothing good.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::waterfall::script;

    /// A chain, an optional need, a mere order, and two calls that cannot run.
    pub(crate) fn plan() -> v1::Plan {
        let calls = [
            ("find_customer", 200),
            ("list_orders", 200),
            ("get_score", 60),
            ("write_brief", 80),
            ("write_brief", 80),
            ("say \"hi\\now\"", 10),
        ];
        let edges = [
            (0, 1, "${find_customer.id}"),
            (1, 3, "${list_orders.orders[?@.total > 1e3].id}"),
            (2, 3, "{\"$ref\": \"get_score.score\"}"),
            (3, 4, "block order"),
        ];
        let mut plan = script::plan(&calls, &edges);
        plan.edges[2].set_strength(v1::EdgeStrength::Optional);
        plan.edges[3].set_strength(v1::EdgeStrength::Order);
        plan.edges[3].cost = Some(prost_types::Duration { seconds: 0, nanos: 80_000_000 });
        plan.edges[3].remedy = "`apis.\"b\".ordering: none`".into();
        for at in [0, 1, 3, 4] {
            plan.calls[at].critical = true;
        }
        plan.calls[5].fault = Some(v1::Failure {
            code: v1::FailureCode::UnknownTool.into(),
            message: "there is no tool `say \"hi\\now\"`\nTools: find_customer, list_orders".into(),
            ..Default::default()
        });
        let time = |ms| prost_types::Duration { seconds: 0, nanos: ms * 1_000_000 };
        plan.estimate = Some(v1::PlanEstimate {
            sequential: Some(time(620)),
            critical_path: Some(time(560)),
            speedup: 620.0 / 560.0,
            width: 3,
            depth: 4,
            order: Some(time(80)),
        });
        plan
    }

    #[test]
    fn whatever_stands_in_names_and_reasons_stays_inside_of_its_quotes() {
        let graph = dot(&plan());
        for line in graph.lines() {
            let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
            assert_eq!(quotes % 2, 0, "{line}");
        }
        insta::assert_snapshot!(graph);
    }
}
