//! What is logged, by part of the program, and how to change that while it runs.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing_subscriber::EnvFilter;

use crate::model::nearest::nearest;

/// Longer filters are no person's.
pub const FILTER_BYTES_MAX: usize = 1024;
/// What is logged where nothing is said.
const USUAL: &str = "info";
/// The levels, and what switches a part off.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// This program, as filters name it, and its modules, each after the one that it is in.
const PROGRAM: &str = "sidecall";
const MODULES: &[&str] = include!(concat!(env!("OUT_DIR"), "/modules.rs"));
/// Whatever is logged: that this has changed.
const ALWAYS: &str = "sidecall::telemetry::log::levels=info";

/// Changes what is logged. Cheap to clone.
#[derive(Clone)]
pub struct Levels(Arc<Inner>);

struct Inner {
    configured: Mutex<String>,
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
    pub fix: String,
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
        let configured = completed(configured, USUAL);
        let filter = Mutex::new(configured.clone());
        let configured = Mutex::new(configured);
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
    pub fn configured(&self) -> String {
        self.0.configured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another configuration has this filter. Where somebody has set another one, that
    /// one holds on until it is [reset](Self::reset).
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn reconfigure(&self, configured: &str) -> Result<(), Error> {
        filter(configured)?;
        let configured = completed(configured, USUAL);
        let before = self.configured();
        if configured == before {
            return Ok(());
        }
        self.0.configured.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&configured);
        if self.filter() == before { self.hold(configured) } else { Ok(()) }
    }

    /// Logs by this filter from now on; where it says nothing of the rest, by the
    /// configuration's level there.
    ///
    /// # Errors
    ///
    /// A filter that is none: then nothing has changed.
    pub fn set(&self, text: &str) -> Result<(), Error> {
        check(text)?;
        let configured = self.configured();
        let directives = configured.split(',').map(str::trim);
        let rest = directives.rev().find(|directive| is_level(directive));
        self.hold(completed(text, rest.unwrap_or(USUAL)))
    }

    /// Logs by the configuration's filter again.
    ///
    /// # Errors
    ///
    /// There is nobody who logs any more.
    pub fn reset(&self) -> Result<(), Error> {
        self.hold(self.configured())
    }

    fn hold(&self, text: String) -> Result<(), Error> {
        let filter = read(&text)?;
        // Held until it is done, so that what is said of it is what holds.
        let mut current = self.0.filter.lock().unwrap_or_else(PoisonError::into_inner);
        if !(self.0.set)(filter) {
            return Err(Error::Ended);
        }
        current.clone_from(&text);
        drop(current);
        tracing::info!(filter = text, "What is logged was changed.");
        Ok(())
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Levels").field("filter", &self.filter()).finish_non_exhaustive()
    }
}

/// Reads a filter; `info` holds for all that it says nothing of.
///
/// # Errors
///
/// What is wrong with it, and what to write.
pub fn filter(text: &str) -> Result<EnvFilter, Fault> {
    if !text.trim().is_empty() {
        check(text)?;
    }
    read(&completed(text, USUAL))
}

fn read(text: &str) -> Result<EnvFilter, Fault> {
    // A pattern that a caller writes would be one that we run.
    let read = EnvFilter::builder().with_regex(false).parse(text);
    match (read, ALWAYS.parse()) {
        (Ok(filter), Ok(always)) => Ok(filter.add_directive(always)),
        _ => Err(Fault::of(text)),
    }
}

/// The filter with a level for the rest: the library would switch that off.
fn completed(text: &str, rest: &str) -> String {
    match text.trim() {
        "" => rest.to_owned(),
        text if text.split(',').any(is_level) => text.to_owned(),
        text => format!("{rest},{text}"),
    }
}

fn is_level(directive: &str) -> bool {
    LEVELS.iter().any(|level| directive.trim().eq_ignore_ascii_case(level))
}

/// Checks a filter: levels, also by module, with commas between them.
///
/// # Errors
///
/// What is wrong with it, and what to write.
pub fn check(text: &str) -> Result<(), Fault> {
    if text.len() > FILTER_BYTES_MAX {
        let what = format!("the filter has {} bytes", text.len());
        return Err(Fault { what, fix: "write at most 1024".to_owned() });
    }
    if text.trim().contains(char::is_control) {
        return Err(Fault::of_more("the filter has a control character or more than one line"));
    }
    for directive in text.split(',').map(str::trim) {
        // It would be one of a module that there is not.
        if directive.contains(char::is_whitespace) {
            return Err(Fault::of_more(&format!("`{directive}` has white space in it")));
        }
        // The library takes any single word for a module of that name.
        let is_word = directive.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_read = EnvFilter::builder().with_regex(false).parse(directive).is_ok();
        let is_none = directive.is_empty() || directive.starts_with('=') || !is_read;
        if is_none || is_word && !is_level(directive) && directive != PROGRAM {
            return Err(Fault::of(directive));
        }
        check_module(directive.split(['=', '[']).next().unwrap_or_default().trim())?;
    }
    Ok(())
}

/// Libraries may be called whatever they are, but a slip must not switch off what
/// somebody wanted to see.
fn check_module(target: &str) -> Result<(), Fault> {
    let (root, module) = match target.split_once("::") {
        Some((root, module)) => (root, Some(module)),
        None => (target, None),
    };
    let is_meant = root.starts_with(PROGRAM) || !nearest(root, [PROGRAM]).is_empty();
    let is_module = module.is_none_or(|module| MODULES.contains(&module));
    if !is_meant || root == PROGRAM && is_module {
        return Ok(());
    }
    let mut fix = format!("write `{PROGRAM}`");
    let mut known = String::new();
    for part in module.into_iter().flat_map(|module| module.split("::")) {
        let within = format!("{PROGRAM}::{known}");
        let there: Vec<_> = modules_in(&known).collect();
        let shown = |module: &&str| format!("`{within}{module}`");
        if there.contains(&part) {
            fix = format!("write {}", shown(&part));
            known = format!("{known}{part}::");
            continue;
        }
        let alike = nearest(part, there.iter().copied());
        if !alike.is_empty() {
            let alike: Vec<_> = alike.iter().map(shown).collect();
            fix = format!("write {}", alike.join(" or "));
        } else if !there.is_empty() {
            fix = format!("write `{within}` and one of {}", there.join(", "));
        }
        break;
    }
    Err(Fault { what: format!("`{target}` is no module of this program"), fix })
}

/// The modules that are in one themselves, whose path ends in `::`, or in the program.
fn modules_in(within: &str) -> impl Iterator<Item = &'static str> {
    let inner = MODULES.iter().filter_map(move |module| module.strip_prefix(within));
    inner.filter(|module| !module.contains("::"))
}

impl Fault {
    fn of(directive: &str) -> Self {
        Self {
            what: format!("`{directive}` is no log filter"),
            fix: "write a level (`error`, `warn`, `info`, `debug`, `trace`) or \
                  `info,sidecall::rpc=debug`"
                .to_owned(),
        }
    }

    /// Of what looks like several.
    fn of_more(what: &str) -> Self {
        let fix = "write one line, with commas between its parts: `info,sidecall::rpc=debug`";
        Self { what: what.to_owned(), fix: fix.to_owned() }
    }
}

#[cfg(test)]
mod tests;
