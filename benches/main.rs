//! Every measured figure of Sidecall, beside what it is compared with.
//!
//! Prints a table and writes it as JSON lines. What is measured is the program
//! beside this one, or the one that `--sidecall` names; the bare forwarder and
//! the upstream are this program again, each as a process of its own.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

mod bare;
mod clients;
mod collector;
mod critical;
mod growth;
mod idle;
mod limits;
mod load;
mod policies;
mod process;
mod queue;
mod report;
mod rig;
mod side_by_side;
mod stats;
mod streamed;
mod tracing;
mod upstream;

/// As in the program: what forwards and does nothing else would have it, too.
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
#[command(name = "sidecall-bench", about = "Measures Sidecall.")]
struct Args {
    /// The program to be measured [default: `sidecall` beside this one].
    #[arg(long)]
    sidecall: Option<PathBuf>,
    /// Where the figures are written, one JSON object a line.
    #[arg(long, default_value = "target/bench.jsonl")]
    out: PathBuf,
    /// What is measured [default: everything].
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Real tool calls from public data sets; what needs them is else left out.
    #[arg(long, env = "SIDECALL_DATA")]
    data: Option<PathBuf>,
    /// A Python with the packages that agents are written with; what needs it is else
    /// left out.
    #[arg(long, env = "SIDECALL_TEST_PYTHON")]
    python: Option<PathBuf>,
    /// The same of Node.js.
    #[arg(long, env = "SIDECALL_TEST_NODE_MODULES")]
    node_modules: Option<PathBuf>,
    /// Seconds over which the processor time at rest is measured.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    idle_seconds: u64,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// `engine.batch1`, `engine.batch1000`, `engine.makespan`.
    OneAgent,
    /// `engine.agents200`.
    ManyAgents,
    /// `engine.growth.calls`.
    Calls,
    /// `engine.growth.edges`.
    Edges,
    /// `engine.idle`, `engine.start`.
    Idle,
    /// `policy.overhead`.
    Policies,
    /// `bucket.saturation`, `bucket.window`.
    Saturation,
    /// `bucket.fairness`.
    Fairness,
    /// `bucket.critical_path`.
    CriticalPath,
    /// `queue.memory`, `queue.grant`.
    Queue,
    /// `storm.retries`, `storm.goodput`.
    Storm,
    /// `stream.turn`.
    Stream,
    /// `client.python.*`, `client.typescript.*`.
    Clients,
    /// `trace.overhead`.
    Tracing,
    /// `trace.independence`.
    Independence,
}

/// What this program is as a child of itself.
#[derive(Debug, Subcommand)]
enum Role {
    /// The API that is called.
    #[command(hide = true)]
    Upstream,
    /// The forwarder without features.
    #[command(hide = true)]
    Bare {
        /// Where it serves.
        socket: PathBuf,
        /// Host and port of the upstream.
        upstream: String,
        /// Most connections to it.
        connections: usize,
    },
    /// Where traces go.
    #[command(hide = true)]
    Collector {
        /// Milliseconds that it takes to answer.
        delay: u64,
    },
    /// A process in which many wait at the gate.
    #[command(hide = true)]
    Waiters {
        /// Who they are.
        crowd: queue::Crowd,
    },
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let one_thread = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let many_threads = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match &args.role {
        Some(Role::Upstream) => one_thread()?.block_on(upstream::serve()),
        Some(Role::Bare { socket, upstream, connections }) => {
            many_threads()?.block_on(bare::serve(socket, upstream.clone(), *connections))
        }
        Some(Role::Collector { delay }) => {
            one_thread()?.block_on(collector::serve(Duration::from_millis(*delay)))
        }
        Some(Role::Waiters { crowd }) => one_thread()?.block_on(async { queue::wait(*crowd) }),
        None => one_thread()?.block_on(measure(&args)),
    }
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let sidecall = match &args.sidecall {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("sidecall"),
    };
    let sidecall = sidecall.canonicalize().with_context(|| {
        format!("{} is not there: build it with the same profile", sidecall.display())
    })?;
    let rig = rig::Rig::new(sidecall)?;
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);

    let mut rows = Vec::new();
    if wanted(Part::OneAgent) {
        rows.extend(side_by_side::one_agent(&rig).await?);
    }
    if wanted(Part::ManyAgents) {
        rows.extend(side_by_side::many_agents(&rig).await?);
    }
    if wanted(Part::Calls) {
        rows.push(growth::calls().await?);
    }
    if wanted(Part::Edges) {
        rows.push(growth::edges()?);
    }
    if wanted(Part::Idle) {
        rows.extend(idle::measure(&rig, Duration::from_secs(args.idle_seconds)).await?);
    }
    if wanted(Part::Policies) {
        rows.push(policies::overhead(&rig).await?);
    }
    if wanted(Part::Saturation) {
        rows.extend(limits::saturation(&rig).await?);
    }
    if wanted(Part::Fairness) {
        rows.push(limits::fairness(&rig).await?);
    }
    if wanted(Part::CriticalPath) {
        rows.extend(critical::path(args.data.as_deref()).await?);
    }
    if wanted(Part::Queue) {
        rows.extend([queue::memory()?, queue::grant()?]);
    }
    if wanted(Part::Storm) {
        rows.extend(limits::storm(&rig).await?);
    }
    if wanted(Part::Stream) {
        rows.push(streamed::turn(&rig).await?);
    }
    if wanted(Part::Clients) {
        match (&args.python, &args.node_modules) {
            (Some(python), Some(node_modules)) => {
                let tools =
                    clients::Tools { python: python.clone(), node_modules: node_modules.clone() };
                rows.extend(clients::measure(&rig, &tools)?);
            }
            _ => {
                writeln!(io::stdout(), "left out: the clients, without their languages' packages")?
            }
        }
    }
    if wanted(Part::Tracing) {
        rows.extend(tracing::overhead(&rig).await?);
    }
    if wanted(Part::Independence) {
        rows.extend(tracing::independence(&rig).await?);
    }
    report::print(&rows, &mut io::stdout().lock())?;
    report::save(&rows, &args.out)
}
