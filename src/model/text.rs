//! Places in texts.

/// The last place at or before `at` that is between two characters, or an end. As the
/// standard library's of this name, which comes with Rust 1.91.
pub(crate) fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut() {
        let expected = [0, 1, 1, 3, 3, 3, 6, 6, 6];
        let found = [0, 1, 2, 3, 4, 5, 6, 7, usize::MAX].map(|at| floor_char_boundary("xü€", at));
        assert_eq!(found, expected);
        assert_eq!(floor_char_boundary("", 3), 0);
    }
}
