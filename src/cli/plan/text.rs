//! A plan for people: the waterfall that is expected, then why each call waits.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use crate::{
    cli::{
        rates::Spread,
        terminal::{Ink, Look, fitted, harmless, wrapped},
        waterfall::{
            Waterfall,
            below::{below, chain},
            draw::{self, count},
            time,
        },
    },
    proto::v1,
};

/// Rows of the waterfall; a plan of more calls is read as JSON or DOT.
const ROWS: usize = 100;

/// Dependencies that are listed, for the same reason.
const EDGES: usize = 100;

/// The plan as text.
pub(super) fn text(plan: &v1::Plan, spreads: &[Spread], look: &Look) -> String {
    let waterfall = Waterfall::planned(plan);
    let mut lines = vec![look.paint(Ink::Bold, &headline(plan)), String::new()];
    lines.extend(draw::frame(&waterfall, Duration::ZERO, look, ROWS));
    if !plan.edges.is_empty() {
        lines.push(String::new());
        lines.extend(edges(plan, &waterfall, look));
    }
    lines.push(String::new());
    lines.extend(estimate(plan, &waterfall, look));
    let of = format!("of the {}", draw::text(waterfall.expected));
    lines.extend(waterfall.order.lines(&of, look));
    lines.extend(spreads.iter().flat_map(|spread| rate(spread, look)));
    lines.extend(below(&waterfall, look));
    lines.join("\n")
}

fn headline(plan: &v1::Plan) -> String {
    let estimate = plan.estimate.unwrap_or_default();
    let edges = plan.edges.len() + plan.edges_omitted as usize;
    let dependencies = if edges == 1 { "dependency" } else { "dependencies" };
    format!(
        "{}, {edges} {dependencies}: {} deep, {} wide",
        count(plan.calls.len(), "call"),
        estimate.depth,
        estimate.width
    )
}

/// A line for each dependency; the child is named once. A reason that does not
/// fit stands below.
fn edges(plan: &v1::Plan, waterfall: &Waterfall, look: &Look) -> Vec<String> {
    let label = |at: u32| waterfall.rows.get(at as usize).map_or("?", |row| row.label.as_str());
    let verb = |edge: &v1::Edge| match edge.strength() {
        v1::EdgeStrength::Need | v1::EdgeStrength::Unspecified => "needs",
        v1::EdgeStrength::Optional => "may use",
        v1::EdgeStrength::Order => "follows",
        v1::EdgeStrength::Keys => "may follow",
    };
    let parent = |edge: &v1::Edge| format!("{} {}", verb(edge), label(edge.from));
    let shown = &plan.edges[..plan.edges.len().min(EDGES)];
    let widest =
        |names: &mut dyn Iterator<Item = usize>| names.max().unwrap_or(0).min(look.width / 3);
    let children = widest(&mut shown.iter().map(|edge| label(edge.to).width()));
    let parents = widest(&mut shown.iter().map(|edge| parent(edge).width()));
    let rest = look.width.saturating_sub(children + parents + 7);
    let below = " ".repeat(children + 4);
    let mut lines = Vec::new();
    let mut last = None;
    for edge in shown {
        let name = if last == Some(edge.to) { "" } else { label(edge.to) };
        last = Some(edge.to);
        let (name, parent) = (fitted(name, children, look), parent(edge));
        let reason = reason(edge, look);
        if parent.width() <= parents && reason.width() <= rest {
            let parent = fitted(&parent, parents, look);
            let reason = look.paint(Ink::Dim, &reason);
            lines.push(format!("  {name}  {parent}  {reason}").trim_end().to_owned());
            continue;
        }
        let parent = fitted(&parent, look.width.saturating_sub(below.len() + 1), look);
        lines.push(format!("  {name}  {}", parent.trim_end()));
        let reason = wrapped(&reason, look.width.saturating_sub(below.len() + 3));
        let reason = reason.iter().map(|part| format!("{below}  {}", look.paint(Ink::Dim, part)));
        lines.extend(reason);
    }
    match plan.edges.len() - shown.len() + plan.edges_omitted as usize {
        0 => {}
        more => {
            let more = format!("  {} {more} more", look.pick("…", "..."));
            lines.push(look.paint(Ink::Dim, &more));
        }
    }
    lines
}

/// Why a call waits, and how long only for that.
fn reason(edge: &v1::Edge, look: &Look) -> String {
    let mut reason = harmless(&edge.reason);
    if !look.unicode {
        reason = reason.replace('…', "...");
    }
    match time(edge.cost) {
        Duration::ZERO => reason,
        cost => format!("{reason}, +{}", draw::text(cost)),
    }
}

fn estimate(plan: &v1::Plan, waterfall: &Waterfall, look: &Look) -> Vec<String> {
    let estimate = plan.estimate.unwrap_or_default();
    let (one_by_one, at_once) = (time(estimate.sequential), time(estimate.critical_path));
    let mut lines = vec![match draw::faster(one_by_one, at_once, look) {
        Some(faster) => format!(
            "  one by one {}, at once {}: {faster}",
            draw::text(one_by_one),
            look.paint(Ink::Bold, &draw::text(at_once)),
        ),
        None => format!("  {}: nothing in it can run at once", draw::text(at_once)),
    }];
    let mut longest: Vec<_> =
        plan.calls.iter().zip(&waterfall.rows).filter(|(call, _)| call.critical).collect();
    longest.sort_by_key(|(call, _)| call.depth);
    if (2..plan.calls.len()).contains(&longest.len()) {
        let names = longest.iter().map(|(_, row)| row.label.as_str());
        lines.extend(chain(names, look));
    }
    lines
}

/// What the estimate leaves out.
fn rate(spread: &Spread, look: &Look) -> Vec<String> {
    let Spread { api, rate, calls, time } = spread;
    let calls = count(*calls, "call");
    let time = draw::text(*time);
    let told = format!("the rate of {api}, {rate}, spreads {calls} over {time} at least");
    let lines = wrapped(&told, look.width.saturating_sub(3));
    lines.iter().map(|line| format!("  {}", look.paint(Ink::Waiting, line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{plan::dot::tests::plan, waterfall::script},
        model::ApiName,
    };

    #[test]
    fn a_plan_says_what_waits_for_what_and_why() {
        let look = Look { width: 80, unicode: true, color: false };
        let spread = Spread {
            api: ApiName::try_new("shop").unwrap(),
            rate: "2/s".into(),
            calls: 2,
            time: Duration::from_millis(500),
        };
        let text = text(&plan(), &[spread], &look);
        assert!(text.lines().all(|line| line.width() < 80), "{text}");
        insta::assert_snapshot!(text);
    }

    /// Three writes of one API, one of another, and a name that is not known.
    fn writes() -> v1::Plan {
        let calls = [
            ("create_note", 100),
            ("create_note", 100),
            ("create_note", 100),
            ("find_order", 120),
            ("close_order", 80),
            ("get_order", 40),
        ];
        let edges = [
            (0, 1, "block order of notes"),
            (1, 2, "block order of notes"),
            (3, 4, "${find_order.id}"),
            (4, 5, "order/1 may be order/…"),
        ];
        let mut plan = script::plan(&calls, &edges);
        let time = |ms: i32| Some(prost_types::Duration { seconds: 0, nanos: ms * 1_000_000 });
        for (edge, cost) in [(0, 100), (1, 200), (3, 120)] {
            plan.edges[edge].set_strength(v1::EdgeStrength::Order);
            plan.edges[edge].cost = time(cost);
            plan.edges[edge].remedy =
                "`writes: [...]` on the tool, or `apis.notes.ordering: none`".into();
        }
        plan.edges[3].set_strength(v1::EdgeStrength::Keys);
        plan.edges[3].remedy = "narrower keys in `reads` and `writes` of the tools".into();
        plan.estimate = Some(v1::PlanEstimate {
            sequential: time(540),
            critical_path: time(300),
            speedup: 1.8,
            width: 2,
            depth: 3,
            order: time(100),
        });
        plan
    }

    #[test]
    fn order_that_nobody_wrote_is_told_with_its_price_and_what_lifts_it_at_any_width() {
        for (width, unicode) in [(60, true), (80, true), (120, true), (60, false)] {
            let look = Look { width, unicode, color: false };
            let text = text(&writes(), &[], &look);
            assert!(text.lines().all(|line| line.width() < width), "{text}");
            // Nothing is cut but labels.
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let dots = look.pick("…", "...");
            for told in [
                "block order of notes, +200 ms".to_owned(),
                format!("may follow close_order order/1 may be order/{dots}, +120 ms"),
                "order costs 100 ms of the 300 ms; what lifts it:".to_owned(),
                "`writes: [...]` on the tool, or `apis.notes.ordering: none`".to_owned(),
                "narrower keys in `reads` and `writes` of the tools".to_owned(),
            ] {
                assert!(words.contains(&told), "{told} is not in\n{text}");
            }
            insta::assert_snapshot!(
                format!("writes_{width}{}", if unicode { "" } else { "_ascii" }),
                text
            );
        }
    }

    #[test]
    fn of_very_many_dependencies_the_first_are_listed() {
        let look = Look { width: 80, unicode: true, color: false };
        let edges: Vec<_> = (1..300).map(|to| (to - 1, to, "depends_on")).collect();
        let text = text(&script::plan(&vec![("get", 1); 300], &edges), &[], &look);
        assert!(text.contains("… 199 more"), "{text}");
    }

    #[test]
    fn a_plan_is_drawn_in_ascii_where_nothing_else_can_be() {
        let look = Look { width: 60, unicode: false, color: false };
        let text = text(&plan(), &[], &look);
        assert!(text.is_ascii() && text.lines().all(|line| line.len() < 60), "{text}");
    }
}
