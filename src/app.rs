//! The only place that assembles: APIs, tools, scheduler, listeners.
//!
//! [`bind`] makes everything and listens; [`Bound`] says where, and runs it.

use std::{net::SocketAddr, path::PathBuf};

use crate::{config::Config, drain::Drain};

/// A server that listens and does not serve yet.
#[derive(Debug)]
pub struct Bound {
    /// Its Unix socket.
    pub unix: Option<PathBuf>,
    /// Its TCP address, with the port that was taken.
    pub tcp: Option<SocketAddr>,
    /// Ends it: [`Drain::start`] lets running batches finish, [`Drain::kill`]
    /// does not.
    pub drain: Drain,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

/// Assembles what the configuration says and listens. Must be called within a
/// tokio runtime.
///
/// # Errors
///
/// [`Error`] says which part could not be made, and what to do.
pub fn bind(config: Config) -> Result<Bound, Error> {
    let _ = config;
    Ok(Bound { unix: None, tcp: None, drain: Drain::new() })
}

impl Bound {
    /// Serves until drained: until [`drain`](Self::drain) is started and every
    /// batch has ended, at the latest after the drain timeout.
    pub async fn run(self) {
        self.drain.draining().cancelled().await;
        self.drain.finished().await;
    }
}
