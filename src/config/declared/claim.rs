//! `reads:` and `writes:` of a tool.

use serde_json::{Value as Schema, json};

use super::template::{Template, accepted, placed};
use crate::{
    config::file::{Decoder, Node, Placed, Setting},
    locks::Pattern,
};

/// What calls of a tool read, or write.
pub(crate) type Resources = Vec<Key>;

/// One resource.
pub(crate) type Key = Placed<Template<Pattern>>;

impl Setting for Template<Pattern> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let template = accepted(Pattern::try_new(&text), node.span, &text, decoder)?;
        let slots = placed(template.slots(), node.span, decoder);
        Some(Self { template, slots })
    }

    fn schema() -> Schema {
        json!({
            "type": "string",
            "minLength": 1,
            "maxLength": 256,
            "pattern": "^[^%\\s]*$",
            "examples": ["customer/{customer_id}"],
        })
    }
}
