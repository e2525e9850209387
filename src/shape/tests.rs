use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn text(text: impl Into<Arc<str>>) -> Content {
    Content::Text(text.into())
}

fn json(text: impl Into<String>) -> Content {
    Content::Json(Json::from_backend(text.into()).unwrap())
}

fn image(bytes: usize) -> Content {
    Content::Image { media_type: "image/png".into(), data: vec![7; bytes].into() }
}

/// What a block says, for blocks that are text or JSON.
fn words(block: &Content) -> &str {
    match block {
        Content::Text(text) => text,
        Content::Json(json) => json.as_str(),
        other => panic!("{other:?} has no words"),
    }
}

fn shaped(content: Vec<Content>, max_bytes: usize) -> Vec<Content> {
    let whole: usize = size(&content);
    let shaped = shape(content, max_bytes);
    let kept = size(&shaped.content);
    assert!(kept <= max_bytes.max(MIN_BYTES), "{kept} bytes of at most {max_bytes}");
    assert!(!shaped.content.iter().any(|block| matches!(block, Content::Text(t) if t.is_empty())));
    if let Some(truncation) = shaped.truncation {
        assert_eq!(truncation, Truncation { whole_bytes: whole, kept_bytes: kept });
    }
    shaped.content
}

fn cut_json(source: &str, max_bytes: usize) -> (Value, String) {
    let content = shaped(vec![json(source)], max_bytes);
    let [Content::Json(json), note] = &content[..] else { panic!("{content:?}") };
    let note = words(note);
    assert!(note.contains(&format!("the whole has {} bytes", source.len())), "{note}");
    (serde_json::from_str(json.as_str()).unwrap(), json.as_str().to_owned())
}

#[test]
fn what_fits_is_left_alone() {
    let content = vec![json(r#"{ "price": 1.10 }"#), text("é"), image(100)];
    let shaped = shape(content.clone(), 256);
    assert_eq!(shaped.content, content);
    assert_eq!(shaped.truncation, None);
}

#[test]
fn an_empty_text_is_never_left() {
    assert!(shape(vec![text("")], 1000).content.is_empty());
    let left = shaped(vec![text(""), text("x".repeat(1000)), text("")], 300);
    assert_eq!(left.len(), 1);
}

#[test]
fn a_limit_below_the_smallest_counts_as_the_smallest() {
    let left = shaped(vec![text("x".repeat(1000))], 0);
    assert!(left[0].size_bytes() > 200);
}

#[test]
fn text_keeps_head_and_tail_and_says_what_is_gone() {
    let lines: String = (0..200).map(|n| format!("line {n}\n")).collect();
    let left = shaped(vec![text(lines.as_str())], 400);
    let [Content::Text(left)] = &left[..] else { panic!("{left:?}") };
    let (head, rest) = left.split_once("\n[… ").unwrap();
    let (mark, tail) = rest.split_once(" …]\n").unwrap();
    assert!(lines.starts_with(&format!("{head}\n")), "the head ends with a line: {head}");
    assert!(lines.ends_with(&format!("\n{tail}")), "the tail begins with a line: {tail}");
    let gone = lines.len() - head.len() - tail.len();
    assert_eq!(mark, format!("{gone} of {} bytes left out", lines.len()));
}

#[test]
fn text_is_cut_between_characters() {
    for max_bytes in 256..300 {
        let left = shaped(vec![text("a€😀".repeat(500))], max_bytes);
        assert!(!words(&left[0]).contains('\u{fffd}'));
        assert!(size(&left) + 16 > max_bytes, "no room is wasted");
    }
}

#[test]
fn an_image_over_the_limit_becomes_a_text_that_names_it() {
    let left = shaped(vec![image(5000), text("beside it")], 1000);
    assert_eq!(words(&left[0]), "[An image (image/png) of 5000 bytes was left out.]");
    assert_eq!(words(&left[1]), "beside it");
    let name: Arc<str> = "ü".repeat(500).into();
    let left = shaped(
        vec![Content::Document { media_type: Arc::clone(&name), data: vec![0; 900].into() }],
        256,
    );
    assert!(words(&left[0]).ends_with("of 900 bytes was left out.]"));
    let left = shaped(vec![Content::Link { uri: name, name: "x".into() }], 256);
    assert_eq!(words(&left[0]), "[A link of 1000 bytes was left out.]");
}

#[test]
fn small_blocks_stay_whole_beside_large_ones() {
    let left = shaped(vec![text("x".repeat(9000)), image(300), json("[1.10]")], 1500);
    assert_eq!((&left[1], &left[2]), (&image(300), &json("[1.10]")));
    assert!(left[0].size_bytes() > 900);
}

#[test]
fn blocks_for_which_there_is_no_room_are_counted() {
    let left = shaped((0..50).map(|_| text("x".repeat(200))).collect(), 500);
    let note = words(left.last().unwrap());
    assert_eq!(
        note,
        format!(
            "[This result was cut: the whole has 10000 bytes. {} of 50 blocks were left out.]",
            50 - (left.len() - 1)
        )
    );
    assert!(left.len() > 2);
}

#[test]
fn whitespace_goes_before_anything_is_cut() {
    let source = format!("[{}1.10 , \"a b\"]", " \n\t".repeat(200));
    let shaped = shape(vec![json(source)], 256);
    assert_eq!(shaped.content, [json(r#"[1.10,"a b"]"#)]);
    assert_eq!(shaped.truncation, None);
}

#[test]
fn an_array_keeps_its_first_elements_and_counts_the_others() {
    let elements: Vec<String> = (0..1000).map(|n| format!(r#"{{"id": {n}, "p": 1.10}}"#)).collect();
    let (value, source) = cut_json(&format!("[{}]", elements.join(", ")), 600);
    let kept = value.as_array().unwrap();
    let (mark, kept) = kept.split_last().unwrap();
    assert_eq!(mark, &format!("… {} of 1000 elements left out", 1000 - kept.len()));
    assert!(kept.len() > 15, "{source}");
    for (n, element) in kept.iter().enumerate() {
        assert_eq!(element["id"], n);
    }
    assert_eq!(source.matches(r#""p":1.10}"#).count(), kept.len());
}

#[test]
fn an_object_keeps_every_key_and_its_small_values() {
    let list = format!("[\"word\", {}0]", "12345678901234567890123, ".repeat(900));
    let (_, source) =
        cut_json(&format!(r#"{{"orders": {list}, "total": 1E+2, "next": null}}"#), 400);
    assert!(source.ends_with(r#","total":1E+2,"next":null}"#), "{source}");
    assert!(source.starts_with(r#"{"orders":["word",12345678901234567890123,"#), "{source}");
}

#[test]
fn keys_for_which_there_is_no_room_are_counted() {
    let members: Vec<String> = (0..500).map(|n| format!(r#""key_{n}":{n}"#)).collect();
    let (value, _) = cut_json(&format!("{{\"…\":1,{}}}", members.join(",")), 400);
    let kept = value.as_object().unwrap();
    assert_eq!(kept["…"], format!("{} of 501 keys left out", 501 - (kept.len() - 1)));
    assert_eq!(kept["key_0"], 0);
}

#[test]
fn a_long_string_keeps_both_ends_and_no_escape_is_split() {
    for body in [r"\n", r"\ud83d\ude00", r"\\", r#"\""#, "é", r"\u00e9", r"\ud83d"] {
        for max_bytes in 256..290 {
            let source = format!(r#"{{"log":"{}"}}"#, body.repeat(600));
            let content = shaped(vec![json(source.as_str())], max_bytes);
            let left = words(&content[0]);
            assert!(left.contains(&format!(" of {} bytes left out …]", body.len() * 600)));
            let (head, tail) = (left.split('[').next().unwrap(), left.rsplit(']').next().unwrap());
            let rest = head.strip_prefix(r#"{"log":""#).unwrap().replace(body, "");
            assert_eq!(rest, "", "{left}");
            assert_eq!(tail.strip_suffix(r#""}"#).unwrap().replace(body, ""), "", "{left}");
        }
    }
}

#[test]
fn one_large_element_does_not_push_out_those_after_it() {
    let source = format!(r#"[{{"log":"{}"}},{{"id":2}},{{"id":3}}]"#, "x".repeat(5000));
    let (value, _) = cut_json(&source, 600);
    assert_eq!(value[1]["id"], 2);
    assert_eq!(value[2]["id"], 3);
}

#[test]
fn a_number_too_long_is_named_and_not_shortened() {
    let (value, _) = cut_json(&format!("[{}, 1]", "9".repeat(3000)), 300);
    assert_eq!(value[0], "… a number of 3000 bytes left out");
}

#[test]
fn the_size_and_the_depth_of_a_result_cost_no_more_than_their_bytes() {
    const SIZE: usize = 2 << 20;
    let deep =
        "[".repeat(100) + &"{\"a\":[1],\"b\":\"\\\\\"},".repeat(SIZE / 19) + "0" + &"]".repeat(100);
    for source in [
        deep,
        format!("[{}]", "[],".repeat(SIZE / 3) + "1"),
        format!(
            "[{}]",
            format!("{}1{},", "[".repeat(126), "]".repeat(126)).repeat(SIZE / 253) + "1"
        ),
        format!("\"{}\"", "\\\\".repeat(SIZE / 2)),
        format!("{{{}}}", "\"k\":1,".repeat(SIZE / 6) + "\"k\":2"),
    ] {
        let left = shaped(vec![json(source)], 100 << 10);
        assert!(matches!(left[0], Content::Json(_)));
    }
    shaped(vec![text("\n".repeat(SIZE))], 100 << 10);
}

fn any_json() -> impl Strategy<Value = String> {
    let string = prop_oneof![".{0,40}", "[a\\\\\"\n😀]{0,400}"]
        .prop_map(|text: String| Value::String(text).to_string());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        "-?[1-9][0-9]{0,90}(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
        string.clone(),
    ];
    leaf.prop_recursive(6, 200, 12, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12)
                .prop_map(|elements| format!("[ {}]", elements.join(" ,"))),
            prop::collection::vec((string.clone(), inner), 0..12).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{{{}}}", members.join(",\n"))
            }),
        ]
    })
}

/// The tokens of a JSON text that are no strings.
fn literals(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let (mut is_string, mut is_escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_string => is_escaped = true,
            '"' => is_string = !is_string,
            _ if is_string => {}
            '[' | ']' | '{' | '}' | ',' | ':' | ' ' | '\n' => out.push(String::new()),
            c => out.last_mut().unwrap().push(c),
        }
    }
    out.retain(|token| !token.is_empty());
    out
}

proptest! {
    #[test]
    fn cut_json_is_json_within_the_limit_made_of_the_source(
        sources in prop::collection::vec(any_json(), 1..4),
        max_bytes in 0_usize..3000,
    ) {
        let content: Vec<Content> = sources.iter().map(json).collect();
        let is_over = size(&content) > max_bytes.max(MIN_BYTES);
        let left = shaped(content.clone(), max_bytes);
        if !is_over {
            prop_assert_eq!(&left, &content);
        }
        for (source, block) in sources.iter().zip(&left) {
            let Content::Json(json) = block else { continue };
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(json.as_str()).is_ok());
            let mut source = literals(source).into_iter();
            for literal in literals(json.as_str()) {
                prop_assert!(source.any(|other| other == literal), "{literal} in {json}");
            }
        }
    }

    #[test]
    fn cut_text_is_made_of_both_ends(
        (part, times) in ("(.|\n){0,60}", 0_usize..60),
        max_bytes in 0_usize..4000,
    ) {
        let source = part.repeat(times);
        let left = shaped(vec![text(source.as_str())], max_bytes);
        match &left[..] {
            [] => prop_assert!(source.is_empty()),
            [Content::Text(left)] if **left == *source => {}
            [Content::Text(left)] => {
                prop_assert!(source.len() > max_bytes.max(MIN_BYTES));
                let (head, tail) = (left.split("\n[… ").next().unwrap(), left.rsplit(" …]\n").next().unwrap());
                prop_assert!(source.starts_with(head) && source.ends_with(tail));
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
