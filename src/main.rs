//! The `sidecall` program: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    sidecall::cli::Cli::parse().run().into()
}
