//! A turn that is still coming: its steps, its commit, and its end without one.

use std::cmp::Reverse;

use futures_util::{FutureExt, StreamExt};

use super::{Dispatcher, Timer};
use crate::{
    clock,
    schedule::{
        Refusal,
        admission::Admitted,
        arrivals::{Arrival, Arrivals},
        batch_state::{CancelReason, Event},
        intake::{Growing, Release},
    },
};

/// Steps that are taken in one after the other before anything else is looked at.
const BURST_MAX: usize = 64;

/// What the batch of a turn that is still coming has beside.
pub(in crate::schedule) struct Coming {
    growing: Growing,
    /// `None` once nobody listens to them any more.
    arrivals: Option<Arrivals>,
    admitted: Admitted,
    is_whole: bool,
    /// Why the batch was broken off.
    broken: Option<Refusal>,
}

/// What ends a turn.
enum End {
    Committed,
    CutOff,
    Broken(Refusal),
}

impl Coming {
    pub(in crate::schedule) fn new(
        growing: Growing,
        arrivals: Arrivals,
        admitted: Admitted,
    ) -> Box<Self> {
        let arrivals = Some(arrivals);
        Box::new(Self { growing, arrivals, admitted, is_whole: false, broken: None })
    }

    pub(super) fn into_broken(self) -> Option<Refusal> {
        self.broken
    }
}

impl Dispatcher {
    /// The turn comes bit by bit. One that does not end has an end.
    pub(in crate::schedule) fn grows(&mut self, coming: Box<Coming>) {
        self.coming = Some(coming);
        self.timers.push(Reverse((self.deadline, usize::MAX, Timer::Turn)));
    }

    /// Takes in a step, or that there are no more, and those that are there already.
    pub(super) fn take_steps(&mut self, first: Option<Arrival>) {
        self.now = clock::now();
        let mut end = self.take_step(first);
        for _ in 1..BURST_MAX {
            if end.is_some() {
                break;
            }
            // This polls with no waker; the next turn of the loop polls with ours.
            let arrivals = self.coming.as_mut().and_then(|coming| coming.arrivals.as_mut());
            let Some(next) = arrivals.and_then(|arrivals| arrivals.next().now_or_never()) else {
                break;
            };
            end = self.take_step(next);
        }
        let is_whole = self.coming.as_ref().is_none_or(|coming| coming.is_whole);
        match end {
            None if is_whole => {}
            None => self.grow(Release::Reads),
            Some(End::Committed) => self.grow(Release::All),
            Some(End::CutOff) => self.break_off(None),
            Some(End::Broken(refusal)) => self.break_off(Some(refusal)),
        }
    }

    fn take_step(&mut self, arrival: Option<Arrival>) -> Option<End> {
        let coming = self.coming.as_mut()?;
        let refused = match arrival {
            None => {
                coming.arrivals = None;
                return (!coming.is_whole).then_some(End::CutOff);
            }
            Some(Arrival::Broken(refusal)) => Err(refusal),
            Some(_) if coming.is_whole => Ok(()),
            Some(Arrival::Committed) => return Some(End::Committed),
            Some(Arrival::Begun(begun)) => {
                let admitted = coming.admitted.grow();
                let begun = admitted.and_then(|()| coming.growing.begin(&mut self.intake, begun));
                if begun.is_ok() {
                    self.flights.push(super::Flight::default());
                    self.ledger.came(&self.intake, self.now);
                }
                begun
            }
            Some(Arrival::Fragment { index, text }) => coming.growing.append(index, &text),
            Some(Arrival::Ended { index }) => {
                coming.growing.complete(&mut self.intake, index);
                self.ledger.completed(index, self.now);
                Ok(())
            }
        };
        refused.err().map(End::Broken)
    }

    /// Plans what is known of the turn, and lets go what may begin.
    fn grow(&mut self, release: Release) {
        let Some(coming) = &mut self.coming else { return };
        let (growth, told) = coming.growing.plan(&mut self.intake, &self.state, release);
        self.ledger.planned(&self.intake, told);
        if growth.is_whole {
            coming.is_whole = true;
            self.ledger.close(&self.intake, self.now);
        }
        self.feed(Event::Grown(growth));
    }

    /// The turn is not to be: what runs is cancelled, and the rest is not run.
    fn break_off(&mut self, broken: Option<Refusal>) {
        let Some(coming) = &mut self.coming else { return };
        coming.arrivals = None;
        coming.broken = broken;
        if !coming.is_whole {
            // So that each has its end.
            self.grow(Release::Nothing);
        }
        self.cancel_all(CancelReason::CutOff);
    }

    /// The batch's time is over. What has not begun by now never will.
    pub(super) fn turn_timed_out(&mut self) {
        if let Some(coming) = self.coming.as_mut().filter(|coming| !coming.is_whole) {
            coming.arrivals = None;
            self.grow(Release::TimeOver);
        }
    }
}

/// The next step, or that there are no more; never, once nobody listens.
pub(super) async fn next(coming: &mut Option<Box<Coming>>) -> Option<Arrival> {
    match coming.as_mut().and_then(|coming| coming.arrivals.as_mut()) {
        Some(arrivals) => arrivals.next().await,
        None => std::future::pending().await,
    }
}
