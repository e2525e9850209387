//! `sidecall healthcheck`: Asks a server whether it takes turns.

use std::{io::Write, time::Duration};

use tonic::{Code, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};

use super::{
    AddressArgs, Exit,
    client::{self, Error},
    command,
    refusal::said,
    terminal::harmless,
};
use crate::rpc::code_name;

/// Asks a server whether it takes turns, for a container's health check.
///
/// It speaks gRPC's health service, which the admin port answers too: with
/// `--address http://127.0.0.1:9464` it needs neither the socket nor a right to call.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 it serves; 2 the command line is wrong; 3 it does not serve, or \
                        does not answer in time."
)]
pub struct Args {
    #[command(flatten)]
    address: AddressArgs,
    /// The service that is asked for: `liveness` also serves while the server
    /// drains. The server as a whole where none is named.
    #[arg(long, value_name = "NAME", default_value = "")]
    service: String,
    /// Seconds for all of it, from 0.1 on.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = command::seconds)]
    timeout: f64,
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    command::run(healthcheck(args))
}

async fn healthcheck(args: Args) -> Result<Exit, Error> {
    let Args { address, service, timeout } = args;
    let asked = ask(&address, service.clone());
    let answer = match tokio::time::timeout(Duration::from_secs_f64(timeout), asked).await {
        Ok(answer) => verdict(&service, answer?),
        Err(_) => Err(format!("it has not answered within {timeout} s")),
    };
    match answer {
        Ok(()) => {
            let mut out = anstream::stdout();
            writeln!(out, "serving")?;
            out.flush()?;
            Ok(Exit::Well)
        }
        Err(why) => {
            // Where not even this can be said, the exit code says it.
            let _ =
                writeln!(anstream::stderr(), "error: {} does not serve: {why}", address.address);
            Ok(Exit::Unreachable)
        }
    }
}

async fn ask(
    address: &AddressArgs,
    service: String,
) -> Result<Result<HealthCheckResponse, Status>, Error> {
    let channel = client::channel(address).await.map_err(Error::without_config)?;
    let answer = HealthClient::new(channel).check(HealthCheckRequest { service }).await;
    Ok(answer.map(tonic::Response::into_inner))
}

/// Why it does not serve, if it does not.
fn verdict(service: &str, answer: Result<HealthCheckResponse, Status>) -> Result<(), String> {
    match answer {
        Ok(answer) => match answer.status() {
            ServingStatus::Serving => Ok(()),
            status => Err(format!("it says {}", status.as_str_name())),
        },
        Err(status) if status.code() == Code::NotFound => {
            Err(format!("it knows no service `{}`", harmless(service)))
        }
        Err(status) => {
            let message = said(&status);
            Err(format!("it answered {}: {message}", code_name(status.code())))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn answer(status: ServingStatus) -> Result<HealthCheckResponse, Status> {
        Ok(HealthCheckResponse { status: status.into() })
    }

    #[test]
    fn only_who_says_that_it_serves_serves() {
        assert_eq!(verdict("", answer(ServingStatus::Serving)), Ok(()));
        for (answer, says) in [
            (answer(ServingStatus::NotServing), "it says NOT_SERVING"),
            (answer(ServingStatus::Unknown), "it says UNKNOWN"),
            (answer(ServingStatus::ServiceUnknown), "it says SERVICE_UNKNOWN"),
            (Ok(HealthCheckResponse { status: 77 }), "it says UNKNOWN"),
            (Err(Status::not_found("")), "it knows no service `a`"),
            (Err(Status::unauthenticated("no\u{1b}[31m")), "it answered UNAUTHENTICATED: no"),
        ] {
            let why = verdict("a", answer).unwrap_err();
            assert!(why.starts_with(says) && !why.contains('\u{1b}'), "{why}");
        }
    }

    #[test]
    fn a_time_is_one_that_can_be_waited() {
        let args = |args: &[&str]| Command::try_parse_from([&["healthcheck"], args].concat());
        for time in ["0", "-1", "1s", "nan", "1e9"] {
            assert!(args(&["--timeout", time]).is_err(), "{time}");
        }
        let Args { service, timeout, .. } = args(&[]).unwrap().args;
        assert_eq!((service.as_str(), timeout), ("", 1.0));
    }
}
