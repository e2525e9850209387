//! The certificates that hold now: their files are looked at every few seconds.
//! They are read only when what is there has changed.

use std::{sync::Arc, time::Duration};

use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{Contents, Error, Served, Tls};
use crate::files::{Look, aside};

/// How long new certificates may wait for the next look.
const EVERY: Duration = Duration::from_secs(2);

/// What a new connection is served with. Those that are open keep theirs.
#[derive(Clone, Debug)]
pub(in super::super) struct Current(watch::Receiver<Served>);

impl Current {
    pub(in super::super) fn get(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.borrow().config)
    }

    /// When the first of its certificates ends, in seconds since 1970.
    pub(in super::super) fn ends_at(&self) -> Option<u64> {
        self.0.borrow().ends_at
    }
}

/// The files, and what was made of them.
#[derive(Debug)]
pub(in super::super) struct Files {
    settings: Tls,
    /// As they were when they could last be read.
    seen: Option<Vec<Look>>,
    /// Of what is served now.
    digest: [u8; 32],
    /// What is wrong with them and was told.
    fault: Option<Error>,
    current: watch::Sender<Served>,
}

impl Files {
    /// Reads them for the first time.
    ///
    /// # Errors
    ///
    /// They cannot be served with.
    pub(in super::super) fn open(settings: Tls) -> Result<(Self, Current), Error> {
        let seen = looks(&settings);
        let contents = super::read(&settings)?;
        let config = super::server(&settings, &contents)?;
        let (current, receiver) = watch::channel(config);
        let digest = contents.digest();
        Ok((Self { settings, seen, digest, fault: None, current }, Current(receiver)))
    }

    /// Follows them until everything ends.
    pub(in super::super) async fn follow(mut self, killed: CancellationToken) {
        let look = async move {
            loop {
                sleep(EVERY).await;
                self.look().await;
            }
        };
        tokio::select! {
            () = look => {}
            () = killed.cancelled() => {}
        }
    }

    /// Reads them if they have changed.
    async fn look(&mut self) {
        let (settings, seen) = (self.settings.clone(), self.seen.clone());
        let read = aside(move || {
            // Taken before they are read: what changes in between is seen next time.
            let found = looks(&settings);
            let is_new = found.is_none() || found != seen;
            is_new.then(|| (found, super::read(&settings)))
        });
        // Where there was no thread for it, there is another time.
        if let Some(Some((found, read))) = read.await {
            self.take(found, read);
        }
    }

    /// Takes what was read. What cannot be served with changes nothing, and is told
    /// once.
    fn take(&mut self, found: Option<Vec<Look>>, read: Result<Contents, Error>) {
        let made = read.and_then(|contents| {
            self.seen = found;
            let digest = contents.digest();
            let is_new = digest != self.digest;
            let config = is_new.then(|| super::server(&self.settings, &contents)).transpose()?;
            Ok((digest, config))
        });
        match made {
            Ok((_, None)) if self.fault.take().is_some() => {
                tracing::info!("The TLS certificates are again those that are served.");
            }
            Ok((_, None)) => {}
            Ok((digest, Some(config))) => {
                self.digest = digest;
                self.fault = None;
                self.current.send_replace(config);
                let file = self.settings.certificate.display();
                tracing::info!(%file, "New TLS certificates: connections to come get them.");
            }
            Err(fault) if self.fault.as_ref() == Some(&fault) => {}
            Err(fault) => {
                tracing::warn!("New TLS certificates are not taken, the old ones stay: {fault}");
                self.fault = Some(fault);
            }
        }
    }
}

/// `None` where one of them is not there.
fn looks(settings: &Tls) -> Option<Vec<Look>> {
    settings.paths().map(Look::at).collect()
}

impl Contents {
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()] {
            let part = part.map_or(&[][..], Vec::as_slice);
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests;
