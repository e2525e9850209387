//! Several texts in one: objects of JSON that follow each other, and files that are
//! printed one after the other.

use std::{borrow::Cow, iter, ops::Range};

use serde::de::IgnoredAny;

use super::{Error, edit::ends_in_block_text, parse::parse, tree::position};
use crate::model::text::floor_char_boundary;

/// The parts of a text that are read for themselves. Objects of JSON one after the
/// other, as `kubectl` takes them, are no YAML; any other text is one part.
pub(super) fn parts(text: &str) -> Result<Vec<Range<usize>>, Error> {
    let whole = iter::once(0..text.len()).collect();
    let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let start = text.len() - text.trim_start_matches(is_blank).len();
    if !text[start..].starts_with('{') {
        return Ok(whole);
    }
    let values = serde_json::Deserializer::from_str(&text[start..]);
    let mut values = values.into_iter::<IgnoredAny>();
    let (mut parts, mut from) = (Vec::new(), 0);
    while let Some(value) = values.next() {
        match value {
            Ok(_) => {
                let end = start + values.byte_offset();
                parts.push(from..end);
                from = end;
            }
            Err(error) if !parts.is_empty() && text[from..].trim_start().starts_with('{') => {
                return Err(broken(text, start, &error));
            }
            Err(_) => return Ok(whole),
        }
    }
    if let Some(last) = parts.last_mut() {
        last.end = text.len();
    }
    Ok(if parts.len() > 1 { parts } else { whole })
}

/// The fault in objects of JSON of which the first was whole.
fn broken(text: &str, start: usize, error: &serde_json::Error) -> Error {
    let lines = text[start..].split_inclusive('\n').take(error.line().saturating_sub(1));
    let line = start + lines.map(str::len).sum::<usize>();
    let at = floor_char_boundary(text, line + error.column().saturating_sub(1));
    let (line, column) = position(text, at);
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    let fix = "look here and on the line above for a missing quote, bracket, comma or colon";
    Error { line, column, what: format!("this is not JSON: {what}; {fix}") }
}

/// A text that others are printed before and, unless it is the last, behind: as
/// documents of YAML, to which documents may be added.
pub fn among_others(text: &str, is_last: bool) -> Result<Cow<'_, str>, Error> {
    let parts = parts(text)?;
    if parts.len() > 1 {
        let parts: Vec<&str> = parts.into_iter().map(|part| text[part].trim()).collect();
        return Ok(Cow::Owned(parts.join("\n---\n") + "\n"));
    }
    if !is_last && ends_in_block_text(&parse(text)?) {
        let (line, column) = position(text, text.len());
        let what = "a block text ends here without a line break, and would get one before the \
                    next file: end the file with a line break";
        return Err(Error { line, column, what: what.to_owned() });
    }
    Ok(Cow::Borrowed(text))
}

/// What stands between a text and the one before it.
#[must_use]
pub fn mark(text: &str) -> &'static str {
    let after = text.strip_prefix("---");
    if after.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])) {
        return "";
    }
    // After `...` a file may begin with directives of its own, behind comments too.
    let mut lines = text.lines();
    let first = lines.find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    if first.is_some_and(|line| line.starts_with('%')) { "...\n" } else { "---\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_of_json_that_follow_each_other_are_parts() {
        for (text, expected) in [
            ("{\"a\": 1}\n{\"b\": 2}\n", &["{\"a\": 1}", "\n{\"b\": 2}\n"][..]),
            ("\u{feff} {}{}", &["\u{feff} {}", "{}"]),
            ("{\"a\": {}}\n", &["{\"a\": {}}\n"]),
            ("{a: 1}\n", &["{a: 1}\n"]),
            ("{}\n---\n{}\n", &["{}\n---\n{}\n"]),
            ("{} # one\n", &["{} # one\n"]),
            ("a: {}\n", &["a: {}\n"]),
            ("", &[""]),
        ] {
            let parts: Vec<&str> = parts(text).unwrap().into_iter().map(|at| &text[at]).collect();
            assert_eq!(parts, expected, "{text}");
        }
        for (text, line, column) in
            [("{}\n{\"ä\": 1, }\n", 2, 10), ("{}\n  {\"a\": [1}", 2, 11), ("{} {\"a\"\n", 2, 1)]
        {
            let error = parts(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
            assert!(error.what.starts_with("this is not JSON: "), "{error}");
        }
    }

    #[test]
    fn a_mark_is_written_where_there_is_none() {
        for (text, expected) in [
            ("---\na: 1\n", ""),
            ("---", ""),
            ("--- a\n", ""),
            ("---x: 1\n", "---\n"),
            ("a: 1\n", "---\n"),
            ("%YAML 1.2\n---\na: 1\n", "...\n"),
            ("# who\n\n%YAML 1.2\n---\na: 1\n", "...\n"),
            ("# 100 %\na: 1\n", "---\n"),
        ] {
            assert_eq!(mark(text), expected, "{text}");
        }
    }
}
