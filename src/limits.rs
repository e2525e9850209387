//! Limits that schedule: a call that may not run yet waits for its turn.
//!
//! [`gate::Gate`] is the one place where the rights of an attempt are granted:
//! all of them together or none, so that nothing is held while something else
//! is waited for.

pub mod breaker;
pub mod bucket;
pub mod gate;
pub mod rate;

pub use breaker::Breaker;
pub use bucket::Bucket;
pub use gate::{Asked, Gate, Permit, Refused, Request, Scope, Wait};
pub use rate::Rate;
