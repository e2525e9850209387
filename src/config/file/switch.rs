//! What can be switched off as a whole.

use serde_json::{Value as Schema, json};

use super::{
    Decoder, Node, Object, Setting,
    brief::schema_or,
    node::{Scalar, Value},
};

/// An object, or `off` in its place.
#[derive(Debug)]
pub(crate) struct OrOff<T>(pub(crate) Option<T>);

impl<T: Object> Setting for OrOff<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(Scalar { text, .. }) if text == "off" => Some(Self(None)),
            Value::Scalar(Scalar { text, .. }) if !node.is_null() => {
                let what = format!("`{text}` is neither a mapping nor `off`");
                let fix = match text.as_str() {
                    "false" | "no" | "none" => "write `off`",
                    _ => "write its keys, or `off`, or leave it out for the defaults",
                };
                decoder.fault(node.span, what, fix);
                None
            }
            _ => T::decode(node, decoder).map(Some).map(Self),
        }
    }

    fn schema() -> Schema {
        schema_or::<T>(json!({"const": "off"}))
    }
}
