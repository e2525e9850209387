//! One way to write a number.

/// Numbers are written out up to so many digits.
const WRITTEN_OUT: usize = 40;

/// The one way to write the number that the JSON text `raw` is: `7`, `7.0` and
/// `70e-1` are `7`. No digit is lost, whatever its size.
///
/// An exponent that no computer counts to is cut: numbers which are that large
/// or that small may be taken for each other.
pub(super) fn canonical(raw: &str) -> String {
    let (sign, rest) = raw.strip_prefix('-').map_or(("", raw), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let leading = digits.trim_start_matches('0');
    let significant = leading.trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let trailing = leading.len() - significant.len();
    let beyond = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
    let exponent = exponent.parse().map_or(beyond, |exponent: i64| exponent.clamp(-MOST, MOST));
    let exponent = exponent + count(trailing) - count(fraction.len());
    format!("{sign}{}", written(significant, exponent))
}

const MOST: i64 = i64::MAX / 2;

fn count(digits: usize) -> i64 {
    i64::try_from(digits).unwrap_or(MOST / 2)
}

/// `digits` times ten to the `exponent`.
fn written(digits: &str, exponent: i64) -> String {
    let zeros = usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX);
    if digits.len().saturating_add(zeros) > WRITTEN_OUT && exponent != 0 {
        return format!("{digits}e{exponent}");
    }
    if exponent >= 0 {
        return format!("{digits}{}", "0".repeat(zeros));
    }
    match digits.len().checked_sub(zeros).filter(|whole| *whole > 0) {
        Some(whole) => format!("{}.{}", &digits[..whole], &digits[whole..]),
        None => format!("0.{}{digits}", "0".repeat(zeros - digits.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_one_way() {
        for (raw, expected) in [
            ("7", "7"),
            ("7.0", "7"),
            ("70e-1", "7"),
            ("0.7E+1", "7"),
            ("0", "0"),
            ("-0", "0"),
            ("-0.0e5", "0"),
            ("-7", "-7"),
            ("1.10", "1.1"),
            ("110e-2", "1.1"),
            ("0.05", "0.05"),
            ("5e-2", "0.05"),
            ("1e3", "1000"),
            ("1000", "1000"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("12345678901234567890123.0", "12345678901234567890123"),
            ("1e100", "1e100"),
            ("10e99", "1e100"),
            ("0.1e-99", "1e-100"),
        ] {
            assert_eq!(canonical(raw), expected, "{raw}");
        }
        let long = format!("1{}", "2".repeat(100));
        assert_eq!(canonical(&long), long);
    }

    #[test]
    fn exponents_beyond_counting_are_taken_without_breaking() {
        let huge = "9".repeat(40);
        for raw in [format!("1e{huge}"), format!("0.1e-{huge}"), format!("10.0e{}", i64::MAX)] {
            assert!(canonical(&raw).starts_with("1e"), "{raw}");
        }
        assert_ne!(canonical(&format!("1e{huge}")), canonical(&format!("1e-{huge}")));
    }

    #[test]
    fn other_numbers_are_written_otherwise() {
        let numbers = ["1", "-1", "10", "0.1", "1.01", "1e50", "1e51", "1e-50", "11e49"];
        for (at, one) in numbers.iter().enumerate() {
            for other in &numbers[at + 1..] {
                assert_ne!(canonical(one), canonical(other), "{one} and {other}");
            }
        }
    }
}
