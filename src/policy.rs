//! Who may call, and what.
//!
//! A [`Policy`] is the list of the callers that are let in. Each is recognised by
//! what it cannot help to show (the user that its process runs as, its certificate)
//! or by what only it has (a token). How that reaches the process is not known here.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    num::NonZeroUsize,
    sync::Arc,
};

use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::model::{Owner, Tenant};

pub mod pattern;
mod token;

pub use pattern::Pattern;
pub use token::Token;

/// Whoever calls, and what it may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// Whose its batches and its sessions are.
    pub owner: Owner,
    /// Whose limits they count against, and who shares locks, answers and tools with
    /// them.
    pub tenant: Tenant,
    /// What it may call, and offer where it is a worker.
    pub tools: Tools,
    /// What it may have of the process at once.
    pub limits: Limits,
    /// Whether it may change how the process runs.
    pub is_admin: bool,
}

/// Which tools there are for a caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tools {
    /// Every one.
    All,
    /// Those that one of these fits.
    Matching(Vec<Pattern>),
}

/// What a caller may have of the process at once, all its sessions together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Attempts in flight; only the process's own bounds hold where there is none.
    pub concurrency: Option<NonZeroUsize>,
    /// Open batches.
    pub batches: Option<NonZeroUsize>,
    /// Workers.
    pub workers: Option<NonZeroUsize>,
}

impl Caller {
    /// Everyone, where nothing says who may call.
    pub fn local() -> Self {
        Self {
            owner: Owner::local(),
            tenant: Tenant::local(),
            tools: Tools::All,
            limits: Limits::default(),
            is_admin: true,
        }
    }

    /// Whether there is such a tool for it. It is told of no other.
    pub fn knows(&self, tool: &str) -> bool {
        match &self.tools {
            Tools::All => true,
            Tools::Matching(patterns) => patterns.iter().any(|pattern| pattern.fits(tool)),
        }
    }

    /// Whether there is every tool for it.
    pub fn knows_all(&self) -> bool {
        self.tools == Tools::All
    }
}

impl fmt::Display for Tools {
    /// As the file has them: `crm_*, get_user`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Matching(patterns) if patterns.is_empty() => f.write_str("nothing"),
            Self::Matching(patterns) => {
                for (index, pattern) in patterns.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{pattern}")?;
                }
                Ok(())
            }
        }
    }
}

/// A caller, and all that it is recognised by: any one of them is enough.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// As whom.
    pub caller: Arc<Caller>,
    /// Users that its process runs as.
    pub uids: Vec<u32>,
    /// Groups that its process runs in.
    pub gids: Vec<u32>,
    /// Names in its certificate: of a host, in any case of letters, or a URI.
    pub names: Vec<String>,
    /// Tokens that it shows.
    pub tokens: Vec<Token>,
    /// Subjects that an issuer of tokens vouches for.
    pub subjects: Vec<String>,
}

/// The callers that are let in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    uids: BTreeMap<u32, Arc<Caller>>,
    gids: BTreeMap<u32, Arc<Caller>>,
    names: BTreeMap<String, Arc<Caller>>,
    tokens: Vec<(Token, Arc<Caller>)>,
    subjects: BTreeMap<String, Arc<Caller>>,
}

impl Policy {
    /// The policy of these entries. Of two that are recognised by the same, the first
    /// holds.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut policy = Self::default();
        for Entry { caller, uids, gids, names, tokens, subjects } in entries {
            let new = || Arc::clone(&caller);
            for uid in uids {
                policy.uids.entry(uid).or_insert_with(new);
            }
            for gid in gids {
                policy.gids.entry(gid).or_insert_with(new);
            }
            for name in names {
                policy.names.entry(folded(&name)).or_insert_with(new);
            }
            for subject in subjects {
                policy.subjects.entry(subject).or_insert_with(new);
            }
            policy.tokens.extend(tokens.into_iter().map(|token| (token, new())));
        }
        policy
    }

    /// Whose process runs as this user, or else in this group.
    pub fn of_process(&self, uid: u32, gid: u32) -> Option<&Arc<Caller>> {
        self.uids.get(&uid).or_else(|| self.gids.get(&gid))
    }

    /// Whose certificate has this name.
    pub fn of_name(&self, name: &str) -> Option<&Arc<Caller>> {
        self.names.get(&folded(name))
    }

    /// Whose token this is. It is compared with all of them, whichever it is, so that
    /// the time that it takes says nothing.
    pub fn of_token(&self, shown: &Token) -> Option<&Arc<Caller>> {
        let mut found = u32::MAX;
        for (index, (token, _)) in (0..).zip(&self.tokens) {
            found.conditional_assign(&index, token.ct_eq(shown));
        }
        let index = usize::try_from(found).ok()?;
        self.tokens.get(index).map(|(_, caller)| caller)
    }

    /// Whose subject this is.
    pub fn of_subject(&self, subject: &str) -> Option<&Arc<Caller>> {
        self.subjects.get(subject)
    }

    /// How many callers there are.
    pub fn callers(&self) -> usize {
        self.by_owner().len()
    }

    /// The callers, by whose their batches are.
    pub fn by_owner(&self) -> HashMap<&Owner, &Arc<Caller>> {
        let Self { uids, gids, names, tokens, subjects } = self;
        let tokens = tokens.iter().map(|(_, caller)| caller);
        let by_number = uids.values().chain(gids.values());
        let all = by_number.chain(names.values()).chain(subjects.values()).chain(tokens);
        all.map(|caller| (&caller.owner, caller)).collect()
    }

    /// Whether somebody is recognised by a token that it shows.
    pub fn takes_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }
}

/// A certificate's name as names are compared: the case of a host's does not matter,
/// that of a URI's does.
pub fn folded(name: &str) -> String {
    if is_uri(name) { name.to_owned() } else { name.to_ascii_lowercase() }
}

/// Whether a certificate's name is a URI's.
pub fn is_uri(name: &str) -> bool {
    name.contains("://")
}

#[cfg(test)]
mod tests;
