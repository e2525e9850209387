//! JSON without what is secret in it, also where it was cut or is none.
//!
//! The text is copied token by token: numbers keep their digits, and what has
//! nothing to hide keeps its spelling.

use std::ops::Range;

use super::{Redactor, text};
use crate::model::REDACTED;

/// What stands in the place of a value.
pub(super) const MARK: &str = "\"[redacted]\"";

/// JSON within strings of JSON is looked into so deep.
const DEPTH_MAX: usize = 4;
/// Bytes that a string that was cut may have to lose of an escape, which is two
/// units of six each at most.
const ESCAPE_BYTES_MAX: usize = 12;

/// Whether a text begins as JSON with strings in it does, or is a number.
pub(super) fn begins(text: &str) -> bool {
    let text = text.trim();
    let is_of_number = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text.starts_with(['{', '[', '"']) || !text.is_empty() && text.bytes().all(is_of_number)
}

/// Such a text, which goes on where it ends if it `is_cut`.
pub(super) fn redacted(redactor: &Redactor, text: &str, is_cut: bool, depth: usize) -> String {
    let mut walk = Walk { redactor, text, is_cut, depth, shown: String::new() };
    let mut at = 0;
    while at < text.len() {
        at = walk.token(at);
    }
    walk.shown
}

struct Walk<'a> {
    redactor: &'a Redactor,
    text: &'a str,
    is_cut: bool,
    depth: usize,
    shown: String,
}

impl Walk<'_> {
    /// Copies the token at `at`, and with a key that is secret what it names. Gives
    /// where the next begins.
    fn token(&mut self, at: usize) -> usize {
        match self.text.as_bytes()[at] {
            b'"' => {
                let string = self.string_at(at);
                let key_ends = self.key_ends(string.end);
                let is_secret = key_ends.is_some() && self.names_secret(&string);
                let end = string.end;
                self.string(string);
                match key_ends.filter(|_| is_secret) {
                    Some(value) => self.hide(end, value),
                    None => end,
                }
            }
            byte if is_sign(byte) => {
                self.shown.push(char::from(byte));
                at + 1
            }
            _ => {
                let end = self.scalar_end(at);
                let scalar = &self.text[at..end];
                // The beginning of one may be that of a secret.
                let is_beginning = self.is_cut && end == self.text.len();
                if self.redactor.secrets.are_in(scalar) {
                    self.shown.push_str(MARK);
                } else if !is_beginning {
                    self.shown.push_str(&text::names(self.redactor, scalar));
                }
                end
            }
        }
    }

    /// The string that begins at `at`, quotes and all.
    fn string_at(&self, at: usize) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let mut end = at + 1;
        while let Some(found) = bytes.get(end..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
        {
            end += found;
            if bytes[end] == b'"' {
                return at..end + 1;
            }
            end += 2;
        }
        at..bytes.len()
    }

    /// Where the value begins whose key ends at `end`, if that is a key.
    fn key_ends(&self, end: usize) -> Option<usize> {
        let rest = self.text[end..].trim_start();
        rest.starts_with(':').then(|| self.text.len() - rest.len() + 1)
    }

    fn names_secret(&self, key: &Range<usize>) -> bool {
        let (decoded, _) = decoded(&self.text[key.clone()]);
        decoded.is_none_or(|key| self.redactor.keys.has(&key))
    }

    fn string(&mut self, at: Range<usize>) {
        let written = &self.text[at];
        let (decoded, read) = decoded(written);
        let Some(decoded) = decoded else {
            self.shown.push_str(MARK);
            return;
        };
        let is_cut = self.is_cut && read.is_some();
        let shown = if self.depth < DEPTH_MAX {
            text::within(self.redactor, &decoded, is_cut, self.depth + 1)
        } else if begins(&decoded) {
            REDACTED.to_owned()
        } else {
            text::plain(self.redactor, &decoded, is_cut)
        };
        if shown == decoded {
            // What could not be read was not looked at either.
            self.shown.push_str(read.unwrap_or(written));
        } else {
            self.shown.push_str(&serde_json::Value::from(shown).to_string());
        }
    }

    /// Copies what stands between a secret's key, which ends at `key`, and its value
    /// at `value`, and the mark in the value's place. Gives where the value ends.
    fn hide(&mut self, key: usize, value: usize) -> usize {
        let rest = &self.text[value..];
        let begin = self.text.len() - rest.trim_start().len();
        self.shown.push_str(&self.text[key..begin]);
        let Some(first) = self.text.as_bytes().get(begin) else { return begin };
        let end = match first {
            b'"' => self.string_at(begin).end,
            b'{' | b'[' => self.container_end(begin),
            // Nothing is there to be hidden.
            b'}' | b']' | b',' | b':' => return begin,
            _ => self.scalar_end(begin),
        };
        let written = &self.text[begin..end];
        let says_nothing = ["null", "true", "false", "\"\"", "{}", "[]"].contains(&written);
        self.shown.push_str(if says_nothing { written } else { MARK });
        end
    }

    fn container_end(&self, begin: usize) -> usize {
        let bytes = self.text.as_bytes();
        let (mut at, mut open) = (begin, 0_usize);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    at = self.string_at(at).end;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.saturating_sub(1),
                _ => {}
            }
            at += 1;
            if open == 0 {
                break;
            }
        }
        at
    }

    fn scalar_end(&self, begin: usize) -> usize {
        let bytes = &self.text.as_bytes()[begin..];
        let end = bytes.iter().position(|byte| *byte == b'"' || is_sign(*byte));
        end.map_or(self.text.len(), |end| begin + end)
    }
}

fn is_sign(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r')
}

/// A string's text, as far as it is there, and what of it was read, where that is not
/// all. None where it is no string of JSON's.
fn decoded(written: &str) -> (Option<String>, Option<&str>) {
    if let Ok(text) = serde_json::from_str(written) {
        return (Some(text), None);
    }
    // Cut: within an escape, perhaps.
    let ends = (0..=ESCAPE_BYTES_MAX).filter_map(|less| written.len().checked_sub(less));
    let mut ends = ends.filter(|end| *end > 0 && written.is_char_boundary(*end));
    let read = ends.find_map(|end| {
        let read = &written[..end];
        Some((serde_json::from_str(&format!("{read}\"")).ok()?, read))
    });
    read.map_or((None, Some("")), |(text, read)| (Some(text), Some(read)))
}
