//! `callers:`.

use serde_json::{Value as Schema, json};

use crate::{
    config::file::{
        Decoder, Fields, Map, Node, Object, Placed, Setting,
        decode::Name,
        node::Value,
        scalar::{Count, OneOf, Word},
    },
    model::{Owner, Tenant},
    policy::{self, Pattern, pattern},
};

mod connection;
mod jwt;
mod token;

pub(crate) use connection::{Certificate, Process};
pub(crate) use jwt::Jwt;
pub(crate) use token::Token;

/// More than a process ever has.
type Most = Count<1_000_000>;

/// Who may call.
#[derive(Debug)]
pub(crate) struct Callers {
    pub(crate) jwt: Option<Placed<Jwt>>,
    pub(crate) allowed: Map<CallerName, Allowed>,
}

impl Object for Callers {
    const WHAT: &'static str = "`callers`";
    const DOC: &'static str = "Who may call, and what. Everyone who can reach a listener, where \
                               nothing is said.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let jwt = fields.optional(
            "jwt",
            "Whose JSON Web Tokens say who a caller is: its `sub` is a `subject`.",
        );
        let allowed = fields.required(
            "allowed",
            "The callers, by name. Each is let in by any one of the things that it is recognised \
             by; nobody else is.",
        );
        Some(Self { jwt: jwt?, allowed: allowed? })
    }
}

/// A caller's name: whose its batches are, and its tenant where it names no other.
#[derive(Clone, Debug)]
pub(crate) struct CallerName {
    pub(crate) owner: Owner,
    pub(crate) tenant: Tenant,
}

impl Name for CallerName {
    fn read(text: &str) -> Result<Self, (usize, String, String)> {
        if text == Owner::local().as_str() {
            let what = format!("`{text}` is everyone's name where no callers are named");
            return Err((0, what, "write another name".to_owned()));
        }
        let at = text.find(|c: char| !c.is_ascii_alphanumeric() && !"_-.:".contains(c));
        let read = |text: &str| {
            let tenant = Tenant::try_new(text)?;
            Ok(Self { owner: Owner::try_new(text)?, tenant })
        };
        read(text).map_err(|error: crate::model::id::Error| {
            let what = error.to_string().replace("the tenant", "the caller's name");
            let fix = "write letters, digits, `_`, `-`, `.` and `:`, at most 128 of them";
            (at.unwrap_or(0), what, fix.to_owned())
        })
    }

    fn schema() -> Schema {
        json!({"pattern": "^[A-Za-z0-9_.:-]{1,128}$", "not": {"const": Owner::local().as_str()}})
    }
}

/// One caller: what it is recognised by, and what it may do.
#[derive(Debug)]
pub(crate) struct Allowed {
    pub(crate) unix: Option<Option<Process>>,
    pub(crate) certificate: Option<Option<Placed<Certificate>>>,
    pub(crate) tokens: Option<Option<OneOrMore<Token>>>,
    pub(crate) subjects: Option<Option<OneOrMore<Text>>>,
    pub(crate) tools: Option<Option<Vec<Placed<Tool>>>>,
    pub(crate) tenant: Option<Option<Placed<TenantName>>>,
    pub(crate) limits: Option<Option<policy::Limits>>,
    pub(crate) admin: Option<OneOf<Admin>>,
}

impl Object for Allowed {
    const WHAT: &'static str = "a caller";
    const DOC: &'static str = "A caller: what it is recognised by, and what it may do.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Some(Self {
            unix: fields.optional("unix", "Its process, as the kernel sees it on the Unix socket."),
            certificate: fields.optional(
                "certificate",
                "Its certificate, which an authority of `listen.tcp.tls.client_ca` vouches for.",
            ),
            tokens: fields.optional(
                "token",
                "A token that it shows as `authorization: Bearer …`: `{sha256: …}`, `{file: PATH}` \
                 or `{env: NAME}`; or a list of them, while one replaces another.",
            ),
            subjects: fields.optional(
                "subject",
                "The `sub` of its JSON Web Tokens, or a list of them; `callers.jwt` says whose.",
            ),
            tools: fields.optional(
                "tools",
                "What it may call, and offer where it is a worker: names of tools, with `*` for \
                 any text. All where nothing is said. Of other tools it does not learn that they \
                 are there.",
            ),
            tenant: fields.optional(
                "tenant",
                "Whose limits per tenant its calls count against, and who shares locks, cached \
                 answers and shared workers with them. A tenant of its own where none is named.",
            ),
            limits: fields
                .optional("limits", "What it may have at once, all its sessions together."),
            admin: fields.or(
                "admin",
                OneOf(Admin::Off),
                "Whether it may read and change what is logged: `on` or `off`.",
            ),
        })
    }
}

/// A text with something in it.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) String);

impl Setting for Text {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        if text.trim().is_empty() {
            decoder.fault(node.span, "there is nothing in it", "write it, or leave the key out");
            return None;
        }
        Some(Self(text))
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "\\S"})
    }
}

/// One, or a list.
#[derive(Debug)]
pub(crate) struct OneOrMore<T>(pub(crate) Vec<Placed<T>>);

impl<T: Setting> Setting for OneOrMore<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Sequence(_) => Vec::decode(node, decoder).map(Self),
            _ => Placed::decode(node, decoder).map(|one| Self(vec![one])),
        }
    }

    fn schema() -> Schema {
        json!({"anyOf": [T::schema(), Vec::<T>::schema()]})
    }
}

/// Names of tools.
#[derive(Debug)]
pub(crate) struct Tool(pub(crate) Pattern);

impl Setting for Tool {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        match Pattern::try_new(&text) {
            Ok(pattern) => Some(Self(pattern)),
            Err(error) => {
                let fix = "write a tool's name, or one with `*` for any text, such as `crm_*`";
                let at = match error {
                    pattern::Error::Character { at, .. } => at,
                    pattern::Error::Empty | pattern::Error::TooLong => 0,
                };
                decoder.fault_in(node.span, &text, at, error.to_string(), fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_*-]{1,64}$", "examples": ["crm_*"]})
    }
}

/// A tenant's name.
#[derive(Debug)]
pub(crate) struct TenantName(pub(crate) Tenant);

impl Setting for TenantName {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        match Tenant::try_new(text) {
            Ok(tenant) => Some(Self(tenant)),
            Err(error) => {
                let fix = "write letters, digits, `_`, `-`, `.` and `:`, at most 128 of them";
                decoder.fault(node.span, error.to_string(), fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$"})
    }
}

impl Object for policy::Limits {
    const WHAT: &'static str = "`limits`";
    const DOC: &'static str = "What a caller may have at once, all its sessions together.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let concurrency = fields.optional::<Most>(
            "concurrency",
            "Most of its attempts in flight; further ones wait for their turn.",
        );
        let batches = fields.optional::<Most>(
            "batches",
            "Most of its batches that are open; one more is refused with `RESOURCE_EXHAUSTED`.",
        );
        let workers = fields.optional::<Most>(
            "workers",
            "Most of its workers that are connected; one more is refused with \
             `RESOURCE_EXHAUSTED`.",
        );
        Some(Self {
            concurrency: concurrency?.map(|Count(most)| most),
            batches: batches?.map(|Count(most)| most),
            workers: workers?.map(|Count(most)| most),
        })
    }
}

/// Whether a caller may change how the process runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Admin {
    On,
    Off,
}

impl Word for Admin {
    const WHAT: &'static str = "a setting of `admin`";
    const ALL: &'static [(&'static str, Self)] = &[("on", Self::On), ("off", Self::Off)];
}
