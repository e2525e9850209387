//! What it costs to wait at the gate: memory for each waiter, and time for each
//! grant, with many waiters and with few.

use std::{
    collections::VecDeque,
    fs,
    future::Future,
    io::Write,
    num::{NonZeroU32, NonZeroUsize},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use sidecall::{
    clock,
    drain::Drain,
    limits::{Asked, Gate, Permit, Request, Scope, Wait, gate},
    model::{ApiName, SessionId, Tenant, ToolName},
};

use crate::{
    growth::cpu,
    process::Process,
    report::{Bound, Row},
    stats::Samples,
};

const WAITERS: usize = 10_000;
const FEW: usize = 100;
const GRANTS: usize = 20_000;
const ROUNDS: usize = 9;

/// Who waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Crowd {
    /// One batch of one session.
    Batch,
    /// A session for each.
    Sessions,
}

impl Crowd {
    const ALL: [(Self, &'static str); 2] = [(Self::Batch, "batch"), (Self::Sessions, "sessions")];
}

/// A gate with one place, which is taken, and those who wait for it.
struct Queue {
    scopes: Vec<Arc<Scope>>,
    api: ApiName,
    tool: ToolName,
    held: Option<Permit>,
    waits: VecDeque<Wait>,
}

/// A waker as a task has one.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

impl Queue {
    fn new(crowd: Crowd, waiters: usize) -> anyhow::Result<Self> {
        let many = NonZeroUsize::new(1 << 30).context("not zero")?;
        let (api, tool) = (ApiName::try_new("api")?, ToolName::try_new("tool")?);
        let settings = gate::Settings {
            process: many,
            session: many,
            batch: many,
            apis: vec![gate::Api {
                concurrency: Some(NonZeroUsize::MIN),
                queue_max: many,
                ..gate::Api::new(api.clone())
            }],
            tools: Vec::new(),
        };
        let gate = Gate::new(settings, Drain::new());
        let sessions = if crowd == Crowd::Batch { 1 } else { waiters };
        let scopes: Vec<_> = (0..sessions)
            .map(|n| {
                let session = SessionId::try_new(format!("session-{n}"))?;
                anyhow::Ok(gate.open(&Tenant::local(), &session))
            })
            .collect::<anyhow::Result<_>>()?;
        let Asked::Granted(held) = ask(&scopes[0], &api, &tool) else {
            bail!("an idle gate lets nobody in");
        };
        let mut queue =
            Self { scopes, api, tool, held: Some(held), waits: VecDeque::with_capacity(waiters) };
        for number in 0..waiters {
            queue.push(number)?;
        }
        Ok(queue)
    }

    /// Lets one more wait.
    fn push(&mut self, number: usize) -> anyhow::Result<()> {
        let scope = &self.scopes[number % self.scopes.len()];
        let Asked::Waiting(mut wait) = ask(scope, &self.api, &self.tool) else {
            bail!("a full gate lets somebody in");
        };
        ensure!(poll(&mut wait).is_none(), "a full gate granted");
        self.waits.push_back(wait);
        Ok(())
    }

    /// Gives the place to whoever is next and lets its session wait again, at the
    /// end: all came at once and all paths are equal.
    fn turn(&mut self, number: usize) -> anyhow::Result<()> {
        let mut first = self.waits.pop_front().context("nobody waits")?;
        drop(self.held.take());
        self.held = Some(poll(&mut first).context("the first was not granted")?);
        self.push(number)
    }
}

fn ask(scope: &Arc<Scope>, api: &ApiName, tool: &ToolName) -> Asked {
    scope.ask(Request {
        api,
        tool,
        cost: NonZeroU32::MIN,
        path: Duration::ZERO,
        deadline: clock::now() + Duration::from_secs(600),
    })
}

fn poll(wait: &mut Wait) -> Option<Permit> {
    let waker = Waker::from(Arc::new(Task));
    match Pin::new(wait).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(permit) => permit.ok(),
        Poll::Pending => None,
    }
}

/// `queue.memory`: what a process grows by when 10,000 come to wait, by the worse
/// of the two crowds.
pub(crate) fn memory() -> anyhow::Result<Row> {
    let bench = std::env::current_exe()?;
    let mut figures = Vec::new();
    for (_, name) in Crowd::ALL {
        let mut process = Process::start(&bench, ["waiters", name])?;
        figures.push((process.line()?.parse::<f64>()?, name));
    }
    let worst = figures.iter().map(|(bytes, _)| *bytes).fold(0.0, f64::max);
    let all: Vec<_> = figures.iter().map(|(bytes, name)| format!("{name}: {bytes:.0}")).collect();
    Ok(Row::alone("queue.memory", "bytes/waiter", worst, Bound::ValueAtMost(2048.0))
        .remark(format!("{WAITERS} waiters, {}", all.join(", "))))
}

/// A process of its own, for a heap without holes.
pub(crate) fn wait(crowd: Crowd) -> anyhow::Result<()> {
    let before = anonymous_bytes()?;
    let queue = Queue::new(crowd, WAITERS)?;
    let after = anonymous_bytes()?;
    writeln!(std::io::stdout(), "{:.0}", (after - before) / queue.waits.len() as f64)?;
    Ok(())
}

/// What this process holds that no file backs.
fn anonymous_bytes() -> anyhow::Result<f64> {
    let maps = fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = maps.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("smaps_rollup says nothing of Anonymous")?.parse::<f64>()? * 1024.0)
}

/// `queue.grant`: the processor time of giving a place back, granting it and
/// waiting anew, with 10,000 waiters beside 100, by the worse of the two crowds.
pub(crate) fn grant() -> anyhow::Result<Row> {
    let mut rows = Vec::new();
    for (crowd, name) in Crowd::ALL {
        let (mut few, mut many) = (Samples::default(), Samples::default());
        let (mut small, mut large) = (Queue::new(crowd, FEW)?, Queue::new(crowd, WAITERS)?);
        for _ in 0..ROUNDS {
            for (queue, samples) in [(&mut small, &mut few), (&mut large, &mut many)] {
                let begin = cpu()?;
                for number in 0..GRANTS {
                    queue.turn(number)?;
                }
                samples.push((cpu()? - begin).as_secs_f64() * 1e9 / GRANTS as f64);
            }
        }
        rows.push((many.min(), few.min(), name));
    }
    rows.sort_by(|(a, b, _), (c, d, _)| (a / b).total_cmp(&(c / d)));
    let all: Vec<_> =
        rows.iter().map(|(many, few, name)| format!("{name}: {many:.0} and {few:.0}")).collect();
    let (many, few, _) = rows.last().context("no crowd")?;
    Ok(Row::beside("queue.grant", "ns", (*many, *few), Bound::RatioAtMost(2.0))
        .remark(format!("{WAITERS} waiters and {FEW}, {}", all.join(", "))))
}
