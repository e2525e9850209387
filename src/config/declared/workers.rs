//! `workers:`.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use serde_json::{Value as Schema, json};

use crate::{
    backend::worker,
    config::file::{
        Decoder, Fields, Node, Object, Setting, Shown,
        scalar::{Count, Size},
    },
    limits::gate,
    model::ApiName,
    registry::offers,
};

/// Above this a bound protects nothing.
const COUNT_MAX: usize = 100_000;
/// Above this a worker's tools fill no model's request.
const TOOLS_MAX: usize = 10_000;

/// What workers may offer, and how they are run.
#[derive(Debug)]
pub(crate) struct Workers {
    pub(crate) pool: worker::Settings,
    pub(crate) offers: offers::Settings,
    pub(crate) api: gate::Api,
}

impl Workers {
    /// Their attempts in flight at once where nothing names a number: half of the
    /// process's own.
    const CONCURRENCY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);
}

impl Object for Workers {
    const WHAT: &'static str = "`workers`";
    const DOC: &'static str = "Processes that offer their own functions as tools.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let (pool, offers) = (worker::Settings::default(), offers::Settings::default());
        let attempts_max = NonZeroUsize::try_from(pool.attempts_max).unwrap_or(NonZeroUsize::MIN);
        let heartbeat = fields.or(
            "heartbeat",
            Heartbeat(pool.heartbeat),
            "How often each side says that it is alive. A worker that is not heard for two of them \
             is lost.",
        );
        let total = fields.or(
            "total",
            Count::<COUNT_MAX>(offers.workers_max),
            "Most workers; one more is refused.",
        );
        let per_session = fields.or(
            "per_session",
            Count::<COUNT_MAX>(offers.session_workers_max),
            "Most workers of one session; one more is refused.",
        );
        let tools =
            fields.or("tools", Count::<TOOLS_MAX>(offers.tools_max), "Most tools of one worker.");
        let attempts = fields.or(
            "attempts",
            Count::<COUNT_MAX>(attempts_max),
            "Most attempts that a worker may take at once, whatever it says of itself.",
        );
        let concurrency = fields.or(
            "concurrency",
            Count::<1_000_000>(Self::CONCURRENCY),
            "Attempts of all workers in flight at once, those that wait for a worker among them; \
             more calls wait.",
        );
        let queue = fields.or(
            "queue",
            Count::<1_000_000>(gate::Api::QUEUE_MAX),
            "Calls that may wait; one more fails at once.",
        );
        let result_bytes = fields.or(
            "result_bytes",
            Size::<1024, { 64 << 20 }>(pool.result_bytes_max.get()),
            "Most bytes of a worker's result.",
        );
        let attempts_max = NonZeroU32::try_from(attempts?.0).ok()?;
        Some(Self {
            pool: worker::Settings {
                heartbeat: heartbeat?.0,
                attempts: pool.attempts.min(attempts_max),
                attempts_max,
                result_bytes_max: result_bytes?.get(),
                ..pool
            },
            offers: offers::Settings {
                workers_max: total?.0,
                session_workers_max: per_session?.0,
                tools_max: tools?.0,
                ..offers
            },
            api: gate::Api {
                concurrency: Some(concurrency?.0),
                queue_max: queue?.0,
                is_shown_idle: false,
                ..gate::Api::new(ApiName::workers())
            },
        })
    }
}

/// The time between two heartbeats.
#[derive(Debug)]
struct Heartbeat(Duration);

impl Heartbeat {
    /// Shorter, and a process that is busy for a moment is taken for lost.
    const MIN: Duration = Duration::from_millis(100);
    /// Longer, and calls wait for minutes for one that hangs.
    const MAX: Duration = Duration::from_secs(60);
}

impl Setting for Heartbeat {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let time = Duration::decode(node, decoder)?;
        if !(Self::MIN..=Self::MAX).contains(&time) {
            let what = format!("{time:?} is no time between two heartbeats");
            decoder.fault(node.span, what, "write one from `100ms` to `1m`");
            return None;
        }
        Some(Self(time))
    }

    fn schema() -> Schema {
        let mut schema = Duration::schema();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("examples".to_owned(), json!(["1s", "5s"]));
        }
        schema
    }
}

impl Shown for Heartbeat {
    fn shown(&self) -> Schema {
        self.0.shown()
    }
}
