//! What a caller's connection shows of it.

use serde_json::{Value as Schema, json};

use crate::config::file::{
    Decoder, Fields, Node, Object, Placed, Setting,
    node::{Meaning, Value},
};

/// A process on this machine.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) uids: Vec<Placed<Id>>,
    pub(crate) gids: Vec<Placed<Id>>,
}

impl Object for Process {
    const WHAT: &'static str = "`unix`";
    const DOC: &'static str =
        "A process on this machine, as the kernel sees it on the Unix socket.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let uids =
            fields.optional("uids", "Users that it may run as, by number: any of them is enough.");
        let gids = fields.optional(
            "gids",
            "Groups that it may run in, by number: any of them is enough, whatever its user. A \
             process's own group counts, not those that it has besides.",
        );
        Some(Self { uids: uids?.unwrap_or_default(), gids: gids?.unwrap_or_default() })
    }
}

/// A user's or a group's number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(pub(crate) u32);

impl Setting for Id {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = match &node.value {
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Number(text) => Some(text),
                _ => None,
            },
            _ => None,
        };
        let Some(number) = number else {
            decoder.mismatch(node, "a number, as `id` shows it");
            return None;
        };
        // The last one stands for nobody.
        match number.parse().ok().filter(|id| *id < u32::MAX) {
            Some(id) => Some(Self(id)),
            None => {
                let fix = format!("write a whole number from 0 to {}", u32::MAX - 1);
                decoder.fault(node.span, format!("`{number}` is nobody's number"), fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({"type": "integer", "minimum": 0, "maximum": u32::MAX - 1})
    }
}

/// A client's certificate.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) names: Vec<Placed<Host>>,
}

impl Object for Certificate {
    const WHAT: &'static str = "`certificate`";
    const DOC: &'static str = "A client's certificate.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let names = fields.required(
            "names",
            "Names of which it has one: a DNS name or a URI (such as a SPIFFE ID) among its \
             alternative names, or the common name of one that has neither.",
        );
        Some(Self { names: names? })
    }
}

/// A name in a certificate.
#[derive(Debug)]
pub(crate) struct Host(pub(crate) String);

impl Setting for Host {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let what = match &*text {
            "" => "is empty",
            text if text.contains('*') => "has a `*`, and names are compared as they stand",
            text if !text.chars().all(|c| c.is_ascii_graphic()) => {
                "has a character that no host's name and no URI has"
            }
            _ => return Some(Self(text)),
        };
        let fix = "write `planner.agents.svc`, or a URI such as `spiffe://cluster/ns/a/sa/planner`";
        decoder.fault(node.span, format!("the name `{text}` {what}"), fix);
        None
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^[!-)+-~]+$"})
    }
}
