//! Templates: texts, paths and JSON with slots, and where each slot stands.

use serde_json::{Value as Schema, json};

use crate::{
    backend::http::{Fault, JsonTemplate, PathTemplate, Slot, TextTemplate},
    config::file::{
        Decoder, Node, Placed, Setting, Span,
        decode::{Step, quoted_slot},
        node::{Key, Meaning, Value},
    },
};

/// A template and its slots, each with its place.
#[derive(Debug)]
pub(crate) struct Template<T> {
    pub(crate) template: T,
    pub(crate) slots: Vec<Placed<Slot>>,
}

impl Setting for Template<PathTemplate> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let template = accepted(PathTemplate::try_new(&text), node.span, &text, decoder)?;
        let slots = placed(template.slots(), node.span, decoder);
        Some(Self { template, slots })
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^(/.*)?$", "examples": ["/customers/{customer_id}"]})
    }
}

impl Setting for Template<TextTemplate> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = scalar(node, decoder)?;
        let template = accepted(TextTemplate::try_new(text), node.span, text, decoder)?;
        let slots = placed(template.slots(), node.span, decoder);
        Some(Self { template, slots })
    }

    fn schema() -> Schema {
        json!({"type": ["string", "number", "boolean"], "examples": ["{limit}"]})
    }
}

/// The text of a scalar as it was written.
fn scalar<'n>(node: &'n Node, decoder: &mut Decoder<'_>) -> Option<&'n str> {
    match &node.value {
        Value::Scalar(scalar) if !node.is_null() => Some(&scalar.text),
        _ => {
            decoder.mismatch(node, "a string");
            None
        }
    }
}

impl Setting for Template<JsonTemplate> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Unknown => None,
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Text(text) => {
                    let template = accepted(JsonTemplate::string(text), node.span, text, decoder)?;
                    let slots = TextTemplate::try_new(text).ok()?;
                    Some(Self { slots: placed(slots.slots(), node.span, decoder), template })
                }
                _ => {
                    let json = crate::model::Json::decode(node, decoder)?;
                    Some(Self { template: JsonTemplate::raw(&json), slots: Vec::new() })
                }
            },
            // What is faulty within is reported and left out; the slots of the rest
            // are still checked.
            Value::Sequence(items) => {
                let item = |(index, item): (usize, &Node)| {
                    decoder.within(Step::Index(index), item.span, |d| Self::decode(item, d))
                };
                let items = items.iter().enumerate().filter_map(item).collect();
                Some(Self::joined(items, JsonTemplate::array))
            }
            Value::Mapping(entries) => {
                if let Some(slot) = node.as_unquoted_slot() {
                    let what = format!("`{{{slot}}}` is a mapping without a value");
                    decoder.fault(node.span, what, quoted_slot(slot));
                    return None;
                }
                let member = |(key, value): &(Key, Node)| {
                    let step = Step::Key(key.text.clone());
                    let value = decoder.within(step, key.span, |d| Self::decode(value, d))?;
                    Some((key.text.clone(), value))
                };
                let (keys, values): (Vec<_>, _) = entries.iter().filter_map(member).unzip();
                Some(Self::joined(values, |values| {
                    JsonTemplate::object(keys.into_iter().zip(values))
                }))
            }
        }
    }

    fn schema() -> Schema {
        json!({"examples": [{"order": "{order_id}", "cents": "{cents}"}]})
    }
}

impl Template<JsonTemplate> {
    fn joined(parts: Vec<Self>, join: impl FnOnce(Vec<JsonTemplate>) -> JsonTemplate) -> Self {
        let (templates, slots): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|part| (part.template, part.slots)).unzip();
        Self { template: join(templates), slots: slots.into_iter().flatten().collect() }
    }
}

/// What a part's own reading gives, or its fault at its place.
pub(crate) fn accepted<T>(
    read: Result<T, Fault>,
    span: Span,
    text: &str,
    decoder: &mut Decoder<'_>,
) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(Fault { offset, problem, fix }) => {
            decoder.fault_in(span, text, offset, problem, fix);
            None
        }
    }
}

/// Each slot with its place: in the order of the text, so that each is sought
/// behind the one before.
pub(super) fn placed<'s>(
    slots: impl IntoIterator<Item = &'s Slot>,
    span: Span,
    decoder: &Decoder<'_>,
) -> Vec<Placed<Slot>> {
    let written = decoder.source().slice(span);
    let mut from = 0;
    let place = |slot: &'s Slot| {
        let wanted = format!("{{{slot}}}");
        let found = written.get(from..).and_then(|rest| rest.find(&wanted));
        let at = found.map_or(span, |at| {
            let start = span.start + from + at;
            from += at + wanted.len();
            Span { start, end: start + wanted.len() }
        });
        Placed { value: slot.clone(), place: decoder.place(at) }
    };
    slots.into_iter().map(place).collect()
}
