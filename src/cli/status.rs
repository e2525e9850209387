//! `sidecall status`: Shows what a server holds, waits for and leaves alone.

use std::{future::Future, io::Write, pin::pin, time::Duration};

use super::{
    Exit, ServerArgs,
    client::{Client, Error, Target},
    command,
    frames::Frames,
    refusal::said,
    terminal::{DrawArgs, Look, Screen},
    wire,
};
use crate::{
    clock,
    proto::v1::{ApiStatus, StatusRequest, StatusResponse},
};

mod rows;
mod text;

/// Shows what a server holds, waits for and leaves alone: calls in flight, queues,
/// rates, breakers, locks, budgets.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the server answered, whatever it told; 2 the command line is \
                        wrong; 3 no server answers, or it refused."
)]
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// Prints a StatusResponse in proto3 JSON; with --watch one a line.
    #[arg(long)]
    json: bool,
    /// Shows it again and again, until Ctrl-C.
    #[arg(short, long)]
    watch: bool,
    /// Seconds between two looks, from 0.1 on.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, requires = "watch",
          value_parser = command::seconds)]
    interval: f64,
    /// Rows of each list at most, 1 to 1000; what is left out is counted.
    #[arg(long, value_name = "COUNT", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    rows: u32,
    #[command(flatten)]
    draw: DrawArgs,
}

/// A table of some APIs alone, two columns narrower than the screen.
pub(crate) fn apis(apis: Vec<ApiStatus>, look: &Look) -> Vec<String> {
    let look = Look { width: look.width.saturating_sub(2), ..*look };
    text::apis(&StatusResponse { apis, ..StatusResponse::default() }, &look).unwrap_or_default()
}

/// How long a server may take to say how it is. It is asked when something seems
/// to hang, so that must be seen to be so.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs it.
pub fn run(args: Args) -> Exit {
    command::run(status(args))
}

async fn status(args: Args) -> Result<Exit, Error> {
    let Args { server, json, watch, interval, rows, draw } = args;
    let mut screen = Screen::stdout(&draw);
    let mut client =
        Client::connect(&Target::Address(server.clone())).await.map_err(Error::without_config)?;
    let every = watch.then(|| Duration::from_secs_f64(interval));
    let asked = Asked { address: server.at.address, json, every, rows };
    let shown = show(&mut client, &mut screen, &asked, pin!(tokio::signal::ctrl_c())).await;
    client.close().await;
    shown.map(|()| Exit::Well)
}

/// What is wanted.
struct Asked {
    address: String,
    json: bool,
    /// Between two looks; once where there is none.
    every: Option<Duration>,
    rows: u32,
}

/// Shows one look, or one after the other until `interrupted`.
async fn show(
    client: &mut Client,
    screen: &mut Screen,
    asked: &Asked,
    mut interrupted: impl Future + Unpin,
) -> Result<(), Error> {
    let mut frames = Frames::default();
    loop {
        let look_at = clock::now();
        let response = tokio::select! {
            response = look(client, asked) => response?,
            _ = &mut interrupted => return Ok(()),
        };
        print(&response, screen, asked, &mut frames)?;
        let Some(every) = asked.every else { return Ok(()) };
        tokio::select! {
            () = tokio::time::sleep_until(look_at + every) => {}
            _ = &mut interrupted => return Ok(()),
        }
    }
}

/// One look.
async fn look(client: &mut Client, asked: &Asked) -> Result<StatusResponse, Error> {
    let request = StatusRequest { rows_max: Some(asked.rows) };
    match tokio::time::timeout(PATIENCE, client.rpc.status(request)).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        // A server that went away between two looks, or in the middle of one, is not
        // there any more.
        Ok(Err(status)) if is_gone(&status) => Err(Error::Unreachable {
            address: asked.address.clone(),
            cause: said(&status),
            can_run_here: false,
        }),
        Ok(Err(status)) => Err(client.refused(&status)),
        Err(_) => Err(Error::Unreachable {
            address: asked.address.clone(),
            cause: format!("it has not said how it is for {} s", PATIENCE.as_secs()),
            can_run_here: false,
        }),
    }
}

/// Whether a status is no answer of a server: a connection that is cut during a
/// request is `UNKNOWN` to tonic.
fn is_gone(status: &tonic::Status) -> bool {
    let has_broken = std::error::Error::source(status)
        .is_some_and(|source| source.is::<tonic::transport::Error>());
    status.code() == tonic::Code::Unavailable || has_broken
}

fn print(
    response: &StatusResponse,
    screen: &mut Screen,
    asked: &Asked,
    frames: &mut Frames,
) -> Result<(), Error> {
    const NAME: &str = "sidecall.v1.StatusResponse";
    if asked.json {
        let json = match asked.every {
            Some(_) => wire::to_json(NAME, response)?,
            None => wire::to_pretty_json(NAME, response)?,
        };
        writeln!(screen.out, "{json}")?;
        return screen.out.flush().map_err(Error::from);
    }
    let mut lines = text::text(response, &screen.look);
    match (asked.every, screen.live_rows) {
        (Some(_), Some(height)) => cut(&mut lines, height, &screen.look),
        // In a pipe one look follows the other.
        (Some(_), None) => lines.push(String::new()),
        (None, _) => {
            writeln!(screen.out, "{}", lines.join("\n"))?;
            return screen.out.flush().map_err(Error::from);
        }
    }
    frames.draw(screen, &lines).map_err(Error::from)
}

/// A frame higher than the terminal could not be drawn over. The line below the
/// last needs its row, too.
fn cut(lines: &mut Vec<String>, height: usize, look: &Look) {
    let most = height.saturating_sub(1).max(1);
    if lines.len() > most {
        let more = lines.len() - (most - 1);
        lines.truncate(most - 1);
        lines.push(format!("{} {more} more lines", look.pick("…", "...")));
    }
}

#[cfg(test)]
mod tests;
