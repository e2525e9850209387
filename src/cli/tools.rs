//! `sidecall tools`: Lists the tools, for people or as a model's request has them.

use super::Exit;

/// Lists the tools, for people or as a model's request has them.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let Args {} = args;
    Exit::Usage
}
