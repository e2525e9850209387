//! From text to [`Tree`].

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, StrInput, StructureStyle};

use super::{
    Error,
    extent::settle,
    join::parts,
    tree::{Entry, Form, Id, Kind, Node, Scalar, Style, Tree, position},
};

/// Most bytes of a file.
pub(crate) const BYTES_MAX: usize = 32 << 20;
/// Most aliases.
const ALIASES_MAX: usize = 10_000;
/// Deepest nesting.
const DEPTH_MAX: usize = 128;

/// Reads every document of a text.
pub(super) fn parse(text: &str) -> Result<Tree<'_>, Error> {
    if text.len() > BYTES_MAX {
        let what = format!("it has {} bytes; at most {BYTES_MAX} are read", text.len());
        return Err(Error { line: 1, column: 1, what });
    }
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.emit_anchor_events = true;
    options.flow_nesting_limit = DEPTH_MAX;
    options.block_nesting_limit = DEPTH_MAX;
    let mut builder =
        Builder { text, nodes: Vec::new(), open: Vec::new(), anchors: HashMap::new(), aliases: 0 };
    let mut documents = Vec::new();
    for part in parts(text)? {
        let from = part.start;
        let placed = |range: Bytes| range.start + from..range.end + from;
        let parser =
            Parser::<StrInput<'_>>::new_from_str_with_options(&text[part], options.clone());
        for event in parser {
            let (event, span) = event.map_err(|error| syntax(text, from, &error))?;
            let range = placed(span.byte_range().unwrap_or_default());
            let tag = span.tag_span().and_then(|tag| tag.byte_range()).map(placed);
            if let Some(root) = builder.event(event, range, tag)? {
                documents.push(root);
            }
        }
        builder.anchors.clear();
    }
    let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
    let lines = std::iter::once(0).chain(breaks).collect();
    let mut tree = Tree { text, lines, nodes: builder.nodes, documents };
    settle(&mut tree);
    Ok(tree)
}

/// A fault in the part of a text that begins there.
fn syntax(text: &str, from: usize, error: &granit_parser::ScanError) -> Error {
    let at = error.marker().byte_offset().map_or(text.len(), |at| from + at);
    let (line, column) = position(text, at);
    let start = text.get(..at).unwrap_or_default().rfind('\n').map_or(0, |found| found + 1);
    let line_text = text.get(start..).unwrap_or_default().lines().next();
    let is_template = line_text.is_some_and(|line| line.contains("{{"));
    let fix = match error.kind() {
        _ if is_template => {
            "this looks like a template: render it first (`helm template … | sidecall inject -`)"
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => "indent with spaces: YAML does not allow tabs there",
        ErrorKind::UnknownAnchor => "write `&name` before the value that is to be repeated",
        _ => "look here and on the line above for a missing quote, bracket, colon or space",
    };
    Error { line, column, what: format!("this is not YAML: {}; {fix}", error.info()) }
}

struct Builder<'t> {
    text: &'t str,
    nodes: Vec<Node>,
    /// Collections whose end has not come, with a mapping's key that waits for
    /// its value.
    open: Vec<(Id, Option<Id>)>,
    anchors: HashMap<usize, Id>,
    aliases: usize,
}

/// Bytes of the text.
type Bytes = std::ops::Range<usize>;

impl Builder<'_> {
    /// Takes in one event; gives the root that it completes.
    fn event(
        &mut self,
        event: Event<'_>,
        range: Bytes,
        tag: Option<Bytes>,
    ) -> Result<Option<Id>, Error> {
        let (kind, anchor, resolved) = match event {
            Event::Scalar(text, style, anchor, resolved) => {
                let form = match style {
                    ScalarStyle::Plain => Form::Plain,
                    ScalarStyle::Literal | ScalarStyle::Folded => Form::Block,
                    _ => Form::Quoted,
                };
                // The parser's word for nothing.
                let text = if range.is_empty() && form == Form::Plain { "".into() } else { text };
                (Kind::Scalar(Scalar { text: text.into_owned(), form }), anchor, resolved)
            }
            Event::SequenceStart(style, anchor, resolved) => {
                let kind =
                    Kind::Sequence { style: style.into(), items: Vec::new(), dashes: Vec::new() };
                (kind, anchor, resolved)
            }
            Event::MappingStart(style, anchor, resolved) => {
                (Kind::Mapping { style: style.into(), entries: Vec::new() }, anchor, resolved)
            }
            Event::Alias(id) => (self.alias(id, range.start)?, 0, None),
            Event::Anchor(_, name) => {
                if let Some(node) = self.nodes.last_mut() {
                    node.anchor = Some((range.start, format!("&{name}")));
                }
                return Ok(None);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((id, _)) = self.open.pop() else { return Ok(None) };
                self.nodes[id.0].end = range.end;
                return Ok(self.placed(id));
            }
            _ => return Ok(None),
        };
        let tag = tag.zip(resolved).map(|(at, tag)| (at.start, at.end, tag.to_string()));
        let id = Id(self.nodes.len());
        let is_open = matches!(kind, Kind::Sequence { .. } | Kind::Mapping { .. });
        let parent = self.open.last().map(|(parent, _)| *parent);
        if let Kind::Alias(target) = kind {
            self.nodes[target.0].aliases.push(id);
        }
        self.nodes.push(Node {
            parent,
            start: range.start,
            body: range.start,
            end: range.end,
            anchor: None,
            tag,
            aliases: Vec::new(),
            kind,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        if is_open {
            self.open.push((id, None));
            return Ok(None);
        }
        Ok(self.placed(id))
    }

    fn alias(&mut self, anchor: usize, at: usize) -> Result<Kind, Error> {
        self.aliases += 1;
        let target = self.anchors.get(&anchor).copied();
        let what = match target {
            _ if self.aliases > ALIASES_MAX => format!("there are more than {ALIASES_MAX} aliases"),
            Some(target) if self.open.iter().all(|(open, _)| *open != target) => {
                return Ok(Kind::Alias(target));
            }
            _ => {
                "this alias stands inside the value that it repeats; write the value out".to_owned()
            }
        };
        let (line, column) = position(self.text, at);
        Err(Error { line, column, what })
    }

    /// Puts a finished node where it belongs; gives it back where it is a root.
    fn placed(&mut self, id: Id) -> Option<Id> {
        let Some((parent, waiting)) = self.open.last_mut() else { return Some(id) };
        match &mut self.nodes[parent.0].kind {
            Kind::Sequence { items, .. } => items.push(id),
            Kind::Mapping { entries, .. } => match waiting.take() {
                None => *waiting = Some(id),
                Some(key) => entries.push(Entry { key, value: id, colon: None }),
            },
            _ => {}
        }
        None
    }
}

impl From<StructureStyle> for Style {
    fn from(style: StructureStyle) -> Self {
        match style {
            StructureStyle::Block => Self::Block,
            StructureStyle::Flow => Self::Flow,
        }
    }
}
