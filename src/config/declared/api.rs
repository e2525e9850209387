//! An entry of `apis:`.

use std::time::Duration;

use serde_json::{Value as Schema, json};

use super::{
    breaker::Breaker,
    rate::Rates,
    retry::Retry,
    secret::{Secret, file},
    template::accepted,
};
use crate::{
    backend::http::{ApiSettings, Auth, BaseUrl, CaBundle, HeaderName, HeaderValue},
    config::file::{
        Decoder, Fields, Map, Node, Object, Placed, Setting,
        decode::Name,
        scalar::{Count, OneOf, Size, Word, written},
    },
    limits::{breaker, gate},
    model::{ApiName, ApiOrdering},
};

/// Most bytes of a response.
type ResponseBytes = Size<1024, { 1 << 30 }>;

/// One upstream that tools share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) url: Option<BaseUrl>,
    pub(crate) headers: Option<Headers<HeaderValue>>,
    pub(crate) auth: Option<Option<Auth>>,
    pub(crate) ca: Option<Option<CaBundle>>,
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) concurrency: Option<Option<Count<100_000>>>,
    pub(crate) rate: Option<Rates>,
    pub(crate) queue: Option<Count<1_000_000>>,
    pub(crate) pause_max: Option<Duration>,
    pub(crate) retry: Option<Retry>,
    pub(crate) breaker: Option<Option<breaker::Settings>>,
    pub(crate) idempotency_header: Option<HeaderName>,
    pub(crate) response_bytes: Option<ResponseBytes>,
    pub(crate) ordering: Option<OneOf<ApiOrdering>>,
}

/// Headers, by name.
pub(crate) type Headers<V> = Map<HeaderName, V>;

impl Object for Api {
    const WHAT: &'static str = "an API";
    const DOC: &'static str = "One upstream that tools share.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Some(Self {
            url: fields.required("url", "Where it is: `https://host[:port][/path]`."),
            headers: fields
                .optional("headers", "Headers that go with every request. No secrets: see `auth`.")
                .map(Option::unwrap_or_default),
            auth: fields
                .optional::<Credentials>("auth", "Its credentials, sent with every request.")
                .map(|auth| auth.map(|Credentials(auth)| auth)),
            ca: fields
                .optional::<Ca>(
                    "ca",
                    "A PEM file of certificate authorities to trust beside the public and the \
                     system's; a relative path is sought beside the configuration.",
                )
                .map(|ca| ca.map(|Ca(ca)| ca)),
            timeout: fields.optional(
                "timeout",
                "Time for a call of its tools, waits included, where neither the request nor the \
                 tool names one.",
            ),
            connect_timeout: fields.or(
                "connect_timeout",
                ApiSettings::CONNECT_TIMEOUT,
                "Time for a connection to be made, TLS included.",
            ),
            concurrency: fields.optional(
                "concurrency",
                "Attempts in flight at once; more calls of its tools wait. Bounded by \
                 `bounds.concurrency` where none is named.",
            ),
            rate: fields
                .optional(
                    "rate",
                    "How many calls in how much time: `10/s burst 20`, `300/min`, `5/s per session`, \
                     or a list of such rates, all of which hold. More calls wait.",
                )
                .map(Option::unwrap_or_default),
            queue: fields.or(
                "queue",
                Count(gate::Api::QUEUE_MAX),
                "Calls that may wait for it; one more fails at once as `overloaded`.",
            ),
            pause_max: fields.or(
                "pause_max",
                gate::Api::PAUSE_MAX,
                "The longest that it is left alone where it asks for that (`Retry-After`, \
                 `RateLimit`).",
            ),
            retry: fields.section("retry"),
            breaker: Breaker::field(fields),
            idempotency_header: fields
                .optional(
                    "idempotency_header",
                    "The header that names a call of a `keyed` tool; `Idempotency-Key` where none \
                     is named.",
                )
                .map(|name| name.unwrap_or_else(HeaderName::idempotency_key)),
            response_bytes: fields.or(
                "response_bytes",
                Size(ApiSettings::RESPONSE_BYTES_MAX.get()),
                "Most bytes of a response, decompressed; a larger one fails the call.",
            ),
            ordering: fields.or(
                "ordering",
                OneOf(ApiOrdering::Writes),
                "What its calls do within a turn where their tools declare no `reads` or \
                 `writes`: `writes` runs those that are not `read_only` one after the other, in \
                 block order; `none` runs all at once.",
            ),
        })
    }
}

impl Api {
    /// The backend's settings; `None` where a part of them was faulty.
    pub(crate) fn settings(&mut self, name: ApiName) -> Option<ApiSettings> {
        let headers = std::mem::take(self.headers.as_mut()?);
        let headers: Option<Vec<_>> =
            headers.0.into_iter().map(|entry| Some((entry.name?, entry.value?))).collect();
        Some(ApiSettings {
            headers: headers?,
            auth: self.auth.take()?,
            ca: self.ca.take()?,
            connect_timeout: self.connect_timeout?,
            response_bytes_max: self.response_bytes?.get(),
            idempotency_header: self.idempotency_header.take()?,
            ..ApiSettings::new(name, self.url.take()?)
        })
    }
}

impl Api {
    /// What the scheduler needs of it.
    pub(crate) fn limits(&self, name: ApiName) -> Option<gate::Api> {
        Some(gate::Api {
            name,
            concurrency: self.concurrency?.map(|count| count.0),
            rates: self.rate.as_ref()?.0.iter().map(|limit| (limit.rate, limit.per)).collect(),
            queue_max: self.queue?.0,
            pause_max: self.pause_max?,
            breaker: self.breaker.clone()?,
            is_shown_idle: true,
        })
    }
}

impl Word for ApiOrdering {
    const WHAT: &'static str = "an ordering";
    const ALL: &'static [(&'static str, Self)] = &[("writes", Self::Writes), ("none", Self::None)];
}

impl Setting for BaseUrl {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        if text.contains('@') {
            // Credentials are refused, and must not end in a log.
            decoder.mask(node.span);
        }
        accepted(Self::try_new(&text), node.span, &text, decoder)
    }

    fn schema() -> Schema {
        json!({
            "type": "string",
            "pattern": "^https?://[^/?#@]+(/[^?#]*)?$",
            "examples": ["https://crm.internal/v2"],
        })
    }
}

impl Setting for HeaderValue {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Some(text) = written(node) else {
            decoder.mismatch(node, "a string");
            return None;
        };
        accepted(Self::try_new(text), node.span, text, decoder)
    }

    fn schema() -> Schema {
        json!({"type": ["string", "number"]})
    }
}

impl Name for HeaderName {
    fn read(text: &str) -> Result<Self, (usize, String, String)> {
        let name = Self::try_new(text).map_err(|fault| (fault.offset, fault.problem, fault.fix))?;
        match Self::is_secret(text) {
            true => Err((
                0,
                format!("the header `{text}` carries credentials, which no plain header may"),
                "write `auth: {bearer: {env: NAME}}`, or `auth: {header: {name: …, value: {env: NAME}}}`, at the API"
                    .to_owned(),
            )),
            false => Ok(name),
        }
    }

    fn is_secret(text: &str) -> bool {
        ["authorization", "cookie"].iter().any(|name| text.eq_ignore_ascii_case(name))
    }

    fn schema() -> Schema {
        json!({"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"})
    }
}

impl Name for ApiName {
    fn read(text: &str) -> Result<Self, (usize, String, String)> {
        let fix = "write letters, digits, `_` and `-`, at most 64 of them";
        Self::try_new(text).map_err(|error| (0, error.to_string(), fix.to_owned()))
    }

    fn schema() -> Schema {
        json!({"pattern": "^[A-Za-z0-9_-]{1,64}$"})
    }
}

/// How an API knows us.
struct Credentials(Auth);

impl Object for Credentials {
    const WHAT: &'static str = "`auth`";
    const DOC: &'static str = "The credentials of an API.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let bearer = fields.optional::<Secret>("bearer", "Sends `Authorization: Bearer SECRET`.");
        let basic = fields.optional::<Basic>("basic", "Sends `Authorization: Basic …`.");
        let header =
            fields.optional::<Header>("header", "Sends the secret in a header of its own.");
        fields.alternatives(&["bearer", "basic", "header"], true);
        let (key, auth) = match (bearer?, basic?, header?) {
            (Some(Secret(token)), None, None) => ("bearer", Auth::bearer(&token)),
            (None, Some(Basic(user, Secret(password))), None) => {
                ("basic", Auth::basic(&user.value, &password))
            }
            (None, None, Some(Header(name, Secret(value)))) => {
                ("header", Auth::header(name.value, &value))
            }
            _ => return None,
        };
        let span = fields.key(key)?;
        accepted(auth, span, "", fields.decoder()?).map(Self)
    }
}

struct Basic(Placed<String>, Secret);

impl Object for Basic {
    const WHAT: &'static str = "`basic`";
    const DOC: &'static str = "Basic authentication (RFC 7617).";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let user = fields.required("user", "The user's name.");
        let password =
            fields.required("password", "The password: `{env: NAME}` or `{file: PATH}`.");
        Some(Self(user?, password?))
    }
}

struct Header(Placed<HeaderName>, Secret);

impl Object for Header {
    const WHAT: &'static str = "`header`";
    const DOC: &'static str = "A secret in a header of its own.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let name = fields.required("name", "The header's name, such as `X-Api-Key`.");
        let value = fields.required("value", "The secret: `{env: NAME}` or `{file: PATH}`.");
        Some(Self(name?, value?))
    }
}

impl Setting for HeaderName {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        accepted(Self::try_new(&text), node.span, &text, decoder)
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"})
    }
}

/// A PEM file of certificates.
struct Ca(CaBundle);

impl Setting for Ca {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let pem = file(node, decoder)?;
        accepted(CaBundle::try_new(&pem), node.span, "", decoder).map(Self)
    }

    fn schema() -> Schema {
        std::path::PathBuf::schema()
    }
}
