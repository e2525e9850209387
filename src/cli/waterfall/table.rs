//! Where each call's time went, in figures: what a waterfall draws, to be read.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::{
    Waterfall,
    draw::{mark, name, text},
    model::time,
};
use crate::{
    cli::terminal::{Ink, Look, fitted},
    proto::v1,
};

/// What a call's time is spent on, in the order of its life.
const HEADS: [&str; 6] = ["blocked", "locked", "queued", "throttled", "backoff", "running"];

/// The last column, which is there even where it is empty.
const RUNNING: usize = 5;

/// A line, before it is known how wide its columns are.
struct Line {
    label: String,
    times: [Duration; 6],
    ink: Ink,
}

/// A row for each call that has ended, and below it one for each of its attempts
/// where there was more than one. A column that would be empty is left out, and so
/// are all of them where no call took any time.
pub(crate) fn table(waterfall: &Waterfall, look: &Look) -> Vec<String> {
    let lines = lines(waterfall, look);
    if lines.iter().all(|line| line.times.iter().all(Duration::is_zero)) {
        return Vec::new();
    }
    let shown: Vec<usize> = (0..HEADS.len())
        .filter(|at| *at == RUNNING || lines.iter().any(|line| !line.times[*at].is_zero()))
        .collect();
    let cell = |time: Duration| match time.is_zero() {
        true => "-".to_owned(),
        false => text(time),
    };
    let columns: Vec<usize> = shown
        .iter()
        .map(|at| {
            let widest = lines.iter().map(|line| cell(line.times[*at]).len()).max();
            2 + widest.unwrap_or(0).max(HEADS[*at].len())
        })
        .collect();
    let longest = lines.iter().map(|line| line.label.width()).max().unwrap_or(0);
    // The indent, and one at the end for terminals that break a full line.
    let around = 3 + columns.iter().sum::<usize>();
    let label = longest.clamp(4, look.width.saturating_sub(around).max(8));
    let row = |head: &str, cells: Vec<String>| {
        let mut row = format!("  {}", fitted(head, label, look));
        for (cell, column) in cells.iter().zip(&columns) {
            row.push_str(&format!("{cell:>column$}"));
        }
        row
    };
    let heads = shown.iter().map(|at| HEADS[*at].to_owned()).collect();
    let mut table = vec![String::new(), look.paint(Ink::Dim, &row("", heads))];
    for line in &lines {
        let cells = shown.iter().map(|at| cell(line.times[*at])).collect();
        table.push(look.paint(line.ink, &row(&line.label, cells)));
    }
    table
}

fn lines(waterfall: &Waterfall, look: &Look) -> Vec<Line> {
    let mut lines = Vec::new();
    for row in waterfall.rows.iter().filter(|row| row.state.is_terminal()) {
        let v1::Timings { blocked, locked, queued, throttled, backing_off, running } = row.timings;
        let (sign, _) = mark(row.state, look);
        lines.push(Line {
            label: format!("{sign} {}", row.label),
            times: [blocked, locked, queued, throttled, backing_off, running].map(time),
            ink: Ink::Plain,
        });
        for (at, attempt) in row.attempts.iter().enumerate() {
            let end = match attempt.code() {
                v1::FailureCode::Unspecified => "succeeded".to_owned(),
                code => name(code),
            };
            let v1::Attempt { queued, throttled, backing_off, running, .. } = *attempt;
            lines.push(Line {
                label: format!("    {}: {end}", at + 1),
                times: [None, None, queued, throttled, backing_off, running].map(time),
                ink: Ink::Dim,
            });
        }
    }
    lines
}
