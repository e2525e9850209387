//! `sidecall completions`: Prints a shell's completion script.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, client::Error, command};

/// Prints a shell's completion script.
#[derive(Debug, clap::Args)]
#[command(after_help = "For example: sidecall completions bash > \
                        ~/.local/share/bash-completion/completions/sidecall")]
pub struct Args {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    command::ended(write(args.shell, &mut io::stdout()).map(|()| Exit::Well).map_err(Error::from))
}

fn write(shell: Shell, out: &mut impl Write) -> io::Result<()> {
    // Made whole first: clap's own writer panics where the pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sidecall", &mut script);
    out.write_all(&script)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_completes_every_subcommand() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            write(*shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell} {}", command.get_name());
            }
        }
    }
}
