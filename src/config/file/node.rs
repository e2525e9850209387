//! A YAML value that knows where it stands.

/// Bytes of the source, from `start` to before `end`.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Span {
    /// The first byte.
    pub(crate) start: usize,
    /// After the last byte.
    pub(crate) end: usize,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it stands. A collection's span is where it begins.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the file, each key once.
    Mapping(Vec<(Key, Node)>),
    /// Something that was reported already: nothing more is said of it.
    Unknown,
}

/// A mapping's key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Where it stands.
    pub(crate) span: Span,
    /// Its text.
    pub(crate) text: String,
}

/// A scalar as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// The text, escapes and quotes undone.
    pub(crate) text: String,
    /// Whether it was quoted (or a block): then it is a string whatever it looks
    /// like.
    pub(crate) is_quoted: bool,
}

/// What a scalar means by YAML 1.2's core schema. `yes`, `no`, `on` and `off`
/// are strings there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Meaning<'a> {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as JSON writes it: the digits of the file where JSON allows them.
    Number(std::borrow::Cow<'a, str>),
    /// A number that JSON cannot write, with what to write instead.
    Unwritable(&'static str),
    /// Everything else.
    Text(&'a str),
}

impl Scalar {
    /// What it means.
    pub(crate) fn meaning(&self) -> Meaning<'_> {
        let text = self.text.as_str();
        if self.is_quoted {
            return Meaning::Text(text);
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
            "true" | "True" | "TRUE" => Meaning::Bool(true),
            "false" | "False" | "FALSE" => Meaning::Bool(false),
            _ => number(text).unwrap_or(Meaning::Text(text)),
        }
    }
}

impl Node {
    /// The string that it is.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Text(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether nothing stands there.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.meaning() == Meaning::Null)
    }

    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
            Value::Unknown => "unknown",
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Null => "nothing",
                Meaning::Bool(_) => "a boolean",
                Meaning::Number(_) | Meaning::Unwritable(_) => "a number",
                Meaning::Text(_) => "a string",
            },
        }
    }

    /// The name in `{name}`: what YAML makes of a slot that was not quoted.
    pub(crate) fn as_unquoted_slot(&self) -> Option<&str> {
        match &self.value {
            Value::Mapping(entries) => match entries.as_slice() {
                [(key, value)] if value.is_null() => Some(&key.text),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Reads the core schema's numbers.
fn number(text: &str) -> Option<Meaning<'_>> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    match digits {
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN" => {
            return Some(Meaning::Unwritable("JSON has no infinity and no NaN: write a number"));
        }
        _ => {}
    }
    let radix = |prefix: &str, radix| {
        let digits = text.strip_prefix(prefix)?;
        u128::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))
    };
    if let Some(value) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(Meaning::Number(value.to_string().into()));
    }
    decimal(text, sign, digits)
}

/// `12`, `1.5`, `.5`, `1.`, `1e9`.
fn decimal<'a>(text: &'a str, sign: &str, digits: &str) -> Option<Meaning<'a>> {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at..])),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |text: &str| {
        let digits = text[1..].trim_start_matches(['+', '-']);
        text.len() - digits.len() <= 2 && !digits.is_empty() && are_digits(digits)
    };
    if whole.is_empty() && fraction.is_none_or(str::is_empty)
        || !are_digits(whole)
        || !fraction.is_none_or(are_digits)
        || !exponent.is_none_or(is_exponent)
    {
        return None;
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Some(Meaning::Unwritable(
            "a number does not begin with 0 in JSON: leave the 0 out, or quote it as a string",
        ));
    }
    let is_json = !whole.is_empty() && fraction != Some("") && !text.starts_with('+');
    if is_json {
        return Some(Meaning::Number(text.into()));
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.filter(|digits| !digits.is_empty());
    let fraction = fraction.map(|digits| format!(".{digits}")).unwrap_or_default();
    Some(Meaning::Number(format!("{sign}{whole}{fraction}{}", exponent.unwrap_or_default()).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(text: &str) -> String {
        let scalar = Scalar { text: text.to_owned(), is_quoted: false };
        match scalar.meaning() {
            Meaning::Null => "null".to_owned(),
            Meaning::Bool(value) => format!("bool {value}"),
            Meaning::Number(text) => format!("number {text}"),
            Meaning::Unwritable(_) => "unwritable".to_owned(),
            Meaning::Text(text) => format!("text {text}"),
        }
    }

    #[test]
    fn what_only_looks_like_a_number_or_a_boolean_is_text() {
        for text in [
            "yes", "no", "on", "off", "NO", "1_000", "1:30", "0x", "0xg", "0o8", "0x+1", "-0x1",
            "1e", "1e+-2", ".", "-", "+", "e5", ".e5", "1.2.3", "--1", "30s", "1 000", "١",
        ] {
            assert_eq!(meaning(text), format!("text {text}"));
        }
    }

    #[test]
    fn numbers_keep_their_digits_where_json_can_write_them() {
        for (text, json) in [
            ("12345678901234567890123", "12345678901234567890123"),
            ("1.10", "1.10"),
            ("1E+2", "1E+2"),
            ("-0", "-0"),
            ("+5", "5"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("1.", "1"),
            ("1.e3", "1e3"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("0", "0"),
        ] {
            assert_eq!(meaning(text), format!("number {json}"), "{text}");
            assert!(serde_json::from_str::<serde_json::Number>(json).is_ok(), "{json}");
        }
        for text in ["007", "-01", "00.5", ".inf", "-.INF", ".nan"] {
            assert_eq!(meaning(text), "unwritable", "{text}");
        }
    }

    #[test]
    fn a_quoted_scalar_is_a_string_whatever_it_looks_like() {
        for text in ["", "1", "true", "null"] {
            let scalar = Scalar { text: text.to_owned(), is_quoted: true };
            assert_eq!(scalar.meaning(), Meaning::Text(text));
        }
    }
}
