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

/// A line for each dependency; the child is named once.
fn edges(plan: &v1::Plan, waterfall: &Waterfall, look: &Look) -> Vec<String> {
    let label = |at: u32| waterfall.rows.get(at as usize).map_or("?", |row| row.label.as_str());
    let verb = |edge: &v1::Edge| match edge.strength() {
        v1::EdgeStrength::Need | v1::EdgeStrength::Unspecified => "needs",
        v1::EdgeStrength::Optional => "may use",
        v1::EdgeStrength::Order => "follows",
        v1::EdgeStrength::Keys => "may follow",
    };
    let parent = |edge: &v1::Edge| format!("{} {}", verb(edge), label(edge.from));
    let widest =
        |names: &mut dyn Iterator<Item = usize>| names.max().unwrap_or(0).min(look.width / 3);
    let children = widest(&mut plan.edges.iter().map(|edge| label(edge.to).width()));
    let parents = widest(&mut plan.edges.iter().map(|edge| parent(edge).width()));
    let mut lines = Vec::new();
    let mut last = None;
    for edge in &plan.edges {
        let name = if last == Some(edge.to) { "" } else { label(edge.to) };
        last = Some(edge.to);
        let rest = look.width.saturating_sub(children + parents + 7);
        let reason = fitted(&harmless(&edge.reason), rest, look);
        let reason = look.paint(Ink::Dim, reason.trim_end());
        let (name, parent) = (fitted(name, children, look), fitted(&parent(edge), parents, look));
        lines.push(format!("  {name}  {parent}  {reason}").trim_end().to_owned());
    }
    if plan.edges_omitted > 0 {
        let more = format!("  {} {} more", look.pick("…", "..."), plan.edges_omitted);
        lines.push(look.paint(Ink::Dim, &more));
    }
    lines
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
    use crate::{cli::plan::dot::tests::plan, model::ApiName};

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

    #[test]
    fn a_plan_is_drawn_in_ascii_where_nothing_else_can_be() {
        let look = Look { width: 60, unicode: false, color: false };
        let text = text(&plan(), &[], &look);
        assert!(text.is_ascii() && text.lines().all(|line| line.len() < 60), "{text}");
    }
}
