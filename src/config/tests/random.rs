//! Whatever the text is, it is read or refused: no panic, and every fault has a
//! place in it.

use proptest::prelude::*;

use super::*;

fn is_answered(text: &str) {
    let Err(faults) = read("x.yaml", text, &environment()) else { return };
    assert!(!faults.faults.is_empty(), "refused without a reason: {text:?}");
    let lines = text.lines().count().max(1) + 1;
    for fault in &faults.faults {
        assert!((1..=lines).contains(&fault.line) && fault.column >= 1, "{fault:?} in {text:?}");
        assert!(!fault.what.is_empty() && !fault.fix.is_empty(), "{fault:?}");
    }
    assert!(!faults.to_string().contains("canary"), "{faults}");
}

/// Pieces that YAML and the file give a meaning.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "apis",
        "tools",
        "listen",
        "bounds",
        "http",
        "input",
        "get",
        "json",
        "auth",
        "bearer",
        "url",
        "https://a",
        "description",
        "after",
        "timeout",
        "30s",
        "10 KiB",
        "{a}",
        "/x/{a}",
        "type",
        "object",
        "properties",
        "env",
        "CRM_TOKEN",
        ": ",
        ":",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"",
        "'",
        "|\n",
        ">\n",
        "&a ",
        "*a",
        "<<: ",
        "!x ",
        "#",
        "---\n",
        "? ",
        "~",
        "true",
        "0x1F",
        "1e9",
        "\t",
        "\r\n",
        "é",
        "🦀",
        "\u{feff}",
        "%YAML 1.2\n",
        "\0",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => ".{0,3}".prop_map(|text| text),
    ]
}

proptest! {
    #[test]
    fn texts_of_known_pieces_are_answered(pieces in proptest::collection::vec(piece(), 0..40)) {
        is_answered(&pieces.concat());
    }

    #[test]
    fn a_good_file_with_a_part_replaced_is_answered(
        from in 0..FULL.len(),
        length in 0..40_usize,
        piece in piece(),
    ) {
        let to = (from + length).min(FULL.len());
        is_answered(&format!("{}{piece}{}", &FULL[..from], &FULL[to..]));
    }
}

#[test]
fn a_small_file_cannot_become_a_large_one() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let last = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", [last.as_str(); 10].join(", ")));
    }
    let faults = bad(&bomb);
    assert!(faults.contains("once its aliases are followed"), "{faults}");
    for deep in ["[".repeat(10_000), "- ".repeat(10_000), "{a: ".repeat(10_000)] {
        assert!(bad(&deep).contains("x.yaml:1:"), "{deep:.20}");
    }
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for level in 1..100 {
        deep.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(bad(&deep).contains("nested deeper than"), "{deep}");
}

#[test]
fn what_is_not_yaml_is_said_where_it_ends_being_it() {
    for (text, place, says) in [
        ("tools: [a", "1:8", "unclosed bracket"),
        ("tools:\n\ta: 1", "2:", "indent with spaces"),
        ("tools: {a: {b: /x/{c}}}", "1:19", "put the text in quotes"),
        ("tools: @x", "1:8", "put the text in quotes"),
        ("tools:\n  description: gets: it", "2:20", "holds `: `"),
        ("a: \"x\nb: 1", "", "the rest of the file was not read"),
        ("a: 1\n---\nb: 2", "2:1", "a second YAML document"),
    ] {
        let faults = bad(text);
        assert!(faults.starts_with(&format!("x.yaml:{place}")), "{text:?}: {faults}");
        assert!(faults.contains(says), "{text:?}: {faults}");
    }
}
