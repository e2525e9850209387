//! The command line, a file per subcommand.
//!
//! A subcommand's file holds its arguments and its `run`; this one only lists
//! them and what they share. Nothing here knows how a batch is run.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub mod check;
pub mod completions;
pub mod demo;
pub mod healthcheck;
pub mod inject;
pub mod log;
pub mod plan;
pub mod run;
pub mod schema;
pub mod serve;
pub mod status;
pub mod tools;

mod client;
mod command;
mod follow;
mod frames;
mod rates;
mod refusal;
mod terminal;
mod turn;
mod waterfall;
mod wire;

/// Executes the tool calls of an LLM agent's turn: plans them, runs them at
/// once, streams every result.
#[derive(Debug, Parser)]
#[command(
    name = "sidecall",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 all well; 1 a call failed or something was found; 2 usage or \
                  configuration; 3 unreachable or refused."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Demo(demo::Args),
    Run(run::Args),
    Plan(plan::Args),
    Check(check::Args),
    Inject(inject::Args),
    Tools(tools::Args),
    Status(status::Args),
    Log(log::Args),
    Healthcheck(healthcheck::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

impl Cli {
    /// Runs the subcommand.
    pub fn run(self) -> Exit {
        match self.command {
            Command::Serve(args) => serve::run(args),
            Command::Demo(args) => demo::run(args),
            Command::Run(args) => run::run(args),
            Command::Plan(args) => plan::run(args),
            Command::Check(args) => check::run(args),
            Command::Inject(args) => inject::run(args),
            Command::Tools(args) => tools::run(args),
            Command::Status(args) => status::run(args),
            Command::Log(args) => log::run(args),
            Command::Healthcheck(args) => healthcheck::run(args),
            Command::Schema(args) => schema::run(args),
            Command::Completions(args) => completions::run(args),
        }
    }
}

/// How the program ends. The numbers are stable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// All well.
    Well = 0,
    /// A call failed, or something was found.
    Found = 1,
    /// The command line or the configuration is wrong. The number is clap's own.
    Usage = 2,
    /// The server is not to be reached, refused, or could not listen.
    Unreachable = 3,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Where the configuration is; flattened into the subcommands that need one.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigArgs {
    /// The configuration: one YAML file.
    #[arg(short, long, env = "SIDECALL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Where a running server is; flattened into the subcommands that ask one.
#[derive(Clone, Debug, Eq, PartialEq, clap::Args)]
pub struct AddressArgs {
    /// A running server: `unix:///path/to.sock`, `http://host:port` or
    /// `https://host:port`.
    #[arg(
        long,
        env = "SIDECALL_ADDRESS",
        value_name = "ADDRESS",
        default_value = "unix:///run/sidecall/sidecall.sock"
    )]
    pub address: String,
    #[command(flatten)]
    tls: TlsArgs,
}

/// What an `https://` address is spoken to with.
#[derive(Clone, Debug, Default, Eq, PartialEq, clap::Args)]
struct TlsArgs {
    /// The file of the authorities to trust at an `https://` address, in place of
    /// the system's: PEM.
    #[arg(long, env = "SIDECALL_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The file of the certificate to show there: PEM.
    #[arg(long, env = "SIDECALL_CERT", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The file of its private key: PEM.
    #[arg(long, env = "SIDECALL_KEY", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

impl From<String> for AddressArgs {
    /// An address that nothing more is known of.
    fn from(address: String) -> Self {
        Self { address, tls: TlsArgs::default() }
    }
}

/// A running server, and who calls it; flattened into the subcommands that call one.
#[derive(Clone, Debug, Eq, PartialEq, clap::Args)]
pub struct ServerArgs {
    /// Where it is.
    #[command(flatten)]
    pub at: AddressArgs,
    /// The file of the token that is shown to the server; `SIDECALL_TOKEN` may hold
    /// the token itself.
    #[arg(long, env = "SIDECALL_TOKEN_FILE", value_name = "PATH")]
    pub token_file: Option<PathBuf>,
}

impl From<String> for ServerArgs {
    /// A server that is shown nothing.
    fn from(address: String) -> Self {
        Self { at: address.into(), token_file: None }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
