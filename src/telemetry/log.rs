//! Logs on stderr.
//!
//! A message is a sentence that reads alone; its values stand beside it as
//! fields. Never in a log: inputs, results, secrets.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

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
    #[error(
        "the log filter {filter:?} is not valid: {cause}; write a level, or levels by part: \
         `info`, `warn,sidecall=debug`"
    )]
    Filter {
        /// What was written.
        filter: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Somebody else logs already.
    #[error("logging was set up before")]
    Taken,
}

/// Starts logging, once per process.
///
/// # Errors
///
/// [`Error`] says what is wrong with the settings.
pub fn init(settings: &Settings) -> Result<(), Error> {
    let filter = filter(&settings.filter)?;
    let lines = lines(settings.format, io::stderr, io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(|_| Error::Taken)
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

fn filter(text: &str) -> Result<EnvFilter, Error> {
    let text = if text.trim().is_empty() { "info" } else { text };
    EnvFilter::builder()
        .parse(text)
        .map_err(|cause| Error::Filter { filter: text.to_owned(), cause: cause.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_refused_with_what_to_write() {
        for text in ["info,sidecall=loud", "sidecall=debug=trace", "[{"] {
            let error = filter(text).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("`info`"), "{error}");
        }
    }

    #[test]
    fn an_empty_filter_means_info() {
        for text in ["", "  ", "info"] {
            assert_eq!(filter(text).unwrap().to_string(), "info");
        }
        assert_eq!(filter("warn,sidecall=debug").unwrap().to_string(), "sidecall=debug,warn");
    }
}
