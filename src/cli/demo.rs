//! `sidecall demo`: Shows what it does, on a small set of APIs of its own.

use super::Exit;

/// Shows what it does, on a small set of APIs of its own.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let Args {} = args;
    Exit::Usage
}
