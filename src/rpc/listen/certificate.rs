//! The names in a certificate that was verified.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::der::{SEQUENCE, element};

/// What a client's certificate says of it. Only one that an authority of the
/// listener vouches for comes to be one of these.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Certificate {
    /// Its DNS names.
    pub dns: Vec<String>,
    /// Its URIs, such as a SPIFFE ID.
    pub uris: Vec<String>,
    /// Its subject's common name, where it has one that is text.
    pub common_name: Option<String>,
}

impl Certificate {
    /// Reads the names of a certificate. `None` where it is none.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let read = EndEntityCert::try_from(der).ok()?;
        Some(Self {
            dns: read.valid_dns_names().map(str::to_owned).collect(),
            uris: read.valid_uri_names().map(str::to_owned).collect(),
            common_name: common_name(read.subject()),
        })
    }
}

/// `id-at-commonName`, 2.5.4.3 (RFC 5280, appendix A.1).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// Of these every text is UTF-8, too.
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;

/// The common name of a subject: a list of sets of type and value (RFC 5280,
/// section 4.1.2.4). `None` where there are two, of which a reader could take
/// either.
fn common_name(mut subject: &[u8]) -> Option<String> {
    let mut found = None;
    while !subject.is_empty() {
        let (mut set, rest) = element(subject, SET)?;
        subject = rest;
        while !set.is_empty() {
            let (attribute, rest) = element(set, SEQUENCE)?;
            set = rest;
            let (kind, value) = element(attribute, OBJECT_IDENTIFIER)?;
            if kind != COMMON_NAME {
                continue;
            }
            let tag = *value.first()?;
            if !matches!(tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING) || found.is_some() {
                return None;
            }
            let (text, _) = element(value, tag)?;
            found = Some(std::str::from_utf8(text).ok()?.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        let mut bytes = vec![tag];
        match u8::try_from(content.len()) {
            Ok(length @ ..0x80) => bytes.push(length),
            Ok(length) => bytes.extend([0x81, length]),
            Err(_) => {
                bytes.push(0x82);
                bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            }
        }
        bytes.extend(content);
        bytes
    }

    fn attribute(kind: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
        let parts = [der(OBJECT_IDENTIFIER, &[kind]), der(tag, &[text])];
        der(SEQUENCE, &[&parts[0], &parts[1]])
    }

    /// One set for each attribute.
    fn subject(attributes: &[Vec<u8>]) -> Vec<u8> {
        attributes.iter().flat_map(|attribute| der(SET, &[attribute])).collect()
    }

    const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];

    #[test]
    fn the_common_name_is_found_among_other_attributes() {
        let long = "x".repeat(300);
        for name in ["planner", "", "Zoë", &"y".repeat(200), &long] {
            let subject = subject(&[
                attribute(ORGANISATION, PRINTABLE_STRING, b"system:masters"),
                attribute(COMMON_NAME, UTF8_STRING, name.as_bytes()),
            ]);
            assert_eq!(common_name(&subject).as_deref(), Some(name));
        }
    }

    #[test]
    fn what_is_not_one_text_is_no_common_name() {
        let name = |tag, text: &[u8]| attribute(COMMON_NAME, tag, text);
        let two = [name(UTF8_STRING, b"a"), name(UTF8_STRING, b"b")];
        for bytes in [
            Vec::new(),
            subject(&[attribute(ORGANISATION, UTF8_STRING, b"planner")]),
            subject(&two),
            der(SET, &[&two[0], &two[1]]),
            // Another way to write it than any of these: UTF-16.
            subject(&[name(0x1e, b"\0a")]),
            subject(&[name(UTF8_STRING, b"\xff")]),
            subject(&[name(UTF8_STRING, b"a")])[..8].to_vec(),
            vec![SET, 0x80],
            vec![SET, 0x83, 0, 0, 1, 0],
            vec![SET, 0xff],
            vec![SEQUENCE, 0],
        ] {
            assert_eq!(common_name(&bytes), None, "{bytes:?}");
        }
    }
}
