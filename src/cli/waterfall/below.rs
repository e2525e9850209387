//! What is said below a waterfall, and below a plan.

use std::{collections::HashMap, time::Duration};

use super::{
    Row, SpanKind, State, Waterfall,
    draw::{code, count, faster, mark, text},
    model::time,
};
use crate::{
    cli::terminal::{Ink, Look, harmless, wrapped},
    proto::v1,
};

/// What is said below: counts and times, the chain that took longest, and each
/// failure with its message.
pub(crate) fn below(waterfall: &Waterfall, look: &Look) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(summary) = &waterfall.summary {
        lines.extend(totals(summary, look));
        lines.extend(waterfall.order.line(look));
        lines.extend(waits(&waterfall.rows, look));
        lines.extend(again(&waterfall.rows, look));
        lines.extend(sources(&waterfall.rows));
        // A chain of all calls is seen without being told.
        if (2..waterfall.rows.len()).contains(&summary.critical_path.len()) {
            let names = summary.critical_path.iter();
            lines.extend(chain(names.map(|id| waterfall.label(id).unwrap_or("?")), look));
        }
    }
    lines.extend(failures(&waterfall.rows, look));
    lines
}

/// The chain of calls that takes longest.
pub(crate) fn chain<'a>(names: impl Iterator<Item = &'a str>, look: &Look) -> Vec<String> {
    let chain = names.collect::<Vec<_>>().join(look.pick(" → ", " -> "));
    let lines = wrapped(&format!("longest chain: {chain}"), look.width.saturating_sub(5));
    let indented = lines.iter().enumerate().map(|(at, line)| match at {
        0 => format!("  {line}"),
        _ => format!("    {line}"),
    });
    indented.map(|line| look.paint(Ink::Dim, &line)).collect()
}

/// How long it took and would have taken, then how it ended where not all is
/// well.
fn totals(summary: &v1::BatchSummary, look: &Look) -> Vec<String> {
    let (took, sequential) = (time(summary.duration), time(summary.sequential));
    let calls = count(summary.calls as usize, "call");
    let mut first = format!("  {} for {calls}", look.paint(Ink::Bold, &text(took)));
    // A turn that was broken off, or came to nothing, is not the faster for it.
    if summary.cancelled == 0
        && summary.succeeded > 0
        && let Some(faster) = faster(sequential, took, look)
    {
        first.push_str(&format!("; one by one {}: {faster}", text(sequential)));
    }
    let counts = [
        (summary.succeeded, "succeeded", Ink::Good),
        (summary.failed, "failed", Ink::Bad),
        (summary.skipped, "skipped", Ink::Skipped),
        (summary.cancelled, "cancelled", Ink::Waiting),
    ];
    if summary.succeeded == summary.calls {
        return vec![first];
    }
    let ended = counts.iter().filter(|(n, ..)| *n > 0);
    let ended = ended.map(|(n, what, ink)| look.paint(*ink, &format!("{n} {what}")));
    vec![first, format!("  {}", ended.collect::<Vec<_>>().join(", "))]
}

/// How many calls waited for keys and for their API's rate, and what such a
/// wait looks like.
fn waits(rows: &[Row], look: &Look) -> Vec<String> {
    let told = |kind: SpanKind, mark: &str, what: &str, for_what: [&str; 2]| {
        let waits = rows.iter().map(|row| row.spent(kind)).filter(|wait| !wait.is_zero());
        let (calls, longest) =
            waits.fold((0, Duration::ZERO), |(n, most), wait| (n + 1, wait.max(most)));
        let [of_one, of_more] = for_what;
        let for_what = if calls == 1 { of_one } else { of_more };
        let mark = look.paint(Ink::Waiting, mark);
        let told = || {
            let calls = count(calls, "call");
            format!("  {mark} {what}: {calls} waited for {for_what}, up to {}", text(longest))
        };
        (calls > 0).then(told)
    };
    let locked = told(
        SpanKind::Locked,
        look.pick("▓", "%"),
        "locked",
        ["a key that another held", "keys that others held"],
    );
    let throttled = told(
        SpanKind::Throttled,
        look.pick("▒", ":"),
        "throttled",
        ["its API's rate", "their API's rate"],
    );
    locked.into_iter().chain(throttled).collect()
}

/// How many calls were tried more than once, and what the wait between looks like.
fn again(rows: &[Row], look: &Look) -> Option<String> {
    let again = rows.iter().map(|row| row.attempts.len()).filter(|attempts| *attempts > 1);
    let (calls, most) = again.fold((0, 0), |(n, most), attempts| (n + 1, most.max(attempts)));
    let mark = look.paint(Ink::Waiting, look.pick("╌", "~"));
    (calls > 0)
        .then(|| format!("  {mark} tried again: {}, up to {most} attempts", count(calls, "call")))
}

/// How many calls have a result that is not their own.
fn sources(rows: &[Row]) -> Vec<String> {
    let told = [
        (v1::Source::Shared, "shared", "got what an identical one got"),
        (v1::Source::Cached, "cached", "got what was kept of an earlier one"),
        (
            v1::Source::Fallback,
            "fallback",
            "failed for good and got what the tool declares for that",
        ),
    ];
    let told = told.into_iter().filter_map(|(source, word, what)| {
        let calls = rows.iter().filter(|row| row.source == source).count();
        (calls > 0).then(|| format!("  {word}: {} {what}", count(calls, "call")))
    });
    told.collect()
}

/// Each failure with its message; those that say the same stand together.
fn failures(rows: &[Row], look: &Look) -> Vec<String> {
    let mut groups: Vec<(&v1::Failure, Vec<&Row>)> = Vec::new();
    let mut places: HashMap<(State, i32, &str), usize> = HashMap::new();
    for row in rows {
        let Some(failure) = &row.failure else { continue };
        let place = places.entry((row.state, failure.code, &failure.message));
        let place = *place.or_insert_with(|| {
            groups.push((failure, Vec::new()));
            groups.len() - 1
        });
        groups.get_mut(place).into_iter().for_each(|(_, group)| group.push(row));
    }
    let told = groups.iter().filter_map(|(failure, rows)| {
        let first = rows.first()?;
        let (mark, ink) = mark(first.state, look);
        let more = match rows.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let head = format!("  {mark} {}{more}: {}", first.label, code(failure));
        let message = wrapped(&harmless(&failure.message), look.width.saturating_sub(5));
        let message = message.into_iter().map(|line| format!("    {line}"));
        Some(std::iter::once(look.paint(ink, &head)).chain(message))
    });
    told.flatten().collect()
}
