//! One worker and what it offers.

use std::sync::Arc;

use super::{Offers, Scope};
use crate::{
    backend::worker::{Lost, Seat},
    model::ToolName,
};

/// A worker that offers its tools. Dropped without a word, its connection was cut.
#[derive(Debug)]
pub struct Member {
    offers: Offers,
    scope: Scope,
    tools: Vec<ToolName>,
    name: Arc<str>,
    seat: Option<Seat>,
    is_offering: bool,
}

impl Member {
    pub(super) fn new(
        offers: Offers,
        scope: Scope,
        (name, tools): (Arc<str>, Vec<ToolName>),
        seat: Seat,
    ) -> Self {
        Self { offers, scope, tools, name, seat: Some(seat), is_offering: true }
    }

    /// Its place among those that make attempts.
    pub fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }

    /// It takes no new attempts: its tools are offered by others alone.
    pub fn drain(&mut self) {
        self.withdraw(Lost::Drained);
        if let Some(seat) = &self.seat {
            seat.drain();
        }
    }

    /// It is gone.
    pub fn leave(mut self, why: Lost) {
        self.end(why);
    }

    fn withdraw(&mut self, why: Lost) {
        if std::mem::take(&mut self.is_offering) {
            self.offers.withdraw(&self.scope, &self.tools, &self.name, why);
        }
    }

    fn end(&mut self, why: Lost) {
        // First what is offered: a call that is answered now may lead to others.
        self.withdraw(why);
        if let Some(seat) = self.seat.take() {
            seat.leave(why);
            self.offers.leave(&self.scope);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end(Lost::Cut);
    }
}
