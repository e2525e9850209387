//! What running a tool twice means.

/// What running a tool twice means.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Effect {
    /// Nothing changes: it may be run again at any time.
    ReadOnly,
    /// Every run may change something: never sent again once it may have been
    /// sent.
    AtMostOnce,
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
