//! A turn that comes while the model is still writing it, step by step.

use std::{sync::Arc, time::Duration};

use futures_util::stream::BoxStream;

use super::Refusal;
use crate::model::{CallId, call::Series};

/// The steps of one turn. It ends with [`Arrival::Committed`], or it was cut off.
pub type Arrivals = BoxStream<'static, Arrival>;

/// A step. Calls are named by their place in the turn, from 0: the order in which
/// they begin.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// The model begins the next call.
    Begun(Begun),
    /// More of a call's input.
    Fragment {
        /// The call.
        index: usize,
        /// Appended to what came before.
        text: String,
    },
    /// A call's input is complete.
    Ended {
        /// The call.
        index: usize,
    },
    /// The turn is whole.
    Committed,
    /// What came is no turn. Nothing that follows counts.
    Broken(Refusal),
}

/// A call that begins.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Unique in the turn.
    pub id: CallId,
    /// The tool's name as the model wrote it.
    pub tool: Arc<str>,
    /// What of its input is known already.
    pub input: String,
    /// Ids, names or positions of calls that must succeed first.
    pub depends_on: Vec<String>,
    /// Time for this call.
    pub timeout: Option<Duration>,
    /// Whose order it keeps.
    pub series: Option<Series>,
    /// Bytes that are kept of it beside its input.
    pub extra_bytes: usize,
}
