//! What was measured, as a table for people and as JSON lines for machines.

use std::{fmt, fs, io::Write, path::Path};

use anyhow::Context;
use serde::{Serialize, Serializer};

/// One figure beside what it is compared with.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What is measured, then how: `engine.batch1.p50`.
    name: &'static str,
    /// Of `sidecall` and `reference`.
    unit: &'static str,
    /// The figure.
    sidecall: f64,
    /// The same figure of what it is compared with.
    reference: Option<f64>,
    /// The figure by its reference.
    ratio: Option<f64>,
    /// What was promised.
    bound: Bound,
    /// Whether it is kept.
    holds: bool,
    /// For the table: what the figures are of, and how far the rounds differ.
    #[serde(skip)]
    remark: String,
}

/// A promise about a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// The ratio is at most this.
    RatioAtMost(f64),
    /// Nothing was: it is shown beside others.
    Shown,
    /// The ratio is at least this.
    RatioAtLeast(f64),
    /// The ratio is this far from 1 at most, up or down.
    RatioWithin(f64),
    /// The figure itself is at most this.
    ValueAtMost(f64),
    /// The figure itself is at least this.
    ValueAtLeast(f64),
    /// The figure is above its reference by this at most.
    MoreByAtMost(f64),
}

impl Row {
    /// A figure that stands alone.
    pub(crate) fn alone(
        name: &'static str,
        unit: &'static str,
        sidecall: f64,
        bound: Bound,
    ) -> Self {
        Self::of(name, unit, (sidecall, None), bound)
    }

    /// A figure beside the same figure of its reference.
    pub(crate) fn beside(
        name: &'static str,
        unit: &'static str,
        (sidecall, reference): (f64, f64),
        bound: Bound,
    ) -> Self {
        Self::of(name, unit, (sidecall, Some(reference)), bound)
    }

    fn of(
        name: &'static str,
        unit: &'static str,
        (sidecall, reference): (f64, Option<f64>),
        bound: Bound,
    ) -> Self {
        let ratio = reference.map(|reference| sidecall / reference);
        let holds = bound.holds(sidecall, reference);
        Self { name, unit, sidecall, reference, ratio, bound, holds, remark: String::new() }
    }

    /// With a remark for the table.
    pub(crate) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }

    fn cells(&self) -> [String; 8] {
        let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), figure);
        [
            self.name.to_owned(),
            self.unit.to_owned(),
            figure(self.sidecall),
            number(self.reference),
            number(self.ratio),
            self.bound.to_string(),
            match (self.bound, self.holds) {
                (Bound::Shown, _) => "-",
                (_, true) => "yes",
                (_, false) => "NO",
            }
            .to_owned(),
            self.remark.clone(),
        ]
    }
}

impl Bound {
    /// A missing reference keeps no promise about it, and neither does a NaN.
    fn holds(self, value: f64, reference: Option<f64>) -> bool {
        let ratio = reference.map(|reference| value / reference);
        match self {
            Self::Shown => true,
            Self::RatioAtMost(most) => ratio.is_some_and(|ratio| ratio <= most),
            Self::RatioAtLeast(least) => ratio.is_some_and(|ratio| ratio >= least),
            Self::RatioWithin(off) => ratio.is_some_and(|ratio| (ratio - 1.0).abs() <= off),
            Self::ValueAtMost(most) => value <= most,
            Self::ValueAtLeast(least) => value >= least,
            Self::MoreByAtMost(most) => reference.is_some_and(|than| value - than <= most),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shown => f.write_str("-"),
            Self::RatioAtMost(most) => write!(f, "ratio <= {most}"),
            Self::RatioAtLeast(least) => write!(f, "ratio >= {least}"),
            Self::RatioWithin(off) => write!(f, "ratio {:.2}..{:.2}", 1.0 - off, 1.0 + off),
            Self::ValueAtMost(most) => write!(f, "value <= {most}"),
            Self::ValueAtLeast(least) => write!(f, "value >= {least}"),
            Self::MoreByAtMost(most) => write!(f, "more by <= {most}"),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Three digits that mean something, whatever the size.
fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 0.1 => format!("{number:.3}"),
        _ => format!("{number:.5}"),
    }
}

/// Writes `rows` as a table to `out`.
pub(crate) fn print(rows: &[Row], out: &mut impl Write) -> anyhow::Result<()> {
    let head =
        ["name", "unit", "sidecall", "reference", "ratio", "bound", "holds", ""].map(str::to_owned);
    let table: Vec<_> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let widths: [usize; 8] = std::array::from_fn(|column| {
        table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0)
    });
    for cells in &table {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            // Numbers stand at the right.
            let pad = " ".repeat(width - cell.chars().count());
            line += &if (2..5).contains(&column) {
                format!("{pad}{cell}  ")
            } else {
                format!("{cell}{pad}  ")
            };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    let bound: Vec<_> = rows.iter().filter(|row| !matches!(row.bound, Bound::Shown)).collect();
    let kept = bound.iter().filter(|row| row.holds).count();
    writeln!(out, "\n{kept} of {} bounds hold", bound.len())?;
    Ok(())
}

/// Writes `rows` to `path`, one JSON object a line.
pub(crate) fn save(rows: &[Row], path: &Path) -> anyhow::Result<()> {
    let mut lines = String::new();
    for row in rows {
        lines += &serde_json::to_string(row)?;
        lines.push('\n');
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))
}
