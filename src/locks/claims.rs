//! What the calls of a tool read and write.

use std::sync::Arc;

use super::Pattern;
use crate::model::{Access, Claim, ClaimKey, Json, slot::Input};

/// Most keys that one call may ask for: each is kept while the call waits and
/// while it runs.
pub const KEYS_MAX: usize = 256;

/// What the calls of a tool read and write, by patterns over their input.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    declared: Arc<[(Pattern, Access)]>,
}

/// One resource that a call asks for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Lock {
    /// Its name.
    pub key: Arc<str>,
    /// What will be done to it.
    pub access: Access,
}

/// A call would ask for more than [`KEYS_MAX`] keys at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the call would lock more than {KEYS_MAX} resources at once; make several calls with fewer each"
)]
pub struct TooMany;

impl Claims {
    /// Claims of these patterns.
    pub fn new(reads: Vec<Pattern>, writes: Vec<Pattern>) -> Self {
        let reads = reads.into_iter().map(|pattern| (pattern, Access::Read));
        let writes = writes.into_iter().map(|pattern| (pattern, Access::Write));
        Self { declared: reads.chain(writes).collect() }
    }

    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// What is declared: what is read, then what is written.
    pub fn declared(&self) -> impl Iterator<Item = (&Pattern, Access)> {
        self.declared.iter().map(|(pattern, access)| (pattern, *access))
    }

    /// What a call with this input will ask for, as far as that can be said before
    /// its references are resolved; `references` says whether they will be. Each
    /// key stands there once.
    ///
    /// What looks like a reference is taken for one: it costs a call that has no
    /// such thing at most a wait.
    ///
    /// # Errors
    ///
    /// [`TooMany`].
    pub fn expected(&self, input: &Json, references: bool) -> Result<Vec<Claim>, TooMany> {
        let (mut known, mut claims) = (Vec::new(), Vec::new());
        for (name, access) in self.names(input, references)? {
            match <[String; 1]>::try_from(name) {
                Ok([key]) => known.push(Lock { key: key.into(), access }),
                Err(pieces) => {
                    let pieces = pieces.into_iter().map(Arc::from).collect();
                    let claim = Claim { key: ClaimKey::Unknown(pieces), access };
                    if !claims.contains(&claim) {
                        claims.push(claim);
                    }
                }
            }
        }
        strongest(&mut known);
        let known = known.into_iter();
        let known = known.map(|Lock { key, access }| Claim { key: ClaimKey::Known(key), access });
        Ok(known.chain(claims).collect())
    }

    /// What a call with this input, its references resolved, asks for: by key, each
    /// once. What is written is not also read.
    ///
    /// # Errors
    ///
    /// [`TooMany`].
    pub fn locks(&self, input: &Json) -> Result<Vec<Lock>, TooMany> {
        let names = self.names(input, false)?.into_iter();
        let mut locks: Vec<_> =
            names.map(|(name, access)| Lock { key: name.concat().into(), access }).collect();
        strongest(&mut locks);
        Ok(locks)
    }

    fn names(&self, input: &Json, references: bool) -> Result<Vec<(Vec<String>, Access)>, TooMany> {
        let mut names = Vec::new();
        if self.declared.is_empty() {
            return Ok(names);
        }
        // What is no object has no fields.
        let input = Input::new(input.as_str()).unwrap_or_else(Input::empty);
        for (pattern, access) in self.declared() {
            let more = pattern.names(&input, references, KEYS_MAX).into_iter();
            names.extend(more.map(|name| (name, access)));
            if names.len() > KEYS_MAX {
                return Err(TooMany);
            }
        }
        Ok(names)
    }
}

/// Sorts by key and keeps the strongest access to each.
fn strongest(locks: &mut Vec<Lock>) {
    locks
        .sort_unstable_by(|one, other| one.key.cmp(&other.key).then(other.access.cmp(&one.access)));
    locks.dedup_by(|later, first| later.key == first.key);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(reads: &[&str], writes: &[&str]) -> Claims {
        let patterns =
            |texts: &[&str]| texts.iter().map(|text| Pattern::try_new(text).unwrap()).collect();
        Claims::new(patterns(reads), patterns(writes))
    }

    fn json(text: &str) -> Json {
        Json::try_new(text).unwrap()
    }

    fn shown(locks: &[Lock]) -> Vec<String> {
        locks.iter().map(|lock| format!("{:?} {}", lock.access, lock.key)).collect()
    }

    #[test]
    fn a_call_asks_for_each_key_once_and_for_what_it_writes_as_a_writer() {
        let claims = claims(&["order/{a}", "customer/{b}"], &["order/{c}"]);
        let locks = claims.locks(&json(r#"{"a": [1, 2, 1], "b": "x", "c": 2}"#)).unwrap();
        assert_eq!(shown(&locks), ["Read customer/x", "Read order/1", "Write order/2"]);
        assert!(claims.declared().count() == 3 && !claims.is_empty());
        assert!(Claims::default().locks(&json("[1]")).unwrap().is_empty());
    }

    #[test]
    fn a_call_that_asks_for_too_many_keys_is_refused() {
        let list = |keys: usize| {
            let keys: Vec<String> = (0..keys).map(|key| key.to_string()).collect();
            json(&format!(r#"{{"ids": [{}], "b": [1, 2, 3]}}"#, keys.join(",")))
        };
        let one = claims(&[], &["order/{ids}"]);
        assert_eq!(one.locks(&list(KEYS_MAX)).unwrap().len(), KEYS_MAX);
        assert_eq!(one.locks(&list(KEYS_MAX + 1)), Err(TooMany));
        assert_eq!(one.expected(&list(KEYS_MAX + 1), true), Err(TooMany));
        // Two lists make each pair of their elements.
        let two = claims(&[], &["order/{ids}/{b}"]);
        assert_eq!(two.locks(&list(KEYS_MAX / 3)).unwrap().len(), KEYS_MAX / 3 * 3);
        assert_eq!(two.locks(&list(KEYS_MAX / 3 + 1)), Err(TooMany));
        // Refused without having made millions of them.
        assert_eq!(two.locks(&list(100_000)), Err(TooMany));
    }

    #[test]
    fn what_a_reference_will_bring_is_not_known_and_the_rest_is() {
        let claims = claims(&["region/{region}"], &["order/{id}/line/{line}"]);
        let input = json(r#"{"id": "${get.id}", "line": 2, "region": "eu"}"#);
        let expected = claims.expected(&input, true).unwrap();
        assert_eq!(
            expected,
            [
                Claim { key: ClaimKey::Known("region/eu".into()), access: Access::Read },
                Claim {
                    key: ClaimKey::Unknown(vec!["order/".into(), "/line/2".into()]),
                    access: Access::Write
                },
            ]
        );
        let known = claims.expected(&input, false).unwrap();
        assert!(known.iter().all(|claim| matches!(claim.key, ClaimKey::Known(_))), "{known:?}");
    }
}
