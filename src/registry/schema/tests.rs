use proptest::prelude::*;

use super::*;

fn schema(source: &str) -> Schema {
    Schema::try_new(Json::try_new(source).unwrap()).unwrap()
}

fn fault(source: &str, input: &str) -> String {
    let failure = schema(source).check(&Json::try_new(input).unwrap()).unwrap_err();
    assert_eq!(failure.code, FailureCode::InvalidInput);
    failure.message
}

#[test]
fn a_schema_that_cannot_be_kept_is_refused_with_its_place_and_the_fix() {
    for (source, pointer, says) in [
        ("true", "", "write {\"type\": \"object\"}"),
        (r#"{"type": "array"}"#, "/type", "instead of \"array\""),
        (r#"{"type": ["object", "null"]}"#, "/type", "instead of [\"object\",\"null\"]"),
        (r#"{"$schema": "http://json-schema.org/draft-04/schema#"}"#, "/$schema", "draft-07"),
        (r#"{"$schema": 7}"#, "/$schema", "no string"),
        (
            r#"{"properties": {"a": {"$ref": "https://x.example/y.json"}}}"#,
            "/properties/a/$ref",
            "nothing is fetched: copy it under `$defs`",
        ),
        (r#"{"allOf": [{"$ref": "file:///etc/passwd"}]}"#, "/allOf/0/$ref", "nothing is fetched"),
        (
            r##"{"properties": {"a/b": {"$ref": "#/$defs/no"}}}"##,
            "/properties/a~1b/$ref",
            "leads nowhere",
        ),
        (r#"{"properties": {"a": {"pattern": "(?=x)y"}}}"#, "/properties/a/pattern", "look-around"),
        (
            r#"{"properties": {"a": {"pattern": "(a)\\1"}}}"#,
            "/properties/a/pattern",
            "back-references",
        ),
        (
            r#"{"properties": {"a": {"pattern": "((a{99}){99}){99}"}}}"#,
            "/properties/a/pattern",
            "bounded",
        ),
        (r#"{"patternProperties": {"(?!x)": {}}}"#, "/patternProperties/(?!x)", "look-around"),
        (r#"{"required": "a"}"#, "/required", "expected an array, got \"a\""),
        (
            r#"{"properties": {"a": {"type": "strin"}}}"#,
            "/properties/a/type",
            r#"expected one of "array", "boolean""#,
        ),
    ] {
        let error = Schema::try_new(Json::try_new(source).unwrap()).unwrap_err();
        assert_eq!(error.pointer, pointer, "{source}: {error}");
        assert!(error.message.contains(says), "{source}: {error}");
    }
}

#[test]
fn a_fault_names_its_path_what_is_expected_and_what_came() {
    let long = "x".repeat(200);
    for (rule, value, says) in [
        (r#"{"type": "integer"}"#, "\"7\"", "a: expected an integer, got \"7\""),
        (r#"{"type": ["integer", "null"]}"#, "1.50", "a: expected null or an integer, got 1.50"),
        (r#"{"type": "string"}"#, "12345678901234567890123", "got 12345678901234567890123"),
        (r#"{"enum": ["b", 2]}"#, "3", "a: expected one of \"b\", 2, got 3"),
        (r#"{"const": "b"}"#, "3", "a: expected \"b\", got 3"),
        (r#"{"minimum": 1}"#, "0", "a: expected at least 1, got 0"),
        (r#"{"exclusiveMinimum": 1}"#, "1", "a: expected more than 1, got 1"),
        (r#"{"maximum": 1}"#, "2", "a: expected at most 1, got 2"),
        (r#"{"exclusiveMaximum": 1}"#, "1", "a: expected less than 1, got 1"),
        (r#"{"multipleOf": 5}"#, "7", "a: expected a multiple of 5, got 7"),
        (r#"{"minLength": 2}"#, "\"x\"", "a: expected at least 2 characters, got \"x\""),
        (r#"{"maxLength": 2}"#, &format!("\"{long}\""), &format!("got \"{}…", "x".repeat(79))),
        (
            r#"{"pattern": "^[A-Z]+$"}"#,
            "\"x\"",
            "a: expected a string that matches ^[A-Z]+$, got \"x\"",
        ),
        (
            r#"{"format": "date-time"}"#,
            "\"x\"",
            "a: expected a string in the format date-time, got \"x\"",
        ),
        (r#"{"minItems": 1}"#, "[]", "a: expected at least 1 elements, got []"),
        (r#"{"maxItems": 1}"#, "[1, 2]", "a: expected at most 1 elements, got [1, 2]"),
        (r#"{"uniqueItems": true}"#, "[1, 1]", "a: expected elements that are all different"),
        (r#"{"minProperties": 1}"#, "{}", "a: expected at least 1 properties, got {}"),
        (r#"{"maxProperties": 0}"#, "{\"b\":1}", "a: expected at most 0 properties"),
        (r#"{"items": {"type": "string"}}"#, "[\"x\", 1]", "a[1]: expected a string, got 1"),
        (r#"{"prefixItems": [{}], "items": false}"#, "[1, 2]", "a[1]: nothing may stand here"),
        (r#"{"not": {}}"#, "1", "a: not is not fulfilled, got 1"),
        (
            r#"{"anyOf": [{"type": "string"}, {"type": "object", "required": ["x"]}]}"#,
            "{}",
            "a: expected a string or x is missing, got {}",
        ),
        (
            r#"{"oneOf": [{"minimum": 1}, {"minimum": 2}]}"#,
            "3",
            "a: expected what fits exactly one",
        ),
        (
            r#"{"propertyNames": {"maxLength": 1}}"#,
            "{\"bc\": 1}",
            "a: a key does not fit: expected at most 1 characters, got \"bc\"",
        ),
    ] {
        let message = fault(
            &format!(r#"{{"properties": {{"a": {rule}}}}}"#),
            &format!(r#"{{"a": {value}}}"#),
        );
        assert!(message.contains(says), "{rule} {value}: {message}");
    }
}

#[test]
fn missing_and_unknown_keys_are_told_with_those_that_are_valid() {
    let source = r##"{"$defs": {"order": {"type": "object", "required": ["id", "at"],
        "properties": {"at": {"type": "string"}, "id": {"type": "integer"}, "customer_note": {}},
        "additionalProperties": false}},
        "properties": {"orders": {"items": {"$ref": "#/$defs/order"}}}}"##;
    assert_eq!(
        fault(source, r#"{"orders": [{}]}"#),
        "orders[0]: id is missing, it takes at (string, required), id (integer, required), \
         customer_note; orders[0]: at is missing"
    );
    assert_eq!(
        fault(source, r#"{"orders": [{"id": 1, "at": "x", "customerNote": 1}]}"#),
        "orders[0]: customerNote is not known here, did you mean customer_note? It takes at \
         (string, required), id (integer, required), customer_note"
    );
    assert_eq!(fault(r#"{"required": ["id"]}"#, "{}"), "the input: id is missing");
}

#[test]
fn a_path_names_keys_that_are_no_words_as_they_are() {
    let rule = r#"{"additionalProperties": {"additionalProperties": {"type": "null"}}}"#;
    for (input, says) in [
        (r#"{"Exchange Rate": {"": 1}}"#, r#"["Exchange Rate"][""]: expected null, got 1"#),
        (r#"{"a/b": {"~1": 2.0}}"#, r#"["a/b"]["~1"]: expected null, got 2.0"#),
        (r#"{"a": {"0": [1, 2]}}"#, "a.0: expected null, got [1, 2]"),
    ] {
        assert_eq!(fault(rule, input), says);
    }
}

#[test]
fn the_first_faults_are_told_and_the_others_counted() {
    let rule = r#"{"additionalProperties": {"type": "null"}}"#;
    let input: Vec<String> = (0..7).map(|n| format!("\"k{n}\": {n}")).collect();
    let message = fault(rule, &format!("{{{}}}", input.join(",")));
    assert!(message.ends_with("k4: expected null, got 4; and 2 more faults"), "{message}");
    let message = fault(rule, &format!("{{{}}}", input[..6].join(",")));
    assert!(message.ends_with("; and 1 more fault"), "{message}");
    let long = format!(r#"{{"{}": {:?}}}"#, "k".repeat(9000), "v".repeat(9000));
    assert!(fault(rule, &long).len() < 300);
}

#[test]
fn both_drafts_are_kept_to() {
    let tuple = r#""properties": {"a": {"items": [{"type": "integer"}]}}"#;
    let draft_07 = format!(r#"{{"$schema": "http://json-schema.org/draft-07/schema#", {tuple}}}"#);
    assert_eq!(fault(&draft_07, r#"{"a": ["x"]}"#), "a[0]: expected an integer, got \"x\"");
    let newest = format!("{{{tuple}}}");
    assert!(Schema::try_new(Json::try_new(newest).unwrap()).is_err(), "2020-12 has prefixItems");
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let source = r##"{"properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}}"##;
    let input =
        (0..100).fold(r#"{"n": "x"}"#.to_owned(), |inner, _| format!(r#"{{"next": {inner}}}"#));
    assert!(fault(source, &input).contains("expected an integer"));
    schema(r##"{"$ref": "#"}"##).check(&Json::try_new("{}").unwrap()).unwrap();
}

#[test]
fn a_pattern_takes_linear_time() {
    let source = r#"{"properties": {"a": {"pattern": "^(a+)+$"}}}"#;
    fault(source, &format!(r#"{{"a": "{}!"}}"#, "a".repeat(100_000)));
}

#[test]
fn places_that_hold_references_are_left_to_the_second_check() {
    let source = r#"{"required": ["id", "items"], "additionalProperties": false, "properties": {
        "id": {"type": "integer"}, "tag": {"type": "integer"},
        "items": {"type": "array", "uniqueItems": true, "maxItems": 2, "items": {"type": "integer"}},
        "to": {"anyOf": [{"properties": {"n": {"type": "integer"}}}, {"type": "null"}]}}}"#;
    let schema = schema(source);
    let check = |input: &str, references: &[&str]| {
        let references: Vec<String> = references.iter().map(|&place| place.to_owned()).collect();
        schema.check_around(&Json::try_new(input).unwrap(), &references).map_err(|f| f.message)
    };
    let fine = [
        (r#"{"id": "${a.id}", "items": ["${a}", "${a}"]}"#, &["/id", "/items/0", "/items/1"][..]),
        (r#"{"id": 1, "items": {"$ref": "a.list", "default": []}}"#, &["/items"]),
        (r#"{"id": 1, "items": [], "to": {"n": "${a.n}"}}"#, &["/to/n"]),
        (r#"{"$ref": "a"}"#, &[""]),
    ];
    for (input, references) in fine {
        assert_eq!(check(input, references), Ok(()), "{input}");
        assert!(check(input, &[]).is_err(), "{input}");
    }
    let faulty = [
        (r#"{"id": "${a.id}"}"#, &["/id"][..], "items is missing"),
        (r#"{"id": "${a.id}", "items": [], "x": "${a}"}"#, &["/id", "/x"], "x is not known here"),
        (r#"{"id": "${a.id}", "items": ["x"]}"#, &["/id"], "items[0]: expected an integer"),
        (r#"{"id": 1, "items": ["${a}", 2, 3]}"#, &["/items/0"], "items: expected at most 2"),
        (r#"{"id": 1, "items": {"a": "${a}"}}"#, &["/items/a"], "items: expected an array"),
        (
            r#"{"id": "x", "items": [], "tag": "${a}"}"#,
            &["/tag", "/id2"],
            "id: expected an integer",
        ),
    ];
    for (input, references, says) in faulty {
        let message = check(input, references).unwrap_err();
        assert!(message.contains(says), "{input}: {message}");
    }
}

#[test]
fn what_a_reference_decides_is_left_to_the_second_check() {
    let schema = schema(
        r#"{"if": {"properties": {"kind": {"const": "a"}}}, "then": {"required": ["x"]},
            "else": {"properties": {"n": {"type": "integer"}}}}"#,
    );
    let input = Json::try_new(r#"{"kind": "${b.kind}", "n": "7"}"#).unwrap();
    assert_eq!(schema.check_around(&input, &["/kind".to_owned()]), Ok(()));
    assert!(schema.check(&input).is_err());
}

#[test]
fn the_summary_lists_what_an_input_takes() {
    assert_eq!(schema("{}").summary(), None);
    let source = r#"{"properties": {"a": {"type": "integer"}, "b": true}, "required": ["b"]}"#;
    assert_eq!(schema(source).summary().unwrap(), "b (required), a (integer)");
    let names: Vec<String> = (0..30).map(|n| format!("\"k{n:02}\": {{}}")).collect();
    let summary = schema(&format!(r#"{{"properties": {{{}}}}}"#, names.join(","))).summary();
    assert!(summary.unwrap().ends_with("k19, and 10 more"));
}

proptest! {
    /// A reference in a place can only take faults away, and what is wrong
    /// without looking at any value stays wrong.
    #[test]
    fn holes_only_take_faults_away(
        values in prop::collection::vec((0..3_u8, any::<bool>()), 4),
    ) {
        let schema = schema(r#"{"required": ["k0"], "additionalProperties": false, "properties": {
            "k0": {"type": "integer"}, "k1": {"type": "string"}, "k2": {"type": "array"}}}"#);
        let member = |(n, &(kind, _)): (usize, &(u8, bool))| {
            format!("\"k{n}\": {}", ["1", "\"x\"", "[]"][usize::from(kind)])
        };
        let input = values.iter().enumerate().map(member).collect::<Vec<_>>().join(",");
        let input = Json::try_new(format!("{{{input}}}")).unwrap();
        let holes: Vec<String> = (0..4).filter(|&n| values[n].1).map(|n| format!("/k{n}")).collect();
        let around = schema.check_around(&input, &holes).unwrap_err().message;
        prop_assert!(around.contains("k3 is not known here"), "{}", around);
        for (n, &(kind, is_hole)) in values.iter().enumerate().take(3) {
            let is_wrong = usize::from(kind) != n;
            prop_assert_eq!(around.contains(&format!("k{n}: expected")), is_wrong && !is_hole);
        }
    }
}
