//! What is read of certificates: the names in one that was verified, and when one ends.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;
use x509_parser::{certificate::X509Certificate, prelude::FromDer, x509::X509Name};

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
        let (_, whole) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            dns: read.valid_dns_names().map(str::to_owned).collect(),
            uris: read.valid_uri_names().map(str::to_owned).collect(),
            common_name: common_name(whole.subject()),
        })
    }
}

/// When a certificate ends, in seconds since 1970. `None` where it is none, or ended
/// before that.
pub(super) fn ends_at(der: &CertificateDer<'_>) -> Option<u64> {
    let (_, read) = X509Certificate::from_der(der).ok()?;
    u64::try_from(read.validity().not_after.timestamp()).ok()
}

/// The common name of a subject. `None` where there are two, of which a reader could
/// take either.
fn common_name(subject: &X509Name<'_>) -> Option<String> {
    let mut names = subject.iter_common_name();
    let name = names.next().filter(|_| names.next().is_none())?;
    name.as_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// `id-at-commonName` and `id-at-organizationName` (RFC 5280, appendix A.1).
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];

    const SEQUENCE: u8 = 0x30;
    const SET: u8 = 0x31;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    const UTF8_STRING: u8 = 0x0c;
    const PRINTABLE_STRING: u8 = 0x13;

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

    /// The common name of a subject of these sets.
    fn named(sets: &[u8]) -> Option<String> {
        let name = der(SEQUENCE, &[sets]);
        common_name(&X509Name::from_der(&name).ok()?.1)
    }

    #[test]
    fn the_common_name_is_found_among_other_attributes() {
        let long = "x".repeat(300);
        for name in ["planner", "", "Zoë", &"y".repeat(200), &long] {
            let subject = subject(&[
                attribute(ORGANISATION, PRINTABLE_STRING, b"system:masters"),
                attribute(COMMON_NAME, UTF8_STRING, name.as_bytes()),
            ]);
            assert_eq!(named(&subject).as_deref(), Some(name));
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
            assert_eq!(named(&bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_certificate_ends_when_its_maker_says() {
        for (year, expected) in
            [(2027, Some(1_798_761_600)), (2050, Some(2_524_608_000)), (1969, None)]
        {
            let mut params = CertificateParams::new(vec!["sidecall.test".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 1, 1);
            let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(ends_at(made.der()), expected);
            for cut in [0, 1, 40, 100] {
                assert_eq!(ends_at(&made.der()[..cut].to_vec().into()), None);
            }
        }
    }
}
