//! What ends a call from outside: its time, an order, its caller, the process.

use std::{cmp::Reverse, time::Duration};

use tokio::sync::mpsc;

use super::{Dispatcher, Timer};
use crate::{
    backend::SentMark,
    clock,
    model::{CallId, Sent},
    schedule::{
        batch_state::{self, CancelReason, State},
        batches::{Cancel, Command},
    },
};

/// How long after its deadline an attempt may still answer for itself, before
/// it is dropped whatever it does: the backend knows best in which phase it was.
const GRACE: Duration = Duration::from_millis(100);

impl Dispatcher {
    pub(super) fn cancel_all(&mut self, reason: CancelReason) {
        self.now = clock::now();
        let sent = (0..self.flights.len())
            .filter(|call| matches!(self.state.state(*call), Some(State::Running { .. })))
            .map(|call| (call, self.flights[call].sent()))
            .collect();
        self.feed(batch_state::Event::AllCancelled(reason, sent));
    }

    pub(super) fn obey(&mut self, command: Command) {
        self.now = clock::now();
        let Command::Cancel(order) = command;
        let Cancel { call_ids, cancelled } = *order;
        let open = |dispatcher: &Self, call: usize| {
            !matches!(dispatcher.state.state(call), Some(State::Done(_)))
        };
        let calls: Vec<_> = (0..self.intake.calls.len())
            .filter(|call| open(self, *call))
            .filter(|call| call_ids.is_empty() || call_ids.contains(&self.intake.calls[*call].id))
            .collect();
        let ids: Vec<CallId> =
            calls.iter().map(|call| self.intake.calls[*call].id.clone()).collect();
        if call_ids.is_empty() {
            self.cancel_all(CancelReason::Requested);
        } else {
            for call in calls {
                // One that needs another of them may have been skipped by now.
                if open(self, call) {
                    let sent = self.flights[call].sent();
                    self.feed(batch_state::Event::Cancelled(call, sent, CancelReason::Requested));
                }
            }
        }
        // Whoever asked may have gone.
        let _ = cancelled.send(ids);
    }

    /// Does what time has brought: the next attempts, and the end of calls whose
    /// time is over. An attempt gets a moment more to say itself what it was
    /// doing.
    pub(super) fn expire(&mut self) {
        self.now = clock::now();
        let now = self.now;
        while let Some(Reverse((when, call, timer))) = self.timers.peek().copied() {
            if when > now {
                break;
            }
            self.timers.pop();
            match (timer, self.state.state(call)) {
                (Timer::Turn, _) => self.turn_timed_out(),
                (Timer::BackedOff, Some(State::BackingOff { .. })) => {
                    self.ledger.backed_off(call, now);
                    self.feed(batch_state::Event::BackedOff(call));
                }
                (Timer::Deadline, Some(State::Running { .. })) => {
                    // The attempt's own deadline may have come before.
                    let last = self.flights[call].deadline.unwrap_or(when) + GRACE;
                    if last > now {
                        self.timers.push(Reverse((last, call, timer)));
                    } else {
                        self.overran(call);
                        self.time_up(call);
                    }
                }
                (Timer::Deadline, Some(State::Locking)) => self.lock_timed_out(call),
                (
                    Timer::Deadline,
                    Some(State::Sharing { .. } | State::Queued { .. } | State::BackingOff { .. }),
                ) => {
                    self.time_up(call);
                }
                _ => {}
            }
        }
    }

    fn time_up(&mut self, call: usize) {
        let sent = self.flights[call].sent();
        self.feed(batch_state::Event::TimeUp(call, sent));
    }
}

impl super::Flight {
    /// Whether the attempt in flight may have been sent.
    fn sent(&self) -> Sent {
        self.sent.as_ref().map_or(Sent::No, SentMark::get)
    }
}

/// The next order; never, once nobody can give one.
pub(super) async fn next(commands: &mut Option<mpsc::Receiver<Command>>) -> Option<Command> {
    match commands {
        Some(open) => {
            let command = open.recv().await;
            if command.is_none() {
                *commands = None;
            }
            command
        }
        None => std::future::pending().await,
    }
}
