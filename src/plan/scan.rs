//! Finds the references in an input.
//!
//! One pass over the input's text, which is known to be valid JSON. Nothing is
//! parsed but strings that hold a `$`, and objects that hold a key `$ref`.

use std::{borrow::Cow, cell::Cell, ops::Range, sync::Arc};

use memchr::{memchr, memchr2, memmem};

use super::{
    Path, Reference, Target,
    names::{Names, Nobody},
    reference,
};
use crate::model::json;

/// Faults of one input that are worth naming together.
const FAULTS_MAX: usize = 4;

/// What an input becomes in one place.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// The bytes that are replaced.
    pub(super) range: Range<usize>,
    /// By what.
    pub(super) by: By,
}

/// What replaces a piece of an input.
#[derive(Clone, Debug)]
pub(super) enum By {
    /// A value, with its type.
    Value(Reading),
    /// A string put together.
    Text(Vec<Part>),
}

/// A part of a string.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// As it is, escaped for JSON.
    Literal(Box<str>),
    /// A value as text.
    Value(Reading),
}

/// A reference whose target is known.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// The parent's place in the turn.
    pub(super) from: usize,
    /// Where in its result.
    pub(super) path: Path,
    /// Taken where there is nothing to read: a range of the input's text.
    pub(super) default: Option<Range<usize>>,
    /// As it was written, for people.
    pub(super) written: Arc<str>,
}

/// What was found in an input.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of the text, none within another.
    pub(super) pieces: Vec<Piece>,
    /// What is wrong, for the model.
    pub(super) faults: Vec<String>,
    /// Whether there is text that a call of some other name would make a reference.
    pub(super) is_open: bool,
}

/// Whether the text can hold a reference at all.
pub(super) fn is_worth_it(text: &str) -> bool {
    memchr(b'$', text.as_bytes()).is_some() || memmem::find(text.as_bytes(), br"\u0024").is_some()
}

/// Finds the references in `text`, which must be valid JSON.
pub(super) fn find(text: &str, names: &Names<'_>) -> Found {
    let (found, is_open) = (Found::default(), Cell::new(false));
    let mut scan = Scan { text, names, found, is_open, open: Vec::new() };
    scan.run();
    Found { is_open: scan.is_open.get(), ..scan.found }
}

struct Scan<'a> {
    text: &'a str,
    names: &'a Names<'a>,
    found: Found,
    is_open: Cell<bool>,
    open: Vec<Open>,
}

/// An object or array that has not ended.
struct Open {
    start: usize,
    is_object: bool,
    /// The next string is a key.
    at_key: bool,
    is_reference: bool,
    /// What had been found before it: the rest is in it.
    pieces: usize,
    faults: usize,
}

impl Scan<'_> {
    fn run(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    let end = string_end(bytes, at);
                    self.string(at..end);
                    at = end;
                    continue;
                }
                b'{' | b'[' => self.open.push(Open {
                    start: at,
                    is_object: byte == b'{',
                    at_key: byte == b'{',
                    is_reference: false,
                    pieces: self.found.pieces.len(),
                    faults: self.found.faults.len(),
                }),
                b'}' | b']' => self.close(at + 1),
                b',' | b':' => {
                    if let Some(open) = self.open.last_mut() {
                        open.at_key = byte == b',' && open.is_object;
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn string(&mut self, range: Range<usize>) {
        let token = &self.text[range.clone()];
        if !is_worth_it(token) || self.found.faults.len() >= FAULTS_MAX {
            return;
        }
        let string = decode(token);
        if let Some(open) = self.open.last_mut().filter(|open| open.at_key) {
            open.is_reference |= string == "$ref";
            return;
        }
        match self.replacement(&string) {
            Ok(Some(by)) => self.found.pieces.push(Piece { range, by }),
            Ok(None) => {}
            Err(fault) => self.found.faults.push(fault),
        }
    }

    fn close(&mut self, end: usize) {
        let Some(open) = self.open.pop() else { return };
        if !open.is_reference {
            return;
        }
        // What stands inside is the reference's own.
        self.found.pieces.truncate(open.pieces);
        self.found.faults.truncate(open.faults);
        match self.object(open.start..end) {
            Ok(reading) => {
                let by = By::Value(reading);
                self.found.pieces.push(Piece { range: open.start..end, by });
            }
            Err(fault) => self.found.faults.push(fault),
        }
    }

    /// The object form.
    fn object(&self, range: Range<usize>) -> Result<Reading, String> {
        let members = json::members(&self.text[range]).unwrap_or_default();
        let mut target = None;
        let mut default = None;
        for (key, raw) in members {
            match &*key {
                "$ref" => target = Some(raw),
                "default" => {
                    let start = json::offset_in(self.text, raw);
                    default = Some(start..start + raw.len());
                }
                key => {
                    return Err(format!(
                        "an object with `$ref` is a reference and can hold nothing else but `default`, yet it holds `{key}`"
                    ));
                }
            }
        }
        let target = target
            .filter(|raw| raw.starts_with('"'))
            .ok_or("`$ref` must be a string that names a call and a path, such as `get_user.id`")?;
        let text = decode(target);
        let written = format!(r#"{{"$ref": {target}}}"#);
        let reading = self.reading(&text, &written)?;
        Ok(Reading { default, ..reading })
    }

    /// What a string becomes; `None` where it stays as it is.
    fn replacement(&self, string: &str) -> Result<Option<By>, String> {
        if let Some(inner) = whole(string) {
            let reading = self.reading(inner, string).map_err(|fault| {
                format!("{fault} (to write the text `${{` itself, write `$${{`)")
            })?;
            return Ok(Some(By::Value(reading)));
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = string;
        let mut is_changed = false;
        while let Some(dollar) = memchr(b'$', rest.as_bytes()) {
            literal.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            if let Some(after) = rest.strip_prefix("$${") {
                literal.push_str("${");
                (rest, is_changed) = (after, true);
            } else if let Some((reading, after)) = self.embedded(rest)? {
                parts.extend(escaped(&literal));
                literal.clear();
                parts.push(Part::Value(reading));
                (rest, is_changed) = (after, true);
            } else {
                literal.push('$');
                rest = &rest[1..];
            }
        }
        literal.push_str(rest);
        parts.extend(escaped(&literal));
        Ok(is_changed.then_some(By::Text(parts)))
    }

    /// A reference at the beginning of `text`, and what follows it. Code and
    /// templates are full of `${…}`: only one that begins with a call of the
    /// turn is a reference.
    fn embedded<'t>(&self, text: &'t str) -> Result<Option<(Reading, &'t str)>, String> {
        let Some(inner) = text.strip_prefix("${") else { return Ok(None) };
        let Some((target, path)) = Target::split(inner.trim_ascii_start()) else { return Ok(None) };
        let path = path.trim_ascii_start();
        if !(path.is_empty() || path.starts_with(['.', '[', '}'])) {
            return Ok(None);
        }
        if self.names.find(&target) == Err(Nobody::Unknown) {
            self.is_open.set(true);
            return Ok(None);
        }
        let Some(end) = end_of(inner) else {
            let shown: String = text.chars().take(40).collect();
            return Err(format!(
                "`{shown}` has no closing `}}` within {} bytes",
                reference::BYTES_MAX
            ));
        };
        let (inner, after) = (&inner[..end], &inner[end + 1..]);
        Ok(Some((self.reading(inner, &text[..end + 3])?, after)))
    }

    fn reading(&self, text: &str, written: &str) -> Result<Reading, String> {
        let reference: Reference = text.parse().map_err(|fault| match fault {
            reference::Fault::TooLong => format!("the reference `{}…`: {fault}", head(text)),
            reference::Fault::NoTarget => {
                format!("the reference `{written}`: {fault}; {}", self.names.everyone())
            }
            reference::Fault::Path(_) => format!("the reference `{written}`: {fault}"),
        })?;
        let from = self.names.find(&reference.target).map_err(|nobody| {
            format!("the reference `{written}`: {}", self.names.explain(&reference.target, nobody))
        })?;
        Ok(Reading { from, path: reference.path, default: None, written: written.into() })
    }
}

/// The inside of a string that is one `${…}` and nothing else.
fn whole(string: &str) -> Option<&str> {
    let inner = string.strip_prefix("${")?;
    (end_of(inner)? + 1 == inner.len()).then(|| &inner[..inner.len() - 1])
}

/// Where the `}` of a reference stands that began before `text`. Brackets and
/// quotes of the path may hold others.
fn end_of(text: &str) -> Option<usize> {
    let mut brackets = 0_usize;
    let mut quote = None;
    let mut bytes = text.bytes().enumerate().take(reference::BYTES_MAX + 1);
    while let Some((place, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => {
                bytes.next();
            }
            (Some(end), byte) if byte == end => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') if brackets > 0 => quote = Some(byte),
            (None, b'[') => brackets += 1,
            (None, b']') => brackets = brackets.saturating_sub(1),
            (None, b'}') if brackets == 0 => return Some(place),
            (None, _) => {}
        }
    }
    None
}

/// Behind the closing quote of the string that opens at `start`.
pub(super) fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(next) = memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        if bytes[at + next] == b'"' {
            return at + next + 1;
        }
        at += next + 2;
    }
    bytes.len()
}

/// The string that a JSON token means.
pub(super) fn decode(token: &str) -> Cow<'_, str> {
    match token.get(1..token.len().saturating_sub(1)) {
        Some(plain) if memchr(b'\\', plain.as_bytes()).is_none() => Cow::Borrowed(plain),
        _ => Cow::Owned(serde_json::from_str(token).unwrap_or_default()),
    }
}

fn escaped(literal: &str) -> Option<Part> {
    let token = serde_json::Value::from(literal).to_string();
    (!literal.is_empty()).then(|| Part::Literal(token[1..token.len() - 1].into()))
}

fn head(text: &str) -> String {
    text.chars().take(40).collect()
}
