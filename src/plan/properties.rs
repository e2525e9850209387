//! Random turns against an oracle that looks at every path.

use proptest::{collection::vec, prelude::*};

use self::order::{Manners, claim};
use super::*;

mod growing;
mod order;

/// What a call says of another.
#[derive(Clone, Copy, Debug)]
enum Says {
    DependsOn(usize),
    Refers(usize),
    RefersWithDefault(usize),
    After(usize),
}

impl Says {
    fn parent(self) -> usize {
        match self {
            Self::DependsOn(to)
            | Self::Refers(to)
            | Self::RefersWithDefault(to)
            | Self::After(to) => to,
        }
    }

    fn is_need(self) -> bool {
        !matches!(self, Self::After(_))
    }

    fn strength(self) -> Strength {
        match self {
            Self::DependsOn(_) | Self::Refers(_) => Strength::Need,
            Self::RefersWithDefault(_) => Strength::Optional,
            Self::After(_) => Strength::Order,
        }
    }
}

/// For each call what it says.
type Turn = Vec<Vec<Says>>;

fn turns() -> impl Strategy<Value = Turn> {
    (1_usize..9).prop_flat_map(|count| {
        let says = (0..count, 0..10).prop_map(|(parent, what)| match what {
            0..=2 => Says::DependsOn(parent),
            3..=4 => Says::Refers(parent),
            5 => Says::RefersWithDefault(parent),
            _ => Says::After(parent),
        });
        vec(vec(says, 0..3), count)
    })
}

fn plan(turn: &Turn, ordering: Ordering) -> Plan {
    plan_with(turn, &vec![(None, vec![]); turn.len()], ordering)
}

fn plan_with(turn: &Turn, manners: &[Manners], ordering: Ordering) -> Plan {
    plan_around(turn, manners, &vec![None; turn.len()], ordering, None)
}

fn plan_of_series(
    turn: &Turn,
    manners: &[Manners],
    series: &[Option<&str>],
    ordering: Ordering,
) -> Plan {
    plan_around(turn, manners, series, ordering, None)
}

/// With the plan before and what of it is settled, where the turn grew.
fn plan_around(
    turn: &Turn,
    manners: &[Manners],
    series: &[Option<&str>],
    ordering: Ordering,
    before: Option<(&Plan, &[bool])>,
) -> Plan {
    let count = turn.len();
    let apis = ["one", "two"].map(|name| ApiName::try_new(name).unwrap());
    let claims: Vec<Vec<Claim>> =
        manners.iter().map(|(_, claims)| claims.iter().copied().map(claim).collect()).collect();
    let ids: Vec<CallId> =
        (0..count).map(|call| CallId::try_new(format!("id{call}")).unwrap()).collect();
    let tools: Vec<ToolName> =
        (0..count).map(|call| ToolName::try_new(format!("t{call}")).unwrap()).collect();
    let (mut inputs, mut depends_on, mut after) = (vec![], vec![], vec![]);
    for says in turn {
        let mut input = Vec::new();
        let (mut needs, mut orders) = (vec![], vec![]);
        for says in says {
            match *says {
                Says::DependsOn(parent) => needs.push((parent + 1).to_string()),
                Says::Refers(parent) => input.push(format!(r#""${{id{parent}.x}}""#)),
                Says::RefersWithDefault(parent) => {
                    input.push(format!(r#"{{"$ref":"t{parent}","default":1}}"#));
                }
                Says::After(parent) => orders.push(tools[parent].clone()),
            }
        }
        inputs.push(Json::try_new(format!("[{}]", input.join(","))).unwrap());
        depends_on.push(needs);
        after.push(orders);
    }
    let calls: Vec<Call<'_>> = (0..count)
        .map(|call| Call {
            id: &ids[call],
            tool: &tools[call],
            is_known: true,
            input: Some(&inputs[call]),
            depends_on: &depends_on[call],
            after: &after[call],
            references: true,
            turn: manners[call].0.map(|api| &apis[usize::from(api)]),
            claims: &claims[call],
            series: series[call],
        })
        .collect();
    match before {
        Some((before, is_settled)) => grow(&calls, ordering, before, is_settled),
        None => build(&calls, ordering),
    }
}

/// Who is reached from whom along these edges.
fn reach(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Vec<Vec<bool>> {
    let mut reach = vec![vec![false; count]; count];
    for (from, to) in edges {
        reach[from][to] = true;
    }
    for via in 0..count {
        for from in 0..count {
            for to in 0..count {
                reach[from][to] |= reach[from][via] && reach[via][to];
            }
        }
    }
    reach
}

fn said(turn: &Turn) -> impl Iterator<Item = (usize, usize, Says)> {
    turn.iter()
        .enumerate()
        .flat_map(|(to, says)| says.iter().map(move |says| (says.parent(), to, *says)))
}

proptest! {
    #[test]
    fn only_members_of_a_cycle_of_needs_have_a_fault_that_spells_a_real_one(turn in turns()) {
        let plan = plan(&turn, Ordering::Free);
        let needs = reach(turn.len(), said(&turn).filter(|(.., says)| says.is_need()).map(|(from, to, _)| (from, to)));
        for (call, node) in plan.nodes.iter().enumerate() {
            prop_assert_eq!(node.fault.is_some(), needs[call][call]);
            let Some(fault) = &node.fault else { continue };
            let circle: Vec<usize> = fault.message.split('`').nth(1).unwrap()
                .split(" → ").map(|label| label[1..].parse().unwrap()).collect();
            prop_assert!(circle.len() > 1 && circle[0] == call && circle.last() == Some(&call));
            for pair in circle.windows(2) {
                prop_assert!(turn[pair[0]].iter().any(|says| says.is_need() && says.parent() == pair[1]), "{:?}", circle);
            }
            let mut members = circle[1..].to_vec();
            members.sort_unstable();
            members.dedup();
            prop_assert_eq!(members.len(), circle.len() - 1, "{:?} passes a call twice", circle);
        }
    }

    #[test]
    fn every_need_is_an_edge_and_an_order_gives_way_only_on_a_circle(turn in turns()) {
        let count = turn.len();
        let plan = plan(&turn, Ordering::Free);
        let needs = reach(count, said(&turn).filter(|(.., says)| says.is_need()).map(|(from, to, _)| (from, to)));
        let is_circular = |from: usize, to: usize| needs[from][to] && needs[to][from];
        // Every edge that was asked for and can be: the strongest of each pair.
        let mut wanted: Vec<(usize, usize, Strength)> = said(&turn)
            .filter(|&(from, to, says)| match says.is_need() {
                true => !is_circular(from, to),
                false => from != to,
            })
            .map(|(from, to, says)| (to, from, says.strength()))
            .collect();
        wanted.sort_unstable();
        wanted.dedup_by_key(|&mut (to, from, _)| (to, from));
        let all = reach(count, wanted.iter().map(|&(to, from, _)| (from, to)));
        let found: Vec<(usize, usize, Strength)> =
            plan.edges.iter().map(|edge| (edge.to, edge.from, edge.strength)).collect();
        for edge in &found {
            // An order between members of a cycle may stand for the need that was
            // taken out.
            let is_lesser = edge.2 == Strength::Order && is_circular(edge.0, edge.1);
            prop_assert!(is_lesser || wanted.contains(edge), "{:?} was not asked for", edge);
        }
        for edge @ &(to, from, strength) in &wanted {
            let gives_way = strength == Strength::Order && (all[to][from] || is_circular(from, to));
            prop_assert!(gives_way || found.contains(edge), "{:?} is missing", edge);
        }
        let kept = reach(count, plan.edges.iter().map(|edge| (edge.from, edge.to)));
        prop_assert!((0..count).all(|call| !kept[call][call]), "not acyclic");
        let left = wanted.iter().filter(|(.., strength)| *strength != Strength::Order);
        let left = reach(count, left.map(|&(to, from, _)| (from, to)));
        for edge in plan.edges.iter().filter(|edge| edge.strength == Strength::Order) {
            prop_assert!(!left[edge.to][edge.from], "{:?} stands against needs", edge);
        }
    }

    #[test]
    fn edges_are_found_from_both_ends_and_the_order_keeps_them(turn in turns(), is_ordered: bool) {
        let plan = plan(&turn, if is_ordered { Ordering::Ordered } else { Ordering::Free });
        let mut places = vec![usize::MAX; turn.len()];
        for (place, call) in plan.order().enumerate() {
            places[call] = place;
        }
        prop_assert!(places.iter().all(|&place| place < turn.len()));
        prop_assert!(plan.edges.is_sorted_by_key(|edge| (edge.to, edge.from)));
        let mut children: Vec<&Edge> = (0..turn.len()).flat_map(|call| plan.children(call)).collect();
        children.sort_by_key(|edge| (edge.to, edge.from));
        prop_assert!(children.into_iter().eq(&plan.edges));
        prop_assert!((0..turn.len()).flat_map(|call| plan.parents(call)).eq(&plan.edges));
        for edge in &plan.edges {
            prop_assert!(places[edge.from] < places[edge.to]);
        }
        if is_ordered {
            let order: Vec<usize> = plan.order().collect();
            for pair in order.windows(2) {
                let is_needed = |edge: &Edge| edge.from == pair[0] && edge.strength == Strength::Need;
                prop_assert!(plan.parents(pair[1]).iter().any(is_needed));
            }
        }
    }

    #[test]
    fn an_estimate_is_the_longest_of_all_chains(turn in turns(), latencies in vec(0_u64..50, 9)) {
        let plan = plan(&turn, Ordering::Free);
        let latencies: Vec<_> = latencies.into_iter().map(std::time::Duration::from_millis).collect();
        let estimate = estimate(&plan, &latencies);
        // Every chain, by brute force.
        let runs = |call: usize| {
            let needs = reach(turn.len(), plan.edges.iter().filter(|edge| edge.strength == Strength::Need).map(|edge| (edge.from, edge.to)));
            (0..turn.len()).all(|other| plan.nodes[other].fault.is_none() || (other != call && !needs[other][call]))
        };
        let mut longest = std::time::Duration::ZERO;
        let mut chains: Vec<Vec<usize>> = (0..turn.len()).filter(|&call| runs(call)).map(|call| vec![call]).collect();
        while let Some(chain) = chains.pop() {
            longest = longest.max(chain.iter().map(|&call| latencies[call]).sum());
            for edge in plan.children(chain[chain.len() - 1]).filter(|edge| runs(edge.to)) {
                chains.push(chain.iter().copied().chain([edge.to]).collect());
            }
        }
        prop_assert_eq!(estimate.critical_path, longest);
        prop_assert_eq!(estimate.critical.iter().map(|&call| latencies[call]).sum::<std::time::Duration>(), longest);
        prop_assert!(estimate.critical.windows(2).all(|pair| plan.children(pair[0]).any(|edge| edge.to == pair[1])));
        prop_assert_eq!(estimate.sequential, (0..turn.len()).filter(|&call| runs(call)).map(|call| latencies[call]).sum::<std::time::Duration>());
    }
}

#[test]
fn ten_thousand_calls_in_one_circle_or_one_chain_are_planned() {
    let count = 10_000;
    for (first, faulty) in [(vec![Says::DependsOn(count - 1)], count), (vec![], 0)] {
        let mut turn: Turn =
            (0..count).map(|call: usize| vec![Says::DependsOn(call.saturating_sub(1))]).collect();
        turn[0] = first;
        let plan = plan(&turn, Ordering::Free);
        assert_eq!(plan.nodes.iter().filter(|node| node.fault.is_some()).count(), faulty);
        if faulty > 0 {
            let message = &plan.nodes[5000].fault.as_ref().unwrap().message;
            assert!(
                message.contains(
                    "`t5000 → t4999 → t4998 → t4997 → … → t5003 → t5002 → t5001 → t5000`"
                ),
                "{message}"
            );
        } else {
            assert_eq!(
                estimate(&plan, &vec![std::time::Duration::from_secs(1); count]).depth,
                count
            );
        }
    }
}
