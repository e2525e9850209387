//! The path of a reference: RFC 9535 JSONPath without its `$`.
//!
//! A singular path, which is nearly every one, is walked step by step on the
//! result's text. Any other is evaluated by `serde_json_path` on the parsed
//! value, which gives locations; the bytes at them are cut from the text.

use std::fmt::{self, Write as _};

use serde_json_path::{JsonPath, PathElement};

use super::whole::{Nature, Spot, Whole};

mod cost;
mod singular;

/// Deepest nesting of `[` and `(` in a path; its parser recurses.
const NESTING_MAX: usize = 8;

/// Most keys that a message names.
const KEYS_NAMED: usize = 20;

/// Where in a result a reference reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Path(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Gives the one value there.
    Singular(Box<[Step]>),
    /// Gives an array of what it finds.
    Query(Box<Query>),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Name(Box<str>),
    Index(i64),
}

#[derive(Clone, Debug, PartialEq)]
struct Query {
    text: Box<str>,
    path: JsonPath,
    cost: cost::Cost,
}

/// What a path finds.
#[derive(Debug)]
pub(super) enum Found<'a> {
    One(Spot<'a>),
    Many(Vec<Spot<'a>>),
}

/// Why it finds nothing. Writes itself for the model.
#[derive(Debug)]
pub(super) enum Missing<'a> {
    /// The step at this place leads nowhere from here.
    Step { steps: &'a [Step], at: usize, from: Spot<'a>, nature: Nature },
    /// No path leads into what came.
    Opaque,
    /// The result has values that cannot be searched.
    Unreadable,
    /// It would take too long.
    TooCostly,
}

impl Path {
    /// Reads a path; empty text is the whole result.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to write instead where that is known.
    pub fn try_new(text: &str) -> Result<Self, String> {
        if let Some(steps) = singular::parse(text) {
            return Ok(Self(Kind::Singular(steps.into())));
        }
        let cost = cost::Cost::of(text);
        if cost.nesting > NESTING_MAX {
            return Err(format!("it nests {} brackets; at most {NESTING_MAX}", cost.nesting));
        }
        if cost.is_open {
            // The parser panics on an escape that the text's end cuts.
            return Err("a quote in it is never closed".to_owned());
        }
        match JsonPath::parse(&format!("${text}")) {
            Ok(path) => Ok(Self(Kind::Query(Box::new(Query { text: text.into(), path, cost })))),
            Err(error) => Err(match singular::hint(text) {
                Some(hint) => hint,
                // The parser counts the `$` that it was given.
                None => format!(
                    "at byte {} of `{text}`: {}; write steps such as `.name`, `['any name']`, `[0]` or `[*]`",
                    error.position().saturating_sub(1),
                    error.message()
                ),
            }),
        }
    }

    pub(super) fn read<'a>(&'a self, whole: &'a Whole) -> Result<Found<'a>, Missing<'a>> {
        if whole.nature() == Nature::Opaque {
            return Err(Missing::Opaque);
        }
        match &self.0 {
            Kind::Singular(steps) => walk(steps, whole),
            Kind::Query(query) => search(query, whole),
        }
    }
}

fn walk<'a>(steps: &'a [Step], whole: &'a Whole) -> Result<Found<'a>, Missing<'a>> {
    let mut spot = whole.root();
    for (at, step) in steps.iter().enumerate() {
        let next = match step {
            Step::Name(name) => spot.member(name),
            Step::Index(index) => spot.element(*index),
        };
        let nature = whole.nature();
        spot = next.ok_or(Missing::Step { steps, at, from: spot, nature })?;
    }
    Ok(Found::One(spot))
}

fn search<'a>(query: &'a Query, whole: &'a Whole) -> Result<Found<'a>, Missing<'a>> {
    if !query.cost.is_bearable(whole.root().raw()) {
        return Err(Missing::TooCostly);
    }
    let value = whole.value().ok_or(Missing::Unreadable)?;
    let mut spots = Vec::new();
    for location in query.path.query_located(value).locations() {
        let mut spot = whole.root();
        for element in location.iter() {
            let next = match element {
                PathElement::Name(name) => spot.member(name),
                PathElement::Index(index) => {
                    spot.element(i64::try_from(*index).unwrap_or(i64::MAX))
                }
            };
            spot = next.ok_or(Missing::Unreadable)?;
        }
        spots.push(spot);
    }
    Ok(Found::Many(spots))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Singular(steps) => steps.iter().try_for_each(|step| write!(f, "{step}")),
            Kind::Query(query) => f.write_str(&query.text),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Name(name) if singular::is_shorthand(name) => write!(f, ".{name}"),
            Self::Name(name) => {
                f.write_str("['")?;
                for c in name.chars() {
                    match c {
                        '\'' | '\\' => write!(f, "\\{c}")?,
                        c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
                        c => f.write_char(c)?,
                    }
                }
                f.write_str("']")
            }
        }
    }
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opaque => f.write_str("the result holds no text and no JSON, so nothing can be taken from it"),
            Self::Unreadable => f.write_str("the result holds numbers or characters that cannot be searched; name the place by keys and indexes alone"),
            Self::TooCostly => f.write_str("searching this result so would take too long; use fewer `..`, `,` and filters, or none"),
            Self::Step { nature: Nature::Nothing, .. } => f.write_str("the result is empty"),
            Self::Step { nature: Nature::Text, .. } => {
                f.write_str("the result is text and not JSON, so a reference to it can have no path")
            }
            Self::Step { steps, at, from, .. } => {
                match at {
                    0 => f.write_str("the result")?,
                    at => {
                        f.write_char('`')?;
                        steps[..*at].iter().try_for_each(|step| write!(f, "{step}"))?;
                        f.write_char('`')?;
                    }
                }
                describe(f, &steps[*at], *from)
            }
        }
    }
}

/// What is there instead of where `step` leads.
fn describe(f: &mut fmt::Formatter<'_>, step: &Step, from: Spot<'_>) -> fmt::Result {
    if let Some(mut keys) = from.keys() {
        write!(f, " has no `{step}`; ")?;
        if keys.len() == 0 {
            return f.write_str("it is an empty object");
        }
        f.write_str("its keys are ")?;
        let more = keys.len().saturating_sub(KEYS_NAMED);
        for (place, key) in keys.by_ref().take(KEYS_NAMED).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let short: String = key.chars().take(64).collect();
            write!(f, "{comma}`{short}`")?;
        }
        return if more > 0 { write!(f, " and {more} more") } else { Ok(()) };
    }
    match (from.elements(), from.raw().as_bytes().first()) {
        (Some(0), _) => write!(f, " has no `{step}`; it is an empty array"),
        (Some(1), _) => write!(f, " has no `{step}`; it is an array of one element, `[0]`"),
        (Some(count), _) => {
            write!(f, " has no `{step}`; it is an array, `[0]` to `[{}]`", count - 1)
        }
        (None, Some(b'"')) => write!(f, " is a string, so it has no `{step}`"),
        (None, Some(b't' | b'f')) => write!(f, " is a boolean, so it has no `{step}`"),
        (None, Some(b'n')) => write!(f, " is null, so it has no `{step}`"),
        (None, _) => write!(f, " is a number, so it has no `{step}`"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Content, Json};

    /// Texts that are nearly paths.
    fn texts() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("."),
            Just(".."),
            Just("["),
            Just("]"),
            Just("'"),
            Just("\""),
            Just("\\"),
            Just("a"),
            Just("b c"),
            Just("é"),
            Just("-"),
            Just("0"),
            Just("1"),
            Just(" "),
            Just("\\'"),
            Just("\\u0061"),
            Just("*"),
            Just(":"),
            Just(","),
            Just(".a"),
            Just("['a']"),
            Just("[0]"),
            Just("[-1]"),
            Just("[\"é\"]"),
            Just("['b c']"),
            Just("[?@.a==1]"),
        ];
        prop::collection::vec(token, 0..7).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]
        #[test]
        fn our_walk_and_the_library_agree(text in texts()) {
            let json = r#"{"a":[{"a":1.0,"é":[]},2,{"a":[3]}],"é":{"a":{"b c":"x"}},"b c":[[0,1],1]}"#;
            let whole = Whole::new(&[Content::Json(Json::try_new(json).unwrap())]);
            let value = whole.value().unwrap();
            let theirs = JsonPath::parse(&format!("${text}"));
            let ours = Path::try_new(&text);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", ours);
            let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return Ok(()) };
            let theirs: Vec<_> = theirs.query(value).all();
            let parsed = |spot: &Spot<'_>| serde_json::from_str::<serde_json::Value>(spot.raw()).unwrap();
            match ours.read(&whole) {
                Ok(Found::One(spot)) => {
                    let value = parsed(&spot);
                    prop_assert_eq!(vec![&value], theirs);
                }
                Ok(Found::Many(spots)) => {
                    let spots: Vec<_> = spots.iter().map(parsed).collect();
                    prop_assert_eq!(spots.iter().collect::<Vec<_>>(), theirs);
                }
                Err(missing) => {
                    let is_step = matches!(missing, Missing::Step { .. });
                    prop_assert!(is_step && theirs.is_empty());
                }
            }
        }
    }

    #[test]
    fn reading_every_element_of_a_long_array_is_one_pass() {
        let rows: Vec<String> = (0..10_000).map(|row| format!(r#"{{"id":{row}.10}}"#)).collect();
        let whole = Whole::new(&[Content::Text(format!("[{}]", rows.join(",")).into())]);
        let path = Path::try_new("[*].id").unwrap();
        let Ok(Found::Many(spots)) = path.read(&whole) else { panic!("not an array") };
        assert_eq!((spots.len(), spots[9999].raw()), (10_000, "9999.10"));
    }
}
