//! A schema while it is being changed: source text wherever nothing changes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::format::reader::string;

/// A JSON value of which some parts are source text.
pub(super) enum Node<'s> {
    /// As it was written.
    Source(&'s str),
    /// A schema's own `$ref`, as it was written.
    Reference(&'s str),
    Array(Vec<Node<'s>>),
    Object(Vec<(Cow<'s, str>, Node<'s>)>),
}

/// A schema's text, and where its references lead.
#[derive(Default)]
pub(super) struct Text {
    pub(super) json: String,
    /// As JSON pointers.
    pub(super) targets: BTreeSet<String>,
    /// A reference leads out of the schema, which may name a part of it.
    pub(super) is_lost: bool,
}

impl Node<'_> {
    /// Writes it, with references to where their targets stand now.
    pub(super) fn to_text(&self, places: &BTreeMap<String, String>) -> Text {
        let mut text = Text::default();
        self.write(places, &mut text);
        text
    }

    fn write(&self, places: &BTreeMap<String, String>, text: &mut Text) {
        match self {
            Self::Source(source) => text.json.push_str(source),
            Self::Reference(source) => text.reference(source, places),
            Self::Array(elements) => {
                text.json.push('[');
                for (n, element) in elements.iter().enumerate() {
                    text.json.push_str(if n > 0 { "," } else { "" });
                    element.write(places, text);
                }
                text.json.push(']');
            }
            Self::Object(members) => {
                text.json.push('{');
                for (n, (key, value)) in members.iter().enumerate() {
                    let comma = if n > 0 { "," } else { "" };
                    // A string is written without fail.
                    let key = serde_json::to_string(key).unwrap_or_default();
                    text.json.extend([comma, &key, ":"]);
                    value.write(places, text);
                }
                text.json.push('}');
            }
        }
    }
}

impl Text {
    fn reference(&mut self, source: &str, places: &BTreeMap<String, String>) {
        let uri = string(source).unwrap_or_default();
        match uri.strip_prefix('#') {
            None => self.is_lost = true,
            // An anchor stays where its schema is.
            Some(anchor) if !anchor.is_empty() && !anchor.starts_with('/') => {
                self.json.push_str(source);
            }
            Some(pointer) => {
                let old = decoded(pointer);
                let new = moved(&old, places);
                if new == old {
                    self.json.push_str(source);
                } else {
                    let uri = format!("#{}", encoded(&new));
                    self.json.push_str(&serde_json::to_string(&uri).unwrap_or_default());
                }
                self.targets.insert(new);
            }
        }
    }
}

/// Where a place stands now. What is below a schema and is none itself kept its
/// place in it.
fn moved(old: &str, places: &BTreeMap<String, String>) -> String {
    let ends = old.rmatch_indices('/').map(|(end, _)| end);
    std::iter::once(old.len())
        .chain(ends)
        .filter_map(|end| old.split_at_checked(end))
        .find_map(|(above, rest)| Some(format!("{}{rest}", places.get(above)?)))
        .unwrap_or_else(|| old.to_owned())
}

/// A URI fragment without its percent signs.
fn decoded(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match rest {
            [b'%', high, low, ..] => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { rest.get(3..).unwrap_or_default() } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| fragment.to_owned())
}

/// A pointer as a URI fragment.
fn encoded(pointer: &str) -> String {
    let mut fragment = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte) {
            fragment.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(fragment, "%{byte:02X}");
        }
    }
    fragment
}
