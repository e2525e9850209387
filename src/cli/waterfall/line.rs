//! One line of one event, for a pipe or a log.

use std::time::Duration;

use super::{
    SpanKind, Waterfall,
    draw::{self, code, count, mark, text},
    model::time,
};
use crate::{
    cli::terminal::{Ink, Look, harmless},
    proto::v1::{self, batch_event::Event},
};

/// What an event says to a person; none where it says nothing. `waterfall` has
/// taken it in already, this long after the first.
pub(crate) fn line(
    waterfall: &Waterfall,
    event: &v1::BatchEvent,
    seen: Duration,
    look: &Look,
) -> Option<String> {
    let (at, word, ink, rest) = match event.event.as_ref()? {
        Event::Accepted(accepted) => {
            let plan = accepted.plan.as_ref();
            let calls = count(plan.map_or(0, |plan| plan.calls.len()), "call");
            let edges = plan.map_or(0, |plan| plan.edges.len() + plan.edges_omitted as usize);
            let dependencies = match edges {
                1 => "1 dependency".to_owned(),
                n => format!("{n} dependencies"),
            };
            let id = harmless(&accepted.batch_id);
            let order = waterfall.order.brief();
            let order = order.map_or_else(String::new, |order| format!("; {order}"));
            let rest = format!("{id}  {calls}, {dependencies}{order}");
            (Duration::ZERO, "accepted", Ink::Bold, rest)
        }
        Event::Started(started) => {
            let attempt = match started.attempt {
                0 | 1 => String::new(),
                n => format!("  attempt {n}"),
            };
            let name = name(waterfall, &started.call_id);
            (time(started.at), "started", Ink::Active, format!("{name}{attempt}"))
        }
        Event::Progress(progress) => {
            let name = name(waterfall, &progress.call_id);
            let message = harmless(&progress.message);
            (seen, "progress", Ink::Dim, format!("{name}  {}{message}", amount(progress)))
        }
        Event::Retrying(retrying) => {
            let name = name(waterfall, &retrying.call_id);
            let delay = text(time(retrying.delay));
            let why = retrying.failure.as_ref().map(why).unwrap_or_default();
            let rest = format!("{name}  attempt {} failed, {delay}{why}", retrying.attempt);
            (seen, "retrying", Ink::Waiting, rest)
        }
        Event::CallFinished(finished) => return ended(waterfall, finished, seen, look),
        Event::BatchFinished(finished) => {
            let summary = finished.summary.as_ref()?;
            let rest = count(summary.calls as usize, "call");
            (time(summary.duration), "finished", Ink::Bold, rest)
        }
        // Contents are for programs: `--json` and `--bundle` give them whole.
        Event::CallPlanned(_) | Event::ResultPart(_) | Event::BundlePart(_) => return None,
    };
    Some(format!("{:>9}  {} {rest}", text(at), look.paint(ink, &format!("{word:<9}"))))
}

fn ended(
    waterfall: &Waterfall,
    finished: &v1::CallFinished,
    seen: Duration,
    look: &Look,
) -> Option<String> {
    let result = finished.result.as_ref()?;
    let row = waterfall.rows.get(result.index as usize)?;
    let at = row.spans.last().and_then(|span| span.to).unwrap_or(seen);
    let word = match result.outcome() {
        v1::Outcome::Succeeded => "done",
        v1::Outcome::Failed | v1::Outcome::Unspecified => "failed",
        v1::Outcome::Cancelled => "cancelled",
        v1::Outcome::Skipped => "skipped",
    };
    let (_, ink) = mark(row.state, look);
    let running = row.running(at);
    let mut took = if running.is_zero() { String::new() } else { format!("  {}", text(running)) };
    for (kind, word) in [(SpanKind::Locked, "locked"), (SpanKind::Throttled, "throttled")] {
        let waited = row.spent(kind);
        if !waited.is_zero() {
            took.push_str(&format!("  {word} {}", text(waited)));
        }
    }
    if let Some(origin) = row.origin() {
        took.push_str(&format!("  {origin}"));
    }
    let why = result.failure.as_ref().map(why).unwrap_or_default();
    let name = name(waterfall, &result.call_id);
    let word = look.paint(ink, &format!("{word:<9}"));
    Some(format!("{:>9}  {word} {name}{took}{why}", draw::text(at)))
}

fn name(waterfall: &Waterfall, call_id: &str) -> String {
    let label = waterfall.label(call_id).unwrap_or_default();
    format!("{label} ({})", harmless(call_id))
}

fn why(failure: &v1::Failure) -> String {
    format!("  {}: {}", code(failure), harmless(&failure.message))
}

fn amount(progress: &v1::CallProgress) -> String {
    match (progress.done, progress.total) {
        (Some(done), Some(total)) => format!("{done}/{total} "),
        (Some(done), None) => format!("{done} "),
        (None, _) => String::new(),
    }
}
