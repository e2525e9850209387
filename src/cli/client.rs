//! The client side: a server that runs somewhere, or one of our own for the
//! length of a command.
//!
//! Both are spoken to over gRPC, so that what a command shows is what an agent
//! would get.

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
};

use clap::{ArgMatches, FromArgMatches, error::ErrorKind, parser::ValueSource};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tonic::{service::interceptor::InterceptedService, transport::Channel};

use super::{AddressArgs, ConfigArgs, Exit, ServerArgs, rates::Rates, refusal::Refusal};
use crate::{
    app,
    config::{self, Config},
    drain::Drain,
    proto::v1::sidecall_service_client::SidecallServiceClient,
    rpc::{self, listen},
};

mod address;
mod token;

pub(crate) use address::{channel, innermost};
use token::Shown;

/// Where a turn is run; flattened into the subcommands that ask a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// By a server of our own, for the length of the command.
    Config(PathBuf),
    /// By a server that runs.
    Address(ServerArgs),
}

/// The two ways, as clap knows them.
#[derive(Clone, Debug, clap::Args)]
struct TargetArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    server: ServerArgs,
}

impl clap::Args for Target {
    fn augment_args(command: clap::Command) -> clap::Command {
        // Said here, since only here both stand side by side.
        TargetArgs::augment_args(command).mut_arg("config", |arg| {
            arg.help("Runs in this process, with this configuration, instead of asking a server")
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Target {
    /// The command line is stronger than the environment; in the environment,
    /// as in a pod, the server that runs is meant.
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let TargetArgs { config, server } = TargetArgs::from_arg_matches(matches)?;
        let written = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let named = |id: &str| matches.value_source(id) == Some(ValueSource::EnvVariable);
        match config.config {
            Some(_) if written("config") && written("address") => Err(clap::Error::raw(
                ErrorKind::ArgumentConflict,
                "--config runs the turn here and --address asks a server: give one of them\n",
            )),
            Some(config) if written("config") => Ok(Self::Config(config)),
            Some(config) if !written("address") && !named("address") => Ok(Self::Config(config)),
            Some(_) | None => Ok(Self::Address(server)),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A server to ask.
pub(crate) struct Client {
    /// The connection.
    pub(crate) rpc: Stub,
    /// What its configuration limits, where it is our own; a server that runs
    /// keeps that to itself.
    pub(crate) rates: Rates,
    /// What is shown to it.
    shown: Shown,
    /// The server, where it is our own.
    local: Option<Local>,
}

/// A server of our own.
struct Local {
    drain: Drain,
    serving: JoinHandle<()>,
    /// Where its socket is, if that goes with it.
    directory: Option<TempDir>,
}

/// Why a command came to nothing.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line or the configuration is wrong.
    Usage(String),
    /// No server answers there.
    Unreachable {
        /// The address as it was given.
        address: String,
        /// Why.
        cause: String,
        /// Whether the command could do without a server.
        can_run_here: bool,
    },
    /// The server answered, and refused.
    Refused(Refusal),
    /// The connection ended before the turn did.
    Cut(String),
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// The output cannot be written.
    Output(io::Error),
}

impl Error {
    /// How the program ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Unreachable { .. } | Self::Refused(_) | Self::Cut(_) => Exit::Unreachable,
            Self::Interrupted | Self::Output(_) => Exit::Found,
        }
    }

    /// The same, of a command that a configuration is of no use to.
    pub(crate) fn without_config(self) -> Self {
        match self {
            Self::Unreachable { address, cause, .. } => {
                Self::Unreachable { address, cause, can_run_here: false }
            }
            other => other,
        }
    }

    /// Whether whoever reads the output went away: nothing is left to be said.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => f.write_str(what),
            Self::Unreachable { address, cause, can_run_here } => {
                write!(f, "no server answers at {address}: {cause}\n  ")?;
                if address.starts_with("https://") {
                    f.write_str(
                        "Over TLS, --ca names whom to trust, --cert and --key what to show; the \
                         server's log says whom it refused.\n  ",
                    )?;
                }
                f.write_str(if *can_run_here {
                    "Start one with `sidecall serve`, name another with --address, or run in this \
                     process with --config FILE."
                } else {
                    "Start one with `sidecall serve`, or name another with --address."
                })
            }
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Cut(cause) => write!(
                f,
                "the connection ended before the turn did: {cause}\n  Calls that had started may \
                 have run. Find out before sending them again."
            ),
            Self::Interrupted => f.write_str("interrupted; calls that were open are cancelled"),
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
        }
    }
}

impl Client {
    /// A connection to the target's server, which is started where it is our
    /// own.
    pub(crate) async fn connect(target: &Target) -> Result<Self, Error> {
        match target {
            Target::Address(server) => {
                let shown = Shown::of(server, &config::env::Process)?;
                let rpc = stub(channel(&server.at).await?, shown.clone());
                Ok(Self { rpc, rates: Rates::default(), shown, local: None })
            }
            Target::Config(path) => {
                let config = config::load(path).map_err(|error| Error::Usage(error.to_string()))?;
                // Where not even this can be said, the turn still runs.
                let _ = write!(anstream::stderr(), "{}", config.warnings);
                let directory = temporary()?;
                let socket = directory.path().join("sidecall.sock");
                Self::local(config, socket, Some(directory)).await
            }
        }
    }

    /// A server of our own with this configuration, on a socket that only this
    /// user can reach. `directory` goes when it ends.
    pub(crate) async fn local(
        mut config: Config,
        socket: PathBuf,
        directory: Option<TempDir>,
    ) -> Result<Self, Error> {
        let address = AddressArgs::from(format!("unix://{}", socket.display()));
        config.listen = listen::Settings {
            unix: Some(listen::Unix { path: socket, ..listen::Unix::default() }),
            ..listen::Settings::default()
        };
        // It is reached by nobody else.
        config.callers = None;
        let rates = Rates::of(&config);
        let bound = app::bind(config).map_err(|error| Error::Usage(error.to_string()))?;
        let drain = bound.drain.clone();
        // Not a task of the server's own drain, which it awaits the end of.
        let serving = Drain::new().spawn(bound.run());
        let local = Some(Local { drain, serving, directory });
        let shown = Shown::default();
        let rpc = stub(channel(&address).await?, shown.clone());
        Ok(Self { rpc, rates, shown, local })
    }

    /// What the server answered, where that is no answer; with what to do where it
    /// does not know who asks.
    pub(crate) fn refused(&self, status: &tonic::Status) -> Error {
        let advice = (status.code() == tonic::Code::Unauthenticated).then(|| self.shown.advice());
        Error::Refused(Refusal::from(status).with_advice(advice))
    }

    /// Ends the server where it is our own.
    pub(crate) async fn close(self) {
        let Self { rpc, local, .. } = self;
        drop(rpc);
        if let Some(Local { drain, serving, directory }) = local {
            drain.kill();
            // It can only have panicked, which has been said already.
            let _ = serving.await;
            drop(directory);
        }
    }
}

/// A directory that only this user can enter, and that goes when it is dropped.
pub(crate) fn temporary() -> Result<TempDir, Error> {
    let directory = tempfile::Builder::new().prefix("sidecall-").tempdir();
    directory.map_err(|error| Error::Usage(format!("no temporary directory: {error}")))
}

type Stub = SidecallServiceClient<InterceptedService<Channel, Shown>>;

fn stub(channel: Channel, shown: Shown) -> Stub {
    // The server's own setting decides how large its messages are.
    SidecallServiceClient::with_interceptor(channel, shown)
        .max_decoding_message_size(rpc::Settings::MESSAGE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        target: Target,
    }

    fn target(args: &[&str]) -> Result<Target, clap::Error> {
        Command::try_parse_from([&["sidecall"], args].concat()).map(|command| command.target)
    }

    #[test]
    fn a_turn_is_run_here_or_by_a_server_and_never_both() {
        let error = target(&["--config", "a.yaml", "--address", "a:1"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
        assert_eq!(target(&["-c", "a.yaml"]).unwrap(), Target::Config("a.yaml".into()));
        assert_eq!(
            target(&["--address", "a:1"]).unwrap(),
            Target::Address("a:1".to_owned().into())
        );
        let usual = format!("unix://{}", listen::Unix::PATH);
        assert_eq!(target(&[]).unwrap(), Target::Address(usual.into()));
        let token_file = Some("/run/token".into());
        let server = ServerArgs { token_file, ..ServerArgs::from("a:1".to_owned()) };
        let args = ["--address", "a:1", "--token-file", "/run/token"];
        assert_eq!(target(&args).unwrap(), Target::Address(server));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_said_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("unix://{}", directory.path().join("none.sock").display());
        let Err(error) = Client::connect(&Target::Address(address.into())).await else {
            panic!("a server answered");
        };
        assert_eq!(error.exit(), Exit::Unreachable);
        let text = error.to_string().replace(&directory.path().display().to_string(), "DIR");
        insta::assert_snapshot!(text, @r"
        no server answers at unix://DIR/none.sock: No such file or directory (os error 2)
          Start one with `sidecall serve`, name another with --address, or run in this process with --config FILE.
        ");
    }
}
