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
#[derive(Clone, Debug)]
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
mod tests {
    use super::*;

    fn render(template: &str, input: &str) -> Result<String, String> {
        let mut out = String::new();
        let template = PathTemplate::try_new(template).unwrap();
        template.render(&Input::new(input).unwrap(), &mut out).map(|()| out)
    }

    #[test]
    fn a_path_with_tricks_in_it_is_refused() {
        for (path, offset, says) in [
            ("customers", 0, "begins with `/`"),
            ("{a}", 0, "begins with `/`"),
            ("//evil.example/x", 1, "is empty"),
            ("/a//b", 3, "is empty"),
            ("/a/../b", 3, "`..`"),
            ("/a/./b", 3, "`.`"),
            ("/a/%2e%2e/b", 3, "`..`"),
            ("/a/%252e./b", 3, "`..`"),
            ("/a%2fb", 1, "must not hold `/`"),
            ("/a?x={x}", 2, "ends before `?`"),
            ("/a/{b}#c", 6, "ends before `#`"),
            ("/a b", 2, "cannot hold ' '"),
            ("/{a}\r\n", 4, "cannot hold '\\r'"),
            ("/gr\u{f6}\u{df}e", 3, "percent-encode it"),
            ("/a%zz", 2, "two hexadecimal digits"),
            ("/a%", 2, "two hexadecimal digits"),
            ("/a/{b", 3, "without a `}`"),
            ("/a{{b", 2, "cannot hold '{'"),
        ] {
            let fault = PathTemplate::try_new(path).unwrap_err();
            assert!(fault.to_string().contains(says), "{path:?}: {fault}");
            assert_eq!(fault.offset, offset, "{path:?}: {fault}");
        }
    }

    #[test]
    fn a_value_cannot_change_the_depth_of_a_path() {
        for value in [
            "",
            ".",
            "..",
            "...",
            ".. ",
            "..;",
            "..;a=b",
            "../x",
            "a/b",
            "/",
            "a\\b",
            "..\\..",
            "%2e",
            "%2E%2e",
            ".%2e",
            "%2e%2e%2f",
            "a%2Fb",
            "a%5cb",
            "%252e%252e",
            "%25252fetc",
            "a%%32fb",
            "a%2%352fb",
            "a%C2%2585",
            "a\\u0000b",
            "a%00b",
            "a\\r\\nHost: evil",
            "a%0d%0aX: y",
            "\\t",
            "\\u007f",
            "\\u0085",
        ] {
            let value = if value.contains("\\u") || value.contains("\\r") || value == "\\t" {
                value.to_owned()
            } else {
                value.replace('\\', "\\\\")
            };
            let message = render("/v/{id}", &format!(r#"{{"id": "{value}"}}"#)).unwrap_err();
            assert!(message.contains("`id` becomes one segment"), "{value:?}: {message}");
        }
    }

    /// A pass for each time that it was encoded would cost the square of them.
    #[test]
    fn a_value_encoded_half_a_million_times_costs_no_more_than_its_bytes() {
        let input = |end: &str| format!(r#"{{"id": "%{}{end}"}}"#, "25".repeat(500_000));
        assert!(render("/v/{id}", &input("2f")).unwrap_err().contains("must not hold `/`"));
        assert!(render("/v/{id}", &input("")).is_ok());
    }

    #[test]
    fn fields_that_are_missing_or_no_scalars_have_no_place_in_a_path() {
        for (input, says) in [
            ("{}", "`id` is part of a path and is missing"),
            (r#"{"id": null}"#, "is missing"),
            (r#"{"id": ["a"]}"#, "give a string or a number"),
            (r#"{"id": {"a": 1}}"#, "give a string or a number"),
        ] {
            let message = render("/v/{id}", input).unwrap_err();
            assert!(message.contains(says), "{input}: {message}");
        }
    }

    #[test]
    fn fields_cannot_make_dots_together() {
        for (template, input) in [
            ("/{a}{b}", r#"{"a": "x", "b": ".."}"#),
            ("/x/.{a}", r#"{"a": "."}"#),
            ("/x/%2e{a};", r#"{"a": " "}"#),
        ] {
            assert!(render(template, input).is_err(), "{template} {input}");
        }
        assert_eq!(render("/{a}.{b}", r#"{"a": "x", "b": "y"}"#).unwrap(), "/x.y");
    }

    #[test]
    fn everything_that_is_not_unreserved_is_encoded() {
        for (value, is) in [
            ("cus_1-2.3~4", "cus_1-2.3~4"),
            ("a b", "a%20b"),
            ("a?x=1&y#z", "a%3Fx%3D1%26y%23z"),
            ("user@host:80", "user%40host%3A80"),
            ("100%", "100%25"),
            ("gr\u{f6}\u{df}e", "gr%C3%B6%C3%9Fe"),
            ("\u{ff0f}\u{ff0e}\u{ff0e}", "%EF%BC%8F%EF%BC%8E%EF%BC%8E"),
            ("a;b,c+d", "a%3Bb%2Cc%2Bd"),
        ] {
            let input = serde_json::json!({"id": value}).to_string();
            assert_eq!(render("/v/{id}/x", &input).unwrap(), format!("/v/{is}/x"));
        }
        assert_eq!(
            render("/v/{id}", r#"{"id": 12345678901234567890}"#).unwrap(),
            "/v/12345678901234567890"
        );
        assert_eq!(render("/v/{a.b}", r#"{"a": {"b": true}}"#).unwrap(), "/v/true");
    }

    #[test]
    fn a_fixed_path_stays_as_it_was_written() {
        for path in ["", "/", "/a/b/", "/a%20b/@me", "/files/x.json;v=1"] {
            assert_eq!(render(path, "{}").unwrap(), path);
        }
        assert_eq!(PathTemplate::try_new("/a/{b}/c/{d.e}.json").unwrap().slots().count(), 2);
    }
}
