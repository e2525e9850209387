//! From an answer to content.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, response::Parts};
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::{Map, Value};

use super::HeaderName;
use crate::{
    backend::{Error, Reply},
    model::{Content, FailureCode, Json, Secrets},
};

mod headers;

/// Most bytes read of an answer that is no success: enough to keep its
/// connection in use.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// Most bytes of it that are quoted.
const EXCERPT_BYTES_MAX: usize = 2 << 10;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a body was not read to its end.
enum Broken {
    /// It is larger than that.
    TooLarge,
    Failed(BoxError),
}

/// Reads a success whole, with those of its headers that `result_headers` names.
///
/// # Errors
///
/// It is too large, breaks off, or is not what it says it is.
pub(super) async fn read<B>(
    is_head: bool,
    head: &Parts,
    body: &mut B,
    bytes_max: usize,
    result_headers: &[(Box<str>, HeaderName)],
) -> Result<Reply, Error>
where
    B: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    let content = if is_head {
        Some(headers_as_json(head.status, &head.headers))
    } else if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
        // Those have no body, whatever their headers promise.
        None
    } else {
        read_body(head, body, bytes_max).await?
    };
    let content = content.into_iter().collect();
    Ok(Reply::new(headers::put(content, &head.headers, result_headers)))
}

async fn read_body<B>(
    head: &Parts,
    body: &mut B,
    bytes_max: usize,
) -> Result<Option<Content>, Error>
where
    B: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    if let Some(coding) = foreign_coding(&head.headers) {
        let message =
            format!("the backend's answer is encoded as `{coding}`, which nobody asked for");
        return Err(Error::new(FailureCode::ResultInvalid, message).answered());
    }
    let data = collect(body, &head.headers, bytes_max).await.map_err(|broken| match broken {
        Broken::TooLarge => {
            let message = format!(
                "the backend's answer has more than {bytes_max} bytes, the most that is read; ask \
                 for less, with a filter or a smaller page"
            );
            Error::new(FailureCode::ResultTooLarge, message).answered()
        }
        Broken::Failed(error) if error.is::<hyper::Error>() => {
            let message = format!(
                "the backend answered {} and broke off before its answer was complete",
                head.status.as_u16()
            );
            Error::new(FailureCode::Unavailable, message).maybe_sent().because(error)
        }
        Broken::Failed(error) => {
            let message = "the backend's answer cannot be decompressed";
            Error::new(FailureCode::ResultInvalid, message).answered().because(error)
        }
    })?;
    content(&head.headers, data)
}

/// The beginning of an error's text, without `secrets`; `None` where it has none.
pub(super) async fn excerpt<B>(
    headers: &HeaderMap,
    body: &mut B,
    secrets: &Secrets,
) -> Option<String>
where
    B: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    if foreign_coding(headers).is_some() || matches!(kind(headers), Kind::Binary(_)) {
        return None;
    }
    let mut data = Vec::new();
    let mut whole = 0;
    let mut is_whole = false;
    loop {
        let frame = match body.frame().await {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => break,
            None => {
                is_whole = true;
                break;
            }
        };
        let Ok(chunk) = frame.into_data() else { continue };
        whole += chunk.len();
        // A byte more tells that there is more.
        let room = (EXCERPT_BYTES_MAX + 1).saturating_sub(data.len()).min(chunk.len());
        data.extend_from_slice(&chunk[..room]);
        if whole > ERROR_BYTES_MAX {
            break;
        }
    }
    let is_cut = data.len() > EXCERPT_BYTES_MAX;
    data.truncate(EXCERPT_BYTES_MAX);
    let text: String = String::from_utf8_lossy(&data)
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    let text = text.trim().trim_end_matches(char::REPLACEMENT_CHARACTER);
    // What broke off may have done so within a secret.
    let ends = is_whole && !is_cut;
    let text = if ends { secrets.redact(text) } else { secrets.redact_cut(text) };
    (!text.is_empty()).then(|| format!("{text}{}", if is_cut { " [\u{2026}]" } else { "" }))
}

/// A coding that was not taken off: it was not asked for.
fn foreign_coding(headers: &HeaderMap) -> Option<String> {
    let coding = headers.get(header::CONTENT_ENCODING)?;
    let coding = String::from_utf8_lossy(coding.as_bytes()).trim().to_ascii_lowercase();
    (!coding.is_empty() && coding != "identity").then(|| coding.escape_debug().to_string())
}

/// The whole body, as it came where it came in one piece.
async fn collect<B>(body: &mut B, headers: &HeaderMap, bytes_max: usize) -> Result<Bytes, Broken>
where
    B: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|value| value.parse().ok()).unwrap_or(0);
    if length > bytes_max {
        return Err(Broken::TooLarge);
    }
    let mut first = Bytes::new();
    let mut whole: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(Broken::Failed)?.into_data() else { continue };
        if chunk.len() > bytes_max - first.len() - whole.len() {
            return Err(Broken::TooLarge);
        }
        if first.is_empty() && whole.is_empty() {
            first = chunk;
            continue;
        }
        if whole.is_empty() {
            whole.reserve(length.max(first.len() + chunk.len()));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(if whole.is_empty() { first } else { whole.into() })
}

/// What a content type makes of a body.
enum Kind {
    Json,
    Text(Charset),
    Image(Arc<str>),
    Binary(Arc<str>),
    /// None is named.
    Unknown,
}

enum Charset {
    /// And every other one: what is not UTF-8 is read as well as it goes, and
    /// each byte that is none becomes U+FFFD.
    Utf8,
    Latin1,
}

fn kind(headers: &HeaderMap) -> Kind {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    else {
        return Kind::Unknown;
    };
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let mut essence = Cow::Borrowed(essence.trim());
    if essence.bytes().any(|byte| byte.is_ascii_uppercase()) {
        essence.to_mut().make_ascii_lowercase();
    }
    let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
    match (kind, subtype) {
        ("", _) => Kind::Unknown,
        ("application" | "text", "json") => Kind::Json,
        _ if subtype.ends_with("+json") => Kind::Json,
        ("text", _)
        | (
            "application",
            "xml"
            | "yaml"
            | "x-yaml"
            | "toml"
            | "javascript"
            | "x-ndjson"
            | "ndjson"
            | "jsonl"
            | "graphql"
            | "sql"
            | "x-www-form-urlencoded",
        ) => Kind::Text(charset(parameters)),
        _ if subtype.ends_with("+xml") || subtype.ends_with("+yaml") => {
            Kind::Text(charset(parameters))
        }
        ("image", _) => Kind::Image(essence.into()),
        _ => Kind::Binary(essence.into()),
    }
}

fn charset(parameters: &str) -> Charset {
    let named = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let mut named = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let Some((_, value)) = named.next() else { return Charset::Utf8 };
    match value.trim().trim_matches('"').to_ascii_lowercase().as_str() {
        "iso-8859-1" | "iso8859-1" | "latin1" => Charset::Latin1,
        _ => Charset::Utf8,
    }
}

/// A body as content; none where it is empty.
fn content(headers: &HeaderMap, data: Bytes) -> Result<Option<Content>, Error> {
    if data.is_empty() {
        return Ok(None);
    }
    Ok(match kind(headers) {
        Kind::Json => Some(json(data)?),
        Kind::Text(Charset::Utf8) => text(&String::from_utf8_lossy(&data)),
        Kind::Text(Charset::Latin1) => {
            text(&data.iter().map(|byte| char::from(*byte)).collect::<String>())
        }
        Kind::Image(media_type) => Some(Content::Image { media_type, data }),
        Kind::Binary(media_type) => Some(Content::Document { media_type, data }),
        Kind::Unknown => match std::str::from_utf8(&data) {
            Ok(read) => text(read),
            Err(_) => {
                Some(Content::Document { media_type: "application/octet-stream".into(), data })
            }
        },
    })
}

fn text(read: &str) -> Option<Content> {
    let read = read.strip_prefix('\u{feff}').unwrap_or(read);
    (!read.is_empty()).then(|| Content::Text(read.into()))
}

fn json(data: Bytes) -> Result<Content, Error> {
    let invalid = |problem: String, cause: Option<BoxError>| {
        let message = format!("the backend's answer says that it is JSON and is not: {problem}");
        Error { cause, ..Error::new(FailureCode::ResultInvalid, message).answered() }
    };
    // No copy where nobody else holds the bytes.
    let data = data.strip_prefix(b"\xef\xbb\xbf").map(Bytes::copy_from_slice).unwrap_or(data);
    let text = String::from_utf8(data.into())
        .map_err(|error| invalid(format!("{}", error.utf8_error()), None))?;
    Json::from_backend(text)
        .map(Content::Json)
        .map_err(|(error, _)| invalid(error.to_string(), Some(error.into())))
}

/// What a HEAD request is made for.
fn headers_as_json(status: StatusCode, headers: &HeaderMap) -> Content {
    let names = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::LAST_MODIFIED, header::ETAG];
    let mut members = Map::new();
    members.insert("status".to_owned(), Value::from(status.as_u16()));
    for name in names {
        if let Some(value) = headers.get(&name).and_then(|value| value.to_str().ok()) {
            members.insert(name.as_str().to_owned(), Value::from(value));
        }
    }
    Content::Json(Json::from_value(&Value::Object(members)))
}
