use std::time::Duration;

use super::*;

#[test]
fn a_reference_that_cannot_be_meant_is_a_fault() {
    for (input, says) in [
        (
            r#"["${nobody.id}"]"#,
            "`nobody` is no call of this turn; its calls are `get_user#1` (id u1), `get_user#2` (id u2), `sink` (id s)",
        ),
        (r#"["${nobody.id}"]"#, "write `$${`"),
        (r#"["${a b}"]"#, "does not begin with a call"),
        (r#"["${}"]"#, "does not begin with a call"),
        (r#"["${4}"]"#, "`4` is no call of this turn"),
        (
            r#"["${get_user.id}"]"#,
            "`get_user` is called 2 times; write one of `get_user#1` (id u1), `get_user#2` (id u2)",
        ),
        (r#"["x ${get_user.id}"]"#, "`get_user` is called 2 times"),
        (
            r#"["x ${get_user#3.id}"]"#,
            "`get_user#3` is no call of this turn, which calls `get_user` only as",
        ),
        (r#"["x ${u1.}"]"#, "its path cannot be read"),
        (r#"["x ${u1.id and more"]"#, "has no closing `}`"),
        (r#"["${u1.first-name}"]"#, "write `['first-name']`"),
        (
            r#"[{"$ref":"u1.id","else":1}]"#,
            "can hold nothing else but `default`, yet it holds `else`",
        ),
        (r#"[{"$ref":1}]"#, "`$ref` must be a string"),
        (r#"[{"$ref":"${u1.id}"}]"#, "does not begin with a call"),
        (r#"[{"$ref":{"$ref":"u1"}}]"#, "`$ref` must be a string"),
        (r##"[{"\u0024ref":"#/definitions/x"}]"##, "does not begin with a call"),
        (r#"["${u1.}","${nobody}"]"#, "cannot be read: "),
        (r#"["${u1.}","${nobody}"]"#, "; the reference `${nobody}`: `nobody` is no call"),
    ] {
        let plan =
            Turn::new([("u1", "get_user", "{}"), ("u2", "get_user", "{}"), ("s", "sink", input)])
                .plan();
        let fault = fault(&plan, 2);
        assert!(fault.contains(says), "{input}: {fault}");
        assert!(plan.nodes[0].fault.is_none() && plan.nodes[1].fault.is_none());
    }
}

#[test]
fn a_call_is_found_by_id_then_tool_then_number_then_position() {
    let input = r#"{"a":"${b.x}","b":"${get#2.x}","c":"${3}","d":"${list[0]}","e":"${1.x}"}"#;
    let turn = Turn::new([
        ("a", "get", "{}"),
        ("b", "get", "{}"),
        ("c", "b", "{}"),
        ("1", "list", "{}"),
        ("e", "sink", input),
    ]);
    let plan = turn.plan();
    assert_eq!(plan.nodes[4].template.as_ref().unwrap().parents(), [1, 2, 3]);
    assert_eq!(plan.parents(4).len(), 3);
    assert_eq!(&*plan.parents(4)[0].reason, "${b.x}");
    assert_eq!(plan.children(1).map(|edge| edge.to).collect::<Vec<_>>(), [4]);
    assert_eq!(plan.children(0).len(), 0);
}

#[test]
fn references_look_forward_as_well_as_back() {
    let plan = Turn::new([("a", "sink", r#"["${source.id}"]"#), ("b", "source", "{}")]).plan();
    assert_eq!(edges(&plan), [(1, 0, EdgeKind::Reference, Strength::Need)]);
    assert_eq!(plan.order().collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn an_input_with_references_off_is_untouched() {
    let input = r#"{"a":"${source.id} $${x}","b":{"$ref":"source"}}"#;
    let plan = Turn::new([("a", "source", "{}"), ("b", "sink", input)]).references_off(1).plan();
    assert!(
        plan.nodes[1].template.is_none() && plan.nodes[1].fault.is_none() && plan.edges.is_empty()
    );
}

#[test]
fn depends_on_names_calls_or_is_a_fault() {
    for (name, says) in [
        ("", "`` is no call of this turn"),
        ("nobody", "`nobody` is no call of this turn; its calls are"),
        ("a.id", "`a.id` is no call of this turn"),
        ("9", "`9` is no call"),
        ("get", "`get` is called 2 times; write one of `get#1` (id a), `get#2` (id b)"),
    ] {
        let plan = Turn::new([("a", "get", "{}"), ("b", "get", "{}"), ("c", "put", "{}")])
            .depends_on(2, &[name])
            .plan();
        let fault = fault(&plan, 2);
        assert!(fault.starts_with("depends_on: ") && fault.contains(says), "{fault}");
    }
    let plan = Turn::new([("a", "get", "{}"), ("b", "get", "{}"), ("c", "put", r#"["${a}"]"#)])
        .depends_on(2, &["a", "get#2", "1", "b"])
        .plan();
    let need = |from| (from, 2, EdgeKind::Explicit, Strength::Need);
    assert_eq!(edges(&plan), [need(0), need(1)]);
}

#[test]
fn a_cycle_fails_only_its_members_and_is_spelt_out() {
    let plan = Turn::new([
        ("a", "first", r#"["${second.x}"]"#),
        ("b", "second", r#"["${third.x}"]"#),
        ("c", "third", "{}"),
        ("d", "fourth", r#"["${first.x}"]"#),
        ("e", "fifth", "{}"),
        ("f", "sixth", r#"["${sixth}"]"#),
    ])
    .depends_on(2, &["first", "fifth"])
    .plan();
    assert!(fault(&plan, 0).contains("`first → second → third → first`"), "{}", fault(&plan, 0));
    assert!(fault(&plan, 1).contains("`second → third → first → second`"), "{}", fault(&plan, 1));
    assert!(fault(&plan, 2).contains("`third → first → second → third`"), "{}", fault(&plan, 2));
    assert!(fault(&plan, 5).contains("`sixth → sixth`"), "{}", fault(&plan, 5));
    assert!(plan.nodes[3].fault.is_none() && plan.nodes[4].fault.is_none());
    let explicit = (4, 2, EdgeKind::Explicit, Strength::Need);
    assert_eq!(edges(&plan), [explicit, (0, 3, EdgeKind::Reference, Strength::Need)]);
    assert_eq!(plan.order().len(), 6);
}

#[test]
fn a_cycle_of_optional_needs_is_a_cycle() {
    let plan = Turn::new([
        ("a", "first", r#"[{"$ref":"second","default":0}]"#),
        ("b", "second", r#"["${first}"]"#),
    ])
    .plan();
    assert!(fault(&plan, 0).contains("first → second → first") && fault(&plan, 1).contains("→"));
}

#[test]
fn after_orders_and_gives_way_to_needs() {
    let turn = Turn::new([("a", "read", "{}"), ("b", "write", "{}"), ("c", "write", "{}")]);
    let plan = turn.after(0, &["write", "absent", "read"]).plan();
    let order = |from, to| (from, to, EdgeKind::After, Strength::Order);
    assert_eq!(edges(&plan), [order(1, 0), order(2, 0)]);
    assert_eq!(&*plan.edges[0].reason, "after write");

    let turn =
        Turn::new([("a", "read", "{}"), ("b", "write", r#"["${read}"]"#), ("c", "write", "{}")]);
    let plan = turn.after(0, &["write"]).plan();
    assert_eq!(edges(&plan), [order(2, 0), (0, 1, EdgeKind::Reference, Strength::Need)]);
    assert!(plan.nodes.iter().all(|node| node.fault.is_none()));

    let turn = Turn::new([("a", "x", "{}"), ("b", "y", "{}")]).after(0, &["y"]).after(1, &["x"]);
    assert_eq!(edges(&turn.plan()), [order(0, 1)]);
}

#[test]
fn an_ordered_turn_is_one_chain_that_stops_at_the_first_failure() {
    let turn = Turn::new([
        ("a", "a", r#"["${c}"]"#),
        ("b", "b", "{}"),
        ("c", "c", "{}"),
        ("d", "d", r#"[{"$ref":"b","default":0}]"#),
    ]);
    let plan = turn.plan_in(Ordering::Ordered);
    assert_eq!(plan.order().collect::<Vec<_>>(), [1, 2, 0, 3]);
    let chain = |from, to| (from, to, EdgeKind::BlockOrder, Strength::Need);
    assert_eq!(
        edges(&plan),
        [
            (2, 0, EdgeKind::Reference, Strength::Need),
            chain(1, 2),
            chain(0, 3),
            (1, 3, EdgeKind::Reference, Strength::Optional)
        ]
    );
    assert!(Turn::new([]).plan_in(Ordering::Ordered).edges.is_empty());
}

#[test]
fn an_estimate_knows_the_longest_chain() {
    let ms = Duration::from_millis;
    let plan = Turn::new([
        ("a", "a", "{}"),
        ("b", "b", "{}"),
        ("c", "c", r#"["${a}","${b}"]"#),
        ("d", "d", "{}"),
        ("e", "e", r#"["${e}"]"#),
        ("f", "f", r#"["${e}"]"#),
    ])
    .plan();
    let estimate = estimate(&plan, &[ms(100), ms(300), ms(200), ms(400), ms(999), ms(999)]);
    assert_eq!(estimate.sequential, ms(1000));
    assert_eq!(estimate.critical_path, ms(500));
    assert_eq!(estimate.critical, [1, 2]);
    assert!((estimate.speedup - 2.0).abs() < 1e-9);
    assert_eq!((estimate.width, estimate.depth), (3, 2));
    assert_eq!(estimate.depths, [0, 0, 1, 0, 0, 1]);

    let nothing = crate::plan::estimate(&Plan::default(), &[]);
    assert_eq!((nothing.speedup, nothing.width, nothing.depth), (1.0, 0, 0));
}
