//! Objects whose keys are declared once.
//!
//! [`Object::declare`] names each key with its type, default and sentence. With a
//! mapping in hand the declaration decodes it; without one it publishes its JSON
//! Schema. Neither can know a key that the other does not.

use serde_json::{Map, Value as Schema, json};

use super::{
    Decoder, Node, Setting, Shown, Span,
    decode::Step,
    node::{Key, Value},
};
use crate::registry::nearest::nearest;

/// A mapping with fixed keys.
pub(crate) trait Object: Sized {
    /// What it is, for people: `an API`.
    const WHAT: &'static str;

    /// What it is for, in a sentence.
    const DOC: &'static str;

    /// Names every key. None may be left out on any way through it: an early
    /// return would hide faults of the file, and keys of the schema.
    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self>;
}

impl<T: Object> Setting for T {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let entries = match &node.value {
            Value::Mapping(entries) => entries.as_slice(),
            _ if node.is_null() => &[],
            Value::Unknown => return None,
            _ => {
                let what = format!("this is {}; {} is a mapping", node.kind(), T::WHAT);
                decoder.fault(node.span, what, keys_of(T::WHAT, &keys::<T>()));
                return None;
            }
        };
        let reading = Reading { what: T::WHAT, entries, decoder, known: Vec::new() };
        let mut fields = Fields(Mode::Read(reading));
        let value = T::declare(&mut fields);
        if let Mode::Read(reading) = fields.0 {
            reading.refuse_unknown();
        }
        value
    }

    fn schema() -> Schema {
        let mut fields = Fields(Mode::Publish(Writing::default()));
        // Nothing was read, so nothing comes of it.
        let _ = T::declare(&mut fields);
        match fields.0 {
            Mode::Publish(writing) => writing.finish(T::DOC),
            Mode::Read(_) => Schema::Null,
        }
    }
}

/// The keys that an object declares.
fn keys<T: Object>() -> Vec<&'static str> {
    let mut fields = Fields(Mode::Publish(Writing::default()));
    let _ = T::declare(&mut fields);
    match fields.0 {
        Mode::Publish(writing) => writing.keys,
        Mode::Read(_) => Vec::new(),
    }
}

/// The keys of one object, while they are declared.
pub(crate) struct Fields<'f, 'a>(Mode<'f, 'a>);

enum Mode<'f, 'a> {
    Read(Reading<'f, 'a>),
    Publish(Writing),
}

struct Reading<'f, 'a> {
    what: &'static str,
    entries: &'f [(Key, Node)],
    decoder: &'f mut Decoder<'a>,
    known: Vec<&'static str>,
}

#[derive(Default)]
struct Writing {
    schema: Map<String, Schema>,
    properties: Map<String, Schema>,
    required: Vec<&'static str>,
    keys: Vec<&'static str>,
}

impl<'a> Fields<'_, 'a> {
    /// A key that must be there.
    pub(crate) fn required<T: Setting>(
        &mut self,
        key: &'static str,
        doc: &'static str,
    ) -> Option<T> {
        match &mut self.0 {
            Mode::Read(reading) => match reading.take(key) {
                Some(found) => reading.decode(found),
                None => {
                    let holder = reading.decoder.holder();
                    let what = format!("`{key}` is missing; {} needs it", reading.what);
                    reading.decoder.fault(holder, what, format!("add `{key}`: {}", lowered(doc)));
                    None
                }
            },
            Mode::Publish(writing) => {
                writing.required.push(key);
                writing.property::<T>(key, doc, None);
                None
            }
        }
    }

    /// A key that may be missing: `Some(None)` then.
    pub(crate) fn optional<T: Setting>(
        &mut self,
        key: &'static str,
        doc: &'static str,
    ) -> Option<Option<T>> {
        match &mut self.0 {
            Mode::Read(reading) => match reading.take(key) {
                Some(found) => reading.decode(found).map(Some),
                None => Some(None),
            },
            Mode::Publish(writing) => {
                writing.property::<T>(key, doc, None);
                None
            }
        }
    }

    /// A key that has a default.
    pub(crate) fn or<T: Shown>(
        &mut self,
        key: &'static str,
        default: T,
        doc: &'static str,
    ) -> Option<T> {
        match &mut self.0 {
            Mode::Read(_) => self.optional(key, doc).map(|found| found.unwrap_or(default)),
            Mode::Publish(writing) => {
                writing.property::<T>(key, doc, Some(default.shown()));
                None
            }
        }
    }

    /// An object within, all of whose keys may be missing.
    pub(crate) fn section<T: Object>(&mut self, key: &'static str) -> Option<T> {
        match &mut self.0 {
            Mode::Read(reading) => match reading.take(key) {
                Some(found) => reading.decode(found),
                None => {
                    let nothing = Node { span: Span::default(), value: Value::Mapping(Vec::new()) };
                    reading.decoder.within(Step::Key(key.to_owned()), Span::default(), |decoder| {
                        T::decode(&nothing, decoder)
                    })
                }
            },
            Mode::Publish(writing) => {
                writing.property::<T>(key, T::DOC, None);
                None
            }
        }
    }

    /// At most one of these keys, or exactly one; gives those that are there.
    pub(crate) fn alternatives(&mut self, keys: &[&'static str], is_needed: bool) {
        match &mut self.0 {
            Mode::Read(reading) => {
                let found: Vec<_> = keys.iter().filter_map(|key| reading.find(key)).collect();
                let list = listed(keys.iter().copied(), "or");
                match found.as_slice() {
                    [] if is_needed => {
                        let what = format!("{} needs one of {list}", reading.what);
                        let holder = reading.decoder.holder();
                        reading.decoder.fault(holder, what, format!("add one of {list}"));
                    }
                    [first, second, ..] => {
                        let what = format!(
                            "`{}` stands beside `{}`, but {} takes only one of {list}",
                            second.0.text, first.0.text, reading.what
                        );
                        reading.decoder.fault(second.0.span, what, "keep one of them");
                    }
                    _ => {}
                }
            }
            Mode::Publish(writing) => writing.alternatives(keys, is_needed),
        }
    }

    /// Whether a key is there, and where.
    pub(crate) fn key(&self, key: &str) -> Option<Span> {
        match &self.0 {
            Mode::Read(reading) => reading.find(key).map(|(key, _)| key.span),
            Mode::Publish(_) => None,
        }
    }

    /// Two keys of which the second bounds the first. Where only one of them is
    /// written, the other's default gives way; where both are, they must fit.
    pub(crate) fn bounded<T: Shown + Copy + PartialOrd>(
        &mut self,
        (key, value): (&'static str, Option<T>),
        (key_max, max): (&'static str, Option<T>),
    ) -> Option<(T, T)> {
        let (value, max) = (value?, max?);
        if value <= max {
            return Some((value, max));
        }
        match (self.key(key), self.key(key_max)) {
            (Some(_), Some(span)) => {
                let text = |value: T| value.shown().as_str().unwrap_or_default().to_owned();
                let (value, max) = (text(value), text(max));
                let step = Step::Key(key_max.to_owned());
                self.decoder()?.within(step, span, |decoder| {
                    let what = format!("`{key_max}` is {max}, and `{key}` is {value} already");
                    let fix = format!("write `{value}` or more, or a shorter `{key}`");
                    decoder.fault(span, what, fix);
                });
                None
            }
            (Some(_), None) => Some((value, value)),
            (None, _) => Some((max, max)),
        }
    }

    /// The decoder, where something is read: for checks across keys.
    pub(crate) fn decoder(&mut self) -> Option<&mut Decoder<'a>> {
        match &mut self.0 {
            Mode::Read(reading) => Some(reading.decoder),
            Mode::Publish(_) => None,
        }
    }
}

impl<'f> Reading<'f, '_> {
    /// Declares a key and looks for it.
    fn take(&mut self, key: &'static str) -> Option<&'f (Key, Node)> {
        self.known.push(key);
        self.find(key)
    }

    fn find(&self, key: &str) -> Option<&'f (Key, Node)> {
        self.entries.iter().find(|(found, _)| found.text == key)
    }

    fn decode<T: Setting>(&mut self, (key, node): &'f (Key, Node)) -> Option<T> {
        let step = Step::Key(key.text.clone());
        self.decoder.within(step, key.span, |decoder| T::decode(node, decoder))
    }
    /// Reports every key that was not declared.
    fn refuse_unknown(self) {
        let Self { what, entries, decoder, known } = self;
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let fix = match nearest(&key.text, known.iter().copied()).first() {
                Some(meant) => format!("write `{meant}`; {}", keys_of(what, &known)),
                None => keys_of(what, &known),
            };
            decoder.within(Step::Key(key.text.clone()), key.span, |decoder| {
                decoder.fault(
                    key.span,
                    format!("{what} has no key `{}`", shortened(&key.text)),
                    fix,
                );
            });
        }
    }
}

fn keys_of(what: &str, keys: &[&str]) -> String {
    match keys {
        [only] => format!("the only key of {what} is `{only}`"),
        _ => format!("the keys of {what} are {}", listed(keys.iter().copied(), "and")),
    }
}

/// A sentence as the second half of another.
fn lowered(doc: &str) -> String {
    let mut rest = doc.trim_end_matches('.').chars();
    rest.next().into_iter().flat_map(char::to_lowercase).chain(rest).collect()
}

fn shortened(key: &str) -> String {
    match key.char_indices().nth(64) {
        Some((at, _)) => format!("{}…", &key[..at]),
        None => key.to_owned(),
    }
}

/// `a`, `b` and `c`.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>, join: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {join} {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "nothing".to_owned(),
    }
}

impl Writing {
    fn property<T: Setting>(&mut self, key: &'static str, doc: &str, default: Option<Schema>) {
        let mut schema = match T::schema() {
            Schema::Object(schema) => schema,
            other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
        };
        schema.insert("description".to_owned(), doc.into());
        if let Some(default) = default {
            schema.insert("default".to_owned(), default);
        }
        self.keys.push(key);
        self.properties.insert(key.to_owned(), Schema::Object(schema));
    }

    fn alternatives(&mut self, keys: &[&str], is_needed: bool) {
        let mut ways: Vec<Schema> = keys.iter().map(|key| json!({"required": [key]})).collect();
        if !is_needed {
            ways.push(json!({"not": {"anyOf": ways}}));
        }
        let rules = self.schema.entry("allOf").or_insert_with(|| json!([]));
        if let Schema::Array(rules) = rules {
            rules.push(json!({"oneOf": ways}));
        }
    }

    fn finish(self, doc: &str) -> Schema {
        let Self { mut schema, properties, required, .. } = self;
        let kind = if required.is_empty() && !schema.contains_key("allOf") {
            json!(["object", "null"])
        } else {
            json!("object")
        };
        schema.insert("type".to_owned(), kind);
        schema.insert("description".to_owned(), doc.into());
        schema.insert("properties".to_owned(), Schema::Object(properties));
        schema.insert("additionalProperties".to_owned(), false.into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        Schema::Object(schema)
    }
}
