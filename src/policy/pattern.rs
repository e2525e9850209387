//! Names of tools with `*` for any text in them.

use std::{fmt, sync::Arc};

/// A name of tools: `get_user`, `crm_*`, `*_read`, `*`.
#[derive(Clone, Eq, PartialEq)]
pub struct Pattern {
    text: Arc<str>,
    /// What stands between its stars; one more than there are stars.
    pieces: Box<[Box<str>]>,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is nothing in it.
    #[error("a pattern of no text fits no tool")]
    Empty,
    /// Longer than any tool's name.
    #[error("a tool's name has at most {} characters", Pattern::CHARACTERS_MAX)]
    TooLong,
    /// A character that no tool's name has.
    #[error("no tool's name holds {character:?}")]
    Character {
        /// The first of them.
        character: char,
        /// At which byte.
        at: usize,
    },
}

impl Pattern {
    /// Most characters of one: no tool's name has more.
    pub const CHARACTERS_MAX: usize = 64;

    /// Reads a pattern: letters, digits, `_`, `-`, and `*` for any text or none.
    ///
    /// # Errors
    ///
    /// [`Error`] says what is wrong with the text.
    pub fn try_new(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Empty);
        }
        let is_foreign = |c: char| !c.is_ascii_alphanumeric() && !"_-*".contains(c);
        if let Some((at, character)) = text.char_indices().find(|(_, c)| is_foreign(*c)) {
            return Err(Error::Character { character, at });
        }
        if text.len() > Self::CHARACTERS_MAX {
            return Err(Error::TooLong);
        }
        Ok(Self { text: text.into(), pieces: text.split('*').map(Box::from).collect() })
    }

    /// Whether it fits the whole name.
    pub fn fits(&self, name: &str) -> bool {
        match &*self.pieces {
            [] => false,
            [whole] => name == &**whole,
            [first, between @ .., last] => {
                let rest = name.strip_prefix(&**first);
                let Some(mut rest) = rest.and_then(|rest| rest.strip_suffix(&**last)) else {
                    return false;
                };
                for piece in between {
                    // The first place is as good as any: a star takes what is left.
                    let Some(at) = rest.find(&**piece) else { return false };
                    rest = &rest[at + piece.len()..];
                }
                true
            }
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is one tool's name.
    pub fn is_name(&self) -> bool {
        self.pieces.len() == 1
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        Pattern::try_new(pattern).unwrap().fits(name)
    }

    #[test]
    fn a_pattern_fits_the_whole_name_or_nothing() {
        for (pattern, name) in [
            ("get_user", "get_users"),
            ("get_user", "Get_user"),
            ("get_user", ""),
            ("crm_*", "crm"),
            ("crm_*", "my_crm_x"),
            ("*_read", "crm_reads"),
            ("a*a", "a"),
            ("ab*ba", "aba"),
            ("a*b*c", "acb"),
            ("a*bb*b", "abb"),
            ("*a*b*", "ba"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("get_user", "get_user"),
            ("crm_*", "crm_"),
            ("crm_*", "crm_get_user"),
            ("*_read", "crm_read"),
            ("*", "x"),
            ("*", ""),
            ("**", "x"),
            ("a*a", "aa"),
            ("a*b*c", "a_b_b_c"),
            ("a*bb*b", "abbb"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn what_could_fit_no_tool_is_no_pattern() {
        assert_eq!(Pattern::try_new(""), Err(Error::Empty));
        assert_eq!(Pattern::try_new(&"x".repeat(65)), Err(Error::TooLong));
        for (text, character, at) in [
            ("crm.*", '.', 3),
            ("crm_?", '?', 4),
            ("größe", 'ö', 2),
            ("[ab]", '[', 0),
            ("a b", ' ', 1),
        ] {
            assert_eq!(Pattern::try_new(text), Err(Error::Character { character, at }), "{text}");
        }
    }

    /// The rule as it stands: a star takes nothing, or one character and goes on.
    fn fits_by_the_rule(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', pattern @ ..], _) if fits_by_the_rule(pattern, name) => true,
            ([b'*', ..], [_, name @ ..]) => fits_by_the_rule(pattern, name),
            ([one, pattern @ ..], [other, name @ ..]) if one == other => {
                fits_by_the_rule(pattern, name)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_the_rule_says(pattern in "[ab*]{1,8}", name in "[ab]{0,10}") {
            let by_the_rule = fits_by_the_rule(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(fits(&pattern, &name), by_the_rule);
        }
    }
}
