//! `function_call_output` and `custom_tool_call_output` items, and `tools`.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    format::{
        Definition,
        reader::{Members, string},
        writer::{File, block, cut, file, flagged, id, object, object_schema, quoted, text},
    },
    model::{CallResult, Content},
};

/// The API refuses an image whose data URL is longer.
const IMAGE_URL_MAX: usize = 20_971_520;
/// And a file whose data is.
const FILE_DATA_MAX: usize = 33_554_432;

/// One output item, the same bytes for the same result.
///
/// The API knows no flag for errors: a failure stands first and says `Error:`. The
/// output is one text, or, where an image or a PDF is in it, a list. What the call
/// says of the program that made it, and of its namespace, is repeated.
pub fn encode(result: &CallResult, source: Option<&str>) -> String {
    let source = block(source);
    let of = |key| source.as_ref().and_then(|block: &Members<'_>| block.some(key));
    let is_custom = of("type").and_then(string).is_some_and(|kind| kind == "custom_tool_call");
    let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
    let has_files = result.content.iter().any(|content| part(content).is_some());
    let output = if has_files { list(result) } else { quoted(&flagged(result)) };
    let (kind, id) = (quoted(kind), quoted(&id(result, source.as_ref(), "call_id")));
    let mut members = vec![("type", &*kind), ("call_id", &*id)];
    members.extend(of("caller").map(|caller| ("caller", caller)));
    // Only the output of a function has one.
    members.extend(of("namespace").filter(|_| !is_custom).map(|name| ("namespace", name)));
    members.push(("output", &*output));
    object(members)
}

/// The parts of a result, at least one of which is a file.
fn list(result: &CallResult) -> String {
    let failure = result.failure.as_ref().map(|failure| words(&format!("Error: {failure}")));
    let content =
        result.content.iter().map(|content| part(content).unwrap_or_else(|| words(&text(content))));
    let parts: Vec<String> =
        failure.into_iter().chain(content).filter(|part| !part.is_empty()).collect();
    format!("[{}]", parts.join(","))
}

/// A text as a part; empty where there is nothing in it.
fn words(text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    object([("type", r#""input_text""#), ("text", &*quoted(&cut(text.to_owned())))])
}

/// A file that the API looks into, as a part.
fn part(content: &Content) -> Option<String> {
    let (Content::Image { data, .. } | Content::Document { data, .. }) = content else {
        return None;
    };
    let (media_type, bytes_max) = match file(data)? {
        File::Image(media_type) => (media_type, IMAGE_URL_MAX),
        File::Pdf => ("application/pdf", FILE_DATA_MAX),
    };
    let mut url = format!("data:{media_type};base64,");
    if url.len() + data.len().div_ceil(3) * 4 > bytes_max {
        return None;
    }
    BASE64_STANDARD.encode_string(data, &mut url);
    let url = quoted(&url);
    Some(match file(data)? {
        File::Image(_) => {
            object([("type", r#""input_image""#), ("detail", r#""auto""#), ("image_url", &*url)])
        }
        File::Pdf => object([
            ("type", r#""input_file""#),
            // The API refuses data without a name.
            ("filename", r#""result.pdf""#),
            ("file_data", &*url),
        ]),
    })
}

/// The `tools` array of a request. A schema keeps its source text; the API wants
/// it to say that it is an object's. It would make schemas strict by itself, and
/// refuse those that cannot be.
pub fn tool_definitions<'a>(tools: impl IntoIterator<Item = Definition<'a>>) -> String {
    let mut out = String::from("[");
    for Definition { name, description, input_schema } in tools {
        if out.len() > 1 {
            out.push(',');
        }
        out.extend([r#"{"type":"function","name":"#, &quoted(name)]);
        if !description.is_empty() {
            out.extend([r#","description":"#, &quoted(description)]);
        }
        out.extend([r#","parameters":"#, &object_schema(input_schema), r#","strict":false}"#]);
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
        model::Json,
    };

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n....";

    fn encoded(result: &CallResult, block: Option<&str>) -> Value {
        serde_json::from_str(&encode(result, block)).unwrap()
    }

    fn image(data: &[u8]) -> Content {
        Content::Image { media_type: "image/png".into(), data: data.to_vec().into() }
    }

    #[test]
    fn an_output_is_one_text_and_an_error_says_that_it_is_one() {
        let price = Content::Json(Json::try_new(r#"{"price": 1.10}"#).unwrap());
        let texts = vec![price, Content::Text(" ".into()), Content::Text("in stock".into())];
        for (result, output) in [
            (succeeded(texts), "{\"price\": 1.10}\nin stock"),
            (succeeded(vec![]), "[The tool succeeded and returned nothing.]"),
            (failed(vec![]), "Error: invalid_input: cents: expected an integer"),
        ] {
            assert_eq!(
                encoded(&result, None),
                json!({"type": "function_call_output", "call_id": "toolu_1", "output": output})
            );
        }
    }

    #[test]
    fn images_and_pdf_documents_make_the_output_a_list() {
        let pdf = b"%PDF-1.7".as_slice();
        let content = vec![
            Content::Text("A chart.".into()),
            Content::Text("".into()),
            image(PNG),
            Content::Document { media_type: "application/x".into(), data: pdf.into() },
            Content::Document { media_type: "text/csv".into(), data: b"a,b"[..].into() },
        ];
        let parts = json!([
            {"type": "input_text", "text": "A chart."},
            {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,iVBORw0KGgouLi4u"},
            {"type": "input_file", "filename": "result.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="},
            {"type": "input_text", "text": "[A file (text/csv) of 3 bytes.]"},
        ]);
        assert_eq!(encoded(&succeeded(content.clone()), None)["output"], parts);
        let says = "Error: invalid_input: cents: expected an integer";
        let output = encoded(&failed(content), None)["output"].clone();
        assert_eq!(output[0], json!({"type": "input_text", "text": says}));
        assert_eq!(output.as_array().unwrap()[1..], parts.as_array().unwrap()[..]);
    }

    #[test]
    fn a_file_over_the_limit_of_the_api_is_named() {
        let large = [PNG, &vec![0; 16 << 20]].concat();
        let output = encoded(&succeeded(vec![image(&large)]), None)["output"].clone();
        assert_eq!(output, json!("[A file (image/png) of 16777228 bytes.]"));
    }

    #[test]
    fn an_output_repeats_what_its_call_says_of_its_caller() {
        let caller = json!({"type": "program", "caller_id": "prog_1"});
        let block = |kind: &str| {
            json!({"type": kind, "call_id": "a.b", "caller": caller, "namespace": "crm"})
                .to_string()
        };
        let nothing = "[The tool succeeded and returned nothing.]";
        assert_eq!(
            encoded(&succeeded(vec![]), Some(&block("function_call"))),
            json!({"type": "function_call_output", "call_id": "a.b", "caller": caller,
                   "namespace": "crm", "output": nothing})
        );
        assert_eq!(
            encoded(&succeeded(vec![]), Some(&block("custom_tool_call"))),
            json!({"type": "custom_tool_call_output", "call_id": "a.b", "caller": caller,
                   "output": nothing})
        );
        let null = r#"{"call_id":"a.b","caller":null}"#;
        assert_eq!(encoded(&succeeded(vec![]), Some(null)).get("caller"), None);
    }

    #[test]
    fn tools_are_functions_that_are_not_made_strict() {
        let tool = |name, description, input_schema| Definition { name, description, input_schema };
        assert_eq!(
            tool_definitions([tool("a", "A.", r#"{"minProperties": 1.0}"#), tool("b", "", "{}")]),
            concat!(
                r#"[{"type":"function","name":"a","description":"A.","#,
                r#""parameters":{"type":"object","minProperties": 1.0},"strict":false},"#,
                r#"{"type":"function","name":"b","parameters":{"type":"object"},"strict":false}]"#
            )
        );
    }
}
