//! Limits that schedule: a call that may not run yet waits for its turn.
//!
//! [`gate::Gate`] is the one place where the rights of an attempt are granted:
//! all of them together or none, so that nothing is held while something else
//! is waited for. [`breaker`] says whether an API is asked at all,
//! [`ramp`] how fast after a pause.

pub mod breaker;
pub mod bucket;
pub mod gate;
pub mod ramp;
pub mod rate;

pub use breaker::{Breaker, Verdict};
pub use bucket::Bucket;
pub use gate::{Asked, Gate, Mark, Permit, Refused, Request, Scope, Wait, Waiting};
pub use ramp::Ramp;
pub use rate::Rate;
