//! What can be written shorter than as an object.

use serde_json::{Value as Schema, json};

use super::{Decoder, Node, Object, Setting, node::Value};

/// An object that one text may stand for.
pub(crate) trait Brief: Object {
    /// The text.
    type Text: Setting;

    /// What it stands for.
    fn of(text: Self::Text) -> Self;
}

/// The object, or the text in its place.
#[derive(Debug)]
pub(crate) struct OrBrief<T>(pub(crate) T);

impl<T: Brief> Setting for OrBrief<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(_) => T::Text::decode(node, decoder).map(T::of).map(Self),
            _ => T::decode(node, decoder).map(Self),
        }
    }

    fn schema() -> Schema {
        schema_or::<T>(T::Text::schema())
    }
}

/// The object's schema, whose keys say nothing of what else may stand there.
pub(super) fn schema_or<T: Object>(other: Schema) -> Schema {
    let mut schema = T::schema();
    if let Some(members) = schema.as_object_mut() {
        let kind = members.remove("type");
        members.insert("anyOf".to_owned(), json!([{"type": kind}, other]));
    }
    schema
}
