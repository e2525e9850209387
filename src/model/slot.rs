//! Slots: where a template takes a field of a call's input.
//!
//! A slot is `{field}` or `{field.nested}`; `{{` and `}}` are literal braces.

use std::{borrow::Cow, fmt};

use super::json;

/// What is wrong with the text of a setting, where, and what to write instead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Where in the text, in bytes from its beginning.
    pub offset: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

impl Fault {
    /// A fault at so many bytes.
    pub fn new(offset: usize, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { offset, problem: problem.into(), fix: fix.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.fix)
    }
}

impl std::error::Error for Fault {}

/// A field of the input: `customer.id`.
#[derive(Clone, Eq, PartialEq)]
pub struct Slot(Box<[Box<str>]>);

impl Slot {
    /// The names that lead to the field, outermost first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

/// A piece of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Text as it is, its braces already single.
    Literal(Box<str>),
    /// What takes a field of the input.
    Slot(Slot),
}

/// Text as it is, a slot in its braces: for people, not to be read again.
impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => f.write_str(literal),
            Self::Slot(slot) => write!(f, "{{{slot}}}"),
        }
    }
}

/// Cuts a template into its pieces; each with its offset.
///
/// # Errors
///
/// A brace that is neither doubled nor a slot's.
pub fn pieces(text: &str) -> Result<Vec<(usize, Piece)>, Fault> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let (mut at, mut literal_at) = (0, 0);
    while let Some(step) = text[at..].find(['{', '}']) {
        literal.push_str(&text[at..at + step]);
        at += step;
        let rest = &text[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            literal.push_str(&rest[..1]);
            at += 2;
        } else if rest.starts_with('}') {
            return Err(Fault::new(at, "`}` without a `{`", "write `}}` for a literal brace"));
        } else {
            let Some(end) = rest.find('}') else {
                let fix = "close it, or write `{{` for a literal brace";
                return Err(Fault::new(at, "`{` without a `}`", fix));
            };
            let slot = slot(&rest[1..end], at)?;
            if !literal.is_empty() {
                pieces.push((literal_at, Piece::Literal(std::mem::take(&mut literal).into())));
            }
            pieces.push((at, Piece::Slot(slot)));
            at += end + 1;
            literal_at = at;
        }
    }
    literal.push_str(&text[at..]);
    if !literal.is_empty() {
        pieces.push((literal_at, Piece::Literal(literal.into())));
    }
    Ok(pieces)
}

fn slot(text: &str, at: usize) -> Result<Slot, Fault> {
    let names: Box<[Box<str>]> = text.split('.').map(Box::from).collect();
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-$@".contains(c))
    };
    if names.iter().all(|name| is_name(name)) {
        return Ok(Slot(names));
    }
    Err(Fault::new(
        at,
        format!("`{{{text}}}` is no slot"),
        "write `{field}` or `{field.nested}`; `{{` and `}}` are literal braces",
    ))
}

/// An input, opened for its slots.
#[derive(Debug)]
pub struct Input<'a> {
    members: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Input<'a> {
    /// One without any field.
    pub fn empty() -> Self {
        Self { members: Vec::new() }
    }

    /// `None` where the input is not an object.
    pub fn new(text: &'a str) -> Option<Self> {
        json::members(text).map(|members| Self { members })
    }

    /// Whether it has a field of that name.
    pub fn has(&self, name: &str) -> bool {
        find(&self.members, name).is_some()
    }

    /// The source text of the field; `None` where the input has none.
    pub fn get(&self, slot: &Slot) -> Option<&'a str> {
        self.get_until(slot, |_| false)
    }

    /// The same, or the source text of the first value on the way to it that
    /// `is_end` takes.
    pub fn get_until(&self, slot: &Slot, is_end: impl Fn(&str) -> bool) -> Option<&'a str> {
        let (first, rest) = slot.0.split_first()?;
        let mut value = find(&self.members, first)?;
        for name in rest {
            if is_end(value) {
                break;
            }
            value = find(&json::members(value)?, name)?;
        }
        Some(value)
    }

    /// The field as text: a string's characters, a number or boolean as it is
    /// written, an object or array as its source. `null` is no value.
    pub fn text(&self, slot: &Slot) -> Option<Cow<'a, str>> {
        self.get(slot).and_then(as_text)
    }
}

/// A key that stands twice counts as the validation counted it: the last.
fn find<'a>(members: &[(Cow<'a, str>, &'a str)], name: &str) -> Option<&'a str> {
    members.iter().rfind(|(key, _)| key == name).map(|(_, value)| *value)
}

/// A value as text, as [`Input::text`] gives it.
pub fn as_text(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first() {
        Some(b'"') => {
            let inner = &raw[1..raw.len() - 1];
            if inner.contains('\\') {
                serde_json::from_str(raw).ok().map(Cow::Owned)
            } else {
                Some(Cow::Borrowed(inner))
            }
        }
        Some(b'n') | None => None,
        Some(_) => Some(Cow::Borrowed(raw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brace_that_is_no_slot_is_refused_where_it_stands() {
        for (text, offset, says) in [
            ("{", 0, "`{` without a `}`"),
            ("a}", 1, "`}` without a `{`"),
            ("ab{c", 2, "`{` without a `}`"),
            ("{}", 0, "`{}` is no slot"),
            ("x{a..b}", 1, "`{a..b}` is no slot"),
            ("{ a }", 0, "is no slot"),
            ("{a[0]}", 0, "is no slot"),
            (r#"{"a": 1}"#, 0, "`{{` and `}}` are literal braces"),
            ("{a{b}}", 0, "is no slot"),
            ("{{a}", 3, "`}` without a `{`"),
            ("\u{f6}{", 2, "`{` without a `}`"),
        ] {
            let fault = pieces(text).unwrap_err();
            assert!(fault.to_string().contains(says), "{text:?}: {fault}");
            assert_eq!(fault.offset, offset, "{text:?}: {fault}");
        }
    }

    #[test]
    fn pieces_know_where_they_stand() {
        let pieces = pieces("a{{b}}{c.d}e{gr\u{f6}\u{df}e}").unwrap();
        let shown: Vec<String> = pieces.iter().map(|(at, p)| format!("{at} {p:?}")).collect();
        assert_eq!(
            shown,
            [
                "0 Literal(\"a{b}\")",
                "6 Slot({c.d})",
                "11 Literal(\"e\")",
                "12 Slot({gr\u{f6}\u{df}e})"
            ]
        );
    }

    #[test]
    fn a_field_is_found_as_it_was_written() {
        let input = Input::new(r#"{"a": 1.10, "b": {"c": "x\n"}, "n": null, "a": 2.50}"#).unwrap();
        let get = |text: &str| input.get(&slot(text, 0).unwrap());
        assert_eq!(get("a"), Some("2.50"));
        assert_eq!(get("b.c"), Some(r#""x\n""#));
        assert_eq!(get("n"), Some("null"));
        for absent in ["z", "a.b", "b.z", "b.c.d", "n.x"] {
            assert_eq!(get(absent), None, "{absent}");
        }
        assert_eq!(input.text(&slot("b.c", 0).unwrap()).unwrap(), "x\n");
        assert_eq!(input.text(&slot("n", 0).unwrap()), None);
        assert!(Input::new("[1]").is_none());
    }
}
