//! `listen.admin:` and `listen.admin_hosts:`.

use std::net::SocketAddr;

use serde_json::{Value as Schema, json};

use super::listen::address;
use crate::{
    admin::{self, Host},
    config::file::{
        Decoder, Fields, Node, Object, Setting,
        brief::Brief,
        scalar::{OneOf, Word},
    },
};

/// An address, and what is answered there. Its names are not known here.
#[derive(Debug)]
pub(crate) struct Admin(pub(crate) admin::Settings);

impl Brief for Admin {
    type Text = Address;

    fn of(Address(address): Address) -> Self {
        Self(admin::Settings::new(address))
    }
}

impl Object for Admin {
    const WHAT: &'static str = "`listen.admin`";
    const DOC: &'static str = "An address for operators and probes, and what is answered there.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let address = fields.required::<Address>(
            "address",
            "The IP address and the port, as in `0.0.0.0:9464`; port 0 takes a free one.",
        );
        let metrics = fields.optional::<OneOf<Metrics>>(
            "metrics",
            "`off`: health alone is answered. `/metrics` names tools and APIs, and every container \
             of a pod reaches it; a collector is sent the metrics all the same.",
        );
        let (Address(address), metrics) = (address?, metrics?);
        let shows_metrics = metrics.is_none_or(|OneOf(metrics)| metrics == Metrics::On);
        Some(Self(admin::Settings { shows_metrics, ..admin::Settings::new(address) }))
    }
}

/// Whether `/metrics` is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Metrics {
    Off,
    On,
}

impl Word for Metrics {
    const WHAT: &'static str = "a setting of `metrics`";
    const ALL: &'static [(&'static str, Self)] = &[("off", Self::Off), ("on", Self::On)];
}

/// An address with its port, whoever may reach it.
pub(crate) struct Address(SocketAddr);

impl Setting for Address {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let fix = "write `127.0.0.1:9464`, or `0.0.0.0:9464` for all of the machine's";
        address(node, decoder, fix).map(Self)
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": ":[0-9]+$", "examples": ["0.0.0.0:9464"]})
    }
}

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
