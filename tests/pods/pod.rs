//! A pod of processes on this machine: does what the [`Kubelet`] decides, and tells
//! what it did, line by line.

use std::{collections::BTreeSet, process::ExitStatus, time::Duration};

use sidecall::clock::{self, Instant};
use tokio::{
    process::{Child, Command},
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    health::Health,
    kubelet::{Action, Container, Event, Kind, Kubelet, Policy, Probe},
    support::PATIENCE,
};

/// Orders that wait for a pod.
const ORDERS_MAX: usize = 64;

/// A container: what a kubelet must know of it, and how it runs.
pub(crate) struct Runs {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) command: MakesCommand,
    pub(crate) probes: Vec<(Probe, Health)>,
    pub(crate) probe_period: Duration,
    pub(crate) failures_max: u32,
    pub(crate) hook: Option<MakesCommand>,
}

/// Gives the command of each start.
pub(crate) type MakesCommand = Box<dyn Fn() -> Command + Send>;

/// What a pod has done, and what runs in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// `agent started`, `sidecar TERM`, `sidecar ended: exit status: 0`, …
    pub(crate) lines: Vec<String>,
    /// The process of each container.
    pids: Vec<Option<u32>>,
}

impl Told {
    /// How many lines begin so.
    pub(crate) fn count(&self, begin: &str) -> usize {
        self.lines.iter().filter(|line| line.starts_with(begin)).count()
    }

    /// The place of the last line that begins so.
    #[track_caller]
    pub(crate) fn last(&self, begin: &str) -> usize {
        let found = self.lines.iter().rposition(|line| line.starts_with(begin));
        found.unwrap_or_else(|| panic!("no {begin:?} in {:#?}", self.lines))
    }
}

enum Order {
    Happened(Event),
    /// From now on it is started so.
    Command(usize, MakesCommand),
    HookDone(usize, ExitStatus),
    Ended(usize, ExitStatus),
    /// What a probe of the container's process of that number found.
    Probed(usize, usize, Probe, bool),
}

/// A pod that runs. Dropping it kills what is in it.
pub(crate) struct Pod {
    names: Vec<&'static str>,
    orders: mpsc::Sender<Order>,
    told: watch::Receiver<Told>,
    _driver: JoinSet<()>,
}

impl Pod {
    pub(crate) fn start(policy: Policy, containers: Vec<Runs>) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let names: Vec<_> = containers.iter().map(|one| one.name).collect();
        let pids = vec![None; names.len()];
        let (tell, told) = watch::channel(Told { pids, ..Told::default() });
        let decided = containers.iter().map(|one| Container {
            kind: one.kind,
            has_startup_probe: one.probes.iter().any(|(probe, _)| *probe == Probe::Startup),
            has_hook: one.hook.is_some(),
            failures_max: one.failures_max,
        });
        let driver = Driver {
            kubelet: Kubelet::new(policy, decided.collect()),
            probing: names.iter().map(|_| Vec::new()).collect(),
            starts: vec![0; names.len()],
            containers,
            began: clock::now(),
            alarms: BTreeSet::new(),
            tasks: JoinSet::new(),
            orders: orders.clone(),
            tell,
        };
        let mut task = JoinSet::new();
        task.spawn(driver.run(inbox));
        Self { names, orders, told, _driver: task }
    }

    /// Waits until that is so; gives what was told by then.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Told) -> bool) -> Told {
        let mut told = self.told.clone();
        let seen = timeout(PATIENCE, told.wait_for(|told| is_so(told))).await;
        let seen = seen.map(|seen| seen.expect("the pod's driver has ended").clone());
        seen.unwrap_or_else(|_| panic!("never {what}: {:#?}", self.told.borrow().lines))
    }

    /// Waits for that many lines that begin so.
    pub(crate) async fn says(&self, begin: &str, times: usize) -> Told {
        self.until(begin, |told| told.count(begin) >= times).await
    }

    /// A signal from nowhere, of which the kubelet knows nothing. Whether there was
    /// a process that it reached.
    pub(crate) fn signal(&self, name: &str, signal: &str) -> bool {
        let pid = self.told.borrow().pids[self.place(name)];
        pid.is_some_and(|pid| send(pid, signal))
    }

    /// Another image for a container, while the others run on.
    pub(crate) async fn replace(&self, name: &str, command: MakesCommand) {
        let at = self.place(name);
        self.order(Order::Command(at, command)).await;
        self.order(Order::Happened(Event::Replace { at })).await;
    }

    /// Ends the pod, or only sees to it that it ends by itself; gives what was told.
    pub(crate) async fn delete(&self) -> Told {
        self.order(Order::Happened(Event::Delete)).await;
        self.ends().await
    }

    pub(crate) async fn ends(&self) -> Told {
        self.says("over", 1).await
    }

    fn place(&self, name: &str) -> usize {
        self.names.iter().position(|one| *one == name).expect("a container of that name")
    }

    async fn order(&self, order: Order) {
        assert!(self.orders.send(order).await.is_ok(), "the pod's driver has ended");
    }
}

fn send(pid: u32, signal: &str) -> bool {
    let pid = pid.to_string();
    std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success()
}

struct Driver {
    kubelet: Kubelet,
    containers: Vec<Runs>,
    /// The probes of each container's process.
    probing: Vec<Vec<AbortHandle>>,
    starts: Vec<usize>,
    began: Instant,
    alarms: BTreeSet<(Instant, usize)>,
    tasks: JoinSet<()>,
    orders: mpsc::Sender<Order>,
    tell: watch::Sender<Told>,
}

impl Driver {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        self.happened(Event::Begin);
        loop {
            let alarm = self.alarms.first().copied();
            let rings = async {
                match alarm {
                    Some((at, _)) => clock::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                () = rings => {
                    if let Some((_, at)) = self.alarms.pop_first() {
                        self.happened(Event::Alarm { at });
                    }
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Happened(event) => self.happened(event),
            Order::Command(at, command) => self.containers[at].command = command,
            Order::HookDone(at, status) => {
                self.say(at, &format!("hook ended: {status}"));
                self.happened(Event::HookEnded { at });
            }
            // What the one before was found to be says nothing of this one.
            Order::Probed(at, start, probe, passed) if start == self.starts[at] => {
                self.happened(Event::Probed { at, probe, passed });
            }
            Order::Probed(..) => {}
            Order::Ended(at, status) => {
                self.starts[at] += 1;
                self.probing[at].drain(..).for_each(|probe| probe.abort());
                self.tell.send_modify(|told| told.pids[at] = None);
                self.say(at, &format!("ended: {status}"));
                self.happened(Event::Exited { at, ok: status.success() });
            }
        }
    }

    fn happened(&mut self, event: Event) {
        let now = clock::now().duration_since(self.began);
        for action in self.kubelet.apply(now, event) {
            match action {
                Action::Start(at) => self.start(at),
                Action::Hook(at) => self.hook(at),
                Action::Term(at) => self.signal(at, "TERM"),
                Action::Kill(at) => self.signal(at, "KILL"),
                Action::Wake(at, time) => drop(self.alarms.insert((self.began + time, at))),
                Action::Ready(at, true) => self.say(at, "ready"),
                Action::Ready(at, false) => self.say(at, "not ready"),
                Action::Over => self.tell.send_modify(|told| told.lines.push("over".to_owned())),
            }
        }
    }

    fn say(&self, at: usize, what: &str) {
        let line = format!("{} {what}", self.containers[at].name);
        self.tell.send_modify(|told| told.lines.push(line));
    }

    fn signal(&self, at: usize, signal: &str) {
        // Said first, so that what it brings about is told after it.
        self.say(at, signal);
        if let Some(pid) = self.tell.borrow().pids[at] {
            send(pid, signal);
        }
    }

    fn start(&mut self, at: usize) {
        let mut command = (self.containers[at].command)();
        let child = command.kill_on_drop(true).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        self.tell.send_modify(|told| told.pids[at] = child.id());
        self.say(at, "started");
        self.tasks.spawn(ended(child, self.orders.clone(), move |status| Order::Ended(at, status)));
        for (probe, health) in &self.containers[at].probes {
            let period = self.containers[at].probe_period;
            let (probe, start) = (*probe, self.starts[at]);
            let order = move |passed| Order::Probed(at, start, probe, passed);
            let ends = move |passed| probe == Probe::Startup && passed;
            let probing = probing(health.clone(), period, self.orders.clone(), (order, ends));
            self.probing[at].push(self.tasks.spawn(probing));
        }
    }

    fn hook(&mut self, at: usize) {
        let Some(hook) = &self.containers[at].hook else { return };
        let child = hook().kill_on_drop(true).spawn().expect("the hook starts");
        self.say(at, "hook started");
        let done = move |status| Order::HookDone(at, status);
        self.tasks.spawn(ended(child, self.orders.clone(), done));
    }
}

/// Waits for a process, and tells.
async fn ended(
    mut child: Child,
    orders: mpsc::Sender<Order>,
    order: impl FnOnce(ExitStatus) -> Order,
) {
    let status = child.wait().await.expect("a process can be waited for");
    // Nobody is told where the pod is gone.
    let _ = orders.send(order(status)).await;
}

/// Probes until that ends it: a startup probe passes once, the others go on until
/// their process has ended.
async fn probing(
    health: Health,
    period: Duration,
    orders: mpsc::Sender<Order>,
    (order, ends): (impl Fn(bool) -> Order, impl Fn(bool) -> bool),
) {
    loop {
        let passed = health.passes().await;
        let is_told = orders.send(order(passed)).await.is_ok();
        if !is_told || ends(passed) {
            return;
        }
        sleep(period).await;
    }
}
