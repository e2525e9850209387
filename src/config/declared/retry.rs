//! `retry:` of an API.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use crate::{
    config::file::{Fields, Object, scalar::Count},
    retry,
};

/// How an API's failed attempts are made again.
#[derive(Debug)]
pub(crate) struct Retry(pub(crate) retry::Settings);

impl Object for Retry {
    const WHAT: &'static str = "`retry`";
    const DOC: &'static str = "How failed attempts are made again, as far as the effect of their \
                               tool allows.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let default = retry::Settings::default();
        let count = |number: u32| {
            let number = usize::try_from(number).ok().and_then(NonZeroUsize::new);
            number.unwrap_or(NonZeroUsize::MIN)
        };
        let attempts = fields.or(
            "attempts",
            Count::<10>(count(default.attempts.get())),
            "Attempts of a call, the first among them; 1 for no retries.",
        );
        let base = fields.or(
            "base",
            default.base,
            "The most that is waited before the second attempt; doubled for each one more.",
        );
        let max = fields.or("max", default.max, "The most that is ever waited.");
        let budget = fields.or(
            "budget",
            Count::<100>(count(default.budget_percent)),
            "Retries as a part of the API's first attempts, in percent.",
        );
        let attempt_timeout = fields.optional::<Duration>(
            "attempt_timeout",
            "Time for one attempt, where it is less than what is left of the call's.",
        );
        let (base, max) = fields.bounded(("base", base), ("max", max))?;
        let number = |count: NonZeroUsize| u32::try_from(count.get()).unwrap_or(u32::MAX);
        Some(Self(retry::Settings {
            attempts: NonZeroU32::new(number(attempts?.0))?,
            base,
            max,
            budget_percent: number(budget?.0),
            attempt_timeout: attempt_timeout?,
        }))
    }
}
