//! `listen:`.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use serde_json::{Value as Schema, json};

use super::admin::{Admin, AdminHost};
use crate::{
    admin,
    config::file::{
        Decoder, Fields, Node, Object, Setting, Shown,
        brief::OrBrief,
        decode::{Placed, Step},
        scalar::{Count, Size, written},
    },
    rpc,
};

mod tcp;

use tcp::Tcp;

/// Most bytes of a message: between what ids and messages alone could fill, and
/// what no client takes unless told to.
pub(crate) type MessageBytes =
    Size<{ rpc::Settings::MESSAGE_BYTES_MIN }, { rpc::Settings::MESSAGE_BYTES_MAX }>;

/// HTTP/2 numbers its streams; a window of more is no bound.
type Streams = Count<1_000_000>;

/// More than any machine has descriptors for.
type Connections = Count<1_000_000>;

fn default_streams() -> Streams {
    let streams = usize::try_from(rpc::Settings::default().streams_max).unwrap_or(usize::MAX);
    Count(NonZeroUsize::new(streams).unwrap_or(NonZeroUsize::MIN))
}

/// All of `listen:`.
#[derive(Debug)]
pub(crate) struct Listen {
    /// Where nothing in it was faulty.
    pub(crate) settings: Option<Settings>,
    /// The TCP address, of which more is to be said when the rest of the file is
    /// known: even where something else in here was faulty.
    pub(crate) tcp: Option<Placed<rpc::listen::Tcp>>,
}

/// Where the server listens, and the sizes of its wire.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: rpc::listen::Settings,
    pub(crate) admin: Option<admin::Settings>,
    pub(crate) rpc: rpc::Settings,
}

impl Settings {
    /// Whether metrics can be read.
    pub(crate) fn is_scraped(&self) -> bool {
        self.admin.as_ref().is_some_and(|admin| admin.shows_metrics)
    }
}

impl Object for Listen {
    const WHAT: &'static str = "`listen`";
    const DOC: &'static str = "Where the server listens. Where neither `unix` nor `tcp` is named, \
                               on the Unix socket `/run/sidecall/sidecall.sock`.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let unix = fields.optional::<Unix>(
            "unix",
            "A Unix socket. Every process that may open it may call the tools.",
        );
        let tcp = fields.optional::<Placed<OrBrief<Tcp>>>(
            "tcp",
            "A TCP address, as `127.0.0.1:7070` or with what guards it. One that other machines \
             reach needs `callers`, `tls.client_ca` or `exposed`.",
        );
        let admin = fields.optional::<OrBrief<Admin>>(
            "admin",
            "An address for operators and probes: `/metrics` as Prometheus reads it, `/healthz` \
             and `/readyz`, and gRPC's health service without TLS. It may be reached from other \
             machines, and shows no input, result or secret. As a mapping it can leave the metrics \
             out.",
        );
        let admin_hosts = fields.optional::<Vec<AdminHost>>(
            "admin_hosts",
            "Names under which the admin address is asked over HTTP, beside IP addresses, names \
             without a dot and those that end in `.svc`, `.local`, `.internal` or `.localhost`: \
             `metrics.example.com`, or `*.cluster.example.com` for all below it. Other names are \
             refused, since any site could have its own lead here.",
        );
        let message_bytes = fields.or(
            "message_bytes",
            Size(rpc::Settings::default().message_bytes_max.get()) as MessageBytes,
            "Most bytes of a message that the server sends; larger results and bundles travel in \
             parts. A gRPC client refuses more than 4 MiB unless told otherwise.",
        );
        let streams = fields.or(
            "streams",
            default_streams(),
            "Most RPCs that one connection may have open at once; a client makes more wait.",
        );
        let connections = fields.or(
            "connections",
            Count(rpc::listen::Settings::CONNECTIONS_MAX) as Connections,
            "Most connections that the Unix socket and the TCP address have open at once, each; \
             half of the process's descriptors are the most of both. At the bound the oldest ends \
             on which nothing was called yet, for each that comes.",
        );
        if let (Some(None), Some(span)) = (&admin, fields.key("admin_hosts")) {
            let what = "`admin_hosts` stands here without `admin`, and nothing is asked";
            let fix = "add `admin`, such as `admin: 0.0.0.0:9464`, or leave this out";
            let step = Step::Key("admin_hosts".to_owned());
            fields.decoder()?.within(step, span, |decoder| decoder.fault(span, what, fix));
        }
        let bare = |Placed { value: OrBrief(Tcp(value)), place }| Placed { value, place };
        let tcp = tcp.map(|tcp| tcp.map(bare));
        let remembered = tcp.clone().flatten();
        let settings = || {
            let (unix, tcp) = (unix?.map(|Unix(unix)| unix), tcp?.map(|tcp| tcp.value));
            let usual = rpc::listen::Settings {
                connections_max: connections?.0,
                ..rpc::listen::Settings::default()
            };
            let listen = match (&unix, &tcp) {
                (None, None) => usual,
                _ => rpc::listen::Settings { unix, tcp, ..usual },
            };
            let rpc = rpc::Settings {
                message_bytes_max: message_bytes?.get(),
                streams_max: u32::try_from(streams?.0.get()).unwrap_or(u32::MAX),
            };
            let hosts = admin_hosts?.into_iter().flatten().map(|AdminHost(host)| host).collect();
            let admin = admin?.map(|OrBrief(Admin(admin))| admin::Settings { hosts, ..admin });
            Some(Settings { listen, admin, rpc })
        };
        Some(Self { settings: settings(), tcp: remembered })
    }
}

/// A Unix socket.
#[derive(Debug)]
struct Unix(rpc::listen::Unix);

impl Object for Unix {
    const WHAT: &'static str = "`listen.unix`";
    const DOC: &'static str = "A Unix socket.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let path = fields.or(
            "path",
            SocketPath(rpc::listen::Unix::PATH.into()),
            "The socket's path. Its directory is created where it is missing.",
        );
        let mode = fields.or(
            "mode",
            Mode(rpc::listen::Unix::MODE),
            "The socket's permission bits: who may connect. Quote them, as in `\"0660\"`.",
        );
        let group = fields.optional(
            "group",
            "The socket's group, by name or number. The process's own where none is named.",
        );
        let (SocketPath(path), Mode(mode)) = (path?, mode?);
        Some(Self(rpc::listen::Unix { path, mode, group: group?.map(|Group(group)| group) }))
    }
}

/// A path that fits into a socket's address.
#[derive(Debug)]
struct SocketPath(PathBuf);

impl SocketPath {
    /// `sun_path` of Linux without its NUL.
    const BYTES_MAX: usize = 107;
}

impl Setting for SocketPath {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let path = PathBuf::decode(node, decoder)?;
        let bytes = path.as_os_str().len();
        if bytes > Self::BYTES_MAX {
            let what = format!("the path has {bytes} bytes");
            let fix =
                format!("write one of at most {}: no longer one can be bound", Self::BYTES_MAX);
            decoder.fault(node.span, what, fix);
            return None;
        }
        Some(Self(path))
    }

    fn schema() -> Schema {
        json!({"type": "string", "minLength": 1, "maxLength": Self::BYTES_MAX})
    }
}

impl Shown for SocketPath {
    fn shown(&self) -> Schema {
        self.0.shown()
    }
}

/// Permission bits, in octal.
#[derive(Debug)]
struct Mode(u32);

impl Setting for Mode {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let expected = "permission bits in octal, such as \"0660\"";
        let Some(text) = written(node) else {
            decoder.mismatch(node, expected);
            return None;
        };
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let is_octal = digits.len() <= 4 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        match u32::from_str_radix(digits, 8) {
            Ok(mode) if is_octal && mode <= 0o777 && mode & 0o600 == 0o600 => Some(Self(mode)),
            Ok(mode) if is_octal && mode <= 0o777 => {
                let fix = "write \"0600\", \"0660\" or \"0666\"";
                decoder.fault(node.span, format!("`{text}` keeps the owner out"), fix);
                None
            }
            _ => {
                let what = format!("`{text}` is no permission bits");
                decoder.fault(node.span, what, format!("write {expected}"));
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({
            "anyOf": [
                {"type": "string", "pattern": "^0?o?[67][0-7]{2}$"},
                {"type": "integer", "minimum": 0},
            ],
            "examples": ["0600", "0660"],
        })
    }
}

impl Shown for Mode {
    fn shown(&self) -> Schema {
        json!(format!("{:04o}", self.0))
    }
}

/// A group's name or number.
#[derive(Debug)]
struct Group(String);

impl Setting for Group {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match written(node) {
            Some(text) if !text.is_empty() => Some(Self(text.to_owned())),
            _ => {
                decoder.mismatch(node, "a group's name or number");
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({"type": ["string", "integer"], "minLength": 1, "minimum": 0})
    }
}

/// An address with its port.
pub(super) fn address(node: &Node, decoder: &mut Decoder<'_>, fix: &str) -> Option<SocketAddr> {
    let text = String::decode(node, decoder)?;
    let address = text.parse();
    if address.is_err() {
        let what = format!("`{text}` is no IP address with a port");
        decoder.fault(node.span, what, fix);
    }
    address.ok()
}
