//! `sidecall plan`: Prints what depends on what in a turn, and what it will take.

use std::io::Write;

use super::{
    Exit,
    client::{Client, Error, Target},
    command,
    terminal::{DrawArgs, Screen},
    turn::TurnArgs,
    wire,
};
use crate::proto::v1;

mod dot;
mod text;

/// Prints what depends on what in a turn, and what it will take.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 every call can run; 1 some call cannot; 2 the command line, \
                        the turn or the configuration is wrong; 3 no server answers, or it \
                        refused the turn.\n\nFor a picture: sidecall plan turn.json --format dot \
                        | dot -Tsvg > turn.svg"
)]
pub struct Args {
    #[command(flatten)]
    turn: TurnArgs,
    #[command(flatten)]
    target: Target,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    draw: DrawArgs,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For Graphviz.
    Dot,
    /// A PlanBatchResponse in proto3 JSON.
    Json,
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    command::run(plan(args))
}

async fn plan(args: Args) -> Result<Exit, Error> {
    let request = args.turn.read().map_err(|fault| Error::Usage(fault.to_string()))?;
    let mut client = Client::connect(&args.target).await?;
    let rates = std::mem::take(&mut client.rates);
    let response = client.rpc.plan_batch(to_plan(request)).await;
    let response = response.map_err(|status| client.refused(&status));
    client.close().await;
    let response = response?.into_inner();
    let plan = response.plan.clone().unwrap_or_default();
    let mut screen = Screen::stdout(&args.draw);
    let text = match args.format {
        Format::Text => text::text(&plan, &rates.spreads(&plan), &screen.look),
        Format::Dot => dot::dot(&plan),
        Format::Json => wire::to_pretty_json("sidecall.v1.PlanBatchResponse", &response)?,
    };
    writeln!(screen.out, "{}", text.trim_end())?;
    screen.out.flush()?;
    let has_fault = plan.calls.iter().any(|call| call.fault.is_some());
    Ok(if has_fault { Exit::Found } else { Exit::Well })
}

/// The same turn, only to be planned.
fn to_plan(request: v1::ExecuteBatchRequest) -> v1::PlanBatchRequest {
    let v1::ExecuteBatchRequest { references, ordering, session_id, turn, .. } = request;
    v1::PlanBatchRequest { references, ordering, session_id, turn: turn.map(Into::into) }
}
