//! SIGTERM and SIGINT: the first drains, the second kills.
//!
//! Until it is listened for, a SIGHUP ends the process, and the first process of a
//! container never sees a SIGTERM. So this comes before all else.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::drain::Drain;

/// The signals that a server is spoken to by. One that comes before it is waited for
/// is kept, also where the runtime is another by then.
#[derive(Debug)]
pub struct Signals {
    /// Those that end it.
    pub ends: Ends,
    /// The one that has the configuration read again.
    pub hangup: Signal,
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens for them. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The system does not let signals be handled.
    pub fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hangup = signal(SignalKind::hangup())?;
        Ok(Self { ends: Ends { terminate, interrupt }, hangup })
    }
}

impl Ends {
    /// Ready when the next has come.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Obeys signals until the process is killed. Must be called within a tokio runtime.
pub fn watch(mut ends: Ends, drain: &Drain) {
    let of_task = drain.clone();
    drain.spawn(async move {
        loop {
            tokio::select! {
                () = of_task.killed().cancelled() => return,
                () = ends.next() => obey(&of_task),
            }
        }
    });
}

fn obey(drain: &Drain) {
    if drain.is_draining() {
        tracing::warn!("A second signal: everything stops now.");
        drain.kill();
    } else {
        tracing::info!("Draining: running batches go on, new ones are refused.");
        drain.start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_drains_and_the_second_kills() {
        let drain = Drain::new();
        obey(&drain);
        assert!(drain.is_draining() && !drain.killed().is_cancelled());
        obey(&drain);
        assert!(drain.killed().is_cancelled());
    }
}
