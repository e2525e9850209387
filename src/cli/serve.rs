//! `sidecall serve`: Serves until it is told to stop.

use std::{net::SocketAddr, path::PathBuf};

use super::{ConfigArgs, Exit};

/// Serves until it is told to stop.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Listens on this Unix socket, whatever the configuration says.
    #[arg(long, value_name = "PATH")]
    unix: Option<PathBuf>,
    /// Listens on this TCP address, whatever the configuration says.
    #[arg(long, value_name = "IP:PORT")]
    tcp: Option<SocketAddr>,
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let _ = (args.config.config, args.unix, args.tcp);
    Exit::Usage
}
