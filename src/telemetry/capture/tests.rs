//! What is shown of inputs and results.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::Json;

const SECRET: &str = "canary-0123/456";

fn redactor(bytes_max: usize) -> Redactor {
    let bytes_max = NonZeroUsize::new(bytes_max).unwrap();
    let keys = vec!["tax id".to_owned()];
    let settings = Settings { bytes_max, keys, ..Settings::default() };
    Redactor::new(&settings, Secrets::new([SECRET, "12345678"]))
}

fn shown(text: &str) -> String {
    redactor(4096).show(&Taken::of(text, 4096))
}

#[test]
fn what_holds_nothing_secret_is_shown_as_it_was_written() {
    for text in [
        r#"{"b": 1.10, "a" : [1e2, 98765432109876543210, "\u00e9\/"], "z":{}}"#,
        "[]",
        "",
        "plain text: with = signs",
        r#"{"id": "#,
        "[not json",
        "\"quoted\" and more",
        r#"{"password": null, "token": "", "secrets": [], "is_secret": false}"#,
    ] {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn what_is_secret_by_its_key_is_hidden_whatever_it_is() {
    for (text, is) in [
        (r#"{"password":"canary"}"#, r#"{"password":"[redacted]"}"#),
        (r#"{"a":{"Api-Key" : 4711}}"#, r#"{"a":{"Api-Key" : "[redacted]"}}"#),
        (r#"{"tokens":["a",{"b":"]}"}],"c":1}"#, r#"{"tokens":"[redacted]","c":1}"#),
        (r#"{"taxId":{"x":1},"c":1}"#, r#"{"taxId":"[redacted]","c":1}"#),
        (r#"{"p\u0061ssword":"canary"}"#, r#"{"p\u0061ssword":"[redacted]"}"#),
        (r#"{"body":"{\"token\":\"x\"}"}"#, r#"{"body":"{\"token\":\"[redacted]\"}"}"#),
        (r#"{"q":"a=1&token=x&b=2"}"#, r#"{"q":"a=1&token=[redacted]&b=2"}"#),
        // What is no JSON is read as far as it goes.
        (r#"{"password":"canary"#, r#"{"password":"[redacted]""#),
        (r#"{"password":"#, r#"{"password":"#),
        (r#"{"password" "canary""#, r#"{"password" "canary""#),
        (r#"{"password":,"a":1}"#, r#"{"password":,"a":1}"#),
    ] {
        assert_eq!(shown(text), is);
    }
}

#[test]
fn what_is_secret_by_its_name_is_hidden_in_texts_too() {
    for (text, is) in [
        ("user=a&password=canary&b=2", "user=a&password=[redacted]&b=2"),
        ("https://a/?api_key=canary b", "https://a/?api_key=[redacted] b"),
        ("Authorization: Basic canary\r\nAge: 1", "Authorization: [redacted]\r\nAge: 1"),
        ("said {\"token\": \"canary\", \"a\": 1}", "said {\"token\": \"[redacted]\", \"a\": 1}"),
        ("said {\\\"token\\\":\\\"canary\\\"}", "said {\\\"token\\\":\\\"[redacted]\\\"}"),
        ("if token == 'canary'", "if token == '[redacted]'"),
        ("\"quoted\" token=canary", "\"quoted\" token=[redacted]"),
        ("token = \"can", "token = \"[redacted]"),
        ("password:", "password:"),
    ] {
        assert_eq!(shown(text), is);
    }
}

#[test]
fn who_an_address_is_opened_as_is_hidden() {
    for (text, is) in [
        ("postgres://app:canary@db:5432/x", "postgres://[redacted]@db:5432/x"),
        (
            "see https://canary@a/b, https://u:can@ary@c.",
            "see https://[redacted]@a/b, https://[redacted]@c.",
        ),
        (r#"{"url":"amqps://u:canary@q"}"#, r#"{"url":"amqps://[redacted]@q"}"#),
        (r#"{"url":"amqps:\/\/u:canary\u0040q"}"#, r#"{"url":"amqps://[redacted]@q"}"#),
        ("[see https://u:canary@a/b]", "[see https://[redacted]@a/b]"),
        (r#"["{\"a\":\"https://u:canary@b\"}"]"#, r#"["{\"a\":\"https://[redacted]@b\"}"]"#),
    ] {
        assert_eq!(shown(text), is);
    }
    for text in [
        "https://a:80/b?mail=c@d.e",
        "https://a/@b",
        "https://a#c@d",
        "https://a b@c",
        "mail to a@b.c",
        "://a@b",
        "https://@b",
        "https://a:80",
    ] {
        assert_eq!(shown(text), text);
    }
    // Cut within the password, there is no `@` yet.
    for text in ["x https://u:canary@host", r#"{"a":"https://u:canary@host"}"#] {
        for bytes in 1..text.len() {
            let shown = redactor(bytes).show(&Taken::of(text, bytes));
            assert!(!shown.contains("u:c"), "{shown}");
        }
    }
}

#[test]
fn secrets_that_are_known_are_hidden_wherever_they_stand() {
    let escaped = SECRET.replace('/', "\\/").replace('c', "\\u0063");
    for text in [
        format!(r#"{{"a":"{SECRET}"}}"#),
        format!(r#"{{"a":"x {escaped} y"}}"#),
        format!(r#"{{"{SECRET}":1}}"#),
        r#"{"a":12345678}"#.to_owned(),
        "-12345678.5".to_owned(),
        r#"[1, 4412345678.5]"#.to_owned(),
        format!(r#"{{"a":"{{\"b\":\"{SECRET}\"}}"}}"#),
        format!("a text with {SECRET} in it"),
        format!("\"{escaped}\""),
        format!("\"quoted\" and {SECRET}"),
    ] {
        let shown = shown(&text);
        assert!(shown.contains("[redacted]") && !shown.contains("0123"), "{shown}");
        let is_json = serde_json::from_str::<Value>(&text).is_ok();
        assert_eq!(serde_json::from_str::<Value>(&shown).is_ok(), is_json, "{shown}");
    }
    // Spelt by what is between the strings.
    let secret = Redactor::new(&Settings::default(), Secrets::new([r#"1,"b"#]));
    assert_eq!(secret.show(&Taken::of(r#"{"a":1,"b":2}"#, 100)), r#""[redacted]""#);
}

#[test]
fn what_is_cut_says_so_and_shows_no_beginning_of_a_secret() {
    let show = |text: &str, bytes: usize| redactor(bytes).show(&Taken::of(text, bytes));
    assert_eq!(show("efghijklmn", 4), "efgh [cut: 10 bytes in all]");
    assert_eq!(show("1234", 4), "1234");
    assert_eq!(show("\u{e9}\u{e9}", 3), "\u{e9} [cut: 4 bytes in all]");
    let text = format!("{{\"a\":\"{SECRET}\",\"n\":12345678}}");
    for bytes in 1..text.len() {
        let shown = show(&text, bytes);
        let (before, cut) = shown.split_once(" [cut: ").unwrap();
        assert_eq!(cut, format!("{} bytes in all]", text.len()));
        assert!(!before.contains('c') || before.contains("[redac"), "{shown}");
        assert!(!before.contains('1'), "{shown}");
    }
    // Within an escape, and within both halves of a character.
    let text = r#"{"a":"\ud83d\ude00\ud83d\ude00"}"#;
    for bytes in 7..text.len() {
        let shown = show(text, bytes);
        assert!(shown.contains("[cut: ") && !shown.contains("[redac"), "{shown}");
    }
    // What grew by its marks is cut, too.
    let shown = show(&r#"{"pwd":1}"#.repeat(10), 90);
    assert!(shown.len() < 90 + 30 && shown.ends_with("[cut: 90 bytes in all]"), "{shown}");
}

#[test]
fn json_in_json_is_looked_into_so_deep_and_no_deeper() {
    let mut text = r#"{"token":"canary"}"#.to_owned();
    for _ in 0..8 {
        text = serde_json::json!({ "a": text }).to_string();
        let shown = shown(&text);
        assert!(!shown.contains("canary"), "{shown}");
        serde_json::from_str::<Value>(&shown).unwrap();
    }
}

#[test]
fn a_result_of_several_blocks_is_shown_block_by_block_and_bytes_are_named() {
    let (media_type, data) = ("image/png".into(), vec![0; 7].into());
    let blocks = [
        Content::Json(Json::try_new(r#"{"token": 1}"#).unwrap()),
        Content::Text("two".into()),
        Content::Image { media_type, data },
        Content::Link { uri: "https://a/b".into(), name: "b".into() },
    ];
    let show = |bytes: usize| {
        let taken = Taken::of_blocks(&blocks, bytes);
        assert!(taken.bytes() <= bytes);
        redactor(bytes).show(&taken)
    };
    let whole = "{\"token\": \"[redacted]\"}\ntwo\n[image/png, 7 bytes]\nhttps://a/b";
    assert_eq!(show(1000), whole);
    assert_eq!(show(14), "{\"token\": \"[re [cut: 49 bytes in all]");
    assert_eq!(redactor(10).show(&Taken::of_blocks(&[], 10)), "");
}

#[test]
fn of_a_string_that_cannot_be_read_to_its_end_nothing_is_shown_behind_what_was_read() {
    // NUL stands in no string of JSON's, and the secret's beginning follows it.
    let text = format!("[\"a\0{SECRET}");
    let bytes = text.len() - 7;
    let shown = redactor(bytes).show(&Taken::of(&text, bytes));
    assert_eq!(shown, format!("[\"a [cut: {} bytes in all]", text.len()));
}

/// JSON with a secret here and there: as a value, within one, as a key, spelt with
/// escapes, in JSON within JSON.
fn json() -> impl Strategy<Value = String> {
    let string = (".{0,8}", 0..6_u8, ".{0,8}").prop_map(|(before, kind, after)| {
        let plain = |text: String| Value::from(text).to_string();
        match kind {
            0 | 1 => plain(format!("{before}{after}")),
            2 => plain(format!("{before}{SECRET}{after}")),
            3 => {
                let units = SECRET.bytes().map(|byte| format!("\\u{byte:04x}"));
                format!("\"{}\"", units.collect::<String>())
            }
            4 => plain(format!("{{\"{SECRET}\":{}}}", plain(format!("{SECRET}{after}")))),
            _ => plain(format!("a=1&q={}", SECRET.replace('/', "%2F"))),
        }
    });
    let scalar = prop_oneof![
        string.clone(),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("12345678".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
    ];
    let key = prop_oneof![string, Just("\"apiKey\"".to_owned()), Just("\"id\"".to_owned())];
    scalar.prop_recursive(4, 40, 5, move |inner| {
        let member =
            (key.clone(), inner.clone()).prop_map(|(key, value)| format!("{key} : {value}"));
        let list = |parts: Vec<String>| parts.join(", ");
        prop_oneof![
            proptest::collection::vec(inner, 0..5).prop_map(move |all| format!("[{}]", list(all))),
            proptest::collection::vec(member, 0..5)
                .prop_map(move |all| format!("{{\n{}}}", list(all))),
        ]
    })
}

/// Every string and key of a value, and the JSON within them.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            found.push(text.clone());
            if let Ok(inner) = serde_json::from_str::<Value>(text) {
                strings(&inner, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|value| strings(value, found)),
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            found.push(key.clone());
            strings(value, found);
        }),
        Value::Number(number) => found.push(number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

proptest! {
    #[test]
    fn no_secret_survives_and_json_stays_json(text in json()) {
        let shown = shown(&text);
        let value: Value = serde_json::from_str(&shown)
            .unwrap_or_else(|error| panic!("{error}: {shown}\nof {text}"));
        let mut found = Vec::new();
        strings(&value, &mut found);
        for string in found {
            for secret in [SECRET, "12345678", "canary-0123%2F456"] {
                prop_assert!(!string.contains(secret), "{shown}");
            }
        }
        for member in hidden(&value) {
            let says_nothing = ["null", "true", "\"\"", "[]", "{}"].contains(&&*member);
            prop_assert!(says_nothing || member == json::MARK, "{}", member);
        }
    }

    #[test]
    fn whatever_is_shown_of_whatever_came_no_secret_is_in_it(
        before in ".{0,40}", after in ".{0,40}", bytes in 1..120_usize,
    ) {
        for text in [
            format!("{before}{SECRET}{after}"),
            format!("{{\"{before}\":\"{SECRET}{after}\"}}"),
            format!("[{before}{SECRET}{after}"),
        ] {
            let shown = redactor(bytes).show(&Taken::of(&text, bytes));
            prop_assert!(!shown.contains("anary-0"), "{shown}");
            prop_assert!(shown.len() <= bytes + 40);
        }
    }
}

/// The values of keys that are secret.
fn hidden(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match key.as_str() {
                "apiKey" => vec![value.to_string()],
                _ => hidden(value),
            })
            .collect(),
        Value::Array(all) => all.iter().flat_map(hidden).collect(),
        _ => Vec::new(),
    }
}
