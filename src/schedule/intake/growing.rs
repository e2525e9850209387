//! A turn that is still coming: its inputs put together, its bounds held, and what
//! of it may begin.
//!
//! Before the turn is whole a call may begin where it only reads, its input is
//! complete and can be used, and whoever it names has come. A tool that is to run
//! `after` others waits for the whole turn, since another call of those may come,
//! and so does text that would become a reference if a call of its name came. A
//! name that is found is taken for who bears it now: what has begun keeps that.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use super::{Intake, claims, echo, latency, misfit, own_fault, planned, too_many};
use crate::{
    model::{Call, Claim, Effect, Failure, FailureCode, Json, Ordering, call},
    plan,
    registry::{Tool, View},
    schedule::{
        Refusal, Settings,
        arrivals::Begun,
        batch_state::{BatchState, Growth, Traits},
        twins,
    },
};

/// What is known of a turn that is still coming, beside its calls.
#[derive(Debug)]
pub(in crate::schedule) struct Growing {
    registry: View,
    references: bool,
    ordering: Ordering,
    calls_max: NonZeroUsize,
    bytes_max: NonZeroUsize,
    bytes: usize,
    parts: Vec<Part>,
    twins: twins::Groups,
    /// Calls that the batch's state was told of.
    known: usize,
}

/// One call's part.
#[derive(Debug, Default)]
struct Part {
    /// Its input until it is complete.
    text: String,
    is_complete: bool,
    was_told: bool,
    /// What is wrong with it, whatever else comes.
    fault: Option<Failure>,
}

/// What may begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::schedule) enum Release {
    /// Nothing more.
    Nothing,
    /// What only reads.
    Reads,
    /// Everything: the turn is whole.
    All,
    /// Everything, and the batch's time is over.
    TimeOver,
}

/// A call that has its place in the plan, and why it cannot run.
#[derive(Debug)]
pub(in crate::schedule) struct Told {
    pub(in crate::schedule) call: usize,
    pub(in crate::schedule) fault: Option<Failure>,
}

impl Growing {
    /// A turn of which nothing came yet.
    pub(in crate::schedule) fn new(
        registry: View,
        (references, ordering): (bool, Ordering),
        settings: &Settings,
    ) -> Self {
        Self {
            registry,
            references,
            ordering,
            calls_max: settings.batch_calls_max,
            bytes_max: settings.batch_bytes_max,
            bytes: 0,
            parts: Vec::new(),
            twins: twins::Groups::default(),
            known: 0,
        }
    }

    /// The next call begins.
    pub(in crate::schedule) fn begin(
        &mut self,
        intake: &mut Intake,
        begun: Begun,
    ) -> Result<(), Refusal> {
        if self.parts.len() >= self.calls_max.get() {
            return Err(Refusal::TooLarge(format!(
                "the turn has more than {} calls, which is what bounds.batch_calls allows",
                self.calls_max
            )));
        }
        let Begun { id, tool, input, depends_on, timeout, series, extra_bytes } = begun;
        let names: usize = depends_on.iter().map(String::len).sum();
        self.weigh(input.len() + names + extra_bytes)?;
        self.parts.push(Part { text: input, ..Part::default() });
        let found = self.registry.get(&tool).cloned();
        intake.twins.push(self.twins.next(found.as_deref()));
        intake.tools.push(found);
        intake.paths.push(Duration::ZERO);
        intake.calls.push(Call { id, tool, input: Err("".into()), depends_on, timeout, series });
        Ok(())
    }

    /// More of a call's input came.
    pub(in crate::schedule) fn append(&mut self, index: usize, text: &str) -> Result<(), Refusal> {
        self.weigh(text.len())?;
        if let Some(part) = self.parts.get_mut(index) {
            part.text.push_str(text);
        }
        Ok(())
    }

    fn weigh(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.bytes_max.get() {
            return Err(Refusal::TooLarge(format!(
                "the turn's inputs have more than {} bytes, which is what bounds.batch_bytes allows",
                self.bytes_max
            )));
        }
        Ok(())
    }

    /// A call's input is complete.
    pub(in crate::schedule) fn complete(&mut self, intake: &mut Intake, index: usize) {
        let Some(part) = self.parts.get_mut(index).filter(|part| !part.is_complete) else {
            return;
        };
        part.is_complete = true;
        let call = &mut intake.calls[index];
        call.input = call::input(std::mem::take(&mut part.text));
        part.fault = own_fault(call, intake.tools[index].as_deref(), &self.registry);
    }

    /// Plans what is known of the turn again, around what `state` says has begun.
    /// Gives what the state is to be told, and the calls that have their place now.
    pub(in crate::schedule) fn plan(
        &mut self,
        intake: &mut Intake,
        state: &BatchState,
        release: Release,
    ) -> (Growth, Vec<Told>) {
        let is_whole = matches!(release, Release::All | Release::TimeOver);
        if is_whole {
            self.give_up_unfinished(intake, release);
        }
        let calls = intake.calls.len();
        let is_settled: Vec<bool> = (0..calls).map(|call| state.is_settled(call)).collect();
        // What ended before it began will never touch anything.
        let is_gone = |call: usize| is_settled[call] && !state.has_started(call);
        let mut claims: Vec<_> = (0..calls)
            .map(|call| if is_gone(call) { Ok(Vec::new()) } else { self.claims(intake, call) })
            .collect();
        let turn: Vec<_> = (0..calls)
            .map(|call| {
                let tool = intake.tools[call].as_ref();
                let claims = claims[call].as_deref().unwrap_or_default();
                let as_known = planned((&intake.calls[call], tool), self.resolves(tool), claims);
                let turn = as_known.turn.filter(|_| !is_gone(call));
                plan::Call { turn, ..as_known }
            })
            .collect();
        let mut plan = plan::grow(&turn, self.ordering, &intake.plan, &is_settled);
        let mut held = vec![false; calls];
        for call in (0..calls).filter(|call| !is_settled[*call]) {
            let (tool, node) = (intake.tools[call].as_deref(), &mut plan.nodes[call]);
            let is_early = release == Release::Reads && self.may_be_early(call, tool);
            if let Some(fault) = &self.parts[call].fault {
                node.fault = Some(fault.clone());
            } else if node.fault.is_none() && (is_whole || is_early) {
                let too_many = std::mem::replace(&mut claims[call], Ok(Vec::new())).err();
                let misfit = misfit(&intake.calls[call], tool, node.template.as_ref());
                node.fault = misfit.or(too_many);
            }
            let is_ready = is_early && node.fault.is_none() && !node.is_open;
            held[call] = !(is_whole || is_ready);
            if let Ok(input) = &mut intake.calls[call].input {
                input.forget_value();
            }
        }
        enter(intake, plan);
        let traits = intake.tools[self.known..].iter().map(|tool| Traits::of(tool.as_deref()));
        let (plan, traits) = (Arc::clone(&intake.plan), traits.collect());
        self.known = calls;
        (Growth { plan, traits, held, is_whole }, self.untold(intake, is_whole))
    }

    /// Whether a call may begin before the turn is whole, as far as it alone says.
    fn may_be_early(&self, call: usize, tool: Option<&Tool>) -> bool {
        let reads = |tool: &Tool| tool.effect == Effect::ReadOnly && tool.after.is_empty();
        self.parts[call].is_complete && tool.is_some_and(reads)
    }

    fn resolves(&self, tool: Option<&Arc<Tool>>) -> bool {
        self.references && tool.is_none_or(|tool| tool.references)
    }

    /// What a call reads and writes, as far as that is known: of one whose input is
    /// not complete, anything that fits.
    fn claims(&self, intake: &Intake, call: usize) -> Result<Vec<Claim>, Failure> {
        let tool = intake.tools[call].as_ref();
        match tool {
            Some(tool) if !self.parts[call].is_complete => {
                let anything = Json::from_value(&serde_json::json!({ "$ref": "" }));
                tool.claims.expected(&anything, true).map_err(too_many)
            }
            _ => claims(&intake.calls[call], tool.map(|tool| &**tool), self.resolves(tool)),
        }
    }

    /// Says to the calls that the model has not written to their end what became of
    /// them.
    fn give_up_unfinished(&mut self, intake: &mut Intake, release: Release) {
        let unfinished = self.parts.iter_mut().enumerate().filter(|(_, part)| !part.is_complete);
        for (call, part) in unfinished {
            part.is_complete = true;
            let text = std::mem::take(&mut part.text);
            part.fault = Some(match intake.tools[call].as_deref() {
                None => self.registry.unknown(&intake.calls[call].tool),
                Some(_) if release == Release::TimeOver => Failure::new(
                    FailureCode::DeadlineExceeded,
                    "the batch's time was over before the call's input was complete; it was not \
                     sent",
                ),
                Some(tool) => Failure::new(
                    FailureCode::InvalidInput,
                    format!(
                        "the turn ended before the call's input was complete, so the tool was not \
                         run. What came: {}. Call it again with an input that fits this schema: {}",
                        echo(&text),
                        tool.schema.source()
                    ),
                ),
            });
            intake.calls[call].input = Err(text.into());
        }
    }

    fn untold(&mut self, intake: &Intake, is_whole: bool) -> Vec<Told> {
        let untold = |(_, part): &(usize, &mut Part)| part.is_complete && !part.was_told;
        let told = self.parts.iter_mut().enumerate().filter(untold).map(|(call, part)| {
            part.was_told = true;
            let fault = match is_whole {
                true => intake.plan.nodes[call].fault.clone(),
                false => part.fault.clone(),
            };
            Told { call, fault }
        });
        told.collect()
    }
}

/// Takes the plan for what holds from now on.
fn enter(intake: &mut Intake, mut plan: plan::Plan) {
    let latencies: Vec<_> = intake.tools.iter().map(|tool| latency(tool.as_deref())).collect();
    plan::price(&mut plan, &latencies);
    intake.paths = plan::remaining(&plan, &latencies);
    intake.plan = Arc::new(plan);
}
