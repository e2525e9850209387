//! Identical calls run once, and one that gives up hands over.

use super::*;

/// `calls` identical ones; the first flies, the others share its run.
fn sharing(calls: usize, traits: Traits) -> BatchState {
    let none: Vec<&[usize]> = vec![&[]; calls];
    let mut state = BatchState::new(planned(&none, Ordering::Free), vec![traits; calls]);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    for call in 1..calls {
        assert_eq!(apply(&mut state, Event::Shares(call, 0)), []);
        assert_eq!(state.state(call), Some(State::Sharing { leader: 0 }));
    }
    state
}

#[test]
fn one_answer_answers_all_and_those_that_come_later() {
    let mut state = sharing(3, PLAIN);
    let actions = apply(&mut state, Event::Succeeded(0));
    assert_eq!(
        actions,
        [
            Action::Finish(0, Ending::Succeeded),
            Action::Finish(1, Ending::Shared { leader: 0 }),
            Action::Finish(2, Ending::Shared { leader: 0 }),
            Action::EndBatch,
        ]
    );

    let mut state = machine(&planned(&[&[], &[0]], Ordering::Free), false);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    apply(&mut state, Event::Succeeded(0));
    assert_eq!(state.runner(0), Some(0));
    let actions = apply(&mut state, Event::Shares(1, 0));
    assert_eq!(actions[0], Action::Finish(1, Ending::Shared { leader: 0 }));
}

#[test]
fn a_failure_of_the_backend_is_everybodys() {
    let mut state = sharing(2, PLAIN);
    let actions = apply(&mut state, Event::Failed(0, failure(), Sent::Answered));
    let ending = Ending::Failed(failure().with_attempts(1));
    assert_eq!(actions[..2], [Action::Finish(0, ending.clone()), Action::Finish(1, ending)]);

    let mut state = sharing(2, Traits { has_fallback: true, ..PLAIN });
    let actions = apply(&mut state, Event::Failed(0, failure(), Sent::Answered));
    let ending = Ending::FellBack(failure().with_attempts(1));
    assert_eq!(actions[..2], [Action::Finish(0, ending.clone()), Action::Finish(1, ending)]);
}

#[test]
fn what_was_only_the_first_ones_own_hands_over_to_the_next() {
    for event in
        [Event::TimeUp(0, Sent::Maybe), Event::Cancelled(0, Sent::Maybe, CancelReason::Requested)]
    {
        let mut state = sharing(4, PLAIN);
        apply(&mut state, Event::Cancelled(1, Sent::No, CancelReason::Requested));
        let actions = apply(&mut state, event);
        assert_eq!(finished(&actions).len(), 1, "{actions:?}");
        assert_eq!(actions.last(), Some(&Action::Enqueue(2)), "1 was cancelled");
        assert_eq!(state.state(3), Some(State::Sharing { leader: 2 }));
        assert_eq!(state.runner(0), Some(2));
        apply(&mut state, Event::Granted(2));
        let actions = apply(&mut state, Event::Succeeded(2));
        assert_eq!(actions[1], Action::Finish(3, Ending::Shared { leader: 2 }));
    }
}

#[test]
fn one_that_shares_ends_in_its_own_time() {
    let mut state = sharing(2, PLAIN);
    let actions = apply(&mut state, Event::TimeUp(1, Sent::No));
    assert_eq!(finished(&actions), [(1, Outcome::Failed)]);
    let actions = apply(&mut state, Event::Succeeded(0));
    assert_eq!(finished(&actions), [(0, Outcome::Succeeded)]);
    assert_eq!(actions.last(), Some(&Action::EndBatch));
}

#[test]
fn nobody_shares_with_one_that_does_not_run() {
    let none: &[usize] = &[];
    let mut state = machine(&planned(&[none; 3], Ordering::Free), false);
    apply(&mut state, Event::Begun);
    let refused = |state: &mut BatchState, call, leader| {
        assert!(state.apply(Event::Shares(call, leader), &mut Vec::new()).is_err());
        assert_eq!(state.state(call), Some(State::Preparing));
    };
    refused(&mut state, 1, 0);
    refused(&mut state, 1, 1);
    refused(&mut state, 1, 3);
}

#[test]
fn one_whose_leader_has_just_failed_runs_itself_for_those_to_come() {
    let none: &[usize] = &[];
    let mut state = machine(&planned(&[none; 3], Ordering::Free), false);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    apply(&mut state, Event::Failed(0, failure(), Sent::Answered));
    assert_eq!(state.runner(0), None);
    assert_eq!(apply(&mut state, Event::Shares(1, 0)), [Action::Enqueue(1)]);
    assert_eq!(state.runner(0), Some(1));
    assert_eq!(apply(&mut state, Event::Shares(2, 0)), []);
    assert_eq!(state.state(2), Some(State::Sharing { leader: 1 }));
}

#[test]
fn an_earlier_result_ends_a_call_before_it_asks_for_anything() {
    let mut state = machine(&planned(&[&[], &[0]], Ordering::Free), false);
    apply(&mut state, Event::Begun);
    let actions = apply(&mut state, Event::Cached(0));
    assert_eq!(actions, [Action::Finish(0, Ending::Cached), Action::Prepare(1)]);
    assert_eq!(state.runner(0), Some(0));
}

#[test]
fn all_that_share_are_cancelled_with_the_batch() {
    let mut state = sharing(3, PLAIN);
    let actions = apply(&mut state, Event::AllCancelled(CancelReason::CallerGone, Vec::new()));
    assert_eq!(finished(&actions).len(), 3);
    assert_eq!(actions.last(), Some(&Action::EndBatch));
}
