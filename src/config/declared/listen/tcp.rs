//! `listen.tcp:`: an address, alone or with what guards it.

use std::{net::SocketAddr, path::PathBuf};

use serde_json::{Value as Schema, json};

use super::address;
use crate::{
    config::file::{Decoder, Fields, Node, Object, Setting, brief::Brief},
    rpc::listen,
};

/// Whether it is guarded is not known here.
#[derive(Debug)]
pub(super) struct Tcp(pub(super) listen::Tcp);

impl Brief for Tcp {
    type Text = Address;

    fn of(Address(address): Address) -> Self {
        Self(listen::Tcp::new(address))
    }
}

impl Object for Tcp {
    const WHAT: &'static str = "`listen.tcp`";
    const DOC: &'static str = "A TCP address, and what guards it.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let address = fields.required::<Address>(
            "address",
            "The IP address and the port, as in `0.0.0.0:7070`; port 0 takes a free one.",
        );
        let tls = fields.optional::<Tls>("tls", Tls::DOC);
        let exposed = fields.optional::<Exposed>(
            "exposed",
            "The words that let an address be reached by anyone, where nothing authenticates \
             callers.",
        );
        let Address(address) = address?;
        let (tls, exposed) = (tls?.map(|Tls(tls)| tls), exposed?.is_some());
        Some(Self(listen::Tcp { address, tls, exposed }))
    }
}

struct Tls(listen::Tls);

impl Object for Tls {
    const WHAT: &'static str = "`listen.tcp.tls`";
    const DOC: &'static str = "TLS, from 1.2 on. The files are PEM, a relative path is sought \
                               beside the configuration, and they are read again when they change.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let certificate = fields.required::<FilePath>(
            "certificate",
            "The file of the server's certificate, and of those between it and its authority.",
        );
        let key = fields.required::<FilePath>("key", "The file of its private key.");
        let client_ca = fields.optional::<FilePath>(
            "client_ca",
            "The file of the authorities of clients: with it, every client must show a \
             certificate that one of them vouches for.",
        );
        let (FilePath(certificate), FilePath(key)) = (certificate?, key?);
        let client_ca = client_ca?.map(|FilePath(path)| path);
        Some(Self(listen::Tls { certificate, key, client_ca }))
    }
}

/// The path of a file that is read later.
struct FilePath(PathBuf);

impl Setting for FilePath {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let name = PathBuf::decode(node, decoder)?;
        Some(Self(decoder.path_of(&name.to_string_lossy())))
    }

    fn schema() -> Schema {
        PathBuf::schema()
    }
}

/// An address with its port.
pub(super) struct Address(SocketAddr);

impl Setting for Address {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        address(node, decoder, "write `127.0.0.1:7070` or `[::1]:7070`").map(Self)
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": ":[0-9]+$", "examples": ["127.0.0.1:7070"]})
    }
}

/// The words.
struct Exposed;

impl Setting for Exposed {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if node.as_text() == Some(listen::Tcp::EXPOSED) {
            return Some(Self);
        }
        let what = "this does not say that anyone may call";
        let words = listen::Tcp::EXPOSED;
        decoder.fault(node.span, what, format!("write \"{words}\", or leave it out"));
        None
    }

    fn schema() -> Schema {
        json!({"const": listen::Tcp::EXPOSED})
    }
}
