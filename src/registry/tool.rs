//! A tool: what a model may call, and how it is run.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::Schema;
use crate::{
    backend::Backend,
    model::{ApiName, Effect, Json, ToolName},
    retry,
};

/// What the configuration says of a tool, whatever its backend.
#[derive(Debug)]
pub struct Settings {
    /// Its name.
    pub name: ToolName,
    /// What it is for, for the model.
    pub description: String,
    /// What its input must be.
    pub schema: Schema,
    /// The API that it shares with others.
    pub api: ApiName,
    /// Time for a call that names none itself, waits included: the tool's, else
    /// its API's, else the default.
    pub timeout: Duration,
    /// How long it is declared to run.
    pub latency: Option<Duration>,
    /// Tokens that a call takes from every bucket of its API.
    pub cost: NonZeroU32,
    /// Tools whose calls in the same turn end before it starts.
    pub after: Vec<ToolName>,
    /// Whether references in its input are resolved where the turn asks for it.
    pub references: bool,
    /// Most bytes of a result that the model sees.
    pub result_bytes_max: usize,
}

/// A tool: what a model may call, and how it is run.
#[derive(Debug)]
pub struct Tool {
    /// Its name.
    pub name: ToolName,
    /// What it is for, for the model.
    pub description: String,
    /// What its input must be.
    pub schema: Schema,
    /// What running it twice means.
    pub effect: Effect,
    /// The API that it shares with others.
    pub api: ApiName,
    /// Time for a call that names none itself, waits included.
    pub timeout: Duration,
    /// How long it usually runs.
    pub latency: Latency,
    /// Tokens that a call takes from every bucket of its API.
    pub cost: NonZeroU32,
    /// Tools whose calls in the same turn end before it starts.
    pub after: Vec<ToolName>,
    /// Whether references in its input are resolved where the turn asks for it.
    pub references: bool,
    /// Most bytes of a result that the model sees.
    pub result_bytes_max: usize,
    /// How its failed attempts are made again; `None` where they are not.
    pub retry: Option<Arc<retry::Policy>>,
    /// What is taken for its result when it fails for good.
    pub fallback: Option<Json>,
    /// How an attempt is made.
    pub backend: Arc<dyn Backend>,
}

impl Tool {
    /// A tool of these settings on this backend.
    pub fn new(settings: Settings, effect: Effect, backend: Arc<dyn Backend>) -> Self {
        let Settings {
            name,
            description,
            schema,
            api,
            timeout,
            latency,
            cost,
            after,
            references,
            result_bytes_max,
        } = settings;
        Self {
            name,
            description,
            schema,
            effect,
            api,
            timeout,
            latency: Latency::new(latency),
            cost,
            after,
            references,
            result_bytes_max,
            retry: None,
            fallback: None,
            backend,
        }
    }

    /// The same, with its failed attempts made again by `policy`.
    #[must_use]
    pub fn with_retry(self, policy: Arc<retry::Policy>) -> Self {
        Self { retry: Some(policy), ..self }
    }

    /// The same, with something to take for its result when it fails for good.
    #[must_use]
    pub fn with_fallback(self, fallback: Json) -> Self {
        Self { fallback: Some(fallback), ..self }
    }
}

/// How long a tool usually runs: declared, then measured as an exponentially
/// weighted moving average of its successful attempts.
#[derive(Debug)]
pub struct Latency {
    declared: Option<Duration>,
    /// Microseconds; 0 while nothing was measured.
    measured_us: AtomicU64,
}

impl Latency {
    /// What is taken where nothing is declared or measured.
    pub const UNKNOWN: Duration = Duration::from_secs(1);

    /// Nothing measured yet.
    pub fn new(declared: Option<Duration>) -> Self {
        Self { declared, measured_us: AtomicU64::new(0) }
    }

    /// What to expect of the next run.
    pub fn expected(&self) -> Duration {
        match self.measured_us.load(Ordering::Relaxed) {
            0 => self.declared.unwrap_or(Self::UNKNOWN),
            measured => Duration::from_micros(measured),
        }
    }

    /// Takes in a measured run, with a weight of one fifth. Two runs that end
    /// together may lose one of them, which an average survives.
    pub fn record(&self, run: Duration) {
        let run = u64::try_from(run.as_micros()).unwrap_or(u64::MAX).max(1);
        let old = self.measured_us.load(Ordering::Relaxed);
        let new = if old == 0 { run } else { old - old / 5 + run / 5 };
        self.measured_us.store(new.max(1), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectation_goes_from_unknown_to_declared_to_measured() {
        let unknown = Latency::new(None);
        assert_eq!(unknown.expected(), Duration::from_secs(1));
        let latency = Latency::new(Some(Duration::from_millis(200)));
        assert_eq!(latency.expected(), Duration::from_millis(200));
        latency.record(Duration::from_millis(100));
        assert_eq!(latency.expected(), Duration::from_millis(100));
        latency.record(Duration::from_millis(200));
        assert_eq!(latency.expected(), Duration::from_millis(120));
    }
}
