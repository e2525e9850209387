//! How an API is asked again after a pause: one call, then two, four, eight.
//!
//! When a pause is over everyone who waited may go, and if the API is no better it
//! answers all of them as it answered before: each spends an attempt and a part of
//! the budget for retries. So the first goes alone. Each answer that is no `429`
//! lets two go in its place, as TCP's slow start does (RFC 5681), and so does time:
//! an API that throttles says so at once, and one whose calls take long must not
//! be asked for an hour one by one.
//!
//! A `429` asks for another pause, and after it this begins again.

use std::time::Duration;

use crate::clock::Instant;

/// The time after which twice as many may go, whatever was answered.
const STEP: Duration = Duration::from_millis(250);

/// Calls at once that are no start any more.
const WIDE: u32 = 1024;

/// Names the start that a call was a part of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ticket(u64);

/// One API's.
#[derive(Debug, Default)]
pub struct Ramp {
    start: Option<Start>,
    /// Counts the starts: what was sent before a pause says nothing of what
    /// follows it.
    number: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Start {
    /// When the first call went; `None` before.
    began: Option<Instant>,
    out: u32,
    answered: u32,
}

impl Ramp {
    /// The next calls go one after the other: a pause begins.
    pub fn begin(&mut self) {
        self.start = Some(Start::default());
        self.number += 1;
    }

    /// When another call may go, at the latest: an answer may come before. `None`
    /// where at once.
    pub fn ready_at(&self, now: Instant) -> Option<Instant> {
        let start = self.start?;
        let began = start.began?;
        let steps = start.steps(now);
        (start.out >= start.width(steps))
            .then(|| began + STEP.saturating_mul(steps.saturating_add(1)))
    }

    /// A call goes.
    pub fn enter(&mut self, now: Instant) -> Option<Ticket> {
        let start = self.start.as_mut()?;
        start.began.get_or_insert(now);
        if start.width(start.steps(now)) >= WIDE {
            self.start = None;
            return None;
        }
        start.out += 1;
        Some(Ticket(self.number))
    }

    /// A call is over; `is_answered` where by an answer that asks for no pause.
    pub fn leave(&mut self, ticket: Ticket, is_answered: bool) {
        if let Some(start) = self.start.as_mut().filter(|_| ticket.0 == self.number) {
            start.out = start.out.saturating_sub(1);
            start.answered = start.answered.saturating_add(u32::from(is_answered));
        }
    }
}

impl Start {
    fn steps(&self, now: Instant) -> u32 {
        let since = self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began));
        u32::try_from(since.as_nanos() / STEP.as_nanos()).unwrap_or(u32::MAX)
    }

    /// Calls that may be under way.
    fn width(&self, steps: u32) -> u32 {
        self.answered.saturating_add(1).saturating_mul(2_u32.saturating_pow(steps))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::clock;

    /// Lets as many go as may.
    fn fill(ramp: &mut Ramp) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        while ramp.ready_at(clock::now()).is_none() && tickets.len() < 5000 {
            tickets.extend(ramp.enter(clock::now()));
            if ramp.start.is_none() {
                break;
            }
        }
        tickets
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_pause_everyone_goes() {
        let mut ramp = Ramp::default();
        assert_eq!((ramp.ready_at(clock::now()), ramp.enter(clock::now())), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn each_round_of_answers_lets_twice_as_many_go() {
        let mut ramp = Ramp::default();
        ramp.begin();
        for round in 0..10 {
            let tickets = fill(&mut ramp);
            assert_eq!(tickets.len(), 1 << round);
            assert!(ramp.ready_at(clock::now()).is_some());
            tickets.into_iter().for_each(|ticket| ramp.leave(ticket, true));
        }
        assert_eq!(fill(&mut ramp), [], "it is over");
        assert_eq!(ramp.ready_at(clock::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn time_lets_twice_as_many_go_where_nothing_is_answered() {
        let mut ramp = Ramp::default();
        ramp.begin();
        advance(Duration::from_secs(60)).await;
        let start = clock::now();
        for step in 0..10 {
            let newcomers = if step == 0 { 1 } else { 1 << (step - 1) };
            assert_eq!(fill(&mut ramp).len(), newcomers);
            assert_eq!(ramp.ready_at(clock::now()), Some(start + STEP * (step + 1)));
            advance(STEP).await;
        }
        fill(&mut ramp);
        assert_eq!(ramp.ready_at(clock::now()), None, "it is over");
    }

    #[tokio::test(start_paused = true)]
    async fn what_says_nothing_widens_nothing_and_another_pause_begins_it_again() {
        let mut ramp = Ramp::default();
        ramp.begin();
        for _ in 0..3 {
            let tickets = fill(&mut ramp);
            assert_eq!(tickets.len(), 1);
            ramp.leave(tickets[0], false);
        }
        let old = fill(&mut ramp);
        ramp.leave(old[0], true);
        let old = fill(&mut ramp);
        assert_eq!(old.len(), 2);
        ramp.begin();
        assert_eq!(fill(&mut ramp).len(), 1);
        old.into_iter().for_each(|ticket| ramp.leave(ticket, true));
        assert_eq!(fill(&mut ramp), [], "those of before do not count");
    }
}
