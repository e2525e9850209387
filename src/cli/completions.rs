//! `sidecall completions`: Prints a shell's completion script.

use super::Exit;

/// Prints a shell's completion script.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let Args {} = args;
    Exit::Usage
}
