//! Logs on stderr.
//!
//! A message is a sentence that reads alone; its values stand beside it as
//! fields. Never in a log: inputs, results, secrets. The last are taken out of every
//! line once more, whoever wrote it: libraries log, too.
//!
//! Nobody waits for whoever reads stderr: a thread writes, from a bounded queue.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal, Write},
    panic,
};

use serde_json::json;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter, format::Writer, time::FormatTime},
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use crate::model::Secrets;

pub mod levels;
mod queue;
mod redacting;

pub use levels::Levels;
use queue::Queue;
use redacting::Redacting;

/// How the process logs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    /// A `tracing` filter: `info`, `info,sidecall=debug`. Empty means `info`.
    pub filter: String,
    /// The form of a line.
    pub format: Format,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Why the process cannot log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is none.
    #[error("the log filter is not valid: {0}")]
    Filter(#[from] levels::Fault),
    /// Somebody else logs already.
    #[error("logging was set up before")]
    Taken,
    /// There is no thread to be had.
    #[error("the thread that writes the log cannot be started: {0}")]
    Thread(#[from] io::Error),
}

/// The log of the process. Dropped, it writes what waits; lines that come later are
/// lost.
pub struct Logging {
    /// What changes the levels while it runs.
    pub levels: Levels,
    _writing: queue::Writing,
}

/// Starts logging, once per process, without `secrets`. What a thread that panics
/// says goes the same way from here on.
///
/// # Errors
///
/// [`Error`] says what is wrong with the settings.
pub fn init(settings: &Settings, secrets: &Secrets) -> Result<Logging, Error> {
    let (filter, handle) = reload::Layer::new(levels::filter(&settings.filter)?);
    let (queue, writing) =
        Queue::start(io::stderr(), queue::Settings::default(), settings.format, notice)?;
    let dropped = queue.dropped();
    let panics = Redacting::new(queue.clone(), secrets.clone());
    let writer = Redacting::new(queue, secrets.clone());
    let lines = lines(settings.format, writer, io::stderr().is_terminal());
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    subscriber.try_init().map_err(|_| Error::Taken)?;
    let format = settings.format;
    panic::set_hook(Box::new(move |panic| {
        let line = line(format, "ERROR", &broken(panic));
        // It is a queue: nothing can go wrong.
        let _ = panics.make_writer().write_all(line.as_bytes());
    }));
    let set = move |filter: EnvFilter| handle.reload(filter).is_ok();
    let levels = Levels::counting(&settings.filter, set, dropped);
    Ok(Logging { levels, _writing: writing })
}

/// What the log says of a panic: that of the standard library.
fn broken(panic: &panic::PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => format!("thread '{name}' {panic}\n{backtrace}"),
        _ => format!("thread '{name}' {panic}"),
    }
}

/// What the log says of lines that found no room.
fn notice(lines: u64, format: Format) -> String {
    let plural = if lines == 1 { " was" } else { "s were" };
    let what = format!("{lines} line{plural} dropped, since nobody read the log in time.");
    line(format, "WARN", &what)
}

/// A line that no event is behind, so that no filter can keep it back.
fn line(format: Format, level: &str, message: &str) -> String {
    let mut now = String::new();
    // A string takes everything.
    let _ = fmt::time::SystemTime.format_time(&mut Writer::new(&mut now));
    match format {
        Format::Human => format!("{now} {level:>5} {message}\n"),
        Format::Json => {
            format!("{}\n", json!({"timestamp": now, "level": level, "message": message}))
        }
    }
}

/// Writes each event as a line of this form.
pub(crate) fn lines<S, W>(
    format: Format,
    writer: W,
    is_coloured: bool,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    match format {
        Format::Human => Box::new(lines.with_ansi(is_coloured).with_target(false)),
        Format::Json => Box::new(lines.json().flatten_event(true)),
    }
}
