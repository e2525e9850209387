//! Sidecall beside the bare forwarder: one run, the same upstream, the same
//! cap on connections, round by round in turn, so that whatever else the
//! machine does meets both.

use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinSet;

use crate::{
    load::{Agent, turn},
    report::{Bound, Row},
    rig::{Rig, Server},
    stats::Samples,
};

/// Connections to the upstream where one agent measures.
const CONNECTIONS: usize = 64;
/// Connections where 200 agents have five calls each in flight.
const CONNECTIONS_AGENTS: usize = 1024;

const ROUNDS: usize = 20;
const SINGLES: usize = 250;
const WIDTH: usize = 1000;
const WIDES: usize = 4;
const AGENTS: usize = 200;
const AGENT_BATCHES: usize = 5;
const AGENT_CALLS: usize = 5;
const MAKESPANS: usize = 10;
const MAKESPAN: Duration = Duration::from_millis(200);

/// The same measurement of both, by round.
#[derive(Debug, Default)]
struct Both {
    sidecall: Samples,
    bare: Samples,
    /// Sidecall's figure by the bare one's, in each round.
    ratios: Samples,
}

impl Both {
    fn push(&mut self, sidecall: &Samples, bare: &Samples, part: f64) {
        self.ratios.push(sidecall.quantile(part) / bare.quantile(part));
        self.sidecall.extend(sidecall);
        self.bare.extend(bare);
    }

    fn row(&self, name: &'static str, unit: &'static str, part: f64, bound: Bound) -> Row {
        Row::beside(name, unit, (self.sidecall.quantile(part), self.bare.quantile(part)), bound)
            .remark(format!("rounds {}", self.ratios.spread()))
    }
}

/// Everything that one agent measures on a quiet server.
pub(crate) async fn one_agent(rig: &Rig) -> anyhow::Result<Vec<Row>> {
    let servers = (rig.sidecall(CONNECTIONS)?, rig.bare(CONNECTIONS)?);
    let mut sidecall = Agent::connect(&servers.0.socket).await?;
    let mut bare = Agent::connect(&servers.1.socket).await?;
    let (one, wide) = (turn("now", 1), turn("now", WIDTH));
    for agent in [&mut sidecall, &mut bare] {
        for _ in 0..SINGLES {
            agent.run(&one).await?;
        }
        agent.run(&wide).await?;
    }

    let (mut singles, mut wides) = (Both::default(), Both::default());
    for _ in 0..ROUNDS {
        let (mut ours, mut theirs) = (Samples::default(), Samples::default());
        for _ in 0..SINGLES {
            ours.push(sidecall.run(&one).await?.as_secs_f64() * 1e6);
            theirs.push(bare.run(&one).await?.as_secs_f64() * 1e6);
        }
        singles.push(&ours, &theirs, 0.5);
    }
    for _ in 0..ROUNDS {
        let (mut ours, mut theirs) = (Samples::default(), Samples::default());
        for _ in 0..WIDES {
            ours.push(WIDTH as f64 / sidecall.run(&wide).await?.as_secs_f64());
            theirs.push(WIDTH as f64 / bare.run(&wide).await?.as_secs_f64());
        }
        wides.push(&ours, &theirs, 0.5);
    }
    Ok(vec![
        singles.row("engine.batch1.p50", "us", 0.5, Bound::RatioAtMost(1.25)),
        wides.row("engine.batch1000.throughput", "calls/s", 0.5, Bound::RatioAtLeast(0.8)),
        makespan(&mut sidecall).await?,
    ])
}

/// The slowest of ten: five calls of 200 ms each, at once.
async fn makespan(agent: &mut Agent) -> anyhow::Result<Row> {
    let five = turn("wait200", 5);
    let mut samples = Samples::default();
    for _ in 0..MAKESPANS {
        samples.push_ms(agent.run(&five).await?);
    }
    let reference = MAKESPAN.as_secs_f64() * 1e3;
    let row =
        Row::beside("engine.makespan", "ms", (samples.max(), reference), Bound::RatioAtMost(1.02));
    Ok(row.remark(format!("slowest of {MAKESPANS}, median {:.1}", samples.median())))
}

/// 200 agents, each on a connection of its own and sending one turn after the
/// other: five calls of 20 ms.
pub(crate) async fn many_agents(rig: &Rig) -> anyhow::Result<Vec<Row>> {
    let servers = (rig.sidecall(CONNECTIONS_AGENTS)?, rig.bare(CONNECTIONS_AGENTS)?);
    let mut sidecall = Crowd::connect(servers.0).await?;
    let mut bare = Crowd::connect(servers.1).await?;
    sidecall.run().await?;
    bare.run().await?;

    let (mut tail, mut cpu) = (Both::default(), Both::default());
    for _ in 0..ROUNDS {
        let (ours, theirs) = (sidecall.run().await?, bare.run().await?);
        tail.push(&ours.latencies, &theirs.latencies, 0.99);
        cpu.push(&ours.cpu, &theirs.cpu, 0.5);
    }
    Ok(vec![
        tail.row("engine.agents200.p99", "ms", 0.99, Bound::RatioAtMost(1.3)),
        cpu.row("engine.agents200.cpu", "us/call", 0.5, Bound::RatioAtMost(1.5)),
    ])
}

/// The agents of one server.
struct Crowd {
    server: Server,
    agents: Vec<Agent>,
}

/// What a round of a crowd came to.
struct Round {
    /// Of every batch, in milliseconds.
    latencies: Samples,
    /// Of the server by call, in microseconds; one sample.
    cpu: Samples,
}

impl Crowd {
    async fn connect(server: Server) -> anyhow::Result<Self> {
        let mut agents = Vec::with_capacity(AGENTS);
        for _ in 0..AGENTS {
            agents.push(Agent::connect(&server.socket).await?);
        }
        Ok(Self { server, agents })
    }

    async fn run(&mut self) -> anyhow::Result<Round> {
        let five = turn("wait20", AGENT_CALLS);
        let before = self.server.process.cpu()?;
        let mut running = JoinSet::new();
        for mut agent in self.agents.drain(..) {
            let five = five.clone();
            running.spawn(async move {
                let mut latencies = Samples::default();
                for _ in 0..AGENT_BATCHES {
                    latencies.push_ms(agent.run(&five).await?);
                }
                anyhow::Ok((agent, latencies))
            });
        }
        let mut latencies = Samples::default();
        while let Some(agent) = running.join_next().await {
            let (agent, its) = agent.context("an agent broke")??;
            self.agents.push(agent);
            latencies.extend(&its);
        }
        let used = self.server.process.cpu()? - before;
        let calls = (AGENTS * AGENT_BATCHES * AGENT_CALLS) as f64;
        let mut cpu = Samples::default();
        cpu.push(used.as_secs_f64() * 1e6 / calls);
        Ok(Round { latencies, cpu })
    }
}
