//! The known word that somebody most likely meant.

/// The candidate with the least edits, if it is near enough to be meant: a third
/// of its letters may differ.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= (candidate.chars().count().max(word.len()) / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// No key is longer; what is cut off keeps the work bounded.
const LONGEST: usize = 128;

/// Insertions, deletions, replacements and swaps of neighbours (optimal string
/// alignment).
fn distance(word: &[char], candidate: &str) -> usize {
    let candidate: Vec<char> =
        candidate.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=candidate.len()).collect();
    for (row, letter) in word.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in candidate.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut least = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let is_swap = row > 0
                && column > 0
                && *letter == candidate[column - 1]
                && word[row - 1] == *other;
            if is_swap {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[candidate.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_word() {
        let keys = ["timeout", "concurrency", "headers", "url", "get"];
        for (word, meant) in [
            ("timeuot", Some("timeout")),
            ("Timeout", Some("timeout")),
            ("concurency", Some("concurrency")),
            ("header", Some("headers")),
            ("ulr", Some("url")),
            ("gett", Some("get")),
            ("banana", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
    }
}
