//! `sidecall run`: Runs one turn and prints its results.

use std::io::Write;

use super::{
    Exit,
    client::{Client, Error, Target},
    command,
    follow::follow,
    terminal::{DrawArgs, Screen},
    turn::TurnArgs,
    waterfall::{Mode, Show},
};

/// Runs one turn and prints its results.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES, after_long_help = LONG)]
pub struct Args {
    #[command(flatten)]
    turn: TurnArgs,
    #[command(flatten)]
    target: Target,
    /// Prints the bundle, and nothing else, on standard output; the waterfall
    /// goes to standard error.
    #[arg(long, conflicts_with = "json")]
    bundle: bool,
    /// Prints each event as proto3 JSON on a line of its own, and nothing else.
    #[arg(long)]
    json: bool,
    /// Says at the end where each call's time went, attempt by attempt.
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,
    #[command(flatten)]
    draw: DrawArgs,
}

const EXIT_CODES: &str = "Exit codes: 0 every call succeeded; 1 some call did not; 2 the command \
                          line, the turn or the configuration is wrong; 3 no server answers, or \
                          it refused the turn.";

const LONG: &str = "\
TURN.json is one of:
  - what a model's API answered, as it is: the response, its message or the array of
    its calls (Anthropic, OpenAI, Gemini, Bedrock; AI SDK, LangChain);
  - a request of sidecall.v1 in JSON:
    {\"references\": \"REFERENCES_ON\", \"typed\": {\"toolUses\": [
      {\"id\": \"a\", \"name\": \"get_user\", \"inputJson\": \"{\\\"id\\\": 7}\"},
      {\"name\": \"list_orders\", \"inputJson\": \"{\\\"user\\\": \\\"${get_user.id}\\\"}\"}]}}

Examples:
  sidecall run turn.json                          by the server at the usual socket
  sidecall run turn.json -c sidecall.yaml         in this process
  sidecall run - --json < turn.json               events, one a line
  sidecall run turn.json --bundle > results.json  what to append to the messages

Exit codes:
  0  every call succeeded
  1  some call did not
  2  the command line, the turn or the configuration is wrong
  3  no server answers, or it refused the turn";

/// Runs it.
pub fn run(args: Args) -> Exit {
    command::run(turn(args))
}

async fn turn(args: Args) -> Result<Exit, Error> {
    let request = args.turn.read().map_err(|fault| Error::Usage(fault.to_string()))?;
    let mut screen =
        if args.bundle { Screen::stderr(&args.draw) } else { Screen::stdout(&args.draw) };
    let mode = if args.json { Mode::Json } else { Mode::Lines };
    let mut client = Client::connect(&args.target).await?;
    let mut show = Show::new(&mut screen, mode).with_figures(args.verbose);
    let ran = follow(&mut client, request, &mut show).await;
    client.close().await;
    let ran = ran?;
    if args.bundle {
        let mut out = std::io::stdout();
        writeln!(out, "{}", ran.bundle_json())?;
        out.flush()?;
    }
    Ok(if ran.is_well() { Exit::Well } else { Exit::Found })
}
