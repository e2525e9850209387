//! Text, paths and JSON with slots that take fields of a call's input.
//!
//! Where a slot stands decides what it may take and how that is written, so
//! that a value can never become more than a value.

use super::Fault;
use crate::model::slot::{Input, Piece, Slot, as_text, pieces};

pub mod json_body;
pub mod path;
pub mod text;

pub use json_body::JsonTemplate;
pub use path::PathTemplate;
pub use text::TextTemplate;
