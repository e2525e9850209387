//! Random turns whose calls keep block order, against an oracle that looks at
//! every pair.

use super::*;
use crate::model::{Access, ClaimKey};

/// What a call claims: of a few names and patterns that may come to be one
/// another.
const CLAIMS: [&str; 6] = ["a/1", "a/2", "b/1", "a/*", "b/*", "*1"];

/// A call's API if it keeps block order, and its claims, each with whether it is
/// a write.
pub(super) type Manners = (Option<bool>, Vec<(usize, bool)>);

pub(super) fn manners() -> impl Strategy<Value = Manners> {
    prop_oneof![
        Just((None, vec![])),
        any::<bool>().prop_map(|api| (Some(api), vec![])),
        vec((0..CLAIMS.len(), any::<bool>()), 1..3).prop_map(|claims| (None, claims)),
    ]
}

pub(super) fn claim((place, is_write): (usize, bool)) -> Claim {
    let name = CLAIMS[place];
    let key = match name.contains('*') {
        true => ClaimKey::Unknown(name.split('*').map(Arc::from).collect()),
        false => ClaimKey::Known(name.into()),
    };
    Claim { key, access: if is_write { Access::Write } else { Access::Read } }
}

/// Whether the two are to keep block order: `Some(true)` where that is certain.
fn conflict(one: &Manners, other: &Manners) -> Option<bool> {
    if one.0.is_some() && one.0 == other.0 {
        return Some(true);
    }
    let claims = |manners: &Manners| manners.1.iter().copied().map(claim).collect::<Vec<_>>();
    let (one, other) = (claims(one), claims(other));
    let pairs = one.iter().flat_map(|one| other.iter().map(move |other| (one, other)));
    let may = pairs.filter(|(one, other)| one.may_conflict(other));
    may.map(|(one, other)| one.key == other.key && matches!(one.key, ClaimKey::Known(_))).max()
}

/// Whether the calls that are to keep block order do, wherever that can be.
fn check_order(plan: &Plan, manners: &[Manners]) -> Result<(), TestCaseError> {
    let count = manners.len();
    let mut places = vec![0; count];
    for (place, call) in plan.order().enumerate() {
        places[call] = place;
    }
    prop_assert!(plan.edges.iter().all(|edge| places[edge.from] < places[edge.to]));
    let ordered: Vec<(usize, usize, bool)> = (0..count)
        .flat_map(|to| (0..to).map(move |from| (from, to)))
        .filter_map(|(from, to)| Some((from, to, conflict(&manners[from], &manners[to])?)))
        .collect();
    let pairs = |edges: &mut dyn Iterator<Item = &Edge>| {
        edges.map(|edge| (edge.from, edge.to)).collect::<Vec<_>>()
    };
    let written = pairs(&mut plan.edges.iter().filter(|edge| edge.lift.is_none()));
    let wanted = ordered.iter().map(|&(from, to, _)| (from, to));
    let all = reach(count, written.into_iter().chain(wanted));
    // Whoever follows another at all, and whoever follows its end.
    let any = reach(count, pairs(&mut plan.edges.iter()));
    let follows_end = |from: usize, to: usize| {
        let mut first = plan.children(from).filter(|edge| edge.strength != Strength::Keys);
        first.any(|edge| edge.to == to || any[edge.to][to])
    };
    for (from, to, is_certain) in ordered {
        let keeps = |from, to| if is_certain { follows_end(from, to) } else { any[from][to] };
        let may_give_way = all[to][from];
        prop_assert!(
            keeps(from, to) || (may_give_way && keeps(to, from)),
            "{} and {} do not keep their order",
            from,
            to
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn each_series_is_a_chain_of_needs_and_changes_nothing_else(
        turn in turns(),
        series in vec(prop_oneof![Just(None), Just(Some("a")), Just(Some("b"))], 9),
    ) {
        let series = &series[..turn.len()];
        let alone = plan(&turn, Ordering::Free);
        let plan = plan_of_series(&turn, &vec![(None, vec![]); turn.len()], series, Ordering::Free);
        let order: Vec<usize> = plan.order().collect();
        prop_assert_eq!(order.len(), turn.len());
        for edge in &plan.edges {
            let place = |call| order.iter().position(|&other| other == call);
            prop_assert!(place(edge.from) < place(edge.to));
            let is_of_one = series[edge.from].is_some() && series[edge.from] == series[edge.to];
            prop_assert!(is_of_one || alone.edges.contains(edge), "{:?}", edge);
        }
        for edge in &alone.edges {
            let kept = plan.parents(edge.to).iter().find(|kept| kept.from == edge.from);
            prop_assert!(kept.is_some_and(|kept| kept.strength <= edge.strength), "{:?}", edge);
        }
        for name in ["a", "b"] {
            let members: Vec<usize> =
                order.iter().copied().filter(|&call| series[call] == Some(name)).collect();
            for pair in members.windows(2) {
                let link = plan.parents(pair[1]).iter().find(|edge| edge.from == pair[0]);
                prop_assert_eq!(link.map(|edge| edge.strength), Some(Strength::Need));
            }
        }
    }

    #[test]
    fn block_order_is_kept_by_all_that_must_and_gives_way_only_on_a_circle(
        (turn, manners) in turns().prop_flat_map(|turn| {
            let count = turn.len();
            (Just(turn), vec(manners(), count))
        })
    ) {
        let free = plan(&turn, Ordering::Free);
        let plan = plan_with(&turn, &manners, Ordering::Free);
        // What was written stands as it did; a lesser edge may stand for nothing.
        let written = |plan: &Plan| {
            let written = plan.edges.iter().filter(|edge| edge.lift.is_none()).cloned();
            written.map(|edge| Edge { in_line: false, ..edge }).collect::<Vec<_>>()
        };
        prop_assert_eq!(written(&free), written(&plan));
        for edge in plan.edges.iter().filter(|edge| edge.lift.is_some()) {
            let (one, other) = (&manners[edge.from], &manners[edge.to]);
            // A pair may conflict for certain by way of others, and perhaps by itself.
            let found = conflict(one, other);
            let is_meant = found.is_some_and(|is_certain| is_certain || edge.strength == Strength::Keys);
            prop_assert!(is_meant, "{:?} orders two that do not conflict", edge);
            prop_assert!(edge.in_line);
        }
        check_order(&plan, &manners)?;
    }

    #[test]
    fn a_price_is_what_the_call_would_start_earlier_without(
        (turn, manners) in turns().prop_flat_map(|turn| {
            let count = turn.len();
            (Just(turn), vec(manners(), count))
        }),
        latencies in vec(0_u64..50, 9),
    ) {
        let latencies: Vec<Duration> = latencies.into_iter().map(Duration::from_millis).collect();
        let mut priced = plan_with(&turn, &manners, Ordering::Free);
        price(&mut priced, &latencies);
        let start = |plan: &Plan, call: usize| {
            let mut alone = latencies.clone();
            // Nothing ends later than this one.
            alone[call] = Duration::from_secs(1);
            estimate(plan, &alone).critical_path.checked_sub(Duration::from_secs(1))
        };
        for place in (0..priced.edges.len()).filter(|&place| priced.edges[place].lift.is_some()) {
            let to = priced.edges[place].to;
            let mut edges = priced.edges.clone();
            edges.remove(place);
            // Without children, so that nothing else ends after it.
            edges.retain(|edge| edge.from != to);
            let without = Plan::new(priced.nodes.clone(), edges, priced.order.clone());
            let mut edges = priced.edges.clone();
            edges.retain(|edge| edge.from != to);
            let with = Plan::new(priced.nodes.clone(), edges, priced.order.clone());
            let (Some(with), Some(without)) = (start(&with, to), start(&without, to)) else {
                prop_assert_eq!(priced.edges[place].cost(), Duration::ZERO, "it does not run");
                continue;
            };
            prop_assert_eq!(priced.edges[place].cost(), with - without);
        }
    }
}

#[test]
fn edges_are_few_however_many_calls_touch_the_same() {
    let count = 1024;
    let name = |text: String| ClaimKey::Known(text.into());
    let like = |before: String| ClaimKey::Unknown(vec![before.into(), "".into()]);
    type Key = Box<dyn Fn(usize) -> (ClaimKey, bool)>;
    let turns: Vec<(&str, usize, Key)> = vec![
        ("all write one", 1, Box::new(move |_| (name("k".into()), true))),
        ("half read, half write one", 2, Box::new(move |n| (name("k".into()), n % 2 == 0))),
        ("all write something unknown", 1, Box::new(move |_| (like("k/".into()), true))),
        ("each writes its own unknown", 32, Box::new(move |n| (like(format!("k/{n}/")), true))),
        (
            "names are written, then unknown ones read",
            34,
            Box::new(move |n| match n < 512 {
                true => (name(format!("k/{n}")), true),
                false => (like("k/".into()), false),
            }),
        ),
        (
            "unknown ones are read, then names written",
            34,
            Box::new(move |n| match n < 512 {
                true => (like("k/".into()), false),
                false => (name(format!("k/{n}")), true),
            }),
        ),
        (
            "both by turns",
            34,
            Box::new(move |n| match n % 2 {
                0 => (like(format!("k/{}", n % 8)), n % 3 == 0),
                _ => (name(format!("k/{n}")), n % 5 == 0),
            }),
        ),
    ];
    for (what, most, key) in turns {
        let claims: Vec<Vec<Claim>> = (0..count)
            .map(|call| {
                let (key, is_write) = key(call);
                vec![Claim { key, access: if is_write { Access::Write } else { Access::Read } }]
            })
            .collect();
        let plan = plan_of(&claims);
        assert!(plan.edges.len() <= most * count, "{what}: {} edges", plan.edges.len());
        // Those that may conflict keep block order, whatever was left out.
        let mut follows = vec![vec![false; count]; count];
        for edge in &plan.edges {
            let (before, after) = follows.split_at_mut(edge.to);
            after[0][edge.from] = true;
            for (own, of_parent) in after[0].iter_mut().zip(&before[edge.from]) {
                *own |= of_parent;
            }
        }
        for to in 0..count {
            for from in 0..to {
                let may = claims[from][0].may_conflict(&claims[to][0]);
                assert!(!may || follows[to][from], "{what}: {from} and {to}");
            }
        }
    }
}

/// Of calls that say nothing but what they claim.
fn plan_of(claims: &[Vec<Claim>]) -> Plan {
    let ids: Vec<CallId> = (1..=claims.len()).map(CallId::positional).collect();
    let calls = ids.iter().zip(claims).map(|(id, claims)| Call {
        id,
        tool: "t",
        is_known: true,
        input: None,
        depends_on: &[],
        after: &[],
        references: false,
        turn: None,
        claims,
        series: None,
    });
    build(&calls.collect::<Vec<_>>(), Ordering::Free)
}
