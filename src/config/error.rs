//! What is wrong with a configuration, for the person who wrote it.

use std::fmt;

use super::file::{Source, Span};

/// Everything that is wrong, in the order of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Faults {
    /// The file's name as the user gave it.
    pub name: String,
    /// At least one.
    pub faults: Vec<Fault>,
}

/// One fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The setting: `tools.get_user.http.get`. Empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub fix: String,
    /// The line of the file; what may be a secret is masked.
    excerpt: String,
    /// Where the excerpt is marked: characters before, and marked ones.
    mark: (usize, usize),
}

/// What is no fault, and most likely not meant, in the order of the file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Warnings {
    /// The file's name as the user gave it.
    pub name: String,
    /// Perhaps none.
    pub warnings: Vec<Fault>,
}

impl fmt::Display for Warnings {
    /// As [`Faults`], without the last line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_all(f, &self.name, &self.warnings, "warning")
    }
}

/// A configuration that does not load.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{name}: {what}\n   = {fix}")]
    Unreadable {
        /// The file's name as the user gave it.
        name: String,
        /// Why.
        what: String,
        /// What to do.
        fix: String,
    },
    /// What it says is wrong.
    #[error(transparent)]
    Faults(#[from] Faults),
}

/// A fault before its place is spelt out.
#[derive(Debug)]
pub(super) struct Finding {
    /// Where.
    pub(super) span: Span,
    /// The setting.
    pub(super) path: String,
    /// What is wrong.
    pub(super) what: String,
    /// What to write instead.
    pub(super) fix: String,
}

/// Faults or warnings that are shown: nobody mends more at a time, and a file
/// of another kind has one on every line.
const SHOWN: usize = 50;

/// Longest part of a line that is shown, in characters.
const EXCERPT: usize = 100;

impl Fault {
    /// What a line of a log says of it; where it stands is said beside that.
    pub fn in_one_line(&self) -> String {
        let Self { path, what, fix, .. } = self;
        match path.as_str() {
            "" => format!("{what}; {fix}"),
            path => format!("{path}: {what}; {fix}"),
        }
    }

    /// Spells out the place of a finding; `masks` are never shown.
    pub(super) fn new(source: &Source, masks: &[Span], finding: Finding) -> Self {
        let Finding { span, path, what, fix } = finding;
        let (line, column) = source.position(span.start);
        // The file as a whole has no line to show.
        let (excerpt, mark) = match span == Span::default() {
            true => (String::new(), (0, 0)),
            false => excerpt(source, masks, span, line),
        };
        Self { line, column, path, what, fix, excerpt, mark }
    }
}

/// The line of a span, and which characters of it are marked.
fn excerpt(source: &Source, masks: &[Span], span: Span, line: usize) -> (String, (usize, usize)) {
    let whole = source.line(line);
    // Within a mask there is one place: its beginning.
    let within = masks.iter().find(|mask| (mask.start..mask.end).contains(&span.start));
    let span = within.copied().unwrap_or(span);
    let mut text = String::new();
    let (mut before, mut marked) = (0, 0);
    let mut masked = None;
    for (at, character) in source.slice(whole).char_indices() {
        let at = whole.start + at;
        let mask = masks.iter().position(|mask| (mask.start..mask.end).contains(&at));
        if mask.is_some() && mask == masked {
            continue;
        }
        masked = mask;
        let shown = match (mask, character) {
            (Some(_), _) => "***",
            (None, character) if character.is_control() => " ",
            (None, _) => source.slice(Span { start: at, end: at + character.len_utf8() }),
        };
        let width = shown.chars().count();
        if at < span.start {
            before += width;
        } else if at < span.end.max(span.start + 1) {
            marked += width;
        }
        text.push_str(shown);
    }
    window(&text, before, marked.max(1))
}

/// Cuts a long line around what is marked.
fn window(text: &str, before: usize, marked: usize) -> (String, (usize, usize)) {
    let length = text.chars().count();
    if length <= EXCERPT {
        return (text.to_owned(), (before, marked));
    }
    let from = before.saturating_sub(EXCERPT / 3).min(length.saturating_sub(EXCERPT));
    let mut cut: String = text.chars().skip(from).take(EXCERPT).collect();
    let mut before = before - from;
    if from > 0 {
        cut.insert(0, '…');
        before += 1;
    }
    if from + EXCERPT < length {
        cut.push('…');
    }
    let room = cut.chars().count().saturating_sub(before).max(1);
    (cut, (before, marked.min(room)))
}

impl std::error::Error for Faults {}

impl Faults {
    /// A line of each.
    pub fn in_lines(&self) -> String {
        let Self { name, faults } = self;
        let line = |fault: &Fault| {
            let Fault { line, column, .. } = fault;
            format!("{name}:{line}:{column}: {}", fault.in_one_line())
        };
        faults.iter().take(SHOWN).map(line).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Faults {
    /// ```text
    /// sidecall.yaml:4:5: apis.crm.concurency: there is no such key
    ///    |
    ///  4 |     concurency: 8
    ///    |     ^^^^^^^^^^
    ///    = write `concurrency`
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_all(f, &self.name, &self.faults, "fault")?;
        let count = self.faults.len();
        let plural = if count == 1 { "fault" } else { "faults" };
        write!(f, "{}: {count} {plural}; nothing was loaded", self.name)
    }
}

/// The first of them, and how many more there are.
fn write_all(f: &mut fmt::Formatter<'_>, name: &str, all: &[Fault], what: &str) -> fmt::Result {
    for fault in all.iter().take(SHOWN) {
        fault.write(f, name)?;
        writeln!(f)?;
    }
    match all.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        1 => writeln!(f, "and 1 more {what}\n"),
        more => writeln!(f, "and {more} more {what}s\n"),
    }
}

impl Fault {
    fn write(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let Self { line, column, path, what, fix, excerpt, mark: (before, marked) } = self;
        write!(f, "{name}:{line}:{column}: ")?;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        writeln!(f, "{what}")?;
        let margin = line.to_string().len().max(2);
        if !excerpt.is_empty() {
            writeln!(f, "{:margin$} |", "")?;
            writeln!(f, "{line:margin$} | {excerpt}")?;
            writeln!(f, "{:margin$} | {:before$}{}", "", "", "^".repeat(*marked))?;
        }
        writeln!(f, "{:margin$} = {fix}", "")
    }
}
