use std::time::Duration;

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Calls without a word of each other.
fn calls<const N: usize>(tools: [&'static str; N]) -> Turn {
    let mut place = 0;
    Turn::new(tools.map(|tool| {
        place += 1;
        (["a", "b", "c", "d", "e", "f"][place - 1], tool, "{}")
    }))
}

fn block(from: usize, to: usize) -> (usize, usize, EdgeKind, Strength) {
    (from, to, EdgeKind::BlockOrder, Strength::Order)
}

fn resource(from: usize, to: usize, strength: Strength) -> (usize, usize, EdgeKind, Strength) {
    (from, to, EdgeKind::Resource, strength)
}

fn lift(plan: &Plan, edge: usize) -> &Lift {
    plan.edges[edge].lift.as_deref().unwrap()
}

#[test]
fn calls_that_only_read_wait_for_nobody() {
    let turn = calls(["get", "get", "put"]).claims(0, &["k"]).claims(1, &["k", "*"]).turn(2, "crm");
    assert_eq!(edges(&turn.plan()), []);
}

#[test]
fn the_writes_of_each_api_form_a_chain_of_their_own() {
    let turn = calls(["put", "put", "get", "pay", "put", "pay"]);
    let turn = [(0, "crm"), (1, "crm"), (3, "bank"), (4, "crm"), (5, "bank")]
        .into_iter()
        .fold(turn, |turn, (call, api)| turn.turn(call, api));
    let plan = turn.plan();
    assert_eq!(edges(&plan), [block(0, 1), block(1, 4), block(3, 5)]);
    assert_eq!(&*plan.edges[0].reason, "block order of crm");
    assert_eq!(
        &*lift(&plan, 2).remedy,
        "`writes: [...]` on the tool, or `apis.bank.ordering: none`"
    );
    // An ordered turn is one chain already.
    let ordered = turn.plan_in(Ordering::Ordered);
    assert!(ordered.edges.len() == 5 && ordered.edges.iter().all(|edge| edge.lift.is_none()));
}

#[test]
fn the_calls_of_a_series_form_a_chain_of_needs_and_no_other_waits_for_them() {
    let turn = calls(["click", "get", "type", "open", "read", "click"]);
    let turn = [(0, "computer"), (2, "computer"), (3, "browser"), (4, "browser"), (5, "computer")]
        .into_iter()
        .fold(turn, |turn, (call, name)| turn.series(call, name));
    let plan = turn.plan();
    let link = |from, to| (from, to, EdgeKind::BlockOrder, Strength::Need);
    assert_eq!(edges(&plan), [link(0, 2), link(3, 4), link(2, 5)]);
    assert_eq!(&*plan.edges[1].reason, "block order of browser");
    assert!(plan.edges.iter().all(|edge| edge.lift.is_none()));
    // An ordered turn is one chain already.
    assert_eq!(turn.plan_in(Ordering::Ordered).edges.len(), 5);
}

#[test]
fn a_series_follows_what_its_calls_need_and_what_nobody_wrote_follows_the_series() {
    let turn = calls(["a", "b", "c"]).depends_on(0, &["b"]).series(0, "s").series(1, "s");
    let need = (1, 0, EdgeKind::Explicit, Strength::Need);
    assert_eq!(edges(&turn.plan()), [need]);

    // Both are writes of one API: the stronger of the two edges stays.
    let turn = calls(["a", "b"]).turn(0, "crm").turn(1, "crm").series(0, "s").series(1, "s");
    let link = (0, 1, EdgeKind::BlockOrder, Strength::Need);
    assert_eq!(edges(&turn.plan()), [link]);
    assert!(turn.plan().edges[0].lift.is_none());
}

#[test]
fn block_order_gives_way_to_needs_and_to_after_and_to_nothing_else() {
    // The second needs the fourth; the first and the third keep their order.
    let writes = |turn: Turn| (0..4).fold(turn, |turn, call| turn.turn(call, "crm"));
    let plan = writes(calls(["a", "b", "c", "d"]).depends_on(1, &["d"])).plan();
    let need = (3, 1, EdgeKind::Explicit, Strength::Need);
    assert_eq!(edges(&plan), [need, block(0, 2), block(2, 3)]);

    let plan = writes(calls(["a", "b", "c", "d"]).after(0, &["b"])).plan();
    let after = (1, 0, EdgeKind::After, Strength::Order);
    assert_eq!(edges(&plan), [after, block(0, 2), block(2, 3)]);

    // A need between two of them is the stronger reason.
    let plan = writes(calls(["a", "b", "c", "d"]).depends_on(2, &["b"])).plan();
    let need = (1, 2, EdgeKind::Explicit, Strength::Need);
    assert_eq!(edges(&plan), [block(0, 1), need, block(2, 3)]);
}

/// The first comes late, since it needs the third by way of a read. The last
/// comes later still.
#[test]
fn who_gives_way_keeps_its_place_before_those_that_do_not_stand_against_it() {
    let turn =
        calls(["w0", "w1", "w2", "w3", "read"]).depends_on(0, &["read"]).depends_on(4, &["w2"]);
    let plan = (0..4).fold(turn, |turn, call| turn.turn(call, "crm")).plan();
    let need = |from, to| (from, to, EdgeKind::Explicit, Strength::Need);
    assert_eq!(edges(&plan), [block(2, 0), need(4, 0), block(1, 2), block(0, 3), need(2, 4)]);
}

#[test]
fn who_writes_waits_for_those_that_read_since_the_last_writer() {
    let turn = calls(["put", "get", "get", "put", "get", "put"])
        .claims(0, &["!k/1"])
        .claims(1, &["k/1"])
        .claims(2, &["k/1", "k/2"])
        .claims(3, &["!k/1", "!k/2"])
        .claims(4, &["k/2"])
        .claims(5, &["!k/1", "k/2"]);
    let plan = turn.plan();
    let order = |from, to| resource(from, to, Strength::Order);
    assert_eq!(
        edges(&plan),
        [order(0, 1), order(0, 2), order(1, 3), order(2, 3), order(3, 4), order(3, 5)]
    );
    let reasons: Vec<&str> = plan.edges.iter().map(|edge| &*edge.reason).collect();
    assert_eq!(reasons[0], "reads k/1, which that call writes");
    assert_eq!(reasons[2], "writes k/1, which that call reads");
    assert_eq!(reasons[5], "both write k/1");
    assert_eq!(&*lift(&plan, 0).remedy, "narrower keys in `reads` and `writes` of the tools");
}

#[test]
fn a_name_that_is_not_known_may_be_any_that_fits() {
    let turn = calls(["put", "put", "put", "put", "put", "get"])
        .claims(0, &["!order/1"])
        .claims(1, &["!order/2"])
        .claims(2, &["!customer/1"])
        .claims(3, &["!order/*"])
        .claims(4, &["!order/2"])
        .claims(5, &["order/*"]);
    let plan = turn.plan();
    let keys = |from, to| resource(from, to, Strength::Keys);
    assert_eq!(
        edges(&plan),
        [
            keys(0, 3),
            keys(1, 3),
            // Known to be the same, and so not let in by the third one's key.
            resource(1, 4, Strength::Order),
            keys(3, 4),
            keys(3, 5),
            keys(4, 5),
        ]
    );
    let reasons: Vec<&str> = plan.edges.iter().map(|edge| &*edge.reason).collect();
    assert_eq!(reasons[0], "order/… may be order/1");
    assert_eq!(reasons[3], "order/2 may be order/…");
    assert_eq!(reasons[4], "order/… may be the same");
}

#[test]
fn an_order_costs_what_its_child_starts_later_for_it() {
    let turn = calls(["a", "b", "c", "read"]);
    let turn = (0..3).fold(turn, |turn, call| turn.turn(call, "crm"));
    let latencies = [ms(100), ms(50), ms(100), ms(120)];
    let mut plan = turn.plan();
    price(&mut plan, &latencies);
    assert_eq!((plan.edges[0].cost(), plan.edges[1].cost()), (ms(100), ms(150)));
    let whole = estimate(&plan, &latencies);
    assert_eq!((whole.critical_path, whole.order), (ms(250), ms(130)));

    // The last waits for the reading as long anyhow.
    let mut plan = turn.depends_on(2, &["read"]).plan();
    price(&mut plan, &[ms(100), ms(50), ms(100), ms(200)]);
    let costs: Vec<Duration> = plan.edges.iter().map(Edge::cost).collect();
    assert_eq!(costs, [ms(100), ms(0), ms(0)]);
    assert_eq!(estimate(&plan, &[ms(100), ms(50), ms(100), ms(200)]).order, ms(0));
}

#[test]
fn who_cannot_run_keeps_its_place_in_the_line() {
    let turn = (0..3).fold(calls(["a", "b", "c"]), |turn, call| turn.turn(call, "crm"));
    let mut plan = turn.plan();
    plan.nodes[1].fault = Some(Failure::new(FailureCode::InvalidInput, "no"));
    let latencies = [ms(100), ms(50), ms(70)];
    price(&mut plan, &latencies);
    assert_eq!((plan.edges[0].cost(), plan.edges[1].cost()), (ms(0), ms(100)));
    let whole = estimate(&plan, &latencies);
    assert_eq!((whole.critical_path, whole.critical), (ms(170), vec![0, 2]));
}

#[test]
fn a_name_that_comes_late_holds_up_only_until_it_is_known() {
    let turn = calls(["find", "put", "put", "put"])
        .depends_on(1, &["find"])
        .claims(1, &["!order/*"])
        .claims(2, &["!order/1"])
        .claims(3, &["!order/2"]);
    let mut plan = turn.plan();
    let latencies = [ms(100), ms(500), ms(300), ms(50)];
    price(&mut plan, &latencies);
    assert_eq!(plan.edges.iter().map(Edge::cost).collect::<Vec<_>>(), [ms(0), ms(100), ms(100)]);
    let whole = estimate(&plan, &latencies);
    assert_eq!((whole.critical_path, whole.critical), (ms(600), vec![0, 1]));
    assert_eq!(remaining(&plan, &latencies), [ms(600), ms(500), ms(300), ms(50)]);
    assert_eq!(remaining(&plan, &[ms(100), ms(10), ms(300), ms(50)])[1], ms(300));
}

#[test]
fn a_long_name_is_cut_in_a_reason() {
    let long = format!("!{}", "k".repeat(1000));
    let plan = calls(["a", "b"]).claims(0, &[&long]).claims(1, &[&long]).plan();
    assert_eq!(*plan.edges[0].reason, *format!("both write {}…", "k".repeat(64)));
}
