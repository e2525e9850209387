//! The caps and the rates, and what else holds for an API.

use std::{num::NonZeroUsize, time::Duration};

use crate::{
    limits::{Rate, breaker},
    model::{ApiName, ToolName},
};

/// The caps and the rates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Attempts of the process in flight at once.
    pub process: NonZeroUsize,
    /// Attempts of one session in flight at once.
    pub session: NonZeroUsize,
    /// Attempts of one batch in flight at once.
    pub batch: NonZeroUsize,
    /// What holds for each API; one that has no limits may be absent.
    pub apis: Vec<Api>,
    /// Attempts of each tool in flight at once; absent where it has no cap.
    pub tools: Vec<(ToolName, NonZeroUsize)>,
}

/// What holds for one API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Api {
    /// Its name.
    pub name: ApiName,
    /// Its attempts in flight at once.
    pub concurrency: Option<NonZeroUsize>,
    /// Its buckets. A call pays its cost to each.
    pub rates: Vec<(Rate, Per)>,
    /// Calls that may wait for it.
    pub queue_max: NonZeroUsize,
    /// The longest that it is left alone where it asks for that.
    pub pause_max: Duration,
    /// When it is not asked at all; `None` where it always is.
    pub breaker: Option<breaker::Settings>,
    /// Whether it is shown while nothing of it is in flight and nothing waits.
    pub is_shown_idle: bool,
}

impl Api {
    /// Calls that may wait for it where nothing names a number.
    pub const QUEUE_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
    /// The longest pause where nothing names one: an upstream that asks for more
    /// has more wrong with it than its load.
    pub const PAUSE_MAX: Duration = Duration::from_secs(60);

    /// An API without limits.
    pub fn new(name: ApiName) -> Self {
        Self {
            name,
            concurrency: None,
            rates: Vec::new(),
            queue_max: Self::QUEUE_MAX,
            pause_max: Self::PAUSE_MAX,
            breaker: None,
            is_shown_idle: true,
        }
    }
}

/// Who shares a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Per {
    /// Everyone.
    Api,
    /// The calls of one session; each session has a bucket of its own.
    Session,
    /// The calls of one tenant; each tenant has a bucket of its own.
    Tenant,
}

impl Per {
    /// What stands after a rate for it: ` per session`.
    pub fn as_suffix(self) -> &'static str {
        match self {
            Self::Api => "",
            Self::Session => " per session",
            Self::Tenant => " per tenant",
        }
    }
}
