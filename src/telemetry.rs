//! What the process says of itself.

pub mod log;
pub mod names;
pub mod outgoing;
pub mod propagate;
