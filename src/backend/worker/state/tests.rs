//! Whatever happens to workers, every attempt ends exactly once.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    task::Waker,
    time::Duration,
};

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::{
    backend::{SentMark, Whose, worker::Lost},
    clock,
    model::{Content, Json, Sent, Tenant},
};

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    /// A worker with so much room comes, with the tools whose bits are set.
    Join(usize, u8),
    /// An attempt of a tool begins.
    Begin(u8),
    /// Something goes out to a worker.
    Next(usize),
    /// A worker answers an attempt, its own or not.
    Answer(usize, usize),
    /// Whoever waits for an attempt goes away.
    Withdraw(usize),
    Drain(usize),
    /// A worker is sent away, and does not know it yet.
    Evict(usize),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1..4_usize, 1..8_u8).prop_map(|(room, tools)| Step::Join(room, tools)),
        6 => (0..3_u8).prop_map(Step::Begin),
        8 => (0..6_usize).prop_map(Step::Next),
        6 => (0..6_usize, 0..32_usize).prop_map(|(worker, at)| Step::Answer(worker, at)),
        2 => (0..32_usize).prop_map(Step::Withdraw),
        1 => (0..6_usize).prop_map(Step::Drain),
        1 => (0..6_usize).prop_map(Step::Evict),
        1 => (0..6_usize).prop_map(Step::Leave),
    ]
}

/// An attempt as its caller sees it.
struct Caller {
    answered: oneshot::Receiver<Answer>,
    sent: SentMark,
    answers: usize,
}

#[derive(Default)]
struct World {
    state: State,
    crews: Vec<usize>,
    /// Key, number and room of those that are here.
    workers: Vec<(usize, u64, usize)>,
    draining: BTreeSet<usize>,
    evicted: BTreeSet<usize>,
    open: BTreeMap<u64, Caller>,
    /// What each worker was sent and has neither answered nor been told to cancel.
    held: BTreeMap<usize, BTreeSet<u64>>,
    /// Every attempt that was ever put on a stream: to one worker, once.
    sent: BTreeSet<u64>,
}

impl World {
    fn new() -> Self {
        let mut state = State::default();
        let crews = (0..3).map(|_| state.add_crew()).collect();
        Self { state, crews, ..Self::default() }
    }

    fn worker(&self, at: usize) -> Option<(usize, u64, usize)> {
        self.workers.get(at.checked_rem(self.workers.len())?).copied()
    }

    fn attempt(&self, at: usize) -> Option<u64> {
        self.open.keys().nth(at.checked_rem(self.open.len())?).copied()
    }

    fn take(&mut self, step: &Step) {
        let mut after = Aftermath::default();
        match *step {
            Step::Join(room, tools) => {
                let crews = self.crews.iter().enumerate();
                let crews = crews.filter(|(bit, _)| tools & (1 << bit) != 0).map(|(_, crew)| *crew);
                let about = Arc::new(About {
                    name: "w".into(),
                    tenant: Tenant::local(),
                    session: None,
                    tools: Vec::new(),
                });
                let time = (Duration::from_secs(1), clock::now());
                let (key, number) = self.state.join(about, room, crews.collect(), time, &mut after);
                self.workers.push((key, number, room));
            }
            Step::Begin(tool) => self.begin(tool, &mut after),
            Step::Next(at) => self.next(at),
            Step::Answer(at, attempt) => {
                if let (Some((key, ..)), Some(id)) = (self.worker(at), self.attempt(attempt)) {
                    let content = Content::Text("x".into());
                    let is_its = self.held.get_mut(&key).is_some_and(|held| held.remove(&id));
                    let answer = Ok(Reply::new(vec![content]));
                    assert_eq!(self.state.answer(key, id, answer, &mut after), is_its);
                }
            }
            Step::Withdraw(attempt) => {
                if let Some(id) = self.attempt(attempt) {
                    self.state.withdraw(id, &mut after);
                    self.open.remove(&id);
                    for held in self.held.values_mut() {
                        held.remove(&id);
                    }
                }
            }
            Step::Drain(at) => {
                if let Some((key, ..)) = self.worker(at) {
                    self.state.drain(key, &mut after);
                    self.draining.insert(key);
                }
            }
            Step::Evict(at) => {
                if let Some((key, number, _)) = self.worker(at) {
                    self.state.evict((key, number + 1), &mut after);
                    self.state.evict((key, number), &mut after);
                    self.evicted.insert(key);
                    self.held.remove(&key);
                }
            }
            Step::Leave(at) => {
                if let Some((key, ..)) = self.worker(at) {
                    self.evicted.remove(&key);
                    self.workers.retain(|(other, ..)| *other != key);
                    self.draining.remove(&key);
                    self.held.remove(&key);
                    self.state.leave(key, Lost::Cut, &mut after);
                }
            }
        }
        after.settle();
        self.hear();
        self.check();
    }

    fn begin(&mut self, tool: u8, after: &mut Aftermath) {
        let sent = SentMark::default();
        let attempt = Attempt {
            input: Json::try_new("{}").unwrap(),
            number: NonZeroU32::MIN,
            deadline: clock::now(),
            key: None,
            sent: sent.clone(),
            trace: None,
            progress: ProgressMark::default(),
            whose: Whose::nobodys(),
        };
        let (answer, answered) = oneshot::channel();
        let name = ToolName::try_new("t").unwrap();
        let id = self.state.begin(self.crews[usize::from(tool)], name, attempt, answer, after);
        self.open.insert(id, Caller { answered, sent, answers: 0 });
    }

    fn next(&mut self, at: usize) {
        let Some((key, number, _)) = self.worker(at) else { return };
        match self.state.next((key, number), Waker::noop()) {
            Poll::Ready(Some(Order::Attempt(job))) => {
                assert!(!self.draining.contains(&key), "one that drains gets nothing new");
                assert!(!self.evicted.contains(&key), "one that was sent away gets nothing");
                assert!(self.sent.insert(job.id), "sent twice");
                self.held.entry(key).or_default().insert(job.id);
            }
            Poll::Ready(Some(Order::Cancel(id))) => {
                assert!(!self.open.contains_key(&id), "somebody waits for it");
            }
            Poll::Ready(Some(_)) | Poll::Pending => {}
            Poll::Ready(None) => assert!(self.evicted.contains(&key), "it is here"),
        }
    }

    /// Takes the answers that came.
    fn hear(&mut self) {
        let sent = &self.sent;
        self.open.retain(|id, caller| match caller.answered.try_recv() {
            Ok(answer) => {
                caller.answers += 1;
                let was_sent = sent.contains(id);
                assert_eq!(caller.sent.get() == Sent::Maybe, was_sent, "the mark is true");
                match answer {
                    Ok(_) => assert!(was_sent),
                    Err(error) => assert_eq!(error.sent == Sent::Maybe, was_sent, "{error}"),
                }
                false
            }
            Err(oneshot::error::TryRecvError::Empty) => true,
            Err(oneshot::error::TryRecvError::Closed) => panic!("{id} was never answered"),
        });
    }

    fn check(&self) {
        assert_eq!(self.state.flights(), self.open.len(), "each that is open is known");
        for (key, _, room) in &self.workers {
            let worker = &self.state.workers[*key];
            assert!(worker.in_flight <= *room, "no more than it takes");
            let held = self.held.get(key).map_or(0, BTreeSet::len);
            assert!(held <= worker.in_flight);
            let outbox = worker.outbox.iter();
            let jobs = outbox.filter(|order| matches!(order, Order::Attempt(_))).count();
            assert_eq!(held + jobs, worker.in_flight, "each is in the outbox or with the worker");
        }
        // Nobody waits while somebody has room.
        for (crew, members) in self.state.crews.iter() {
            let is_free = |worker: &usize| self.state.workers[*worker].has_room();
            assert!(members.waiting.is_empty() || !members.workers.iter().any(is_free), "{crew}");
            assert!(members.waiting.iter().is_sorted(), "in the order in which they began");
        }
    }
}

proptest! {
    #[test]
    fn every_attempt_ends_once_whoever_comes_and_goes(
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        // With the last worker the last attempt ends.
        while !world.workers.is_empty() {
            world.take(&Step::Leave(0));
        }
        prop_assert!(world.open.is_empty());
        prop_assert_eq!(world.state.flights(), 0);
    }
}

#[test]
fn the_worker_with_the_fewest_is_next_and_equals_take_turns() {
    let mut world = World::new();
    for _ in 0..3 {
        world.take(&Step::Join(2, 1));
    }
    let in_flight = |world: &World| -> Vec<usize> {
        world.workers.iter().map(|(key, ..)| world.state.workers[*key].in_flight).collect()
    };
    for expected in [[1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1], [2, 2, 1], [2, 2, 2], [2, 2, 2]] {
        world.take(&Step::Begin(0));
        assert_eq!(in_flight(&world), expected);
    }
}

#[test]
fn whoever_takes_the_place_of_one_that_was_sent_away_stays() {
    let mut world = World::new();
    world.take(&Step::Join(1, 1));
    let (key, number, _) = world.workers[0];
    world.take(&Step::Leave(0));
    world.take(&Step::Join(1, 1));
    let mut after = Aftermath::default();
    world.state.evict((key, number), &mut after);
    after.settle();
    world.take(&Step::Begin(0));
    world.take(&Step::Next(0));
    world.take(&Step::Next(0));
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn a_stream_never_gets_the_orders_of_one_that_took_its_place() {
    let mut world = World::new();
    world.take(&Step::Join(1, 1));
    let (key, number, _) = world.workers[0];
    world.take(&Step::Leave(0));
    world.take(&Step::Join(1, 1));
    assert_eq!(world.workers[0].0, key, "the place is taken again");
    let old = world.state.next((key, number), Waker::noop());
    assert!(matches!(old, Poll::Ready(None)), "{old:?}");
}
