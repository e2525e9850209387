//! Logs on stderr.

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
