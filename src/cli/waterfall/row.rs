//! A call of a turn: where its time went, as far as it is known.

use std::time::Duration;

use super::model::{State, time};
use crate::proto::v1;

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Its tool, with `#n` where it is called more than once in the turn.
    pub(crate) label: String,
    /// Its id.
    pub(crate) call_id: String,
    /// Where it is.
    pub(crate) state: State,
    /// Where its time went, from the batch's acceptance on.
    pub(crate) spans: Vec<Span>,
    /// The same in sums, once it has ended.
    pub(crate) timings: v1::Timings,
    /// Its attempts, where there was more than one.
    pub(crate) attempts: Vec<v1::Attempt>,
    /// Where its result came from, once it has one.
    pub(crate) source: v1::Source,
    /// Why it did not succeed.
    pub(crate) failure: Option<v1::Failure>,
    /// Parents that have not ended.
    pub(super) open_parents: usize,
}

/// A piece of a call's time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Span {
    /// Spent on what.
    pub(crate) kind: SpanKind,
    /// From when.
    pub(crate) from: Duration,
    /// Until when; none while it lasts.
    pub(crate) to: Option<Duration>,
}

/// What a piece of time was spent on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SpanKind {
    /// Waiting for other calls.
    Blocked,
    /// Waiting for a key that another call holds.
    Locked,
    /// Waiting for a place; while it lasts, for a key or a token, too: only its
    /// end tells them apart.
    Waiting,
    /// Waiting for a token of its API's rate.
    Throttled,
    /// An attempt.
    Running,
    /// Waiting between attempts.
    BackingOff,
}

impl Row {
    /// The word for where its result came from, unless it ran itself.
    pub(crate) fn origin(&self) -> Option<&'static str> {
        match self.source {
            v1::Source::Shared => Some("shared"),
            v1::Source::Cached => Some("cached"),
            v1::Source::Fallback => Some("fallback"),
            v1::Source::Executed | v1::Source::Unspecified => None,
        }
    }

    /// Time in attempts; those that last are counted until `now`.
    pub(crate) fn running(&self, now: Duration) -> Duration {
        let running = self.spans.iter().filter(|span| span.kind == SpanKind::Running);
        running.map(|span| span.to.unwrap_or(now).saturating_sub(span.from)).sum()
    }

    /// Time that it spent so, as far as that is known.
    pub(crate) fn spent(&self, kind: SpanKind) -> Duration {
        let spans = self.spans.iter().filter(|span| span.kind == kind);
        spans.filter_map(|span| Some(span.to?.saturating_sub(span.from))).sum()
    }

    fn close(&mut self, at: Duration) {
        if let Some(last) = self.spans.last_mut() {
            last.to.get_or_insert(at.max(last.from));
        }
    }

    pub(super) fn enter(&mut self, state: State, kind: SpanKind, at: Duration) {
        self.close(at);
        self.state = state;
        self.spans.push(Span { kind, from: at, to: None });
    }

    /// An attempt begins, and the server says what the wait for it was made of.
    pub(super) fn begin(&mut self, started: &v1::CallStarted) {
        let at = time(started.at);
        if let Some(timings) = &started.timings {
            self.settle(timings, at);
        }
        self.enter(State::Running, SpanKind::Running, at);
    }

    /// Puts what the server measured in the place of what was seen from here.
    pub(super) fn end(&mut self, result: &v1::ToolResult, seen: Duration) {
        let timings = result.timings.unwrap_or_default();
        let spent = [
            timings.blocked,
            timings.locked,
            timings.queued,
            timings.throttled,
            timings.backing_off,
            timings.running,
        ];
        let sum = spent.into_iter().map(time).sum::<Duration>();
        // One that was answered at once took no time; where nothing was measured,
        // what was seen from here has to do.
        let is_at_once = result.timings.is_some() && self.running(seen).is_zero();
        let end = if sum.is_zero() && !is_at_once { seen } else { sum };
        if result.attempts.is_empty() {
            self.close(end);
            let ran = |span: &Span| matches!(span.kind, SpanKind::Running | SpanKind::BackingOff);
            let ran: Vec<_> = self.spans.drain(..).filter(ran).collect();
            self.settle(&timings, ran.first().map_or(end, |first| first.from));
            self.spans.extend(ran);
        } else {
            self.spans.clear();
            self.repeat(&result.attempts, &timings);
            self.settle(&timings, end);
        }
        self.state = match result.outcome() {
            v1::Outcome::Succeeded => State::Done,
            v1::Outcome::Cancelled => State::Cancelled,
            v1::Outcome::Skipped => State::Skipped,
            v1::Outcome::Failed | v1::Outcome::Unspecified => State::Failed,
        };
        self.source = result.source();
        self.timings = timings;
        self.attempts.clone_from(&result.attempts);
        self.failure.clone_from(&result.failure);
    }

    /// The attempts as the server tells of them, with the waits between.
    fn repeat(&mut self, attempts: &[v1::Attempt], whole: &v1::Timings) {
        let mut so_far =
            v1::Timings { blocked: whole.blocked, locked: whole.locked, ..v1::Timings::default() };
        let plus = |sum, more| prost_types::Duration::try_from(time(sum) + time(more)).ok();
        for attempt in attempts {
            so_far.backing_off = plus(so_far.backing_off, attempt.backing_off);
            so_far.throttled = plus(so_far.throttled, attempt.throttled);
            let from = time(attempt.at);
            self.settle(&so_far, from);
            let to = Some(from + time(attempt.running));
            self.spans.push(Span { kind: SpanKind::Running, from, to });
        }
    }

    /// Fills the time from the end of the last attempt to `until` with the waits
    /// that the server measured, as far as they are not in earlier ones. What
    /// kind of wait the server leaves open is one for a place.
    fn settle(&mut self, timings: &v1::Timings, until: Duration) {
        let ran = self.spans.iter().rposition(|span| span.kind == SpanKind::Running);
        self.spans.truncate(ran.map_or(0, |last| last + 1));
        let mut from = self.spans.last().and_then(|span| span.to).unwrap_or_default();
        let own = |row: &Self, kind, sum| time(sum).saturating_sub(row.spent(kind));
        // Whatever the turns they took: a token is what the last wait is for.
        let starved =
            until.saturating_sub(own(self, SpanKind::Throttled, timings.throttled)).max(from);
        for (kind, sum) in [
            (SpanKind::Blocked, timings.blocked),
            (SpanKind::BackingOff, timings.backing_off),
            (SpanKind::Locked, timings.locked),
        ] {
            let to = (from + own(self, kind, sum)).min(starved);
            self.push(kind, from, to);
            from = to;
        }
        self.push(SpanKind::Waiting, from, starved);
        self.push(SpanKind::Throttled, starved, until);
    }

    fn push(&mut self, kind: SpanKind, from: Duration, to: Duration) {
        if to > from {
            self.spans.push(Span { kind, from, to: Some(to) });
        }
    }
}
