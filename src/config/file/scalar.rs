//! Settings of one value: strings, switches, durations, sizes, counts, words.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use serde_json::{Value as Schema, json};

use super::{
    Decoder, Node, Setting, Shown,
    node::{Meaning, Scalar, Value},
    object::listed,
};
use crate::registry::nearest::nearest;

impl Setting for String {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.as_text() {
            Some(text) => Some(text.to_owned()),
            None => {
                decoder.mismatch(node, "a string");
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({"type": "string"})
    }
}

impl Shown for String {
    fn shown(&self) -> Schema {
        json!(self)
    }
}

impl Setting for PathBuf {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        if text.is_empty() || text.contains('\0') {
            decoder.fault(node.span, "this is no path", "write a path, such as `/run/app.sock`");
            return None;
        }
        Some(Self::from(text))
    }

    fn schema() -> Schema {
        json!({"type": "string", "minLength": 1})
    }
}

impl Shown for PathBuf {
    fn shown(&self) -> Schema {
        json!(self.to_string_lossy())
    }
}

/// The scalar's text where it is a plain number or a string.
pub(crate) fn written(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(scalar @ Scalar { text, .. }) => match scalar.meaning() {
            Meaning::Number(_) | Meaning::Unwritable(_) | Meaning::Text(_) => Some(text),
            Meaning::Null | Meaning::Bool(_) => None,
        },
        _ => None,
    }
}

/// A whole number and its unit.
fn quantity(text: &str) -> Option<(u64, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number = text.get(..digits)?.parse().ok()?;
    Some((number, text.get(digits..)?.trim_start()))
}

/// Reads a time with its unit, such as `30s`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = quantity(text)?;
    let ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.saturating_mul(ms)))
}

/// The longest time that can be set: longer ones are most likely slips.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl Setting for Duration {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let expected = "a duration: a whole number with `ms`, `s`, `m` or `h`, such as `30s`";
        let Some(text) = written(node) else {
            decoder.mismatch(node, expected);
            return None;
        };
        if let Some((number, "")) = quantity(text) {
            let fix = format!("write `{number}s` or `{number}ms`");
            decoder.fault(node.span, format!("`{text}` has no unit"), fix);
            return None;
        }
        let Some(duration) = duration(text) else {
            let what = format!("`{text}` is no duration");
            decoder.fault(node.span, what, format!("write {expected}"));
            return None;
        };
        if duration.is_zero() {
            let fix = "write a time above zero, or leave the key out for the default; zero never means `no limit`";
            decoder.fault(node.span, format!("`{text}` is no time at all"), fix);
            return None;
        }
        if duration > LONGEST {
            let fix = "write at most `8760h`, a year";
            decoder.fault(node.span, format!("`{text}` is too long"), fix);
            return None;
        }
        Some(duration)
    }

    fn schema() -> Schema {
        json!({
            "type": "string",
            "pattern": "^[0-9]*[1-9][0-9]* ?(ms|s|m|h)$",
            "examples": ["200ms", "30s", "5m", "1h"],
        })
    }
}

impl Shown for Duration {
    fn shown(&self) -> Schema {
        let ms = self.as_millis();
        let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
        let unit = units.iter().find(|(_, unit)| ms.is_multiple_of(*unit));
        json!(unit.map(|(name, unit)| format!("{}{name}", ms / unit)))
    }
}

/// A number of bytes from `MIN` to `MAX`: `4096`, `100 KiB`, `3MiB`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size<const MIN: usize, const MAX: usize>(pub(crate) usize);

impl<const MIN: usize, const MAX: usize> Size<MIN, MAX> {
    /// The bytes.
    pub(crate) fn get(self) -> NonZeroUsize {
        NonZeroUsize::new(self.0).unwrap_or(NonZeroUsize::MIN)
    }
}

impl<const MIN: usize, const MAX: usize> Setting for Size<MIN, MAX> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let expected =
            "a size: a whole number of bytes, or one with `KiB`, `MiB` or `GiB`, such as `100 KiB`";
        let Some(text) = written(node) else {
            decoder.mismatch(node, expected);
            return None;
        };
        let shift = match quantity(text).map(|(number, unit)| (number, unit.to_ascii_lowercase())) {
            Some((number, unit)) => match unit.as_str() {
                "" | "b" => Ok((number, 0)),
                "kib" => Ok((number, 10)),
                "mib" => Ok((number, 20)),
                "gib" => Ok((number, 30)),
                "k" | "kb" => Err(format!("write `{number} KiB` (1024 bytes each)")),
                "m" | "mb" => Err(format!("write `{number} MiB` (1024 KiB each)")),
                "g" | "gb" => Err(format!("write `{number} GiB` (1024 MiB each)")),
                _ => Err(format!("write {expected}")),
            },
            None => Err(format!("write {expected}")),
        };
        let (number, shift) = match shift {
            Ok(size) => size,
            Err(fix) => {
                decoder.fault(node.span, format!("`{text}` is no size"), fix);
                return None;
            }
        };
        let bytes = usize::try_from(number).ok().and_then(|number| number.checked_mul(1 << shift));
        match bytes {
            Some(bytes) if (MIN..=MAX).contains(&bytes) => Some(Self(bytes)),
            _ => {
                let what = format!("`{text}` is out of bounds");
                let fix = format!("write a size from {} to {}", bytes_shown(MIN), bytes_shown(MAX));
                decoder.fault(node.span, what, fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({
            "anyOf": [
                {"type": "integer", "minimum": MIN, "maximum": MAX},
                {"type": "string", "pattern": "^[0-9]+ *([KkMmGg][Ii])?[Bb]?$"},
            ],
            "examples": ["100 KiB", "3 MiB", 4096],
        })
    }
}

impl<const MIN: usize, const MAX: usize> Shown for Size<MIN, MAX> {
    fn shown(&self) -> Schema {
        json!(bytes_shown(self.0))
    }
}

/// `100 KiB`.
pub(crate) fn bytes_shown(bytes: usize) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// A part of something, in percents from `least` on.
pub(crate) fn percent(
    node: &Node,
    decoder: &mut Decoder<'_>,
    what: &str,
    least: u32,
    example: &str,
) -> Option<u32> {
    let expected =
        format!("a {what}: a whole number from {least} to 100 and `%`, such as `{example}`");
    let Some(text) = written(node) else {
        decoder.mismatch(node, &expected);
        return None;
    };
    let number = text.strip_suffix('%').and_then(|number| number.parse().ok());
    let percent = number.filter(|number| (least..=100).contains(number));
    if percent.is_none() {
        decoder.fault(node.span, format!("`{text}` is no {what}"), format!("write {expected}"));
    }
    percent
}

/// A number of things from 1 to `MAX`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Count<const MAX: usize>(pub(crate) NonZeroUsize);

impl<const MAX: usize> Count<MAX> {
    /// Reads it, where it is one.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let count = text.parse().ok().and_then(NonZeroUsize::new)?;
        (count.get() <= MAX).then_some(Self(count))
    }
}

impl<const MAX: usize> Setting for Count<MAX> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let expected = format!("a whole number from 1 to {MAX}");
        let number = match &node.value {
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Number(text) => Some(text),
                _ => None,
            },
            _ => None,
        };
        let Some(number) = number else {
            match node.as_text().filter(|text| text.parse::<usize>().is_ok()) {
                Some(text) => {
                    let fix = format!("write {text} without quotes");
                    decoder.fault(node.span, "this is a string, not a whole number", fix);
                }
                None => decoder.mismatch(node, &expected),
            }
            return None;
        };
        match Self::read(&number) {
            Some(count) => Some(count),
            None => {
                let fix = match &*number {
                    "0" => format!("write {expected}; zero never means `no limit`"),
                    _ => format!("write {expected}"),
                };
                decoder.fault(node.span, format!("`{number}` is out of bounds"), fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({"type": "integer", "minimum": 1, "maximum": MAX})
    }
}

impl<const MAX: usize> Shown for Count<MAX> {
    fn shown(&self) -> Schema {
        json!(self.0)
    }
}

/// One of a few words.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// What the words are, for people: `a format`.
    const WHAT: &'static str;
    /// Every word and what it means.
    const ALL: &'static [(&'static str, Self)];
}

impl<T: Word> Shown for OneOf<T> {
    fn shown(&self) -> Schema {
        let word = T::ALL.iter().find(|(_, value)| *value == self.0);
        json!(word.map(|(word, _)| *word))
    }
}

/// A setting that is a [`Word`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneOf<T>(pub(crate) T);

impl<T: Word> Setting for OneOf<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let words = || T::ALL.iter().map(|(word, _)| *word);
        let list = listed(words(), "or");
        let text = match &node.value {
            Value::Scalar(scalar) if !node.is_null() => scalar.text.as_str(),
            _ => {
                decoder.mismatch(node, &format!("{}: {list}", T::WHAT));
                return None;
            }
        };
        if let Some((_, value)) = T::ALL.iter().find(|(word, _)| *word == text) {
            return Some(Self(*value));
        }
        let switch = match text {
            "true" | "yes" => words().find(|word| *word == "on"),
            "false" | "no" => words().find(|word| *word == "off"),
            _ => None,
        };
        let fix = match switch.or_else(|| nearest(text, words()).first().copied()) {
            Some(meant) => format!("write `{meant}`; it is one of {list}"),
            None => format!("write {list}"),
        };
        decoder.fault(node.span, format!("`{text}` is not {}", T::WHAT), fix);
        None
    }

    fn schema() -> Schema {
        let words: Vec<&str> = T::ALL.iter().map(|(word, _)| *word).collect();
        json!({"enum": words})
    }
}
