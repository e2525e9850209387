//! `sidecall serve`: Serves until it is told to stop.

use std::{io::Write, net::SocketAddr, path::PathBuf};

use super::{ConfigArgs, Exit};
use crate::{
    app::{self, Bound},
    config::{self, Config},
    rpc::listen,
    telemetry::log::{self, Levels, Logging},
};

/// Serves until it is told to stop.
///
/// The first SIGTERM or SIGINT drains: new turns are refused, running ones go
/// on to the drain timeout. The second stops at once.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Listens on this Unix socket, instead of where the configuration says.
    #[arg(long, value_name = "PATH")]
    unix: Option<PathBuf>,
    /// Listens on this loopback address, instead of where the configuration
    /// says. Port 0 takes any free one.
    #[arg(long, value_name = "IP:PORT")]
    tcp: Option<SocketAddr>,
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    match configured(args) {
        Ok((config, logging)) => serve(config, logging),
        Err(error) => {
            // Where not even this can be said, the exit code says it.
            let _ = writeln!(anstream::stderr(), "error: {error:#}");
            Exit::Usage
        }
    }
}

/// The configuration, with what the command line says in its place, and the log,
/// which has begun.
fn configured(args: Args) -> anyhow::Result<(Config, Logging)> {
    let Args { config: ConfigArgs { config: path }, unix, tcp } = args;
    let path = path.ok_or_else(|| {
        anyhow::anyhow!("no configuration: name its file with `-c FILE` or `SIDECALL_CONFIG`")
    })?;
    let mut config = config::load(&path)?;
    config.listen = overridden(config.listen, unix, tcp);
    let logging = log::init(&config.log, &config.telemetry.secrets)?;
    for config::Fault { line, column, path, what, fix, .. } in &config.warnings.warnings {
        tracing::warn!(file = config.warnings.name, line, column, "{path}: {what}; {fix}");
    }
    Ok((config, logging))
}

/// Where the flags say, and nowhere else; where the configuration says, if they
/// say nothing. A socket keeps the mode and group that are configured.
fn overridden(
    configured: listen::Settings,
    unix: Option<PathBuf>,
    tcp: Option<SocketAddr>,
) -> listen::Settings {
    if unix.is_none() && tcp.is_none() {
        return configured;
    }
    let socket = configured.unix.unwrap_or_default();
    listen::Settings { unix: unix.map(|path| listen::Unix { path, ..socket }), tcp }
}

/// Serves, and writes at the end what waits in the log.
fn serve(config: Config, logging: Logging) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "The runtime cannot be started.");
            return Exit::Unreachable;
        }
    };
    let exit = runtime.block_on(async {
        match bind(config, logging.levels.clone()) {
            Ok(bound) => {
                bound.run().await;
                tracing::info!("Ended.");
                Exit::Well
            }
            Err(error) => {
                tracing::error!("Cannot serve: {error}");
                error.exit()
            }
        }
    });
    // Nothing that still blocks, a name being looked up for instance, may hold
    // the end up.
    runtime.shutdown_background();
    exit
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    App(#[from] app::Error),
    #[error("signals cannot be handled: {0}")]
    Signals(#[from] std::io::Error),
}

impl Error {
    fn exit(&self) -> Exit {
        match self {
            Self::App(app::Error::NoSuchApi { .. } | app::Error::Api { .. }) => Exit::Usage,
            Self::App(app::Error::Telemetry(error)) if error.is_in_the_settings() => Exit::Usage,
            Self::App(app::Error::Listen(error)) if error.is_in_the_settings() => Exit::Usage,
            Self::App(
                app::Error::Telemetry(_)
                | app::Error::Admin(_)
                | app::Error::Listen(_)
                | app::Error::Descriptors(_),
            )
            | Self::Signals(_) => Exit::Unreachable,
        }
    }
}

fn bind(config: Config, levels: Levels) -> Result<Bound, Error> {
    let bound = app::bind_logging(config, levels)?;
    app::signal::watch(&bound.drain)?;
    let addresses = addresses(&bound).join(" and ");
    let tools = bound.tools.iter().count();
    let plural = if tools == 1 { "" } else { "s" };
    tracing::info!("Serving {tools} tool{plural} on {addresses}.");
    Ok(bound)
}

fn addresses(bound: &Bound) -> Vec<String> {
    let unix = bound.unix.as_ref().map(|path| format!("unix://{}", path.display()));
    let tcp = bound.tcp.map(|address| format!("http://{address}"));
    unix.into_iter().chain(tcp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured() -> listen::Settings {
        let unix = listen::Unix { path: "/a".into(), mode: 0o660, group: Some("agents".into()) };
        listen::Settings { unix: Some(unix), tcp: Some(([127, 0, 0, 1], 1).into()) }
    }

    #[test]
    fn flags_replace_where_it_listens_and_keep_who_may_connect() {
        assert_eq!(overridden(configured(), None, None), configured());

        let unix = overridden(configured(), Some("/b".into()), None);
        assert_eq!(unix.tcp, None);
        let socket = unix.unix.unwrap();
        assert_eq!((socket.path, socket.mode), ("/b".into(), 0o660));
        assert_eq!(socket.group.as_deref(), Some("agents"));

        let address = Some(([127, 0, 0, 1], 2).into());
        let tcp = overridden(configured(), None, address);
        assert_eq!((tcp.unix, tcp.tcp), (None, address));
    }
}
