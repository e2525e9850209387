//! Names and ids, each a type of its own.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock},
};

/// Why a name or an id was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// Nothing in it.
    #[error("{what} is empty")]
    Empty {
        /// What was to be named.
        what: &'static str,
    },
    /// More characters than allowed.
    #[error("{what} has {length} characters; at most {max} are allowed")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The most allowed.
        max: usize,
    },
    /// A character that is not allowed.
    #[error("{what} holds {character:?}; allowed are {allowed}")]
    Character {
        /// What was to be named.
        what: &'static str,
        /// The first character that is not allowed.
        character: char,
        /// The set, for people.
        allowed: &'static str,
    },
}

fn check(
    what: &'static str,
    text: &str,
    max: usize,
    extra: &[char],
    allowed: &'static str,
) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::Empty { what });
    }
    if text.len() > max {
        return Err(Error::TooLong { what, length: text.len(), max });
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !extra.contains(c)) {
        Some(character) => Err(Error::Character { what, character, allowed }),
        None => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, max $max:literal, extra $extra:expr, $allowed:literal) => {
        $(#[$doc])*
        #[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and characters.
            ///
            /// # Errors
            ///
            /// [`Error`] says what is wrong with the text.
            pub fn try_new(text: impl Into<Arc<str>>) -> Result<Self, Error> {
                let text = text.into();
                check($what, &text, $max, &$extra, $allowed)?;
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id! {
    /// Names a batch for its whole life, on every pod.
    BatchId, "the batch id", max 128, extra ['_', '-', '.', ':'], "letters, digits, `_`, `-`, `.` and `:`"
}
id! {
    /// Names a call within its batch.
    CallId, "the call id", max 128, extra ['_', '-'], "letters, digits, `_` and `-`"
}
id! {
    /// A tool's name, within what every provider accepts.
    ToolName, "the tool name", max 64, extra ['_', '-'], "letters, digits, `_` and `-`"
}
id! {
    /// An API's name in the configuration.
    ApiName, "the API name", max 64, extra ['_', '-'], "letters, digits, `_` and `-`"
}
id! {
    /// The identity that a batch belongs to.
    Owner, "the owner", max 256, extra ['_', '-', '.', ':', '/', '@'], "letters, digits and `_-.:/@`"
}

id! {
    /// Whose limits a batch counts against. It comes from the policy that the caller
    /// is under, never from a request.
    Tenant, "the tenant", max 128, extra ['_', '-', '.', ':'], "letters, digits, `_`, `-`, `.` and `:`"
}

impl Tenant {
    /// Everyone, where no policy names one.
    pub fn local() -> Self {
        Self(Arc::from("local"))
    }
}

impl ApiName {
    /// That of all tools that workers offer. No API of the configuration has it.
    pub fn workers() -> Self {
        Self(Arc::from("workers"))
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self::local()
    }
}

impl Owner {
    /// Everyone, where no authentication is configured.
    pub fn local() -> Self {
        static LOCAL: LazyLock<Owner> = LazyLock::new(|| Owner(Arc::from("local")));
        LOCAL.clone()
    }
}

/// One conversation of one agent. It is its owner's own: another's session of the
/// same name is another session.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId {
    name: Arc<str>,
    owner: Owner,
}

impl SessionId {
    /// Checks length and characters. The session is everyone's until it is
    /// [given](Self::of) an owner.
    ///
    /// # Errors
    ///
    /// [`Error`] says what is wrong with the text.
    pub fn try_new(text: impl Into<Arc<str>>) -> Result<Self, Error> {
        let name = text.into();
        let allowed = "letters, digits, `_`, `-`, `.` and `:`";
        check("the session id", &name, 128, &['_', '-', '.', ':'], allowed)?;
        Ok(Self { name, owner: Owner::local() })
    }

    /// The owner's session of that name.
    #[must_use]
    pub fn of(self, owner: &Owner) -> Self {
        Self { owner: owner.clone(), ..self }
    }

    /// Whose it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.name, f)
    }
}

impl BatchId {
    /// A new UUIDv7. Its random part tells it from others and keeps no secret: the
    /// kernel's own would be system calls for every batch.
    pub fn random() -> Self {
        let (seconds, nanos) = uuid::Timestamp::now(uuid::NoContext).to_unix();
        let millis = seconds * 1000 + u64::from(nanos / 1_000_000);
        let [random @ .., _, _, _, _, _, _] = fastrand::u128(..).to_ne_bytes();
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Self(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).into())
    }
}

impl CallId {
    /// The id of the call at `position` (from 1) where the caller wrote none.
    pub fn positional(position: usize) -> Self {
        Self(format!("call_{position}").into())
    }
}

impl From<&BatchId> for SessionId {
    /// A batch without a session is a session of its own.
    fn from(batch: &BatchId) -> Self {
        Self { name: Arc::clone(&batch.0), owner: Owner::local() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_provider_would_refuse_are_refused() {
        for (text, says) in [
            ("", "is empty"),
            ("crm.get", "holds '.'"),
            ("get user", "holds ' '"),
            ("größe", "holds 'ö'"),
            (&"x".repeat(65), "has 65 characters; at most 64"),
        ] {
            let error = ToolName::try_new(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text:?}: {error}");
        }
        assert_eq!(ToolName::try_new("get_user-2").unwrap().as_str(), "get_user-2");
    }

    #[test]
    fn a_session_is_its_owners_own() {
        let session = SessionId::try_new("chat-1").unwrap();
        let other = session.clone().of(&Owner::try_new("other").unwrap());
        assert_ne!(session, other);
        assert_eq!(session, other.clone().of(&Owner::local()));
        assert_eq!((other.as_str(), other.owner().as_str()), ("chat-1", "other"));
        assert!(SessionId::try_new("a b").unwrap_err().to_string().contains("the session id"));
    }

    #[test]
    fn a_random_batch_id_is_a_valid_one() {
        let [id, other] = [(); 2].map(|()| BatchId::random());
        assert_eq!(BatchId::try_new(id.as_str()).unwrap(), id);
        assert_ne!(id, other);
        let id = uuid::Uuid::try_parse(id.as_str()).unwrap();
        assert_eq!(id.get_version(), Some(uuid::Version::SortRand));
        let (seconds, _) = id.get_timestamp().unwrap().to_unix();
        let (now, _) = uuid::Timestamp::now(uuid::NoContext).to_unix();
        assert!(now.abs_diff(seconds) <= 1);
    }
}
