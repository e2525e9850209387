//! Singular paths: names and indexes only, so that they give at most one value
//! (RFC 9535, section 2.3.5.1).

use super::Step;

/// The largest index that RFC 9535 allows.
const INDEX_MAX: i64 = (1 << 53) - 1;

/// The steps of a singular path; `None` where it is something else, be it
/// another path or none.
pub(super) fn parse(text: &str) -> Option<Vec<Step>> {
    // Enough for any, and exact for most.
    let begins = text.bytes().filter(|byte| matches!(byte, b'.' | b'[')).count();
    let mut steps = Vec::with_capacity(begins);
    let mut rest = text;
    while !rest.is_empty() {
        rest = skip_blanks(rest);
        let step;
        (step, rest) = match rest.as_bytes().first()? {
            b'.' => shorthand(&rest[1..])?,
            b'[' => bracketed(&rest[1..])?,
            _ => return None,
        };
        steps.push(step);
    }
    Some(steps)
}

/// Whether the name can stand after a dot.
pub(super) fn is_shorthand(name: &str) -> bool {
    matches!(shorthand(name), Some((_, "")))
}

/// What to write instead, for a slip that people make often.
pub(super) fn hint(text: &str) -> Option<String> {
    let name =
        text.rsplit('.').find(|name| name.contains('-') && !name.contains(['[', '\'', '"']))?;
    Some(format!("`.{name}` is not a JSONPath step; write `['{name}']`"))
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

fn shorthand(text: &str) -> Option<(Step, &str)> {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    if !text.starts_with(is_first) {
        return None;
    }
    let end = text.find(|c: char| !is_first(c) && !c.is_ascii_digit()).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    Some((Step::Name(name.into()), rest))
}

/// After the opening bracket, to behind the closing one.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    let text = skip_blanks(text);
    let (step, rest) = match text.as_bytes().first()? {
        quote @ (b'\'' | b'"') => quoted(&text[1..], *quote)?,
        _ => index(text)?,
    };
    Some((step, skip_blanks(rest).strip_prefix(']')?))
}

fn index(text: &str) -> Option<(Step, &str)> {
    let end = text.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number: i64 = digits.parse().ok()?;
    // Neither `-0` nor `01` is an index.
    let is_canonical = number.to_string() == digits;
    (is_canonical && number.abs() <= INDEX_MAX).then_some((Step::Index(number), rest))
}

/// After the opening quote, to behind the closing one.
fn quoted(text: &str, quote: u8) -> Option<(Step, &str)> {
    // The same name as a JSON string, whose escapes are JSONPath's but for the
    // quotes.
    let mut string = String::from('"');
    let mut chars = text.char_indices();
    while let Some((place, c)) = chars.next() {
        match c {
            c if u32::from(c) == u32::from(quote) => {
                string.push('"');
                let name: String = serde_json::from_str(&string).ok()?;
                return Some((Step::Name(name.into()), &text[place + 1..]));
            }
            '\\' => match chars.next()?.1 {
                escaped if u32::from(escaped) == u32::from(quote) => {
                    string.push_str(if escaped == '"' { "\\\"" } else { "'" });
                }
                '"' | '\'' => return None,
                escaped => string.extend(['\\', escaped]),
            },
            '"' => string.push_str("\\\""),
            c => string.push(c),
        }
    }
    None
}
