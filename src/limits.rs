//! Limits that schedule: a call that may not run yet waits for its turn.
//!
//! [`gate::Gate`] is the one place where the rights of an attempt are granted:
//! all of them together or none, so that nothing is held while something else
//! is waited for.

pub mod gate;

pub use gate::{Gate, Permit, Scope, Wait};
