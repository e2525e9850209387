//! `bounds:` and `defaults:`.

use std::{num::NonZeroUsize, time::Duration};

use super::memory::Memory;
use crate::{
    config::file::{
        Fields, Object,
        scalar::{Count, Size},
    },
    overload,
    registry::tool,
    schedule,
};

/// The bounds where the file names none.
pub(crate) fn default_bounds() -> schedule::Settings {
    let count = |count| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
    schedule::Settings {
        batches_max: count(256),
        batch_calls_max: count(1024),
        batch_bytes_max: count(16 << 20),
        session_calls_max: count(4096),
        calls_max: count(16_384),
        batch_concurrency: count(128),
        session_concurrency: count(256),
        concurrency: count(1024),
        batch_timeout: Duration::from_secs(600),
        sessions: crate::budget::Settings::default(),
        apis: Vec::new(),
        tools: Vec::new(),
    }
}

/// Above this a bound protects nothing.
const COUNT_MAX: usize = 1_000_000;
/// More threads than any machine has cores only wait for each other.
const THREADS_MAX: usize = 1024;
/// No turn is larger.
const BYTES_MAX: usize = 1 << 30;

/// Most bytes of a result: below the first there is no room to say what was cut.
pub(crate) type ResultBytes = Size<{ crate::shape::MIN_BYTES }, { 64 << 20 }>;

/// The bounds of what is admitted and of what runs at once.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) batches: Count<COUNT_MAX>,
    pub(crate) batch_calls: Count<COUNT_MAX>,
    pub(crate) batch_bytes: Size<1024, BYTES_MAX>,
    pub(crate) session_calls: Count<COUNT_MAX>,
    pub(crate) calls: Count<COUNT_MAX>,
    pub(crate) batch_concurrency: Count<COUNT_MAX>,
    pub(crate) session_concurrency: Count<COUNT_MAX>,
    pub(crate) concurrency: Count<COUNT_MAX>,
    pub(crate) threads: Option<Count<THREADS_MAX>>,
    pub(crate) memory: Memory,
}

impl Object for Bounds {
    const WHAT: &'static str = "`bounds`";
    const DOC: &'static str = "What is admitted and what runs at once. A turn over a bound is \
                               refused before any effect.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let default = default_bounds();
        let batches =
            fields.or("batches", Count(default.batches_max), "Most open batches of the process.");
        let batch_calls =
            fields.or("batch_calls", Count(default.batch_calls_max), "Most calls of one batch.");
        let batch_bytes = fields.or(
            "batch_bytes",
            Size(default.batch_bytes_max.get()),
            "Most bytes of all inputs of one batch.",
        );
        let session_calls = fields.or(
            "session_calls",
            Count(default.session_calls_max),
            "Most open calls of one session.",
        );
        let calls = fields.or("calls", Count(default.calls_max), "Most open calls of the process.");
        let batch_concurrency = fields.or(
            "batch_concurrency",
            Count(default.batch_concurrency),
            "Attempts of one batch in flight at once; more of its calls wait.",
        );
        let session_concurrency = fields.or(
            "session_concurrency",
            Count(default.session_concurrency),
            "Attempts of one session in flight at once; more of its calls wait.",
        );
        let concurrency = fields.or(
            "concurrency",
            Count(default.concurrency),
            "Attempts of the process in flight at once; more calls wait.",
        );
        let threads = fields.optional(
            "threads",
            "Threads that run the work. As many as there are CPUs to be had, by the cgroup's \
             quota, where none are named.",
        );
        let memory = fields.section("memory");
        Some(Self {
            batches: batches?,
            batch_calls: batch_calls?,
            batch_bytes: batch_bytes?,
            session_calls: session_calls?,
            calls: calls?,
            batch_concurrency: batch_concurrency?,
            session_concurrency: session_concurrency?,
            concurrency: concurrency?,
            threads: threads?,
            memory: memory?,
        })
    }
}

impl Bounds {
    /// What holds of the machine.
    pub(crate) fn overload(&self) -> overload::Settings {
        overload::Settings {
            threads: self.threads.map(|threads| threads.0),
            memory: self.memory.0.clone(),
        }
    }
}

/// What holds where nothing nearer says otherwise.
#[derive(Debug)]
pub(crate) struct Defaults {
    pub(crate) timeout: Duration,
    pub(crate) batch_timeout: Duration,
    pub(crate) max_bytes: ResultBytes,
}

impl Defaults {
    /// Time for a call.
    pub(crate) const TIMEOUT: Duration = tool::Settings::TIMEOUT;
    /// Bytes of a result.
    pub(crate) const MAX_BYTES: usize = tool::Settings::RESULT_BYTES_MAX;
}

impl Object for Defaults {
    const WHAT: &'static str = "`defaults`";
    const DOC: &'static str = "What holds where nothing nearer says otherwise.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let timeout = fields.or(
            "timeout",
            Self::TIMEOUT,
            "Time for a call, waits included, where neither the request, the tool nor its API \
             names one.",
        );
        let batch_timeout = fields.or(
            "batch_timeout",
            default_bounds().batch_timeout,
            "Time for a batch where neither the request nor the RPC's deadline names one.",
        );
        let max_bytes = fields.or(
            "max_bytes",
            Size(Self::MAX_BYTES),
            "Most bytes of a result that the model sees, where its tool names none.",
        );
        Some(Self { timeout: timeout?, batch_timeout: batch_timeout?, max_bytes: max_bytes? })
    }
}
