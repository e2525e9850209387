//! What is logged, by part of the program, and how to change that while it runs.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing_subscriber::EnvFilter;

/// Longer filters are no person's.
pub const FILTER_BYTES_MAX: usize = 1024;
/// What is logged where nothing is said.
const USUAL: &str = "info";
/// The levels, and what switches a part off.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Changes what is logged. Cheap to clone.
#[derive(Clone)]
pub struct Levels(Arc<Inner>);

struct Inner {
    configured: String,
    filter: Mutex<String>,
    /// Whether the filter was taken.
    set: Box<dyn Fn(EnvFilter) -> bool + Send + Sync>,
    /// Lines that found no room.
    dropped: Arc<AtomicU64>,
}

/// What is wrong with a filter.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}; {fix}")]
pub struct Fault {
    /// What.
    pub what: String,
    /// What to write instead.
    pub fix: &'static str,
}

/// Why the levels were not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is none.
    #[error(transparent)]
    Filter(#[from] Fault),
    /// There is nobody who logs any more.
    #[error("logging has ended")]
    Ended,
}

impl Levels {
    /// Those of a process that begins to log by this filter.
    pub fn new(configured: &str, set: impl Fn(EnvFilter) -> bool + Send + Sync + 'static) -> Self {
        Self::counting(configured, set, Arc::default())
    }

    /// The same, where somebody counts the lines that are dropped.
    pub(super) fn counting(
        configured: &str,
        set: impl Fn(EnvFilter) -> bool + Send + Sync + 'static,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        let configured = Some(configured.trim()).filter(|text| !text.is_empty()).unwrap_or(USUAL);
        let filter = Mutex::new(configured.to_owned());
        let configured = configured.to_owned();
        Self(Arc::new(Inner { configured, filter, set: Box::new(set), dropped }))
    }

    /// Lines that were dropped so far, since nobody read them in time.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// The filter that holds.
    pub fn filter(&self) -> String {
        self.0.filter.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The filter of the configuration.
    pub fn configured(&self) -> &str {
        &self.0.configured
    }

    /// Logs by this filter from now on.
    ///
    /// # Errors
    ///
    /// A filter that is none: then nothing has changed.
    pub fn set(&self, text: &str) -> Result<(), Error> {
        let filter = filter(text)?;
        // Held until it is done, so that what is said of it is what holds.
        let mut current = self.0.filter.lock().unwrap_or_else(PoisonError::into_inner);
        if !(self.0.set)(filter) {
            return Err(Error::Ended);
        }
        text.trim().clone_into(&mut current);
        drop(current);
        tracing::info!(filter = text.trim(), "What is logged was changed.");
        Ok(())
    }

    /// Logs by the configuration's filter again.
    ///
    /// # Errors
    ///
    /// There is nobody who logs any more.
    pub fn reset(&self) -> Result<(), Error> {
        self.set(&self.0.configured)
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Levels").field("filter", &self.filter()).finish_non_exhaustive()
    }
}

/// Reads a filter; nothing means `info`.
///
/// # Errors
///
/// What is wrong with it, and what to write.
pub fn filter(text: &str) -> Result<EnvFilter, Fault> {
    let text = Some(text.trim()).filter(|text| !text.is_empty()).unwrap_or(USUAL);
    check(text)?;
    // A pattern that a caller writes would be one that we run.
    let read = EnvFilter::builder().with_regex(false).parse(text);
    read.map_err(|_| Fault::of(text))
}

/// Checks a filter: levels, also by module, with commas between them.
///
/// # Errors
///
/// What is wrong with it, and what to write.
pub fn check(text: &str) -> Result<(), Fault> {
    if text.len() > FILTER_BYTES_MAX {
        let what = format!("the filter has {} bytes", text.len());
        return Err(Fault { what, fix: "write at most 1024" });
    }
    for directive in text.split(',').map(str::trim) {
        // The library takes any single word for a module of that name.
        let is_word = directive.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_level = LEVELS.iter().any(|level| directive.eq_ignore_ascii_case(level));
        let is_read = EnvFilter::builder().with_regex(false).parse(directive).is_ok();
        if directive.is_empty() || !is_read || is_word && !is_level && directive != "sidecall" {
            return Err(Fault::of(directive));
        }
    }
    Ok(())
}

impl Fault {
    fn of(directive: &str) -> Self {
        Self {
            what: format!("`{directive}` is no log filter"),
            fix: "write a level (`error`, `warn`, `info`, `debug`, `trace`) or \
                  `info,sidecall::rpc=debug`",
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::{layer::SubscriberExt, reload};

    use super::*;

    #[test]
    fn a_filter_that_is_none_is_refused_with_what_to_write() {
        for (text, word) in [
            ("info,sidecall=loud", "sidecall=loud"),
            ("sidecall=debug=trace", "sidecall=debug=trace"),
            ("[{", "[{"),
            ("inf", "inf"),
            ("info,", ""),
        ] {
            let error = filter(text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{word}` is no log filter")), "{error}");
            assert!(error.contains("write a level") && error.contains("`info`"), "{error}");
        }
        let long = filter(&"info,".repeat(300)).unwrap_err().to_string();
        assert_eq!(long, "the filter has 1500 bytes; write at most 1024");
    }

    #[test]
    fn an_empty_filter_means_info() {
        for text in ["", "  ", "info"] {
            assert_eq!(filter(text).unwrap().to_string(), "info");
        }
        assert_eq!(filter("warn,sidecall=debug").unwrap().to_string(), "sidecall=debug,warn");
    }

    #[test]
    fn levels_change_by_module_and_go_back_to_the_configured_ones() {
        let (layer, handle) = reload::Layer::new(filter("warn").unwrap());
        let levels = Levels::new("warn", move |filter| handle.reload(filter).is_ok());
        let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let logged = || {
            [
                tracing::enabled!(target: "sidecall::rpc", tracing::Level::DEBUG),
                tracing::enabled!(target: "sidecall::schedule", tracing::Level::DEBUG),
                tracing::enabled!(target: "sidecall::schedule", tracing::Level::WARN),
            ]
        };
        assert_eq!(logged(), [false, false, true]);
        levels.set(" error,sidecall::rpc=debug ").unwrap();
        assert_eq!(logged(), [true, false, false]);
        assert_eq!(levels.filter(), "error,sidecall::rpc=debug");
        // What is refused changes nothing.
        levels.set("loud").unwrap_err();
        assert_eq!(
            (logged(), &*levels.filter()),
            ([true, false, false], "error,sidecall::rpc=debug")
        );
        levels.reset().unwrap();
        assert_eq!((logged(), &*levels.filter()), ([false, false, true], "warn"));
        assert_eq!(levels.configured(), "warn");
    }

    #[test]
    fn levels_of_nobody_who_logs_are_not_changed() {
        let levels = Levels::new("", |_| false);
        assert!(matches!(levels.set("debug"), Err(Error::Ended)));
        assert_eq!(levels.filter(), "info");
    }
}
