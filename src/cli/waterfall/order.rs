//! What order that nobody wrote makes of a turn: what it costs, and what lifts
//! it.

use std::time::Duration;

use super::{
    draw::{count, text},
    model::time,
};
use crate::{
    cli::terminal::{Ink, Look, harmless, wrapped},
    proto::v1,
};

/// Remedies that are told; the plan in JSON has them all.
const TOLD_MAX: usize = 3;

/// What order that nobody wrote makes of a turn.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Order {
    /// How much longer the turn takes.
    pub(crate) cost: Duration,
    /// Calls that start later for it.
    calls: usize,
    /// What lifts it, the dearest first.
    remedies: Vec<String>,
}

impl Order {
    /// That of a plan.
    pub(crate) fn of(plan: &v1::Plan) -> Self {
        let cost = time(plan.estimate.and_then(|estimate| estimate.order));
        let mut remedies: Vec<(Duration, &str)> = Vec::new();
        let mut calls = 0;
        for edge in plan.edges.iter().filter(|edge| !time(edge.cost).is_zero()) {
            // The edges of a call stand together, and only one has a cost.
            calls += 1;
            match remedies.iter_mut().find(|(_, remedy)| *remedy == edge.remedy) {
                Some((sum, _)) => *sum += time(edge.cost),
                None => remedies.push((time(edge.cost), &edge.remedy)),
            }
        }
        remedies.sort_by_key(|(sum, _)| std::cmp::Reverse(*sum));
        let remedies = remedies.into_iter().map(|(_, remedy)| harmless(remedy)).collect();
        Self { cost, calls, remedies }
    }

    /// In a line, for a turn that has run; none where it cost nothing.
    pub(crate) fn line(&self, look: &Look) -> Vec<String> {
        let Some(brief) = self.brief() else { return Vec::new() };
        let told = format!("{brief} by the plan; `sidecall plan` says what lifts it");
        painted(&wrapped(&told, look.width.saturating_sub(3)), look)
    }

    /// In a few words; none where it costs nothing.
    pub(crate) fn brief(&self) -> Option<String> {
        (!self.cost.is_zero()).then(|| format!("order costs {}", text(self.cost)))
    }

    /// With what lifts it; none where no call starts later for it. `of` says of what
    /// it is a part.
    pub(crate) fn lines(&self, of: &str, look: &Look) -> Vec<String> {
        if self.remedies.is_empty() {
            return Vec::new();
        }
        let what = match self.brief() {
            Some(brief) => format!("{brief} {of}"),
            None => {
                let (calls, start) =
                    (count(self.calls, "call"), if self.calls == 1 { "starts" } else { "start" });
                format!("order costs the turn nothing, though {calls} {start} later for it")
            }
        };
        let mut lines = wrapped(&format!("{what}; what lifts it:"), look.width.saturating_sub(3));
        let told = self.remedies.len().min(TOLD_MAX);
        let more = match self.remedies.len() - told {
            0 => None,
            n => Some(format!("{} {n} more", look.pick("…", "..."))),
        };
        for remedy in self.remedies[..told].iter().cloned().chain(more) {
            let remedy = wrapped(&remedy, look.width.saturating_sub(5));
            lines.extend(remedy.into_iter().map(|line| format!("  {line}")));
        }
        painted(&lines, look)
    }
}

fn painted(lines: &[String], look: &Look) -> Vec<String> {
    lines.iter().map(|line| format!("  {}", look.paint(Ink::Waiting, line))).collect()
}
