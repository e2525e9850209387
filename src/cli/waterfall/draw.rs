//! Lines of a waterfall, for any width, with Unicode or without.

use std::{collections::BTreeMap, time::Duration};

use unicode_width::UnicodeWidthStr;

use super::{Row, Span, SpanKind, State, Waterfall};
use crate::{
    cli::terminal::{Ink, Look, fitted},
    proto::v1,
};

/// Columns of the time at the end of a row.
const NOTE: usize = 9;

/// Columns of everything in a row that is not label or bar: the indent, the
/// mark, the note, the blanks between, and one at the end for terminals that
/// break a full line.
const AROUND: usize = 2 + 2 + 1 + 1 + NOTE + 1;

/// Columns that a tick of the axis needs for its text.
const TICK: usize = 11;

/// Left-aligned eighths of a cell, from none to all of it.
const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// The rows and the axis of time, as they are at `now`. Where there are more
/// rows than `rows_max`, those that have least to say stand in one line
/// together.
pub(crate) fn frame(
    waterfall: &Waterfall,
    now: Duration,
    look: &Look,
    rows_max: usize,
) -> Vec<String> {
    let scale = Scale::new(waterfall, now, look);
    let shown = shown(&waterfall.rows, rows_max);
    let hidden = waterfall.rows.len() - shown.len();
    let mut lines: Vec<String> = shown.iter().map(|row| scale.row(row, now, look)).collect();
    if hidden > 0 {
        let more = format!("{} {hidden} more: {}", look.pick("…", "..."), rest(waterfall, &shown));
        lines.push(look.paint(Ink::Dim, &format!("    {more}")));
    }
    lines.push(look.paint(Ink::Dim, &scale.axis(look)));
    lines
}

/// A time as a person reads it: three digits or so.
pub(crate) fn text(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    let s = ms / 1e3;
    if time.is_zero() {
        "0 ms".to_owned()
    } else if ms < 0.05 {
        "<0.1 ms".to_owned()
    } else if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if s < 9.995 {
        format!("{s:.2} s")
    } else if s < 99.95 {
        format!("{s:.1} s")
    } else {
        let s = time.as_secs() + u64::from(time.subsec_millis() >= 500);
        if s < 3600 {
            format!("{} m {:02} s", s / 60, s % 60)
        } else {
            format!("{} h {:02} m", s / 3600, s / 60 % 60)
        }
    }
}

/// How many times faster: `4.9× faster`; nothing where there is nothing to
/// speak of.
pub(crate) fn faster(sequential: Duration, took: Duration, look: &Look) -> Option<String> {
    let factor = sequential.as_secs_f64() / took.as_secs_f64().max(1e-9);
    let text = || format!("{factor:.1}{} faster", look.pick("×", "x"));
    (factor >= 1.05).then(|| look.paint(Ink::Good, &text()))
}

/// `1 call`, `5 calls`.
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The failure's code as the model reads it: `invalid_input`.
pub(crate) fn code(failure: &v1::Failure) -> String {
    name(failure.code())
}

/// A code as the model reads it.
pub(crate) fn name(code: v1::FailureCode) -> String {
    let name = code.as_str_name();
    name.strip_prefix("FAILURE_CODE_").unwrap_or(name).to_ascii_lowercase()
}

/// The mark of a state, and what it is written in.
pub(crate) fn mark<'a>(state: State, look: &Look) -> (&'a str, Ink) {
    let (unicode, ascii, ink) = match state {
        State::Planned => ("◦", "o", Ink::Active),
        State::Blocked => ("·", ".", Ink::Dim),
        State::Queued => ("◌", "~", Ink::Waiting),
        State::Running => ("▸", ">", Ink::Active),
        State::BackingOff => ("↻", "r", Ink::Waiting),
        State::Done => ("✓", "+", Ink::Good),
        State::Failed => ("✗", "x", Ink::Bad),
        State::Cancelled => ("⊗", "!", Ink::Waiting),
        State::Skipped => ("⊘", "-", Ink::Skipped),
    };
    (if look.unicode { unicode } else { ascii }, ink)
}

/// How it stands with the rows that are not shown: `3 running, 60 queued`.
fn rest(waterfall: &Waterfall, shown: &[&Row]) -> String {
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    for row in &waterfall.rows {
        *counts.entry(row.state).or_default() += 1;
    }
    for row in shown {
        counts.entry(row.state).and_modify(|count| *count -= 1);
    }
    let told = counts.iter().filter(|(_, count)| **count > 0);
    let told = told.map(|(state, count)| format!("{count} {}", state.word()));
    told.collect::<Vec<_>>().join(", ")
}

/// Those rows that have most to say, in call order.
fn shown(rows: &[Row], rows_max: usize) -> Vec<&Row> {
    if rows.len() <= rows_max {
        return rows.iter().collect();
    }
    let mut order: Vec<(usize, &Row)> = rows.iter().enumerate().collect();
    order.sort_by_key(|(at, row)| match row.state {
        State::Running | State::BackingOff => (0, *at),
        State::Failed | State::Cancelled => (1, *at),
        State::Queued => (2, *at),
        State::Blocked | State::Planned => (3, *at),
        // Of those that have ended well, the last ones.
        State::Done | State::Skipped => (4, rows.len() - at),
    });
    order.truncate(rows_max.saturating_sub(1));
    order.sort_by_key(|(at, _)| *at);
    order.into_iter().map(|(_, row)| row).collect()
}

/// Where times stand in the line.
struct Scale {
    /// Columns of the labels.
    label: usize,
    /// Columns of the bars.
    columns: usize,
    /// The time at the bars' end.
    horizon: Duration,
}

impl Scale {
    fn new(waterfall: &Waterfall, now: Duration, look: &Look) -> Self {
        let longest = waterfall.rows.iter().map(|row| row.label.width()).max().unwrap_or(0);
        let label = longest.clamp(8, look.width / 3);
        let columns = look.width.saturating_sub(label + AROUND).max(1);
        let end = waterfall.end_at(now);
        let ended = waterfall.rows.iter().all(|row| row.state.is_terminal());
        let planned = waterfall.rows.iter().any(|row| row.state == State::Planned);
        // While it lasts, the scale grows in steps: bars that shrank with every
        // frame would be hard to read.
        let horizon = match end <= waterfall.expected {
            _ if ended || planned => end,
            true => waterfall.expected,
            false => round_up(end),
        };
        Self { label, columns, horizon: horizon.max(Duration::from_millis(1)) }
    }

    fn row(&self, row: &Row, now: Duration, look: &Look) -> String {
        let (mark, ink) = mark(row.state, look);
        let mark = look.paint(ink, mark);
        let label = fitted(&row.label, self.label, look);
        let label = match row.state {
            State::Blocked | State::Queued | State::Skipped => look.paint(Ink::Dim, &label),
            _ => label,
        };
        let note = note(row, now);
        let note_ink = if row.state == State::Done { Ink::Plain } else { ink };
        let note = look.paint(note_ink, &format!("{note:>NOTE$}"));
        format!("  {mark} {label} {} {note}", self.bar(row, now, ink, look))
    }

    fn bar(&self, row: &Row, now: Duration, ink: Ink, look: &Look) -> String {
        let mut cells = vec![(' ', Ink::Plain); self.columns];
        let (running, waits): (Vec<_>, Vec<_>) =
            row.spans.iter().partition(|span| span.kind == SpanKind::Running);
        // An attempt that failed and was followed by another is no success.
        let last = running.len().saturating_sub(1);
        for span in waits {
            self.paint_wait(&mut cells, span, now, look);
        }
        for (at, span) in running.into_iter().enumerate() {
            let ink = if at < last { Ink::Bad } else { ink };
            self.paint_run(&mut cells, span, now, ink, look);
        }
        joined(&cells, look)
    }

    fn paint_wait(&self, cells: &mut [(char, Ink)], span: &Span, now: Duration, look: &Look) {
        let (unicode, ascii, ink) = match span.kind {
            SpanKind::Blocked => ('┄', '.', Ink::Dim),
            SpanKind::Locked => ('▓', '%', Ink::Waiting),
            SpanKind::Waiting => ('░', '-', Ink::Waiting),
            SpanKind::Throttled => ('▒', ':', Ink::Waiting),
            SpanKind::BackingOff | SpanKind::Running => ('╌', '~', Ink::Waiting),
        };
        let (from, to) = self.eighths(span, now);
        let cell = |eighths: usize| ((eighths + 4) / 8).min(self.columns);
        for slot in cells.get_mut(cell(from)..cell(to)).into_iter().flatten() {
            *slot = (if look.unicode { unicode } else { ascii }, ink);
        }
    }

    fn paint_run(
        &self,
        cells: &mut [(char, Ink)],
        span: &Span,
        now: Duration,
        ink: Ink,
        look: &Look,
    ) {
        let (from, to) = self.eighths(span, now);
        // However short, a run is seen.
        let from = from.min(self.columns * 8 - 1);
        let to = to.max(from + 1);
        for (at, slot) in cells.iter_mut().enumerate().take(to.div_ceil(8)).skip(from / 8) {
            let left = from.saturating_sub(at * 8);
            let right = (to - at * 8).min(8);
            let is_first = at == from / 8;
            let is_last = at + 1 == to.div_ceil(8);
            if look.unicode {
                // A sliver at the left would only look like a gap.
                if left < 6 || is_last {
                    *slot = (block(left, right), ink);
                }
            } else if right - left >= 4 || is_first && to - from < 8 {
                *slot = ('=', ink);
            }
        }
    }

    /// A span's ends in eighths of a column.
    fn eighths(&self, span: &Span, now: Duration) -> (usize, usize) {
        let all = self.columns * 8;
        let place = |time: Duration| {
            let eighths = time.as_secs_f64() / self.horizon.as_secs_f64() * all as f64;
            // Not negative, and a float too large for usize saturates.
            (eighths.round() as usize).min(all)
        };
        let to = span.to.unwrap_or(now).max(span.from);
        (place(span.from), place(to))
    }

    /// Ticks where a round time is, each with that time behind it.
    fn axis(&self, look: &Look) -> String {
        let mut axis = " ".repeat(self.label + 5);
        let start = axis.len();
        let most = (self.columns / TICK).max(1);
        let step = round_up(self.horizon / u32::try_from(most).unwrap_or(u32::MAX));
        let tick = look.pick("╵", "'");
        let mut at = Duration::ZERO;
        while at <= self.horizon {
            let share = at.as_secs_f64() / self.horizon.as_secs_f64();
            let column = (share * self.columns as f64).round() as usize;
            let text = format!("{tick}{}", tick_text(at));
            // The last tick may reach into the column of the notes.
            if column + text.width() > self.columns + NOTE {
                break;
            }
            let used = axis.width() - start;
            axis.extend(std::iter::repeat_n(' ', column.saturating_sub(used)));
            axis.push_str(&text);
            at += step;
        }
        axis
    }
}

/// The part of a cell from its `left` eighth to its `right`, as near as a
/// character comes to it.
fn block(left: usize, right: usize) -> char {
    match (left, right) {
        (0, _) => EIGHTHS.get(right).copied().unwrap_or('█'),
        (1..=2, 8) => '█',
        (3..=5, 8) => '▐',
        (_, 8) => '▕',
        _ => '▏',
    }
}

/// Cells as text, neighbours of one ink painted together.
fn joined(cells: &[(char, Ink)], look: &Look) -> String {
    let groups = cells.chunk_by(|a, b| a.1 == b.1);
    let paint = |group: &[(char, Ink)]| {
        let text: String = group.iter().map(|(c, _)| *c).collect();
        group.first().map_or_else(String::new, |(_, ink)| look.paint(*ink, &text))
    };
    groups.map(paint).collect()
}

fn note(row: &Row, now: Duration) -> String {
    match row.state {
        State::Blocked | State::Queued | State::BackingOff | State::Skipped | State::Cancelled => {
            row.state.word().to_owned()
        }
        State::Failed if row.spans.iter().all(|span| span.kind != SpanKind::Running) => {
            "not run".to_owned()
        }
        State::Done if row.origin().is_some() => row.origin().unwrap_or_default().to_owned(),
        State::Planned | State::Running | State::Done | State::Failed => text(row.running(now)),
    }
}

/// A round time of the axis: as short as it can be.
fn tick_text(time: Duration) -> String {
    let ms = time.as_micros() as f64 / 1e3;
    if time.is_zero() {
        "0".to_owned()
    } else if ms < 1e3 {
        format!("{ms} ms")
    } else if ms < 120e3 {
        format!("{} s", ms / 1e3)
    } else {
        text(time)
    }
}

/// The next of 1, 2, 5, 10, 20, 50, … from 100 µs on.
fn round_up(time: Duration) -> Duration {
    let mut decade = Duration::from_micros(100);
    loop {
        for factor in [1, 2, 5] {
            if decade * factor >= time {
                return decade * factor;
            }
        }
        // Ends: the loop is left above, long before this could overflow.
        decade = decade.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests;
