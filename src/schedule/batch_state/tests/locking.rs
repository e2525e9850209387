//! Locks come before rights, and in block order.

use super::*;
use crate::plan::{EdgeKind, Strength};

fn locking(plan: &Arc<Plan>) -> BatchState {
    let traits = Traits { has_claims: true, is_effectful: true, ..PLAIN };
    BatchState::new(Arc::clone(plan), vec![traits; plan.nodes.len()])
}

/// A plan of explicit edges whose last edge is of strength `Keys`.
fn with_keys(depends_on: &[&[usize]], (from, to): (usize, usize)) -> Arc<Plan> {
    let plan = planned(depends_on, Ordering::Free);
    let mut plan = Arc::unwrap_or_clone(plan);
    let edge = plan.edges.iter_mut().find(|edge| (edge.from, edge.to) == (from, to)).unwrap();
    (edge.kind, edge.strength, edge.in_line) = (EdgeKind::Resource, Strength::Keys, true);
    Arc::new(plan)
}

#[test]
fn locks_are_asked_for_once_and_kept_over_attempts() {
    let mut state = locking(&planned(&[&[]], Ordering::Free));
    apply(&mut state, Event::Begun);
    assert_eq!(apply(&mut state, Event::Prepared(0)), [Action::Lock(0)]);
    assert_eq!(state.state(0), Some(State::Locking));
    assert!(state.apply(Event::Granted(0), &mut Vec::new()).is_err());
    assert_eq!(apply(&mut state, Event::Locked(0)), [Action::Enqueue(0)]);
    apply(&mut state, Event::Granted(0));
    apply(&mut state, Event::FailedForNow(0, failure(), Sent::No));
    assert_eq!(apply(&mut state, Event::BackedOff(0)), [Action::Enqueue(0)]);
}

#[test]
fn a_call_that_gets_no_lock_never_ran() {
    let mut state = locking(&planned(&[&[]], Ordering::Free));
    apply(&mut state, Event::Begun);
    apply(&mut state, Event::Prepared(0));
    let refused = Failure::new(FailureCode::LockTimeout, "held");
    let actions = apply(&mut state, Event::Refused(0, refused.clone()));
    let finish = Action::Finish(0, Ending::Failed(refused));
    assert_eq!(actions, [Action::Abandon(0), finish, Action::EndBatch]);

    let mut state = locking(&planned(&[&[]], Ordering::Free));
    apply(&mut state, Event::Begun);
    apply(&mut state, Event::Prepared(0));
    let actions = apply(&mut state, Event::Cancelled(0, Sent::No, CancelReason::Requested));
    let ending = Ending::Cancelled { reason: CancelReason::Requested, attempts: 0 };
    assert_eq!(actions[..2], [Action::Abandon(0), Action::Finish(0, ending)]);
}

#[test]
fn a_call_joins_the_queue_for_a_lock_behind_one_whose_key_was_not_known() {
    // 1 takes its key from 0; 2 may have the same.
    let plan = with_keys(&[&[], &[0], &[1]], (1, 2));
    let mut state = locking(&plan);
    assert_eq!(apply(&mut state, Event::Begun), [Action::Prepare(0)]);
    fly_locked(&mut state, 0);
    let actions = apply(&mut state, Event::Succeeded(0));
    assert_eq!(actions, [Action::Finish(0, Ending::Succeeded), Action::Prepare(1)]);
    // The one before asks first; the one behind need not wait for its end.
    assert_eq!(apply(&mut state, Event::Prepared(1)), [Action::Lock(1), Action::Prepare(2)]);
    assert_eq!(apply(&mut state, Event::Prepared(2)), [Action::Lock(2)]);
    apply(&mut state, Event::Locked(1));
    apply(&mut state, Event::Granted(1));
    let actions = apply(&mut state, Event::Failed(1, failure(), Sent::Answered));
    assert_eq!(finished(&actions), [(1, Outcome::Failed)], "its failure skips nobody");
}

#[test]
fn one_whose_key_is_never_known_holds_nobody_up() {
    for (event, ended) in [
        (Event::Failed(0, failure(), Sent::Answered), Outcome::Skipped),
        (Event::Succeeded(0), Outcome::Failed),
    ] {
        let plan = with_keys(&[&[], &[0], &[1]], (1, 2));
        let mut state = locking(&plan);
        apply(&mut state, Event::Begun);
        fly_locked(&mut state, 0);
        let mut actions = apply(&mut state, event);
        if ended == Outcome::Failed {
            actions = apply(&mut state, Event::Rejected(1, failure()));
        }
        assert!(finished(&actions).contains(&(1, ended)));
        assert_eq!(actions.last(), Some(&Action::Prepare(2)));
    }
}

fn fly_locked(state: &mut BatchState, call: usize) {
    apply(state, Event::Prepared(call));
    apply(state, Event::Locked(call));
    apply(state, Event::Granted(call));
}
