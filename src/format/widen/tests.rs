use jsonschema::{Draft, Validator};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn compiled(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let draft = match schema.get("$schema") {
        Some(uri) if uri.to_string().contains("draft-07") => Draft::Draft7,
        _ => Draft::Draft202012,
    };
    jsonschema::options()
        .with_draft(draft)
        .offline()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap_or_else(|error| panic!("{error}: {schema:#}"))
}

fn spelt(schema: &Value) -> String {
    widened(&schema.to_string()).into_owned()
}

/// Every place below the root.
fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    let mut below = |token: &str, value: &Value| {
        let place = format!("{place}/{}", escaped(token));
        found.push(place.clone());
        places(value, &place, found);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(n, value)| below(&n.to_string(), value));
        }
        _ => {}
    }
}

/// What the widened schema promises of an input that is valid by the tool's own.
#[track_caller]
fn holds(schema: &Value, input: &Value) {
    let text = spelt(schema);
    let widened = compiled(&text);
    assert!(compiled(&schema.to_string()).is_valid(input), "{input} was valid by {schema:#}");
    assert!(widened.is_valid(input), "{input} by {text}");
    let mut below = Vec::new();
    places(input, "", &mut below);
    let as_object = json!({"$ref": "find.items[0]", "default": 1});
    for place in below {
        for reference in [json!("${find.items[0].id}"), as_object.clone()] {
            if reference.is_object() && is_strict(&schema.to_string()) {
                continue;
            }
            let mut input = input.clone();
            *input.pointer_mut(&place).unwrap() = reference;
            assert!(widened.is_valid(&input), "{input} by {text}");
        }
    }
}

#[test]
fn a_schema_keeps_its_words_and_takes_references_for_its_values() {
    let schema = r#"{"type": "object", "title": "Refund", "properties": {
        "order": {"type": "string", "pattern": "^or_[0-9]+$", "description": "Its id."},
        "cents": {"type": "integer", "maximum": 12345678901234567890123},
        "note": {"type": "string", "description": "For people."},
        "extra": {"description": "Anything."},
        "never": false,
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "to": {"description": "Where.", "oneOf": [{"type": "object", "properties": {"iban": {"type": "string"}}}, {"type": "null"}]}},
        "required": ["order", "cents"]}"#;
    let json = Json::try_new(widened(schema)).unwrap();
    assert!(json.as_str().contains("12345678901234567890123"), "{}", json.as_str());
    insta::assert_snapshot!(json.as_str().replace(r#"},""#, "},\n\""));
}

#[test]
fn what_strict_modes_take_they_take_still() {
    let schema = r#"{"type":"object","properties":{"id":{"type":"string"},"n":{"type":"integer"}},"required":["id","n"],"additionalProperties":false}"#;
    assert_eq!(
        widened(schema),
        r#"{"type":"object","properties":{"id":{"type":"string"},"n":{"anyOf":[{"type":"integer"},{"type":"string","pattern":"^\\$\\{.+\\}$"}]}},"required":["id","n"],"additionalProperties":false}"#
    );
}

#[test]
fn a_schema_that_cannot_be_followed_stays_as_it_is() {
    for schema in [
        r#"{"properties":{"a":{"$id":"https://a.example/b","type":"integer"}}}"#,
        r#"{"properties":{"a":{"$ref":"https://json-schema.org/draft/2020-12/schema"}}}"#,
        r##"{"$dynamicAnchor":"x","properties":{"a":{"$dynamicRef":"#x"}}}"##,
        r##"{"properties":{"a":{"not":{"items":{"type":"integer"}}},"b":{"$ref":"#/properties/a/not/items"}}}"##,
        &format!(
            r#"{{"properties":{{"a":{}{{"type":"integer"}}{}}}}}"#,
            r#"{"items":"#.repeat(120),
            "}".repeat(120)
        ),
    ] {
        assert!(matches!(widened(schema), Cow::Borrowed(same) if same == schema), "{schema}");
    }
}

#[test]
fn references_within_the_schema_lead_where_they_led() {
    let tree = json!({"n": 1, "kids": [{"n": 2, "kids": []}]});
    for (schema, input) in [
        (
            json!({"$defs": {"a/b %": {"type": "object", "properties": {
                "n": {"type": "integer"},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/a~1b%20%25"}}}}},
                "type": "object", "properties": {"tree": {"$ref": "#/$defs/a~1b%20%25"}}}),
            json!({"tree": tree}),
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#",
                "definitions": {"Tree": {"type": "object", "properties": {
                    "n": {"type": "integer"},
                    "kids": {"type": "array", "items": {"$ref": "#/definitions/Tree"}}}}},
                "type": "object", "properties": {"tree": {"$ref": "#/definitions/Tree"}}}),
            json!({"tree": tree}),
        ),
        (
            json!({"properties": {"a": {"properties": {"n": {"type": "integer"}}},
                "b é": {"oneOf": [{"properties": {"n": {"type": "integer"}}}, {"type": "null"}]},
                "c": {"$ref": "#/properties/a/properties/n"},
                "d": {"$ref": "#/properties/b%20%C3%A9/oneOf/0"}}}),
            json!({"a": {"n": 1}, "b é": {"n": 1}, "c": 1, "d": {"n": 2}}),
        ),
        (
            json!({"properties": {"n": {"type": "integer"}, "kid": {"$ref": "#"}}}),
            json!({"kid": {"kid": {"n": 1}}}),
        ),
        (
            json!({"$defs": {"x": {"$anchor": "here", "type": "integer"}},
                "properties": {"n": {"$ref": "#here"}}}),
            json!({"n": 1}),
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#",
                "properties": {"pair": {"items": [{"type": "integer"}, {"const": {"a": 1}}],
                    "additionalItems": {"type": "null"}}},
                "dependencies": {"pair": ["pair"], "x": {"properties": {"y": {"type": "null"}}}}}),
            json!({"pair": [1, {"a": 1}, null], "x": 1, "y": null}),
        ),
    ] {
        assert_ne!(spelt(&schema), schema.to_string(), "it is widened");
        holds(&schema, &input);
    }
}

#[test]
fn what_is_wrong_whatever_a_reference_brings_stays_wrong() {
    let schema = json!({"type": "object", "required": ["id"], "additionalProperties": false,
        "properties": {"id": {"type": "integer"}, "day": {"type": "string", "format": "date"},
            "a": {}, "b": {}},
        "not": {"required": ["a", "b"]}});
    let widened = compiled(&spelt(&schema));
    for (input, is_valid) in [
        (json!({"id": 1}), true),
        (json!({"id": "${find.id}", "day": "${find.year}-01-01"}), true),
        (json!({"id": "1"}), false),
        (json!({"id": "${find.id} and more"}), false),
        (json!({"id": {"ref": "find.id"}}), false),
        (json!({"id": 1, "day": "tomorrow"}), false),
        (json!({"day": "${find.day}"}), false),
        (json!({"id": 1, "more": "${find.id}"}), false),
        (json!({"id": 1, "a": "${find.id}", "b": 1}), false),
        (json!("${find}"), false),
        (json!({"$ref": "find"}), false),
    ] {
        assert_eq!(widened.is_valid(&input), is_valid, "{input}");
    }
}

/// A schema and an input that is valid by it.
type Pair = (Value, Value);

fn any_leaf() -> impl Strategy<Value = Pair> {
    let leaves = [
        (json!({"type": "integer", "minimum": 0, "maximum": 9}), json!(7)),
        (json!({"type": "number", "multipleOf": 0.5}), json!(1.5)),
        (json!({"type": "string", "description": "Words."}), json!("x")),
        (json!({"type": "string", "pattern": "^[a-z]{1,3}$", "maxLength": 3}), json!("abc")),
        (json!({"type": "string", "format": "date", "default": "2026-01-02"}), json!("2026-11-21")),
        (json!({"enum": ["a", 1, null]}), json!(null)),
        (json!({"enum": [{"a": 1}, [2]]}), json!({"a": 1})),
        (json!({"const": "fixed"}), json!("fixed")),
        (json!({"type": ["boolean", "null"]}), json!(true)),
        (json!({"type": ["string", "object"]}), json!("x")),
        (json!({}), json!([1])),
        (json!(true), json!({"a": {"b": 1}})),
        (json!({"oneOf": [{"type": "string", "maxLength": 2}, {"type": "integer"}]}), json!(3)),
        (json!({"not": {"type": "null"}}), json!(3)),
        (
            json!({"$ref": "#/$defs/tree"}),
            json!({"n": 1, "kids": [{"n": 2}, {"n": 3, "kids": []}]}),
        ),
        (json!({"$ref": "#/properties/fixed"}), json!(5)),
    ];
    prop::sample::select(leaves.to_vec())
}

/// An object of the one field that is named like a kind, and another.
fn kind(name: &str, (schema, _): &Pair) -> Value {
    json!({"type": "object", "properties": {"kind": {"const": name}, "v": schema},
        "required": ["kind", "v"], "additionalProperties": false})
}

fn any_nest((a, b): (Pair, Pair), form: usize) -> Pair {
    let ((sa, va), (sb, vb)) = (&a, &b);
    match form {
        0 => (json!({"type": "array", "items": sa, "minItems": 1, "maxItems": 1}), json!([va])),
        1 => (json!({"type": "array", "prefixItems": [sa, sb], "items": false}), json!([va, vb])),
        2 => (
            json!({"type": "object", "properties": {"a": sa, "b": sb}, "required": ["a"],
                "additionalProperties": false, "description": "An object."}),
            json!({"a": va, "b": vb}),
        ),
        3 => (
            json!({"patternProperties": {"^x": sa}, "additionalProperties": sb, "minProperties": 2}),
            json!({"x~/": va, "y": vb}),
        ),
        4 => (json!({"anyOf": [sa, sb], "title": "Either."}), va.clone()),
        5 => (
            json!({"oneOf": [kind("a", &a), kind("b", &b)], "description": "One of two."}),
            json!({"kind": "b", "v": vb}),
        ),
        6 => (
            json!({"allOf": [{"properties": {"a": sa}}, {"properties": {"b": sb}, "required": ["b"]}]}),
            json!({"a": va, "b": vb}),
        ),
        7 => (
            json!({"properties": {"kind": {"enum": ["a", "b"]}, "v": sa},
                "if": {"properties": {"kind": {"const": "a"}}},
                "then": {"required": ["v"]}, "else": {"not": {"required": ["v"]}},
                "unevaluatedProperties": false}),
            json!({"kind": "a", "v": va}),
        ),
        8 => (
            json!({"properties": {"v": sa}, "if": {"required": ["w"]},
                "then": {"properties": {"w": sb}}, "dependentSchemas": {"v": {"maxProperties": 2}}}),
            json!({"v": va, "w": vb}),
        ),
        9 => (
            json!({"not": {"properties": {"v": {"const": "never"}}, "required": ["v"]},
                "properties": {"v": sa}}),
            json!({"v": va}),
        ),
        10 => (
            json!({"type": "array", "contains": sa, "maxContains": 1, "uniqueItems": true,
                "items": sa}),
            json!([va]),
        ),
        _ => (
            json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "oneOf": [
                {"properties": {"a": sa}, "required": ["a"]}, {"required": ["z"]}]}),
            json!({"a": va}),
        ),
    }
}

fn any_pair() -> impl Strategy<Value = Pair> {
    any_leaf().prop_recursive(4, 24, 2, |inner| {
        ((inner.clone(), inner), 0..12_usize).prop_map(|(pairs, form)| any_nest(pairs, form))
    })
}

proptest! {
    // Each case compiles two schemas and checks every place in an input twice.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_valid_input_stays_valid_and_so_does_each_with_a_reference_in_it(
        pairs in prop::collection::vec(any_pair(), 1..4),
        is_closed in any::<bool>(),
    ) {
        let mut schema = json!({"type": "object", "properties": {"fixed": {"type": "integer"}},
            "$defs": {"tree": {"type": "object", "required": ["n"], "properties": {
                "n": {"type": "integer"},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}}});
        let mut input = json!({});
        for (n, (field, value)) in pairs.into_iter().enumerate() {
            schema["properties"][format!("p{n}")] = field;
            input[format!("p{n}")] = value;
        }
        if is_closed {
            schema["additionalProperties"] = json!(false);
        }
        prop_assert_ne!(spelt(&schema), schema.to_string());
        holds(&schema, &input);
    }
}
