//! YAML that stands for JSON, as JSON text: numbers keep their digits.

use super::{
    Decoder, Node, Setting,
    decode::Step,
    node::{Meaning, Value},
};
use crate::model::Json;

/// The JSON text that a node stands for. `None` where JSON cannot say it; why is
/// reported.
pub(crate) fn text(node: &Node, decoder: &mut Decoder<'_>) -> Option<String> {
    let mut out = String::new();
    write(node, decoder, &mut out).then_some(out)
}

fn write(node: &Node, decoder: &mut Decoder<'_>, out: &mut String) -> bool {
    match &node.value {
        Value::Unknown => return false,
        Value::Scalar(scalar) => match scalar.meaning() {
            Meaning::Null => out.push_str("null"),
            Meaning::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Meaning::Number(text) => out.push_str(&text),
            Meaning::Text(text) => out.push_str(&quoted(text)),
            Meaning::Unwritable(fix) => {
                let what = format!("`{}` cannot be written as JSON", scalar.text);
                decoder.fault(node.span, what, fix);
                return false;
            }
        },
        Value::Sequence(items) => {
            out.push('[');
            let mut is_whole = true;
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                is_whole &= decoder
                    .within(Step::Index(index), item.span, |decoder| write(item, decoder, out));
            }
            out.push(']');
            return is_whole;
        }
        Value::Mapping(entries) => {
            out.push('{');
            let mut is_whole = true;
            for (index, (key, value)) in entries.iter().enumerate() {
                separate(out, index);
                out.push_str(&quoted(&key.text));
                out.push(':');
                let step = Step::Key(key.text.clone());
                is_whole &= decoder.within(step, key.span, |decoder| write(value, decoder, out));
            }
            out.push('}');
            return is_whole;
        }
    }
    true
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Setting for Json {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = text(node, decoder)?;
        match Self::try_new(text) {
            Ok(json) => Some(json),
            Err(error) => {
                decoder.fault(node.span, format!("this is not JSON: {error}"), "write JSON");
                None
            }
        }
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({})
    }
}
