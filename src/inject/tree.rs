//! A stream of YAML documents as a tree that knows where each part stands.
//!
//! Aliases stay aliases: an edit must see who else reads what it changes.

/// A node of one tree.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Id(pub(super) usize);

/// How a collection is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Style {
    /// By indentation.
    Block,
    /// In brackets, as JSON is.
    Flow,
}

/// A value and its place, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The collection that it stands in.
    pub(super) parent: Option<Id>,
    /// Its first byte; an anchor and a tag belong to it.
    pub(super) start: usize,
    /// The first byte of the value itself.
    pub(super) body: usize,
    /// After its last byte. The line breaks that end a block text belong to it.
    pub(super) end: usize,
    /// Where its anchor stands, and the name with the `&`.
    pub(super) anchor: Option<(usize, String)>,
    /// Where its tag stands and ends, and what it resolves to.
    pub(super) tag: Option<(usize, usize, String)>,
    /// The aliases that repeat it.
    pub(super) aliases: Vec<Id>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence {
        /// How it is written.
        style: Style,
        /// Its items.
        items: Vec<Id>,
        /// Where each item's `-` stands, in block style.
        dashes: Vec<usize>,
    },
    /// A mapping.
    Mapping {
        /// How it is written.
        style: Style,
        /// Its entries, in the order of the file.
        entries: Vec<Entry>,
    },
    /// `*name`, which repeats this node.
    Alias(Id),
}

/// A scalar, escapes and quotes undone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Scalar {
    /// Its text.
    pub(super) text: String,
    /// How it is written.
    pub(super) form: Form,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Bare: what it means depends on its text.
    Plain,
    /// In quotes.
    Quoted,
    /// `|` or `>`.
    Block,
}

/// A key and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: Id,
    /// The value.
    pub(super) value: Id,
    /// The `:` between them; none after a key alone.
    pub(super) colon: Option<usize>,
}

/// Several documents and the text that they were read from.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    /// The text.
    pub(super) text: &'t str,
    /// Where each line begins.
    pub(super) lines: Vec<usize>,
    /// Every node, by id.
    pub(super) nodes: Vec<Node>,
    /// Each document's root.
    pub(super) documents: Vec<Id>,
}

impl<'t> Tree<'t> {
    /// The node of an id.
    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id.0]
    }

    /// The node that an alias repeats, or the node itself.
    pub(super) fn resolved(&self, id: Id) -> Id {
        match self.node(id).kind {
            // An alias never names an alias.
            Kind::Alias(target) => target,
            _ => id,
        }
    }

    /// The text of a scalar, aliases followed.
    pub(super) fn as_text(&self, id: Id) -> Option<&str> {
        match &self.node(self.resolved(id)).kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The text of a scalar that stands there bare, aliases followed: neither quotes nor
    /// a tag make something else of it.
    pub(super) fn as_plain(&self, id: Id) -> Option<&str> {
        let node = self.node(self.resolved(id));
        match &node.kind {
            Kind::Scalar(Scalar { text, form: Form::Plain }) if node.tag.is_none() => Some(text),
            _ => None,
        }
    }

    /// Whether nothing stands there, aliases followed.
    pub(super) fn is_null(&self, id: Id) -> bool {
        let node = self.node(self.resolved(id));
        let Kind::Scalar(Scalar { text, form: Form::Plain }) = &node.kind else { return false };
        let is_untagged = node.tag.as_ref().is_none_or(|(_, _, tag)| tag.ends_with(":null"));
        is_untagged && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// The items of a list, aliases followed; none where it is no list.
    pub(super) fn items(&self, id: Id) -> Option<&[Id]> {
        match &self.node(self.resolved(id)).kind {
            Kind::Sequence { items, .. } => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping, aliases followed; none where it is no mapping.
    pub(super) fn entries(&self, id: Id) -> Option<&[Entry]> {
        match &self.node(self.resolved(id)).kind {
            Kind::Mapping { entries, .. } => Some(entries),
            _ => None,
        }
    }

    /// Whether this is the key `<<`.
    pub(super) fn is_merge(&self, key: Id) -> bool {
        matches!(&self.node(key).kind, Kind::Scalar(Scalar { text, form: Form::Plain }) if text == "<<")
    }

    /// The mappings that `<<` brings into a mapping.
    pub(super) fn merged(&self, map: Id) -> Vec<Id> {
        let mut found = Vec::new();
        for entry in self.entries(map).unwrap_or_default() {
            if self.is_merge(entry.key) {
                match self.items(entry.value) {
                    Some(items) => found.extend(items.iter().map(|item| self.resolved(*item))),
                    None => found.push(self.resolved(entry.value)),
                }
            }
        }
        found
    }

    /// The entry that a mapping holds itself under a key, and which it is.
    pub(super) fn own(&self, map: Id, key: &str) -> Option<(usize, Entry)> {
        let entries = self.entries(map)?.iter().enumerate();
        let mut named = entries.filter(|(_, entry)| self.as_text(entry.key) == Some(key));
        named.next_back().map(|(at, entry)| (at, *entry))
    }

    /// What a mapping holds under a key, itself or by `<<`; aliases are followed.
    pub(super) fn get(&self, map: Id, key: &str) -> Option<Id> {
        if let Some((_, entry)) = self.own(map, key) {
            return Some(self.resolved(entry.value));
        }
        // A merge goes upwards in the file and so comes to an end.
        self.merged(map).into_iter().find_map(|map| self.get(map, key))
    }

    /// The value under a path of keys.
    pub(super) fn at(&self, map: Id, path: &[&str]) -> Option<Id> {
        path.iter().try_fold(self.resolved(map), |map, key| self.get(map, key))
    }

    /// The text under a path of keys.
    pub(super) fn text_at(&self, map: Id, path: &[&str]) -> Option<&str> {
        self.as_text(self.at(map, path)?)
    }

    /// How deep a node stands.
    pub(super) fn depth(&self, id: Id) -> usize {
        std::iter::successors(Some(id), |id| self.node(*id).parent).count()
    }

    /// Whether a node stands in brackets or is written with them.
    pub(super) fn is_flow(&self, id: Id) -> bool {
        std::iter::successors(Some(id), |id| self.node(*id).parent).any(|id| {
            matches!(
                self.node(id).kind,
                Kind::Sequence { style: Style::Flow, .. }
                    | Kind::Mapping { style: Style::Flow, .. }
            )
        })
    }

    /// The entry whose value this node is.
    pub(super) fn entry_of(&self, value: Id) -> Option<Entry> {
        let parent = self.node(value).parent?;
        self.entries(parent)?.iter().find(|entry| entry.value == value).copied()
    }

    /// After a node's anchor and tag, or else after the `:` before it.
    pub(super) fn value_from(&self, id: Id) -> Option<usize> {
        let node = self.node(id);
        let anchor = node.anchor.as_ref().map(|(at, name)| at + name.len());
        let properties = anchor.max(node.tag.as_ref().map(|(_, end, _)| *end));
        properties.or_else(|| Some(self.entry_of(id)?.colon? + 1))
    }

    /// Where the line begins that holds a byte.
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.lines[self.line(at) - 1]
    }

    /// Where the line after this byte begins, or the end of the text.
    pub(super) fn next_line(&self, at: usize) -> usize {
        self.lines.get(self.line(at)).copied().unwrap_or(self.text.len())
    }

    /// Where the first line begins that is no more of this node: after a comment
    /// on its last line, and after the line breaks of a block text.
    pub(super) fn after(&self, id: Id) -> usize {
        self.line_after(self.node(id).end)
    }

    /// The same, of what ends there.
    pub(super) fn line_after(&self, end: usize) -> usize {
        if self.text[..end].ends_with('\n') { end } else { self.next_line(end) }
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at).max(1)
    }

    /// The column of a byte, from 0, in characters; a byte order mark is none.
    pub(super) fn column(&self, at: usize) -> usize {
        let line = &self.text[self.line_start(at)..at];
        line.trim_start_matches('\u{feff}').chars().count()
    }

    /// Whether only white space stands before a byte on its line.
    pub(super) fn begins_line(&self, at: usize) -> bool {
        let line = &self.text[self.line_start(at)..at];
        line.trim_start_matches('\u{feff}').bytes().all(|byte| byte == b' ' || byte == b'\t')
    }

    /// The text from a byte to before another.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'t str {
        &self.text[start..end]
    }
}

/// Line and column of a byte, both from 1, columns in characters.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = before.rfind('\n').map_or(0, |found| found + 1);
    let column = before[line..].trim_start_matches('\u{feff}').chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}
