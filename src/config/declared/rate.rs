//! `rate:` of an API.

use serde_json::{Value as Schema, json};

use crate::{
    config::file::{Decoder, Node, Setting, node::Value},
    limits::{Rate, gate::Per},
};

/// Any number of rates, all of which hold.
#[derive(Debug, Default)]
pub(crate) struct Rates(pub(crate) Vec<Limit>);

impl Setting for Rates {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Sequence(_) => Vec::decode(node, decoder).map(Self),
            _ => Limit::decode(node, decoder).map(|limit| Self(vec![limit])),
        }
    }

    fn schema() -> Schema {
        json!({"anyOf": [Limit::schema(), Vec::<Limit>::schema()]})
    }
}

/// One rate, and who shares it: `10/s burst 20`, `5/s per session`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) rate: Rate,
    pub(crate) per: Per,
}

impl Setting for Limit {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let (rate, per) = [Per::Session, Per::Tenant]
            .into_iter()
            .find_map(|per| Some((text.trim_end().strip_suffix(per.as_suffix())?, per)))
            .unwrap_or((text.as_str(), Per::Api));
        match Rate::try_new(rate) {
            Ok(rate) => Some(Self { rate, per }),
            Err(error) => {
                let fix = "write `10/s`, `10/s burst 20`, `300/min`, `5/s per session` or `5/s per tenant`";
                decoder.fault(node.span, error.to_string(), fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({
            "type": "string",
            "pattern": "^\\s*0*[1-9][0-9]*/(s|min|h|day)(\\s+burst\\s+0*[1-9][0-9]*)?( per (session|tenant))?\\s*$",
            "examples": ["10/s burst 20", "300/min", "5/s per session", "5/s per tenant"],
        })
    }
}
