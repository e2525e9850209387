//! What every subcommand does around its own work.

use std::{future::Future, io::Write};

use super::{Exit, client::Error};

/// Runs a subcommand's work on a runtime of its own and says what went wrong.
pub(crate) fn run(work: impl Future<Output = Result<Exit, Error>>) -> Exit {
    // A second thread, so that a server of our own does not wait for what is
    // drawn meanwhile.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime {
        Ok(runtime) => ended(runtime.block_on(work)),
        Err(error) => ended(Err(Error::Usage(format!("no runtime: {error}")))),
    }
}

/// Says on standard error what went wrong, if anything did.
pub(crate) fn ended(result: Result<Exit, Error>) -> Exit {
    match result {
        Ok(exit) => exit,
        Err(error) => {
            if !error.is_closed_pipe() {
                // Where not even this can be said, the exit code says it.
                let _ = writeln!(anstream::stderr(), "error: {error}");
            }
            error.exit()
        }
    }
}

/// Reads an option's seconds, within reason.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("write a number of seconds from 0.1 to 3600".to_owned()),
    }
}
