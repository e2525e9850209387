//! An attempt as its backend sees it: what it carries on, and what it says of
//! itself.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU16, Ordering},
};

use http::HeaderMap;

use super::propagate::Carried;

/// One attempt on its way. The schedule keeps one half, the backend fills the
/// other: an attempt that is dropped has then said what it knew.
#[derive(Debug, Default)]
pub struct Outgoing {
    carried: Option<Carried>,
    target: OnceLock<Arc<Target>>,
    status: AtomicU16,
}

impl Outgoing {
    /// An attempt that carries this on.
    pub fn new(carried: Option<Carried>) -> Self {
        Self { carried, ..Self::default() }
    }

    /// Puts what it carries into the headers of a request.
    pub fn inject(&self, headers: &mut HeaderMap) {
        if let Some(carried) = &self.carried {
            carried.inject(headers);
        }
    }

    /// The trace that it is a part of, where there is one: for the log.
    pub fn trace_id(&self) -> Option<&str> {
        self.carried.as_ref()?.trace_id()
    }

    /// Says where it goes.
    pub fn goes_to(&self, target: &Arc<Target>) {
        // An attempt has one target: what was said first holds.
        let _ = self.target.set(Arc::clone(target));
    }

    /// Says the status of its answer, as its protocol numbers it.
    pub fn was_answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Where it went, as far as it came.
    pub fn target(&self) -> Option<&Arc<Target>> {
        self.target.get()
    }

    /// The status of its answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        Some(self.status.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }
}

/// What a tool's attempts have in common, in the words of a protocol: each has
/// conventions of its own for its spans.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Over HTTP.
    Http(Http),
    /// A function of a worker's process.
    Worker(Worker),
}

/// A worker's attempts at a tool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Worker {
    /// The worker's name for people.
    pub worker: Arc<str>,
    /// The tool.
    pub tool: Arc<str>,
}

/// A tool's requests over HTTP, without anything that came from an input. Every span of
/// an attempt shares the texts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Http {
    /// `GET`
    pub method: Arc<str>,
    /// The path with its slots: `/customers/{customer_id}`.
    pub template: Arc<str>,
    /// The whole address with its slots.
    pub url: Arc<str>,
    /// The host.
    pub address: Arc<str>,
    /// The port.
    pub port: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: &str) -> Arc<Target> {
        Arc::new(Target::Http(Http {
            method: method.into(),
            template: "/".into(),
            url: "http://a/".into(),
            address: "a".into(),
            port: 80,
        }))
    }

    #[test]
    fn an_attempt_that_said_nothing_has_nothing_to_tell() {
        let attempt = Outgoing::default();
        assert!(attempt.target().is_none() && attempt.status().is_none());
        let mut headers = HeaderMap::new();
        attempt.inject(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn what_was_said_first_of_a_target_holds() {
        let attempt = Outgoing::default();
        attempt.goes_to(&target("GET"));
        attempt.goes_to(&target("POST"));
        attempt.was_answered(404);
        assert_eq!(attempt.target(), Some(&target("GET")));
        assert_eq!(attempt.status(), Some(404));
    }
}
