//! One tool's requests.

use std::{fmt::Write, future::ready, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Uri,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderName, HeaderValue, IF_MATCH, USER_AGENT,
    },
    uri::{self, PathAndQuery},
};
use http_body_util::Full;
use percent_encoding::utf8_percent_encode;

use super::{
    Api, Body, PathTemplate, RequestSettings, TextTemplate, Version, client::Terms,
    template::path::ENCODED,
};
use crate::{
    backend::{Attempt, Backend, Error, Pending},
    model::{FailureCode, slot::Input},
    telemetry::outgoing::{self as traced, Target},
};

/// One tool's way to its API. What does not depend on the input is made once.
#[derive(Debug)]
pub struct Endpoint {
    api: Arc<Api>,
    method: Method,
    path: PathTemplate,
    /// Names percent-encoded.
    query: Vec<(String, TextTemplate)>,
    /// Those without slots, the API's credentials among them.
    fixed_headers: HeaderMap,
    /// Those with slots.
    headers: Vec<(HeaderName, TextTemplate)>,
    /// Names of form fields percent-encoded.
    body: Option<Body>,
    /// For a body, unless a header says otherwise.
    content_type: Option<HeaderValue>,
    /// What is traced of its requests.
    target: Arc<Target>,
    version: Option<Version>,
    /// Whether nothing else of the request carries the version.
    has_if_match: bool,
    result_headers: Arc<[(Box<str>, super::HeaderName)]>,
}

impl Endpoint {
    /// The tool's requests to `api`. Of two headers with one name the tool's
    /// replaces the API's; credentials replace both.
    pub fn new(api: Arc<Api>, request: RequestSettings) -> Self {
        let target = Arc::new(Target::Http(target(&api, &request)));
        let version = request.version.as_ref();
        let has_if_match = version.is_some_and(|version| !request.slots().contains(&&version.slot));
        let mut fixed = HeaderMap::new();
        fixed.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let agent = concat!("sidecall/", env!("CARGO_PKG_VERSION"));
        fixed.insert(USER_AGENT, HeaderValue::from_static(agent));
        for (name, value) in &api.settings().headers {
            fixed.insert(name.0.clone(), value.0.clone());
        }
        // Here once, where the client would put it together for each request. Of
        // a HEAD, `Content-Length` is to be the resource's own.
        let codings = match request.method {
            super::Method::Head => "identity",
            _ => "zstd,gzip,deflate,br",
        };
        fixed.insert(ACCEPT_ENCODING, HeaderValue::from_static(codings));
        // Also what the client would put together each time; over TLS it may come
        // to speak HTTP/2, which has no such header.
        let base = &api.settings().url;
        if base.scheme == uri::Scheme::HTTP {
            let authority = base.authority.as_str();
            let host = authority.strip_suffix(":80").unwrap_or(authority);
            fixed.extend(HeaderValue::from_str(host).ok().map(|host| (HOST, host)));
        }
        let mut headers: Vec<_> =
            request.headers.into_iter().map(|(name, text)| (name.0, text)).collect();
        if let Some(auth) = &api.settings().auth {
            headers.retain(|(name, _)| *name != auth.name.0);
            fixed.insert(auth.name.0.clone(), auth.value.clone());
        }
        let (content_type, body) = match request.body {
            None => (None, None),
            Some(body @ Body::Json(_)) => (Some("application/json"), Some(body)),
            Some(body @ Body::Text(_)) => (Some("text/plain; charset=utf-8"), Some(body)),
            Some(Body::Form(fields)) => {
                (Some("application/x-www-form-urlencoded"), Some(Body::Form(encoded(fields))))
            }
        };
        Self {
            api,
            target,
            method: request.method.into(),
            path: request.path,
            query: encoded(request.query),
            fixed_headers: fixed,
            headers,
            body,
            content_type: content_type.map(HeaderValue::from_static),
            version: request.version,
            has_if_match,
            result_headers: request
                .result_headers
                .into_iter()
                .map(|(name, header)| (name.into(), header))
                .collect(),
        }
    }

    /// The request for an input.
    ///
    /// # Errors
    ///
    /// For the model: which field cannot be sent, and why.
    fn request(&self, input: &Input<'_>) -> Result<Request<Full<Bytes>>, String> {
        let body = self.body(input);
        let content_type = self.content_type.as_ref().filter(|_| body.is_some());
        let mut request = Request::new(Full::new(body.unwrap_or_default()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri(input)?;
        *request.headers_mut() = self.fixed_headers.clone();
        for (name, template) in &self.headers {
            if let Some(value) = template.render(input) {
                request.headers_mut().insert(name.clone(), header(name, template, &value)?);
            }
        }
        if let Some(version) = self.version.as_ref().filter(|_| self.has_if_match)
            && let Some(tag) = version.entity_tag(input)?
        {
            request.headers_mut().insert(IF_MATCH, tag);
        }
        if let Some(content_type) = content_type {
            request.headers_mut().entry(CONTENT_TYPE).or_insert_with(|| content_type.clone());
        }
        Ok(request)
    }

    fn uri(&self, input: &Input<'_>) -> Result<Uri, String> {
        let base = &self.api.settings().url;
        let mut text = String::with_capacity(256);
        text.push_str(&base.path);
        self.path.render(input, &mut text)?;
        if text.is_empty() {
            text.push('/');
        }
        pairs(&self.query, input, "?", &mut text);

        let length = text.len();
        let unusable =
            || format!("the input makes an address of {length} bytes, which is too long");
        let mut parts = uri::Parts::default();
        parts.scheme = Some(base.scheme.clone());
        parts.authority = Some(base.authority.clone());
        parts.path_and_query =
            Some(PathAndQuery::from_maybe_shared(Bytes::from(text)).map_err(|_| unusable())?);
        Uri::from_parts(parts).map_err(|_| unusable())
    }

    fn body(&self, input: &Input<'_>) -> Option<Bytes> {
        match self.body.as_ref()? {
            Body::Json(template) => template.render(input).map(Bytes::from),
            Body::Text(template) => {
                template.render(input).map(|text| Bytes::from(text.into_owned()))
            }
            Body::Form(fields) => {
                let mut text = String::with_capacity(256);
                pairs(fields, input, "", &mut text);
                Some(text.into())
            }
        }
    }
}

impl Backend for Endpoint {
    fn attempt(&self, attempt: Attempt) -> Pending {
        let input = Input::new(attempt.input.as_str());
        let input = input.ok_or_else(|| "the input must be a JSON object".to_owned());
        match input.and_then(|input| Ok((self.request(&input)?, input))) {
            Ok((mut request, input)) => {
                // A hash in hexadecimal is always a header's value.
                let key = attempt.key.and_then(|key| HeaderValue::from_str(&key).ok());
                if let Some(key) = key {
                    let name = self.api.settings().idempotency_header.0.clone();
                    request.headers_mut().insert(name, key);
                }
                let number = attempt.number.get();
                let claimed = self.version.as_ref().map(|version| version.claimed(&input, number));
                let result_headers = Arc::clone(&self.result_headers);
                let terms = Terms { result_headers, claimed: claimed.map(Box::new) };
                let Attempt { deadline, sent, trace, .. } = attempt;
                if let Some(trace) = &trace {
                    trace.inject(request.headers_mut());
                    trace.goes_to(&self.target);
                }
                let api = Arc::clone(&self.api);
                Box::pin(api.exchange(request, deadline, sent, trace, terms))
            }
            Err(message) => Box::pin(ready(Err(Error::new(FailureCode::InvalidInput, message)))),
        }
    }
}

/// What is traced of a tool's requests: where they go, with slots in the place of
/// all that comes from an input.
fn target(api: &Api, request: &RequestSettings) -> traced::Http {
    let base = &api.settings().url;
    let mut template = format!("{}{}", base.path, request.path);
    if template.is_empty() {
        template.push('/');
    }
    let mut url = format!("{}://{}{template}", base.scheme, base.authority);
    let mut separator = '?';
    for (name, value) in &request.query {
        let _ = write!(url, "{separator}{name}={value}");
        separator = '&';
    }
    let usual = if base.scheme == uri::Scheme::HTTPS { 443 } else { 80 };
    traced::Http {
        method: Method::from(request.method).as_str().into(),
        template: template.into(),
        url: url.into(),
        address: base.authority.host().into(),
        port: base.authority.port_u16().unwrap_or(usual),
    }
}

/// `name=value` joined by `&`, after `lead` where there is any. Values are
/// encoded here, names are already.
fn pairs(fields: &[(String, TextTemplate)], input: &Input<'_>, lead: &str, out: &mut String) {
    let mut separator = lead;
    for (name, template) in fields {
        template.render_each(input, |value| {
            out.push_str(separator);
            out.push_str(name);
            out.push('=');
            out.extend(utf8_percent_encode(value, ENCODED));
            separator = "&";
        });
    }
}

fn encoded(fields: Vec<(String, TextTemplate)>) -> Vec<(String, TextTemplate)> {
    let encode = |name: String| utf8_percent_encode(&name, ENCODED).to_string();
    fields.into_iter().map(|(name, template)| (encode(name), template)).collect()
}

/// A header's value from the input: visible ASCII and spaces. Characters beyond
/// are refused too, since some servers cut them to a byte, which can be any.
fn header(name: &HeaderName, template: &TextTemplate, value: &str) -> Result<HeaderValue, String> {
    let value = value.chars().all(|c| matches!(c, ' '..='~')).then(|| HeaderValue::from_str(value));
    value.and_then(Result::ok).ok_or_else(|| {
        let slots: Vec<String> = template.slots().map(|slot| format!("`{slot}`")).collect();
        format!(
            "{} becomes the header `{name}`: it must hold visible ASCII characters and spaces only",
            slots.join(", ")
        )
    })
}
