use super::*;

#[test]
fn a_reference_that_leads_nowhere_names_what_is_there() {
    let result = r#"{"id":7,"name":"x","tags":["a","b"],"none":[],"one":[1],"address":{"city":"B","zip":null},"empty":{}}"#;
    for (path, says) in [
        (
            ".idd",
            "`${source.idd}`: the result has no `.idd`; its keys are `address`, `empty`, `id`, `name`, `none`, `one`, `tags`",
        ),
        ("[0]", "the result has no `[0]`; its keys are"),
        (".address.cty", "`.address` has no `.cty`; its keys are `city`, `zip`"),
        (".address['the city']", "`.address` has no `['the city']`"),
        (".tags[2]", "`.tags` has no `[2]`; it is an array, `[0]` to `[1]`"),
        (".tags.first", "`.tags` has no `.first`; it is an array, `[0]` to `[1]`"),
        (".one[1]", "it is an array of one element, `[0]`"),
        (".none[0]", "it is an empty array"),
        (".empty.a", "it is an empty object"),
        (".id.x", "`.id` is a number, so it has no `.x`"),
        (".name[0]", "`.name` is a string, so it has no `[0]`"),
        (".address.zip.x", "`.address.zip` is null, so it has no `.x`"),
    ] {
        let failure =
            resolve(&format!(r#"{{"a":"${{source{path}}}"}}"#), Some(result)).unwrap_err();
        assert_eq!(failure.code, FailureCode::InvalidInput);
        assert!(failure.message.contains(says), "{path}: {}", failure.message);
    }
    let text = resolve(r#"{"a":"${source.id}"}"#, Some("plain words")).unwrap_err().message;
    assert!(text.contains("is text and not JSON"), "{text}");
    let keys: Vec<String> = (0..30).map(|key| format!(r#""k{key}":0"#)).collect();
    let many =
        resolve(r#"{"a":"${source.id}"}"#, Some(&format!("{{{}}}", keys.join(",")))).unwrap_err();
    assert!(many.message.ends_with("and 10 more"), "{}", many.message);
}

#[test]
fn a_parent_without_a_result_is_no_value() {
    let failure = resolve(r#"{"a":"${source}"}"#, None).unwrap_err();
    assert_eq!(failure.code, FailureCode::DependencyFailed);
}

#[test]
fn an_input_that_outgrows_its_bound_is_refused() {
    let long = format!("\"{}\"", "x".repeat(1500));
    for input in
        [r#"["${source}","${source}","${source}"]"#, r#"["${source} ${source} ${source}"]"#]
    {
        let failure = resolve(input, Some(&long)).unwrap_err();
        assert!(failure.message.contains("longer than 4096 bytes"), "{}", failure.message);
    }
    let zeros = format!("[{}]", vec!["0"; 1000].join(","));
    let failure = resolve(r#"["${source[*,*,*]}"]"#, Some(&zeros)).unwrap_err();
    assert!(failure.message.contains("longer than 4096 bytes"), "{}", failure.message);
}

#[test]
fn a_path_that_would_search_for_ever_is_refused() {
    let list = format!("[{}]", vec!["{\"a\":[1]}"; 3000].join(","));
    for path in
        ["[?$..a]", "[?@..a && $..a]", "[?count($..a) > 1]", "..a..b..a..b..a..b..a..b..a..b..a..b"]
    {
        let input = format!(r#"{{"a":"${{source{path}}}"}}"#);
        let deep = format!("[{}{}1{}]", list, ",[".repeat(100), "]".repeat(100));
        let Err(failure) = resolve(&input, Some(&deep)) else { panic!("{path} was searched") };
        assert!(failure.message.contains("too long"), "{path}: {}", failure.message);
    }
    let found = resolve(r#"{"a":"${source[?@.a[0] == 2]}"}"#, Some(&list)).unwrap();
    assert_eq!(found, r#"{"a":[]}"#);
}

#[test]
fn a_value_keeps_its_type_and_its_digits() {
    let result = r#"{"big":12345678901234567890123,"price":1.10,"e":1E+2,"yes":true,"no":null,"text":"a\u00e9\"","list":[1.0, {"x" : 2.50}]}"#;
    for (path, value) in [
        (".big", "12345678901234567890123"),
        (".price", "1.10"),
        (".e", "1E+2"),
        (".yes", "true"),
        (".no", "null"),
        (".text", r#""a\u00e9\"""#),
        (".list", r#"[1.0, {"x" : 2.50}]"#),
        (".list[-1].x", "2.50"),
        (".list[*]", r#"[1.0,{"x" : 2.50}]"#),
        ("..x", "[2.50]"),
        (".nothing[*]", "[]"),
        ("[?@ == 1]", "[]"),
    ] {
        let input = format!(r#"{{"keep":0.10, "a":"${{source{path}}}"}}"#);
        let resolved = resolve(&input, Some(result)).unwrap();
        assert_eq!(resolved, format!(r#"{{"keep":0.10, "a":{value}}}"#), "{path}");
        let object = format!(r#"{{"keep":0.10, "a":{{"$ref":"source{path}"}}}}"#);
        assert_eq!(resolve(&object, Some(result)).unwrap(), resolved, "{path}");
    }
    let escaped = r#"["\u0024{toolu_1.price\u007d", {"\u0024ref":"\u0031.yes"}]"#;
    assert_eq!(resolve(escaped, Some(result)).unwrap(), "[1.10, true]");
}

#[test]
fn inside_a_longer_string_a_value_is_text() {
    let result = r#"{"n":1.10,"s":"a\u00e9\n\"","o":{"k":"v"},"l":["x",2],"z":null}"#;
    for (string, becomes) in [
        ("n=${source.n}", "n=1.10"),
        ("${source.n}%", "1.10%"),
        ("${source.s}!", r#"a\u00e9\n\"!"#),
        ("${source.o} ${ source.z }", r#"{\"k\":\"v\"} null"#),
        ("${source.l[*]}.", r#"[\"x\",2]."#),
        ("${source.l[0]}${source.l[1]}", "x2"),
        (r"é\u00e9\t${1.n}", r"éé\t1.10"),
        ("${source['n']} ${source[?@ == '}'].x}", "1.10 []"),
        ("$${source.n} ${source.n}", "${source.n} 1.10"),
        ("$$${source.n}", "$${source.n}"),
        ("$$ $1 $ ${source.n}", "$$ $1 $ 1.10"),
    ] {
        let resolved = resolve(&format!(r#"{{"a":"{string}"}}"#), Some(result)).unwrap();
        assert_eq!(resolved, format!(r#"{{"a":"{becomes}"}}"#), "{string}");
    }
}

#[test]
fn what_only_looks_like_a_reference_stays_as_it_was_written() {
    for input in [
        r#"{"a":"$1 in $10, that is $100","b":"US$ 5","c":"$"}"#,
        r#"{"code":"echo ${HOME} ${1:-x} ${10} ${#list} ${a[@]} ${x%.*}"}"#,
        r#"{"code":"`${user.name}` and ${price} ${ unclosed"}"#,
        r#"{"${source.id}":1}"#,
        r#"{"a":"\u00e9 \/ $x"}"#,
        r#"{"path":"C:\\$Recycle\"$"}"#,
    ] {
        assert_eq!(resolve(input, None).unwrap(), input);
        let plan = Turn::new([("toolu_1", "source", "{}"), ("toolu_2", "sink", input)]).plan();
        assert!(plan.nodes[1].template.is_none() && plan.edges.is_empty(), "{input}");
    }
    let escaped = resolve(r#"{"a":"$${source.id}","b":["x $${y} $z"],"n":1.0}"#, None).unwrap();
    assert_eq!(escaped, r#"{"a":"${source.id}","b":["x ${y} $z"],"n":1.0}"#);
}

#[test]
fn text_that_came_from_a_result_is_not_expanded() {
    let result = r#"{"t":"${source.n} ${2}","n":1}"#;
    let resolved = resolve(r#"{"a":"${source.t}","b":"<${source.t}>"}"#, Some(result)).unwrap();
    assert_eq!(resolved, r#"{"a":"${source.n} ${2}","b":"<${source.n} ${2}>"}"#);
}

#[test]
fn a_default_makes_the_need_optional() {
    let input = r#"{"a":{"default":[1.50, "${x}"],"$ref":"source.id"}}"#;
    assert_eq!(resolve(input, None).unwrap(), r#"{"a":[1.50, "${x}"]}"#);
    assert_eq!(resolve(input, Some(r#"{"no":1}"#)).unwrap(), r#"{"a":[1.50, "${x}"]}"#);
    assert_eq!(resolve(input, Some(r#"{"id":null}"#)).unwrap(), r#"{"a":null}"#);
    let both = r#"{"a":{"default":0,"$ref":"source.id"},"b":"${source.id}"}"#;
    for (input, strength) in [(input, Strength::Optional), (both, Strength::Need)] {
        let plan = Turn::new([("a", "source", "{}"), ("b", "sink", input)]).plan();
        assert_eq!(edges(&plan), [(0, 1, EdgeKind::Reference, strength)]);
    }
}
