//! What the configuration says of an API and of a tool's request.

use std::{fmt, num::NonZeroUsize, time::Duration};

use http::{
    Uri,
    uri::{Authority, Scheme},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{
    Fault, Slot,
    header::{Auth, HeaderName, HeaderValue},
    template::{JsonTemplate, PathTemplate, TextTemplate, path},
    version::Version,
};
use crate::model::{ApiName, Effect, Secrets};

/// One upstream, shared by its tools.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiSettings {
    /// Its name.
    pub name: ApiName,
    /// Where it is.
    pub url: BaseUrl,
    /// Sent with every request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its credentials.
    pub auth: Option<Auth>,
    /// Authorities to trust beside the public and the system's.
    pub ca: Option<CaBundle>,
    /// Time for a connection to be made, TLS included.
    pub connect_timeout: Duration,
    /// Most bytes of a response's body, decompressed.
    pub response_bytes_max: NonZeroUsize,
    /// Carries the key of a call whose tool is keyed.
    pub idempotency_header: HeaderName,
    /// What is known to be secret, beside its own credentials: an upstream that quotes
    /// it in an error is not passed on.
    pub secrets: Secrets,
}

impl ApiSettings {
    /// Whether the same connections serve both: to the same place, in the same trust.
    pub(super) fn connects_as(&self, other: &Self) -> bool {
        let connects = |settings: &Self| (settings.url.scheme.clone(), settings.connect_timeout);
        connects(self) == connects(other)
            && self.url.authority == other.url.authority
            && self.ca == other.ca
    }

    /// Whether a request gets the same answer by both.
    pub fn asks_as(&self, other: &Self) -> bool {
        let of = |settings: &Self| Self { secrets: Secrets::default(), ..settings.clone() };
        of(self) == of(other)
    }

    /// Time for a connection where none is named.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// Most bytes of a response where no bound is named: 8 MiB.
    pub const RESPONSE_BYTES_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add((8 << 20) - 1);

    /// An API with nothing but a name and a place.
    pub fn new(name: ApiName, url: BaseUrl) -> Self {
        Self {
            name,
            url,
            headers: Vec::new(),
            auth: None,
            ca: None,
            connect_timeout: Self::CONNECT_TIMEOUT,
            response_bytes_max: Self::RESPONSE_BYTES_MAX,
            idempotency_header: HeaderName::idempotency_key(),
            secrets: Secrets::default(),
        }
    }
}

/// How a tool's request is made of its input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestSettings {
    /// Its method.
    pub method: Method,
    /// What running it twice means: as the method says, unless somebody knows
    /// better.
    pub effect: Effect,
    /// Its path below the API's URL.
    pub path: PathTemplate,
    /// Its query, in order. A parameter whose slot has no value is left out; a
    /// list gives its parameter once for each element.
    pub query: Vec<(String, TextTemplate)>,
    /// Its headers. One whose slot has no value is left out.
    pub headers: Vec<(HeaderName, TextTemplate)>,
    /// Its body.
    pub body: Option<Body>,
    /// Which version it changes. Where no other slot takes the field, it is sent as
    /// `If-Match`.
    pub version: Option<Version>,
    /// Headers of the answer that belong to the result, each with its name there.
    pub result_headers: Vec<(String, HeaderName)>,
}

impl RequestSettings {
    /// A request without query, headers and body.
    pub fn new(method: Method, path: PathTemplate) -> Self {
        let effect = method.effect();
        Self {
            method,
            effect,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            version: None,
            result_headers: Vec::new(),
        }
    }

    /// Every slot, those of the path first and that of the version aside.
    pub fn slots(&self) -> Vec<&Slot> {
        let mut slots: Vec<&Slot> = self.path.slots().collect();
        slots.extend(self.query.iter().flat_map(|(_, text)| text.slots()));
        slots.extend(self.headers.iter().flat_map(|(_, text)| text.slots()));
        match &self.body {
            Some(Body::Json(json)) => json.slots(&mut slots),
            Some(Body::Form(fields)) => slots.extend(fields.iter().flat_map(|(_, t)| t.slots())),
            Some(Body::Text(text)) => slots.extend(text.slots()),
            None => {}
        }
        slots
    }
}

/// The body of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// `application/json`.
    Json(JsonTemplate),
    /// `application/x-www-form-urlencoded`, with the rules of the query.
    Form(Vec<(String, TextTemplate)>),
    /// `text/plain` in UTF-8.
    Text(TextTemplate),
}

/// The method of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl Method {
    /// Every method, with the key that names it in the configuration.
    pub const ALL: [(&'static str, Self); 6] = [
        ("get", Self::Get),
        ("head", Self::Head),
        ("post", Self::Post),
        ("put", Self::Put),
        ("patch", Self::Patch),
        ("delete", Self::Delete),
    ];

    /// What running a request of this method twice means, as far as HTTP says.
    pub fn effect(self) -> Effect {
        match self {
            Self::Get | Self::Head => Effect::ReadOnly,
            Self::Post | Self::Put | Self::Patch | Self::Delete => Effect::AtMostOnce,
        }
    }

    /// Whether a body means something (RFC 9110, section 9.3).
    pub fn takes_body(self) -> bool {
        !matches!(self, Self::Get | Self::Head)
    }
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Head => Self::HEAD,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

/// Where an API is: scheme, authority and the beginning of every path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseUrl {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    /// Empty, or `/` and more without a `/` at its end.
    pub(super) path: String,
}

impl BaseUrl {
    /// Reads `http(s)://host[:port][/path]`.
    ///
    /// # Errors
    ///
    /// Anything else: credentials, a query or a fragment among it.
    pub fn try_new(text: &str) -> Result<Self, Fault> {
        let example = "write `https://host/path`";
        let (scheme, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (Scheme::HTTPS, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (Scheme::HTTP, rest)
        } else {
            return Err(Fault::new(0, "the URL begins with neither https:// nor http://", example));
        };
        let start = text.len() - rest.len();
        if let Some(at) = rest.find(['?', '#']) {
            return Err(Fault::new(
                start + at,
                "a base URL has no query and no fragment",
                "end it before; a query belongs to each tool's `query:`",
            ));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Fault::new(
                start,
                "credentials do not belong in a URL",
                "use `auth:` with `{env: NAME}` or `{file: PATH}`",
            ));
        }
        let origin = Uri::builder().scheme(scheme.clone()).authority(authority).path_and_query("/");
        let parsed = origin.build().ok().and_then(|uri| uri.authority().cloned());
        let Some(authority) = parsed.filter(|parsed| {
            !parsed.host().is_empty()
                && (parsed.as_str().len() == parsed.host().len() || parsed.port_u16().is_some())
        }) else {
            let problem = format!("`{authority}` is no host with an optional port");
            return Err(Fault::new(start, problem, "write `host` or `host:8080`"));
        };
        let path_start = text.len() - path.len();
        let path = path.strip_suffix('/').unwrap_or(path);
        path::check_literal(path, path_start)?;
        Ok(Self { scheme, authority, path: path.to_owned() })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// Authorities to trust.
#[derive(Clone, Eq, PartialEq)]
pub struct CaBundle(pub(super) Vec<CertificateDer<'static>>);

impl CaBundle {
    /// Reads the certificates of a PEM file.
    ///
    /// # Errors
    ///
    /// No certificate in it, or one that cannot be read.
    pub fn try_new(pem: &[u8]) -> Result<Self, Fault> {
        let fix = "name a PEM file with `-----BEGIN CERTIFICATE-----` blocks";
        let certificates = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Fault::new(0, format!("the certificates: {error}"), fix))?;
        if certificates.is_empty() {
            return Err(Fault::new(0, "there is no certificate in the file", fix));
        }
        Ok(Self(certificates))
    }
}

impl fmt::Debug for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaBundle({} certificates)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_that_could_lead_elsewhere_is_refused() {
        for (url, offset, says) in [
            ("", 0, "neither https:// nor http://"),
            ("crm.internal", 0, "neither https:// nor http://"),
            ("ftp://crm.internal", 0, "neither https:// nor http://"),
            ("https://", 8, "is no host"),
            ("https:///v2", 8, "is no host"),
            ("https://:443", 8, "is no host"),
            ("https://crm:port", 8, "is no host"),
            ("https://crm:99999", 8, "is no host"),
            ("https://cr m", 8, "is no host"),
            ("https://crm\r\nX: y", 8, "is no host"),
            ("https://gr\u{f6}\u{df}e.de", 8, "is no host"),
            ("https://user:pw@crm", 8, "credentials do not belong in a URL"),
            ("https://crm/v2?key=1", 14, "no query"),
            ("https://crm#x", 11, "no fragment"),
            ("https://crm/a/../b", 14, "`..`"),
            ("https://crm/a//b", 14, "empty"),
            ("https://crm/a b", 13, "' '"),
        ] {
            let fault = BaseUrl::try_new(url).unwrap_err();
            assert!(fault.to_string().contains(says), "{url:?}: {fault}");
            assert_eq!(fault.offset, offset, "{url:?}: {fault}");
        }
    }

    #[test]
    fn a_base_url_keeps_its_path() {
        for (url, is) in [
            ("https://crm.internal/v2", "https://crm.internal/v2"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/a/b/", "http://[::1]:8080/a/b"),
            ("https://[::1]", "https://[::1]"),
        ] {
            assert_eq!(BaseUrl::try_new(url).unwrap().to_string(), is);
        }
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"] {
            assert!(CaBundle::try_new(pem.as_bytes()).is_err(), "{pem:?}");
        }
    }

    #[test]
    fn only_methods_that_are_safe_are_read_only() {
        for (key, method) in Method::ALL {
            let safe = matches!(key, "get" | "head");
            assert_eq!(method.effect() == Effect::ReadOnly, safe, "{key}");
            assert_eq!(method.takes_body(), !safe, "{key}");
        }
    }
}
