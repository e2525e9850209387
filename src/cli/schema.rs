//! `sidecall schema`: Prints the JSON Schema of the configuration.

use super::Exit;

/// Prints the JSON Schema of the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let Args {} = args;
    Exit::Usage
}
