//! Places in a JSON text as JSON Pointers (RFC 6901).

use std::{fmt::Write as _, ops::Range};

use super::scan::{decode, string_end};

/// An object or array around the place that was reached.
struct Around {
    is_object: bool,
    /// In an object: whether the next string is a key, and the last that was.
    at_key: bool,
    key: Range<usize>,
    /// In an array: which element.
    index: usize,
}

/// The pointers to the values that begin at `starts`, which ascend, in the valid
/// JSON that `text` is. One pass; a pointer is only written for a start.
pub(super) fn pointers(text: &str, starts: impl Iterator<Item = usize>) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut starts = starts.peekable();
    let mut pointers = Vec::new();
    let mut around: Vec<Around> = Vec::new();
    let mut at = 0;
    while starts.peek().is_some()
        && let Some(&byte) = bytes.get(at)
    {
        if starts.next_if_eq(&at).is_some() {
            pointers.push(pointer(text, &around));
        }
        match byte {
            b'"' => {
                let end = string_end(bytes, at);
                if let Some(object) = around.last_mut().filter(|around| around.at_key) {
                    object.key = at..end;
                }
                at = end;
                continue;
            }
            b'{' | b'[' => {
                let is_object = byte == b'{';
                around.push(Around { is_object, at_key: is_object, key: 0..0, index: 0 });
            }
            b'}' | b']' => {
                around.pop();
            }
            b':' | b',' => {
                if let Some(inner) = around.last_mut() {
                    inner.at_key = byte == b',' && inner.is_object;
                    inner.index += usize::from(byte == b',');
                }
            }
            _ => {}
        }
        at += 1;
    }
    pointers
}

fn pointer(text: &str, around: &[Around]) -> String {
    let mut pointer = String::new();
    for step in around {
        // Writing to a string does not fail.
        let _ = if step.is_object {
            let key = decode(&text[step.key.clone()]);
            write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1"))
        } else {
            write!(pointer, "/{}", step.index)
        };
    }
    pointer
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The starts of the strings that are `x`, values only.
    fn starts(text: &str) -> Vec<usize> {
        text.match_indices(r#""x""#)
            .filter(|(at, _)| !text[at + 3..].trim_start().starts_with(':'))
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn a_place_is_named_by_keys_and_indexes_around_it() {
        let text = r#" {"x": ["x", {"a/b~": "x"}, [[], {}, "x"]], "\u0061": "x", "": {"": "x"}} "#;
        assert_eq!(
            pointers(text, starts(text).into_iter()),
            ["/x/0", "/x/1/a~1b~0", "/x/2/2", "/a", "//"]
        );
        assert_eq!(pointers(r#""x""#, std::iter::once(0)), [""]);
        assert_eq!(pointers(r#"{"a": {"$ref": "b"}}"#, std::iter::once(6)), ["/a"]);
        assert!(pointers(text, std::iter::empty()).is_empty());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!("x")),
            Just(json!(1.5)),
            "[a\"\\\\:,{}]{0,4}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a/~\"\\[ ]{0,3}", inner, 0..5)
                    .prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_pointer_leads_to_its_value(value in any_value(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let starts = starts(&text);
            let found = pointers(&text, starts.iter().copied());
            prop_assert_eq!(found.len(), starts.len());
            for pointer in found {
                prop_assert_eq!(value.pointer(&pointer), Some(&json!("x")), "{}", pointer);
            }
        }
    }
}
