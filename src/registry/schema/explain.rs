//! What is wrong with an input, told to the model that wrote it.

use std::{borrow::Cow, fmt::Write as _};

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

use crate::{
    model::{
        Json,
        json::{elements, members},
    },
    registry::nearest::nearest,
};

/// Faults told at most; the others are counted.
const FAULTS_MAX: usize = 5;

/// Characters of a value, a name or a path shown at most.
const SHOWN_MAX: usize = 80;

/// Names and allowed values listed at most.
const LISTED_MAX: usize = 20;

/// The faults as one line; `None` where there are none.
pub(super) fn faults<'e>(
    schema: &Json,
    input: &Json,
    mut errors: impl Iterator<Item = ValidationError<'e>>,
) -> Option<String> {
    let mut listed: Vec<String> = Vec::new();
    let told: Vec<String> = errors
        .by_ref()
        .take(FAULTS_MAX)
        .map(|error| {
            let (path, value) = place(input.as_str(), error.instance_path().as_str());
            let mut line = format!("{path}: {}", expectation(&error, value));
            let list = takes(schema.value(), &error).unwrap_or_default();
            // One list for all the faults of one object.
            let key = path + &list;
            if !list.is_empty() && !listed.contains(&key) {
                line.push_str(&list);
                listed.push(key);
            }
            line
        })
        .collect();
    match (told.is_empty(), errors.count()) {
        (true, _) => None,
        (false, 0) => Some(told.join("; ")),
        (false, 1) => Some(format!("{}; and 1 more fault", told.join("; "))),
        (false, more) => Some(format!("{}; and {more} more faults", told.join("; "))),
    }
}

/// What an input's object takes: `customer_id (string, required), limit
/// (integer)`; `None` where the schema names no properties.
pub(super) fn properties(schema: &Value) -> Option<String> {
    let properties = schema.get("properties")?.as_object().filter(|map| !map.is_empty())?;
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|required| required.iter().any(|key| key == name));
    // What must be there is named first, and so never left off the list.
    let (first, then): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(name, _)| is_required(name));
    let names = first.into_iter().chain(then).map(|(name, schema)| {
        let kind = schema.get("type").and_then(Value::as_str);
        let required = is_required(name).then_some("required");
        let words: Vec<&str> = kind.into_iter().chain(required).collect();
        let words =
            if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
        format!("{}{words}", shown(name))
    });
    Some(list(names))
}

/// What is wanted, and what came.
pub(super) fn expectation(error: &ValidationError<'_>, source: &str) -> String {
    let wanted = match error.kind() {
        Kind::Required { property } => {
            return format!("{} is missing", shown(&unquoted(property)));
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            return format!(
                "{} is not known here",
                list(unexpected.iter().map(|name| shown(name)))
            );
        }
        Kind::FalseSchema => return "nothing may stand here".to_owned(),
        Kind::PropertyNames { error } => {
            return format!(
                "a key does not fit: {}",
                expectation(error, &error.instance().to_string())
            );
        }
        Kind::Type { kind: TypeKind::Single(kind) } => with_article(kind.as_str()),
        Kind::Type { kind: TypeKind::Multiple(kinds) } => {
            joined(kinds.iter().map(|kind| with_article(kind.as_str())), " or ")
        }
        Kind::Enum { options } => match options.as_array() {
            Some(options) => {
                format!("one of {}", list(options.iter().map(|o| shown(&o.to_string()))))
            }
            None => "one of the allowed values".to_owned(),
        },
        Kind::Constant { expected_value } => shown(&expected_value.to_string()),
        Kind::Minimum { limit } => format!("at least {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        Kind::Maximum { limit } => format!("at most {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("at least {limit} characters"),
        Kind::MaxLength { limit } => format!("at most {limit} characters"),
        Kind::Pattern { pattern } => format!("a string that matches {}", shown(pattern)),
        Kind::Format { format } => format!("a string in the format {format}"),
        Kind::MinItems { limit } => format!("at least {limit} elements"),
        Kind::MaxItems { limit } => format!("at most {limit} elements"),
        Kind::AdditionalItems { limit } => format!("at most {limit} elements"),
        Kind::MinProperties { limit } => format!("at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("at most {limit} properties"),
        Kind::UniqueItems => "elements that are all different".to_owned(),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => one_of(context),
        Kind::OneOfMultipleValid { .. } => "what fits exactly one of the allowed forms".to_owned(),
        _ => return format!("{} is not fulfilled, got {}", error.kind().keyword(), shown(source)),
    };
    format!("expected {wanted}, got {}", shown(source))
}

/// What each of the allowed forms wants first.
fn one_of(context: &[Vec<ValidationError<'static>>]) -> String {
    let forms = context.iter().filter_map(|form| form.first()).map(|error| {
        let words = expectation(error, "");
        let words = words.strip_suffix(", got ").unwrap_or(&words);
        words.strip_prefix("expected ").unwrap_or(words).to_owned()
    });
    let mut forms: Vec<String> = forms.collect();
    forms.dedup();
    joined(forms.into_iter(), " or ")
}

/// What the object with a missing or unknown key takes.
fn takes(schema: &Value, error: &ValidationError<'_>) -> Option<String> {
    let unknown = match error.kind() {
        Kind::Required { .. } => None,
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unexpected.first()
        }
        _ => return None,
    };
    let (object, _) = error.schema_path().as_str().rsplit_once('/')?;
    let object = schema.pointer(object)?;
    let known = properties(object)?;
    let names = object.get("properties")?.as_object()?.keys().map(String::as_str);
    let alike = unknown.map(|name| nearest(name, names)).unwrap_or_default();
    Some(match alike.first() {
        Some(name) => format!(", did you mean {name}? It takes {known}"),
        None => format!(", it takes {known}"),
    })
}

/// Where a JSON pointer leads in `source`: the path for people, and the source
/// of the value there.
fn place<'t>(source: &'t str, pointer: &str) -> (String, &'t str) {
    let (mut path, mut at) = (String::new(), source.trim());
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let next = if let Some(members) = members(at) {
            step(&mut path, &token);
            // Of keys that stand twice the last one counts.
            members.into_iter().rev().find(|(key, _)| *key == token).map(|(_, value)| value)
        } else {
            let _ = write!(path, "[{token}]");
            elements(at).and_then(|all| all.get(token.parse::<usize>().ok()?).copied())
        };
        let Some(next) = next else { break };
        at = next;
    }
    if path.is_empty() { ("the input".to_owned(), at) } else { (shown(&path), at) }
}

fn step(path: &mut String, key: &str) {
    let is_plain =
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let _ = match (is_plain, path.is_empty()) {
        (true, true) => write!(path, "{key}"),
        (true, false) => write!(path, ".{key}"),
        (false, _) => write!(path, "[{key:?}]"),
    };
}

/// `text`, or its beginning.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn unquoted(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| value.to_string().into(), Cow::Borrowed)
}

fn list(names: impl Iterator<Item = String>) -> String {
    joined(names, ", ")
}

fn joined(mut names: impl Iterator<Item = String>, separator: &str) -> String {
    let mut all = names.by_ref().take(LISTED_MAX).collect::<Vec<_>>().join(separator);
    let more = names.count();
    if more > 0 {
        let _ = write!(all, ", and {more} more");
    }
    all
}

fn with_article(kind: &str) -> String {
    match kind {
        "null" => kind.to_owned(),
        "array" | "integer" | "object" => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}
