//! When the configuration is read again: on SIGHUP, and when its files change.
//!
//! The files are looked at every second, and read when what a path leads to has
//! changed. Looks and reading are done aside, where a disk may hang.

use std::{mem, path::PathBuf, time::Duration};

use tokio::{signal::unix::Signal, time::sleep};

use super::{Applied, Reload};
use crate::{
    config::{self, Config, Error, Sources},
    drain::Drain,
    files::{Look, aside},
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// What has changed is read once it stayed as it is for so long: who writes in place
/// is not done with the first byte.
const SETTLED_AFTER: Duration = Duration::from_millis(200);
/// Looks after which it is read all the same.
const UNSETTLED_MAX: usize = 10;

/// Where the configuration comes from.
pub struct Watched {
    /// The file; `-` is standard input, which cannot be read again.
    pub path: PathBuf,
    /// What the running configuration was read from.
    pub sources: Sources,
    /// What the command line says in its place.
    pub overrides: Box<dyn Fn(Config) -> Config + Send + Sync>,
}

/// Reads the configuration again whenever it may have changed, until the process
/// drains. Must be called within a tokio runtime.
pub fn watch(reload: Reload, watched: Watched, hangup: Signal, drain: &Drain) {
    let draining = drain.draining().clone();
    let Watched { path, sources, overrides } = watched;
    let watch = Watch {
        reload,
        path,
        overrides,
        seen: Vec::new(),
        tried: sources.fingerprint,
        runs: sources,
    };
    drain.spawn(async move {
        tokio::select! {
            () = draining.cancelled() => {}
            () = watch.run(hangup) => {}
        }
    });
}

struct Watch {
    reload: Reload,
    path: PathBuf,
    overrides: Box<dyn Fn(Config) -> Config + Send + Sync>,
    /// What was seen of the files when they were last read; `None` of one that is
    /// not there, or was not looked at before it was read.
    seen: Vec<(PathBuf, Option<Look>)>,
    /// What runs.
    runs: Sources,
    /// What was read last.
    tried: [u8; 32],
}

impl Watch {
    async fn run(mut self, mut hangup: Signal) {
        let is_stdin = self.path.as_os_str() == "-";
        self.seen = looks(self.runs.files.clone()).await;
        // It may have changed while the process was starting.
        let mut is_due = true;
        loop {
            let is_asked = tokio::select! {
                Some(()) = hangup.recv() => true,
                () = sleep(EVERY), if !is_stdin => false,
            };
            if is_stdin {
                tracing::warn!(
                    "The configuration came by standard input: it cannot be read again."
                );
            } else if is_asked || mem::take(&mut is_due) || self.has_changed().await {
                self.read(is_asked).await;
            }
        }
    }

    /// Whether a path leads elsewhere by now. Waits until nobody writes any more.
    async fn has_changed(&mut self) -> bool {
        let mut now = self.look().await;
        if now == self.seen {
            return false;
        }
        for _ in 0..UNSETTLED_MAX {
            sleep(SETTLED_AFTER).await;
            let before = mem::replace(&mut now, self.look().await);
            if before == now {
                break;
            }
        }
        self.seen = now;
        true
    }

    async fn look(&self) -> Vec<(PathBuf, Option<Look>)> {
        looks(self.seen.iter().map(|(path, _)| path.clone()).collect()).await
    }

    /// Reads the configuration and takes it over, unless it is what runs or was
    /// refused before.
    async fn read(&mut self, is_asked: bool) {
        let path = self.path.clone();
        let Some((config, sources)) = aside(move || config::load_from(&path)).await else {
            tracing::error!("The configuration could not be read: there is no thread for it.");
            return;
        };
        self.follow(&sources);
        let was_tried = mem::replace(&mut self.tried, sources.fingerprint) == sources.fingerprint;
        if sources.fingerprint == self.runs.fingerprint {
            if self.reload.reloads().holds() {
                tracing::info!("The configuration is again the one that runs.");
            } else if is_asked {
                tracing::info!("The configuration is as it was: nothing has changed.");
            }
            return;
        }
        if was_tried && !is_asked {
            return;
        }
        match config {
            Ok(_) if sources.is_empty => {
                self.keep(&format!("{} is empty", self.path.display()));
            }
            Ok(config) => self.apply((self.overrides)(config), sources),
            Err(error) => self.refuse(&error),
        }
    }

    /// From now on the files that the last configuration named are looked at, and
    /// those of the one that runs.
    fn follow(&mut self, sources: &Sources) {
        let mut files = self.runs.files.clone();
        files.extend(sources.files.iter().filter(|file| !self.runs.files.contains(file)).cloned());
        let mut before = mem::take(&mut self.seen);
        self.seen = files
            .into_iter()
            .map(|file| {
                // One that is new counts as changed, so that it is read again: it may
                // have, since it was read.
                let look = before.iter_mut().find(|(path, _)| *path == file);
                let look = look.and_then(|(_, look)| look.take());
                (file, look)
            })
            .collect();
    }

    fn apply(&mut self, config: Config, sources: Sources) {
        let warnings = config.warnings.clone();
        for warning in &warnings.warnings {
            let config::Fault { line, column, .. } = warning;
            tracing::warn!(file = warnings.name, line, column, "{}", warning.in_one_line());
        }
        match self.reload.apply(config) {
            Ok(Applied { generation, needs_restart }) => {
                self.runs = sources;
                tracing::info!(
                    config.generation = generation,
                    "The configuration was read again and holds from now on."
                );
                for key in needs_restart {
                    tracing::warn!(key, "{key} changed: needs a restart. The rest holds already.");
                }
            }
            Err(error) => self.keep(&error.to_string()),
        }
    }

    /// What ran goes on.
    fn keep(&self, why: &str) {
        self.reload.reloads().refused(why);
        tracing::error!("The configuration was not taken over: {why}. What ran goes on.");
    }

    fn refuse(&self, error: &Error) {
        match error {
            Error::Unreadable { .. } => self.keep(&error.to_string()),
            Error::Faults(all @ config::Faults { name, faults }) => {
                self.reload.reloads().refused(&all.in_lines());
                for fault in faults.iter().take(FAULTS_MAX) {
                    let config::Fault { line, column, .. } = fault;
                    tracing::error!(file = name, line, column, "{}", fault.in_one_line());
                }
                tracing::error!(
                    file = name,
                    config.faults = faults.len(),
                    "The configuration was not taken over, since it is faulty. What ran goes on."
                );
            }
        }
    }
}

/// Faults that are logged: nobody mends more at a time.
const FAULTS_MAX: usize = 50;

/// A look at each.
async fn looks(paths: Vec<PathBuf>) -> Vec<(PathBuf, Option<Look>)> {
    let look = |path: PathBuf| {
        let look = Look::at(&path);
        (path, look)
    };
    let unseen = paths.iter().map(|path| (path.clone(), None)).collect();
    aside(move || paths.into_iter().map(look).collect()).await.unwrap_or(unseen)
}
