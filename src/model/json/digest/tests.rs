use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn digest(text: &str) -> Digest {
    Json::from_backend(text.to_owned()).unwrap().digest()
}

#[test]
fn what_is_another_value_has_another_digest() {
    let texts = [
        "{}",
        "[]",
        "null",
        "0",
        "-0",
        "1",
        "1.0",
        "1.00",
        "1e0",
        "1E0",
        "true",
        "\"true\"",
        "\"1\"",
        "\"\"",
        "[[]]",
        "[[],[]]",
        "[{}]",
        "[1,2]",
        "[2,1]",
        "[12]",
        "[[1],2]",
        "[[1,2]]",
        r#"{"a":1}"#,
        r#"{"a":"1"}"#,
        r#"{"a":1,"b":2}"#,
        r#"{"a":2,"b":1}"#,
        r#"{"a":{"b":1}}"#,
        r#"{"a":{},"b":1}"#,
        r#"{"a":[1]}"#,
        r#"["a",1]"#,
        r#"{"a,":1}"#,
        r#"{"A":1}"#,
        r#"{"a":null}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":2,"a":1}"#,
        r#"" ""#,
        r#""a\"b""#,
        r#""a\\\"b""#,
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\"\\udc00\"""#,
        r#""\\udc00""#,
        r#"{"\udc00":1}"#,
        r#"{"\\udc00":1}"#,
        "12345678901234567890123",
        "12345678901234567890124",
    ];
    for (index, one) in texts.iter().enumerate() {
        for other in &texts[index + 1..] {
            assert_ne!(digest(one), digest(other), "{one} and {other}");
        }
    }
}

#[test]
fn order_of_members_white_space_and_escapes_do_not_matter() {
    for (one, other) in [
        (
            r#"{"a":1,"b":[1,{"c":2,"d":3}]}"#,
            " {\t\"b\" : [ 1 ,\n{\"d\":3,\"c\" : 2 } ] , \"a\":1\r}\n",
        ),
        (r#""caf\u00e9 \/ \ud83d\ude00""#, "\"café / 😀\""),
        (r#"{"\u0061":1}"#, r#"{"a":1}"#),
        ("[ ]", "[]"),
        ("{ }", "{}"),
        (" 1.10 ", "1.10"),
    ] {
        assert_eq!(digest(one), digest(other), "{one} and {other}");
    }
}

#[test]
fn long_strings_and_many_members_are_told_apart() {
    let long = |length: usize| digest(&format!("\"{}\"", "x".repeat(length)));
    let lengths = [253, 254, 255, 256, 510, 511, 65_536];
    let all: std::collections::BTreeSet<_> = lengths.into_iter().map(long).collect();
    assert_eq!(all.len(), lengths.len());
    let object = |keys: &mut dyn Iterator<Item = usize>| {
        let members: Vec<_> = keys.map(|key| format!("\"k{key}\":[{key},{{}}]")).collect();
        digest(&format!("{{{}}}", members.join(",")))
    };
    assert_eq!(object(&mut (0..300)), object(&mut (0..300).rev()));
    assert_ne!(object(&mut (0..300)), object(&mut (0..301)));
}

#[test]
fn a_key_that_stands_twice_keeps_its_places_among_others_that_move() {
    let one = digest(r#"{"b":1,"a":2,"b":3}"#);
    assert_eq!(one, digest(r#"{"a":2,"b":1,"b":3}"#));
    assert_ne!(one, digest(r#"{"a":2,"b":3,"b":1}"#));
}

#[test]
fn maps_by_digests_find_what_they_hold() {
    let mut map = std::collections::HashMap::<_, _, AsItIs>::default();
    for number in 0..1000_usize {
        map.insert((number % 7, digest(&number.to_string())), number);
    }
    for number in 0..1000_usize {
        assert_eq!(map.get(&(number % 7, digest(&number.to_string()))), Some(&number));
        assert_eq!(map.get(&(number % 7 + 1, digest(&number.to_string()))), None);
    }
}

#[test]
fn the_deepest_value_that_is_read_has_one() {
    let deep = |inside: &str| format!("{}{inside}{}", "[".repeat(127), "]".repeat(127));
    assert_ne!(digest(&deep("1")), digest(&deep("2")));
}

/// The text of `value`, written in one of many ways.
fn written(value: &Value, seed: &mut u64) -> String {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    let space = [" ", "", "\n", "\t "][(*seed >> 60) as usize & 3];
    match value {
        Value::Array(elements) => {
            let all: Vec<_> = elements.iter().map(|element| written(element, seed)).collect();
            format!("{space}[{space}{}]", all.join(&format!("{space},")))
        }
        Value::Object(members) => {
            let mut all: Vec<_> = members
                .iter()
                .map(|(key, value)| format!("{}{space}:{}", json!(key), written(value, seed)))
                .collect();
            let turn = (*seed >> 33) as usize % all.len().max(1);
            all.rotate_left(turn);
            format!("{{{space}{}}}{space}", all.join(","))
        }
        Value::String(text) if *seed >> 63 == 1 => {
            let escaped: String =
                text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            format!("\"{escaped}\"")
        }
        plain => format!("{space}{plain}{space}"),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab\"\\\\é,:{}]{0,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_has_one_digest_however_it_is_written(
        value in values(), other in values(), mut seed in any::<u64>(),
    ) {
        let first = digest(&written(&value, &mut seed));
        prop_assert_eq!(first, digest(&written(&value, &mut seed)));
        prop_assert_eq!(value == other, first == digest(&other.to_string()));
    }
}
