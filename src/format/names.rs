//! Names of tools where a provider takes fewer than we do.
//!
//! Ours are within what Anthropic (128 of `[a-zA-Z0-9_-]`), OpenAI and Bedrock (64 of
//! the same) take. Gemini wants a letter or `_` at the beginning.

use std::borrow::Cow;

/// What stands before a name that cannot stand alone.
const BEFORE: &str = "t__";

/// The name that the provider is told. No two tools are told by the same one.
pub(super) fn told(name: &str) -> Cow<'_, str> {
    if needs(name) { Cow::Owned(format!("{BEFORE}{name}")) } else { Cow::Borrowed(name) }
}

/// The tool that the model means by that name.
pub(super) fn own(written: &str) -> &str {
    written.strip_prefix(BEFORE).filter(|rest| needs(rest)).unwrap_or(written)
}

/// Whether the name cannot stand alone, or would be taken for one that cannot.
fn needs(name: &str) -> bool {
    let bare = name.trim_start_matches(BEFORE);
    bare.starts_with(|first: char| first.is_ascii_digit() || first == '-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_name_that_cannot_stand_is_told_by_another() {
        for (name, as_told) in [
            ("get_user", "get_user"),
            ("_x", "_x"),
            ("t__get", "t__get"),
            ("2fa", "t__2fa"),
            ("-x", "t__-x"),
            ("t__2fa", "t__t__2fa"),
        ] {
            assert_eq!((&*told(name), own(as_told)), (as_told, name));
        }
    }

    proptest! {
        #[test]
        fn every_name_of_ours_is_one_of_the_providers_and_is_found_again(
            name in "(t__){0,2}[a-zA-Z0-9_-]{1,10}|[a-zA-Z0-9_-]{64}",
        ) {
            let as_told = told(&name);
            prop_assert!(as_told.len() <= 128);
            prop_assert!(as_told.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
            prop_assert_eq!(own(&as_told), &*name);
        }

        #[test]
        fn a_name_that_a_model_may_write_goes_back_as_it_was_written(
            written in "(t__){0,2}[a-zA-Z_][a-zA-Z0-9_-]{0,6}|(t__){1,2}[0-9-][a-z]{0,3}",
        ) {
            prop_assert_eq!(&*told(own(&written)), &*written);
        }
    }
}
