//! The forms that a secret takes on its way through other programs.

use base64::{Engine, alphabet, engine::general_purpose as base64_engine};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A longer value is a key or a document; its forms are several times as large,
/// and it is sought in those alone that cost little.
const LONG_BYTES: usize = 1 << 10;
/// Shorter encodings are words of their own in too many texts.
const ENCODED_BYTES_MIN: usize = 6;

/// The schemes that stand before credentials in a header.
const SCHEMES: [&str; 6] = ["basic", "bearer", "digest", "apikey", "negotiate", "token"];

/// What RFC 3986 leaves as it is everywhere.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What JavaScript's `encodeURIComponent` leaves.
const COMPONENT: &AsciiSet =
    &UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
/// What its `encodeURI` leaves.
const ADDRESS: &AsciiSet = &COMPONENT
    .remove(b';')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'#');

/// A secret, and without its scheme where it names one.
pub(super) fn credentials(value: &str) -> Vec<Box<str>> {
    let value = value.trim();
    let mut credentials = vec![value.into()];
    if let Some((scheme, rest)) = value.split_once(' ')
        && SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))
    {
        credentials.push(rest.trim().into());
    }
    credentials
}

/// Every form of a value that is worth looking for, the value itself among them.
pub(super) fn of(value: &str) -> Vec<Box<str>> {
    let json = in_json(value);
    let mut forms = vec![value.to_owned(), in_json(&json), json.replace('/', "\\/"), json];
    if value.len() <= LONG_BYTES {
        forms.extend([ascii_json(value), in_debug(value)]);
        forms.extend(in_html(value));
        forms.extend(percent_encoded(value));
        let encoded = base64_encoded(value.as_bytes()).into_iter().chain(hex(value.as_bytes()));
        forms.extend(encoded.filter(|form| form.len() >= ENCODED_BYTES_MIN));
    }
    forms.into_iter().map(String::into_boxed_str).collect()
}

/// As it stands in a JSON string.
fn in_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As programs in Rust log it.
fn in_debug(value: &str) -> String {
    let quoted = format!("{value:?}");
    quoted[1..quoted.len() - 1].to_owned()
}

/// As it stands in JSON that is ASCII alone.
fn ascii_json(value: &str) -> String {
    let mut text = String::new();
    for character in in_json(value).chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            text.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// As it stands in a page.
fn in_html(value: &str) -> [String; 2] {
    let text = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    [
        text.replace('"', "&quot;").replace('\'', "&#39;"),
        text.replace('"', "&#34;").replace('\'', "&#x27;"),
    ]
}

/// As it stands in an address or a form, in both cases of its digits.
fn percent_encoded(value: &str) -> Vec<String> {
    let encode = |set| utf8_percent_encode(value, set).to_string();
    let mut forms: Vec<_> = [NON_ALPHANUMERIC, UNRESERVED, COMPONENT, ADDRESS].map(encode).to_vec();
    forms.push(encode(UNRESERVED).replace("%20", "+"));
    let lower: Vec<_> = forms.iter().map(|form| lowered(form)).collect();
    forms.extend(lower);
    forms
}

/// With the digits behind each `%` in lower case.
fn lowered(form: &str) -> String {
    let mut pieces = form.split('%');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at(piece.len().min(2));
        text.push('%');
        text.push_str(&digits.to_ascii_lowercase());
        text.push_str(rest);
    }
    text
}

/// What of its base64 is certain wherever it begins in what was encoded.
fn base64_encoded(value: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
        let engine = base64_engine::GeneralPurpose::new(alphabet, base64_engine::NO_PAD);
        forms.push(engine.encode(value));
        for before in 0..3_usize {
            let shifted = [&[0; 2][..before], value].concat();
            let text = engine.encode(&shifted);
            // Characters of six bits, of which the outer ones belong to others, too.
            let (from, to) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
            forms.extend(text.get(from..to).map(str::to_owned));
        }
    }
    forms
}

fn hex(value: &[u8]) -> [String; 2] {
    let lower: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    let upper = lower.to_ascii_uppercase();
    [lower, upper]
}
