//! Block order holds whatever comes of those that keep it.

use super::*;
use crate::plan::{EdgeKind, Strength};

/// Calls of one API that keep block order.
fn in_line(depends_on: &[&[usize]], line: &[usize]) -> Plan {
    let api = ApiName::try_new("crm").unwrap();
    let lines: Vec<_> =
        (0..depends_on.len()).map(|call| line.contains(&call).then_some(&api)).collect();
    planned_in_lines(depends_on, &lines, Ordering::Free)
}

#[test]
fn a_failure_holds_nobody_up() {
    let mut state = machine(&Arc::new(in_line(&[&[], &[], &[]], &[0, 1, 2])), true);
    assert_eq!(apply(&mut state, Event::Begun), [Action::Prepare(0)]);
    fly(&mut state, 0);
    let actions = apply(&mut state, Event::Failed(0, failure(), Sent::Answered));
    assert_eq!(actions[1..], [Action::Prepare(1)]);
    fly(&mut state, 1);
    let actions = apply(&mut state, Event::Cancelled(1, Sent::No, CancelReason::Requested));
    assert_eq!(actions[2..], [Action::Prepare(2)]);
}

#[test]
fn one_that_cannot_run_lets_nobody_overtake_those_before_it() {
    let mut plan = in_line(&[&[], &[], &[], &[]], &[0, 1, 2, 3]);
    plan.nodes[1].fault = Some(failure());
    plan.nodes[2].fault = Some(failure());
    let mut state = machine(&Arc::new(plan), true);
    let actions = apply(&mut state, Event::Begun);
    assert_eq!(finished(&actions), [(1, Outcome::Failed), (2, Outcome::Failed)]);
    assert_eq!(state.state(3), Some(State::Blocked { parents: 1 }));
    fly(&mut state, 0);
    let actions = apply(&mut state, Event::Succeeded(0));
    assert_eq!(actions, [Action::Finish(0, Ending::Succeeded), Action::Prepare(3)]);
}

#[test]
fn nor_does_one_that_is_skipped_whoever_it_needs() {
    // 2 needs the read, and keeps block order between 1 and 3.
    let mut state = machine(&Arc::new(in_line(&[&[], &[], &[0], &[]], &[1, 2, 3])), true);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    fly(&mut state, 1);
    let actions = apply(&mut state, Event::Failed(0, failure(), Sent::Answered));
    assert_eq!(finished(&actions), [(0, Outcome::Failed), (2, Outcome::Skipped)]);
    let actions = apply(&mut state, Event::Succeeded(1));
    assert_eq!(actions[1..], [Action::Prepare(3)]);

    // The need stands where the order would: 1 is in the line all the same.
    let mut plan = in_line(&[&[], &[0], &[]], &[0, 1, 2]);
    plan.nodes[1].fault = Some(failure());
    assert_eq!((plan.edges[0].kind, plan.edges[0].in_line), (EdgeKind::Explicit, true));
    let mut state = machine(&Arc::new(plan), true);
    apply(&mut state, Event::Begun);
    assert_eq!(state.state(2), Some(State::Blocked { parents: 1 }));
}

#[test]
fn a_need_that_failed_skips_also_the_one_that_is_let_go() {
    // 1 and 2 are ended by one event; 2 waits for 1 by both.
    let mut state = machine(&Arc::new(in_line(&[&[], &[0], &[1], &[]], &[1, 2, 3])), true);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    let actions = apply(&mut state, Event::Failed(0, failure(), Sent::Answered));
    let skipped = [(0, Outcome::Failed), (1, Outcome::Skipped), (2, Outcome::Skipped)];
    assert_eq!(finished(&actions), skipped);
    assert_eq!(actions[3..], [Action::Prepare(3)]);
}

#[test]
fn a_key_that_is_never_known_lets_nobody_overtake_those_whose_key_is_not_known_yet() {
    // 1 and 2 take their keys from 0; 3 may have either.
    let mut plan = in_line(&[&[], &[0], &[], &[]], &[1, 2, 3]);
    for edge in plan.edges.iter_mut().filter(|edge| edge.lift.is_some()) {
        edge.strength = Strength::Keys;
    }
    plan.nodes[2].fault = Some(failure());
    let mut state = machine(&Arc::new(plan), true);
    let actions = apply(&mut state, Event::Begun);
    assert_eq!(
        (actions[0].clone(), finished(&actions)),
        (Action::Prepare(0), vec![(2, Outcome::Failed)])
    );
    fly(&mut state, 0);
    assert_eq!(state.state(3), Some(State::Blocked { parents: 1 }));
    apply(&mut state, Event::Succeeded(0));
    assert_eq!(apply(&mut state, Event::Prepared(1)), [Action::Enqueue(1), Action::Prepare(3)]);
}
