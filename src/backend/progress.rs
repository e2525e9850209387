//! How far attempts are, from those who make them to those who watch.
//!
//! Only the latest of each call is kept: whoever reports never waits, and whoever
//! reads slowly misses nothing that matters.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// How far an attempt is, as its tool says.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// How much is done, in the tool's own unit.
    pub done: Option<f64>,
    /// How much there is in all.
    pub total: Option<f64>,
    /// A line for people.
    pub message: Arc<str>,
}

/// The latest of each call of a batch: one at most, whatever is reported.
#[derive(Clone, Debug, Default)]
pub struct Reports(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    latest: Mutex<BTreeMap<usize, Report>>,
    news: Notify,
}

/// What was said of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The attempt that said it.
    pub attempt: NonZeroU32,
    /// What it said.
    pub progress: Progress,
}

/// Where one attempt says how far it is.
#[derive(Clone, Debug, Default)]
pub struct ProgressMark(Option<(Reports, usize, NonZeroU32)>);

impl Reports {
    /// Where an attempt of the call at that place reports.
    pub fn mark(&self, call: usize, attempt: NonZeroU32) -> ProgressMark {
        ProgressMark(Some((self.clone(), call, attempt)))
    }

    /// Ready once something was reported since the last time it was.
    pub async fn news(&self) {
        self.0.news.notified().await;
    }

    /// Takes what was reported, by the place of its call.
    pub fn take(&self) -> BTreeMap<usize, Report> {
        std::mem::take(&mut *self.lock())
    }

    /// Gives back what could not be told, unless there is something newer.
    pub fn give_back(&self, untold: BTreeMap<usize, Report>) {
        if untold.is_empty() {
            return;
        }
        let mut latest = self.lock();
        for (call, report) in untold {
            latest.entry(call).or_insert(report);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Report>> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProgressMark {
    /// Says how far the attempt is.
    pub fn set(&self, progress: Progress) {
        let Some((reports, call, attempt)) = &self.0 else { return };
        reports.lock().insert(*call, Report { attempt: *attempt, progress });
        reports.0.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(done: f64) -> Progress {
        Progress { done: Some(done), total: None, message: "".into() }
    }

    #[tokio::test]
    async fn only_the_latest_of_each_call_is_kept() {
        let reports = Reports::default();
        let first = reports.mark(0, NonZeroU32::MIN);
        let second = reports.mark(1, NonZeroU32::MIN);
        for done in 0..1000 {
            first.set(progress(f64::from(done)));
        }
        second.set(progress(7.0));
        reports.news().await;
        let told: Vec<_> = reports.take().into_values().map(|told| told.progress).collect();
        assert_eq!(told, [progress(999.0), progress(7.0)]);
        assert!(reports.take().is_empty());
    }

    #[test]
    fn what_is_newer_than_what_could_not_be_told_stays() {
        let reports = Reports::default();
        let mark = reports.mark(0, NonZeroU32::MIN);
        mark.set(progress(1.0));
        let untold = reports.take();
        mark.set(progress(2.0));
        reports.give_back(untold.clone());
        assert_eq!(reports.take()[&0].progress, progress(2.0));
        reports.give_back(untold);
        assert_eq!(reports.take()[&0].progress, progress(1.0));
    }
}
