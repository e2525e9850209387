//! The kubelet's order, as a table of what happens and what is done.

use super::*;

const GRACE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

fn container(kind: Kind) -> Container {
    Container { kind, has_startup_probe: kind == Kind::Sidecar, has_hook: false, failures_max: 3 }
}

fn kubelet(restart: Restart, kinds: &[Kind]) -> Kubelet {
    let policy = Policy { restart, grace: GRACE, backoff: SECOND, backoff_max: 5 * SECOND };
    Kubelet::new(policy, kinds.iter().copied().map(container).collect())
}

/// What is done, without what is only planned for later.
fn does(kubelet: &mut Kubelet, now: Duration, event: Event) -> Vec<Action> {
    let mut actions = kubelet.apply(now, event);
    actions.retain(|action| !matches!(action, Action::Wake(..)));
    actions
}

fn started(at: usize) -> Event {
    Event::Probed { at, probe: Probe::Startup, passed: true }
}

fn exited(at: usize) -> Event {
    Event::Exited { at, ok: true }
}

/// Two sidecars and an app that all run.
fn running() -> Kubelet {
    let mut kubelet = kubelet(Restart::Always, &[Kind::Sidecar, Kind::Sidecar, Kind::App]);
    kubelet.apply(Duration::ZERO, Event::Begin);
    kubelet.apply(Duration::ZERO, started(0));
    kubelet.apply(Duration::ZERO, started(1));
    kubelet
}

#[test]
fn each_init_container_ends_and_each_sidecar_starts_before_the_next_one() {
    let mut pod =
        kubelet(Restart::Always, &[Kind::Init, Kind::Sidecar, Kind::Init, Kind::App, Kind::App]);
    let now = Duration::ZERO;
    assert_eq!(does(&mut pod, now, Event::Begin), [Action::Start(0)]);
    assert_eq!(does(&mut pod, now, exited(0)), [Action::Start(1)]);
    let failed = Event::Probed { at: 1, probe: Probe::Startup, passed: false };
    assert_eq!(does(&mut pod, now, failed), []);
    assert_eq!(does(&mut pod, now, started(1)), [Action::Start(2)]);
    assert_eq!(does(&mut pod, now, exited(2)), [Action::Start(3), Action::Start(4)]);
}

#[test]
fn a_sidecar_that_dies_before_it_has_started_lets_nobody_in() {
    let mut pod = kubelet(Restart::Always, &[Kind::Sidecar, Kind::App]);
    pod.apply(Duration::ZERO, Event::Begin);
    let died = Event::Exited { at: 0, ok: false };
    assert_eq!(pod.apply(Duration::ZERO, died), [Action::Wake(0, SECOND)]);
    assert_eq!(does(&mut pod, SECOND, Event::Alarm { at: 0 }), [Action::Start(0)]);
    assert_eq!(does(&mut pod, SECOND, started(0)), [Action::Start(1)]);
}

#[test]
fn restarts_wait_twice_as_long_each_time_up_to_a_bound() {
    let mut pod = running();
    let mut now = Duration::ZERO;
    for wait in [1, 2, 4, 5, 5] {
        let died = Event::Exited { at: 0, ok: false };
        assert_eq!(pod.apply(now, died), [Action::Wake(0, now + wait * SECOND)]);
        now += wait * SECOND;
        assert_eq!(does(&mut pod, now, Event::Alarm { at: 0 }), [Action::Start(0)]);
    }
}

#[test]
fn apps_end_first_and_then_the_sidecars_the_last_one_first() {
    let mut pod = running();
    let now = SECOND;
    assert_eq!(does(&mut pod, now, Event::Delete), [Action::Term(2)]);
    assert_eq!(does(&mut pod, now, exited(2)), [Action::Term(1)]);
    assert_eq!(does(&mut pod, now, exited(1)), [Action::Term(0)]);
    assert_eq!(does(&mut pod, now, exited(0)), [Action::Over]);
}

#[test]
fn classic_containers_are_all_told_at_once() {
    let mut pod = kubelet(Restart::Always, &[Kind::App, Kind::App]);
    pod.apply(Duration::ZERO, Event::Begin);
    assert_eq!(does(&mut pod, SECOND, Event::Delete), [Action::Term(1), Action::Term(0)]);
}

#[test]
fn an_app_that_does_not_end_is_killed_and_leaves_the_sidecars_their_last_moments() {
    let mut pod = running();
    pod.apply(Duration::ZERO, Event::Delete);
    // Each container's time is over at the same moment, whoever still waits.
    assert_eq!(does(&mut pod, GRACE, Event::Alarm { at: 2 }), [Action::Kill(2)]);
    assert_eq!(does(&mut pod, GRACE, exited(2)), [Action::Term(1)]);
    let told = pod.apply(GRACE, Event::Alarm { at: 0 });
    assert_eq!(told, [Action::Term(0), Action::Wake(0, GRACE + LAST_MOMENTS)]);
    assert_eq!(does(&mut pod, GRACE + SECOND, Event::Alarm { at: 0 }), []);
    assert_eq!(does(&mut pod, GRACE + LAST_MOMENTS, Event::Alarm { at: 0 }), [Action::Kill(0)]);
}

#[test]
fn a_hook_runs_before_its_container_is_told_and_counts_towards_its_time() {
    let policy =
        Policy { restart: Restart::Always, grace: GRACE, backoff: SECOND, backoff_max: SECOND };
    let hooked = Container { has_hook: true, ..container(Kind::App) };
    let mut pod = Kubelet::new(policy, vec![hooked.clone(), hooked]);
    pod.apply(Duration::ZERO, Event::Begin);
    let hooks = [Action::Hook(0), Action::Hook(1)];
    assert_eq!(does(&mut pod, Duration::ZERO, Event::Delete), hooks);
    let told = pod.apply(SECOND, Event::HookEnded { at: 0 });
    assert_eq!(told, [Action::Term(0), Action::Wake(0, GRACE)]);
    // The other's hook hangs.
    assert_eq!(does(&mut pod, GRACE, Event::Alarm { at: 1 }), [Action::Term(1)]);
}

#[test]
fn sidecars_end_when_the_last_app_of_a_job_has() {
    let mut pod = kubelet(Restart::OnFailure, &[Kind::Sidecar, Kind::App, Kind::App]);
    pod.apply(Duration::ZERO, Event::Begin);
    pod.apply(Duration::ZERO, started(0));
    assert_eq!(does(&mut pod, SECOND, exited(1)), []);
    let failed = Event::Exited { at: 2, ok: false };
    assert_eq!(pod.apply(SECOND, failed), [Action::Wake(2, 2 * SECOND)]);
    assert_eq!(does(&mut pod, 2 * SECOND, Event::Alarm { at: 2 }), [Action::Start(2)]);
    assert_eq!(does(&mut pod, 2 * SECOND, exited(2)), [Action::Term(0)]);
    assert_eq!(does(&mut pod, 2 * SECOND, exited(0)), [Action::Over]);
}

#[test]
fn liveness_restarts_after_so_many_failures_in_a_row_and_no_fewer() {
    let mut pod = running();
    let probed = |passed| Event::Probed { at: 0, probe: Probe::Liveness, passed };
    for passed in [false, false, true, false, false] {
        assert_eq!(does(&mut pod, SECOND, probed(passed)), []);
    }
    // Out of turn: the pod goes on.
    assert_eq!(does(&mut pod, SECOND, probed(false)), [Action::Term(0)]);
    assert_eq!(pod.apply(SECOND, exited(0)), [Action::Wake(0, 2 * SECOND)]);
}

#[test]
fn a_changed_image_starts_at_once_when_the_old_one_has_ended() {
    let mut pod = running();
    assert_eq!(does(&mut pod, SECOND, Event::Replace { at: 0 }), [Action::Term(0)]);
    assert_eq!(does(&mut pod, SECOND, exited(0)), [Action::Start(0)]);
}

#[test]
fn a_pod_that_ends_starts_nothing_again() {
    let mut pod = running();
    pod.apply(SECOND, Event::Replace { at: 0 });
    pod.apply(SECOND, Event::Exited { at: 1, ok: false });
    assert_eq!(does(&mut pod, SECOND, Event::Delete), [Action::Term(2)]);
    assert_eq!(does(&mut pod, 2 * SECOND, exited(0)), []);
    assert_eq!(does(&mut pod, 2 * SECOND, Event::Alarm { at: 1 }), []);
    assert_eq!(does(&mut pod, 2 * SECOND, exited(2)), [Action::Over]);
}
