//! JSON Web Tokens (RFC 7519), checked against the keys of their issuer.
//!
//! The keys are a JWKS (RFC 7517). Its file is the configuration's to read and to read
//! again: no RPC waits for a disk. Each key is for the algorithms of its own kind, so that what a token's header asks
//! for can never make one kind of key into another.

use std::{fmt, time::Duration};

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;

use super::{SHOWN_BYTES_MAX, cut};

mod keys;

use keys::Key;
pub use keys::Keys;

/// Most keys that one token is tried with. Whoever sends it has shown nothing yet, and
/// each costs a verification.
pub const KEYS_TRIED_MAX: usize = 4;

/// How far the clocks of an issuer and of this machine may be apart.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// Whose tokens are taken.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its keys.
    pub keys: Keys,
    /// Who it is: `iss`.
    pub issuer: String,
    /// Who a token must be for: one of its `aud`.
    pub audience: String,
}

/// Why a token is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no JWT, or asks for an algorithm that is none of a public key's.
    #[error("it is no JWT that can be read: {}", unreadable(.0))]
    Unreadable(jsonwebtoken::errors::Error),
    /// It must not be taken by who does not understand all of it.
    #[error("its header has critical extensions, of which none is known")]
    Critical,
    /// No key of the issuer's has its id and its algorithm.
    #[error("no key of the set has the id {:?} and is for {algorithm:?}", shown(.id))]
    NoKey {
        /// The id that it names.
        id: Option<String>,
        /// And the algorithm.
        algorithm: Algorithm,
    },
    /// Too many keys may be meant.
    #[error(
        "{count} keys of the set are for {algorithm:?} and may be meant, and at most \
         {KEYS_TRIED_MAX} are tried: its header has to name one (`kid`)"
    )]
    Unnamed {
        /// So many.
        count: usize,
        /// The algorithm that it names.
        algorithm: Algorithm,
    },
    /// Its time, its audience, its issuer or its signature is not right.
    #[error("{}", said(.0))]
    Refused(jsonwebtoken::errors::Error),
}

/// In words of our own: the library's quote what nobody has signed.
fn unreadable(error: &jsonwebtoken::errors::Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidToken => "it has not three parts",
        ErrorKind::Base64(_) | ErrorKind::Utf8(_) => "its header is no base64 of a text",
        ErrorKind::Json(_) => "its header is none, or names an algorithm that is not taken",
        _ => "its header is none",
    }
}

fn shown(id: &Option<String>) -> Option<String> {
    id.as_ref().map(|id| cut(id, SHOWN_BYTES_MAX))
}

fn said(error: &jsonwebtoken::errors::Error) -> String {
    match error.kind() {
        ErrorKind::ExpiredSignature => "it has expired".to_owned(),
        ErrorKind::ImmatureSignature => "it does not hold yet".to_owned(),
        ErrorKind::InvalidAudience => "it is for another audience".to_owned(),
        ErrorKind::InvalidIssuer => "another has issued it".to_owned(),
        ErrorKind::InvalidSignature => "its signature is not that of the key".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no `{claim}`"),
        // What it quotes, its issuer has signed.
        _ => error.to_string(),
    }
}

/// What is read of a token; the rest is checked by then. An issuer is one text, and a
/// subject too.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(rename = "iss")]
    _issuer: String,
}

/// Checks tokens.
pub(super) struct Verifier {
    keys: Keys,
    rules: Validation,
}

impl Verifier {
    pub(super) fn new(settings: Settings) -> Self {
        let Settings { keys, issuer, audience } = settings;
        let mut rules = Validation::default();
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = LEEWAY.as_secs();
        Self { keys, rules }
    }

    /// Whether a subject means the same to it as to the other one.
    pub(super) fn believes(&self, other: &Self) -> bool {
        self.rules.iss == other.rules.iss && self.rules.aud == other.rules.aud
    }

    /// Whom a token speaks of.
    pub(super) fn subject(&self, token: &str) -> Result<String, Error> {
        let header = decode_header(token).map_err(Error::Unreadable)?;
        if header.crit.is_some() {
            return Err(Error::Critical);
        }
        let rules = Validation { algorithms: vec![header.alg], ..self.rules.clone() };
        let meant = || self.keys.iter().filter(|key| is_meant(key, &header));
        let count = meant().count();
        if count > KEYS_TRIED_MAX {
            return Err(Error::Unnamed { count, algorithm: header.alg });
        }
        let mut refused = None;
        for key in meant() {
            match decode::<Claims>(token, key.public(), &rules) {
                Ok(token) => return Ok(token.claims.sub),
                Err(error) => refused = Some(error),
            }
        }
        Err(match refused {
            Some(error) => Error::Refused(error),
            None => Error::NoKey { id: header.kid, algorithm: header.alg },
        })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// A token that names no key may be of any.
fn is_meant(key: &Key, header: &Header) -> bool {
    let is_named = header.kid.as_ref().is_none_or(|id| key.id() == Some(id.as_str()));
    is_named && key.is_for(header.alg)
}

#[cfg(test)]
mod tests;
