//! What two texts of the same JSON value have in common.

use std::{borrow::Cow, fmt};

use sha2::{Digest as _, Sha256};

use super::{Json, string_end};

/// Names a JSON value: two texts have the same digest where they mean the same.
///
/// The order of an object's members, white space and the escapes in strings do
/// not matter. Numbers are told apart by their text, as a tool may do: `1`,
/// `1.0` and `1e0` are three values. Nobody can make another value of the same
/// digest (SHA-256), so that what is found under it may be taken for the value's
/// own.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest([u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to tell two of them apart, and nothing of what was digested.
        write!(f, "{:02x}{:02x}{:02x}{:02x}…", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

impl Json {
    /// The value's digest. It is found anew each time: in one pass over the text,
    /// about a microsecond for the input of a tool.
    pub fn digest(&self) -> Digest {
        let text = self.as_str();
        let mut canonical = Vec::with_capacity(text.len() + text.len() / 2);
        let mut scan = Scan { text, at: 0 };
        scan.node().write(&mut canonical);
        Digest(Sha256::digest(&canonical).into())
    }
}

/// A value as far as its digest needs it.
enum Node<'a> {
    /// A number or a literal, as it is written.
    Plain(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl Node<'_> {
    /// Writes the value so that no other value is written the same: everything
    /// says first what it is, and how long where nothing ends it.
    fn write(&mut self, to: &mut Vec<u8>) {
        match self {
            Self::Plain(text) => write(b'=', text, to),
            Self::Text(text) => write(b'"', text, to),
            Self::Array(elements) => {
                to.push(b'[');
                for element in elements {
                    element.write(to);
                }
                to.push(b']');
            }
            Self::Object(members) => {
                // A key that stands twice, in what a backend sent, keeps its places.
                members.sort_by(|(one, _), (other, _)| one.cmp(other));
                to.push(b'{');
                for (key, value) in members {
                    write(b'"', key, to);
                    value.write(to);
                }
                to.push(b'}');
            }
        }
    }
}

fn write(kind: u8, text: &str, to: &mut Vec<u8>) {
    to.push(kind);
    to.extend_from_slice(&text.len().to_le_bytes());
    to.extend_from_slice(text.as_bytes());
}

/// Reads a text that is known to be one JSON value, nested as deep as `Json`
/// allows.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn node(&mut self) -> Node<'a> {
        match self.peek() {
            Some(b'"') => Node::Text(self.string()),
            Some(b'[') => {
                let mut elements = Vec::new();
                self.at += 1;
                while self.has_next(b']') {
                    elements.push(self.node());
                }
                Node::Array(elements)
            }
            Some(b'{') => {
                let mut members = Vec::new();
                self.at += 1;
                while self.has_next(b'}') {
                    let key = self.string();
                    self.peek();
                    // The colon.
                    self.at += 1;
                    members.push((key, self.node()));
                }
                Node::Object(members)
            }
            _ => {
                let rest = self.rest();
                let ends = |byte: u8| matches!(byte, b',' | b']' | b'}') || is_space(byte);
                let length = rest.bytes().position(ends).unwrap_or(rest.len());
                // What is no value cannot be; if it is, it is the last.
                self.at = if length == 0 { self.text.len() } else { self.at + length };
                Node::Plain(&rest[..length])
            }
        }
    }

    /// Steps to the next element or key, or over the bracket that closes.
    fn has_next(&mut self, close: u8) -> bool {
        if self.peek() == Some(b',') {
            self.at += 1;
        }
        let next = self.peek();
        if next == Some(close) {
            self.at += 1;
        }
        next.is_some_and(|next| next != close)
    }

    /// A string, decoded.
    fn string(&mut self) -> Cow<'a, str> {
        self.peek();
        let end = string_end(self.text.as_bytes(), self.at).min(self.text.len());
        let quoted = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        if !quoted.contains('\\') {
            let inside = quoted.get(1..quoted.len().saturating_sub(1));
            return Cow::Borrowed(inside.unwrap_or_default());
        }
        // Half a surrogate pair, which a backend may send, means only itself.
        serde_json::from_str(quoted).map_or(Cow::Borrowed(quoted), Cow::Owned)
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.rest().bytes();
        self.at += rest.take_while(|byte| is_space(*byte)).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn digest(text: &str) -> Digest {
        Json::from_backend(text.to_owned()).unwrap().digest()
    }

    #[test]
    fn what_is_another_value_has_another_digest() {
        let texts = [
            "{}",
            "[]",
            "null",
            "0",
            "-0",
            "1",
            "1.0",
            "1.00",
            "1e0",
            "1E0",
            "true",
            "\"true\"",
            "\"1\"",
            "\"\"",
            "[[]]",
            "[[],[]]",
            "[{}]",
            "[1,2]",
            "[2,1]",
            "[12]",
            "[[1],2]",
            "[[1,2]]",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":{},"b":1}"#,
            r#"{"a":[1]}"#,
            r#"["a",1]"#,
            r#"{"a,":1}"#,
            r#"{"A":1}"#,
            r#"{"a":null}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":2,"a":1}"#,
            r#"" ""#,
            r#""a\"b""#,
            r#""a\\\"b""#,
            r#""\ud800""#,
            r#""\udc00""#,
            "12345678901234567890123",
            "12345678901234567890124",
        ];
        for (index, one) in texts.iter().enumerate() {
            for other in &texts[index + 1..] {
                assert_ne!(digest(one), digest(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn order_of_members_white_space_and_escapes_do_not_matter() {
        for (one, other) in [
            (
                r#"{"a":1,"b":[1,{"c":2,"d":3}]}"#,
                " {\t\"b\" : [ 1 ,\n{\"d\":3,\"c\" : 2 } ] , \"a\":1\r}\n",
            ),
            (r#""caf\u00e9 \/ \ud83d\ude00""#, "\"café / 😀\""),
            (r#"{"\u0061":1}"#, r#"{"a":1}"#),
            ("[ ]", "[]"),
            ("{ }", "{}"),
            (" 1.10 ", "1.10"),
        ] {
            assert_eq!(digest(one), digest(other), "{one} and {other}");
        }
    }

    #[test]
    fn the_deepest_value_that_is_read_has_one() {
        let deep = |inside: &str| format!("{}{inside}{}", "[".repeat(127), "]".repeat(127));
        assert_ne!(digest(&deep("1")), digest(&deep("2")));
    }

    /// The text of `value`, written in one of many ways.
    fn written(value: &Value, seed: &mut u64) -> String {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let space = [" ", "", "\n", "\t "][(*seed >> 60) as usize & 3];
        match value {
            Value::Array(elements) => {
                let all: Vec<_> = elements.iter().map(|element| written(element, seed)).collect();
                format!("{space}[{space}{}]", all.join(&format!("{space},")))
            }
            Value::Object(members) => {
                let mut all: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("{}{space}:{}", json!(key), written(value, seed)))
                    .collect();
                let turn = (*seed >> 33) as usize % all.len().max(1);
                all.rotate_left(turn);
                format!("{{{space}{}}}{space}", all.join(","))
            }
            Value::String(text) if *seed >> 63 == 1 => {
                let escaped: String =
                    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                format!("\"{escaped}\"")
            }
            plain => format!("{space}{plain}{space}"),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab\"\\\\é,:{}]{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_has_one_digest_however_it_is_written(
            value in values(), other in values(), mut seed in any::<u64>(),
        ) {
            let first = digest(&written(&value, &mut seed));
            prop_assert_eq!(first, digest(&written(&value, &mut seed)));
            prop_assert_eq!(value == other, first == digest(&other.to_string()));
        }
    }
}
