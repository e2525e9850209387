//! A JSON value with slots, made into text without parsing what a slot takes.

use super::{Fault, Input, Slot, TextTemplate};
use crate::model::Json;

/// A JSON value with slots in its strings.
///
/// A string that is exactly one slot becomes the field's own JSON, byte for
/// byte, `null` included. A member, an element or a body whose slot has no
/// value is left out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JsonTemplate(Node);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Node {
    /// JSON text.
    Fixed(String),
    Slot(Slot),
    Text(TextTemplate),
    Array(Vec<Node>),
    /// Keys as JSON text.
    Object(Vec<(String, Node)>),
}

impl JsonTemplate {
    /// A value without slots: a number, a boolean or `null`.
    pub fn fixed(value: &serde_json::Value) -> Self {
        Self(Node::Fixed(value.to_string()))
    }

    /// A value without slots, as it was written.
    pub fn raw(json: &Json) -> Self {
        Self(Node::Fixed(json.as_str().to_owned()))
    }

    /// A string, with slots or without.
    ///
    /// # Errors
    ///
    /// A brace that is neither doubled nor a slot's.
    pub fn string(text: &str) -> Result<Self, Fault> {
        let text = TextTemplate::try_new(text)?;
        if let Some(slot) = text.only_slot() {
            return Ok(Self(Node::Slot(slot.clone())));
        }
        if text.slots().next().is_some() {
            return Ok(Self(Node::Text(text)));
        }
        Ok(Self(Node::Fixed(quoted(&text.render(&Input::empty()).unwrap_or_default()))))
    }

    /// An array.
    pub fn array(elements: impl IntoIterator<Item = Self>) -> Self {
        Self(Node::Array(elements.into_iter().map(|element| element.0).collect()))
    }

    /// An object. Keys are taken as they are.
    pub fn object(members: impl IntoIterator<Item = (String, Self)>) -> Self {
        let members = members.into_iter().map(|(key, value)| (quoted(&key), value.0));
        Self(Node::Object(members.collect()))
    }

    /// A whole value, its strings read as [`string`](Self::string) does.
    ///
    /// # Errors
    ///
    /// The first fault, its offset within its string.
    pub fn try_new(value: &serde_json::Value) -> Result<Self, Fault> {
        use serde_json::Value;
        match value {
            Value::String(text) => Self::string(text),
            Value::Array(elements) => {
                elements.iter().map(Self::try_new).collect::<Result<Vec<_>, _>>().map(Self::array)
            }
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| Ok((key.clone(), Self::try_new(value)?)))
                .collect::<Result<Vec<_>, _>>()
                .map(Self::object),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Self::fixed(value)),
        }
    }

    /// Adds its slots.
    pub(in crate::backend::http) fn slots<'a>(&'a self, slots: &mut Vec<&'a Slot>) {
        self.0.slots(slots);
    }

    /// The text for `input`; `None` where it is one slot that has no value.
    pub(in crate::backend::http) fn render(&self, input: &Input<'_>) -> Option<String> {
        let mut out = String::with_capacity(256);
        self.0.render(input, &mut out).then_some(out)
    }
}

impl Node {
    fn slots<'a>(&'a self, slots: &mut Vec<&'a Slot>) {
        match self {
            Self::Fixed(_) => {}
            Self::Slot(slot) => slots.push(slot),
            Self::Text(text) => slots.extend(text.slots()),
            Self::Array(elements) => elements.iter().for_each(|element| element.slots(slots)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.slots(slots)),
        }
    }

    /// Appends the value; `false`, with nothing appended, where it has none.
    fn render(&self, input: &Input<'_>, out: &mut String) -> bool {
        match self {
            Self::Fixed(text) => out.push_str(text),
            Self::Slot(slot) => match input.get(slot) {
                Some(raw) => out.push_str(raw),
                None => return false,
            },
            Self::Text(text) => match text.render(input) {
                Some(text) => out.push_str(&quoted(&text)),
                None => return false,
            },
            Self::Array(elements) => {
                out.push('[');
                let start = out.len();
                for element in elements {
                    separated(start, "", element, input, out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                let start = out.len();
                for (key, value) in members {
                    separated(start, key, value, input, out);
                }
                out.push('}');
            }
        }
        true
    }
}

/// Appends a member or an element, or nothing.
fn separated(start: usize, key: &str, value: &Node, input: &Input<'_>, out: &mut String) {
    let before = out.len();
    if before > start {
        out.push(',');
    }
    if !key.is_empty() {
        out.push_str(key);
        out.push(':');
    }
    if !value.render(input, out) {
        out.truncate(before);
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(template: serde_json::Value, input: &str) -> Option<String> {
        let template = JsonTemplate::try_new(&template).unwrap();
        template.render(&Input::new(input).unwrap())
    }

    #[test]
    fn a_fault_in_a_string_is_told() {
        let fault = JsonTemplate::try_new(&json!({"a": ["x", "y{"]})).unwrap_err();
        assert_eq!((fault.offset, fault.problem.as_str()), (1, "`{` without a `}`"));
    }

    #[test]
    fn a_slot_alone_keeps_type_and_digits() {
        let input = r#"{"n": 1.10, "big": 12345678901234567890123, "s": "a\u00e9", "l": [1, 2.0],
            "o": { "k" : null }, "z": null}"#;
        assert_eq!(
            render(
                json!({"n": "{n}", "x": ["{big}", "{l}"], "s": "{s}", "o": "{o}", "z": "{z}"}),
                input
            )
            .unwrap(),
            r#"{"n":1.10,"o":{ "k" : null },"s":"a\u00e9","x":[12345678901234567890123,[1, 2.0]],"z":null}"#
        );
    }

    #[test]
    fn what_has_no_value_is_left_out() {
        let template = json!({"a": "{a}", "b": "x{b}", "c": {"d": "{d}"}, "e": ["{e}", 1, "{f}"]});
        assert_eq!(render(template.clone(), "{}").unwrap(), r#"{"c":{},"e":[1]}"#);
        assert_eq!(
            render(template, r#"{"b": 2, "d": 3, "f": 4}"#).unwrap(),
            r#"{"b":"x2","c":{"d":3},"e":[1,4]}"#
        );
        assert_eq!(render(json!("{a}"), "{}"), None);
    }

    #[test]
    fn a_value_inside_text_cannot_leave_its_string() {
        let input = r#"{"a": "\", \"admin\": true, \"x\": \"\n"}"#;
        let body = render(json!({"t": "say {a}!", "{a}": 1, "lit": "{{a}}"}), input).unwrap();
        let read: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["t"], "say \", \"admin\": true, \"x\": \"\n!");
        assert_eq!(read["{a}"], 1);
        assert_eq!(read["lit"], "{a}");
        assert_eq!(read.as_object().unwrap().len(), 3);
    }
}
