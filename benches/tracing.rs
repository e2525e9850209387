//! What tracing costs a call, and that a collector which is away costs no more.

use std::{net::TcpListener, time::Duration};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{
    load::{Agent, turn},
    process::Process,
    report::{Bound, Row},
    rig::{Rig, Server, ask},
    stats::Samples,
};

const CONNECTIONS: usize = 64;
const WARM: usize = 500;
const ROUNDS: usize = 20;
const SINGLES: usize = 250;
const WIDTH: usize = 1000;
/// So few that their spans find room at once, however fast they come.
const WIDES: usize = 10;
/// Spans of a turn of one call: the RPC, the batch, the call, its attempt.
const SPANS: usize = 4;
/// By then the last spans of a round have left: the exporter waits a second for more
/// to go with them.
const LEFT: Duration = Duration::from_millis(2500);

/// A collector as a process of its own.
struct Collector {
    process: Process,
    authority: String,
}

impl Collector {
    fn start(rig: &Rig, delay: Duration) -> anyhow::Result<Self> {
        let delay = delay.as_millis().to_string();
        let mut process = rig.role(["collector", delay.as_str()])?;
        let authority = format!("127.0.0.1:{}", process.line()?);
        Ok(Self { process, authority })
    }

    /// So many spans have come, and with them those of waits that were worth one; or
    /// else less was measured than is said.
    fn has(&self, all: usize) -> anyhow::Result<()> {
        let spans = self.spans()?;
        ensure!(spans >= all, "of {all} spans {spans} came");
        Ok(())
    }

    /// Spans that have come.
    fn spans(&self) -> anyhow::Result<usize> {
        Ok(ask(&self.authority, "/control/spans")?.trim().parse()?)
    }
}

/// `trace.overhead`: one call in a batch, everything traced and measured and sent to
/// a collector that takes it, beside the same in the same run with nothing told to
/// anybody. `trace.overhead.cpu`: what that takes of the processor, the exporter's
/// thread included.
pub(crate) async fn overhead(rig: &Rig) -> anyhow::Result<Vec<Row>> {
    let collector = Collector::start(rig, Duration::ZERO)?;
    let endpoint = format!("http://{}", collector.authority);
    let telemetry = json!({"telemetry": {"otlp": {"endpoint": endpoint}, "sampling": 1.0}});
    let mut sides = [
        Side::start(rig, "untraced", &json!({})).await?,
        Side::start(rig, "traced", &telemetry).await?,
    ];
    // The spans of the warming up are still under way.
    tokio::time::sleep(LEFT).await;
    sides.iter_mut().try_for_each(Side::rest)?;
    let one = turn("now", 1);
    let mut more = Samples::default();
    for _ in 0..ROUNDS {
        let mut round = [Samples::default(), Samples::default()];
        for _ in 0..SINGLES {
            for (side, round) in sides.iter_mut().zip(&mut round) {
                round.push(side.agent.run(&one).await?.as_secs_f64() * 1e6);
            }
        }
        more.push(round[1].median() - round[0].median());
        for (side, round) in sides.iter_mut().zip(&round) {
            side.singles.extend(round);
        }
    }
    tokio::time::sleep(LEFT).await;
    let mut all = (WARM + ROUNDS * SINGLES) * SPANS;
    collector.has(all)?;
    let [alone, alone_off] = [1, 0].map(|side| sides[side].cpu(ROUNDS * SINGLES));
    let cpu = (alone?, alone_off?);
    let wide = turn("now", WIDTH);
    for side in &mut sides {
        side.rest()?;
        for _ in 0..WIDES {
            side.agent.run(&wide).await?;
        }
    }
    tokio::time::sleep(LEFT).await;
    // Each has its RPC and batch, and for each call that call and its attempt.
    all += WIDES * 2 * (1 + WIDTH);
    collector.has(all)?;
    let [among, among_off] = [1, 0].map(|side| sides[side].cpu(WIDES * WIDTH));
    let p50 = (sides[1].singles.median(), sides[0].singles.median());
    Ok(vec![
        Row::beside("trace.overhead", "us", p50, Bound::MoreByAtMost(15.0))
            .remark(format!("p50, more by {} in each round", more.spread())),
        Row::beside("trace.overhead.cpu", "us/call", cpu, Bound::MoreByAtMost(25.0))
            .remark(format!("among {WIDTH} calls {:.1}, untraced {:.1}", among?, among_off?)),
    ])
}

/// A server, whoever asks it, and how it did.
struct Side {
    server: Server,
    agent: Agent,
    singles: Samples,
    cpu: Duration,
}

impl Side {
    /// Starts it and warms it up.
    async fn start(rig: &Rig, name: &str, sections: &Value) -> anyhow::Result<Self> {
        let api = json!({"concurrency": CONNECTIONS});
        let server = rig.limited(name, sections, &api, &[("now", json!({}))])?;
        let mut agent = Agent::connect(&server.socket).await?;
        let one = turn("now", 1);
        for _ in 0..WARM {
            agent.run(&one).await?;
        }
        let cpu = server.process.cpu()?;
        Ok(Self { server, agent, singles: Samples::default(), cpu })
    }

    /// What it takes of the processor counts from here on.
    fn rest(&mut self) -> anyhow::Result<()> {
        self.cpu = self.server.process.cpu()?;
        Ok(())
    }

    /// What a call took of it since, in microseconds.
    fn cpu(&self, calls: usize) -> anyhow::Result<f64> {
        let used = self.server.process.cpu()? - self.cpu;
        Ok(used.as_secs_f64() * 1e6 / calls as f64)
    }
}

/// What is wrong with a collector.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    Gone,
    Stopped,
    Slow,
}

/// `trace.independence`: a call's p50 while the collector is gone, stopped or slow,
/// beside one that is well, all four in turn. A call may be faster where nobody takes
/// its spans: that harms nobody.
pub(crate) async fn independence(rig: &Rig) -> anyhow::Result<Vec<Row>> {
    let mut watched = Vec::new();
    for (name, fault) in [
        ("well", Fault::None),
        ("gone", Fault::Gone),
        ("stopped", Fault::Stopped),
        ("slow", Fault::Slow),
    ] {
        watched.push(Watched::start(rig, name, fault).await?);
    }
    for side in &mut watched {
        side.goes_wrong()?;
    }
    let one = turn("now", 1);
    let mut ratios = [1, 2, 3].map(|_| Samples::default());
    for _ in 0..ROUNDS {
        let mut rounds = vec![Samples::default(); watched.len()];
        for _ in 0..SINGLES {
            for (side, round) in watched.iter_mut().zip(&mut rounds) {
                round.push(side.side.agent.run(&one).await?.as_secs_f64() * 1e6);
            }
        }
        for (ratios, round) in ratios.iter_mut().zip(&rounds[1..]) {
            ratios.push(round.median() / rounds[0].median());
        }
        for (side, round) in watched.iter_mut().zip(&rounds) {
            side.side.singles.extend(round);
        }
    }
    let names =
        ["trace.independence.gone", "trace.independence.stopped", "trace.independence.slow"];
    let well = watched[0].side.singles.median();
    ensure!(watched[0].dropped()? == 0, "a collector that is well was sent too little");
    let mut rows = Vec::new();
    for ((name, side), ratios) in names.into_iter().zip(&watched[1..]).zip(&ratios) {
        let dropped = side.dropped()?;
        // One that is only slow may keep up with a slow run.
        let is_away = !matches!(side.fault, Fault::Slow);
        ensure!(dropped > 0 || !is_away, "{name}: no span was dropped, so nothing was wrong");
        let p50 = (side.side.singles.median(), well);
        rows.push(
            Row::beside(name, "us", p50, Bound::RatioAtMost(1.05))
                .remark(format!("p50, rounds {}; {dropped} spans dropped", ratios.spread())),
        );
    }
    Ok(rows)
}

/// A server with a collector of its own.
struct Watched {
    side: Side,
    fault: Fault,
    /// None once it is gone.
    collector: Option<Collector>,
    /// Where the server's metrics are.
    admin: String,
}

impl Watched {
    /// Starts both, well.
    async fn start(rig: &Rig, name: &str, fault: Fault) -> anyhow::Result<Self> {
        let delay = if matches!(fault, Fault::Slow) { 1000 } else { 0 };
        let collector = Collector::start(rig, Duration::from_millis(delay))?;
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // So small that a run of this length comes to its bounds.
        let otlp = json!({
            "endpoint": format!("http://{}", collector.authority),
            "queue": 4000, "delay": "100ms", "timeout": "2s",
        });
        let sections = json!({"telemetry": {"otlp": otlp}, "listen": {"admin": free.to_string()}});
        let side = Side::start(rig, name, &sections).await?;
        Ok(Self { side, fault, collector: Some(collector), admin: free.to_string() })
    }

    fn goes_wrong(&mut self) -> anyhow::Result<()> {
        let collector = self.collector.as_ref().context("it is gone")?;
        ensure!(collector.spans()? > 0, "the collector was never well");
        match self.fault {
            Fault::None | Fault::Slow => {}
            Fault::Gone => self.collector = None,
            Fault::Stopped => collector.process.stop()?,
        }
        Ok(())
    }

    /// Spans that the server dropped, by its own count.
    fn dropped(&self) -> anyhow::Result<u64> {
        let metrics = ask(&self.admin, "/metrics")?;
        let line = metrics.lines().find(|line| line.starts_with("sidecall_telemetry_dropped"));
        let count = line.and_then(|line| line.split_whitespace().last());
        Ok(count.context("nothing is said of dropped spans")?.parse()?)
    }
}
