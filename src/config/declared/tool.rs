//! An entry of `tools:`.

use std::time::Duration;

use serde_json::{Value as Schema, json};

use super::{bounds::ResultBytes, cache::Cache, claim::Resources, request::Request};
use crate::{
    config::file::{
        Decoder, Fields, Node, Object, Placed, Setting,
        decode::{Name, Place, push_key},
        node::Value,
        scalar::{Count, OneOf, Word},
    },
    model::{Effect, Json, ToolName},
    registry,
};

/// What the model may call.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) description: Option<Description>,
    pub(crate) input: Option<Input>,
    pub(crate) http: Option<Request>,
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) latency: Option<Option<Duration>>,
    pub(crate) concurrency: Option<Option<Count<100_000>>>,
    pub(crate) cost: Option<Option<Placed<Count<1_000_000>>>>,
    pub(crate) effect: Option<Option<OneOf<Effect>>>,
    pub(crate) fallback: Option<Option<Json>>,
    pub(crate) cache: Option<Option<Placed<Cache>>>,
    pub(crate) after: Option<Vec<Placed<ToolName>>>,
    pub(crate) reads: Option<Resources>,
    pub(crate) writes: Option<Resources>,
    pub(crate) references: Option<OneOf<References>>,
    pub(crate) max_bytes: Option<Option<ResultBytes>>,
}

impl Object for Tool {
    const WHAT: &'static str = "a tool";
    const DOC: &'static str = "What the model may call, and how it is run.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Some(Self {
            description: fields.required("description", "What it is for, for the model."),
            input: fields
                .optional(
                    "input",
                    "What its input must be: a JSON Schema (2020-12 or draft-07) of `type: \
                     object`. Without it the tool takes no input.",
                )
                .map(Option::unwrap_or_default),
            http: fields.required("http", "The HTTP request that it makes."),
            timeout: fields.optional(
                "timeout",
                "Time for a call, waits included, where the request names none. Its API's, else \
                 `defaults.timeout`, where it has none itself.",
            ),
            latency: fields
                .optional("latency", "How long it usually runs: for plans, until it was measured."),
            concurrency: fields.optional(
                "concurrency",
                "Attempts in flight at once; more of its calls wait. Its API's `concurrency` \
                 holds too.",
            ),
            cost: fields
                .optional("cost", "Tokens that a call takes from every `rate` of its API; else 1."),
            effect: fields.optional(
                "effect",
                "What running it twice means. GET and HEAD are `read_only` by themselves, \
                 everything else `at_most_once`; `keyed` where the API honours an idempotency \
                 key.",
            ),
            fallback: fields
                .optional("fallback", "What is taken for its result when the API cannot give one."),
            cache: fields.optional(
                "cache",
                "How long an answer is taken again for the same input. Only for `read_only` tools.",
            ),
            after: fields
                .optional(
                    "after",
                    "Tools whose calls in the same turn end before this one's start, whatever \
                     their outcome.",
                )
                .map(Option::unwrap_or_default),
            reads: fields
                .optional(
                    "reads",
                    "What its calls read, by keys such as `customer/{customer_id}`: not while \
                     a call of any tool writes the same.",
                )
                .map(Option::unwrap_or_default),
            writes: fields
                .optional(
                    "writes",
                    "What its calls change, by keys such as `customer/{customer_id}`: not while \
                     a call of any tool reads or writes the same.",
                )
                .map(Option::unwrap_or_default),
            references: fields.or(
                "references",
                OneOf(References::On),
                "Whether references to other calls' results, `${get_user.id}`, are resolved in \
                 its input where the turn asks for it. `off` for inputs that are code.",
            ),
            max_bytes: fields.optional(
                "max_bytes",
                "Most bytes of a result that the model sees. `defaults.max_bytes` where it has \
                 none itself.",
            ),
        })
    }
}

/// What a tool is for.
#[derive(Debug)]
pub(crate) struct Description(pub(crate) String);

impl Setting for Description {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        if text.trim().is_empty() {
            let fix = "write a sentence: the model chooses the tool by it";
            decoder.fault(node.span, "the description is empty", fix);
            return None;
        }
        Some(Self(text.trim_end().to_owned()))
    }

    fn schema() -> Schema {
        json!({"type": "string", "minLength": 1})
    }
}

/// A tool's input schema, and where its properties stand.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) source: Json,
    /// Compiled.
    pub(crate) schema: Option<registry::Schema>,
    pub(crate) properties: Vec<(String, Place)>,
}

impl Default for Input {
    /// A tool without input.
    fn default() -> Self {
        let none = json!({"type": "object", "properties": {}, "additionalProperties": false});
        let source = Json::from_value(&none);
        let schema = registry::Schema::try_new(source.clone()).ok();
        Self { source, schema, properties: Vec::new() }
    }
}

impl Setting for Input {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            decoder.mismatch(node, "a JSON Schema such as {type: object, properties: {…}}");
            return None;
        };
        let source = Json::decode(node, decoder)?;
        match entries.iter().find(|(key, _)| key.text == "type") {
            Some((_, kind)) if kind.as_text() == Some("object") => {}
            Some((_, kind)) => {
                let what = "a tool's input is an object";
                decoder.fault(kind.span, what, "write `object`, and the value as a property of it");
                return None;
            }
            None => {
                let holder = decoder.holder();
                decoder.fault(holder, "the schema has no `type`", "add `type: object`");
                return None;
            }
        }
        let schema = match registry::Schema::try_new(source.clone()) {
            Ok(schema) => schema,
            Err(_) => {
                for error in registry::Schema::faults(&source) {
                    refuse(node, &error, decoder);
                }
                return None;
            }
        };
        let properties = entries.iter().find(|(key, _)| key.text == "properties");
        let properties = match properties.map(|(_, value)| &value.value) {
            Some(Value::Mapping(properties)) => properties
                .iter()
                .map(|(key, _)| {
                    let Place { span, mut path } = decoder.place(key.span);
                    path.push_str(".properties");
                    push_key(&mut path, &key.text);
                    (key.text.clone(), Place { span, path })
                })
                .collect(),
            _ => Vec::new(),
        };
        Some(Self { source, schema: Some(schema), properties })
    }

    fn schema() -> Schema {
        json!({
            "$ref": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"type": {"const": "object"}},
            "required": ["type"],
        })
    }
}

/// Reports a fault of a schema where it stands.
fn refuse(node: &Node, error: &registry::schema::Error, decoder: &mut Decoder<'_>) {
    let mut place = decoder.place(decoder.holder());
    let mut node = node;
    for step in error.pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        match &node.value {
            Value::Mapping(entries) => {
                let Some((key, value)) = entries.iter().find(|(key, _)| key.text == step) else {
                    break;
                };
                let is_scalar = matches!(value.value, Value::Scalar(_));
                place.span = if is_scalar { value.span } else { key.span };
                push_key(&mut place.path, &step);
                node = value;
            }
            Value::Sequence(items) => {
                let Some(item) = step.parse().ok().and_then(|index: usize| items.get(index)) else {
                    break;
                };
                place.span = item.span;
                place.path.push_str(&format!("[{step}]"));
                node = item;
            }
            Value::Scalar(_) | Value::Unknown => break,
        }
    }
    let fix =
        "`input` is a JSON Schema of draft 2020-12, or of draft-07 where its `$schema` says so";
    decoder.fault_at(&place, error.message.clone(), fix);
}

/// Whether references are resolved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum References {
    On,
    Off,
}

impl Word for References {
    const WHAT: &'static str = "a setting of `references`";
    const ALL: &'static [(&'static str, Self)] = &[("on", Self::On), ("off", Self::Off)];
}

impl Word for Effect {
    const WHAT: &'static str = "an effect";
    const ALL: &'static [(&'static str, Self)] = &[
        ("read_only", Self::ReadOnly),
        ("keyed", Self::Keyed),
        ("at_most_once", Self::AtMostOnce),
        ("at_least_once", Self::AtLeastOnce),
    ];
}

impl Setting for ToolName {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        name(node, decoder)
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
    }
}

impl Name for ToolName {
    fn read(text: &str) -> Result<Self, (usize, String, String)> {
        let fix = match text.contains('.') {
            true => format!("write `{}`: models' APIs take no dots", text.replace('.', "_")),
            false => "write letters, digits, `_` and `-`, at most 64 of them".to_owned(),
        };
        let at = text.find(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c)).unwrap_or(0);
        Self::try_new(text).map_err(|error| (at, error.to_string(), fix))
    }

    fn schema() -> Schema {
        json!({"pattern": "^[A-Za-z0-9_-]{1,64}$"})
    }
}

/// A name where it is used.
pub(crate) fn name<T: Name>(node: &Node, decoder: &mut Decoder<'_>) -> Option<T> {
    let text = String::decode(node, decoder)?;
    match T::read(&text) {
        Ok(name) => Some(name),
        Err((offset, what, fix)) => {
            decoder.fault_in(node.span, &text, offset, what, fix);
            None
        }
    }
}
