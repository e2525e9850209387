//! Turns of callers that may have only so much, and of several owners.

use super::*;
use crate::policy::Limits;

/// The turn of a caller's of that tenant.
pub(super) fn of_tenant(tenant: &str, submission: Submission) -> Submission {
    let tenant = Tenant::try_new(tenant).unwrap();
    let caller = Arc::new(Caller { tenant, ..Caller::local() });
    Submission { caller, ..submission }
}

/// A caller with such limits.
fn limited(owner: &str, limits: Limits) -> Arc<Caller> {
    Arc::new(Caller { owner: Owner::try_new(owner).unwrap(), limits, ..Caller::local() })
}

#[tokio::test(start_paused = true)]
async fn a_caller_over_its_open_batches_is_told_to_wait_and_no_other_is() {
    let world = world(&[("get", Script::Echoes(50))]);
    let limits = Limits { batches: Some(nz(2)), ..Limits::default() };
    let of = |owner| Submission { caller: limited(owner, limits), ..turn(&["get"]) };
    let open = [of("planner"), of("planner")].map(|turn| world.scheduler.submit(turn).unwrap());
    let Err(Refusal::Exhausted { what, retry_after }) = world.scheduler.submit(of("planner"))
    else {
        panic!("it was let in")
    };
    assert_eq!(what, "2 open batches of the caller, 1 more would pass limits.batches (2)");
    assert!(!retry_after.is_zero());
    let other = world.scheduler.submit(of("other")).unwrap();
    for running in open.into_iter().chain([other]) {
        assert_eq!(world.told(running).await.outcomes(), [Outcome::Succeeded]);
    }
    assert_eq!(world.run(of("planner")).await.outcomes(), [Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn no_more_of_a_callers_attempts_are_in_flight_than_its_limit_in_all_its_sessions() {
    let world = world(&[("get", Script::Echoes(100))]);
    let limits = Limits { concurrency: Some(nz(2)), ..Limits::default() };
    let began = clock::now();
    let of = |session: &str| {
        let caller = limited("planner", limits);
        let session = SessionId::try_new(session).unwrap().of(&caller.owner);
        Submission { caller, session_id: Some(session), ..turn(&["get", "get"]) }
    };
    let open = ["a", "b", "c"].map(|session| world.scheduler.submit(of(session)).unwrap());
    let mut succeeded = 0;
    for mut running in open {
        while let Some(event) = running.events.recv().await {
            let Event::Finished(result) = event else { continue };
            succeeded += usize::from(result.outcome == Outcome::Succeeded);
        }
    }
    assert_eq!(succeeded, 6);
    assert_eq!(world.seen.most_in_flight.load(Atomic::SeqCst), 2);
    assert_eq!(clock::now() - began, MS(300));
}

/// One owner's turn is another session than another's of the same name and tenant.
#[tokio::test(start_paused = true)]
async fn sessions_of_two_owners_share_no_bound() {
    let mut settings = settings();
    settings.session_calls_max = nz(2);
    let world = world_with(settings, &[("get", Script::Echoes(50))]);
    let running = ["one", "other"].map(|owner| {
        let caller = limited(owner, Limits::default());
        let session = SessionId::try_new("s").unwrap().of(&caller.owner);
        let turn = turn(&["get", "get"]);
        world.scheduler.submit(Submission { caller, session_id: Some(session), ..turn }).unwrap()
    });
    for running in running {
        assert_eq!(world.told(running).await.outcomes(), [Outcome::Succeeded; 2]);
    }
}
