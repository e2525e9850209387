//! The keys of an issuer of tokens: a JWKS.

use std::fmt;

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse},
};

/// Most keys of a set: no issuer signs with so many.
const KEYS_MAX: usize = 64;

/// The public keys of a set that are for signatures.
#[derive(Clone, Default)]
pub struct Keys {
    all: Vec<Key>,
}

/// One of them.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

impl Keys {
    /// Reads a set. Keys that are not for signatures, and those of kinds that are not
    /// known, are left out.
    ///
    /// # Errors
    ///
    /// What is wrong with the set: it is none, it has a key that is secret, or none
    /// that can be used.
    pub fn try_new(text: &[u8]) -> Result<Self, String> {
        let set: JwkSet = serde_json::from_slice(text)
            .map_err(|error| format!("it is no JWKS, `{{\"keys\": […]}}`: {error}"))?;
        if set.keys.len() > KEYS_MAX {
            return Err(format!("it has {} keys; at most {KEYS_MAX} are taken", set.keys.len()));
        }
        if set.keys.iter().any(|key| matches!(key.algorithm, AlgorithmParameters::OctetKey(_))) {
            return Err("it has a symmetric key (`kty: oct`): who checks tokens with it could \
                        write them, too; take it out"
                .to_owned());
        }
        let all: Vec<Key> = set.keys.iter().filter_map(Key::of).collect();
        if all.is_empty() {
            return Err("it has no key for signatures of a known kind: RSA, EC on P-256 or \
                        P-384, or Ed25519"
                .to_owned());
        }
        Ok(Self { all })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.all.iter()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.all.len())
    }
}

impl Key {
    fn of(key: &Jwk) -> Option<Self> {
        let common = &key.common;
        let is_for_signatures = common.public_key_use.as_ref().is_none_or(is_for_signatures)
            && common
                .key_operations
                .as_ref()
                .is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !is_for_signatures {
            return None;
        }
        let mut algorithms = algorithms(&key.algorithm).to_vec();
        if let Some(only) = common.key_algorithm {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        if algorithms.is_empty() {
            return None;
        }
        let public = DecodingKey::from_jwk(key).ok()?;
        Some(Self { id: common.key_id.clone(), algorithms, public })
    }

    /// Its name in the set.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether it checks signatures of this kind.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    pub(super) fn public(&self) -> &DecodingKey {
        &self.public
    }
}

fn is_for_signatures(purpose: &PublicKeyUse) -> bool {
    *purpose == PublicKeyUse::Signature
}

/// What a key of this kind is for, and nothing else: never what only a secret is for.
fn algorithms(kind: &AlgorithmParameters) -> &'static [Algorithm] {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match kind {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) => match key.curve {
            EllipticCurve::Ed25519 => &[EdDSA],
            _ => &[],
        },
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The examples of RFC 7517 (A.1) and RFC 8037 (A.2).
    const EC: &str = r##"{"kty":"EC","crv":"P-256","kid":"1",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""##;
    const ED: &str = r##"{"kty":"OKP","crv":"Ed25519",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""##;

    fn set(keys: &[String]) -> Result<Keys, String> {
        Keys::try_new(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    fn key(start: &str, more: &str) -> String {
        format!("{start}{more}}}")
    }

    #[test]
    fn a_key_is_for_the_algorithms_of_its_own_kind() {
        let keys = set(&[key(EC, ""), key(ED, r#","alg":"EdDSA","use":"sig""#)]).unwrap();
        let of = |at: usize| keys.all[at].algorithms.as_slice();
        assert_eq!((of(0), of(1)), (&[Algorithm::ES256][..], &[Algorithm::EdDSA][..]));
        assert_eq!(keys.all[0].id(), Some("1"));
        let every = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        assert!(keys.iter().all(|key| every.iter().all(|secret| !key.is_for(*secret))));
    }

    #[test]
    fn keys_for_something_else_and_of_unknown_kinds_are_left_out() {
        for other in [
            key(EC, r#","use":"enc""#),
            key(EC, r#","key_ops":["deriveKey"]"#),
            // Of another kind than the key is.
            key(EC, r#","alg":"RS256""#),
            key(EC, r#","alg":"HS256""#),
            key(EC, r#","alg":"RSA-OAEP""#),
            r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#.to_owned(),
            r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#.to_owned(),
        ] {
            assert_eq!(set(&[key(ED, ""), other.clone()]).unwrap().all.len(), 1, "{other}");
            let error = set(std::slice::from_ref(&other)).unwrap_err();
            assert!(error.contains("no key for signatures"), "{other}: {error}");
        }
    }

    #[test]
    fn a_set_with_a_secret_in_it_is_refused_as_a_whole() {
        let secret = r#"{"kty":"oct","k":"AAAA","alg":"HS256"}"#.to_owned();
        let error = set(&[key(EC, ""), secret]).unwrap_err();
        assert!(error.contains("symmetric"), "{error}");
        assert!(!error.contains("AAAA"), "{error}");
    }

    #[test]
    fn what_is_no_set_of_keys_is_refused() {
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, "\u{0}"] {
            assert!(Keys::try_new(text.as_bytes()).is_err(), "{text}");
        }
        let many = vec![key(EC, ""); KEYS_MAX + 1];
        assert!(set(&many).unwrap_err().contains("at most 64"));
    }
}
