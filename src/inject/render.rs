//! What is added, as YAML: by indentation or in brackets.

use std::fmt::Write as _;

/// A value that is added. Mappings keep their order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// A number.
    Number(u32),
    /// `true` or `false`.
    Bool(bool),
    /// A list.
    List(Vec<Value>),
    /// A mapping.
    Map(Vec<(String, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(fact: bool) -> Self {
        Self::Bool(fact)
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Value {
    fn from(entries: [(&str, Value); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

/// Lists are indented as their neighbours are, or stand under their key's column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// By how much a list is indented under its key.
    pub(super) list_indent: usize,
}

impl Look {
    /// `key: value` as whole lines, each indented.
    pub(super) fn entry(self, key: &str, value: &Value, indent: usize) -> String {
        let mut out = String::new();
        self.write_entry(&mut out, key, value, indent, true);
        out
    }

    /// `- value` as whole lines, each indented.
    pub(super) fn item(self, value: &Value, indent: usize) -> String {
        let mut out = String::new();
        self.write_item(&mut out, value, indent);
        out
    }

    /// A collection's lines, which stand under a key at `indent`.
    pub(super) fn under(self, value: &Value, indent: usize) -> String {
        let mut out = String::new();
        self.write_under(&mut out, value, indent);
        out
    }

    fn write_entry(
        self,
        out: &mut String,
        key: &str,
        value: &Value,
        indent: usize,
        is_on_own_line: bool,
    ) {
        let margin = if is_on_own_line { indent } else { 0 };
        let _ = write!(out, "{:margin$}{}:", "", plain(key));
        match value {
            Value::Map(_) => {
                out.push('\n');
                self.write_under(out, value, indent);
            }
            Value::List(items) if items.iter().any(|item| matches!(item, Value::Map(_))) => {
                out.push('\n');
                self.write_under(out, value, indent);
            }
            _ => {
                let _ = writeln!(out, " {}", scalar(value));
            }
        }
    }

    fn write_under(self, out: &mut String, value: &Value, indent: usize) {
        match value {
            Value::Map(entries) => {
                for (key, value) in entries {
                    self.write_entry(out, key, value, indent + 2, true);
                }
            }
            Value::List(items) => {
                for item in items {
                    self.write_item(out, item, indent + self.list_indent);
                }
            }
            _ => {}
        }
    }

    fn write_item(self, out: &mut String, value: &Value, indent: usize) {
        let _ = write!(out, "{:indent$}- ", "");
        match value {
            Value::Map(entries) => {
                for (at, (key, value)) in entries.iter().enumerate() {
                    self.write_entry(out, key, value, indent + 2, at > 0);
                }
            }
            _ => {
                let _ = writeln!(out, "{}", scalar(value));
            }
        }
    }
}

/// In brackets, as JSON: on one line, or on several that are indented by `unit`
/// from `margin` on.
pub(super) fn json(value: &Value, lines: Option<(&str, &str)>) -> String {
    let list = |open: char, items: Vec<String>, close: char| match lines {
        Some((margin, unit)) if !items.is_empty() => {
            let items = items.join(&format!(",\n{margin}{unit}"));
            format!("{open}\n{margin}{unit}{items}\n{margin}{close}")
        }
        _ => format!("{open}{}{close}", items.join(", ")),
    };
    let margin = lines.map(|(margin, unit)| format!("{margin}{unit}"));
    let inner = margin.as_deref().zip(lines).map(|(margin, (_, unit))| (margin, unit));
    match value {
        Value::Text(text) => quoted(text),
        Value::Number(number) => number.to_string(),
        Value::Bool(fact) => fact.to_string(),
        Value::List(items) => list('[', items.iter().map(|item| json(item, inner)).collect(), ']'),
        Value::Map(entries) => {
            let entries = entries.iter();
            let entries =
                entries.map(|(key, value)| format!("{}: {}", quoted(key), json(value, inner)));
            list('{', entries.collect(), '}')
        }
    }
}

/// A scalar, or a list of them, on one line.
fn scalar(value: &Value) -> String {
    match value {
        Value::Text(text) => plain(text),
        Value::List(items) => {
            format!("[{}]", items.iter().map(scalar).collect::<Vec<_>>().join(", "))
        }
        _ => json(value, None),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A string without quotes where every YAML, old and new, takes it for one.
fn plain(text: &str) -> String {
    const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    // `50m`, `128Mi`.
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if unit != text && ["m", "Ki", "Mi", "Gi"].contains(&unit) {
        return text.to_owned();
    }
    let first = text.trim_start_matches("--").bytes().next();
    let is_plain = first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte))
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && !text.eq_ignore_ascii_case("null");
    if is_plain {
        return text.to_owned();
    }
    // A record of JSON reads better in single quotes.
    if text.contains('"') && !text.contains(|c: char| c == '\'' || c.is_control()) {
        return format!("'{text}'");
    }
    quoted(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_as_something_else_is_quoted() {
        for text in ["", "yes", "Off", "null", "NULL", "1", "0.1.0", "a b", "a:", "-", "--", "*a"] {
            assert!(plain(text).starts_with('"'), "{text}");
        }
        for text in [
            "50m",
            "128Mi",
            "sidecall:0.1.0",
            "unix:///run/s.sock",
            "--config",
            "/etc/a.yaml",
            "a-b_c",
        ] {
            assert_eq!(plain(text), text);
        }
        assert_eq!(plain("{\"a\":1}"), "'{\"a\":1}'");
        assert_eq!(plain("\"it's\""), "\"\\\"it's\\\"\"");
    }

    #[test]
    fn brackets_are_written_on_one_line_or_on_several() {
        let value = Value::from([
            ("a", Value::List(vec![1.into(), true.into()])),
            ("b", Value::Map(Vec::new())),
        ]);
        assert_eq!(json(&value, None), r#"{"a": [1, true], "b": {}}"#);
        let lines = "{\n\t\t\"a\": [\n\t\t\t1,\n\t\t\ttrue\n\t\t],\n\t\t\"b\": {}\n\t}";
        assert_eq!(json(&value, Some(("\t", "\t"))), lines);
        let parsed: serde_json::Value = serde_json::from_str(lines).unwrap();
        assert_eq!(parsed, serde_json::json!({"a": [1, true], "b": {}}));
    }

    #[test]
    fn lists_are_indented_as_they_are_told() {
        let value = Value::List(vec![[("a", 1.into()), ("b", [("c", "d".into())].into())].into()]);
        let text = |list_indent| Look { list_indent }.entry("x", &value, 2);
        assert_eq!(text(0), "  x:\n  - a: 1\n    b:\n      c: d\n");
        assert_eq!(text(2), "  x:\n    - a: 1\n      b:\n        c: d\n");
    }
}
