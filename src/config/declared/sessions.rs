//! `sessions:`.

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    time::Duration,
};

use crate::{
    budget::{self, Settings},
    config::file::{Fields, Object, scalar::Count, switch::OrOff},
};

/// More than any session does.
const SPENT_MAX: usize = 1_000_000_000;

/// What every session may spend.
#[derive(Debug)]
pub(crate) struct Sessions(pub(crate) Settings);

impl Object for Sessions {
    const WHAT: &'static str = "`sessions`";
    const DOC: &'static str = "What every session may spend.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let default = Settings::default();
        let calls = fields.optional::<Count<SPENT_MAX>>(
            "calls",
            "Most calls of a session over its whole life; one more fails at once.",
        );
        let cost = fields.optional::<Count<SPENT_MAX>>(
            "cost",
            "Most that the calls of a session may cost together, by the `cost` of their tools.",
        );
        let repeat = fields.optional::<OrOff<Repeat>>(
            "repeat",
            "How often a session may make the same call, with the same input; `off` for any \
             number.",
        );
        let remembered = fields.or(
            "remembered",
            Count::<1_000_000>(default.remembered),
            "Sessions that are remembered without an open batch; of more, the one that was used \
             longest ago is forgotten, and begins anew.",
        );
        let idle = fields.or(
            "idle",
            default.idle,
            "How long a session is remembered after it was last used.",
        );
        let spent = |count: Count<SPENT_MAX>| NonZeroU64::try_from(count.0).ok();
        Some(Self(Settings {
            calls: calls?.and_then(spent),
            cost: cost?.and_then(spent),
            repeat: match repeat? {
                Some(OrOff(repeat)) => repeat.map(|Repeat(repeat)| repeat),
                None => default.repeat,
            },
            remembered: remembered?.0,
            idle: idle?,
        }))
    }
}

/// How often the same call may be made.
#[derive(Debug)]
struct Repeat(budget::Repeat);

impl Object for Repeat {
    const WHAT: &'static str = "`repeat`";
    const DOC: &'static str = "How often a session may make the same call.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let default = budget::Repeat::default();
        let most = usize::try_from(default.calls.get()).ok().and_then(NonZeroUsize::new);
        let calls = fields.or(
            "calls",
            Count::<{ budget::Repeat::CALLS_MAX as usize }>(most.unwrap_or(NonZeroUsize::MIN)),
            "Calls of one tool with one input within the time; one more fails at once.",
        );
        let within: Option<Duration> =
            fields.or("within", default.within, "The time in which they are counted.");
        let calls = NonZeroU32::try_from(calls?.0).ok()?;
        Some(Self(budget::Repeat { calls, within: within? }))
    }
}
