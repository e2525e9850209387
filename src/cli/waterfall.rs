//! A turn as a waterfall: a row for each call, bars on one scale of time.
//!
//! [`Waterfall`] is a pure model: events in, rows out, no clock. [`draw`] makes
//! lines of it and [`below`] what is said under them, [`mod@line`] makes one line of
//! one event, and [`Show`] puts them on a stream: drawn over again in a
//! terminal, once at the end elsewhere.

pub(crate) mod below;
pub(crate) mod draw;
pub(crate) mod line;
mod model;
mod order;
mod row;
#[cfg(test)]
pub(crate) mod script;
mod show;
pub(crate) mod table;

use model::State;
pub(crate) use model::{Waterfall, time};
use row::{Row, Span, SpanKind};
pub(crate) use show::{Mode, Show};
