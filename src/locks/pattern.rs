//! Names of resources, made of fields of a call's input.

use std::fmt;

use sha2::{Digest, Sha256};

use super::number;
use crate::model::{
    json,
    slot::{Fault, Input, Piece, Slot, as_text, pieces},
    text::floor_char_boundary,
};

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256;

/// Longest value that stands in a key as it is, in bytes.
const VALUE_BYTES_MAX: usize = 128;

/// So much of a longer one is left, for people.
const HEAD_BYTES: usize = 64;

/// What values keep beside letters and digits.
const KEPT: &str = "-_.~@";

/// A resource by name, `customer/{customer_id}`: literal text and slots, which
/// take fields of a call's input.
///
/// What a slot takes is text: a string's characters; a number in one way,
/// whatever way it was written (`7.0` is `7`, and the string `"7"` is too);
/// `true` and `false`; of a list each element, so that one pattern names several
/// resources. A field that is absent or `null` counts as empty, so that calls
/// which leave it out name the same resource. An object counts as its JSON, its
/// members sorted.
///
/// Whatever is no letter or digit and none of `-_.~@` is percent-encoded, and
/// between two slots stands something that values do not have: other values
/// name other resources. A value of more than 128 bytes is named by its first
/// and the SHA-256 of all.
#[derive(Clone, Eq, PartialEq)]
pub struct Pattern {
    text: Box<str>,
    pieces: Box<[Piece]>,
}

/// What is known of a name: its pieces, something unknown between each two.
pub(super) type Name = Vec<String>;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Nothing in it, too much of it, a brace that is neither doubled nor a
    /// slot's, a character that no name has, or slots that run into each other.
    pub fn try_new(text: &str) -> Result<Self, Fault> {
        const EXAMPLE: &str = "write a name such as `customer/{customer_id}`";
        if text.is_empty() {
            return Err(Fault::new(0, "the key is empty", EXAMPLE));
        }
        if text.len() > PATTERN_BYTES_MAX {
            let problem = format!("the key has {} bytes", text.len());
            return Err(Fault::new(0, problem, format!("write at most {PATTERN_BYTES_MAX}")));
        }
        let pieces = pieces(text)?;
        for (at, piece) in &pieces {
            if let Piece::Literal(literal) = piece
                && let Some((step, wrong)) = literal.char_indices().find(|(_, c)| !is_literal(*c))
            {
                let fix = "write visible characters other than `%`, no spaces";
                return Err(Fault::new(at + step, format!("a key cannot hold {wrong:?}"), fix));
            }
        }
        for (at, between) in pieces.windows(2).enumerate() {
            let [(_, one), (place, other)] = between else { continue };
            let next = pieces.get(at + 2).map(|(_, piece)| piece);
            let is_apart = match (one, other, next) {
                (Piece::Slot(_), Piece::Slot(_), _) => false,
                (Piece::Slot(_), Piece::Literal(text), Some(Piece::Slot(_))) => {
                    !text.chars().all(is_kept)
                }
                _ => true,
            };
            if !is_apart {
                let problem = "two slots run into each other: other values could make the same key";
                return Err(Fault::new(*place, problem, "put `/` or `:` between them"));
            }
        }
        let pieces = pieces.into_iter().map(|(_, piece)| piece).collect();
        Ok(Self { text: text.into(), pieces })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Slot(slot) => Some(slot),
            Piece::Literal(_) => None,
        })
    }

    /// The names that it has for `input`, at most `most` and one more. Where
    /// `references` are still to be resolved, what may be one is not known.
    pub(super) fn names(&self, input: &Input<'_>, references: bool, most: usize) -> Vec<Name> {
        let mut names = vec![vec![String::new()]];
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => names.iter_mut().for_each(|name| push(name, text)),
                Piece::Slot(slot) => {
                    let mut values = Values { found: Vec::new(), references, most };
                    values.of_slot(input, slot);
                    let longer = names.iter().flat_map(|name| {
                        values.found.iter().map(|value| match value {
                            Some(text) => {
                                let mut name = name.clone();
                                push(&mut name, text);
                                name
                            }
                            None => [name.as_slice(), &[String::new()]].concat(),
                        })
                    });
                    names = longer.take(most.saturating_add(1)).collect();
                }
            }
        }
        names
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn push(name: &mut Name, text: &str) {
    if let Some(last) = name.last_mut() {
        last.push_str(text);
    }
}

fn is_literal(c: char) -> bool {
    (c.is_ascii_graphic() && c != '%') || c.is_alphanumeric()
}

/// Whether values hold it as it is.
fn is_kept(c: char) -> bool {
    c.is_alphanumeric() || KEPT.contains(c)
}

/// What a slot takes; `None` for what is not known yet.
struct Values {
    found: Vec<Option<String>>,
    references: bool,
    most: usize,
}

impl Values {
    fn of_slot(&mut self, input: &Input<'_>, slot: &Slot) {
        if self.references && input.has("$ref") {
            // The whole input comes from elsewhere.
            self.found.push(None);
            return;
        }
        match input.get_until(slot, |raw| self.references && is_reference(raw)) {
            Some(raw) => self.add(raw),
            None => self.found.push(Some(String::new())),
        }
    }

    fn add(&mut self, raw: &str) {
        if self.found.len() > self.most {
            return;
        }
        if self.references && is_reference(raw) {
            self.found.push(None);
            return;
        }
        match raw.as_bytes().first() {
            Some(b'[') => {
                json::elements(raw).into_iter().flatten().for_each(|element| self.add(element));
            }
            Some(b'{') if self.references && may_hold_reference(raw) => self.found.push(None),
            Some(b'{') => self.found.push(Some(encoded(&canonical(raw)))),
            Some(b'"') => {
                // Half a surrogate pair means only itself.
                let text = as_text(raw).map_or_else(|| raw.to_owned(), |text| text.into_owned());
                self.found.push(Some(encoded(&text)));
            }
            Some(b'-' | b'0'..=b'9') => self.found.push(Some(encoded(&number::canonical(raw)))),
            Some(b't' | b'f') => self.found.push(Some(raw.to_owned())),
            _ => self.found.push(Some(String::new())),
        }
    }
}

/// Whether a reference may stand in the place of the value, whatever its type
/// will be: in a string that holds a `$`, and as an object with the key `$ref`.
fn is_reference(raw: &str) -> bool {
    match raw.as_bytes().first() {
        Some(b'"') => may_hold_reference(raw),
        Some(b'{') => {
            may_hold_reference(raw)
                && json::members(raw).is_some_and(|all| all.iter().any(|(key, _)| key == "$ref"))
        }
        _ => false,
    }
}

fn may_hold_reference(raw: &str) -> bool {
    raw.contains('$') || raw.contains("\\u0024")
}

/// JSON written in one way: members sorted, numbers and strings in one way each.
/// As deep as what is read may be.
fn canonical(raw: &str) -> String {
    match raw.as_bytes().first() {
        Some(b'[') => {
            let elements = json::elements(raw).unwrap_or_default();
            let elements: Vec<_> = elements.into_iter().map(canonical).collect();
            format!("[{}]", elements.join(","))
        }
        Some(b'{') => {
            let mut members = json::members(raw).unwrap_or_default();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            let member =
                |(key, value)| format!("{}:{}", serde_json::Value::from(key), canonical(value));
            format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        Some(b'"') => serde_json::from_str::<serde_json::Value>(raw)
            .map_or_else(|_| raw.to_owned(), |text| text.to_string()),
        Some(b'-' | b'0'..=b'9') => number::canonical(raw),
        _ => raw.to_owned(),
    }
}

/// A value as it stands in a key.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_kept(c) {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
        if out.len() > VALUE_BYTES_MAX {
            return shortened(out, text);
        }
    }
    out
}

/// The head of an encoded value and the digest of the whole. No value holds `…`.
fn shortened(mut head: String, text: &str) -> String {
    let cut = floor_char_boundary(&head, HEAD_BYTES);
    head.truncate(cut);
    head.push('…');
    for byte in Sha256::digest(text).iter().take(16) {
        head.push_str(&format!("{byte:02x}"));
    }
    head
}

#[cfg(test)]
mod tests;
