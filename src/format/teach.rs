//! What a model is told beside its tools: how references are written, and how long
//! a call takes.

use std::time::Duration;

/// For the system prompt of a model whose turns have references on.
pub const REFERENCES: &str = r##"Call tools that do not need each other's results together in one turn: they run at once. An input may take a value from another call of the same turn, so never wait for a result only to copy it, and never guess it. Write "${get_user.id}": before the dot the other tool's name (get_user#2 for its second call), after it the JSONPath in its result: "${find.items[0].id}"; "${find.items[*].id}" gives an array and "${find}" the whole. A string that is one reference becomes the value with its JSON type; within a longer string its text is inserted. {"$ref": "get_user.tier", "default": "free"} falls back where that call fails. Write $${ for a literal ${."##;

/// How long a call takes, for the end of a tool's description. Rounded so that it
/// stays the same words, and a prompt cache holds, while the tool stays as fast.
pub fn latency(measured: Duration) -> String {
    let ms = rounded(measured.as_millis().max(1));
    match ms {
        ..1000 => format!("Returns in about {ms} ms."),
        _ if ms.is_multiple_of(1000) => format!("Returns in about {} s.", ms / 1000),
        _ => format!("Returns in about {}.{} s.", ms / 1000, ms % 1000 / 100),
    }
}

/// One digit, or two where the first is 1: within a quarter of the number.
fn rounded(number: u128) -> u128 {
    let mut unit = 1;
    while number / unit >= 20 {
        unit *= 10;
    }
    (number + unit / 2) / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_costs_at_most_two_hundred_tokens() {
        // Four bytes a token is what English comes to, and three quarters of a word.
        // `tests/it` counts them with tokenizers.
        let by_bytes = REFERENCES.len() / 4;
        let by_words = REFERENCES.split_whitespace().count() * 135 / 100;
        assert!(by_bytes.max(by_words) <= 200, "{by_bytes} or {by_words} tokens");
    }

    #[test]
    fn a_latency_is_told_in_a_digit_or_two() {
        for (measured_us, told) in [
            (0, "1 ms"),
            (1_999, "1 ms"),
            (19_400, "19 ms"),
            (20_000, "20 ms"),
            (97_000, "100 ms"),
            (123_000, "120 ms"),
            (186_000, "190 ms"),
            (249_999, "200 ms"),
            (960_000, "1 s"),
            (1_449_000, "1.4 s"),
            (2_600_000, "3 s"),
            (61_000_000, "60 s"),
            (125_000_000, "130 s"),
        ] {
            let latency = latency(Duration::from_micros(measured_us));
            assert_eq!(latency, format!("Returns in about {told}."));
        }
    }
}
