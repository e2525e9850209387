//! What the log is told of a collector that takes nothing: how much was lost, and why.

use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use tokio::time::error::Elapsed;

use crate::{
    clock::{self, Instant},
    model::Secrets,
};

/// How often the log is told at most: a collector that is away is away for long.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Remembers why, and what was told.
pub(super) struct Telling {
    endpoint: String,
    secrets: Secrets,
    /// Why the last message that was not taken was not.
    cause: Option<String>,
    told: u64,
    told_at: Option<Instant>,
}

/// What the log is to be told.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Loss<'a> {
    /// What was lost since it was told last.
    pub(super) lost: u64,
    pub(super) endpoint: &'a str,
    pub(super) cause: String,
}

impl Telling {
    /// Tells of this collector, and no secrets.
    pub(super) fn new(endpoint: &str, secrets: Secrets) -> Self {
        let endpoint = endpoint.to_owned();
        Self { endpoint, secrets, cause: None, told: 0, told_at: None }
    }

    /// Whether a message was taken; else why is remembered.
    pub(super) fn is_taken(&mut self, sent: Result<OTelSdkResult, Elapsed>) -> bool {
        let cause = match sent {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it did not answer in time".to_owned(),
        };
        self.cause = Some(self.secrets.redact(&cause).into_owned());
        false
    }

    /// What the log is to be told, now that so many were lost.
    pub(super) fn of(&mut self, lost: u64) -> Option<Loss<'_>> {
        let now = clock::now();
        let is_time = self.told_at.is_none_or(|told| now - told >= TELL_EVERY);
        if lost <= self.told || !is_time {
            return None;
        }
        let new = lost - self.told;
        (self.told, self.told_at) = (lost, Some(now));
        let cause = self.cause.take();
        let cause = cause.unwrap_or_else(|| "more came than leaves in time".to_owned());
        Some(Loss { lost: new, endpoint: &self.endpoint, cause })
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    fn refused(why: &str) -> Result<OTelSdkResult, Elapsed> {
        Ok(Err(OTelSdkError::InternalFailure(why.to_owned())))
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_is_told_with_its_cause_and_without_secrets_once_in_a_while() {
        let mut telling = Telling::new("http://c:4317", Secrets::new(["canary"]));
        assert!(telling.is_taken(Ok(Ok(()))));
        assert_eq!(telling.of(0), None, "nothing was lost");
        assert!(!telling.is_taken(refused("code: Unauthenticated, not canary")));
        let loss = telling.of(3).unwrap();
        assert_eq!((loss.lost, loss.endpoint), (3, "http://c:4317"));
        assert!(loss.cause.contains("Unauthenticated, not [redacted]"), "{}", loss.cause);

        tokio::time::advance(TELL_EVERY - Duration::from_millis(1)).await;
        assert_eq!(telling.of(5), None, "it was told a moment ago");
        tokio::time::advance(Duration::from_millis(1)).await;
        let late = tokio::time::timeout(Duration::ZERO, std::future::pending()).await;
        assert!(!telling.is_taken(late));
        let loss = telling.of(5).unwrap();
        assert_eq!((loss.lost, &*loss.cause), (2, "it did not answer in time"));

        tokio::time::advance(TELL_EVERY).await;
        assert_eq!(telling.of(6).unwrap().cause, "more came than leaves in time");
        assert_eq!(telling.of(6), None);
    }
}
