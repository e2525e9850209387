//! When sessions' turns ended: what lies between is the model thinking.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::{clock::Instant, model::SessionId};

/// Sessions whose last batch is remembered, and for how long.
pub(super) const SESSIONS_MAX: usize = 10_000;
pub(super) const SESSIONS_FOR: Duration = Duration::from_secs(3600);

/// When each session's last batch ended.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) ended: HashMap<SessionId, Instant>,
    /// Oldest first; entries that were overtaken are passed over.
    pub(super) order: VecDeque<(Instant, SessionId)>,
}

impl Sessions {
    pub(super) fn ended(&self, session: &SessionId, now: Instant) -> Option<Instant> {
        let ended = *self.ended.get(session)?;
        (now.saturating_duration_since(ended) < SESSIONS_FOR).then_some(ended)
    }

    /// A batch ends; gives when the one before did.
    pub(super) fn ends(&mut self, session: &SessionId, now: Instant) -> Option<Instant> {
        let before = self.ended(session, now);
        self.ended.insert(session.clone(), now);
        self.order.push_back((now, session.clone()));
        while let Some((when, oldest)) = self.order.front() {
            let is_old = now.saturating_duration_since(*when) >= SESSIONS_FOR;
            if !is_old && self.order.len() <= SESSIONS_MAX {
                break;
            }
            if self.ended.get(oldest) == Some(when) {
                self.ended.remove(oldest);
            }
            self.order.pop_front();
        }
        before
    }
}
