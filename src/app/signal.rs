//! SIGTERM and SIGINT: the first drains, the second kills.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use crate::drain::Drain;

/// Listens for signals until the process is killed. Must be called within a
/// tokio runtime.
///
/// # Errors
///
/// The system does not let signals be handled.
pub fn watch(drain: &Drain) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let of_task = drain.clone();
    drain.spawn(async move {
        loop {
            tokio::select! {
                () = of_task.killed().cancelled() => return,
                _ = terminate.recv() => obey(&of_task),
                _ = interrupt.recv() => obey(&of_task),
            }
        }
    });
    Ok(())
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
