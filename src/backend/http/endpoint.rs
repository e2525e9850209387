//! One tool's requests.

use std::sync::Arc;

use super::{Api, RequestSettings};
use crate::{
    backend::{Attempt, Backend, Error, Pending},
    model::{FailureCode, FailureOrigin, RetryAdvice, Sent},
};

/// One tool's way to its API.
#[derive(Debug)]
pub struct Endpoint {
    api: Arc<Api>,
    request: RequestSettings,
}

impl Endpoint {
    /// The tool's requests to `api`.
    pub fn new(api: Arc<Api>, request: RequestSettings) -> Self {
        Self { api, request }
    }
}

impl Backend for Endpoint {
    fn attempt(&self, attempt: Attempt) -> Pending {
        let message = format!("{} {:?} {:?}", self.api.settings().name, self.request, attempt);
        Box::pin(async move {
            Err(Error {
                code: FailureCode::Internal,
                origin: FailureOrigin::Sidecall,
                retry: RetryAdvice::Never,
                message,
                sent: Sent::No,
                retry_after: None,
                cause: None,
            })
        })
    }
}
