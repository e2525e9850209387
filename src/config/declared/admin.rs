//! `listen.admin_hosts:`.

use serde_json::{Value as Schema, json};

use crate::{
    admin::Host,
    config::file::{Decoder, Node, Setting},
};

/// A name under which the admin port is asked.
#[derive(Debug)]
pub(crate) struct AdminHost(pub(crate) Host);

impl Setting for AdminHost {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        match Host::try_new(&text) {
            Ok(host) => Some(Self(host)),
            Err(why) => {
                let fix = "write a name alone, such as `metrics.example.com`, or all names \
                           below one, `*.cluster.example.com`";
                decoder.fault(node.span, format!("`{text}` cannot be listed: {why}"), fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({
            "type": "string",
            "pattern": "^(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$",
            "examples": ["metrics.example.com", "*.cluster.example.com"],
        })
    }
}
