//! `sidecall schema`: Prints the JSON Schema of the configuration.

use std::io::Write;

use super::Exit;

/// Prints the JSON Schema of the configuration.
///
/// Draft 2020-12. An editor with it completes keys and shows what each is for:
/// `# yaml-language-server: $schema=sidecall.schema.json` on the first line.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let Args {} = args;
    // A reader that has had enough, such as `head`, is no fault.
    let _ = writeln!(anstream::stdout(), "{:#}", crate::config::schema());
    Exit::Well
}
