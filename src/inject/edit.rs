//! Changes to a tree, written into its text.
//!
//! What is added goes in on lines of its own, or after a comma; what is taken
//! out goes with its lines, or with its comma. Nothing else is written anew.

use std::{collections::BTreeMap, ops::Range};

use super::{
    render::{Look, Value, json},
    tree::{Form, Id, Kind, Style, Tree},
};

/// A change to one node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Edit {
    /// Items of a list that has some, before the item of this number or after all.
    Items(Option<usize>, Vec<Value>),
    /// A key that the mapping does not have; it has others.
    Key(String, Value),
    /// Takes the place of nothing, `[]` or `{}`.
    Fill(Value),
    /// Takes out items or entries, by number; some are left.
    Drop(Vec<usize>),
    /// Takes out everything; this stands there then.
    Empty(String),
}

/// Every change to a tree, by node, in the order in which they were asked for.
pub(super) type Edits = BTreeMap<Id, Vec<Edit>>;

/// A change to the text.
struct Splice {
    range: Range<usize>,
    text: String,
    /// How deep the changed node stands: what is deeper ends first.
    depth: usize,
    /// Whether it was there before, line breaks and all.
    is_restored: bool,
}

/// The text with every change made; none where two changes meet, or one cannot
/// be written where it belongs.
pub(super) fn apply(tree: &Tree<'_>, edits: &Edits, look: Look) -> Option<String> {
    let mut splices = Vec::new();
    for (id, edits) in edits {
        for edit in edits {
            let depth = tree.depth(*id);
            let made = splices.len();
            splice(tree, *id, edit, look, &mut splices)?;
            for splice in splices.iter_mut().skip(made) {
                splice.depth = depth;
                splice.is_restored = matches!(edit, Edit::Empty(_));
            }
        }
    }
    // A block text that the end cuts off would get a line break: not every reader
    // believes that it has one already.
    let end = tree.text.len();
    if splices.iter().any(|splice| splice.range.start == end) && ends_in_block_text(tree) {
        return None;
    }
    splices.sort_by(|a, b| a.range.start.cmp(&b.range.start).then(b.depth.cmp(&a.depth)));
    let newline = if tree.text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut out = String::with_capacity(tree.text.len() + 4096);
    let mut at = 0;
    for Splice { range, text, is_restored, .. } in splices {
        if range.is_empty() && text.is_empty() {
            continue;
        }
        out.push_str(tree.text.get(at..range.start)?);
        let is_as_it_is = is_restored || newline == "\n";
        out.push_str(&if is_as_it_is { text } else { text.replace('\n', newline) });
        at = range.end;
    }
    out.push_str(&tree.text[at..]);
    // Lines that went from the end of a text without a last line break take the
    // one before them along.
    if at == tree.text.len() && !tree.text.ends_with('\n') && out.ends_with(newline) {
        out.truncate(out.len() - newline.len());
    }
    Some(out)
}

/// Whether the text ends inside a block text that keeps its last line break.
pub(super) fn ends_in_block_text(tree: &Tree<'_>) -> bool {
    !tree.text.ends_with('\n')
        && tree.nodes.iter().any(|node| {
            let header = tree.text[node.body..].split_whitespace().next().unwrap_or_default();
            let is_block = matches!(&node.kind, Kind::Scalar(scalar) if scalar.form == Form::Block);
            is_block && node.end == tree.text.len() && !header.contains('-')
        })
}

fn splice(
    tree: &Tree<'_>,
    id: Id,
    edit: &Edit,
    look: Look,
    splices: &mut Vec<Splice>,
) -> Option<()> {
    let mut push = |range, text| splices.push(Splice { range, text, depth: 0, is_restored: false });
    match edit {
        Edit::Items(before, values) => {
            let Kind::Sequence { style, items, dashes } = &tree.node(id).kind else { return None };
            let parts = extents(tree, id);
            if *style == Style::Flow {
                let inline = Inline::of(tree, id, &parts);
                let values = values.iter().map(|value| inline.value(value)).collect();
                push_inline(&inline, &parts, *before, values, &mut push);
            } else {
                let indent = tree.column(*dashes.first()?);
                let text: String = values.iter().map(|value| look.item(value, indent)).collect();
                match before {
                    Some(before) => {
                        let dash = *dashes.get(*before)?;
                        // A list whose first `-` stands behind another.
                        tree.begins_line(dash).then_some(())?;
                        let at = tree.line_start(dash);
                        push(at..at, text);
                    }
                    None => push_lines(tree, behind(tree, *items.last()?, indent), text, &mut push),
                }
            }
        }
        Edit::Key(key, value) => {
            let Kind::Mapping { style, entries } = &tree.node(id).kind else { return None };
            if *style == Style::Flow {
                let parts = extents(tree, id);
                let inline = Inline::of(tree, id, &parts);
                let text = format!("{}: {}", json(&key.as_str().into(), None), inline.value(value));
                push_inline(&inline, &parts, None, vec![text], &mut push);
            } else {
                let indent = tree.column(tree.node(id).body);
                let text = look.entry(key, value, indent);
                push_lines(tree, behind(tree, entries.last()?.value, indent), text, &mut push);
            }
        }
        Edit::Fill(value) => fill(tree, id, value, look, &mut push)?,
        Edit::Drop(gone) => drop_parts(tree, id, gone, &mut push)?,
        Edit::Empty(text) => empty(tree, id, text, &mut push)?,
    }
    Some(())
}

/// Writes nothing, `[]` or `{}` where a collection stands.
fn empty(
    tree: &Tree<'_>,
    id: Id,
    text: &str,
    push: &mut impl FnMut(Range<usize>, String),
) -> Option<()> {
    let (node, from) = (tree.node(id), tree.value_from(id)?);
    let is_flow = tree.is_flow(id);
    // A text that is not behind its key must stand deeper than the key.
    let word = text.trim_start();
    let margin = text[..text.len() - word.len()].rsplit_once('\n').map(|(_, last)| last.len());
    let key = tree.column(tree.node(tree.entry_of(id)?.key).start);
    let is_apart = !is_flow && word.len() < text.len() && margin.is_none_or(|margin| margin > key);
    let text = match (is_apart, word) {
        (true, _) => text.to_owned(),
        (false, "") => String::new(),
        (false, word) => format!(" {word}"),
    };
    if is_flow {
        let is_nothing = text.is_empty();
        push(if is_nothing { from } else { node.body }..node.end, text.trim_start().to_owned());
    } else {
        // A comment behind the key stays there.
        push(from..from, text);
        push(tree.line_start(node.body)..tree.after(id), String::new());
    }
    Some(())
}

/// Where the line begins after a collection's last part and the comments below it
/// that are indented as the collection is.
fn behind(tree: &Tree<'_>, last: Id, indent: usize) -> usize {
    let mut at = tree.after(last);
    loop {
        let line = tree.slice(at, tree.next_line(at));
        let comment = line.trim_start_matches(' ');
        if !comment.starts_with('#') || line.len() - comment.len() < indent.max(1) {
            return at;
        }
        at += line.len();
    }
}

/// Puts whole lines in at a line's beginning, or behind a last line without end.
fn push_lines(
    tree: &Tree<'_>,
    at: usize,
    text: String,
    push: &mut impl FnMut(Range<usize>, String),
) {
    let is_cut = at == tree.text.len() && !tree.text.is_empty() && !tree.text.ends_with('\n');
    let text = if is_cut { format!("\n{}", text.trim_end_matches('\n')) } else { text };
    push(at..at, text);
}

/// Where each item or entry stands.
fn extents(tree: &Tree<'_>, id: Id) -> Vec<Range<usize>> {
    match &tree.node(id).kind {
        Kind::Sequence { items, dashes, .. } => {
            let starts = |at: usize| dashes.get(at).copied();
            let items = items.iter().enumerate();
            items
                .map(|(at, item)| {
                    let node = tree.node(*item);
                    starts(at).unwrap_or(node.start)..node.end
                })
                .collect()
        }
        Kind::Mapping { entries, .. } => {
            let entry = |key: Id, value: Id| tree.node(key).start..tree.node(value).end;
            entries.iter().map(|found| entry(found.key, found.value)).collect()
        }
        _ => Vec::new(),
    }
}

/// How what stands in brackets is laid out.
struct Inline<'t> {
    /// What stands between two parts.
    between: String,
    /// The margin of a part's line and what one level more is, where parts have
    /// lines of their own.
    lines: Option<(&'t str, &'t str)>,
}

impl<'t> Inline<'t> {
    fn of(tree: &Tree<'t>, id: Id, parts: &[Range<usize>]) -> Self {
        let own_line = parts.last().filter(|part| tree.begins_line(part.start));
        let Some(part) = own_line else {
            return Self { between: ", ".to_owned(), lines: None };
        };
        let margin = tree.slice(tree.line_start(part.start), part.start);
        let opening = tree.line_start(tree.node(id).body);
        let outer = tree.text[opening..].trim_start_matches([' ', '\t']);
        let outer = tree.slice(opening, tree.text.len() - outer.len());
        let unit = margin.strip_prefix(outer).filter(|unit| !unit.is_empty()).unwrap_or("  ");
        Self { between: format!(",\n{margin}"), lines: Some((margin, unit)) }
    }

    fn value(&self, value: &Value) -> String {
        json(value, self.lines)
    }
}

fn push_inline(
    inline: &Inline<'_>,
    parts: &[Range<usize>],
    before: Option<usize>,
    values: Vec<String>,
    push: &mut impl FnMut(Range<usize>, String),
) {
    let between = &inline.between;
    match before.and_then(|before| parts.get(before)) {
        Some(part) => {
            let text: String = values.iter().map(|value| format!("{value}{between}")).collect();
            push(part.start..part.start, text);
        }
        None => {
            let Some(part) = parts.last() else { return };
            let text: String = values.iter().map(|value| format!("{between}{value}")).collect();
            push(part.end..part.end, text);
        }
    }
}

/// Writes a collection where nothing stands, `[]` or `{}`.
fn fill(
    tree: &Tree<'_>,
    id: Id,
    value: &Value,
    look: Look,
    push: &mut impl FnMut(Range<usize>, String),
) -> Option<()> {
    let entry = tree.entry_of(id)?;
    let node = tree.node(id);
    let parent = node.parent?;
    let from = tree.value_from(id);
    if !tree.is_flow(parent) {
        let from = from?;
        // What stands on a line of its own may have a comment before it.
        let is_bare = tree.slice(from, node.body.max(from)).trim().is_empty();
        push(if is_bare { from } else { node.body }..node.end.max(from), String::new());
        let key = tree.column(tree.node(entry.key).start);
        push_lines(tree, tree.after(id), look.under(value, key), push);
        return Some(());
    }
    let key = tree.node(entry.key);
    let lines = tree.begins_line(key.start).then(|| {
        let parts = extents(tree, parent);
        Inline::of(tree, parent, &parts).lines
    });
    let text = json(value, lines.flatten());
    match from {
        Some(_) if node.end > node.body => push(node.body..node.end, text),
        Some(from) => push(from..from, format!(" {text}")),
        None => push(key.end..key.end, format!(": {text}")),
    }
    Some(())
}

/// Takes parts out of a collection that keeps others.
fn drop_parts(
    tree: &Tree<'_>,
    id: Id,
    gone: &[usize],
    push: &mut impl FnMut(Range<usize>, String),
) -> Option<()> {
    let parts = extents(tree, id);
    let is_flow = tree.is_flow(id);
    let mut at = 0;
    while at < parts.len() {
        if !gone.contains(&at) {
            at += 1;
            continue;
        }
        let first = at;
        while at < parts.len() && gone.contains(&at) {
            at += 1;
        }
        let (part, last) = (&parts[first], &parts[at - 1]);
        let range = if !is_flow && tree.begins_line(part.start) {
            tree.line_start(part.start)..tree.line_after(last.end)
        } else if !is_flow {
            // Behind a `-`: what follows moves up to it.
            let rest = tree.line_after(last.end);
            let margin = &tree.text[rest..];
            let next = tree.text.len() - margin.trim_start().len();
            parts.get(at)?;
            part.start..next
        } else {
            let before = first.checked_sub(1).map(|before| parts[before].end..last.end);
            let behind = parts.get(at).map(|next| part.start..next.start);
            // What was put before another brought what stands behind it; a comment there
            // is somebody's.
            let is_plain = |range: &Range<usize>| !tree.slice(last.end, range.end).contains('#');
            behind.clone().filter(is_plain).or(before).or(behind)?
        };
        push(range, String::new());
    }
    Some(())
}
