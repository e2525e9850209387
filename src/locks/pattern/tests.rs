use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The names that a pattern has; `*` stands for what is not known.
fn names(pattern: &str, input: &str, references: bool) -> Vec<String> {
    let pattern = Pattern::try_new(pattern).unwrap();
    let names = pattern.names(&Input::new(input).unwrap(), references, 1000);
    names.into_iter().map(|name| name.join("*")).collect()
}

fn key(pattern: &str, input: &str) -> String {
    let mut names = names(pattern, input, false);
    assert_eq!(names.len(), 1, "{names:?}");
    names.remove(0)
}

#[test]
fn a_text_that_is_no_pattern_is_refused_where_it_is_wrong() {
    for (text, offset, says) in [
        ("", 0, "the key is empty"),
        ("order/{", 6, "`{` without a `}`"),
        ("order/{}", 6, "`{}` is no slot"),
        ("order/{a b}", 6, "is no slot"),
        ("order 1", 5, "a key cannot hold ' '"),
        ("order/%2F", 6, "a key cannot hold '%'"),
        ("order/…", 6, "a key cannot hold '…'"),
        ("order\n", 5, "a key cannot hold '\\n'"),
        ("{a}{b}", 3, "two slots run into each other"),
        ("order/{a}-{b}", 9, "put `/` or `:` between them"),
        ("order/{a}line{b}", 9, "two slots run into each other"),
        (&"x".repeat(257), 0, "the key has 257 bytes; write at most 256"),
    ] {
        let fault = Pattern::try_new(text).unwrap_err();
        assert!(fault.to_string().contains(says), "{text:?}: {fault}");
        assert_eq!(fault.offset, offset, "{text:?}: {fault}");
    }
    for text in ["all", "größe/{a}", "{a}", "{a}/{b}", "a-{a}-b", "{a}-:{b}", "{{x}}"] {
        assert_eq!(Pattern::try_new(text).unwrap().as_str(), text);
    }
}

#[test]
fn a_value_never_stands_for_more_than_itself() {
    for (input, expected) in [
        (r#"{"a": "17/line/2"}"#, "order/17%2Fline%2F2"),
        (r#"{"a": "%2F"}"#, "order/%252F"),
        (r#"{"a": " "}"#, "order/%20"),
        (r#"{"a": "größe@x.de"}"#, "order/größe@x.de"),
        (r#"{"a": "…"}"#, "order/%E2%80%A6"),
        (r#"{"a": "{b}", "b": 1}"#, "order/%7Bb%7D"),
        (r#"{"a": "x\"\n"}"#, "order/x%22%0A"),
        (r#"{"a": "\ud800"}"#, r"order/%22%5Cud800%22"),
    ] {
        assert_eq!(key("order/{a}", input), expected, "{input}");
    }
}

#[test]
fn what_means_the_same_is_the_same_whatever_its_type() {
    for (input, expected) in [
        (r#"{"a": 7}"#, "order/7"),
        (r#"{"a": "7"}"#, "order/7"),
        (r#"{"a": 7.0}"#, "order/7"),
        (r#"{"a": "7.0"}"#, "order/7.0"),
        (r#"{"a": 12345678901234567890123}"#, "order/12345678901234567890123"),
        (r#"{"a": true}"#, "order/true"),
        (r#"{"a": null}"#, "order/"),
        (r#"{"a": ""}"#, "order/"),
        ("{}", "order/"),
        (r#"{"a": {"y": 1.0, "x": ["z"]}}"#, "order/%7B%22x%22%3A%5B%22z%22%5D%2C%22y%22%3A1%7D"),
        (r#"{"a":{"x":["\u007a"],"y":1}}"#, "order/%7B%22x%22%3A%5B%22z%22%5D%2C%22y%22%3A1%7D"),
    ] {
        assert_eq!(key("order/{a}", input), expected, "{input}");
    }
    assert_eq!(key("{a.b}:{a.c.d}", r#"{"a": {"b": 1, "c": {"d": "x"}}}"#), "1:x");
    assert_eq!(key("{a.b}", r#"{"a": [{"b": 1}]}"#), "");
    assert_eq!(key("all", "{}"), "all");
}

#[test]
fn a_list_names_each_of_its_elements() {
    let input = r#"{"a": [1, "2", [3, []], null], "b": ["x", "y"], "c": []}"#;
    assert_eq!(names("o/{a}", input, false), ["o/1", "o/2", "o/3", "o/"]);
    assert_eq!(
        names("{b}/{a}", input, false),
        ["x/1", "x/2", "x/3", "x/", "y/1", "y/2", "y/3", "y/"]
    );
    assert!(names("o/{c}", input, false).is_empty());
}

#[test]
fn a_long_value_is_named_by_its_head_and_its_digest() {
    let of = |value: &str| key("doc/{a}/line", &json!({"a": value}).to_string());
    let long = "x".repeat(100_000);
    let one = of(&long);
    assert!(one.len() < 120, "{one}");
    assert!(
        one.starts_with(&format!("doc/{}…", "x".repeat(64))) && one.ends_with("/line"),
        "{one}"
    );
    assert_ne!(one, of(&format!("{long}y")));
    assert_eq!(of(&"x".repeat(128)), format!("doc/{}/line", "x".repeat(128)));
    // Cut between characters.
    assert!(of(&format!("x{}", "é".repeat(200))).contains("é…"));
}

#[test]
fn what_may_be_a_reference_is_not_known_before_it_is_resolved() {
    for (input, expected) in [
        (r#"{"a": "${get.id}"}"#, "o/*"),
        (r#"{"a": "x-${get.id}"}"#, "o/*"),
        (r#"{"a": "\u0024{get.id}"}"#, "o/*"),
        (r#"{"a": {"$ref": "get.id"}}"#, "o/*"),
        (r#"{"a": {"\u0024ref": "get.id"}}"#, "o/*"),
        (r#"{"a": {"x": "${get.id}"}}"#, "o/*"),
        (r#"{"$ref": "get"}"#, "o/*"),
        (r#"{"a": "get.id"}"#, "o/get.id"),
        (r#"{"b": "${get.id}"}"#, "o/"),
    ] {
        assert_eq!(names("o/{a}", input, true), [expected], "{input}");
    }
    for (input, expected) in
        [(r#"{"a": "${get}"}"#, "o/*"), (r#"{"a": {"$ref": "get"}}"#, "o/*"), ("{}", "o/")]
    {
        assert_eq!(names("o/{a.b}", input, true), [expected], "{input}");
    }
    let input = r#"{"a": ["1", "${get.id}"], "b": "x"}"#;
    assert_eq!(names("{a}/{b}", input, true), ["1/x", "*/x"]);
    assert_eq!(names("{b}/{a}/{a}", r#"{"b": 1, "a": "${g}"}"#, true), ["1/*/*"]);
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        // A number and a string of the same text name the same.
        (0..50).prop_map(|number: i32| json!(number.to_string())),
        "[ab/:%.…{}é -]{0,5}".prop_map(Value::from),
        "[a/]{60,140}".prop_map(Value::from),
    ]
}

proptest! {
    /// Two calls of a tool have the same key exactly where all its fields are the
    /// same.
    #[test]
    fn other_values_make_another_key(one in [values(), values()], other in [values(), values()]) {
        for pattern in ["o/{a}/{b}", "{a}:{b}", "{a}--/--{b}x", "{b}#{a}"] {
            let of = |[a, b]: &[Value; 2]| key(pattern, &json!({"a": a, "b": b}).to_string());
            prop_assert_eq!(of(&one) == of(&other), one == other, "{}", pattern);
        }
    }
}
