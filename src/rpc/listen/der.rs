//! What is read of certificates, as they are written: DER (X.690).

use rustls::pki_types::CertificateDer;

pub(super) const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version of a certificate, where it is not the first.
const VERSION: u8 = 0xa0;

/// When a certificate ends, in seconds since 1970 (RFC 5280, section 4.1.2.5). `None`
/// where it is none, or ended before that.
pub(super) fn ends_at(certificate: &CertificateDer<'_>) -> Option<u64> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (signed, _) = element(certificate, SEQUENCE)?;
    let rest = element(signed, VERSION).map_or(signed, |(_, rest)| rest);
    let (_serial, rest) = element(rest, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (_issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, not_after) = time(validity)?;
    let (kind, _) = time(not_after)?;
    seconds(kind)
}

/// A time, as its text with four digits of a year, and what follows it.
fn time(bytes: &[u8]) -> Option<(Time<'_>, &[u8])> {
    if let Some((text, rest)) = element(bytes, UTC_TIME) {
        // Two digits mean 1950 to 2049.
        let year = number(text.get(..2)?)?;
        let century = if year < 50 { 2000 } else { 1900 };
        return Some((Time { year: century + year, rest: text.get(2..)? }, rest));
    }
    let (text, rest) = element(bytes, GENERALIZED_TIME)?;
    Some((Time { year: number(text.get(..4)?)?, rest: text.get(4..)? }, rest))
}

/// A year, and the rest: `MMDDHHMMSSZ`.
struct Time<'a> {
    year: u64,
    rest: &'a [u8],
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

fn seconds(Time { year, rest }: Time<'_>) -> Option<u64> {
    let ([digits @ .., b'Z'], 11) = (rest, rest.len()) else { return None };
    let mut parts = digits.chunks(2).map(number);
    let [month, day, hour, minute, second] = std::array::from_fn(|_| parts.next().flatten());
    let (month, day) = (month.filter(|of| (1..=12).contains(of))?, day.filter(|of| *of > 0)?);
    // Years from March on, so that a leap day is the last of one.
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // The first of March of year 0 to that of January 1970.
    let days = days.checked_sub(719_468)?;
    Some(((days * 24 + hour?) * 60 + minute?) * 60 + second?)
}

/// The content of the first element of DER, which must have this tag, and what
/// follows it.
pub(super) fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        0x80.. => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            // No certificate is longer than that, nor is its length in vain so long.
            let [high @ .., low] = digits else { return None };
            let high = match high {
                [] => 0,
                [high] => *high,
                _ => return None,
            };
            (usize::from(u16::from_be_bytes([high, *low])), rest)
        }
        _ => (usize::from(length), rest),
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn at(text: &str) -> Option<u64> {
        let kind = if text.len() > 13 { GENERALIZED_TIME } else { UTC_TIME };
        let der = [&[kind, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        seconds(time(&der)?.0)
    }

    #[test]
    fn a_time_is_read_as_both_kinds_have_it() {
        for (text, expected) in [
            ("700101000000Z", Some(0)),
            ("19700101000000Z", Some(0)),
            ("000229235959Z", Some(951_868_799)),
            ("20000301000000Z", Some(951_868_800)),
            ("491231235959Z", Some(2_524_607_999)),
            ("21000228000000Z", Some(4_107_456_000)),
            ("21000301000000Z", Some(4_107_542_400)),
            // No certificate ends (RFC 5280, section 4.1.2.5).
            ("99991231235959Z", Some(253_402_300_799)),
            ("691231235959Z", None),
            ("000229235959", None),
            ("001329235959Z", None),
            ("000029235959Z", None),
            ("000200235959Z", None),
            ("0002292359Z", None),
            ("00022923595\u{660}Z", None),
            ("20000229235959+0000", None),
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
    }

    #[test]
    fn a_certificate_ends_when_its_maker_says() {
        for (year, expected) in [(2027, 1_798_761_600), (2050, 2_524_608_000)] {
            let mut params = CertificateParams::new(vec!["sidecall.test".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 1, 1);
            let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(ends_at(made.der()), Some(expected));
            for cut in [0, 1, 40, 100] {
                assert_eq!(ends_at(&made.der()[..cut].to_vec().into()), None);
            }
        }
    }
}
