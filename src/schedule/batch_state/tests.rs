use proptest::prelude::*;

use super::*;
use crate::{
    model::{ApiName, CallId, FailureCode, Ordering},
    plan,
};

mod growing;
mod line;
mod locking;
mod sharing;

fn planned(depends_on: &[&[usize]], ordering: Ordering) -> Arc<Plan> {
    Arc::new(planned_in_lines(depends_on, &vec![None; depends_on.len()], ordering))
}

/// With the API of each call that keeps block order.
fn planned_in_lines(
    depends_on: &[&[usize]],
    lines: &[Option<&ApiName>],
    ordering: Ordering,
) -> Plan {
    let ids: Vec<_> = (1..=depends_on.len()).map(CallId::positional).collect();
    let of = |parents: &&[usize]| parents.iter().map(|parent| ids[*parent].to_string()).collect();
    let parents: Vec<Vec<String>> = depends_on.iter().map(of).collect();
    let input = crate::model::Json::try_new("{}").unwrap();
    let calls = ids.iter().zip(&parents).zip(lines);
    let calls: Vec<_> = calls
        .map(|((id, parents), line)| plan::Call {
            id,
            tool: "t",
            is_known: true,
            input: Some(&input),
            depends_on: parents,
            after: &[],
            references: false,
            turn: *line,
            claims: &[],
            series: None,
        })
        .collect();
    plan::build(&calls, ordering)
}

const PLAIN: Traits = Traits { has_claims: false, is_effectful: false, has_fallback: false };

fn machine(plan: &Arc<Plan>, is_effectful: bool) -> BatchState {
    let traits = Traits { is_effectful, ..PLAIN };
    BatchState::new(Arc::clone(plan), vec![traits; plan.nodes.len()])
}

/// Applies an event that must be legal.
fn apply(state: &mut BatchState, event: Event) -> Vec<Action> {
    let mut actions = Vec::new();
    state.apply(event, &mut actions).unwrap();
    actions
}

/// Brings a call without parents into flight.
fn fly(state: &mut BatchState, call: usize) {
    apply(state, Event::Prepared(call));
    let actions = apply(state, Event::Granted(call));
    assert_eq!(actions, [Action::Run { call, attempt: 1 }]);
}

fn failure() -> Failure {
    Failure::new(FailureCode::BackendError, "no")
}

fn finished(actions: &[Action]) -> Vec<(usize, Outcome)> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Finish(call, ending) => Some((*call, ending.outcome())),
            _ => None,
        })
        .collect()
}

#[test]
fn an_event_that_the_state_does_not_allow_changes_nothing() {
    let mut state = machine(&planned(&[&[], &[0]], Ordering::Free), false);
    apply(&mut state, Event::Begun);
    let mut actions = Vec::new();
    for event in [
        Event::Begun,
        Event::Granted(0),
        Event::Succeeded(0),
        Event::Prepared(1),
        Event::TimeUp(1, Sent::No),
        Event::Prepared(2),
        Event::Failed(0, failure(), Sent::No),
    ] {
        let error = state.apply(event.clone(), &mut actions).unwrap_err();
        assert!(error.event.starts_with(&format!("{event:?}")[..5]), "{error}");
        assert!(actions.is_empty());
    }
    assert_eq!(state.state(0), Some(State::Preparing));
    assert_eq!(state.open(), 2);
}

#[test]
fn a_terminal_call_takes_nothing_more() {
    let mut state = machine(&planned(&[&[]], Ordering::Free), false);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    let actions = apply(&mut state, Event::Succeeded(0));
    assert_eq!(actions, [Action::Finish(0, Ending::Succeeded), Action::EndBatch]);
    let mut actions = Vec::new();
    for event in [
        Event::Succeeded(0),
        Event::TimeUp(0, Sent::Maybe),
        Event::Cancelled(0, Sent::No, CancelReason::Requested),
    ] {
        assert!(state.apply(event, &mut actions).is_err());
    }
    apply(&mut state, Event::AllCancelled(CancelReason::CallerGone, Vec::new()));
    assert!(actions.is_empty());
}

#[test]
fn a_failure_skips_the_calls_that_need_it_and_leaves_its_siblings_alone() {
    // 0 ← 1 ← 2, and 3 alone.
    let mut state = machine(&planned(&[&[], &[0], &[1], &[]], Ordering::Free), false);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    fly(&mut state, 3);
    let actions = apply(&mut state, Event::Failed(0, failure(), Sent::Answered));
    assert_eq!(
        actions[1..],
        [
            Action::Finish(1, Ending::Skipped { parent: 0, root: 0 }),
            Action::Finish(2, Ending::Skipped { parent: 1, root: 0 }),
        ]
    );
    assert_eq!(state.state(3), Some(State::Running { attempt: 1 }));
    let actions = apply(&mut state, Event::Succeeded(3));
    assert_eq!(actions.last(), Some(&Action::EndBatch));
}

#[test]
fn an_ordered_batch_runs_one_by_one_and_stops_at_the_first_failure() {
    let mut state = machine(&planned(&[&[], &[], &[]], Ordering::Ordered), false);
    assert_eq!(apply(&mut state, Event::Begun), [Action::Prepare(0)]);
    fly(&mut state, 0);
    let actions = apply(&mut state, Event::Succeeded(0));
    assert_eq!(actions, [Action::Finish(0, Ending::Succeeded), Action::Prepare(1)]);
    fly(&mut state, 1);
    let actions = apply(&mut state, Event::Failed(1, failure(), Sent::No));
    assert_eq!(finished(&actions), [(1, Outcome::Failed), (2, Outcome::Skipped)]);
}

#[test]
fn an_effect_that_may_have_happened_is_never_called_a_plain_failure() {
    let code = |actions: &[Action]| match &actions[actions.len() - 2] {
        Action::Finish(_, Ending::Failed(failure)) => Some(failure.code),
        _ => None,
    };
    let cancelled = |sent| Event::Cancelled(0, sent, CancelReason::Requested);
    for (is_effectful, event, expected) in [
        (true, Event::TimeUp(0, Sent::Maybe), Some(FailureCode::OutcomeUnknown)),
        (true, Event::TimeUp(0, Sent::No), Some(FailureCode::DeadlineExceeded)),
        (false, Event::TimeUp(0, Sent::Maybe), Some(FailureCode::DeadlineExceeded)),
        (true, cancelled(Sent::Maybe), Some(FailureCode::OutcomeUnknown)),
        (true, cancelled(Sent::No), None),
        (false, cancelled(Sent::Maybe), None),
        (true, Event::Failed(0, failure(), Sent::Maybe), Some(FailureCode::OutcomeUnknown)),
        (true, Event::Failed(0, failure(), Sent::Answered), Some(FailureCode::BackendError)),
        (false, Event::Failed(0, failure(), Sent::Maybe), Some(FailureCode::BackendError)),
        (
            true,
            Event::AllCancelled(CancelReason::Shutdown, vec![(0, Sent::Maybe)]),
            Some(FailureCode::OutcomeUnknown),
        ),
        (true, Event::AllCancelled(CancelReason::Shutdown, vec![(0, Sent::No)]), None),
    ] {
        let mut state = machine(&planned(&[&[]], Ordering::Free), is_effectful);
        apply(&mut state, Event::Begun);
        fly(&mut state, 0);
        let actions = apply(&mut state, event.clone());
        assert_eq!(code(&actions), expected, "effectful: {is_effectful}, {event:?}");
    }
}

#[test]
fn a_failure_for_now_gives_its_rights_back_and_comes_again() {
    let mut state = machine(&planned(&[&[]], Ordering::Free), false);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    let actions = apply(&mut state, Event::FailedForNow(0, failure(), Sent::Answered));
    let waits = Action::BackOff { call: 0, attempt: 1, failure: failure().with_attempts(1) };
    assert_eq!(actions, [waits]);
    assert_eq!(apply(&mut state, Event::BackedOff(0)), [Action::Enqueue(0)]);
    let actions = apply(&mut state, Event::Granted(0));
    assert_eq!(actions, [Action::Run { call: 0, attempt: 2 }]);
    let actions = apply(&mut state, Event::Failed(0, failure(), Sent::Answered));
    assert_eq!(actions[0], Action::Finish(0, Ending::Failed(failure().with_attempts(2))));
}

#[test]
fn what_an_earlier_attempt_may_have_done_is_not_forgotten() {
    for (then, expected) in [
        (Event::TimeUp(0, Sent::No), FailureCode::OutcomeUnknown),
        (Event::Cancelled(0, Sent::No, CancelReason::Requested), FailureCode::OutcomeUnknown),
    ] {
        let mut state = machine(&planned(&[&[]], Ordering::Free), true);
        apply(&mut state, Event::Begun);
        fly(&mut state, 0);
        apply(&mut state, Event::FailedForNow(0, failure(), Sent::Maybe));
        let actions = apply(&mut state, then);
        let Action::Finish(0, Ending::Failed(failure)) = &actions[1] else { panic!("{actions:?}") };
        assert_eq!((failure.code, failure.attempts), (expected, 1));
    }
    // An answer to the second attempt with the same key settles the first.
    let mut state = machine(&planned(&[&[]], Ordering::Free), true);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    apply(&mut state, Event::FailedForNow(0, failure(), Sent::Maybe));
    apply(&mut state, Event::BackedOff(0));
    apply(&mut state, Event::Granted(0));
    let actions = apply(&mut state, Event::Failed(0, failure(), Sent::Answered));
    assert_eq!(actions[0], Action::Finish(0, Ending::Failed(failure().with_attempts(2))));
}

#[test]
fn a_fallback_stands_for_what_the_backend_could_not_give_and_for_nothing_else() {
    let fails = |code| {
        let plan = planned(&[&[], &[0]], Ordering::Free);
        let traits = Traits { has_fallback: true, ..PLAIN };
        let mut state = BatchState::new(plan, vec![traits; 2]);
        apply(&mut state, Event::Begun);
        fly(&mut state, 0);
        apply(&mut state, Event::Failed(0, Failure::new(code, "no"), Sent::Answered))
    };
    for code in FailureCode::ALL {
        let actions = fails(code);
        if code.is_of_the_backend() {
            assert!(matches!(&actions[0], Action::Finish(0, Ending::FellBack(_))), "{code}");
            assert_eq!(actions[1], Action::Prepare(1), "{code}: its child runs");
        } else {
            assert!(matches!(&actions[0], Action::Finish(0, Ending::Failed(_))), "{code}");
        }
    }
}

#[test]
fn when_all_is_cancelled_no_call_is_blamed_on_another() {
    let mut state = machine(&planned(&[&[], &[0], &[1]], Ordering::Free), false);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    let actions = apply(&mut state, Event::AllCancelled(CancelReason::Requested, Vec::new()));
    assert_eq!(
        finished(&actions),
        [(0, Outcome::Cancelled), (1, Outcome::Cancelled), (2, Outcome::Cancelled)]
    );
    assert_eq!(actions.last(), Some(&Action::EndBatch));
}

#[test]
fn an_empty_batch_ends_at_once() {
    let mut state = machine(&planned(&[], Ordering::Free), false);
    assert_eq!(apply(&mut state, Event::Begun), [Action::EndBatch]);
}

#[test]
fn a_chain_of_ten_thousand_skips_without_recursion() {
    let parents: Vec<Vec<usize>> =
        (0..10_000).map(|call: usize| call.checked_sub(1).into_iter().collect()).collect();
    let parents: Vec<&[usize]> = parents.iter().map(Vec::as_slice).collect();
    let mut state = machine(&planned(&parents, Ordering::Free), false);
    apply(&mut state, Event::Begun);
    fly(&mut state, 0);
    let actions = apply(&mut state, Event::Failed(0, failure(), Sent::No));
    assert_eq!(finished(&actions).len(), 10_000);
    assert_eq!(state.open(), 0);
}

/// What fate has in store for a call, should it be asked.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Succeeds,
    Fails,
    FailsForNow,
    IsRejected,
    RunsOutOfTime,
    IsCancelled,
    HasFault,
}

/// Whom each call needs, what comes of it, and chance.
type Turn = (Vec<Vec<usize>>, Vec<Fate>, Vec<usize>);

fn turns() -> impl Strategy<Value = Turn> {
    let fate = prop_oneof![
        6 => Just(Fate::Succeeds),
        1 => Just(Fate::Fails),
        2 => Just(Fate::FailsForNow),
        1 => Just(Fate::IsRejected),
        1 => Just(Fate::RunsOutOfTime),
        1 => Just(Fate::IsCancelled),
        1 => Just(Fate::HasFault),
    ];
    (1usize..12).prop_flat_map(move |calls| {
        let parents = (0..calls)
            .map(|call| proptest::collection::vec(0..call.max(1), 0..=call.min(3)))
            .collect::<Vec<_>>();
        let fates = proptest::collection::vec(fate.clone(), calls);
        (parents, fates, proptest::collection::vec(0usize..1000, 5 * calls))
    })
}

/// What must come of each call, found the slow way.
fn oracle(parents: &[Vec<usize>], fates: &[Fate]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (parents, fate) in parents.iter().zip(fates) {
        let is_needed = parents.iter().all(|parent| outcomes[*parent] == Outcome::Succeeded);
        outcomes.push(match fate {
            Fate::HasFault => Outcome::Failed,
            _ if !is_needed => Outcome::Skipped,
            Fate::Succeeds | Fate::FailsForNow => Outcome::Succeeded,
            Fate::Fails | Fate::IsRejected | Fate::RunsOutOfTime => Outcome::Failed,
            Fate::IsCancelled => Outcome::Cancelled,
        });
    }
    outcomes
}

proptest! {
    /// Random plans, random fates, and a world that answers in random order.
    #[test]
    fn every_call_ends_once_as_the_oracle_says((parents, fates, choices) in turns()) {
        let apis = ["one", "two"].map(|name| ApiName::try_new(name).unwrap());
        // Two thirds of them keep block order among those of their API.
        let lines: Vec<_> = choices.iter().take(fates.len()).map(|n| apis.get(n % 3)).collect();
        let needs: Vec<_> = parents.iter().map(Vec::as_slice).collect();
        let mut plan = planned_in_lines(&needs, &lines, Ordering::Free);
        for (node, fate) in plan.nodes.iter_mut().zip(&fates) {
            node.fault = matches!(fate, Fate::HasFault).then(failure);
        }
        let plan = Arc::new(plan);
        // Every third call takes locks.
        let traits = (0..parents.len()).map(|call| Traits { has_claims: call % 3 == 0, ..PLAIN });
        let mut state = BatchState::new(Arc::clone(&plan), traits.collect());
        let mut choices = choices.into_iter().cycle();
        let mut world = vec![Event::Begun];
        let mut ended: Vec<Option<Outcome>> = vec![None; parents.len()];
        let mut batch_ended = false;
        while !world.is_empty() {
            let event = world.remove(choices.next().unwrap_or(0) % world.len());
            for action in apply(&mut state, event) {
                prop_assert!(!batch_ended, "{action:?} after the end");
                match action {
                    Action::Prepare(call) => {
                        for parent in &parents[call] {
                            prop_assert_eq!(ended[*parent], Some(Outcome::Succeeded));
                        }
                        for before in (0..call).filter(|n| lines[call].is_some() && lines[*n] == lines[call]) {
                            prop_assert!(ended[before].is_some(), "{call} starts beside {before}");
                        }
                        world.push(match fates[call] {
                            Fate::IsRejected => Event::Rejected(call, failure()),
                            _ => Event::Prepared(call),
                        });
                    }
                    Action::Lock(call) => world.push(match fates[call] {
                        Fate::RunsOutOfTime if call % 2 == 1 => Event::Refused(call, failure()),
                        _ => Event::Locked(call),
                    }),
                    Action::Enqueue(call) => world.push(match fates[call] {
                        Fate::RunsOutOfTime if call % 2 == 0 => Event::TimeUp(call, Sent::No),
                        _ => Event::Granted(call),
                    }),
                    Action::BackOff { call, .. } => world.push(Event::BackedOff(call)),
                    Action::Run { call, attempt } => world.push(match fates[call] {
                        Fate::FailsForNow if attempt < 3 =>
                            Event::FailedForNow(call, failure(), Sent::No),
                        Fate::FailsForNow => Event::Succeeded(call),
                        Fate::Succeeds | Fate::IsRejected | Fate::HasFault =>
                            Event::Succeeded(call),
                        Fate::Fails => Event::Failed(call, failure(), Sent::Answered),
                        Fate::RunsOutOfTime => Event::TimeUp(call, Sent::Maybe),
                        Fate::IsCancelled =>
                            Event::Cancelled(call, Sent::Maybe, CancelReason::Requested),
                    }),
                    Action::Abandon(_) => {}
                    Action::Finish(call, ending) => {
                        prop_assert_eq!(ended[call].replace(ending.outcome()), None);
                    }
                    Action::EndBatch => batch_ended = true,
                }
            }
        }
        prop_assert!(batch_ended);
        prop_assert_eq!(state.open(), 0);
        let expected: Vec<_> = oracle(&parents, &fates).into_iter().map(Some).collect();
        prop_assert_eq!(ended, expected);
    }
}
