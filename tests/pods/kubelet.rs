//! What a kubelet decides about a pod, without doing it: no clock, no process.
//!
//! Its order is the one of Kubernetes 1.29 and later. Init containers run one
//! after the other; one that restarts always is a sidecar, and the next container
//! begins once its startup probe has passed. A pod that ends stops its apps
//! first and then its sidecars, the last one first; `preStop` hooks run before
//! that, all at once. A classic sidecar is one app among others.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// Who is told to end has at least so long, whatever is left of the pod's time.
pub(crate) const LAST_MOMENTS: Duration = Duration::from_secs(2);

/// What a container is to its pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Runs to its end before the next one begins.
    Init,
    /// An init container that restarts always.
    Sidecar,
    App,
}

/// When an app that has ended is started again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Restart {
    Always,
    OnFailure,
    Never,
}

/// A container, as far as it matters for what is decided.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) kind: Kind,
    pub(crate) has_startup_probe: bool,
    pub(crate) has_hook: bool,
    /// Liveness probes that fail in a row before it is restarted.
    pub(crate) failures_max: u32,
}

/// What holds for all containers of a pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) restart: Restart,
    pub(crate) grace: Duration,
    /// The wait before the first restart; doubled for each one more.
    pub(crate) backoff: Duration,
    pub(crate) backoff_max: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Probe {
    Startup,
    Readiness,
    Liveness,
}

/// What has happened. `at` is the container's place in its pod.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// The pod is to run.
    Begin,
    /// The container's process has ended.
    Exited {
        at: usize,
        ok: bool,
    },
    Probed {
        at: usize,
        probe: Probe,
        passed: bool,
    },
    HookEnded {
        at: usize,
    },
    /// A moment has come that was asked for.
    Alarm {
        at: usize,
    },
    /// Its image was changed while the pod runs on.
    Replace {
        at: usize,
    },
    /// The pod is to end.
    Delete,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Start(usize),
    /// Run its `preStop` hook.
    Hook(usize),
    Term(usize),
    Kill(usize),
    /// Send [`Event::Alarm`] at that time.
    Wake(usize, Duration),
    Ready(usize, bool),
    /// No container will ever run again.
    Over,
}

/// What follows when a container that is stopped has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    End,
    Start,
    BackOff,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Waiting,
    /// Runs, and its startup probe has not passed.
    Starting,
    Running,
    /// Its hook runs.
    Hooking(Then),
    /// Waits for its turn to be told.
    Queued(Then),
    /// It was told to end.
    Stopping(Then),
    BackingOff(Duration),
    Ended,
}

#[derive(Debug)]
struct State {
    container: Container,
    phase: Phase,
    failures: u32,
    restarts: u32,
    is_ready: bool,
    /// When its stop began, and when it is killed for not ending.
    stop_began: Duration,
    kill_at: Duration,
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Kubelet {
    policy: Policy,
    states: Vec<State>,
    is_ending: bool,
    is_over: bool,
}

impl Kubelet {
    /// Containers in the order of their pod: init containers first.
    pub(crate) fn new(policy: Policy, containers: Vec<Container>) -> Self {
        let state = |container| State {
            container,
            phase: Phase::Waiting,
            failures: 0,
            restarts: 0,
            is_ready: false,
            stop_began: Duration::ZERO,
            kill_at: Duration::ZERO,
        };
        let states = containers.into_iter().map(state).collect();
        Self { policy, states, is_ending: false, is_over: false }
    }

    /// Takes in what has happened at `now`, which is counted from the pod's begin.
    pub(crate) fn apply(&mut self, now: Duration, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Begin => {}
            Event::Exited { at, ok } => self.exited(now, at, ok, &mut actions),
            Event::Probed { at, probe, passed } => {
                self.probed(now, at, (probe, passed), &mut actions);
            }
            Event::HookEnded { at } => {
                if let Phase::Hooking(then) = self.states[at].phase {
                    self.states[at].phase = Phase::Queued(then);
                }
            }
            Event::Alarm { at } => self.alarm(now, at, &mut actions),
            Event::Replace { at } => self.stop(now, at, Then::Start, &mut actions),
            Event::Delete => self.end(now, &mut actions),
        }
        self.advance(now, &mut actions);
        actions
    }

    fn exited(&mut self, now: Duration, at: usize, ok: bool, actions: &mut Vec<Action>) {
        self.tell_ready(at, false, actions);
        let then = match self.states[at].phase {
            Phase::Hooking(then) | Phase::Queued(then) | Phase::Stopping(then) => then,
            _ => match (self.states[at].container.kind, self.policy.restart) {
                (Kind::Init, _) if ok => Then::End,
                (Kind::App, Restart::Never) => Then::End,
                (Kind::App, Restart::OnFailure) if ok => Then::End,
                _ => Then::BackOff,
            },
        };
        match then {
            Then::End => self.states[at].phase = Phase::Ended,
            Then::Start => self.start(at, actions),
            Then::BackOff => {
                let state = &mut self.states[at];
                let doubled = self.policy.backoff * 2u32.saturating_pow(state.restarts.min(16));
                let until = now + doubled.min(self.policy.backoff_max);
                state.restarts += 1;
                state.phase = Phase::BackingOff(until);
                actions.push(Action::Wake(at, until));
            }
        }
    }

    fn probed(
        &mut self,
        now: Duration,
        at: usize,
        (probe, passed): (Probe, bool),
        actions: &mut Vec<Action>,
    ) {
        match (probe, self.states[at].phase) {
            (Probe::Startup, Phase::Starting) if passed => self.states[at].phase = Phase::Running,
            (Probe::Readiness, Phase::Starting) => {}
            // A pod that ends is asked for its readiness to the end.
            (Probe::Readiness, _) => self.tell_ready(at, passed, actions),
            (Probe::Liveness, Phase::Running) if passed => self.states[at].failures = 0,
            (Probe::Liveness, Phase::Running) => {
                self.states[at].failures += 1;
                if self.states[at].failures >= self.states[at].container.failures_max {
                    self.stop(now, at, Then::BackOff, actions);
                }
            }
            (Probe::Startup | Probe::Liveness, _) => {}
        }
    }

    fn alarm(&mut self, now: Duration, at: usize, actions: &mut Vec<Action>) {
        let state = &self.states[at];
        match state.phase {
            Phase::BackingOff(until) if now >= until => self.start(at, actions),
            // The time is over while its hook runs, or others have not ended.
            Phase::Hooking(then) | Phase::Queued(then)
                if now >= state.stop_began + self.policy.grace =>
            {
                self.tell(now, at, then, actions);
            }
            Phase::Stopping(_) if now >= state.kill_at => actions.push(Action::Kill(at)),
            _ => {}
        }
    }

    /// Begins to stop a container that runs.
    fn stop(&mut self, now: Duration, at: usize, then: Then, actions: &mut Vec<Action>) {
        let state = &mut self.states[at];
        if !matches!(state.phase, Phase::Starting | Phase::Running) {
            return;
        }
        state.stop_began = now;
        actions.push(Action::Wake(at, now + self.policy.grace));
        state.phase = if state.container.has_hook {
            actions.push(Action::Hook(at));
            Phase::Hooking(then)
        } else {
            Phase::Queued(then)
        };
    }

    /// Begins to end the pod.
    fn end(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.is_ending = true;
        for at in 0..self.states.len() {
            match self.states[at].phase {
                Phase::Starting | Phase::Running => self.stop(now, at, Then::End, actions),
                Phase::Hooking(_) => self.states[at].phase = Phase::Hooking(Then::End),
                Phase::Queued(_) => self.states[at].phase = Phase::Queued(Then::End),
                Phase::Stopping(_) => self.states[at].phase = Phase::Stopping(Then::End),
                Phase::Waiting | Phase::BackingOff(_) | Phase::Ended => {
                    self.states[at].phase = Phase::Ended;
                }
            }
        }
    }

    /// Whatever has become possible: the next container, the next turn to end.
    fn advance(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if !self.is_ending {
            self.start_next(actions);
            if self.have_ended(|kind, _| kind == Kind::App) {
                self.end(now, actions);
            }
        }
        for at in (0..self.states.len()).rev() {
            if let Phase::Queued(then) = self.states[at].phase
                && (then != Then::End || self.is_turn_of(at))
            {
                self.tell(now, at, then, actions);
            }
        }
        if self.is_ending && !self.is_over && self.have_ended(|_, _| true) {
            self.is_over = true;
            actions.push(Action::Over);
        }
    }

    fn start_next(&mut self, actions: &mut Vec<Action>) {
        for at in 0..self.states.len() {
            let kind = self.states[at].container.kind;
            match (kind, self.states[at].phase) {
                (_, Phase::Waiting) => {
                    self.start(at, actions);
                    // Those after it are let in when its startup probe has passed.
                    let is_let_in = self.states[at].phase == Phase::Running;
                    if kind == Kind::Init || (kind == Kind::Sidecar && !is_let_in) {
                        return;
                    }
                }
                (Kind::Init, Phase::Ended) | (Kind::App, _) => {}
                (Kind::Init, _) | (Kind::Sidecar, Phase::Starting) => return,
                // A sidecar that died before its probe passed once lets nobody in.
                (Kind::Sidecar, Phase::BackingOff(_)) if self.apps_wait() => return,
                (Kind::Sidecar, _) => {}
            }
        }
    }

    fn apps_wait(&self) -> bool {
        let mut apps = self.states.iter().filter(|state| state.container.kind == Kind::App);
        apps.any(|state| state.phase == Phase::Waiting)
    }

    fn have_ended(&self, which: impl Fn(Kind, usize) -> bool) -> bool {
        let mut states = self.states.iter().enumerate();
        states.all(|(at, state)| !which(state.container.kind, at) || state.phase == Phase::Ended)
    }

    /// Whether it may be told to end with its pod: apps at once, and a sidecar once
    /// the apps and the sidecars after it have ended.
    fn is_turn_of(&self, at: usize) -> bool {
        self.states[at].container.kind != Kind::Sidecar
            || self.have_ended(|kind, other| kind == Kind::App || other > at)
    }

    fn tell(&mut self, now: Duration, at: usize, then: Then, actions: &mut Vec<Action>) {
        let state = &mut self.states[at];
        state.phase = Phase::Stopping(then);
        state.kill_at = (state.stop_began + self.policy.grace).max(now + LAST_MOMENTS);
        actions.extend([Action::Term(at), Action::Wake(at, state.kill_at)]);
    }

    fn start(&mut self, at: usize, actions: &mut Vec<Action>) {
        let state = &mut self.states[at];
        state.failures = 0;
        state.phase =
            if state.container.has_startup_probe { Phase::Starting } else { Phase::Running };
        actions.push(Action::Start(at));
    }

    fn tell_ready(&mut self, at: usize, is_ready: bool, actions: &mut Vec<Action>) {
        if self.states[at].is_ready != is_ready {
            self.states[at].is_ready = is_ready;
            actions.push(Action::Ready(at, is_ready));
        }
    }
}
