//! An API's connections.

use std::sync::Arc;

use super::ApiSettings;

/// One upstream: its connections and credentials, shared by its tools.
#[derive(Debug)]
pub struct Api {
    settings: ApiSettings,
}

/// Why an API cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Api {
    /// Sets up the client. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// TLS cannot be set up.
    pub fn try_new(settings: ApiSettings) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self { settings }))
    }

    /// What it was made of.
    pub fn settings(&self) -> &ApiSettings {
        &self.settings
    }
}
