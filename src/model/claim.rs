//! What a call reads and writes, by name.

use std::sync::Arc;

/// One resource that a call reads or writes: `order/17`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// Which one.
    pub key: ClaimKey,
    /// What is done to it.
    pub access: Access,
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Access {
    /// Read: together with others that read it.
    Read,
    /// Changed: alone.
    Write,
}

/// Which resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClaimKey {
    /// Its name.
    Known(Arc<str>),
    /// What is known of its name while a part of it is yet to come from another
    /// call's result: the text before, between and after those parts. Two
    /// pieces at least.
    Unknown(Vec<Arc<str>>),
}

impl Claim {
    /// Whether the two may not hold at the same time, as far as their keys are
    /// known.
    pub fn may_conflict(&self, other: &Self) -> bool {
        (self.access, other.access) != (Access::Read, Access::Read)
            && self.key.may_equal(&other.key)
    }
}

impl ClaimKey {
    /// Whether both may come to name the same resource.
    ///
    /// Of two names that are not known, only the texts at their ends are
    /// compared: it may say so of two that never will, never the other way.
    pub fn may_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => one == other,
            (Self::Known(name), Self::Unknown(pieces))
            | (Self::Unknown(pieces), Self::Known(name)) => fits(name, pieces),
            (Self::Unknown(one), Self::Unknown(other)) => {
                let first = agree(one.first(), other.first(), |one, other| one.starts_with(other));
                let last = agree(one.last(), other.last(), |one, other| one.ends_with(other));
                first && last
            }
        }
    }
}

/// Whether `name` has all of `pieces` in that order, the first at its start and
/// the last at its end.
fn fits(name: &str, pieces: &[Arc<str>]) -> bool {
    let [first, between @ .., last] = pieces else {
        return true;
    };
    let ends_cut = name.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last));
    ends_cut.is_some_and(|middle| {
        let mut from = 0;
        // The leftmost place of each piece leaves the most room for the next.
        between.iter().all(|piece| match middle[from..].find(&**piece) {
            Some(at) => {
                from += at + piece.len();
                true
            }
            None => false,
        })
    })
}

fn agree(
    one: Option<&Arc<str>>,
    other: Option<&Arc<str>>,
    covers: impl Fn(&str, &str) -> bool,
) -> bool {
    one.zip(other).is_none_or(|(one, other)| covers(one, other) || covers(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `*` stands for what is not known.
    fn key(text: &str) -> ClaimKey {
        match text.contains('*') {
            true => ClaimKey::Unknown(text.split('*').map(Arc::from).collect()),
            false => ClaimKey::Known(text.into()),
        }
    }

    #[test]
    fn what_cannot_be_the_same_is_told_from_what_may() {
        for (one, other, expected) in [
            ("order/17", "order/18", false),
            ("order/17", "order/17", true),
            ("order/*", "customer/17", false),
            ("order/*", "order/17", true),
            ("order/*", "order/", true),
            ("order/*/line/*", "order/17/line/2", true),
            ("order/*/line/*", "order/17", false),
            ("*/line", "order/17/line", true),
            ("*/line", "order/17/lines", false),
            // One text cannot be both the start and the end of another.
            ("aa*aa", "aaa", false),
            ("aa*aa", "aaaa", true),
            ("*a*ab*", "xab", false),
            ("*a*ab*", "xaab", true),
            ("order/*", "customer/*", false),
            ("order/*", "order/*", true),
            ("*/line", "*/head", false),
            ("o*", "order/*", true),
        ] {
            assert_eq!(key(one).may_equal(&key(other)), expected, "{one} and {other}");
            assert_eq!(key(other).may_equal(&key(one)), expected, "{other} and {one}");
        }
    }

    #[test]
    fn only_a_write_stands_against_another() {
        let claim = |access| Claim { key: key("order/*"), access };
        let (read, write) = (claim(Access::Read), claim(Access::Write));
        assert!(!read.may_conflict(&read));
        assert!(read.may_conflict(&write));
        assert!(write.may_conflict(&read));
        assert!(write.may_conflict(&write));
    }
}
