//! The text that teaches a model to write references.

/// For the system prompt of a model whose turns have references on.
pub const REFERENCES: &str = "Call tools that do not depend on each other together, in one turn.";
