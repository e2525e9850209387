//! `breaker:` of an API.

use std::num::{NonZeroU32, NonZeroUsize};

use serde_json::{Value as Schema, json};

use crate::{
    config::file::{
        Decoder, Fields, Node, Object, Setting,
        scalar::{Count, percent},
        switch::OrOff,
    },
    limits::breaker::{FailureRate, Settings},
};

/// When an API is not asked.
#[derive(Debug)]
pub(crate) struct Breaker(pub(crate) Settings);

impl Object for Breaker {
    const WHAT: &'static str = "`breaker`";
    const DOC: &'static str = "When an API that fails is not asked for a while.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let default = Settings::default();
        let failures = fields.or(
            "failures",
            Count::<100_000>(many(default.failures)),
            "Failures in a row that open it.",
        );
        let rate = fields.optional::<Percent>(
            "rate",
            "The part of the calls that opens it when they fail, such as `50%`.",
        );
        let calls = fields.or(
            "calls",
            Count::<100_000>(many(FailureRate::CALLS)),
            "Calls that there must be within `window` before `rate` counts.",
        );
        let window = fields.or("window", FailureRate::WINDOW, "How far back `rate` looks.");
        let open = fields.or(
            "open",
            default.open,
            "How long calls fail at once before a probe is let through; doubled by each probe that \
             fails.",
        );
        let open_max = fields.or("open_max", default.open_max, "The longest that it stays open.");
        let probes = fields.or(
            "probes",
            Count::<1000>(many(default.probes)),
            "Calls that are let through at once as probes, and that must succeed for it to close.",
        );
        let times = fields.bounded(("open", open), ("open_max", open_max));
        let (calls, window) = (few(calls?), window?);
        let (open, open_max) = times?;
        Some(Self(Settings {
            failures: few(failures?),
            rate: rate?.map(|Percent(percent)| FailureRate { percent, calls, window }),
            open,
            open_max,
            probes: few(probes?),
        }))
    }
}

impl Breaker {
    /// The key of an API; `None` within for one that is always asked.
    pub(super) fn field(fields: &mut Fields<'_, '_>) -> Option<Option<Settings>> {
        let found = fields.optional::<OrOff<Self>>(
            "breaker",
            "When it is not asked for a while, since it fails; `off` for never.",
        )?;
        Some(match found {
            Some(OrOff(breaker)) => breaker.map(|Self(settings)| settings),
            None => Some(Settings::default()),
        })
    }
}

/// `50%`.
struct Percent(NonZeroU32);

impl Setting for Percent {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        percent(node, decoder, "part of the calls", 1, "50%").and_then(NonZeroU32::new).map(Self)
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^0*([1-9][0-9]?|100)%$", "examples": ["50%"]})
    }
}

fn many(number: NonZeroU32) -> NonZeroUsize {
    usize::try_from(number.get()).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
}

fn few<const MAX: usize>(count: Count<MAX>) -> NonZeroU32 {
    u32::try_from(count.0.get()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX)
}
