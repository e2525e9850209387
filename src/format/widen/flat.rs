//! Schemas that look at a value itself and at nothing in it: a reference below
//! changes nothing for them.

use serde_json::Value;

use crate::model::json::{elements, members};

/// Whether the schema says nothing about what is in the value beyond the names
/// that are there.
pub(super) fn is_flat(source: &str) -> bool {
    let Some(members) = members(source) else { return true };
    members.iter().all(|(key, text)| match &**key {
        "allOf" | "anyOf" | "oneOf" => are_flat(text),
        "not" | "if" | "then" | "else" => is_flat(text),
        "enum" | "const" => !has_containers(text),
        "properties"
        | "patternProperties"
        | "additionalProperties"
        | "unevaluatedProperties"
        | "items"
        | "prefixItems"
        | "additionalItems"
        | "unevaluatedItems"
        | "contains"
        | "uniqueItems"
        | "dependentSchemas"
        | "dependencies"
        | "$defs"
        | "definitions"
        | "$ref"
        | "$dynamicRef"
        | "$recursiveRef" => false,
        _ => true,
    })
}

/// Whether all of a list's schemas are.
pub(super) fn are_flat(source: &str) -> bool {
    elements(source).is_some_and(|branches| branches.into_iter().all(is_flat))
}

/// Whether a `const` or one of an `enum` has values in it.
pub(super) fn has_containers(source: &str) -> bool {
    let has_values = |value: &Value| match value {
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    };
    match serde_json::from_str(source) {
        Ok(Value::Array(values)) => values.iter().any(has_values),
        Ok(value) => has_values(&value),
        Err(_) => true,
    }
}
