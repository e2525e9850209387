//! Rows under a headline, and what is said below each.

use unicode_width::UnicodeWidthStr;

use crate::{
    cli::{
        terminal::{Ink, Look, fitted, harmless, wrapped},
        waterfall::{
            draw::{count, text as shown},
            time,
        },
    },
    proto::v1,
};

/// Columns between two cells.
const GAP: usize = 2;

/// Columns of the names.
const NAME_MAX: usize = 32;

/// Columns by which what is said below a row is indented.
const INDENT: usize = 2;

/// A table with details below its rows.
pub(super) struct Section<const N: usize> {
    head: &'static str,
    heads: &'static [&'static str; N],
    rows: Vec<Row<N>>,
}

struct Row<const N: usize> {
    name: String,
    cells: [String; N],
    ink: Ink,
    details: Vec<(String, String, Ink)>,
}

impl<const N: usize> Section<N> {
    pub(super) fn new(head: &'static str, heads: &'static [&'static str; N]) -> Self {
        Self { head, heads, rows: Vec::new() }
    }

    /// A row of that name, which comes from elsewhere.
    pub(super) fn row(&mut self, name: &str, cells: [String; N], ink: Ink) {
        self.rows.push(Row { name: harmless(name), cells, ink, details: Vec::new() });
    }

    /// Something to say of the last row.
    pub(super) fn detail(&mut self, label: &str, text: String, ink: Ink) {
        if let Some(row) = self.rows.last_mut() {
            row.details.push((label.to_owned(), text, ink));
        }
    }

    /// All of it; nothing where there are no rows.
    pub(super) fn lines(&self, omitted: u32, what: &str, look: &Look) -> Option<Vec<String>> {
        if self.rows.is_empty() {
            return None;
        }
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| row.cells[column].width());
            cells.max().unwrap_or(0).max(self.heads[column].width())
        });
        let around = 1 + widths.iter().map(|width| width + GAP).sum::<usize>();
        let labels = self.rows.iter().flat_map(|row| &row.details);
        let labels = labels.map(|(label, ..)| label.width() + INDENT);
        let longest = self.rows.iter().map(|row| row.name.width()).chain(labels).max();
        // One long name must not push everything else to the edge.
        let most = look.width.saturating_sub(around).clamp(8, NAME_MAX);
        let name = longest.unwrap_or(0).max(self.head.width()).min(most);
        let line = |first: &str, cells: &[&str]| {
            let mut line = fitted(first, name, look);
            for (cell, width) in cells.iter().zip(widths) {
                line.push_str(&" ".repeat(GAP + width - cell.width()));
                line.push_str(cell);
            }
            line
        };
        let mut lines = vec![look.paint(Ink::Dim, &line(self.head, &self.heads[..]))];
        for row in &self.rows {
            let cells = row.cells.each_ref().map(String::as_str);
            lines.push(look.paint(row.ink, &line(&row.name, &cells)));
            for (label, text, ink) in &row.details {
                lines.extend(
                    details(label, text, name, look).iter().map(|line| look.paint(*ink, line)),
                );
            }
        }
        if omitted > 0 {
            let more = count(omitted as usize, &format!("more {what}"));
            lines.push(look.paint(Ink::Dim, &format!("{} and {more}", look.pick("…", "..."))));
        }
        Some(lines)
    }
}

/// What is said below a row: a label, and a text beside it in as many lines as it
/// takes; below it where the label is too long.
fn details(label: &str, text: &str, name: usize, look: &Look) -> Vec<String> {
    let label_width = name.saturating_sub(INDENT);
    let (mut lines, mut label) = (Vec::new(), label);
    if label.width() > label_width {
        lines.push(format!("{}{label}", " ".repeat(INDENT)));
        label = "";
    }
    let room = look.width.saturating_sub(name + GAP + 1).max(16);
    for (at, line) in wrapped(text, room).into_iter().enumerate() {
        let label = fitted(if at == 0 { label } else { "" }, label_width, look);
        lines.push(format!("{}{label}{}{line}", " ".repeat(INDENT), " ".repeat(GAP)));
    }
    lines
}

/// `3/8`, or `3` where there is no bound.
pub(super) fn usage(usage: Option<&v1::Usage>) -> String {
    match usage {
        None => "-".to_owned(),
        Some(v1::Usage { used, max: None }) => used.to_string(),
        Some(v1::Usage { used, max: Some(max) }) => format!("{used}/{max}"),
    }
}

/// `95/10000`, or `0` where nobody waits.
pub(super) fn queue(usage: Option<&v1::Usage>) -> String {
    match usage {
        Some(v1::Usage { used: 0, .. }) => "0".to_owned(),
        other => self::usage(other),
    }
}

/// A time, where there is one.
pub(super) fn or_dash(of: Option<prost_types::Duration>) -> String {
    of.map_or_else(|| "-".to_owned(), |of| shown(time(Some(of))))
}
