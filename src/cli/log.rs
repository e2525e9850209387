//! `sidecall log`: Shows or changes what a server logs.

use std::io::Write;

use super::{
    Exit, ServerArgs,
    client::{Client, Error, Target},
    command,
    terminal::harmless,
};
use crate::proto::v1::{LogLevelsRequest, LogLevelsResponse, log_levels_request::Change};

/// Shows what a server logs, or changes it until it ends.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all well; 2 the command line is wrong; 3 no server answers, or it \
                        refused."
)]
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// What to log from now on: a level, also by module, as in
    /// `info,sidecall::rpc=debug`. Only shows what is logged where none is given.
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
    /// Goes back to the configuration's filter.
    #[arg(long, conflicts_with = "filter")]
    reset: bool,
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    command::run(log(args))
}

async fn log(args: Args) -> Result<Exit, Error> {
    let Args { server, filter, reset } = args;
    let change = filter.map(Change::Filter).or(reset.then_some(Change::Reset(true)));
    let mut client =
        Client::connect(&Target::Address(server)).await.map_err(Error::without_config)?;
    let answer = client.rpc.log_levels(LogLevelsRequest { change }).await;
    let answer = answer.map_err(|status| client.refused(&status));
    client.close().await;
    let answer = answer?.into_inner();
    let mut out = anstream::stdout();
    write!(out, "{}", text(&answer))?;
    out.flush()?;
    Ok(Exit::Well)
}

/// The filter that holds, and how to go back where it is not the configured one.
fn text(answer: &LogLevelsResponse) -> String {
    let LogLevelsResponse { filter, configured } = answer;
    let filter = harmless(filter);
    if filter == *configured {
        return format!("{filter}\n");
    }
    let configured = harmless(configured);
    format!("{filter}\n  configured: {configured}; `sidecall log --reset` goes back to it\n")
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

    #[test]
    fn a_filter_and_going_back_are_two_things() {
        let args = |args: &[&str]| Command::try_parse_from([&["log"], args].concat());
        assert!(args(&["debug", "--reset"]).is_err() && args(&["debug", "trace"]).is_err());
        let parsed = args(&["info,sidecall::rpc=debug"]).unwrap().args;
        assert_eq!(parsed.filter.as_deref(), Some("info,sidecall::rpc=debug"));
        assert!(args(&["--reset"]).unwrap().args.reset);
    }

    #[test]
    fn what_is_logged_is_told_with_the_way_back() {
        let answer = |filter: &str| LogLevelsResponse {
            filter: filter.to_owned(),
            configured: "info".to_owned(),
        };
        assert_eq!(text(&answer("info")), "info\n");
        insta::assert_snapshot!(text(&answer("warn,sidecall=debug")), @r"
        warn,sidecall=debug
          configured: info; `sidecall log --reset` goes back to it
        ");
        assert!(!text(&answer("a\u{1b}[31m")).contains('\u{1b}'));
    }
}
