//! Numbers that a reader of doubles would change.
//!
//! JavaScript, and every API that keeps JSON as `google.protobuf.Struct`, reads a
//! number as a double. An id of twenty digits that went through one is another id,
//! so such JSON goes to the model as text.

/// Digits that a double keeps, whatever they are.
const DIGITS_MAX: usize = 15;

/// Powers of ten that a double reaches with all of its digits.
const POWER_MAX: usize = 290;

/// Whether every number of a JSON text has the same value as a double.
pub(super) fn are_doubles(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = rest.find(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        rest = rest.get(at..).unwrap_or_default();
        if let Some(text) = rest.strip_prefix('"') {
            rest = after_string(text);
            continue;
        }
        let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = rest.find(|c| !is_of_number(c)).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        if !is_double(number) {
            return false;
        }
        rest = after;
    }
    true
}

/// What follows the end of a string whose beginning was passed.
fn after_string(mut text: &str) -> &str {
    while let Some(at) = text.find(['"', '\\']) {
        let is_end = text.as_bytes().get(at) == Some(&b'"');
        text = text.get(at + if is_end { 1 } else { 2 }..).unwrap_or_default();
        if is_end {
            return text;
        }
    }
    ""
}

fn is_double(number: &str) -> bool {
    let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let power = power.trim_start_matches('+').parse::<i32>().map(i32::unsigned_abs);
    let is_near = power.is_ok_and(|power| power as usize + digits.len() <= POWER_MAX);
    let counted = digits.trim_start_matches('0').trim_end_matches('0').len();
    // A zero is a double whatever its power.
    counted == 0 || (counted <= DIGITS_MAX && is_near)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_that_a_double_would_change_are_found_wherever_they_stand() {
        for json in [
            "12345678901234567890123",
            r#"{"id": 9007199254740993}"#,
            "[1, [2, {\"a\": -0.12345678901234567}]]",
            "1e400",
            "-1E-400",
            r#"["\"", 12345678901234567]"#,
            r#"{"\\": 12345678901234567}"#,
            "1e99999999999",
        ] {
            assert!(!are_doubles(json), "{json}");
        }
    }

    #[test]
    fn all_others_are_left_alone() {
        for json in [
            "",
            "null",
            "\"12345678901234567890123\"",
            r#"{"12345678901234567890": "\\\"12345678901234567890\""}"#,
            "[0, -0.0, 0e9999, 1.10, 1E+2, 123456789012345, 1000000000000000000000]",
            "0.000000000000000000012",
        ] {
            assert!(are_doubles(json), "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_is_let_through_comes_back_with_its_value(
            number in "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?"
        ) {
            if are_doubles(&number) {
                // The shortest text of a double has every digit that was kept.
                let double: f64 = number.parse().unwrap();
                prop_assert_eq!(plain(&format!("{double:e}")), plain(&number));
            }
        }

        #[test]
        fn no_text_whatever_makes_the_reader_fall(text in "\\PC{0,40}|[\"\\\\0-9eE.+-]{0,20}") {
            let _ = are_doubles(&text);
        }
    }

    /// A number's digits without zeros at either end, its sign, and the power of
    /// the first digit.
    fn plain(number: &str) -> (String, bool, i64) {
        let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let power: i64 = power.trim_start_matches('+').parse().unwrap();
        let (whole, part) = mantissa
            .trim_start_matches('-')
            .split_once('.')
            .unwrap_or((mantissa.trim_start_matches('-'), ""));
        let digits = format!("{whole}{part}");
        let kept = digits.trim_start_matches('0');
        if kept.is_empty() {
            return (String::new(), false, 0);
        }
        let first = whole.len() as i64 - (digits.len() - kept.len()) as i64 + power;
        (kept.trim_end_matches('0').to_owned(), number.starts_with('-'), first)
    }
}
