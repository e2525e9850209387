//! `sidecall check`: Checks a configuration and says everything that is wrong with it.

use super::Exit;

/// Checks a configuration and says everything that is wrong with it.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let Args {} = args;
    Exit::Usage
}
