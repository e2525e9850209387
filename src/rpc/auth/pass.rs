//! The caller of an RPC that was let in, and whether it still would be.

use std::sync::Arc;

use tonic::Status;

use super::{Auth, Door, Unknown, of_peer};
use crate::{
    policy::{Caller, Token},
    rpc::{
        listen::{Peer, Vouched},
        status,
    },
};

/// As whom an RPC was let in and by what. It may be open for long, and who may call can
/// change meanwhile.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct Pass {
    caller: Arc<Caller>,
    shown: Shown,
    /// That it came through.
    door: Arc<Door>,
    auth: Auth,
}

/// What a caller was recognised by.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    /// Everyone was let in.
    Nothing,
    /// A token of its own.
    Token(Token),
    /// Its subject, which the issuer of its token vouched for then. The token may have
    /// expired by now, and is not kept.
    Subject(String),
    /// Its connection.
    Peer(Peer),
}

impl Pass {
    pub(super) fn new((caller, shown): (Arc<Caller>, Shown), door: Arc<Door>, auth: Auth) -> Self {
        Self { caller, shown, door, auth }
    }

    /// Who it is, by those who may call now.
    ///
    /// # Errors
    ///
    /// It would not be let in any more.
    pub(in crate::rpc) fn caller(&self) -> Result<Arc<Caller>, Status> {
        self.now().ok_or_else(|| {
            self.auth.tell(&Unknown::Withdrawn, None);
            status::unauthenticated()
        })
    }

    /// The same, for those who only look.
    pub(in crate::rpc) fn now(&self) -> Option<Arc<Caller>> {
        let door = self.auth.door();
        if Arc::ptr_eq(&door, &self.door) {
            return Some(Arc::clone(&self.caller));
        }
        door.knows(&self.shown, &self.door)
    }
}

impl Vouched for Pass {
    fn holds(&self) -> bool {
        self.now().is_some()
    }
}

impl Door {
    /// Whose this is that was shown at the door before.
    fn knows(&self, shown: &Shown, before: &Self) -> Option<Arc<Caller>> {
        let (policy, jwt) = match self {
            Self::Open(caller) => return Some(Arc::clone(caller)),
            Self::Guarded { policy, jwt } => (policy, jwt),
        };
        let caller = match shown {
            Shown::Nothing => None,
            Shown::Token(token) => policy.of_token(token),
            // Another issuer's subject of that name is somebody else.
            Shown::Subject(subject) => match (jwt, before) {
                (Some(now), Self::Guarded { jwt: Some(before), .. }) if now.believes(before) => {
                    policy.of_subject(subject)
                }
                _ => None,
            },
            Shown::Peer(peer) => of_peer(policy, peer).ok(),
        };
        caller.cloned()
    }
}
