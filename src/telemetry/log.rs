//! Logs on stderr.
//!
//! A message is a sentence that reads alone; its values stand beside it as
//! fields. Never in a log: inputs, results, secrets. The last are taken out of every
//! line once more, whoever wrote it: libraries log, too.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use crate::model::Secrets;

pub mod levels;
mod redacting;

pub use levels::Levels;
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
}

/// Starts logging, once per process, without `secrets`. Gives what changes the
/// levels while it runs.
///
/// # Errors
///
/// [`Error`] says what is wrong with the settings.
pub fn init(settings: &Settings, secrets: &Secrets) -> Result<Levels, Error> {
    let (filter, handle) = reload::Layer::new(levels::filter(&settings.filter)?);
    let writer = Redacting::new(io::stderr, secrets.clone());
    let lines = lines(settings.format, writer, io::stderr().is_terminal());
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    subscriber.try_init().map_err(|_| Error::Taken)?;
    let set = move |filter: EnvFilter| handle.reload(filter).is_ok();
    Ok(Levels::new(&settings.filter, set))
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
