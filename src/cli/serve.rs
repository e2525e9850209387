//! `sidecall serve`: Serves until it is told to stop.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
};

use tokio::sync::oneshot;

use super::{ConfigArgs, Exit};
use crate::{
    app::{
        self, Bound,
        overload::Machine,
        reload::Watched,
        signal::{self, Ends, Signals},
    },
    config::{self, Config},
    overload::Memory,
    rpc::{auth, listen},
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

/// The configuration, with what the command line says in its place, where it comes
/// from, and the log, which has begun.
type Configured = (Config, Watched, Logging);

/// Runs it.
pub fn run(args: Args) -> Exit {
    // Where not even this can be said, the exit code says it.
    let tell = |error: &dyn std::fmt::Display| {
        let _ = writeln!(anstream::stderr(), "error: {error:#}");
    };
    match start(args) {
        Ok((_, None)) => Exit::Well,
        Ok((signals, Some(Ok(configured)))) => serve(configured, signals),
        Ok((_, Some(Err(error)))) => {
            tell(&error);
            Exit::Usage
        }
        Err(error) => {
            tell(&format!("signals cannot be handled: {error}"));
            Exit::Unreachable
        }
    }
}

/// Listens for signals, then reads the configuration; nothing of it where a signal
/// ended the process before.
fn start(args: Args) -> io::Result<(Signals, Option<anyhow::Result<Configured>>)> {
    // How many threads the other has is said by the configuration.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let read = read(args, &mut signals.ends).await?;
        Ok((signals, read))
    })
}

/// The configuration, read by a thread of its own: standard input may never end.
async fn read(args: Args, ends: &mut Ends) -> io::Result<Option<anyhow::Result<Configured>>> {
    let (sender, read) = oneshot::channel();
    let thread = std::thread::Builder::new().name("start".to_owned());
    // Nobody waits for it once the process is to end.
    thread.spawn(move || drop(sender.send(configured(args))))?;
    tokio::select! {
        biased;
        () = ends.next() => Ok(None),
        read = read => Ok(Some(read.unwrap_or_else(|error| Err(error.into())))),
    }
}

fn configured(args: Args) -> anyhow::Result<Configured> {
    let Args { config: ConfigArgs { config: path }, unix, tcp } = args;
    let path = path.ok_or_else(|| {
        anyhow::anyhow!("no configuration: name its file with `-c FILE` or `SIDECALL_CONFIG`")
    })?;
    let (config, sources) = config::load_from(&path);
    let overrides = move |config: Config| {
        let listen = overridden(config.listen, unix.clone(), tcp);
        let config = Config { listen, ..config };
        if let Some(address) = tcp.filter(|_| shows_tokens(&config)) {
            tracing::warn!(
                "--tcp: tokens travel to {address} for everyone on the way to read; add \
                 `listen.tcp.tls: {{certificate: …, key: …}}`"
            );
        }
        config
    };
    let config = config?;
    let logging = log::init(&config.log, &config.telemetry.secrets)?;
    let config = overrides(config);
    for warning in &config.warnings.warnings {
        let config::Fault { line, column, .. } = warning;
        tracing::warn!(file = config.warnings.name, line, column, "{}", warning.in_one_line());
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
    let listen::Settings { unix: socket, tcp: guards, .. } = configured;
    let socket = socket.unwrap_or_default();
    let tcp = tcp.map(|address| match guards {
        Some(guards) => listen::Tcp { address, ..guards },
        None => listen::Tcp::new(address),
    });
    let unix = unix.map(|path| listen::Unix { path, ..socket });
    listen::Settings { unix, tcp, ..configured }
}

/// Whether callers' tokens can be read on the way.
fn shows_tokens(config: &Config) -> bool {
    let is_open = config.listen.tcp.as_ref().is_some_and(listen::Tcp::is_open);
    let are_shown = config.callers.as_ref().is_some_and(auth::Settings::takes_tokens);
    is_open && are_shown
}

/// Serves, and writes at the end what waits in the log.
fn serve((config, watched, logging): Configured, signals: Signals) -> Exit {
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
        match bind((config, watched), logging.levels.clone(), machine.memory, signals) {
            Ok(bound) => {
                bound.run().await;
                tracing::info!("Ended.");
                Exit::Well
            }
            Err(error) => {
                tracing::error!("Cannot serve: {error}");
                exit_of(&error)
            }
        }
    });
    // Nothing that still blocks, a name being looked up for instance, may hold
    // the end up.
    runtime.shutdown_background();
    exit
}

/// What a server that does not start ends with.
fn exit_of(error: &app::Error) -> Exit {
    match error {
        app::Error::NoSuchApi { .. } | app::Error::Api { .. } => Exit::Usage,
        app::Error::Telemetry(error) if error.is_in_the_settings() => Exit::Usage,
        app::Error::Listen(error) if error.is_in_the_settings() => Exit::Usage,
        app::Error::Telemetry(_)
        | app::Error::Admin(_)
        | app::Error::Listen(_)
        | app::Error::Descriptors(_) => Exit::Unreachable,
    }
}

fn bind(
    (config, watched): (Config, Watched),
    levels: Levels,
    memory: Option<Memory>,
    Signals { ends, hangup }: Signals,
) -> Result<Bound, app::Error> {
    let telemetry = config.telemetry.clone();
    let who = auth::who(config.callers.as_ref());
    let mut bound = app::bind_process(config, levels, memory)?;
    signal::watch(ends, &bound.drain);
    if let Some(reload) = bound.reload() {
        app::reload::watch(reload, watched, hangup, &bound.drain);
    }
    let addresses = addresses(&bound).join(" and ");
    let tools = bound.tools.iter().count();
    let plural = if tools == 1 { "" } else { "s" };
    tracing::info!("Serving {tools} tool{plural} on {addresses}.");
    tracing::info!("{}", telemetry.ways(bound.admin()));
    tracing::info!("As to callers: {who}.");
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
        let connections_max = std::num::NonZeroUsize::MIN;
        listen::Settings { unix: Some(unix), tcp: Some(tcp), connections_max, authenticated: true }
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
        assert_eq!(tcp.connections_max, configured().connections_max);
        assert_eq!(tcp.tcp, Some(listen::Tcp { address, ..configured().tcp.unwrap() }));
        let tcp = overridden(listen::Settings::default(), None, Some(address));
        assert_eq!(tcp.tcp, Some(listen::Tcp::new(address)));
    }
}
