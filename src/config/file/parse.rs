//! From YAML 1.2 to nodes.
//!
//! One document. Anchors and aliases are followed, merge keys (`<<`) too, both
//! within a budget: a small file cannot become a large tree. What only looks
//! wrong further up (types, keys) is the decoder's business.

use std::collections::{HashMap, HashSet};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, StrInput};

use super::{
    Decoder, Node, Span,
    node::{Key, Scalar, Value},
};

/// Most bytes of a file.
pub(crate) const BYTES_MAX: usize = 8 << 20;
/// Most nodes once every alias is followed.
const NODES_MAX: usize = 200_000;
/// Deepest nesting once every alias is followed.
const DEPTH_MAX: usize = 64;

/// Reads the decoder's source. `None` where it is not one YAML document; what is
/// wrong is reported.
pub(crate) fn parse(decoder: &mut Decoder<'_>) -> Option<Node> {
    let text = decoder.source().text.clone();
    if text.len() > BYTES_MAX {
        let what = format!("the file has {} bytes; at most {BYTES_MAX} are read", text.len());
        decoder.fault(Span::default(), what, "is this the right file?");
        return None;
    }
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = DEPTH_MAX;
    options.block_nesting_limit = DEPTH_MAX;
    let mut builder = Builder {
        decoder,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        documents: 0,
        root: None,
    };
    for event in Parser::<StrInput<'_>>::new_from_str_with_options(&text, options) {
        let done = match event {
            Ok((event, span)) => builder.event(event, place(&span), tag_place(&span)),
            Err(error) => {
                builder.syntax(&error);
                None
            }
        };
        done?;
    }
    let end = text.len();
    Some(builder.root.unwrap_or_else(|| nothing(Span { start: end, end })))
}

/// A file without a value says nothing.
fn nothing(span: Span) -> Node {
    Node { span, value: Value::Scalar(Scalar { text: String::new(), is_quoted: false }) }
}

/// What was reported already.
fn unknown(span: Span) -> Node {
    Node { span, value: Value::Unknown }
}

/// The place of a node's tag.
fn tag_place(span: &granit_parser::Span) -> Span {
    span.tag_span().map_or_else(|| place(span), |tag| place(&tag))
}

fn place(span: &granit_parser::Span) -> Span {
    span.byte_range()
        .map_or_else(Span::default, |range| Span { start: range.start, end: range.end })
}

struct Builder<'b, 'd> {
    decoder: &'b mut Decoder<'d>,
    open: Vec<Open>,
    /// Finished nodes that an alias may name, with their sizes.
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
}

/// A collection whose end has not come yet.
struct Open {
    span: Span,
    anchor: usize,
    size: Size,
    kind: Kind,
}

enum Kind {
    Sequence(Vec<Node>),
    Mapping(Mapping),
}

/// A mapping whose end has not come yet.
#[derive(Default)]
struct Mapping {
    entries: Vec<(Key, Node)>,
    known: HashSet<String>,
    merges: Vec<Node>,
    /// The key whose value comes next; `Some(None)` where it was refused.
    key: Option<Option<Key>>,
}

/// What copying a node costs.
#[derive(Clone, Copy, Debug)]
struct Size {
    nodes: usize,
    depth: usize,
}

impl Size {
    const ONE: Self = Self { nodes: 1, depth: 1 };
}

impl Builder<'_, '_> {
    /// Takes in one event; `None` where reading cannot go on.
    fn event(&mut self, event: Event<'_>, span: Span, tag_span: Span) -> Option<()> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.decoder.fault(
                        span,
                        "a second YAML document begins here",
                        "write everything in one document, without `---` in between",
                    );
                    return None;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let mut is_quoted = style != ScalarStyle::Plain;
                if let Some(tag) = tag {
                    is_quoted |= tag.is_yaml_core_schema_tag("str");
                    self.tag(tag_span, is_quoted, &tag.original());
                }
                let scalar = Scalar { text: text.into_owned(), is_quoted };
                self.place(Node { span, value: Value::Scalar(scalar) }, Size::ONE, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                if let Some(tag) = tag {
                    self.tag(tag_span, tag.is_yaml_core_schema_tag("seq"), &tag.original());
                }
                self.begin(span, anchor, Kind::Sequence(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                if let Some(tag) = tag {
                    self.tag(tag_span, tag.is_yaml_core_schema_tag("map"), &tag.original());
                }
                self.begin(span, anchor, Kind::Mapping(Mapping::default()));
            }
            Event::SequenceEnd | Event::MappingEnd => return self.end(),
            Event::Alias(id) => return self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                self.decoder.fault(
                    span,
                    format!("nothing above is named `&{name}`"),
                    "write `&name` before the value that is to be repeated, or quote the text if it is not an alias",
                );
                self.place(unknown(span), Size::ONE, 0)?;
            }
            _ => {}
        }
        Some(())
    }

    fn tag(&mut self, span: Span, is_known: bool, tag: &str) {
        if !is_known {
            let what = format!("the tag `{tag}` means nothing here");
            self.decoder.fault(
                span,
                what,
                "leave the tag out; quote the text if it begins with `!`",
            );
        }
    }

    fn begin(&mut self, span: Span, anchor: usize, kind: Kind) {
        self.open.push(Open { span, anchor, size: Size::ONE, kind });
    }

    fn end(&mut self) -> Option<()> {
        let Open { span, anchor, size, kind } = self.open.pop()?;
        let value = match kind {
            Kind::Sequence(items) => Value::Sequence(items),
            Kind::Mapping(mapping) => Value::Mapping(self.merged(mapping)),
        };
        self.place(Node { span, value }, size, anchor)
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node, size: Size, anchor: usize) -> Option<()> {
        self.nodes += 1;
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        if self.nodes > NODES_MAX || size.depth > DEPTH_MAX {
            self.too_large(node.span);
            return None;
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Some(());
        };
        open.size.nodes += size.nodes;
        open.size.depth = open.size.depth.max(size.depth + 1);
        match &mut open.kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(Mapping { entries, known, merges, key }) => match key.take() {
                None => {
                    let (found, fault) = as_key(node, known);
                    *key = Some(found);
                    if let Some((span, what, fix)) = fault {
                        self.decoder.fault(span, what, fix);
                    }
                }
                Some(Some(key)) if key.text == "<<" => merges.push(node),
                Some(Some(key)) => entries.push((key, node)),
                // A key that is reported already: its value is of no use.
                Some(None) => {}
            },
        }
        Some(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Option<()> {
        let Some((node, size)) = self.anchors.get(&id) else {
            self.decoder.fault(
                span,
                "this alias stands inside the value that it repeats",
                "write the value out",
            );
            return self.place(unknown(span), Size::ONE, 0);
        };
        let size = *size;
        if self.nodes + size.nodes > NODES_MAX {
            self.too_large(span);
            return None;
        }
        self.nodes += size.nodes;
        let node = node.clone();
        self.place(node, size, 0)
    }

    fn too_large(&mut self, span: Span) {
        let what = format!(
            "the file is nested deeper than {DEPTH_MAX} or holds more than {NODES_MAX} values once its aliases are followed"
        );
        self.decoder.fault(span, what, "repeat less: an alias counts as often as it is used");
    }

    /// Entries that `<<` brings in; those written out win.
    fn merged(&mut self, mapping: Mapping) -> Vec<(Key, Node)> {
        let Mapping { mut entries, mut known, merges, .. } = mapping;
        for merge in merges {
            let sources = match merge.value {
                Value::Sequence(items) => items,
                _ => vec![merge],
            };
            for source in sources {
                let Value::Mapping(more) = source.value else {
                    self.decoder.fault(
                        source.span,
                        "`<<` takes in another mapping, and this is none",
                        "write `<<: *name`, where `&name` stands before a mapping",
                    );
                    continue;
                };
                for (key, value) in more {
                    if known.insert(key.text.clone()) {
                        entries.push((key, value));
                    }
                }
            }
        }
        entries
    }

    fn syntax(&mut self, error: &granit_parser::ScanError) {
        let marker = error.marker();
        let end = self.decoder.source().text.len();
        let start = marker.byte_offset().unwrap_or(end).min(end);
        let what = format!("this is not YAML: {}", error.info());
        let next = self.decoder.source().slice(Span { start, end }).chars().next();
        let fix = match (error.kind(), next) {
            (
                ErrorKind::TabNotAllowed
                | ErrorKind::TabInBlockIndentation
                | ErrorKind::TabInIndentation
                | ErrorKind::TabAtBlockScalarStart,
                _,
            ) => "indent with spaces: YAML does not allow tabs there",
            (ErrorKind::ExpectedFlowMappingSeparator, Some('{')) => {
                "put the text in quotes: between `{` and `}` a brace is YAML's own"
            }
            (ErrorKind::MappingValueNotAllowed, _) => {
                "put the text in quotes if it holds `: `, or look for wrong indentation"
            }
            (_, Some('@' | '`' | '%')) => "put the text in quotes",
            _ => {
                "look here and on the line above for a missing quote, bracket, colon or space; \
                 the rest of the file was not read"
            }
        };
        self.decoder.fault(Span { start, end: start + 1 }, what, fix);
    }
}

/// A fault that is still to be reported.
type Pending = (Span, String, &'static str);

/// The key that a node is, and what is wrong with it.
fn as_key(node: Node, known: &mut HashSet<String>) -> (Option<Key>, Option<Pending>) {
    let Node { span, value: Value::Scalar(Scalar { text, .. }) } = node else {
        let what = format!("{} cannot be a key", node.kind());
        let fix = "write a name; a value that begins with `{` or `[` and is text needs quotes";
        return (None, Some((node.span, what, fix)));
    };
    if !known.insert(text.clone()) {
        let what = format!("the key `{text}` stands twice in this mapping");
        return (None, Some((span, what, "keep one of the two")));
    }
    (Some(Key { span, text }), None)
}
