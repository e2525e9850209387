//! The certificates that hold now: their files are looked at every few seconds.
//!
//! Looked at and not watched: Kubernetes swaps a symlink some directories above
//! them, which is what watching gets wrong. A look is a `stat` of each; what is
//! behind a link counts. They are read only when that has changed.

use std::{fs, os::unix::fs::MetadataExt, sync::Arc, time::Duration};

use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{Contents, Error, Tls};

/// How long new certificates may wait for the next look.
const EVERY: Duration = Duration::from_secs(2);

/// What a new connection is served with. Those that are open keep theirs.
#[derive(Clone, Debug)]
pub(in super::super) struct Current(watch::Receiver<Arc<ServerConfig>>);

impl Current {
    pub(in super::super) fn get(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.borrow())
    }
}

/// The files, and what was made of them.
#[derive(Debug)]
pub(in super::super) struct Files {
    settings: Tls,
    /// As they were when they could last be read.
    seen: Option<Vec<Stat>>,
    /// Of what is served now.
    digest: [u8; 32],
    /// What is wrong with them and was told.
    fault: Option<Error>,
    current: watch::Sender<Arc<ServerConfig>>,
}

/// What changes when a file does: the device, the inode, the length, and when it
/// and its inode last changed, by the nanosecond.
type Stat = (u64, u64, u64, [i64; 4]);

impl Files {
    /// Reads them for the first time.
    ///
    /// # Errors
    ///
    /// They cannot be served with.
    pub(in super::super) fn open(settings: Tls) -> Result<(Self, Current), Error> {
        let seen = stat(&settings);
        let contents = super::read(&settings)?;
        let config = super::server(&settings, &contents)?;
        let (current, receiver) = watch::channel(Arc::new(config));
        let digest = contents.digest();
        Ok((Self { settings, seen, digest, fault: None, current }, Current(receiver)))
    }

    /// Follows them until everything ends.
    pub(in super::super) async fn follow(self, killed: CancellationToken) {
        let look = async move {
            let mut files = self;
            loop {
                sleep(EVERY).await;
                // A disk that hangs holds up this and nothing else.
                let looked = tokio::task::spawn_blocking(move || {
                    files.look();
                    files
                });
                match looked.await {
                    Ok(same) => files = same,
                    Err(error) => {
                        tracing::error!(%error, "Certificates are not read again any more.");
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = look => {}
            () = killed.cancelled() => {}
        }
    }

    /// Reads them if they have changed. What cannot be served with changes nothing,
    /// and is told once.
    fn look(&mut self) {
        // Taken before they are read: what changes in between is seen next time.
        let found = stat(&self.settings);
        if found.is_some() && found == self.seen {
            return;
        }
        let made = super::read(&self.settings).and_then(|contents| {
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
                self.current.send_replace(Arc::new(config));
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
fn stat(settings: &Tls) -> Option<Vec<Stat>> {
    let of = |path| {
        let found = fs::metadata(path).ok()?;
        let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
        Some((found.dev(), found.ino(), found.len(), times))
    };
    settings.paths().map(of).collect()
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
