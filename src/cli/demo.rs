//! `sidecall demo`: Shows what it does, on a small set of APIs of its own.
//!
//! Nothing is staged but the APIs: the server is the one that `serve` runs, the
//! turns go to it over gRPC, and every number is measured.

use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Exit,
    client::{Client, Error, temporary},
    command,
    follow::{Ran, follow},
    status,
    terminal::{DrawArgs, Ink, Screen, wrapped},
    waterfall::{Mode, Show, draw, time},
};
use crate::{
    config::{self, env::Process},
    drain::Drain,
    proto::v1::{self, execute_batch_request::Turn},
};

mod apis;
mod jaeger;

use jaeger::{Ports, Traces};

/// Shows what it does, on a small set of APIs of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all went as it should; 1 something did not.")]
pub struct Args {
    /// Leaves the APIs and the server running afterwards, until Ctrl-C, with the
    /// configuration, the turns and the socket in this directory.
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
    /// Where a Jaeger takes OTLP over gRPC and where its page is: every turn is traced
    /// to it, where it listens.
    #[arg(long, value_name = "ADDRESS,ADDRESS", hide_default_value = true)]
    #[arg(default_value = "127.0.0.1:4317,127.0.0.1:16686")]
    jaeger: Ports,
    #[command(flatten)]
    draw: DrawArgs,
}

/// The configuration, and where its APIs stand in it.
const CONFIG: &str = include_str!("demo/sidecall.yaml");
const CONFIG_ORIGIN: &str = "127.0.0.1:4180";

/// The turns, by the names of their files.
const ENRICH: (&str, &str) = ("enrich.json", include_str!("demo/turns/enrich.json"));
const GATHER: (&str, &str) = ("gather.json", include_str!("demo/turns/gather.json"));
const FAILURE: (&str, &str) = ("failure.json", include_str!("demo/turns/failure.json"));
const FILES: (&str, &str) = ("files.json", include_str!("demo/turns/files.json"));
const STOCK: (&str, &str) = ("stock.json", include_str!("demo/turns/stock.json"));
const QUOTES: (&str, &str) = ("quotes.json", include_str!("demo/turns/quotes.json"));

/// The line of the configuration that the market's limit is shown without, and
/// with.
const RATE: &str = "    rate: 20/s burst 2\n";

/// What stands in its place: retries would make some of the refused calls again,
/// after pauses of chance, and hide what the limit does.
const NO_RETRIES: &str = "    retry: {attempts: 1}\n";

/// A price as its API writes it: a double would lose the zero.
const PRICE: &str = "1249.90";

/// Runs it.
pub fn run(args: Args) -> Exit {
    command::run(demo(args))
}

async fn demo(args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::stdout(&args.draw);
    let apis = Drain::new();
    let shown = stage(&mut screen, &apis, args.keep, args.jaeger).await;
    apis.start();
    apis.finished().await;
    shown
}

/// Sets everything up, shows it, and takes it down.
async fn stage(
    screen: &mut Screen,
    apis: &Drain,
    keep: Option<PathBuf>,
    jaeger: Ports,
) -> Result<Exit, Error> {
    let origin = apis::start(apis)
        .await
        .map_err(|error| Error::Usage(format!("no port of loopback is free: {error}")))?;
    let temporary = if keep.is_none() { Some(temporary()?) } else { None };
    let directory = match (&keep, &temporary) {
        (Some(directory), _) => directory.clone(),
        (None, Some(directory)) => directory.path().to_owned(),
        (None, None) => PathBuf::new(),
    };
    let config = write_files(&directory, origin).map_err(|error| {
        Error::Usage(format!("{}: {error}\n  Name an empty directory.", directory.display()))
    })?;
    let mut config = config::load(&config).map_err(|error| Error::Usage(error.to_string()))?;
    let traces = Traces::begin(&config, jaeger).await;
    traces.watch(&mut config);
    let directory = fs::canonicalize(directory)?;
    let socket = directory.join("sidecall.sock");
    let mut client = Client::local(config, socket.clone(), temporary).await?;

    let mut demo = Demo { screen, client: &mut client, traces, exit: Exit::Well };
    let shown = demo.show(origin, &socket).await;
    let ended = match (shown, keep) {
        (Ok(()), None) => demo.next(),
        (Ok(()), Some(_)) => stay(demo.screen, &directory).await,
        (Err(error), _) => Err(error),
    };
    let exit = demo.exit;
    client.close().await;
    ended.map(|()| exit)
}

/// The configuration with the APIs' real port, and the turns.
fn write_files(directory: &Path, origin: SocketAddr) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let config = directory.join("sidecall.yaml");
    let is_empty = fs::read_dir(directory)?.next().is_none();
    let is_ours = || {
        fs::read_to_string(&config).is_ok_and(|text| text.lines().next() == CONFIG.lines().next())
    };
    if !is_empty && !is_ours() {
        return Err(io::Error::other("holds files that the demo did not write"));
    }
    fs::write(&config, config_of(origin))?;
    for (name, text) in [ENRICH, GATHER, FAILURE, QUOTES, STOCK, FILES] {
        fs::write(directory.join(name), text)?;
    }
    Ok(config)
}

fn config_of(origin: SocketAddr) -> String {
    CONFIG.replace(CONFIG_ORIGIN, &origin.to_string())
}

/// Waits for Ctrl-C, after saying what can be done meanwhile.
async fn stay(screen: &mut Screen, directory: &Path) -> Result<(), Error> {
    let at = directory.display();
    let look = screen.look;
    let commands = format!(
        "\n{}\n\
         \x20 cd {at}; export SIDECALL_ADDRESS=unix://$PWD/sidecall.sock\n\
         \x20 sidecall plan gather.json --references\n\
         \x20 sidecall run gather.json --references\n\
         \x20 sidecall run enrich.json --bundle\n\
         \x20 sidecall run quotes.json\n\
         \x20 sidecall run stock.json -v\n\
         \x20 sidecall run files.json; sidecall status\n\
         \x20 sidecall run enrich.json --json | head\n\
         \x20 sidecall tools --shape anthropic\n\
         \x20 sidecall run failure.json --references --config sidecall.yaml\n",
        look.paint(Ink::Bold, "All of it goes on running, until Ctrl-C. In another terminal"),
    );
    screen.out.write_all(commands.as_bytes())?;
    screen.out.flush()?;
    tokio::signal::ctrl_c().await.map_err(Error::Output)
}

/// What is shown, and how.
struct Demo<'d> {
    screen: &'d mut Screen,
    client: &'d mut Client,
    traces: Traces,
    /// How it ends: well unless a turn does not come out as it should.
    exit: Exit,
}

impl Demo<'_> {
    async fn show(&mut self, origin: SocketAddr, socket: &Path) -> Result<(), Error> {
        let title = "Sidecall, measured as you watch";
        self.line(&self.screen.look.paint(Ink::Bold, title))?;
        self.line(&format!("  APIs    http://{origin}, each 60 to 200 ms away"))?;
        self.line(&format!("  server  unix://{}, asked over gRPC", socket.display()))?;

        let loops = self.one_by_one().await?;
        let at_once = self.at_once(loops).await?;
        self.gather().await?;
        self.failure().await?;
        self.too_fast(origin).await?;
        self.at_its_rate().await?;
        self.flaky().await?;
        self.down().await?;

        let faster = draw::faster(loops, at_once, &self.screen.look);
        self.head("What it comes to", "")?;
        self.line(&format!(
            "  Five sources, one by one {}, at once {}: {}.",
            draw::text(loops),
            draw::text(at_once),
            faster.as_deref().unwrap_or("not faster"),
        ))?;
        for line in self.traces.lines().await {
            self.line(&format!("  {line}"))?;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<(), Error> {
        self.head("Try next", "")?;
        self.line("  sidecall demo --keep ./demo      the same, left running to play with")?;
        self.line("  sidecall serve -c sidecall.yaml  your own tools, for your own agent")?;
        self.line("  sidecall --help")
    }

    async fn one_by_one(&mut self) -> Result<Duration, Error> {
        self.head(
            "1. One by one",
            "A model asked for five things about a customer. A loop runs them one after the other:",
        )?;
        let mut request = turn(ENRICH.1);
        request.set_ordering(v1::Ordering::Ordered);
        let ran = self.turn(request).await?;
        self.expect(ran.is_well());
        Ok(time(ran.summary.duration))
    }

    async fn at_once(&mut self, loops: Duration) -> Result<Duration, Error> {
        self.head("2. At once", "The same turn. Nothing in it waits for anything else:")?;
        let ran = self.turn(turn(ENRICH.1)).await?;
        let took = time(ran.summary.duration);
        self.expect(ran.is_well() && took < loops);
        Ok(took)
    }

    async fn gather(&mut self) -> Result<(), Error> {
        self.head(
            "3. Fan out, then gather",
            "Inputs that name other results, as in \"${find_customer.id}\", make calls wait for \
             those, and for nothing else:",
        )?;
        let mut request = turn(GATHER.1);
        request.set_references(v1::References::On);
        let ran = self.turn(request).await?;
        let brief = ran.bundle.last().cloned().unwrap_or_default();
        let is_exact = brief.contains(PRICE);
        self.expect(ran.is_well() && is_exact);
        if is_exact {
            let what = format!(
                "The last API was sent the price as another wrote it, {PRICE}, to the last zero:"
            );
            self.line("")?;
            self.prose(&what)?;
            self.line(&format!("  {brief}"))?;
        }
        Ok(())
    }

    async fn failure(&mut self) -> Result<(), Error> {
        self.head(
            "4. A failure stays where it is",
            "One API is down. The call that needs its answer is skipped; the others do not notice:",
        )?;
        let mut request = turn(FAILURE.1);
        request.set_references(v1::References::On);
        let ran = self.turn(request).await?;
        let v1::BatchSummary { succeeded, failed, skipped, .. } = ran.summary;
        self.expect((succeeded, failed, skipped) == (2, 1, 1));
        self.line("")?;
        self.prose("The bundle: a result for every call, in call order, for the next message:")?;
        self.line(&ran.bundle_json())
    }

    /// On a server of its own, of the same configuration but for one line.
    async fn too_fast(&mut self, origin: SocketAddr) -> Result<(), Error> {
        self.head(
            "5. Too fast for an API",
            "The market takes 20 requests a second, 4 at once, and answers more with 429. Eight \
             calls at once, from a configuration that neither limits nor retries:",
        )?;
        let yaml = config_of(origin).replace(RATE, NO_RETRIES);
        let mut config = config::read("sidecall.yaml", &yaml, &Process)
            .map_err(|faults| Error::Usage(faults.to_string()))?;
        self.traces.watch(&mut config);
        let directory = temporary()?;
        let socket = directory.path().join("sidecall.sock");
        let mut client = Client::local(config, socket, Some(directory)).await?;
        let request = self.traces.marked(turn(QUOTES.1));
        let mut show = Show::new(self.screen, Mode::Waterfall);
        let ran = follow(&mut client, request, &mut show).await;
        client.close().await;
        let summary = ran?.summary;
        self.expect(summary.succeeded >= 4 && summary.failed >= 2);
        Ok(())
    }

    async fn at_its_rate(&mut self) -> Result<(), Error> {
        tokio::time::sleep(apis::REST).await;
        let title = format!("6. The same with `{}`", RATE.trim());
        self.head(
            &title,
            "One line in the configuration, and the same turn. Calls wait for their turn instead \
             of failing:",
        )?;
        let ran = self.turn(turn(QUOTES.1)).await?;
        self.expect(ran.is_well());
        Ok(())
    }

    /// Every call but one is answered in the end, and that one has a fallback.
    async fn flaky(&mut self) -> Result<(), Error> {
        self.head(
            "7. An API that fails now and then",
            "The warehouse answers the second call here with 503, the third with 429, the fourth \
             not at all, and the last one never well. Reads are safe to make again, so they are; \
             where that does not help, a tool can say what to take instead:",
        )?;
        let request = self.traces.marked(turn(STOCK.1));
        let mut show = Show::new(self.screen, Mode::Waterfall).with_figures(true);
        let ran = follow(self.client, request, &mut show).await?;
        self.expect(ran.is_well());
        Ok(())
    }

    /// A breaker opens, is seen, and closes.
    async fn down(&mut self) -> Result<(), Error> {
        self.head(
            "8. An API that is down",
            "Eight files from the archive, two at once, and it answers nothing but 503. After \
             three failures in a row its breaker opens: it is left alone, and the calls that \
             wait for it are answered at once:",
        )?;
        let asked = self.turn(turn(FILES.1)).await?.summary;
        let seen = self.client.rpc.status(v1::StatusRequest::default()).await;
        let seen = seen.map_err(|status| self.client.refused(&status))?.into_inner();
        let archive: Vec<_> = seen.apis.into_iter().filter(|api| api.name == "archive").collect();
        let is_open = archive.iter().filter_map(|api| api.breaker.as_ref());
        let is_open = is_open.map(v1::BreakerStatus::state).any(|at| at == v1::BreakerState::Open);
        self.expect(asked.failed == asked.calls && is_open);
        self.line("")?;
        self.prose("`sidecall status` shows it:")?;
        for line in status::apis(archive, &self.screen.look) {
            self.line(&format!("  {line}"))?;
        }
        self.line("")?;
        self.prose("A second later one call finds out, and the others follow:")?;
        self.line("")?;
        tokio::time::sleep(apis::OPEN).await;
        let ran = self.turn(turn(FILES.1)).await?;
        self.expect(ran.is_well());
        Ok(())
    }

    async fn turn(&mut self, request: v1::ExecuteBatchRequest) -> Result<Ran, Error> {
        let request = self.traces.marked(request);
        let mut show = Show::new(self.screen, Mode::Waterfall);
        follow(self.client, request, &mut show).await
    }

    fn expect(&mut self, holds: bool) {
        if !holds {
            self.exit = Exit::Found;
        }
    }

    fn head(&mut self, title: &str, text: &str) -> Result<(), Error> {
        self.traces.shows(title);
        let title = self.screen.look.paint(Ink::Bold, title);
        self.line(&format!("\n{title}"))?;
        if text.is_empty() { Ok(()) } else { self.prose(text).and_then(|()| self.line("")) }
    }

    fn prose(&mut self, text: &str) -> Result<(), Error> {
        let lines = wrapped(text, self.screen.look.width.saturating_sub(3));
        lines.iter().try_for_each(|line| self.line(&format!("  {line}")))
    }

    fn line(&mut self, line: &str) -> Result<(), Error> {
        writeln!(self.screen.out, "{line}")?;
        self.screen.out.flush().map_err(Error::from)
    }
}

/// A turn of the demo's.
fn turn(message: &str) -> v1::ExecuteBatchRequest {
    v1::ExecuteBatchRequest {
        turn: Some(Turn::AnthropicJson(message.to_owned())),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
