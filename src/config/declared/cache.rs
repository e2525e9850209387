//! `cache:` of a tool.

use std::time::Duration;

use crate::{
    cache,
    config::file::{
        Fields, Object,
        scalar::{Count, Size},
    },
};

/// How long a tool's answers hold.
#[derive(Debug)]
pub(crate) struct Cache(pub(crate) cache::Settings);

impl Object for Cache {
    const WHAT: &'static str = "`cache`";
    const DOC: &'static str = "How long an answer is taken again for the same input, and how much \
                               is kept.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let default = cache::Settings::new(Duration::ZERO);
        let ttl = fields.required::<Duration>(
            "ttl",
            "How long an answer holds, from when it was asked for. A call of the same API that \
             may change something ends it before.",
        );
        let entries = fields.or(
            "entries",
            Count::<1_000_000>(default.entries_max),
            "Most answers that are kept; the one that was used the longest ago makes room.",
        );
        let bytes = fields.or(
            "bytes",
            Size::<1024, { 1 << 30 }>(default.bytes_max.get()),
            "Most bytes of all answers that are kept.",
        );
        Some(Self(cache::Settings { ttl: ttl?, entries_max: entries?.0, bytes_max: bytes?.get() }))
    }
}
