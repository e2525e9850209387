//! Who may touch what: resources have names, and what stands against each other
//! takes turns.
//!
//! A tool declares what its calls read and write as [`Pattern`]s over their
//! input, `customer/{customer_id}`; [`Claims`] makes keys of them. The
//! [`Table`] grants the keys of a call, all of them together or none: to many
//! that read or to one that writes, in the order in which they asked.

pub mod claims;
mod number;
pub mod pattern;
pub mod table;

pub use claims::{Claims, KEYS_MAX, Lock, TooMany};
pub use pattern::Pattern;
pub use table::{Asked, By, CLAIMS_MAX, Guard, Holder, Obstacle, Status, Table, Ticket, Wait};
