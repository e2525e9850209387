//! A path whose depth no value can change.
//!
//! Upstreams and the proxies before them decode, normalise and split paths in
//! many ways. A value is therefore percent-encoded whole, and one that any of
//! them could read as a separator or as `..` is refused.

use std::{borrow::Cow, fmt};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Fault, Input, Piece, Slot, pieces};

/// Everything but the unreserved characters of RFC 3986.
pub(in crate::backend::http) const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of a request, below its API's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathTemplate(Vec<Part>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    /// Whole segments with their slashes, or the `/` before a [`Part::Segment`].
    Fixed(String),
    /// One segment with at least one slot; its literals as the path has them.
    Segment(Vec<Piece>),
}

impl PathTemplate {
    /// Reads a path. Empty, it is the API's own URL.
    ///
    /// # Errors
    ///
    /// A path that does not begin with `/`, holds an empty segment, `.` or `..`,
    /// a query, or a character that no path has.
    pub fn try_new(text: &str) -> Result<Self, Fault> {
        if !text.is_empty() && !text.starts_with('/') {
            let fix = "write the path below the API's URL, as in `/customers/{customer_id}`";
            return Err(Fault::new(0, "a path begins with `/`", fix));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut fixed = String::new();
        let mut segment: Vec<Piece> = Vec::new();
        let mut at = 0;
        for (index, written) in text.split('/').enumerate() {
            // A slot holds no slash, so pieces never reach over a segment's end.
            let pieces =
                pieces(written).map_err(|fault| Fault { offset: fault.offset + at, ..fault })?;
            for (offset, piece) in &pieces {
                if let Piece::Literal(literal) = piece {
                    check_characters(literal, at + offset)?;
                }
            }
            let has_slot = pieces.iter().any(|(_, piece)| matches!(piece, Piece::Slot(_)));
            let is_last = at + written.len() == text.len();
            if index > 0 {
                fixed.push('/');
            }
            segment.extend(pieces.into_iter().map(|(_, piece)| piece));
            if has_slot {
                if !fixed.is_empty() {
                    parts.push(Part::Fixed(std::mem::take(&mut fixed)));
                }
                parts.push(Part::Segment(std::mem::take(&mut segment)));
            } else {
                let literal = literal(&segment);
                if index > 0 && !(literal.is_empty() && is_last) {
                    check_segment(&literal, at)?;
                }
                fixed.push_str(&literal);
                segment.clear();
            }
            at += written.len() + 1;
        }
        if !fixed.is_empty() {
            parts.push(Part::Fixed(fixed));
        }
        Ok(Self(parts))
    }

    /// Its slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        let pieces = self.0.iter().flat_map(|part| match part {
            Part::Fixed(_) => &[],
            Part::Segment(pieces) => pieces.as_slice(),
        });
        pieces.filter_map(|piece| match piece {
            Piece::Slot(slot) => Some(slot),
            Piece::Literal(_) => None,
        })
    }

    /// Whether it leads to the same things, whatever its slots are called.
    pub fn is_alike(&self, other: &Self) -> bool {
        let is_same = |pair: (&Piece, &Piece)| match pair {
            (Piece::Literal(one), Piece::Literal(other)) => one == other,
            (Piece::Slot(_), Piece::Slot(_)) => true,
            _ => false,
        };
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|pair| match pair {
                (Part::Fixed(one), Part::Fixed(other)) => one == other,
                (Part::Segment(one), Part::Segment(other)) => {
                    one.len() == other.len() && one.iter().zip(other).all(is_same)
                }
                _ => false,
            })
    }

    /// Appends the path for `input`.
    ///
    /// # Errors
    ///
    /// For the model: which field cannot be part of a path, and why.
    pub(in crate::backend::http) fn render(
        &self,
        input: &Input<'_>,
        out: &mut String,
    ) -> Result<(), String> {
        for part in &self.0 {
            match part {
                Part::Fixed(fixed) => out.push_str(fixed),
                Part::Segment(pieces) => segment(pieces, input, out)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Fixed(fixed) => f.write_str(fixed),
            Part::Segment(pieces) => pieces.iter().try_for_each(|piece| piece.fmt(f)),
        })
    }
}

fn literal(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => &**literal,
            Piece::Slot(_) => "",
        })
        .collect()
}

fn segment(pieces: &[Piece], input: &Input<'_>, out: &mut String) -> Result<(), String> {
    let start = out.len();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => out.push_str(literal),
            Piece::Slot(slot) => {
                let value = scalar(slot, input)?;
                if let Some(why) = refused(&value) {
                    return Err(format!(
                        "`{slot}` becomes one segment of a path and {why}; give the plain \
                         identifier"
                    ));
                }
                out.extend(utf8_percent_encode(&value, ENCODED));
            }
        }
    }
    // Two harmless values can make `..` together.
    if pieces.len() > 1 && is_dots(&decoded(&out[start..])) {
        return Err("the fields of a path make `.` or `..` together; give plain identifiers".into());
    }
    Ok(())
}

fn scalar<'a>(slot: &Slot, input: &Input<'a>) -> Result<Cow<'a, str>, String> {
    let Some(raw) = input.get(slot).filter(|raw| *raw != "null") else {
        return Err(format!("`{slot}` is part of a path and is missing; give it a value"));
    };
    if raw.starts_with(['{', '[']) {
        return Err(format!("`{slot}` is part of a path: give a string or a number"));
    }
    super::as_text(raw).ok_or_else(|| format!("`{slot}` cannot be read"))
}

/// Why a value may not be part of a segment.
fn refused(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return Some("must not be empty");
    }
    let decoded = decoded(value);
    if decoded.contains(['/', '\\']) {
        return Some("must not hold `/` or `\\`, encoded or not");
    }
    if decoded.contains(char::is_control) {
        return Some("must not hold control characters, encoded or not");
    }
    is_dots(&decoded).then_some("must not be `.` or `..`, encoded or not")
}

/// What the most eager of upstreams would read: decoded until nothing is left
/// to decode, in one pass however often it was encoded. A byte that is decoded
/// may end a pair that began before it, so each is looked at with those two.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        bytes.push(byte);
        while let [.., b'%', high, low] = bytes[..]
            && let (Some(high), Some(low)) = (hexadecimal(high), hexadecimal(low))
        {
            bytes.truncate(bytes.len() - 3);
            bytes.push(high << 4 | low);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// `.` and `..`, also with what servers are known to strip: a `;parameter`, and
/// dots and spaces at the end of a name.
fn is_dots(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    name.contains('.') && name.chars().all(|c| c == '.' || c.is_whitespace())
}

/// Checks a path that holds no slots.
pub(in crate::backend::http) fn check_literal(path: &str, at: usize) -> Result<(), Fault> {
    check_characters(path, at)?;
    let mut at = at;
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            check_segment(segment, at)?;
        }
        at += segment.len() + 1;
    }
    Ok(())
}

fn check_segment(segment: &str, at: usize) -> Result<(), Fault> {
    let problem = match refused(segment) {
        None => return Ok(()),
        Some(_) if segment.is_empty() => "a segment of the path is empty".to_owned(),
        Some(why) => format!("the path's segment `{segment}` {why}"),
    };
    Err(Fault::new(at, problem, "write the path as the upstream has it, without tricks"))
}

fn check_characters(literal: &str, at: usize) -> Result<(), Fault> {
    for (step, c) in literal.char_indices() {
        let (problem, fix) = match c {
            '?' | '#' => (
                format!("a path ends before `{c}`"),
                "write the parameters under `query:`, or `%3F` and `%23` for the characters",
            ),
            '%' => {
                let pair = literal.as_bytes().get(step + 1..step + 3);
                if pair.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)) {
                    continue;
                }
                ("`%` without two hexadecimal digits".to_owned(), "write `%25` for a percent sign")
            }
            _ if c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@".contains(c) => continue,
            _ => (format!("a path cannot hold {c:?}"), "percent-encode it"),
        };
        return Err(Fault::new(at + step, problem, fix));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
