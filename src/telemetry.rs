//! What the process says of itself.
//!
//! - `propagate`, `outgoing`: a caller's trace, in and out.
//! - `tracer`, `record`: who is traced, and what is written down while it runs.
//! - `spans`: the spans that are made of it, in the thread of
//! - `export`: the way to the collector.
//! - `names`: how everything is called.
//! - `log`: logs on stderr.

pub mod export;
pub mod log;
pub mod names;
pub mod outgoing;
pub mod propagate;
pub mod record;
pub mod spans;
pub mod tracer;

/// Those who watch the process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// Who takes down what happens; nobody, where there is nobody to tell.
    pub tracer: Option<tracer::Tracer>,
}

/// What is told to others.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to; nowhere where there is none, and then nothing is recorded.
    pub otlp: Option<export::Settings>,
    /// Which part of the traces that begin here is recorded, from 0 to 1. A
    /// caller's own trace is recorded as its caller decided.
    pub sampling: f64,
}

impl Default for Settings {
    /// Nothing is told.
    fn default() -> Self {
        Self { otlp: None, sampling: 1.0 }
    }
}
