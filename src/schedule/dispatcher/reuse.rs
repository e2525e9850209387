//! Answers that are there already, or on their way: the tool's cache, and
//! identical calls of the batch.
//!
//! A call takes over only an answer that was asked for after the end of every
//! write that ended before the call was ready: what it reads is what it would
//! have read itself.

use std::sync::Arc;

use super::Dispatcher;
use crate::{
    cache::Mark,
    clock::Instant,
    model::{Content, Digest, Effect, Failure, Json},
    schedule::batch_state::{Event, State},
};

/// When an attempt began, by the clock and by the writes around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    at: Instant,
    /// Where the writes of the tool's API stood, whoever makes them.
    api: Mark,
    /// Where those of the batch stood, at whatever API: one may stand for another.
    batch: u64,
}

impl Dispatcher {
    /// What the call, whose input is made, comes to: an answer that is kept, a
    /// place beside an identical call, or a run of its own.
    pub(super) fn reuse(&mut self, call: usize) -> Result<Event, Failure> {
        if let Some(content) = self.kept(call) {
            let tool = self.intake.tools[call].as_ref();
            let max = tool.map_or(usize::MAX, |tool| tool.result_bytes_max);
            self.ledger.keep(call, content, max)?;
            return Ok(Event::Cached(call));
        }
        if let Some(leader) = self.twin(call) {
            self.ledger.shares(call, self.now);
            return Ok(Event::Shares(call, leader));
        }
        self.pay(call)?;
        self.lead(call);
        Ok(Event::Prepared(call))
    }

    /// The answer that its tool's cache holds.
    fn kept(&mut self, call: usize) -> Option<Vec<Content>> {
        let cache = self.intake.tools[call].as_ref()?.cache.as_ref()?;
        cache.get(&self.intake.tenant, self.flights[call].digest()?, self.now)
    }

    /// The identical call that runs, or has run, for this one.
    fn twin(&mut self, call: usize) -> Option<usize> {
        let key = (self.intake.twins[call]?, self.flights[call].digest()?);
        let leader = self.leaders.get(&key).and_then(|leader| self.leader(*leader, call))?;
        // What waits for this one waits for that one now.
        let path = self.intake.paths[call];
        self.intake.paths[leader] = self.intake.paths[leader].max(path);
        Some(leader)
    }

    /// The call runs for the identical ones that come.
    fn lead(&mut self, call: usize) {
        if let (Some(twins), Some(digest)) = (self.intake.twins[call], self.flights[call].digest())
        {
            self.leaders.insert((twins, digest), call);
        }
    }

    /// Who runs in `leader`'s place, if that is as good as a run of `call`'s own.
    fn leader(&self, leader: usize, call: usize) -> Option<usize> {
        let leader = match self.state.state(leader)? {
            // That it is prepared is on its way to the machine, before what will
            // be said of this call.
            State::Preparing => return Some(leader),
            _ => self.state.runner(leader)?,
        };
        let tool = self.intake.tools[call].as_ref()?;
        let is_fresh = match self.state.state(leader)? {
            // Its locks are free: others, of other APIs, may have written what it
            // read.
            State::Done(_) if !tool.claims.is_empty() => false,
            State::Running { .. } | State::Done(_) => {
                let start = self.flights[leader].started?;
                (start.api, start.batch) == (tool.writes.mark(), self.writes)
            }
            // Its next attempt is yet to begin.
            _ => true,
        };
        is_fresh.then_some(leader)
    }

    /// An attempt begins: from here on a write may have happened, or else the
    /// answer is of this moment.
    pub(super) fn note_attempt(&mut self, call: usize) {
        let (Some(tool), flight) = (&self.intake.tools[call], &mut self.flights[call]) else {
            return;
        };
        if tool.effect == Effect::ReadOnly {
            let (api, batch) = (tool.writes.mark(), self.writes);
            flight.started = Some(Start { at: self.now, api, batch });
        } else if flight.write.is_none() {
            // One write, whatever the number of its attempts: between two of them
            // nobody knows what the first has done.
            flight.write = Some(Arc::new(tool.writes.begin()));
            self.writes += 1;
        }
    }

    /// The call is terminal: what it may have written is written.
    pub(super) fn note_end(&mut self, call: usize) {
        if self.flights[call].write.take().is_some() {
            self.writes += 1;
        }
    }

    /// Keeps a call's answer where its tool asks for that.
    pub(super) fn remember(&mut self, call: usize, content: &[Content]) {
        let flight = &mut self.flights[call];
        if let (Some(tool), Some(start)) = (&self.intake.tools[call], flight.started)
            && let (Some(cache), Some(digest)) = (&tool.cache, flight.digest())
        {
            cache.put((&self.intake.tenant, digest), content, (start.at, start.api), self.now);
        }
    }

    /// Whether the answers of this tool are kept.
    pub(super) fn is_remembered(&self, call: usize) -> bool {
        self.intake.tools[call].as_ref().is_some_and(|tool| tool.cache.is_some())
    }
}

impl super::Flight {
    /// Of the input, found once.
    fn digest(&mut self) -> Option<Digest> {
        if self.digest.is_none() {
            self.digest = self.input.as_ref().map(Json::digest);
        }
        self.digest
    }
}
