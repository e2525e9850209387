//! A tool's input schema, compiled.

use std::collections::BTreeSet;

use jsonschema::{Draft, PatternOptions, ValidationError, error::ValidationErrorKind as Kind};
use serde_json::Value;

use crate::model::{Failure, FailureCode, Json};

mod explain;

/// Bytes that one compiled pattern may take. Enough for any sensible pattern,
/// and small enough that a counted repetition of one is refused at once.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A tool's input schema: its source text and its compiled form.
#[derive(Debug)]
pub struct Schema {
    source: Json,
    compiled: jsonschema::Validator,
}

/// Why a schema is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Where in the schema, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// What is wrong there, and what would be right.
    pub message: String,
}

impl Schema {
    /// Compiles a schema of draft 2020-12 (the default) or draft-07. Formats are
    /// asserted, nothing is fetched, and patterns match in linear time.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn try_new(source: Json) -> Result<Self, Error> {
        let value = source.value();
        let draft = draft(value)?;
        let compiled = jsonschema::options()
            .with_draft(draft)
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(
                PatternOptions::regex()
                    .size_limit(PATTERN_BYTES_MAX)
                    .dfa_size_limit(PATTERN_BYTES_MAX),
            )
            .build(value)
            .map_err(|error| refusal(value, &error))?;
        Ok(Self { source, compiled })
    }

    /// Everything that is wrong with a schema that [`try_new`](Self::try_new)
    /// refuses, as far as its draft's own rules find it; what only compiling finds
    /// (patterns, references) is told one at a time.
    pub fn faults(source: &Json) -> Vec<Error> {
        let value = source.value();
        let rules = match draft(value) {
            Ok(Draft::Draft7) => jsonschema::draft7::meta::validator(),
            Ok(_) => jsonschema::draft202012::meta::validator(),
            Err(error) => return vec![error],
        };
        let found: Vec<Error> =
            rules.iter_errors(value).map(|error| refusal(value, &error)).collect();
        match Self::try_new(source.clone()) {
            Err(error) if found.is_empty() => vec![error],
            _ => found,
        }
    }

    /// The schema as it was written.
    pub fn source(&self) -> &Json {
        &self.source
    }

    /// What an input takes, in a line for the model: `customer_id (string,
    /// required), limit (integer)`; `None` where no properties are named.
    pub fn summary(&self) -> Option<String> {
        explain::properties(self.source.value())
    }

    /// Checks an input.
    ///
    /// # Errors
    ///
    /// `invalid_input`, naming for each fault the path, what is expected there
    /// and what came.
    pub fn check(&self, input: &Json) -> Result<(), Failure> {
        self.check_around(input, &[])
    }

    /// Checks an input in which some places still hold references: what stands
    /// there, and what depends on it, is left to [`check`](Self::check) of the
    /// resolved input. `references` are the places as JSON pointers (RFC 6901).
    ///
    /// # Errors
    ///
    /// `invalid_input` as [`check`](Self::check) says.
    pub fn check_around(&self, input: &Json, references: &[String]) -> Result<(), Failure> {
        if self.compiled.is_valid(input.value()) {
            return Ok(());
        }
        let holes = Holes(references.iter().map(String::as_str).collect());
        let errors =
            self.compiled.iter_errors(input.value()).filter(|error| holes.is_certain(error));
        match explain::faults(&self.source, input, errors) {
            Some(message) => Err(Failure::new(FailureCode::InvalidInput, message)),
            None => Ok(()),
        }
    }
}

fn draft(schema: &Value) -> Result<Draft, Error> {
    let refuse =
        |pointer: &str, message: String| Err(Error { pointer: pointer.to_owned(), message });
    let Some(members) = schema.as_object() else {
        return refuse("", "a tool's schema is an object: write {\"type\": \"object\"}".to_owned());
    };
    match members.get("type") {
        None => {}
        Some(Value::String(name)) if name == "object" => {}
        Some(other) => {
            return refuse(
                "/type",
                format!(
                    "a tool's input is an object: write \"type\": \"object\" instead of {other}"
                ),
            );
        }
    }
    match members.get("$schema").map(|uri| uri.as_str().map(|uri| uri.trim_end_matches('#'))) {
        None | Some(Some("https://json-schema.org/draft/2020-12/schema")) => Ok(Draft::Draft202012),
        Some(Some(
            "http://json-schema.org/draft-07/schema" | "https://json-schema.org/draft-07/schema",
        )) => Ok(Draft::Draft7),
        Some(other) => refuse(
            "/$schema",
            format!(
                "{} is not supported: write \"https://json-schema.org/draft/2020-12/schema\" or \
                 \"http://json-schema.org/draft-07/schema#\", or leave it out",
                other.map_or_else(
                    || "a `$schema` that is no string".to_owned(),
                    |uri| format!("{uri:?}")
                )
            ),
        ),
    }
}

/// Why the compiler refused a schema.
fn refusal(schema: &Value, error: &ValidationError<'_>) -> Error {
    if let Kind::Referencing(referencing) = error.kind() {
        return reference_refusal(schema, referencing);
    }
    let pointer = error.instance_path().as_str().to_owned();
    let got = error.instance().to_string();
    let message = match error.kind() {
        Kind::Format { format } if format == "regex" => format!(
            "the pattern {got} is refused: patterns match in linear time, so look-around and \
             back-references do not exist, and counted repetitions are bounded"
        ),
        _ => explain::expectation(error, &got),
    };
    Error { pointer, message }
}

fn reference_refusal(schema: &Value, error: &jsonschema::ReferencingError) -> Error {
    let target = match error {
        jsonschema::ReferencingError::Unretrievable { uri, .. } => uri.clone(),
        jsonschema::ReferencingError::PointerToNowhere { pointer } => format!("#{pointer}"),
        _ => String::new(),
    };
    let message = match error {
        jsonschema::ReferencingError::Unretrievable { uri, .. } => format!(
            "{uri:?} is not in this schema, and nothing is fetched: copy it under `$defs` and \
             write \"#/$defs/NAME\""
        ),
        jsonschema::ReferencingError::PointerToNowhere { pointer } => {
            format!("\"#{pointer}\" leads nowhere in this schema")
        }
        other => other.to_string(),
    };
    Error { pointer: pointer_of(schema, &target).unwrap_or_default(), message }
}

/// Where `"$ref": target` stands.
fn pointer_of(schema: &Value, target: &str) -> Option<String> {
    let mut open = vec![(String::new(), schema)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(members) => {
                if members
                    .get("$ref")
                    .and_then(Value::as_str)
                    .is_some_and(|uri| uri.trim_end_matches('#') == target)
                {
                    return Some(pointer + "/$ref");
                }
                open.extend(members.iter().map(|(key, value)| {
                    (format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), value)
                }));
            }
            Value::Array(elements) => {
                let elements = elements.iter().enumerate();
                open.extend(elements.map(|(n, value)| (format!("{pointer}/{n}"), value)));
            }
            _ => {}
        }
    }
    None
}

/// Places of an input whose values are not yet known.
struct Holes<'a>(BTreeSet<&'a str>);

impl Holes<'_> {
    /// Whether an error holds whatever comes to stand in the holes.
    fn is_certain(&self, error: &ValidationError<'_>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let place = error.instance_path().as_str();
        let is_chosen_by_value =
            error.schema_path().as_str().split('/').any(|key| matches!(key, "then" | "else"));
        !is_chosen_by_value
            && !self.holds(place)
            && (!self.is_above_one(place) || is_of_the_container(error.kind()))
    }

    /// Whether the place is a hole or in one.
    fn holds(&self, place: &str) -> bool {
        let ends = place.match_indices('/').map(|(end, _)| end).chain([place.len()]);
        ends.into_iter().any(|end| self.0.contains(&place[..end]))
    }

    fn is_above_one(&self, place: &str) -> bool {
        let below = format!("{place}/");
        self.0.range(below.as_str()..).next().is_some_and(|hole| hole.starts_with(&below))
    }
}

/// Whether an error is about what a container is, not about what is in it.
fn is_of_the_container(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Type { .. }
            | Kind::Required { .. }
            | Kind::AdditionalProperties { .. }
            | Kind::PropertyNames { .. }
            | Kind::MinProperties { .. }
            | Kind::MaxProperties { .. }
            | Kind::MinItems { .. }
            | Kind::MaxItems { .. }
            | Kind::AdditionalItems { .. }
            | Kind::FalseSchema
    )
}

#[cfg(test)]
mod tests;
