//! What the writers of all shapes share: texts, files and schemas.

use std::{borrow::Cow, io::Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD, write::EncoderWriter};

use super::reader::{Members, string};
use crate::model::{CallResult, Content, json::members, text::floor_char_boundary};

/// What stands for a result with nothing in it, where something has to.
pub(super) const NOTHING: &str = "[The tool succeeded and returned nothing.]";

/// OpenAI refuses a longer text: "string too long. Expected a string with maximum
/// length 10485760".
const TEXT_BYTES_MAX: usize = 10_485_760;

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    // A string is written without fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// The same at the end of what was written, which nothing is made for that goes again.
pub(super) fn quote(out: &mut Vec<u8>, text: &str) {
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok(), "a text could not be written to memory");
}

/// A JSON object of members whose values are JSON.
pub(super) fn object<'m>(members: impl IntoIterator<Item = (&'m str, &'m str)>) -> String {
    let mut out = String::from("{");
    for (key, value) in members {
        if out.len() > 1 {
            out.push(',');
        }
        out.extend([&*quoted(key), ":", value]);
    }
    out.push('}');
    out
}

/// The id under which the provider knows the call: what `block` says under `key`,
/// else the call's own.
pub(super) fn id<'r>(
    result: &'r CallResult,
    block: Option<&'r Members<'_>>,
    key: &str,
) -> Cow<'r, str> {
    let written = block.and_then(|block| block.get(key)).and_then(string);
    written.unwrap_or(Cow::Borrowed(&result.call_id))
}

/// The block that is repeated, where there is one.
pub(super) fn block(source: Option<&str>) -> Option<Members<'_>> {
    source.and_then(members).map(Members)
}

/// The texts of a result, in order, where only texts are taken: why it failed,
/// first, then what it holds, files named. Never one without anything in it.
pub(super) fn texts(result: &CallResult) -> impl Iterator<Item = Cow<'_, str>> {
    let failure = result.failure.as_ref().map(|failure| Cow::Owned(failure.to_string()));
    let content = result.content.iter().map(text);
    failure.into_iter().chain(content).filter(|text| !text.trim().is_empty())
}

/// A result as one text, where the provider takes no more and has no flag for
/// errors: an error says so itself, and where there is nothing, that is said.
pub(super) fn flagged(result: &CallResult) -> String {
    let mut out = String::from(if result.is_error() { "Error: " } else { "" });
    for (place, text) in texts(result).enumerate() {
        out.push_str(if place > 0 { "\n" } else { "" });
        out.push_str(&text);
    }
    if out.is_empty() {
        out.push_str(NOTHING);
    }
    cut(out)
}

/// The text, cut where it is longer than the API takes, saying so.
pub(super) fn cut(mut text: String) -> String {
    let whole = text.len();
    if whole > TEXT_BYTES_MAX {
        // Room for the words.
        let room = TEXT_BYTES_MAX - 128;
        let kept = floor_char_boundary(&text, room);
        text.truncate(kept);
        text.push_str(&format!(
            "\n[Cut here: {kept} of {whole} bytes, the most that the API takes.]"
        ));
    }
    text
}

/// What a block says where only texts are taken.
pub(super) fn text(content: &Content) -> Cow<'_, str> {
    match content {
        Content::Text(words) => Cow::Borrowed(words),
        Content::Json(json) => Cow::Borrowed(json.as_str()),
        Content::Link { uri, name } if name.is_empty() => Cow::Borrowed(uri),
        Content::Link { uri, name } => Cow::Owned(format!("{name}: {uri}")),
        Content::Image { media_type, data } | Content::Document { media_type, data } => {
            Cow::Owned(format!("[A file ({media_type}) of {} bytes.]", data.len()))
        }
    }
}

/// A kind of file that providers look into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum File {
    /// A picture, and its media type.
    Image(&'static str),
    /// A PDF.
    Pdf,
}

/// What the bytes are. Providers compare them with the media type, so the bytes
/// decide, not what the backend called them.
pub(super) fn file(data: &[u8]) -> Option<File> {
    match data {
        [0xff, 0xd8, 0xff, ..] => Some(File::Image("image/jpeg")),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(File::Image("image/png")),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(File::Image("image/gif")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            Some(File::Image("image/webp"))
        }
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(File::Pdf),
        _ => None,
    }
}

/// A file as every provider's JSON carries it.
pub(super) fn base64(data: &[u8]) -> String {
    BASE64_STANDARD.encode(data)
}

/// The same at the end of what was written: a file may be large.
pub(super) fn encode_base64(out: &mut Vec<u8>, data: &[u8]) {
    let mut encoder = EncoderWriter::new(out, &BASE64_STANDARD);
    let written = encoder.write_all(data).and_then(|()| encoder.finish().map(drop));
    debug_assert!(written.is_ok(), "a file could not be written to memory");
}

/// The schema as its source text, saying that it is an object's: providers refuse
/// one that does not.
pub(super) fn object_schema(source: &str) -> String {
    let source = source.trim();
    match (members(source), source.strip_prefix('{')) {
        (Some(members), Some(rest)) if !members.iter().any(|(key, _)| key == "type") => {
            let comma = if members.is_empty() { "" } else { "," };
            format!(r#"{{"type":"object"{comma}{rest}"#)
        }
        _ => source.to_owned(),
    }
}
