//! Texts without what is secret in them.

use super::{Redactor, json};
use crate::model::REDACTED;

/// A text, which goes on where it ends if it `is_cut`.
pub(super) fn redacted(redactor: &Redactor, text: &str, is_cut: bool) -> String {
    if json::begins(text) {
        return json::redacted(redactor, text, is_cut, 0);
    }
    plain(redactor, text, is_cut)
}

/// A text that stands in a string of JSON, so deep.
pub(super) fn within(redactor: &Redactor, text: &str, is_cut: bool, depth: usize) -> String {
    let plain = secrets(redactor, text, is_cut);
    if json::begins(&plain) {
        return json::redacted(redactor, &plain, is_cut, depth);
    }
    names(redactor, &users(&plain, is_cut))
}

/// A text that is no JSON.
pub(super) fn plain(redactor: &Redactor, text: &str, is_cut: bool) -> String {
    names(redactor, &users(&secrets(redactor, text, is_cut), is_cut))
}

fn secrets(redactor: &Redactor, text: &str, is_cut: bool) -> String {
    let secrets = &redactor.secrets;
    let shown = if is_cut { secrets.redact_cut(text) } else { secrets.redact(text) };
    shown.into_owned()
}

/// Hides who addresses are opened as: what stands before the `@` of
/// `scheme://user:password@host`.
pub(super) fn users(text: &str, is_cut: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, sign) in text.match_indices("://") {
        let begin = at + sign.len();
        let is_address = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        if begin < copied || !is_address {
            continue;
        }
        let rest = &text[begin..];
        let ends_authority = |c: char| c.is_whitespace() || "/?#\"'\\<>`".contains(c);
        let authority = &rest[..rest.find(ends_authority).unwrap_or(rest.len())];
        let user = match authority.rfind('@') {
            Some(at) => &authority[..at],
            // Its host may have been cut off, and what is there be a password.
            None if is_cut && rest[authority.len()..].trim_end_matches(['"', '\\']).is_empty() => {
                authority.rfind(':').map_or("", |_| authority)
            }
            None => "",
        };
        if user.is_empty() || user == REDACTED {
            continue;
        }
        shown.push_str(&text[copied..begin]);
        shown.push_str(REDACTED);
        copied = begin + user.len();
    }
    shown.push_str(&text[copied..]);
    shown
}

/// Hides what stands behind a secret's name, as in forms (`name=value&`), headers
/// (`Name: value`) and JSON within other text (`"name": "value"`).
pub(super) fn names(redactor: &Redactor, text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices(['=', ':']) {
        if at < copied || !redactor.keys.has(name_before(&text[..at])) {
            continue;
        }
        let value = value_after(text, at);
        if value.is_empty() || text[value.clone()] == *REDACTED {
            continue;
        }
        shown.push_str(&text[copied..value.start]);
        shown.push_str(REDACTED);
        copied = value.end;
    }
    shown.push_str(&text[copied..]);
    shown
}

/// The name at the end of a text, perhaps in quotes.
fn name_before(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '\t']).trim_end_matches(['"', '\'', '\\']);
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begin = text.char_indices().rev().take_while(|(_, c)| is_of_name(*c)).last();
    begin.map_or("", |(begin, _)| &text[begin..])
}

/// Where the value stands whose sign is at `sign`: what is in quotes, else up to
/// where such a value ends.
fn value_after(text: &str, sign: usize) -> std::ops::Range<usize> {
    let is_assigned = text[sign..].starts_with('=');
    let rest = text[sign + 1..].trim_start_matches([' ', '\t', '=', '>']);
    let begin = text.len() - rest.len();
    let quote = rest.strip_prefix('\\').unwrap_or(rest).chars().next();
    if let Some(quote @ ('"' | '\'')) = quote {
        let skipped = rest.find(quote).map_or(0, |at| at + 1);
        let begin = begin + skipped;
        let inner = &text[begin..];
        let end = inner.find([quote, '\n']).unwrap_or(inner.len());
        return begin..begin + inner[..end].trim_end_matches('\\').len();
    }
    let ends: &[char] = match is_assigned {
        true => &['&', ';', ',', ' ', '\t', '\n', '\r', '"', '\'', '<', '>', ')'],
        // A header's value is the rest of its line.
        false => &['\n', '\r'],
    };
    begin..begin + rest.find(ends).unwrap_or(rest.len())
}
