//! `sidecall serve`: Serves until it is told to stop.

use std::{io::Write, net::SocketAddr, path::PathBuf};

use super::{ConfigArgs, Exit};
use crate::{
    app::{self, Bound, overload::Machine, reload::Watched},
    config::{self, Config},
    overload::Memory,
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
    /// Listens on this address, instead of where the configuration says. Port 0
    /// takes any free one. TLS and the rest of `listen.tcp` are the
    /// configuration's; without any of it only loopback is taken.
    #[arg(long, value_name = "IP:PORT")]
    tcp: Option<SocketAddr>,
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    match configured(args) {
        Ok((config, watched, logging)) => serve(config, watched, logging),
        Err(error) => {
            // Where not even this can be said, the exit code says it.
            let _ = writeln!(anstream::stderr(), "error: {error:#}");
            Exit::Usage
        }
    }
}

/// The configuration, with what the command line says in its place, where it comes
/// from, and the log, which has begun.
fn configured(args: Args) -> anyhow::Result<(Config, Watched, Logging)> {
    let Args { config: ConfigArgs { config: path }, unix, tcp } = args;
    let path = path.ok_or_else(|| {
        anyhow::anyhow!("no configuration: name its file with `-c FILE` or `SIDECALL_CONFIG`")
    })?;
    let (config, sources) = config::load_from(&path);
    let overrides = move |config: Config| {
        let listen = overridden(config.listen, unix.clone(), tcp);
        Config { listen, ..config }
    };
    let config = overrides(config?);
    let logging = log::init(&config.log, &config.telemetry.secrets)?;
    for config::Fault { line, column, path, what, fix, .. } in &config.warnings.warnings {
        tracing::warn!(file = config.warnings.name, line, column, "{path}: {what}; {fix}");
    }
    Ok((config, Watched { path, sources, overrides: Box::new(overrides) }, logging))
}

/// Where the flags say, and nowhere else; where the configuration says, if they
/// say nothing. A socket keeps the mode and group that are configured, an address
/// what guards it.
fn overridden(
    configured: listen::Settings,
    unix: Option<PathBuf>,
    tcp: Option<SocketAddr>,
) -> listen::Settings {
    if unix.is_none() && tcp.is_none() {
        return configured;
    }
    let listen::Settings { unix: socket, tcp: guards, authenticated } = configured;
    let socket = socket.unwrap_or_default();
    let tcp = tcp.map(|address| match guards {
        Some(guards) => listen::Tcp { address, ..guards },
        None => listen::Tcp::new(address),
    });
    listen::Settings { unix: unix.map(|path| listen::Unix { path, ..socket }), tcp, authenticated }
}

/// Serves, and writes at the end what waits in the log.
fn serve(config: Config, watched: Watched, logging: Logging) -> Exit {
    let machine = Machine::find(&config.overload);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(machine.threads.get())
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "The runtime cannot be started.");
            return Exit::Unreachable;
        }
    };
    let exit = runtime.block_on(async {
        machine.tell();
        match bind(config, watched, logging.levels.clone(), machine.memory) {
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

fn bind(
    config: Config,
    watched: Watched,
    levels: Levels,
    memory: Option<Memory>,
) -> Result<Bound, Error> {
    let telemetry = config.telemetry.clone();
    let mut bound = app::bind_process(config, levels, memory)?;
    app::signal::watch(&bound.drain)?;
    if let Some(reload) = bound.reload() {
        app::reload::watch(reload, watched, &bound.drain)?;
    }
    let addresses = addresses(&bound).join(" and ");
    let tools = bound.tools.iter().count();
    let plural = if tools == 1 { "" } else { "s" };
    tracing::info!("Serving {tools} tool{plural} on {addresses}.");
    tracing::info!("{}", telemetry.ways(bound.admin()));
    Ok(bound)
}

fn addresses(bound: &Bound) -> Vec<String> {
    let unix = bound.unix.as_ref().map(|path| format!("unix://{}", path.display()));
    let scheme = if bound.is_tls() { "https" } else { "http" };
    let tcp = bound.tcp.map(|address| format!("{scheme}://{address}"));
    unix.into_iter().chain(tcp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured() -> listen::Settings {
        let unix = listen::Unix { path: "/a".into(), mode: 0o660, group: Some("agents".into()) };
        let tls = listen::Tls { certificate: "c".into(), key: "k".into(), client_ca: None };
        let tcp = listen::Tcp {
            tls: Some(tls),
            exposed: true,
            ..listen::Tcp::new(([127, 0, 0, 1], 1).into())
        };
        listen::Settings { unix: Some(unix), tcp: Some(tcp), authenticated: true }
    }

    #[test]
    fn flags_replace_where_it_listens_and_keep_who_may_connect() {
        assert_eq!(overridden(configured(), None, None), configured());

        let unix = overridden(configured(), Some("/b".into()), None);
        assert_eq!(unix.tcp, None);
        let socket = unix.unix.unwrap();
        assert_eq!((socket.path, socket.mode), ("/b".into(), 0o660));
        assert_eq!(socket.group.as_deref(), Some("agents"));

        let address = ([127, 0, 0, 1], 2).into();
        let tcp = overridden(configured(), None, Some(address));
        assert_eq!((tcp.unix, tcp.authenticated), (None, true));
        assert_eq!(tcp.tcp, Some(listen::Tcp { address, ..configured().tcp.unwrap() }));
        let tcp = overridden(listen::Settings::default(), None, Some(address));
        assert_eq!(tcp.tcp, Some(listen::Tcp::new(address)));
    }
}
