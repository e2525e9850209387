//! Where each part of a tree begins and ends.
//!
//! The parser tells where tokens stand. Between them are what an edit needs to
//! know as well: the `-` of an item, the `:` after a key, where a block text ends
//! and where a value is that was left out.

use super::tree::{Form, Id, Kind, Style, Tree};

/// Sets every node's extent.
pub(super) fn settle(tree: &mut Tree<'_>) {
    let mut from = 0;
    for root in tree.documents.clone() {
        from = node(tree, root, from.max(document_start(tree, root, from)));
    }
}

/// After the `---` or `...` lines before a root.
fn document_start(tree: &Tree<'_>, root: Id, from: usize) -> usize {
    let node = tree.node(root);
    let first = node.anchor.as_ref().map(|(at, _)| *at);
    let first = first.into_iter().chain(node.tag.as_ref().map(|(at, ..)| *at));
    let first = first.min().unwrap_or(node.start).max(from);
    let before = &tree.text[from..first];
    let marker = before.match_indices("---").map(|(at, _)| from + at);
    let marker = marker.filter(|at| *at == 0 || tree.column(*at) == 0).last();
    marker.map_or(from, |at| at + 3)
}

/// Settles a node whose text begins at or after `from`; gives its end.
fn node(tree: &mut Tree<'_>, id: Id, from: usize) -> usize {
    let this = tree.node(id);
    let anchor = this.anchor.as_ref().map(|(at, name)| (*at, at + name.len()));
    let tag = this.tag.as_ref().map(|(start, end, _)| (*start, *end));
    let properties = anchor.into_iter().chain(tag);
    let properties = properties.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let from = properties.map_or(from, |(_, end)| end);
    let raw = (this.start, this.end);
    let (body, end) = match &this.kind {
        Kind::Scalar(scalar) => match scalar.form {
            Form::Plain if raw.0 == raw.1 => (from, from),
            Form::Plain | Form::Quoted => raw,
            Form::Block => block_text(tree.text, from, raw.1),
        },
        Kind::Alias(_) => raw,
        Kind::Sequence { style, items, .. } => {
            let (style, items) = (*style, items.clone());
            sequence(tree, id, style, &items, from)
        }
        Kind::Mapping { style, .. } => {
            let style = *style;
            mapping(tree, id, style, from)
        }
    };
    let this = &mut tree.nodes[id.0];
    this.body = body;
    this.start = properties.map_or(body, |(start, _)| start);
    this.end = end;
    end
}

fn sequence(
    tree: &mut Tree<'_>,
    id: Id,
    style: Style,
    items: &[Id],
    from: usize,
) -> (usize, usize) {
    let raw = (tree.node(id).start, tree.node(id).end);
    if style == Style::Flow {
        let mut at = raw.0 + 1;
        for item in items {
            at = node(tree, *item, at);
        }
        return raw;
    }
    let mut dashes = Vec::with_capacity(items.len());
    let mut at = from;
    for item in items {
        let dash = skip_blank(tree.text, at);
        dashes.push(dash);
        at = node(tree, *item, dash + 1);
    }
    let body = dashes.first().copied().unwrap_or(raw.0);
    if let Kind::Sequence { dashes: places, .. } = &mut tree.nodes[id.0].kind {
        *places = dashes;
    }
    (body, at)
}

fn mapping(tree: &mut Tree<'_>, id: Id, style: Style, from: usize) -> (usize, usize) {
    let raw = (tree.node(id).start, tree.node(id).end);
    let is_braced = style == Style::Flow && tree.text[raw.0..].starts_with('{');
    let mut at = if is_braced { raw.0 + 1 } else { from };
    let count = tree.entries(id).map_or(0, <[_]>::len);
    for index in 0..count {
        let Some(entry) = tree.entries(id).and_then(|entries| entries.get(index)).copied() else {
            continue;
        };
        at = node(tree, entry.key, at);
        let colon = colon(tree, entry.key, at, style);
        at = node(tree, entry.value, colon.map_or(at, |colon| colon + 1));
        if let Kind::Mapping { entries, .. } = &mut tree.nodes[id.0].kind {
            entries[index].colon = colon;
        }
    }
    // Between brackets a pair may stand without braces: `[a: b]`.
    let end = if is_braced { raw.1 } else { at };
    (raw.0, end)
}

/// The `:` after a key.
fn colon(tree: &Tree<'_>, key: Id, end: usize, style: Style) -> Option<usize> {
    let at = skip_blank(tree.text, end);
    let rest = tree.text[at..].strip_prefix(':')?;
    let is_glued = style == Style::Flow
        && !matches!(&tree.node(key).kind, Kind::Scalar(scalar) if scalar.form == Form::Plain);
    let next = rest.chars().next();
    let is_indicator = next.is_none_or(|next| {
        next.is_whitespace() || style == Style::Flow && matches!(next, ',' | ']' | '}' | '[' | '{')
    });
    (is_glued || is_indicator).then_some(at)
}

/// Where the header of a block text stands that comes after `from`, and where the
/// text ends that the parser saw end at `end`.
fn block_text(text: &str, from: usize, end: usize) -> (usize, usize) {
    let header = skip_blank(text, from);
    let first_line = text[header..].find('\n').map_or(text.len(), |found| header + found + 1);
    let word = text[header..].split([' ', '\t', '\r', '\n', '#']).next().unwrap_or_default();
    let is_kept = word.contains('+');
    let end = end.max(first_line);
    // The parser goes on to the next token, over its indentation.
    let mut at = text[..end].trim_end_matches([' ', '\t']).len().max(first_line);
    if !text[..at].ends_with('\n') {
        return (header, end);
    }
    // Empty lines that say nothing stay with what follows them.
    while !is_kept && at > first_line {
        let before = text[..at - 1].trim_end_matches('\r');
        if !before.ends_with('\n') {
            break;
        }
        at = before.len();
    }
    (header, at)
}

/// The next byte that is neither white space nor comment. Between brackets a
/// comma is passed over, too; elsewhere none can stand there.
fn skip_blank(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => at += 1,
            b'#' if at == 0 || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r') => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
            }
            0xEF if text[at..].starts_with('\u{feff}') => at += '\u{feff}'.len_utf8(),
            _ => break,
        }
    }
    at
}
