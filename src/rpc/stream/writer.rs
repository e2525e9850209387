//! Events as messages, without I/O.
//!
//! Messages are made one by one as they are asked for, so that a large bundle
//! is never in memory as a whole.

use std::collections::VecDeque;

use super::{
    frame::SharedFrame,
    parts::{BundleParts, ResultParts},
};
use crate::{
    proto::v1::{self, batch_event},
    rpc::encode,
    schedule::Event,
};

/// Bytes of a message around an event's own: two tags and lengths, the sequence.
const ENVELOPE_BYTES: usize = 32;

/// Makes messages of events.
#[derive(Debug)]
pub(super) struct Writer {
    frame: SharedFrame,
    /// Most bytes of an event, without its envelope.
    bytes_max: usize,
    sequence: u64,
    /// Calls that are not terminal.
    calls_open: usize,
    state: State,
    /// What is to be written: of a batch that has just begun what it began with,
    /// later one thing at a time, and with the last result the end. As events,
    /// which are a fraction of their messages.
    pending: VecDeque<Event>,
    /// What is being written in more than one message.
    current: Option<Parts>,
}

#[derive(Debug)]
enum State {
    Running,
    /// The end is known.
    Ending,
    /// The end was written, or will never be.
    Ended,
}

#[derive(Debug)]
enum Parts {
    Result(ResultParts),
    End(BundleParts),
}

impl Writer {
    /// Messages of at most `bytes_max`.
    pub(super) fn new(frame: impl Into<SharedFrame>, bytes_max: usize) -> Self {
        Self {
            frame: frame.into(),
            bytes_max: bytes_max.saturating_sub(ENVELOPE_BYTES),
            sequence: 0,
            calls_open: usize::MAX,
            state: State::Running,
            pending: VecDeque::new(),
            current: None,
        }
    }

    /// Whether every call is terminal, and the end not known yet.
    pub(super) fn is_before_the_end(&self) -> bool {
        self.calls_open == 0 && matches!(self.state, State::Running)
    }

    /// Whether there is more to be written than that the batch has begun.
    pub(super) fn has_news(&self) -> bool {
        let is_news = |last: &Event| !matches!(last, Event::Accepted(_) | Event::Started { .. });
        self.pending.back().is_some_and(is_news) && !self.is_before_the_end()
    }

    /// Whether the last message was written.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Writes nothing any more.
    pub(super) fn abandon(&mut self) {
        self.pending.clear();
        self.current = None;
        self.state = State::Ended;
    }

    /// Takes in what happens.
    pub(super) fn take(&mut self, event: Event) {
        match &event {
            Event::Accepted(accepted) if !accepted.is_growing => {
                self.calls_open = accepted.calls.len();
            }
            Event::Accepted(_)
            | Event::Planned(_)
            | Event::Started { .. }
            | Event::Retrying { .. }
            | Event::Progress { .. } => {}
            Event::Finished(_) => self.calls_open = self.calls_open.saturating_sub(1),
            Event::BatchFinished(_) => self.state = State::Ending,
            // Told as a status.
            Event::BrokenOff(_) => return,
        }
        self.pending.push_back(event);
    }

    /// The next message; `None` where something must happen first.
    pub(super) fn next(&mut self) -> Option<v1::BatchEvent> {
        let event = match self.current.take() {
            Some(parts) => self.go_on(parts),
            None => match self.pending.pop_front()? {
                Event::Accepted(accepted) => {
                    batch_event::Event::Accepted(encode::accepted(&accepted, self.bytes_max))
                }
                Event::Planned(planned) => {
                    let planned = encode::call_planned(&planned, self.bytes_max);
                    batch_event::Event::CallPlanned(planned)
                }
                Event::Started { index, call_id, attempt, at, timings } => {
                    let started = encode::started(index, &call_id, attempt, at, timings);
                    batch_event::Event::Started(started)
                }
                Event::Retrying { index, call_id, attempt, delay, failure } => {
                    let retrying = encode::retrying(index, &call_id, attempt, delay, &failure);
                    batch_event::Event::Retrying(retrying)
                }
                Event::Progress { index, call_id, progress } => {
                    batch_event::Event::Progress(encode::progress(index, &call_id, &progress))
                }
                Event::Finished(result) => {
                    self.go_on(Parts::Result(ResultParts::new(result, self.bytes_max)))
                }
                Event::BatchFinished(finished) => {
                    let bundle = BundleParts::new(finished, self.frame.take(), self.bytes_max);
                    self.go_on(Parts::End(bundle))
                }
                Event::BrokenOff(_) => return None,
            },
        };
        self.sequence += 1;
        Some(v1::BatchEvent { sequence: self.sequence, event: Some(event) })
    }

    /// The next of `parts`, or the message that closes them.
    fn go_on(&mut self, mut parts: Parts) -> batch_event::Event {
        let part = match &mut parts {
            Parts::Result(result) => result.next_part().map(batch_event::Event::ResultPart),
            Parts::End(bundle) => bundle.next_part().map(batch_event::Event::BundlePart),
        };
        if let Some(part) = part {
            self.current = Some(parts);
            return part;
        }
        match parts {
            Parts::Result(result) => batch_event::Event::CallFinished(v1::CallFinished {
                result: Some(result.into_result()),
            }),
            Parts::End(bundle) => {
                self.state = State::Ended;
                batch_event::Event::BatchFinished(v1::BatchFinished {
                    summary: Some(bundle.into_summary()),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
