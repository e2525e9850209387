//! `tool_result` blocks and `tools`.

use super::{
    decode::{TOOLSET, not_executed},
    native,
};
use crate::{
    format::{
        Definition,
        reader::string,
        writer::{File, block, encode_base64, file, id, object_schema, quote, quoted, text},
    },
    model::{CallResult, Content, Outcome},
};

/// The API refuses an image whose base64 is longer.
const IMAGE_BASE64_MAX: usize = 5 << 20;

/// One `tool_result` block, the same bytes for the same result.
///
/// The API refuses texts without anything in them, and anything but text where
/// `is_error` is set: such texts are left out, and so is `content` where nothing
/// remains; files beside an error are named instead. The result of a toolset's
/// member repeats the toolset's name. A JSON result that is an array of the API's own
/// blocks goes in as those.
pub fn encode(result: &CallResult, source: Option<&str>) -> String {
    let is_error = result.is_error();
    let source = block(source);
    let toolset = source.as_ref().and_then(|block| string(block.get(TOOLSET)?));
    // Room for the text, its quotes escaped, and what stands around it.
    let bytes: usize = result.content.iter().map(Content::size_bytes).sum();
    let mut out = Vec::with_capacity(bytes + bytes / 4 + 160);
    out.extend_from_slice(br#"{"type":"tool_result","tool_use_id":"#);
    quote(&mut out, &id(result, source.as_ref(), "id"));
    if let Some(toolset) = &toolset {
        out.extend_from_slice(br#","toolset_name":"#);
        quote(&mut out, toolset);
    }
    let mut blocks = Blocks { out: &mut out, is_begun: false };
    if let Some(failure) = &result.failure {
        let is_halted = result.outcome == Outcome::Skipped
            && toolset.as_ref().is_some_and(|toolset| failure.message == not_executed(toolset));
        // The API's own words stand alone.
        blocks.text(&if is_halted { failure.message.clone() } else { failure.to_string() });
    }
    for content in &result.content {
        let native = match content {
            Content::Json(json) if !is_error => native::blocks(json.as_str(), toolset.as_deref()),
            _ => None,
        };
        match native {
            Some(native) => native.into_iter().for_each(|block| blocks.source(block)),
            None => blocks.add(content, is_error),
        }
    }
    blocks.end();
    out.extend_from_slice(if is_error { br#","is_error":true}"# } else { b"}" });
    // Texts between signs of JSON: they are one text.
    String::from_utf8(out).unwrap_or_default()
}

/// The `tools` array of a request. A schema keeps its source text; the API wants
/// it to say that it is an object's.
pub fn tool_definitions<'a>(tools: impl IntoIterator<Item = Definition<'a>>) -> String {
    let mut out = String::from("[");
    for Definition { name, description, input_schema } in tools {
        if out.len() > 1 {
            out.push(',');
        }
        out.extend([r#"{"name":"#, &quoted(name)]);
        if !description.is_empty() {
            out.extend([r#","description":"#, &quoted(description)]);
        }
        out.extend([r#","input_schema":"#, &object_schema(input_schema), "}"]);
    }
    out.push(']');
    out
}

/// The `content` of a block, written as its parts come; nothing at all where
/// there is nothing in them.
struct Blocks<'o> {
    out: &'o mut Vec<u8>,
    is_begun: bool,
}

impl Blocks<'_> {
    fn add(&mut self, content: &Content, is_text_only: bool) {
        match content {
            Content::Image { data, .. } | Content::Document { data, .. } if !is_text_only => {
                match file(data) {
                    Some(File::Image(media_type)) if fits(data) => {
                        self.file("image", media_type, data);
                    }
                    Some(File::Pdf) => self.file("document", "application/pdf", data),
                    _ => self.text(&text(content)),
                }
            }
            _ => self.text(&text(content)),
        }
    }

    fn begin(&mut self) {
        self.out.extend_from_slice(if self.is_begun { b"," } else { br#","content":["# });
        self.is_begun = true;
    }

    fn end(self) {
        if self.is_begun {
            self.out.push(b']');
        }
    }

    /// A block as it stands.
    fn source(&mut self, block: &str) {
        self.begin();
        self.out.extend_from_slice(block.as_bytes());
    }

    fn text(&mut self, words: &str) {
        if !words.trim().is_empty() {
            self.begin();
            self.out.extend_from_slice(br#"{"type":"text","text":"#);
            quote(self.out, words);
            self.out.push(b'}');
        }
    }

    fn file(&mut self, kind: &str, media_type: &str, data: &[u8]) {
        self.begin();
        for part in [
            r#"{"type":""#,
            kind,
            r#"","source":{"type":"base64","media_type":""#,
            media_type,
            r#"","data":""#,
        ] {
            self.out.extend_from_slice(part.as_bytes());
        }
        encode_base64(self.out, data);
        self.out.extend_from_slice(br#""}}"#);
    }
}

/// Whether the API takes an image of this size.
pub(super) fn fits(image: &[u8]) -> bool {
    image.len().div_ceil(3) * 4 <= IMAGE_BASE64_MAX
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        format::{
            results::{failed, succeeded},
            writer::base64,
        },
        model::{Failure, FailureCode, Json},
    };

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n....";

    fn image(media_type: &str, data: &[u8]) -> Content {
        Content::Image { media_type: media_type.into(), data: data.to_vec().into() }
    }

    fn encoded(result: &CallResult) -> Value {
        serde_json::from_str(&encode(result, None)).unwrap()
    }

    #[test]
    fn a_text_without_anything_in_it_is_never_written() {
        let nothing = vec![Content::Text("".into()), Content::Text(" \n\t".into())];
        assert_eq!(
            encode(&succeeded(nothing.clone()), None),
            r#"{"type":"tool_result","tool_use_id":"toolu_1"}"#
        );
        assert_eq!(encoded(&failed(nothing))["content"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_failure_is_flagged_and_holds_nothing_but_text() {
        assert_eq!(
            encode(&failed(vec![image("image/png", PNG), Content::Text("404".into())]), None),
            concat!(
                r#"{"type":"tool_result","tool_use_id":"toolu_1","content":["#,
                r#"{"type":"text","text":"invalid_input: cents: expected an integer"},"#,
                r#"{"type":"text","text":"[A file (image/png) of 12 bytes.]"},"#,
                r#"{"type":"text","text":"404"}],"is_error":true}"#
            )
        );
    }

    #[test]
    fn a_file_that_the_api_does_not_take_is_named() {
        let large = [PNG, &vec![0; 4 << 20]].concat();
        for (content, says) in [
            (image("image/png", b"no such thing"), "[A file (image/png) of 13 bytes.]"),
            (image("image/png", b""), "[A file (image/png) of 0 bytes.]"),
            (image("image/png", &large), "[A file (image/png) of 4194316 bytes.]"),
            (
                Content::Document { media_type: "application/zip".into(), data: "PK".into() },
                "[A file (application/zip) of 2 bytes.]",
            ),
        ] {
            let content = &encoded(&succeeded(vec![content]))["content"];
            assert_eq!(*content, json!([{"type": "text", "text": says}]));
        }
    }

    #[test]
    fn images_and_pdf_documents_are_written_as_what_their_bytes_are() {
        let source = |media_type: &str, data: &str| json!({"type": "base64", "media_type": media_type, "data": data});
        for (data, kind, media_type) in [
            (PNG, "image", "image/png"),
            (b"\xff\xd8\xff\xe0", "image", "image/jpeg"),
            (b"GIF89a", "image", "image/gif"),
            (b"RIFF\x01\x00\x00\x00WEBP", "image", "image/webp"),
            (b"%PDF-1.7", "document", "application/pdf"),
        ] {
            let block =
                encoded(&succeeded(vec![image("image/jpg; q=1", data)]))["content"][0].clone();
            assert_eq!(block["type"], kind);
            assert_eq!(block["source"], source(media_type, &base64(data)));
        }
    }

    #[test]
    fn the_result_of_a_toolsets_member_repeats_its_name_and_the_providers_id() {
        let block = r#"{"id":"toolu.1","toolset_name":"computer"}"#;
        let text = encode(&succeeded(vec![]), Some(block));
        assert_eq!(
            text,
            r#"{"type":"tool_result","tool_use_id":"toolu.1","toolset_name":"computer"}"#
        );
    }

    #[test]
    fn a_member_that_was_not_run_since_another_failed_says_so_in_the_words_of_the_api() {
        let skipped = |words: &str| CallResult {
            outcome: Outcome::Skipped,
            source: None,
            failure: Some(Failure::new(FailureCode::DependencyFailed, words)),
            ..succeeded(vec![])
        };
        let words = not_executed("browser");
        for (block, result, says) in [
            (Some(r#"{"toolset_name":"browser"}"#), skipped(words), words.to_owned()),
            (None, skipped(words), format!("dependency_failed: {words}")),
            (
                Some(r#"{"toolset_name":"browser"}"#),
                skipped("not run"),
                "dependency_failed: not run".to_owned(),
            ),
        ] {
            let block: Value = serde_json::from_str(&encode(&result, block)).unwrap();
            assert_eq!(block["content"], json!([{"type": "text", "text": says}]));
            assert_eq!(block["is_error"], json!(true));
        }
    }

    #[test]
    fn a_tool_may_answer_in_blocks_of_the_api() {
        let source = r#"[{"type": "tool_reference", "tool_name": "get_user"},{"type":"text","text":"1.10"}]"#;
        let native = || vec![Content::Json(Json::try_new(source).unwrap())];
        let text = encode(&succeeded(native()), None);
        assert!(text.ends_with(&format!(r#""content":{source}}}"#)), "{text}");
        // Beside an error nothing but text is taken.
        assert_eq!(
            encoded(&failed(native()))["content"][1],
            json!({"type": "text", "text": source})
        );
    }

    #[test]
    fn json_is_written_as_its_source_text() {
        let source = r#"{"id": 12345678901234567890123, "price": 1.10}"#;
        let result = succeeded(vec![
            Content::Json(Json::from_backend(source.into()).unwrap()),
            Content::Link { uri: "https://a.example/1".into(), name: "Invoice".into() },
            Content::Link { uri: "https://a.example/2".into(), name: "".into() },
        ]);
        assert_eq!(
            encoded(&result)["content"],
            json!([
                {"type": "text", "text": source},
                {"type": "text", "text": "Invoice: https://a.example/1"},
                {"type": "text", "text": "https://a.example/2"},
            ])
        );
    }

    #[test]
    fn tools_keep_their_schemas_source_and_say_that_it_is_an_objects() {
        let tools = [
            ("a", "Says \"a\".", r#"{"type":"object","minProperties":1.0}"#),
            ("b", "", "{}"),
            ("c", "C.", r#" { "required": ["x"] } "#),
        ]
        .map(|(name, description, input_schema)| Definition {
            name,
            description,
            input_schema,
        });
        assert_eq!(
            tool_definitions(tools),
            concat!(
                r#"[{"name":"a","description":"Says \"a\".","input_schema":{"type":"object","minProperties":1.0}},"#,
                r#"{"name":"b","input_schema":{"type":"object"}},"#,
                r#"{"name":"c","description":"C.","input_schema":{"type":"object", "required": ["x"] }}]"#
            )
        );
        assert_eq!(tool_definitions([]), "[]");
    }

    fn any_content() -> impl Strategy<Value = Content> {
        let text = "\\PC{0,20}|[ \t\n\u{0}\"\\\\]{0,4}".prop_map(Arc::<str>::from);
        prop_oneof![
            text.clone().prop_map(Content::Text),
            text.clone().prop_map(|t| Content::Json(Json::from_value(&Value::from(&*t)))),
            (text.clone(), text.clone()).prop_map(|(uri, name)| Content::Link { uri, name }),
            (text, prop_oneof![Just(PNG.to_vec()), prop::collection::vec(any::<u8>(), 0..20)])
                .prop_map(|(t, data)| Content::Image { media_type: t, data: data.into() }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_a_result_holds_its_block_is_valid(
            content in prop::collection::vec(any_content(), 0..6),
            is_failed in any::<bool>(),
        ) {
            let result = if is_failed { failed(content) } else { succeeded(content) };
            let block = encoded(&result);
            prop_assert_eq!(encode(&result, None), encode(&result.clone(), None));
            prop_assert_eq!(&block["tool_use_id"], "toolu_1");
            prop_assert_eq!(block.get("is_error").is_some(), is_failed);
            for item in block["content"].as_array().into_iter().flatten() {
                match item["type"].as_str() {
                    Some("text") => prop_assert!(!item["text"].as_str().unwrap().trim().is_empty()),
                    Some("image") => prop_assert!(!is_failed),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            prop_assert!(block.get("content").is_none_or(|content| content != &json!([])));
        }
    }
}
