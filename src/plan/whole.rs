//! A whole result, as references read it.
//!
//! Values are cut from the result's own text. What is where in it is found when
//! somebody looks, and kept, so that a thousand references into one result cost
//! one reading of it.

use std::sync::{Arc, OnceLock};

use crate::model::{Content, Json, json};

/// The whole result of a call that succeeded, as references read it.
///
/// Make it once for a call that others refer to ([`Template::parents`] says
/// which); it is cheap to clone and remembers where in the text it has looked.
///
/// The first JSON block is the result. Where there is none, all text blocks are,
/// joined by line breaks: as JSON if they are one JSON value, else as a string.
/// A result with no block at all is `null`.
///
/// [`Template::parents`]: super::Template::parents
#[derive(Clone, Debug)]
pub struct Whole(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    nature: Nature,
    json: Json,
    root: Span,
}

/// What kind of result it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nature {
    /// JSON, or text that is.
    Structured,
    /// Other text; held as a JSON string.
    Text,
    /// Nothing came back; held as `null`.
    Nothing,
    /// Only what no input can carry: images, documents, links.
    Opaque,
}

/// A value's place in the text, and what it holds once somebody looked.
#[derive(Debug)]
struct Span {
    start: u32,
    end: u32,
    inside: OnceLock<Box<Inside>>,
}

#[derive(Debug)]
enum Inside {
    Scalar,
    Elements(Box<[Span]>),
    /// By key, each once.
    Members(Box<[(Box<str>, Span)]>),
}

/// A value in a whole result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'a> {
    text: &'a str,
    span: &'a Span,
}

impl Whole {
    /// Reads a result. Give it what the backend sent, not what the model sees.
    pub fn new(content: &[Content]) -> Self {
        let (nature, json) = read(content);
        match Span::of(json.as_str(), json.as_str().trim_ascii()) {
            Some(root) => Self(Arc::new(Inner { nature, json, root })),
            None => {
                let json = Json::from_value(&serde_json::Value::Null);
                let root = Span { start: 0, end: 4, inside: OnceLock::new() };
                Self(Arc::new(Inner { nature: Nature::Opaque, json, root }))
            }
        }
    }

    pub(super) fn nature(&self) -> Nature {
        self.0.nature
    }

    /// The result parsed, for finding; `None` where it holds what cannot be:
    /// numbers beyond all range, broken surrogates.
    pub(super) fn value(&self) -> Option<&serde_json::Value> {
        let value = self.0.json.value();
        (!value.is_null() || self.root().raw() == "null").then_some(value)
    }

    pub(super) fn root(&self) -> Spot<'_> {
        Spot { text: self.0.json.as_str(), span: &self.0.root }
    }
}

fn read(content: &[Content]) -> (Nature, Json) {
    if let Some(json) = content.iter().find_map(|block| match block {
        Content::Json(json) => Some(json),
        _ => None,
    }) {
        return (Nature::Structured, json.clone());
    }
    let mut texts = content.iter().filter_map(|block| match block {
        Content::Text(text) => Some(&**text),
        _ => None,
    });
    let Some(first) = texts.next() else {
        let nature = if content.is_empty() { Nature::Nothing } else { Nature::Opaque };
        return (nature, Json::from_value(&serde_json::Value::Null));
    };
    let text = texts.fold(first.to_owned(), |joined, text| joined + "\n" + text);
    match Json::from_backend(text) {
        Ok(json) => (Nature::Structured, json),
        Err((_, text)) => (Nature::Text, Json::from_value(&serde_json::Value::String(text))),
    }
}

impl Span {
    /// `None` where the text is too long for its offsets.
    fn of(text: &str, part: &str) -> Option<Self> {
        let start = json::offset_in(text, part);
        let end = u32::try_from(start + part.len()).ok()?;
        Some(Self { start: u32::try_from(start).ok()?, end, inside: OnceLock::new() })
    }
}

impl Inside {
    fn of(text: &str, raw: &str) -> Self {
        let found = match raw.as_bytes().first() {
            Some(b'[') => json::elements(raw).and_then(|parts| {
                let spans: Option<_> = parts.into_iter().map(|part| Span::of(text, part)).collect();
                spans.map(Self::Elements)
            }),
            Some(b'{') => json::members(raw).and_then(|mut parts| {
                parts.sort_by(|(a, _), (b, _)| a.cmp(b));
                // Of a key that stands twice the last counts, as in every parser.
                parts.dedup_by(|later, kept| {
                    let same = later.0 == kept.0;
                    if same {
                        std::mem::swap(later, kept);
                    }
                    same
                });
                let spans: Option<_> = parts
                    .into_iter()
                    .map(|(key, part)| Some((key.into(), Span::of(text, part)?)))
                    .collect();
                spans.map(Self::Members)
            }),
            _ => None,
        };
        found.unwrap_or(Self::Scalar)
    }
}

impl<'a> Spot<'a> {
    /// Its text.
    pub(super) fn raw(self) -> &'a str {
        self.text.get(self.span.start as usize..self.span.end as usize).unwrap_or("null")
    }

    fn inside(self) -> &'a Inside {
        self.span.inside.get_or_init(|| Box::new(Inside::of(self.text, self.raw())))
    }

    pub(super) fn member(self, key: &str) -> Option<Self> {
        let Inside::Members(members) = self.inside() else { return None };
        let place = members.binary_search_by(|(name, _)| (**name).cmp(key)).ok()?;
        Some(Self { span: &members[place].1, ..self })
    }

    /// From the end where `index` is negative.
    pub(super) fn element(self, index: i64) -> Option<Self> {
        let Inside::Elements(elements) = self.inside() else { return None };
        let index = if index < 0 { index + i64::try_from(elements.len()).ok()? } else { index };
        let span = elements.get(usize::try_from(index).ok()?)?;
        Some(Self { span, ..self })
    }

    /// Its keys, sorted; `None` where it is no object.
    pub(super) fn keys(self) -> Option<impl ExactSizeIterator<Item = &'a str>> {
        match self.inside() {
            Inside::Members(members) => Some(members.iter().map(|(key, _)| &**key)),
            Inside::Elements(_) | Inside::Scalar => None,
        }
    }

    /// How many elements it has; `None` where it is no array.
    pub(super) fn elements(self) -> Option<usize> {
        match self.inside() {
            Inside::Elements(elements) => Some(elements.len()),
            Inside::Members(_) | Inside::Scalar => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Content {
        Content::Json(Json::from_backend(text.to_owned()).unwrap())
    }

    #[test]
    fn only_what_an_input_can_carry_is_a_value() {
        let image = Content::Image { media_type: "image/png".into(), data: "x".into() };
        let link = Content::Link { uri: "https://example.com".into(), name: "".into() };
        assert_eq!(Whole::new(&[image.clone(), link]).nature(), Nature::Opaque);
        assert_eq!(Whole::new(&[]).nature(), Nature::Nothing);
        let whole = Whole::new(&[image, Content::Text("a".into()), Content::Text("\"b\"".into())]);
        assert_eq!((whole.nature(), whole.root().raw()), (Nature::Text, r#""a\n\"b\"""#));
    }

    #[test]
    fn the_first_json_block_is_the_result_and_text_that_is_json_counts() {
        let whole = Whole::new(&[Content::Text("note".into()), json(" [1] "), json("2")]);
        assert_eq!((whole.nature(), whole.root().raw()), (Nature::Structured, "[1]"));
        let whole = Whole::new(&[Content::Text(r#"{"a": 1.10}"#.into())]);
        assert_eq!(whole.root().member("a").unwrap().raw(), "1.10");
        let whole = Whole::new(&[Content::Text("007".into())]);
        assert_eq!((whole.nature(), whole.root().raw()), (Nature::Text, r#""007""#));
    }

    #[test]
    fn places_are_found_and_bytes_are_the_texts_own() {
        let whole = Whole::new(&[json(
            r#"{"b":[1.0, 2e5 ,"\u00e9"],"a":0,"\u0061":{"z":12345678901234567890}}"#,
        )]);
        let root = whole.root();
        assert!(root.member("c").is_none() && root.element(0).is_none());
        assert_eq!(root.keys().unwrap().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(root.member("a").unwrap().raw(), r#"{"z":12345678901234567890}"#);
        let list = root.member("b").unwrap();
        assert_eq!(list.elements(), Some(3));
        assert_eq!(list.element(-2).unwrap().raw(), "2e5");
        assert_eq!(list.element(2).unwrap().raw(), r#""\u00e9""#);
        for beyond in [3, -4, i64::MIN, i64::MAX] {
            assert!(list.element(beyond).is_none(), "{beyond}");
        }
    }

    #[test]
    fn what_cannot_be_parsed_is_not_taken_for_null() {
        assert!(Whole::new(&[json("[1e999]")]).value().is_none());
        assert!(Whole::new(&[json(" null ")]).value().is_some());
    }
}
