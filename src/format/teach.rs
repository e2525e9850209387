//! The text that teaches a model to write references.

/// For the system prompt of a model whose turns have references on.
pub const REFERENCES: &str = r##"Call tools that do not need each other's results together in one turn: they run at once. An input may take a value from another call of the same turn, so never wait for a result only to copy it, and never guess it. Write "${get_user.id}": before the dot the other tool's name (get_user#2 for its second call), after it the JSONPath in its result: "${find.items[0].id}"; "${find.items[*].id}" gives an array and "${find}" the whole. A string that is one reference becomes the value with its JSON type; within a longer string its text is inserted. {"$ref": "get_user.tier", "default": "free"} falls back where that call fails. Write $${ for a literal ${."##;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_costs_at_most_two_hundred_tokens() {
        // Four bytes a token is what English comes to.
        assert!(REFERENCES.len() / 4 <= 200, "{} tokens", REFERENCES.len() / 4);
    }
}
