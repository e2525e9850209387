//! Turns that come call by call.

use super::*;

/// A turn as it will have been, and how it comes.
#[derive(Clone, Debug)]
struct Coming {
    /// By place in the turn, whom each call needs; later ones, too.
    parents: Vec<Vec<usize>>,
    fates: Vec<Fate>,
    reads: Vec<bool>,
    lines: Vec<Option<usize>>,
    /// After so many calls there are no more, and no commit.
    is_cut_after: Option<usize>,
    /// Whether calls are cancelled from outside.
    is_meddled_with: bool,
    choices: Vec<usize>,
}

fn coming() -> impl Strategy<Value = Coming> {
    turns().prop_flat_map(|(parents, fates, choices)| {
        let calls = parents.len();
        let places = Just((0..calls).collect::<Vec<_>>()).prop_shuffle();
        let reads = proptest::collection::vec(prop::bool::weighted(0.6), calls);
        let cut = prop::option::weighted(0.3, 0..=calls);
        (places, reads, cut, prop::bool::weighted(0.3)).prop_map(
            move |(places, reads, is_cut_after, is_meddled_with)| {
                let mut by_place = vec![Vec::new(); calls];
                for (call, parents) in parents.iter().enumerate() {
                    by_place[places[call]] = parents.iter().map(|parent| places[*parent]).collect();
                }
                let lines = (0..calls)
                    .map(|call| choices.get(call).map(|n| n % 3).filter(|n| *n < 2 && !reads[call]))
                    .collect();
                Coming {
                    parents: by_place,
                    fates: fates.clone(),
                    reads,
                    lines,
                    is_cut_after,
                    is_meddled_with,
                    choices: choices.clone(),
                }
            },
        )
    })
}

impl Coming {
    /// What `known` calls of it come to, planned around what has begun.
    fn growth(&self, state: &BatchState, before: &Plan, known: usize, is_whole: bool) -> Growth {
        let apis = ["one", "two"].map(|name| ApiName::try_new(name).unwrap());
        let ids: Vec<_> = (1..=known).map(CallId::positional).collect();
        let depends_on: Vec<Vec<String>> = (0..known)
            .map(|call| {
                let id = |parent: &usize| CallId::positional(parent + 1).to_string();
                self.parents[call].iter().map(id).collect()
            })
            .collect();
        let input = crate::model::Json::try_new("{}").unwrap();
        let settled: Vec<_> = (0..known).map(|call| state.is_settled(call)).collect();
        let calls: Vec<_> = (0..known)
            .map(|call| plan::Call {
                id: &ids[call],
                tool: "t",
                is_known: true,
                input: Some(&input),
                depends_on: &depends_on[call],
                after: &[],
                references: false,
                turn: self.lines[call]
                    .filter(|_| !settled[call] || state.has_started(call))
                    .map(|line| &apis[line]),
                claims: &[],
                series: None,
            })
            .collect();
        let mut plan = plan::grow(&calls, Ordering::Free, before, &settled);
        for call in (0..known).filter(|call| !settled[*call]) {
            if matches!(self.fates[call], Fate::HasFault) {
                plan.nodes[call].fault = Some(failure());
            }
        }
        let held = (0..known)
            .map(|call| !is_whole && (!self.reads[call] || plan.nodes[call].fault.is_some()));
        let came = known - before.nodes.len();
        let traits = vec![PLAIN; came];
        Growth { held: held.collect(), plan: Arc::new(plan), traits, is_whole }
    }

    /// What must come of each call, found the slow way.
    fn oracle(&self) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; self.parents.len()];
        while outcomes.contains(&None) {
            for call in 0..outcomes.len() {
                let parents: Option<Vec<_>> =
                    self.parents[call].iter().map(|parent| outcomes[*parent]).collect();
                let Some(parents) = parents else { continue };
                let is_needed = parents.iter().all(|outcome| *outcome == Outcome::Succeeded);
                outcomes[call] = Some(match self.fates[call] {
                    Fate::HasFault => Outcome::Failed,
                    _ if !is_needed => Outcome::Skipped,
                    Fate::Succeeds | Fate::FailsForNow => Outcome::Succeeded,
                    Fate::Fails | Fate::IsRejected | Fate::RunsOutOfTime => Outcome::Failed,
                    Fate::IsCancelled => Outcome::Cancelled,
                });
            }
        }
        outcomes.into_iter().flatten().collect()
    }

    fn answer(&self, call: usize, attempt: u32) -> Event {
        match self.fates[call] {
            Fate::FailsForNow if attempt < 3 => Event::FailedForNow(call, failure(), Sent::No),
            Fate::Fails => Event::Failed(call, failure(), Sent::Answered),
            Fate::RunsOutOfTime => Event::TimeUp(call, Sent::Maybe),
            Fate::IsCancelled => Event::Cancelled(call, Sent::Maybe, CancelReason::Requested),
            _ => Event::Succeeded(call),
        }
    }
}

/// What may happen next.
enum Next {
    Event(Event),
    Comes,
    Commit,
    Cut,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Random turns that come in the midst of all that else happens, are committed
    /// or cut off, and come to what they would have come to at once.
    #[test]
    fn a_turn_that_comes_call_by_call_ends_as_if_it_had_come_at_once(turn in coming()) {
        let calls = turn.parents.len();
        let last = turn.is_cut_after.unwrap_or(calls);
        let mut state = BatchState::growing();
        let mut plan = Arc::new(Plan::default());
        let mut choices = turn.choices.iter().copied().cycle();
        let mut choose = move |max: usize| choices.next().unwrap_or(0) % max;
        apply(&mut state, Event::Begun);
        let mut world = vec![match turn.is_cut_after {
            _ if last > 0 => Next::Comes,
            Some(_) => Next::Cut,
            None => Next::Commit,
        }];
        let (mut known, mut is_committed, mut batch_ended) = (0, false, false);
        let mut started = vec![false; calls];
        let mut ended: Vec<Option<Outcome>> = vec![None; calls];
        while !world.is_empty() {
            let at = choose(world.len());
            let event = match world.remove(at) {
                Next::Event(event) => event,
                Next::Comes => {
                    known += 1;
                    world.push(match turn.is_cut_after {
                        _ if known < last => Next::Comes,
                        Some(_) => Next::Cut,
                        None => Next::Commit,
                    });
                    if turn.is_meddled_with && choose(3) == 0 {
                        let call = choose(known);
                        world.push(Next::Event(Event::Cancelled(call, Sent::No, CancelReason::Requested)));
                    }
                    Event::Grown(turn.growth(&state, &plan, known, false))
                }
                Next::Commit => {
                    is_committed = true;
                    Event::Grown(turn.growth(&state, &plan, known, true))
                }
                Next::Cut => Event::AllCancelled(CancelReason::CutOff, Vec::new()),
            };
            if let Event::Grown(growth) = &event {
                plan = Arc::clone(&growth.plan);
            }
            // What is over already cannot be cancelled, nor answered.
            if event.call().is_some_and(|call| ended[call].is_some()) {
                continue;
            }
            for action in apply(&mut state, event) {
                prop_assert!(!batch_ended, "{action:?} after the end");
                match action {
                    Action::Prepare(call) => {
                        prop_assert!(is_committed || turn.reads[call], "{call} begins before the commit");
                        prop_assert!(!started[call]);
                        started[call] = true;
                        for parent in &turn.parents[call] {
                            prop_assert_eq!(ended[*parent], Some(Outcome::Succeeded));
                        }
                        for other in (0..known).filter(|other| *other != call && turn.lines[call].is_some() && turn.lines[*other] == turn.lines[call]) {
                            prop_assert!(!started[other] || ended[other].is_some(), "{call} runs beside {other}");
                        }
                        world.push(Next::Event(match turn.fates[call] {
                            Fate::IsRejected => Event::Rejected(call, failure()),
                            _ => Event::Prepared(call),
                        }));
                    }
                    Action::Lock(call) => world.push(Next::Event(Event::Locked(call))),
                    Action::Enqueue(call) => world.push(Next::Event(Event::Granted(call))),
                    Action::BackOff { call, .. } => world.push(Next::Event(Event::BackedOff(call))),
                    Action::Run { call, attempt } => world.push(Next::Event(turn.answer(call, attempt))),
                    Action::Abandon(call) => world.retain(|next| !matches!(next, Next::Event(event) if event.call() == Some(call))),
                    Action::Finish(call, ending) => {
                        prop_assert_eq!(ended[call].replace(ending.outcome()), None);
                    }
                    Action::EndBatch => {
                        prop_assert!(is_committed || turn.is_cut_after == Some(known));
                        batch_ended = true;
                    }
                }
            }
        }
        prop_assert!(batch_ended);
        prop_assert_eq!(state.open(), 0);
        prop_assert!(ended[..known].iter().all(Option::is_some));
        if turn.is_cut_after.is_some() {
            for call in (0..known).filter(|call| !turn.reads[*call]) {
                prop_assert_eq!(ended[call], Some(Outcome::Cancelled));
            }
        } else if !turn.is_meddled_with {
            let expected: Vec<_> = turn.oracle().into_iter().map(Some).collect();
            prop_assert_eq!(ended, expected);
        }
    }
}

fn grown(turn: &Coming, state: &BatchState, before: &Plan, known: usize) -> Growth {
    turn.growth(state, before, known, false)
}

fn plainly(parents: &[&[usize]], reads: &[bool]) -> Coming {
    Coming {
        parents: parents.iter().map(|parents| parents.to_vec()).collect(),
        fates: vec![Fate::Succeeds; parents.len()],
        reads: reads.to_vec(),
        lines: vec![None; parents.len()],
        is_cut_after: None,
        is_meddled_with: false,
        choices: Vec::new(),
    }
}

#[test]
fn a_turn_that_nothing_came_of_ends_with_its_commit_and_not_before() {
    let turn = plainly(&[], &[]);
    let mut state = BatchState::growing();
    assert_eq!(apply(&mut state, Event::Begun), []);
    let growth = turn.growth(&state, &Plan::default(), 0, true);
    assert_eq!(apply(&mut state, Event::Grown(growth.clone())), [Action::EndBatch]);
    let illegal = state.apply(Event::Grown(growth), &mut Vec::new()).unwrap_err();
    assert!(illegal.event.starts_with("Grown"), "what is whole does not grow: {illegal}");
}

#[test]
fn what_only_reads_begins_at_once_and_what_needs_more_waits_for_it() {
    // The second needs the third, which has not come yet.
    let turn = plainly(&[&[], &[2], &[]], &[true, true, true]);
    let mut state = BatchState::growing();
    apply(&mut state, Event::Begun);
    let mut plan = Arc::default();
    for (known, expected) in
        [(1, vec![Action::Prepare(0)]), (2, vec![]), (3, vec![Action::Prepare(2)])]
    {
        let growth = grown(&turn, &state, &plan, known);
        plan = Arc::clone(&growth.plan);
        assert_eq!(apply(&mut state, Event::Grown(growth)), expected);
    }
    apply(&mut state, Event::Prepared(2));
    apply(&mut state, Event::Granted(2));
    let actions = apply(&mut state, Event::Succeeded(2));
    assert_eq!(actions[1], Action::Prepare(1));
}

#[test]
fn a_failure_is_told_to_those_that_are_held_only_when_the_turn_is_whole() {
    let turn = plainly(&[&[], &[0]], &[true, false]);
    let mut state = BatchState::growing();
    apply(&mut state, Event::Begun);
    let growth = grown(&turn, &state, &Plan::default(), 2);
    let plan = Arc::clone(&growth.plan);
    assert_eq!(apply(&mut state, Event::Grown(growth)), [Action::Prepare(0)]);
    fly(&mut state, 0);
    let failed = Event::Failed(0, failure(), Sent::Answered);
    assert_eq!(finished(&apply(&mut state, failed)), [(0, Outcome::Failed)]);
    let growth = turn.growth(&state, &plan, 2, true);
    let actions = apply(&mut state, Event::Grown(growth));
    assert_eq!(finished(&actions), [(1, Outcome::Skipped)]);
    assert_eq!(actions.last(), Some(&Action::EndBatch));
}
