//! JSON Web Tokens (RFC 7519), checked against the keys of their issuer.
//!
//! The keys are a JWKS (RFC 7517) in a file, which is read again when it changes:
//! whoever mounts it (a Secret, a ConfigMap, an agent that fetches it) rotates them.
//! Each key is for the algorithms of its own kind, so that what a token's header asks
//! for can never make one kind of key into another.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;

use crate::clock::{self, Instant};

mod keys;

use keys::Key;
pub use keys::Keys;

/// Most bytes of a file of keys.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// How often the file is looked at, at most: only while tokens come.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// How far the clocks of an issuer and of this machine may be apart.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// Whose tokens are taken.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file of its keys.
    pub jwks: PathBuf,
    /// What was in it when the settings were read.
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
    #[error("it is no JWT that can be read ({0})")]
    Unreadable(jsonwebtoken::errors::Error),
    /// It must not be taken by who does not understand all of it.
    #[error("its header has critical extensions, of which none is known")]
    Critical,
    /// No key of the issuer's has its id and its algorithm.
    #[error("no key of the set has the id {id:?} and is for {algorithm:?}")]
    NoKey {
        /// The id that it names.
        id: Option<String>,
        /// And the algorithm.
        algorithm: Algorithm,
    },
    /// Its time, its audience, its issuer or its signature is not right.
    #[error("{}", said(.0))]
    Refused(jsonwebtoken::errors::Error),
}

fn said(error: &jsonwebtoken::errors::Error) -> String {
    match error.kind() {
        ErrorKind::ExpiredSignature => "it has expired".to_owned(),
        ErrorKind::ImmatureSignature => "it does not hold yet".to_owned(),
        ErrorKind::InvalidAudience => "it is for another audience".to_owned(),
        ErrorKind::InvalidIssuer => "another has issued it".to_owned(),
        ErrorKind::InvalidSignature => "its signature is not that of the key".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no `{claim}`"),
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
    file: Watched,
    rules: Validation,
}

impl Verifier {
    pub(super) fn new(settings: Settings) -> Self {
        let Settings { jwks, keys, issuer, audience } = settings;
        let mut rules = Validation::default();
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = LEEWAY.as_secs();
        Self { file: Watched::new(jwks, keys), rules }
    }

    /// Whom a token speaks of.
    pub(super) fn subject(&self, token: &str) -> Result<String, Error> {
        let header = decode_header(token).map_err(Error::Unreadable)?;
        if header.crit.is_some() {
            return Err(Error::Critical);
        }
        let keys = self.file.keys();
        let rules = Validation { algorithms: vec![header.alg], ..self.rules.clone() };
        let mut refused = None;
        for key in keys.iter().filter(|key| is_meant(key, &header)) {
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
        f.debug_struct("Verifier").field("file", &self.file.path).finish_non_exhaustive()
    }
}

/// A token that names no key may be of any.
fn is_meant(key: &Key, header: &Header) -> bool {
    let is_named = header.kid.as_ref().is_none_or(|id| key.id() == Some(id.as_str()));
    is_named && key.is_for(header.alg)
}

/// The keys of a file, as it is now.
struct Watched {
    path: PathBuf,
    seen: Mutex<Seen>,
}

struct Seen {
    keys: Arc<Keys>,
    /// Of the file when it was last read.
    mark: Option<Mark>,
    looked_at: Option<Instant>,
}

/// What changes when a file does, or when a link leads to another one.
type Mark = (u64, u64, u64, i64, i64);

impl Watched {
    fn new(path: PathBuf, keys: Keys) -> Self {
        let seen = Seen { keys: Arc::new(keys), mark: None, looked_at: None };
        Self { path, seen: Mutex::new(seen) }
    }

    /// What stands in the file; or what stood there last that can be used.
    fn keys(&self) -> Arc<Keys> {
        let now = clock::now();
        let mut seen = self.seen();
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < LOOKED_AT_EVERY;
        if !seen.looked_at.is_some_and(is_fresh) {
            seen.looked_at = Some(now);
            self.look(&mut seen);
        }
        Arc::clone(&seen.keys)
    }

    /// Reads the file again where it has changed.
    fn look(&self, seen: &mut Seen) {
        let mark = match fs::metadata(&self.path) {
            Ok(found) => Some(mark(&found)),
            // Told once, as a file that cannot be read.
            Err(_) => None,
        };
        if mark == seen.mark && mark.is_some() {
            return;
        }
        let had_mark = std::mem::replace(&mut seen.mark, mark).is_some();
        let path = self.path.display();
        match read(&self.path) {
            Ok(keys) if keys == *seen.keys => {}
            Ok(keys) => {
                tracing::info!(%path, keys = keys.len(), "The keys of the tokens' issuer changed.");
                seen.keys = Arc::new(keys);
            }
            Err(error) if had_mark || mark.is_some() => tracing::warn!(
                %path,
                %error,
                "The keys of the tokens' issuer cannot be read; those that were read last hold."
            ),
            Err(_) => {}
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark(found: &fs::Metadata) -> Mark {
    (found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec())
}

fn read(path: &Path) -> Result<Keys, String> {
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>| -> io::Result<usize> {
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(bytes)
    };
    read(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    Keys::try_new(&bytes)
}

#[cfg(test)]
mod tests;
