//! JSON as the source text that it came in.
//!
//! Numbers must arrive as they were written, so text is never re-serialised:
//! paths are found on the parsed [`Value`], bytes are cut from the text.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::{
    Value,
    value::{Map, Number, RawValue},
};

mod digest;

pub use digest::{AsItIs, Digest};

/// One JSON value: its text, shared, and its parsed form when somebody asked.
#[derive(Clone)]
pub struct Json(Arc<Inner>);

struct Inner {
    text: String,
    value: OnceLock<Value>,
}

/// Deeper values are not parsed, which bounds the stack.
const DEPTH_MAX: usize = 127;

/// Why a text is not accepted as JSON: what, with line and column.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl Json {
    /// Reads a text that somebody wrote: one value, nested at most 127 deep,
    /// no key twice in an object. What a duplicate key means is not defined,
    /// so nothing may run on it.
    ///
    /// # Errors
    ///
    /// What is wrong, with line and column.
    pub fn try_new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let mut source = serde_json::Deserializer::from_str(&text);
        let value = Strict.deserialize(&mut source)?;
        source.end()?;
        Ok(Self(Arc::new(Inner { text, value: OnceLock::from(value) })))
    }

    /// Reads a text that a backend sent: one value, nested at most 127 deep.
    /// Duplicate keys are the backend's business; the last one counts.
    ///
    /// # Errors
    ///
    /// What is wrong, with line and column.
    pub fn from_backend(text: String) -> Result<Self, (Error, String)> {
        match serde_json::from_str::<de::IgnoredAny>(&text) {
            // Skipping over a value is not bounded in depth; parsing it is.
            Ok(_) if depth(&text) > DEPTH_MAX => {
                Err((Error(format!("nested more than {DEPTH_MAX} deep")), text))
            }
            Ok(_) => Ok(Self(Arc::new(Inner { text, value: OnceLock::new() }))),
            Err(error) => Err((error.into(), text)),
        }
    }

    /// The text of a value that was made here.
    pub fn from_value(value: &Value) -> Self {
        Self(Arc::new(Inner { text: value.to_string(), value: OnceLock::from(value.clone()) }))
    }

    /// The source text.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The same text without the parsed form, and with nobody to bring it back: for
    /// those who keep it for long.
    #[must_use]
    pub fn to_unparsed(&self) -> Self {
        Self(Arc::new(Inner { text: self.0.text.clone(), value: OnceLock::new() }))
    }

    /// Whether the parsed form is held.
    #[cfg(test)]
    pub(crate) fn is_parsed(&self) -> bool {
        self.0.value.get().is_some()
    }

    /// Lets the parsed form go where nobody else has it: it is several times the
    /// text's size, and found again when it is asked for.
    pub fn forget_value(&mut self) {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.value.take();
        }
    }

    /// The parsed form, for finding and checking; numbers in it may have lost
    /// digits.
    pub fn value(&self) -> &Value {
        self.0.value.get_or_init(|| serde_json::from_str(&self.0.text).unwrap_or(Value::Null))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl PartialEq for Json {
    /// Equal as text.
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

/// How deep the valid JSON that `text` is goes.
fn depth(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut open, mut deepest) = (0, 0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at),
            b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
                at += 1;
            }
            b']' | b'}' => {
                open = open.saturating_sub(1);
                at += 1;
            }
            _ => at += 1,
        }
    }
    deepest
}

/// Where the string that begins at `start` ends.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// The members of the object that `text` is, keys decoded, values as slices of
/// `text`; `None` where it is not an object.
pub fn members(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    // Another value is no mistake of anybody's: an error made of it would be the dearest
    // part of the look.
    text.trim_start().starts_with('{').then_some(())?;
    serde_json::from_str::<Members<'_>>(text).ok().map(|members| members.0)
}

/// The elements of the array that `text` is, as slices of `text`; `None` where
/// it is not an array.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    text.trim_start().starts_with('[').then_some(())?;
    let raw: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(raw.into_iter().map(RawValue::get).collect())
}

/// Where `part`, a slice of `whole` as [`members`] and [`elements`] give it,
/// begins in it.
pub fn offset_in(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Visit;

        impl<'de> Visitor<'de> for Visit {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value::<&'de RawValue>()?.get()));
                }
                Ok(Members(members))
            }
        }

        source.deserialize_map(Visit)
    }
}

/// A key, borrowed where it holds no escape.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Visit;

        impl<'de> Visitor<'de> for Visit {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }

        source.deserialize_str(Visit)
    }
}

/// Builds a [`Value`] and refuses a key that stands twice in its object.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element_seed(Strict)? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if members.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} stands twice")));
            }
            members.insert(key, map.next_value_seed(Strict)?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_means_nothing_certain_is_refused() {
        for (text, says) in [
            ("", "EOF"),
            ("{", "EOF"),
            ("{} {}", "trailing characters"),
            (r#"{"a":1,"b":{"c":1,"c":2}}"#, r#"the key "c" stands twice at line 1"#),
            (r#"{"a":1,"\u0061":2}"#, "stands twice"),
            ("{'a':1}", "key must be a string"),
            ("NaN", "expected value"),
            (&format!("{}1{}", "[".repeat(200), "]".repeat(200)), "recursion limit"),
        ] {
            let error = Json::try_new(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_a_backend_nests_too_deep_to_be_parsed_is_refused() {
        let nested =
            |depth: usize| format!("{}\"[[\\\"[[\"{}", "[".repeat(depth), "]".repeat(depth));
        let (error, text) = Json::from_backend(nested(128)).unwrap_err();
        assert_eq!((error.to_string().as_str(), text), ("nested more than 127 deep", nested(128)));
        assert!(Json::from_backend(nested(127)).unwrap().value().is_array());
    }

    #[test]
    fn numbers_keep_the_digits_that_were_written() {
        let text = r#"{"id":12345678901234567890123,"price":1.10,"e":1E+2}"#;
        let json = Json::try_new(text).unwrap();
        assert_eq!(json.as_str(), text);
        let members = members(json.as_str()).unwrap();
        assert_eq!(members[1], (Cow::Borrowed("price"), "1.10"));
        assert_eq!(offset_in(json.as_str(), members[0].1), 6);
    }

    #[test]
    fn elements_and_members_are_slices_of_the_text() {
        let text = r#" [1, {"k\n": [ ]}, "x"] "#;
        let elements = elements(text).unwrap();
        assert_eq!(elements, ["1", r#"{"k\n": [ ]}"#, r#""x""#]);
        assert_eq!(members(elements[1]).unwrap(), [(Cow::Borrowed("k\n"), "[ ]")]);
        assert!(members(elements[0]).is_none() && super::elements(elements[1]).is_none());
    }
}
