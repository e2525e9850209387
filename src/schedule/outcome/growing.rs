//! A turn that is still coming, as it is told.

use std::sync::Arc;

use super::{Ledger, Slot};
use crate::{
    clock::Instant,
    plan,
    schedule::{
        Event,
        event::Planned,
        intake::{Intake, Told},
    },
};

impl Ledger {
    /// A call came; `intake` knows it already.
    pub(in crate::schedule) fn came(&mut self, intake: &Intake, now: Instant) {
        self.wholes.push(intake.twins.last().copied().flatten());
        self.slots.push(Slot { came_at: Some(now), ..Slot::default() });
        self.open += 1;
        self.observer.came();
    }

    /// Its input is complete.
    pub(in crate::schedule) fn completed(&mut self, call: usize, now: Instant) {
        if let Some(slot) = self.slots.get_mut(call) {
            slot.came_at = Some(now);
        }
    }

    /// Tells of calls that have their place in the plan.
    pub(in crate::schedule) fn planned(&mut self, intake: &Intake, told: Vec<Told>) {
        if told.is_empty() {
            return;
        }
        let depths = plan::depths(&intake.plan);
        for Told { call: index, fault } in told {
            let call = &intake.calls[index];
            self.tell(Event::Planned(Arc::new(Planned {
                index,
                call_id: call.id.clone(),
                tool: Arc::clone(&call.tool),
                effect: intake.tools[index].as_ref().map(|tool| tool.effect),
                fault,
                latency: intake.latency(index),
                depth: depths[index],
                edges: intake.plan.parents(index).to_vec(),
            })));
        }
    }

    /// No more calls will come.
    pub(in crate::schedule) fn close(&mut self, intake: &Intake, now: Instant) {
        self.wholes.close(intake);
        self.ended_at = now;
    }
}
