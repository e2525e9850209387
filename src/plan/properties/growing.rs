//! Turns that come bit by bit.

use super::{order::manners, *};

proptest! {
    /// Random turns whose calls come one after the other, begin as soon as they wait
    /// for nothing, or end before that.
    #[test]
    fn what_is_settled_keeps_its_edges_and_nothing_new_stands_before_it(
        turn in turns(),
        manners in vec(manners(), 9),
        is_ordered: bool,
        fates in vec(0..6_u8, 9 * 9),
    ) {
        let ordering = if is_ordered { Ordering::Ordered } else { Ordering::Free };
        let (mut before, mut settled) = (Plan::default(), Vec::new());
        for known in 1..=turn.len() {
            let says = |call: usize| turn[call].iter().copied().filter(|says| says.parent() < known).collect();
            let part: Turn = (0..known).map(says).collect();
            let plan = plan_around(&part, &manners[..known], &vec![None; known], ordering, Some((&before, &settled[..])));
            // Parents come first, and so there is no cycle.
            let places: Vec<usize> = {
                let mut places = vec![usize::MAX; known];
                plan.order().enumerate().for_each(|(place, call)| places[call] = place);
                places
            };
            prop_assert!(places.iter().all(|&place| place < known));
            for edge in &plan.edges {
                prop_assert!(places[edge.from] < places[edge.to], "{:?}", edge);
            }
            prop_assert!(plan.edges.is_sorted_by_key(|edge| (edge.to, edge.from)));
            for call in (0..settled.len()).filter(|&call| settled[call]) {
                let kept = before.parents(call).iter().filter(|edge| settled[edge.from]);
                prop_assert!(kept.eq(plan.parents(call)));
                prop_assert!(plan.nodes[call].fault.is_none());
            }
            // A call begins when all that it waits for has, or it ends unasked.
            settled.resize(known, false);
            let is_free: Vec<bool> = (0..known)
                .map(|call| plan.nodes[call].fault.is_none() && plan.parents(call).iter().all(|edge| settled[edge.from]))
                .collect();
            for call in 0..known {
                let fate = fates[known * 9 - 9 + call];
                settled[call] |= fate == 0 || (is_free[call] && fate < 4);
            }
            before = plan;
        }
    }

    #[test]
    fn a_turn_of_which_nothing_is_settled_is_planned_as_if_it_had_come_at_once(
        turn in turns(),
        manners in vec(manners(), 9),
    ) {
        let manners = &manners[..turn.len()];
        let whole = plan_with(&turn, manners, Ordering::Free);
        let grown = plan_around(&turn, manners, &vec![None; turn.len()], Ordering::Free, Some((&Plan::default(), &[][..])));
        prop_assert_eq!(whole.edges, grown.edges);
        prop_assert!(whole.order.iter().eq(&grown.order));
    }
}

#[test]
fn text_that_a_later_call_would_make_a_reference_is_told() {
    let id = CallId::positional(1);
    let depends_on = [];
    for (input, is_open) in [
        (r#"{"a":"see ${get_user.id} there"}"#, true),
        (r#"{"a":"see ${t.id} there"}"#, false),
        (r#"{"a":"see $${get_user.id} there"}"#, false),
        (r#"{"a":"see ${get user}"}"#, false),
        (r#"{"a":"costs $5"}"#, false),
        (r#"{"a":"${get_user.id}"}"#, false),
    ] {
        let input = Json::try_new(input).unwrap();
        let (none, claims) = ([], []);
        let one = Call {
            id: &id,
            tool: "t",
            is_known: true,
            input: Some(&input),
            depends_on: &depends_on,
            after: &none,
            references: true,
            turn: None,
            claims: &claims,
            series: None,
        };
        let plan = build(&[one], Ordering::Free);
        assert_eq!(plan.nodes[0].is_open, is_open, "{input}");
    }
}
