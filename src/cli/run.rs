//! `sidecall run`: Runs one turn and prints its results.

use super::Exit;

/// Runs one turn and prints its results.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let Args {} = args;
    Exit::Usage
}
