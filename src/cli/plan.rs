//! `sidecall plan`: Prints what depends on what in a turn, and what it will take.

use super::Exit;

/// Prints what depends on what in a turn, and what it will take.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let Args {} = args;
    Exit::Usage
}
