use super::*;

fn render(template: &str, input: &str) -> Result<String, String> {
    let mut out = String::new();
    let template = PathTemplate::try_new(template).unwrap();
    template.render(&Input::new(input).unwrap(), &mut out).map(|()| out)
}

#[test]
fn a_path_with_tricks_in_it_is_refused() {
    for (path, offset, says) in [
        ("customers", 0, "begins with `/`"),
        ("{a}", 0, "begins with `/`"),
        ("//evil.example/x", 1, "is empty"),
        ("/a//b", 3, "is empty"),
        ("/a/../b", 3, "`..`"),
        ("/a/./b", 3, "`.`"),
        ("/a/%2e%2e/b", 3, "`..`"),
        ("/a/%252e./b", 3, "`..`"),
        ("/a%2fb", 1, "must not hold `/`"),
        ("/a?x={x}", 2, "ends before `?`"),
        ("/a/{b}#c", 6, "ends before `#`"),
        ("/a b", 2, "cannot hold ' '"),
        ("/{a}\r\n", 4, "cannot hold '\\r'"),
        ("/gr\u{f6}\u{df}e", 3, "percent-encode it"),
        ("/a%zz", 2, "two hexadecimal digits"),
        ("/a%", 2, "two hexadecimal digits"),
        ("/a/{b", 3, "without a `}`"),
        ("/a{{b", 2, "cannot hold '{'"),
    ] {
        let fault = PathTemplate::try_new(path).unwrap_err();
        assert!(fault.to_string().contains(says), "{path:?}: {fault}");
        assert_eq!(fault.offset, offset, "{path:?}: {fault}");
    }
}

#[test]
fn a_value_cannot_change_the_depth_of_a_path() {
    for value in [
        "",
        ".",
        "..",
        "...",
        ".. ",
        "..;",
        "..;a=b",
        "../x",
        "a/b",
        "/",
        "a\\b",
        "..\\..",
        "%2e",
        "%2E%2e",
        ".%2e",
        "%2e%2e%2f",
        "a%2Fb",
        "a%5cb",
        "%252e%252e",
        "%25252fetc",
        "a%%32fb",
        "a%2%352fb",
        "a%C2%2585",
        "a\\u0000b",
        "a%00b",
        "a\\r\\nHost: evil",
        "a%0d%0aX: y",
        "\\t",
        "\\u007f",
        "\\u0085",
    ] {
        let value = if value.contains("\\u") || value.contains("\\r") || value == "\\t" {
            value.to_owned()
        } else {
            value.replace('\\', "\\\\")
        };
        let message = render("/v/{id}", &format!(r#"{{"id": "{value}"}}"#)).unwrap_err();
        assert!(message.contains("`id` becomes one segment"), "{value:?}: {message}");
    }
}

/// A pass for each time that it was encoded would cost the square of them.
#[test]
fn a_value_encoded_half_a_million_times_costs_no_more_than_its_bytes() {
    let input = |end: &str| format!(r#"{{"id": "%{}{end}"}}"#, "25".repeat(500_000));
    assert!(render("/v/{id}", &input("2f")).unwrap_err().contains("must not hold `/`"));
    assert!(render("/v/{id}", &input("")).is_ok());
}

#[test]
fn fields_that_are_missing_or_no_scalars_have_no_place_in_a_path() {
    for (input, says) in [
        ("{}", "`id` is part of a path and is missing"),
        (r#"{"id": null}"#, "is missing"),
        (r#"{"id": ["a"]}"#, "give a string or a number"),
        (r#"{"id": {"a": 1}}"#, "give a string or a number"),
    ] {
        let message = render("/v/{id}", input).unwrap_err();
        assert!(message.contains(says), "{input}: {message}");
    }
}

#[test]
fn fields_cannot_make_dots_together() {
    for (template, input) in [
        ("/{a}{b}", r#"{"a": "x", "b": ".."}"#),
        ("/x/.{a}", r#"{"a": "."}"#),
        ("/x/%2e{a};", r#"{"a": " "}"#),
    ] {
        assert!(render(template, input).is_err(), "{template} {input}");
    }
    assert_eq!(render("/{a}.{b}", r#"{"a": "x", "b": "y"}"#).unwrap(), "/x.y");
}

#[test]
fn everything_that_is_not_unreserved_is_encoded() {
    for (value, is) in [
        ("cus_1-2.3~4", "cus_1-2.3~4"),
        ("a b", "a%20b"),
        ("a?x=1&y#z", "a%3Fx%3D1%26y%23z"),
        ("user@host:80", "user%40host%3A80"),
        ("100%", "100%25"),
        ("gr\u{f6}\u{df}e", "gr%C3%B6%C3%9Fe"),
        ("\u{ff0f}\u{ff0e}\u{ff0e}", "%EF%BC%8F%EF%BC%8E%EF%BC%8E"),
        ("a;b,c+d", "a%3Bb%2Cc%2Bd"),
    ] {
        let input = serde_json::json!({"id": value}).to_string();
        assert_eq!(render("/v/{id}/x", &input).unwrap(), format!("/v/{is}/x"));
    }
    assert_eq!(
        render("/v/{id}", r#"{"id": 12345678901234567890}"#).unwrap(),
        "/v/12345678901234567890"
    );
    assert_eq!(render("/v/{a.b}", r#"{"a": {"b": true}}"#).unwrap(), "/v/true");
}

#[test]
fn a_fixed_path_stays_as_it_was_written() {
    for path in ["", "/", "/a/b/", "/a%20b/@me", "/files/x.json;v=1"] {
        assert_eq!(render(path, "{}").unwrap(), path);
    }
    assert_eq!(PathTemplate::try_new("/a/{b}/c/{d.e}.json").unwrap().slots().count(), 2);
}
