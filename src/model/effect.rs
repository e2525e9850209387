//! What running a tool twice means.

/// What running a tool twice means.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Effect {
    /// Nothing changes: it may be run again at any time.
    ReadOnly,
    /// The backend honours an idempotency key: it may be sent again with the same
    /// key, and takes effect once.
    Keyed,
    /// Every run may change something: never sent again once it may have been
    /// sent.
    AtMostOnce,
    /// Every run may change something, and that is all right.
    AtLeastOnce,
}

impl Effect {
    /// The word for it, as in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::Keyed => "keyed",
            Self::AtMostOnce => "at_most_once",
            Self::AtLeastOnce => "at_least_once",
        }
    }

    /// Whether nobody may be left in the dark about an attempt that may have been
    /// sent: calling the tool again could do it twice.
    pub fn must_be_known(self) -> bool {
        matches!(self, Self::Keyed | Self::AtMostOnce)
    }
}

/// Whether a failed attempt may have reached the backend. Stated by the
/// backend, where it is known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Sent {
    /// Provably not.
    No,
    /// It cannot be excluded, and no answer tells what came of it.
    Maybe,
    /// It did, and the failure is the backend's answer.
    Answered,
}
