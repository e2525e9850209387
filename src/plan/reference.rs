//! The grammar of references.
//!
//! ```text
//! in a string     = "${" reference "}"         ; "$${" is a literal "${"
//! as an object    = {"$ref": reference}, or with a member "default"
//! reference       = target path
//! target          = word / word "#" number / number
//! word            = 1*( ALPHA / DIGIT / "_" / "-" )
//! path            = RFC 9535 JSONPath without its "$"; may be empty
//! ```
//!
//! The characters of a target end where those of a path begin (`.` or `[`), so
//! `${1}` can never be read in `${10}`.

use std::{fmt, num::NonZeroUsize, str::FromStr};

use super::Path;

/// Longest reference, in bytes. Nobody writes longer ones by hand, and a model
/// that does has lost its way.
pub(super) const BYTES_MAX: usize = 1024;

/// A place in another call's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Which call.
    pub target: Target,
    /// Where in its result.
    pub path: Path,
}

/// Which call is meant. What it names is known only beside the calls: an id goes
/// before a tool's name, and both go before a position.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// The call of that id, or else the only call of that tool.
    Named(Box<str>),
    /// The n-th call of a tool, from 1: `get_user#2`.
    Nth {
        /// The tool.
        tool: Box<str>,
        /// Which of its calls, from 1.
        nth: NonZeroUsize,
    },
    /// The n-th call of the turn, from 1, unless a call or a tool is called so.
    Position(NonZeroUsize),
}

/// Why a text is no reference.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Longer than 1,024 bytes.
    #[error("it is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// It does not begin with a target.
    #[error(
        "it does not begin with a call; write a tool's name (`get_user`), one of several calls of a tool (`get_user#2`), a position (`1`) or a call id"
    )]
    NoTarget,
    /// What follows the target is no path.
    #[error("its path cannot be read: {0}")]
    Path(String),
}

impl Target {
    /// Reads a target from the beginning of `text`; gives what follows it.
    pub(super) fn split(text: &str) -> Option<(Self, &str)> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        if word.is_empty() {
            return None;
        }
        if let Some(number) = rest.strip_prefix('#') {
            let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
            let (number, rest) = number.split_at(end);
            return Some((Self::Nth { tool: word.into(), nth: canonical(number)? }, rest));
        }
        Some((canonical(word).map_or_else(|| Self::Named(word.into()), Self::Position), rest))
    }
}

/// A number as it would be written: not `0`, not `01`.
fn canonical(digits: &str) -> Option<NonZeroUsize> {
    digits.parse().ok().filter(|_| !digits.starts_with(['0', '+']))
}

impl FromStr for Target {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match Self::split(text) {
            Some((target, "")) => Ok(target),
            _ => Err(Fault::NoTarget),
        }
    }
}

impl FromStr for Reference {
    type Err = Fault;

    /// Blanks around it do not matter.
    fn from_str(text: &str) -> Result<Self, Fault> {
        if text.len() > BYTES_MAX {
            return Err(Fault::TooLong);
        }
        let (target, path) = Target::split(text.trim_ascii()).ok_or(Fault::NoTarget)?;
        let begins = path.trim_ascii_start();
        if !begins.is_empty() && !begins.starts_with(['.', '[']) {
            return Err(Fault::NoTarget);
        }
        Ok(Self { target, path: Path::try_new(path).map_err(Fault::Path)? })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Nth { tool, nth } => write!(f, "{tool}#{nth}"),
            Self::Position(position) => write!(f, "{position}"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.target, self.path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn what_is_no_reference_is_refused_with_the_reason() {
        for (text, says) in [
            ("", "does not begin with a call"),
            (" ", "does not begin with a call"),
            (".id", "does not begin with a call"),
            ("[0]", "does not begin with a call"),
            ("$.id", "does not begin with a call"),
            ("größe.id", "does not begin with a call"),
            ("get user.id", "does not begin with a call"),
            ("a:-b", "does not begin with a call"),
            ("get_user#", "does not begin with a call"),
            ("get_user#0", "does not begin with a call"),
            ("get_user#01", "does not begin with a call"),
            ("get_user#-1", "does not begin with a call"),
            ("get_user#2#3", "does not begin with a call"),
            ("a.", "its path cannot be read: at byte"),
            ("a..", "its path cannot be read"),
            ("a.b.", "its path cannot be read"),
            ("a. b", "its path cannot be read"),
            ("a.1", "its path cannot be read"),
            ("a[", "its path cannot be read"),
            ("a[]", "its path cannot be read"),
            ("a[b]", "its path cannot be read"),
            ("a[01]", "its path cannot be read"),
            ("a[-0]", "its path cannot be read"),
            ("a[1", "its path cannot be read"),
            ("a[9007199254740992]", "its path cannot be read"),
            ("a['b]", "its path cannot be read"),
            ("a['b\"]", "a quote in it is never closed"),
            (r"a['\u", "a quote in it is never closed"),
            (r#"a[*]["\uD83D\uD"#, "a quote in it is never closed"),
            (r#"a["\'"]"#, "its path cannot be read"),
            (r#"a['\"']"#, "its path cannot be read"),
            (r"a['\x']", "its path cannot be read"),
            (r"a['\ud800']", "its path cannot be read"),
            ("a['b'] c", "its path cannot be read"),
            ("a.first-name", "`.first-name` is not a JSONPath step; write `['first-name']`"),
            (&format!("a{}", "[0]".repeat(400)), "longer than 1024 bytes"),
            (&format!("a[?{}@.b{}]", "(".repeat(40), ")".repeat(40)), "nests 41 brackets"),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_target_ends_where_it_ends_and_never_in_a_longer_one() {
        let nth = |nth| NonZeroUsize::new(nth).unwrap();
        for (text, target, path) in [
            ("1", Target::Position(nth(1)), ""),
            ("10", Target::Position(nth(10)), ""),
            ("100[0]", Target::Position(nth(100)), "[0]"),
            ("0", Target::Named("0".into()), ""),
            ("01", Target::Named("01".into()), ""),
            ("99999999999999999999", Target::Named("99999999999999999999".into()), ""),
            ("1a.b", Target::Named("1a".into()), ".b"),
            ("toolu_01-A.id", Target::Named("toolu_01-A".into()), ".id"),
            ("get_user#2.id", Target::Nth { tool: "get_user".into(), nth: nth(2) }, ".id"),
            ("get_user#20", Target::Nth { tool: "get_user".into(), nth: nth(20) }, ""),
            (" a .b ", Target::Named("a".into()), ".b"),
            ("a['Exchange Rate'].x", Target::Named("a".into()), "['Exchange Rate'].x"),
            (r#"a["it's"]"#, Target::Named("a".into()), r"['it\'s']"),
            (r#"a[ "\u0061" ]"#, Target::Named("a".into()), ".a"),
            ("a[-1]", Target::Named("a".into()), "[-1]"),
            ("a[*].id", Target::Named("a".into()), "[*].id"),
            ("a..id", Target::Named("a".into()), "..id"),
            ("a[?@.n > 1].id", Target::Named("a".into()), "[?@.n > 1].id"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.target, target, "{text:?}");
            assert_eq!(reference.path.to_string(), path, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_reference_that_is_written_is_read_as_the_same(
            target in prop_oneof!["[a-zA-Z0-9_-]{1,12}", "[a-z_]{1,6}#[1-9][0-9]{0,3}"],
            steps in vec(
                prop_oneof![
                    any::<i32>().prop_map(|index| format!("[{index}]")),
                    "\\.[a-z_é][a-z0-9_é]{0,6}",
                    ".{0,8}".prop_map(|name| {
                        format!("[{}]", serde_json::Value::from(name))
                    }),
                    Just("[*]".to_owned()),
                    Just("..a".to_owned()),
                ],
                0..6,
            ),
        ) {
            let text = format!("{target}{}", steps.concat());
            let reference: Reference = text.parse().unwrap();
            let written = reference.to_string();
            prop_assert_eq!(&written.parse::<Reference>().unwrap(), &reference);
        }
    }
}
