//! What threads meet over: the standard library's, or a model checker's where the
//! tests try every interleaving (feature `shuttle`).

#[cfg(not(feature = "shuttle"))]
pub use std::sync::{Mutex, MutexGuard};

#[cfg(feature = "shuttle")]
pub use shuttle::sync::{Mutex, MutexGuard};
