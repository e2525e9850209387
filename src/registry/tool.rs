//! A tool: what a model may call, and how it is run.

use std::{
    num::NonZeroU32,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::Schema;
use crate::{
    backend::Backend,
    cache::{self, Cache, Writes},
    locks::Claims,
    model::{ApiName, ApiOrdering, Effect, Json, ToolName},
    retry,
    telemetry::spans,
};

/// What is declared of a tool, whatever its backend.
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
    /// Whether its API keeps block order.
    pub ordering: ApiOrdering,
    /// What its calls read and write.
    pub claims: Claims,
    /// Whether references in its input are resolved where the turn asks for it.
    pub references: bool,
    /// Most bytes of a result that the model sees.
    pub result_bytes_max: usize,
    /// How its failed attempts are made again, by one policy for all tools of its
    /// API; `None` where they are not.
    pub retry: Option<Arc<retry::Policy>>,
    /// What is taken for its result when it fails for good.
    pub fallback: Option<Json>,
    /// How long its answers hold; `None` where each call asks anew.
    pub cache: Option<cache::Settings>,
}

impl Settings {
    /// Time for a call where nothing names one.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
    /// Bytes of a result where nothing names a bound: 100 KiB, about 25,000
    /// tokens.
    pub const RESULT_BYTES_MAX: usize = 100 << 10;

    /// A tool of which nothing more is declared.
    pub fn new(name: ToolName, schema: Schema, api: ApiName) -> Self {
        Self {
            name,
            description: String::new(),
            schema,
            api,
            timeout: Self::TIMEOUT,
            latency: None,
            cost: NonZeroU32::MIN,
            after: Vec::new(),
            ordering: ApiOrdering::default(),
            claims: Claims::default(),
            references: true,
            result_bytes_max: Self::RESULT_BYTES_MAX,
            retry: None,
            fallback: None,
            cache: None,
        }
    }

    /// The API that runs its calls in block order among others, where nothing
    /// more exact is declared of what they do.
    pub fn turn(&self, effect: Effect) -> Option<&ApiName> {
        let is_in_turn = self.ordering == ApiOrdering::Writes
            && effect != Effect::ReadOnly
            && self.claims.is_empty();
        is_in_turn.then_some(&self.api)
    }
}

/// A tool: what a model may call, and how it is run. What was declared of it is
/// read as its own.
#[derive(Debug)]
pub struct Tool {
    settings: Settings,
    /// What running it twice means.
    pub effect: Effect,
    /// How long it usually runs.
    pub latency: Latency,
    /// The writes to its API, shared with the API's other tools.
    pub writes: Arc<Writes>,
    /// Its answers that still hold, where it keeps any.
    pub cache: Option<Arc<Cache>>,
    /// How an attempt is made.
    pub backend: Arc<dyn Backend>,
    /// What is told of its calls, where it is a worker's: what the configuration has
    /// was told when the process began.
    pub offered: Option<Arc<spans::Tool>>,
}

impl Tool {
    /// A tool of these settings on this backend.
    pub fn new(settings: Settings, effect: Effect, backend: Arc<dyn Backend>) -> Self {
        let latency = Latency::new(settings.latency);
        let (writes, cache, offered) = (Arc::default(), None, None);
        Self { settings, effect, latency, writes, cache, backend, offered }
    }

    /// The same as a worker's.
    #[must_use]
    pub(super) fn offered(self) -> Self {
        let told = spans::Tool {
            name: self.name.as_str().into(),
            description: self.description.as_str().into(),
            api: self.api.as_str().into(),
            // Run where the agent is: the convention's word for it.
            kind: "function",
        };
        Self { offered: Some(Arc::new(told)), ..self }
    }

    /// The same among the tools that share `writes`.
    #[must_use]
    pub(super) fn sharing(self, writes: &Arc<Writes>) -> Self {
        // What may change something is never answered from memory.
        let settings = self.settings.cache.filter(|_| self.effect == Effect::ReadOnly);
        let cache = settings.map(|settings| Arc::new(Cache::new(settings, Arc::clone(writes))));
        Self { writes: Arc::clone(writes), cache, ..self }
    }

    /// The same in the place of the tool that had its name: what was measured of that
    /// one holds for this one, and its answers do where they are the answers to the
    /// same requests.
    #[must_use]
    pub(super) fn succeeding(self, before: &Self, asks_the_same: bool) -> Self {
        let latency = before.latency.declared_as(self.settings.latency);
        let is_its = |(own, other): &(&Arc<Cache>, &Arc<Cache>)| own.settings() == other.settings();
        let kept = self.cache.as_ref().zip(before.cache.as_ref()).filter(|_| asks_the_same);
        let kept = kept.filter(is_its).map(|(_, kept)| Arc::clone(kept));
        Self { latency, cache: kept.or(self.cache), ..self }
    }

    /// The API that runs its calls in block order among others.
    pub fn turn(&self) -> Option<&ApiName> {
        self.settings.turn(self.effect)
    }

    /// How long it is declared to run.
    pub(super) fn declared_latency(&self) -> Option<Duration> {
        self.settings.latency
    }
}

impl Deref for Tool {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// How long a tool usually runs: declared, then measured as an exponentially
/// weighted moving average of its successful attempts.
#[derive(Debug)]
pub struct Latency {
    declared: Option<Duration>,
    /// Microseconds; 0 while nothing was measured. Shared by all that had its tool's
    /// name.
    measured_us: Arc<AtomicU64>,
}

impl Latency {
    /// What is taken where nothing is declared or measured.
    pub const UNKNOWN: Duration = Duration::from_secs(1);

    /// Nothing measured yet.
    pub fn new(declared: Option<Duration>) -> Self {
        Self { declared, measured_us: Arc::default() }
    }

    /// The same measurements, where something else is declared.
    fn declared_as(&self, declared: Option<Duration>) -> Self {
        Self { declared, measured_us: Arc::clone(&self.measured_us) }
    }

    /// What to expect of the next run.
    pub fn expected(&self) -> Duration {
        self.measured().or(self.declared).unwrap_or(Self::UNKNOWN)
    }

    /// What its runs took; `None` until there was one.
    pub fn measured(&self) -> Option<Duration> {
        match self.measured_us.load(Ordering::Relaxed) {
            0 => None,
            measured => Some(Duration::from_micros(measured)),
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
        assert_eq!(latency.measured(), None);
        latency.record(Duration::from_millis(100));
        assert_eq!(latency.expected(), Duration::from_millis(100));
        latency.record(Duration::from_millis(200));
        assert_eq!(latency.expected(), Duration::from_millis(120));
    }
    #[test]
    fn what_was_measured_holds_where_something_else_is_declared() {
        let before = Latency::new(Some(Duration::from_millis(200)));
        let early = before.declared_as(Some(Duration::from_millis(300)));
        assert_eq!(early.expected(), Duration::from_millis(300));
        before.record(Duration::from_millis(100));
        let after = before.declared_as(None);
        assert_eq!(after.expected(), Duration::from_millis(100));
        // A batch that runs teaches those that follow it.
        before.record(Duration::from_millis(200));
        assert_eq!((after.expected(), early.expected()), (before.expected(), before.expected()));
    }
}
