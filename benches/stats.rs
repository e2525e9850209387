//! Order statistics of what was measured.

use std::time::Duration;

/// Durations of one thing, measured again and again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Takes one in, in the unit that the figures shall have.
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    /// Takes one in, in milliseconds.
    pub(crate) fn push_ms(&mut self, sample: Duration) {
        self.push(sample.as_secs_f64() * 1e3);
    }

    /// Takes all of `others` in.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.0.extend(&others.0);
    }

    /// The value that `part` (0 to 1) of the samples do not exceed; NaN of
    /// nothing, which keeps no bound.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (part * sorted.len() as f64).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    /// Their sum by their number.
    pub(crate) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// Half are below, half above.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The smallest.
    pub(crate) fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The largest.
    pub(crate) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The smallest and the largest, for a remark.
    pub(crate) fn spread(&self) -> String {
        format!("{:.2}-{:.2}", self.min(), self.max())
    }
}
