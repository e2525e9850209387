//! Slots of a request against the properties of the tool's input.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    backend::http::Slot,
    config::{
        declared::{
            request::Request,
            tool::{Input, Tool},
        },
        file::{Decoder, Placed, object::listed},
    },
    registry::nearest::nearest,
};

/// Reports slots that no property declares; warns of properties that no slot
/// takes, and of a path that hangs on an optional one.
pub(super) fn check(input: &Input, tool: &Tool, request: &Request, decoder: &mut Decoder<'_>) {
    let schema = input.source.value();
    refuse_undeclared(schema, &request.slots, decoder);
    for Placed { value: slot, place } in &request.path_slots {
        if matches!(find(schema, slot), Found::Property { is_required: false }) {
            let what = format!("the path needs `{slot}`, which `input` does not require");
            let fix = format!("add `{slot}` to the `required` of `input`: a call without it fails");
            decoder.warn(place, what, fix);
        }
    }
    if let Some(Placed { value: slot, place }) = &request.version_slot
        && matches!(find(schema, slot), Found::Property { is_required: false })
    {
        let what = format!("the version is `{slot}`, which `input` does not require");
        let fix = format!(
            "add `{slot}` to the `required` of `input`: a call without it changes whatever is there"
        );
        decoder.warn(place, what, fix);
    }
    // What is faulty may not have given all its slots.
    let (Some(_), Some(reads), Some(writes)) = (&request.settings, &tool.reads, &tool.writes)
    else {
        return;
    };
    // What only a key takes is not sent, and yet of use.
    let of_keys = reads.iter().chain(writes).flat_map(|key| &key.value.slots);
    let slots = request.slots.iter().chain(of_keys);
    let taken: BTreeSet<&str> = slots.filter_map(|slot| slot.value.names().next()).collect();
    for (property, place) in &input.properties {
        if !taken.contains(property.as_str()) {
            let what = format!("no slot takes `{property}`: what the model writes there is lost");
            decoder.warn(place, what, format!("use `{{{property}}}` in `http`, or leave it out"));
        }
    }
}

/// Reports slots that no property declares.
pub(super) fn refuse_undeclared(schema: &Value, slots: &[Placed<Slot>], decoder: &mut Decoder<'_>) {
    for Placed { value: slot, place } in slots {
        let Found::Nothing(known) = find(schema, slot) else { continue };
        let fix = match nearest(&slot.to_string(), known.iter().map(String::as_str)).first() {
            Some(meant) => {
                format!("write `{{{meant}}}`, or add `{slot}` to the properties of `input`")
            }
            None if known.is_empty() => format!("add `{slot}` to the properties of `input`"),
            None => {
                let known = listed(known.iter().map(String::as_str), "and");
                format!("add it to the properties of `input`, which declares {known}")
            }
        };
        decoder.fault_at(place, format!("no property of `input` is `{slot}`"), fix);
    }
}

/// What a schema says of a slot.
pub(super) enum Found {
    /// It declares it.
    Property {
        /// Whether it is always there.
        is_required: bool,
    },
    /// It may hold it: it is composed of other schemas, or open.
    Perhaps,
    /// It does not declare it; these it does.
    Nothing(Vec<String>),
}

/// Keywords that bring in properties which stand elsewhere.
const COMPOSED: [&str; 10] = [
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "dependentSchemas",
    "dependencies",
    "patternProperties",
    "unevaluatedProperties",
];

pub(super) fn find(schema: &Value, slot: &Slot) -> Found {
    let mut schema = schema;
    let mut is_required = true;
    let mut prefix = String::new();
    for (depth, name) in slot.names().enumerate() {
        let Value::Object(keywords) = schema else { return Found::Perhaps };
        if COMPOSED.iter().any(|keyword| keywords.contains_key(*keyword)) {
            return Found::Perhaps;
        }
        let is_open = match keywords.get("additionalProperties") {
            Some(Value::Bool(is_open)) => *is_open,
            Some(_) => true,
            None => false,
        };
        let properties = keywords.get("properties").and_then(Value::as_object);
        let is_object = keywords.get("type").is_none_or(|kind| {
            kind == "object"
                || kind.as_array().is_some_and(|kinds| kinds.contains(&"object".into()))
        });
        match properties.and_then(|properties| properties.get(name)) {
            Some(property) => schema = property,
            // An object of which nothing is said may hold anything; the tool's own
            // input is what the model is told, and no more.
            None if is_open || depth > 0 && is_object && properties.is_none() => {
                return Found::Perhaps;
            }
            None => {
                let known = properties.into_iter().flat_map(|properties| properties.keys());
                return Found::Nothing(known.map(|name| format!("{prefix}{name}")).collect());
            }
        }
        let required = keywords.get("required").and_then(Value::as_array);
        is_required &= required.is_some_and(|required| required.contains(&name.into()));
        prefix.push_str(name);
        prefix.push('.');
    }
    Found::Property { is_required }
}
