//! `tool` messages and `tools`.

use crate::{
    format::{
        Definition,
        writer::{block, flagged, id, object, object_schema, quoted},
    },
    model::CallResult,
};

/// One `tool` message, the same bytes for the same result.
///
/// The API takes nothing but text in it and knows no flag for errors: files are
/// named, a failure stands first and says `Error:`, and a tool that returned
/// nothing is said to have, since content is required.
pub fn encode(result: &CallResult, source: Option<&str>) -> String {
    let source = block(source);
    object([
        ("role", r#""tool""#),
        ("tool_call_id", &*quoted(&id(result, source.as_ref(), "id"))),
        ("content", &*quoted(&flagged(result))),
    ])
}

/// The `tools` array of a request. A schema keeps its source text; the API wants
/// it to say that it is an object's.
pub fn tool_definitions<'a>(tools: impl IntoIterator<Item = Definition<'a>>) -> String {
    let mut out = String::from("[");
    for Definition { name, description, input_schema } in tools {
        if out.len() > 1 {
            out.push(',');
        }
        out.extend([r#"{"type":"function","function":{"name":"#, &quoted(name)]);
        if !description.is_empty() {
            out.extend([r#","description":"#, &quoted(description)]);
        }
        out.extend([r#","parameters":"#, &object_schema(input_schema), "}}"]);
    }
    out.push(']');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        format::results::{failed, succeeded},
        model::{Content, Json},
    };

    fn content(result: &CallResult) -> String {
        let message: Value = serde_json::from_str(&encode(result, None)).unwrap();
        message["content"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_message_holds_all_of_a_result_as_one_text() {
        let png = b"\x89PNG\r\n\x1a\n....".as_slice();
        let result = succeeded(vec![
            Content::Json(Json::try_new(r#"{"cents": 12345678901234567890.10}"#).unwrap()),
            Content::Text("  ".into()),
            Content::Link { uri: "https://a.example/1".into(), name: "Invoice".into() },
            Content::Image { media_type: "image/png".into(), data: png.into() },
        ]);
        assert_eq!(
            serde_json::from_str::<Value>(&encode(&result, None)).unwrap(),
            json!({
                "role": "tool",
                "tool_call_id": "toolu_1",
                "content": "{\"cents\": 12345678901234567890.10}\nInvoice: https://a.example/1\n\
                            [A file (image/png) of 12 bytes.]",
            })
        );
    }

    #[test]
    fn a_message_is_never_empty_and_an_error_says_that_it_is_one() {
        assert_eq!(content(&succeeded(vec![])), "[The tool succeeded and returned nothing.]");
        let result = failed(vec![Content::Text("changed meanwhile".into())]);
        assert_eq!(
            content(&result),
            "Error: invalid_input: cents: expected an integer\nchanged meanwhile"
        );
    }

    #[test]
    fn a_text_over_the_limit_of_the_api_is_cut_and_says_so() {
        let long = content(&succeeded(vec![Content::Text("ö".repeat(6 << 20).into())]));
        assert!(long.len() <= 10_485_760, "{}", long.len());
        assert!(long.ends_with("of 12582912 bytes, the most that the API takes.]"));
        let fits = "x".repeat(10_485_760);
        assert_eq!(content(&succeeded(vec![Content::Text(fits.as_str().into())])), fits);
    }

    #[test]
    fn the_id_goes_back_as_the_provider_wrote_it() {
        let block = r#"{"id":"functions.get_user:0"}"#;
        let message: Value =
            serde_json::from_str(&encode(&succeeded(vec![]), Some(block))).unwrap();
        assert_eq!(message["tool_call_id"], "functions.get_user:0");
    }

    #[test]
    fn tools_are_functions_of_their_schemas() {
        let tool = |name, description, input_schema| Definition { name, description, input_schema };
        assert_eq!(
            tool_definitions([tool("a", "A.", r#"{"minProperties": 1.0}"#), tool("b", "", "{}")]),
            concat!(
                r#"[{"type":"function","function":{"name":"a","description":"A.","#,
                r#""parameters":{"type":"object","minProperties": 1.0}}},"#,
                r#"{"type":"function","function":{"name":"b","parameters":{"type":"object"}}}]"#
            )
        );
    }
}
