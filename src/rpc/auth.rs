//! Who calls: each RPC's caller, or that it has none.
//!
//! A caller is recognised by what it shows with the RPC, a bearer token; where it
//! shows none, by its connection: its certificate's names, or the user and the group
//! that its process runs as. What is shown and is not right is refused, whatever the
//! connection says: a caller whose token was withdrawn does not become another.
//!
//! Whoever is not recognised is told the same in each case. Why is in the log.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use http::{HeaderMap, Request, header::AUTHORIZATION};
use tonic::Status;

use super::{
    cut,
    listen::{Certificate, Peer, Visitor},
    status,
};
use crate::{
    clock::{self, Instant},
    policy::{Caller, Policy, Token, is_uri},
};

pub mod jwt;
mod pass;

pub(super) use pass::Pass;
use pass::Shown;

/// Between two lines of the log about callers that are not recognised.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Most bytes of a line's part that a caller wrote, and of all that is said of it.
const SHOWN_BYTES_MAX: usize = 200;
const WHY_BYTES_MAX: usize = 2 * SHOWN_BYTES_MAX;

/// Who may call, and how it is recognised.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The callers.
    pub policy: Policy,
    /// Whose tokens say who they are of; `None` where nobody's do.
    pub jwt: Option<jwt::Settings>,
}

impl Settings {
    /// Whether somebody is recognised by a token that it shows, of either kind.
    pub fn takes_tokens(&self) -> bool {
        self.policy.takes_tokens() || self.jwt.is_some()
    }
}

/// Who may call, for people.
pub fn who(settings: Option<&Settings>) -> String {
    match settings.map(|settings| settings.policy.callers()) {
        None => "whoever reaches it may call every tool".to_owned(),
        Some(1) => "nobody may call but the 1 caller that is named".to_owned(),
        Some(count) => format!("nobody may call but the {count} callers that are named"),
    }
}

/// Recognises callers. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Auth {
    door: Arc<RwLock<Arc<Door>>>,
    told: Arc<Mutex<Told>>,
}

/// Who is let in.
#[derive(Debug)]
enum Door {
    /// Everyone, as this.
    Open(Arc<Caller>),
    /// Who is recognised.
    Guarded { policy: Policy, jwt: Option<Box<jwt::Verifier>> },
}

/// What the log was told of those who were not recognised.
#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    /// How many came since.
    untold: u64,
}

/// Why a caller is not recognised: for the log alone.
#[derive(Debug)]
enum Unknown {
    /// There are two `authorization`s; which one counts must not be a question.
    Twice,
    /// It is not `Bearer …`.
    NoBearer,
    /// Nobody has this token.
    Token,
    /// It is no token of the issuer's, or not for us, or not now.
    Jwt(jwt::Error),
    /// It is, and speaks of somebody who is not on the list.
    Subject(String),
    /// Its process is nobody's.
    Process { uid: u32, gid: u32 },
    /// Its certificate is nobody's.
    Certificate(Arc<Certificate>),
    /// It shows nothing.
    Nothing,
    /// It was let in, and would not be any more.
    Withdrawn,
}

impl Auth {
    /// Lets in whom the settings name; everyone, where there are none.
    pub fn new(settings: Option<Settings>) -> Self {
        let door = RwLock::new(Arc::new(Door::new(settings)));
        Self { door: Arc::new(door), told: Arc::default() }
    }

    /// Lets in whom these settings name from the next RPC on, on connections that are
    /// open, too. What an RPC that is open does anew asks its [`Pass`] before.
    pub fn replace(&self, settings: Option<Settings>) {
        let door = Arc::new(Door::new(settings));
        *self.door.write().unwrap_or_else(PoisonError::into_inner) = door;
    }

    /// Whether only those are let in who are named.
    pub fn is_guarded(&self) -> bool {
        matches!(*self.door(), Door::Guarded { .. })
    }

    fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts its caller's pass into the request's extensions, or says that it has none.
    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Status> {
        let door = self.door();
        let visitor = request.extensions().get::<Visitor>();
        let peer = visitor.map(Visitor::peer);
        match door.recognise(peer, request.headers()) {
            Ok(recognised) => {
                let pass = Pass::new(recognised, door, self.clone());
                if let Some(visitor) = visitor {
                    visitor.let_in_by(|| pass.clone());
                }
                request.extensions_mut().insert(pass);
                Ok(())
            }
            Err(why) => {
                self.tell(&why, peer);
                Err(status::unauthenticated())
            }
        }
    }

    /// A line for each would let anybody fill the log.
    fn tell(&self, why: &Unknown, peer: Option<&Peer>) {
        let now = clock::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.at.is_some_and(|at| now.saturating_duration_since(at) < TOLD_EVERY) {
            told.untold += 1;
            return;
        }
        let untold = std::mem::take(&mut told.untold);
        told.at = Some(now);
        drop(told);
        // As a text it is written with its control characters escaped.
        let why = cut(&why.to_string(), WHY_BYTES_MAX);
        tracing::warn!(
            why = &*why,
            peer = peer.map(tracing::field::debug),
            untold,
            "A caller is not known and was refused; `untold` others were since the last such line."
        );
    }
}

impl Door {
    fn new(settings: Option<Settings>) -> Self {
        match settings {
            None => Self::Open(Arc::new(Caller::local())),
            Some(Settings { policy, jwt }) => {
                let jwt = jwt.map(|jwt| Box::new(jwt::Verifier::new(jwt)));
                Self::Guarded { policy, jwt }
            }
        }
    }

    /// Who calls, and by what that is known.
    fn recognise(
        &self,
        peer: Option<&Peer>,
        headers: &HeaderMap,
    ) -> Result<(Arc<Caller>, Shown), Unknown> {
        let (policy, jwt) = match self {
            Self::Open(caller) => return Ok((Arc::clone(caller), Shown::Nothing)),
            Self::Guarded { policy, jwt } => (policy, jwt.as_deref()),
        };
        let (caller, shown) = match bearer(headers)? {
            Some(token) => of_token(policy, jwt, token)?,
            None => {
                let peer = peer.ok_or(Unknown::Nothing)?;
                (of_peer(policy, peer)?, Shown::Peer(peer.clone()))
            }
        };
        Ok((Arc::clone(caller), shown))
    }
}

/// The token that an RPC shows, if any.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Unknown> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = shown.next() else { return Ok(None) };
    if shown.next().is_some() {
        return Err(Unknown::Twice);
    }
    // RFC 6750: the scheme's name in any case, then a space.
    let parts = first.to_str().ok().and_then(|text| text.split_once(' '));
    match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Unknown::NoBearer),
    }
}

fn of_token<'a>(
    policy: &'a Policy,
    jwt: Option<&jwt::Verifier>,
    token: &str,
) -> Result<(&'a Arc<Caller>, Shown), Unknown> {
    let hash = Token::of(token);
    if let Some(caller) = policy.of_token(&hash) {
        return Ok((caller, Shown::Token(hash)));
    }
    let subject = jwt.ok_or(Unknown::Token)?.subject(token).map_err(Unknown::Jwt)?;
    match policy.of_subject(&subject) {
        Some(caller) => Ok((caller, Shown::Subject(subject))),
        None => Err(Unknown::Subject(subject)),
    }
}

fn of_peer<'a>(policy: &'a Policy, peer: &Peer) -> Result<&'a Arc<Caller>, Unknown> {
    match peer {
        &Peer::Unix { uid, gid, .. } => {
            policy.of_process(uid, gid).ok_or(Unknown::Process { uid, gid })
        }
        Peer::Tcp { certificate: Some(certificate), .. } => names(certificate)
            .find_map(|name| policy.of_name(name))
            .ok_or_else(|| Unknown::Certificate(Arc::clone(certificate))),
        Peer::Tcp { certificate: None, .. } => Err(Unknown::Nothing),
    }
}

/// The names that a certificate's holder is recognised by. The common name counts only
/// in one that has no other (RFC 6125, section 6.4.4), and never as a URI, which an
/// authority that vouches for common names need not have looked at.
fn names(certificate: &Certificate) -> impl Iterator<Item = &str> {
    let Certificate { dns, uris, common_name } = certificate;
    let has_others = !dns.is_empty() || !uris.is_empty();
    let common = common_name.as_deref().filter(|name| !has_others && !is_uri(name));
    // A name of one kind is not taken for one of the other.
    let hosts = dns.iter().map(String::as_str).filter(|name| !is_uri(name));
    let uris = uris.iter().map(String::as_str).filter(|name| is_uri(name));
    uris.chain(hosts).chain(common)
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice => f.write_str("it has more than one `authorization`"),
            Self::NoBearer => f.write_str("its `authorization` is no bearer token"),
            Self::Token => f.write_str("nobody has its token"),
            Self::Jwt(error) => write!(f, "its token is not taken: {error}"),
            Self::Subject(subject) => {
                let subject = cut(subject, SHOWN_BYTES_MAX);
                write!(f, "no caller has its token's subject {subject:?}")
            }
            Self::Process { uid, gid } => {
                write!(f, "no caller has the user {uid} or the group {gid} of its process")
            }
            Self::Certificate(certificate) => {
                let names: Vec<&str> = names(certificate).collect();
                let names = cut(&names.join(", "), SHOWN_BYTES_MAX);
                write!(f, "no caller has a name of its certificate: {names:?}")
            }
            Self::Nothing => f.write_str("it shows neither a token nor a certificate"),
            Self::Withdrawn => f.write_str("what it showed when it came does not hold any more"),
        }
    }
}

/// The pass of an RPC that was let in.
///
/// # Errors
///
/// It was not: nothing is done for nobody, whatever stands in front.
pub(super) fn pass<T>(request: &tonic::Request<T>) -> Result<Pass, Status> {
    request.extensions().get::<Pass>().cloned().ok_or_else(status::unauthenticated)
}

/// The caller of an RPC whose message was read: who it is by now, since a message may
/// come long after the head that it was let in by.
///
/// # Errors
///
/// It has none, or none any more.
pub(super) fn caller<T>(request: &tonic::Request<T>) -> Result<Arc<Caller>, Status> {
    let pass = request.extensions().get::<Pass>();
    pass.ok_or_else(status::unauthenticated).and_then(Pass::caller)
}

#[cfg(test)]
mod tests;
