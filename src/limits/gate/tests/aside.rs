//! Those who stand aside: nobody looks at them in vain, and nobody forgets them.

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

const S: fn(u64) -> Duration = Duration::from_secs;

/// How often it is measured.
const ROUNDS: usize = 50;

/// Many who wait, and what they hold.
#[derive(Default)]
struct Crowd {
    scopes: Vec<Arc<Scope>>,
    waits: Vec<Wait>,
    held: Vec<Permit>,
}

impl Crowd {
    /// Asks once more for each of so many: the first may be granted.
    fn ask(&mut self, of: impl Fn(usize) -> Arc<Scope>, tool: &str, count: usize) {
        let tool = ToolName::try_new(tool).unwrap();
        for n in 0..count {
            let scope = of(n);
            match scope.ask(request(&name("crm"), &tool)) {
                Asked::Granted(permit) => self.held.push(permit),
                Asked::Waiting(wait) => self.waits.push(wait),
                Asked::Refused(refused) => panic!("{refused:?}"),
            }
            self.scopes.push(scope);
        }
    }

    /// Those who were granted meanwhile hold their rights.
    fn take_grants(&mut self) {
        let held = &mut self.held;
        self.waits.retain_mut(|wait| poll(wait).map(|permit| held.push(permit)).is_none());
    }
}

/// Sessions that were looked at for each grant.
async fn looks_for_each_grant(kind: &str, count: usize) -> f64 {
    let mut settings = settings(vec![match kind {
        "own tokens" | "own tokens, by time" => rated("crm", "1/s", Per::Session),
        "a tenant's tokens" | "a tenant's tokens, by time" => rated("crm", "1/s", Per::Tenant),
        "own places" | "a full tool" | "a full owner" => api("crm"),
        _ => capped("crm", 1),
    }]);
    settings.tools = vec![(ToolName::try_new("full").unwrap(), nz(1))];
    if kind == "own places" {
        settings.session = nz(1);
    }
    let gate = Gate::new(settings, Drain::new());
    let mut crowd = Crowd::default();
    let each = |n: usize| open(&gate, &format!("c{n}"));
    let twice = |n: usize| open(&gate, &format!("c{}", n / 2));
    match kind {
        "one session" => {
            let one = open(&gate, "c");
            crowd.ask(|_| Arc::clone(&one), "tool", count);
        }
        "one session's batches" => crowd.ask(|_| open(&gate, "c"), "tool", count),
        "a full tool" => crowd.ask(each, "full", count),
        "a full owner" => {
            crowd.ask(|n| owned(&gate, "planner", &format!("c{n}"), 1), "tool", count);
        }
        "own tokens" | "own tokens, by time" | "own places" => crowd.ask(twice, "tool", 2 * count),
        _ => crowd.ask(each, "tool", count),
    }
    if !kind.starts_with("own places") {
        crowd.held.truncate(1);
    }

    let before = gate.lock().looks;
    let mut grants = 0;
    for round in 0..ROUNDS {
        match kind {
            // The crowd cannot go; somebody else can.
            "own tokens" | "a tenant's tokens" | "own places" => {
                let tenant = Tenant::try_new(format!("busy{round}")).unwrap();
                let busy = gate.open(&tenant, &session("busy"));
                let permit = match ask(&busy, "crm") {
                    Asked::Granted(permit) => permit,
                    Asked::Waiting(mut wait) => poll(&mut wait).unwrap(),
                    Asked::Refused(refused) => panic!("{refused:?}"),
                };
                drop(permit);
                grants += 1;
            }
            "own tokens, by time" | "a tenant's tokens, by time" => {
                crowd.held.clear();
                let next = gate.lock().next_alarm().unwrap();
                advance(next - clock::now()).await;
                // Whoever keeps time may have looked before.
                drop(gate.lock().ring(clock::now()));
                crowd.take_grants();
                grants += crowd.held.len();
                if kind.starts_with("own") {
                    // All of them in one round.
                    break;
                }
            }
            _ => {
                crowd.held.clear();
                crowd.take_grants();
                grants += crowd.held.len();
            }
        }
    }
    assert!(grants >= ROUNDS.min(count), "{kind}: {grants}");
    let looks = gate.lock().looks - before;
    looks as f64 / grants as f64
}

/// Counted, not timed: each look costs the same but for the depth of a tree.
#[tokio::test(start_paused = true)]
async fn a_grant_with_ten_thousand_waiters_costs_at_most_twice_one_with_a_hundred() {
    for kind in [
        "one session",
        "one session's batches",
        "many sessions",
        "own tokens",
        "own tokens, by time",
        "a tenant's tokens",
        "a tenant's tokens, by time",
        "own places",
        "a full tool",
        "a full owner",
    ] {
        let few = looks_for_each_grant(kind, 100).await;
        let many = looks_for_each_grant(kind, 9_000).await;
        assert!(many <= 2.0 * few && many <= 6.0, "{kind}: {few} and {many} looks for each grant");
    }
}

#[tokio::test(start_paused = true)]
async fn a_costly_call_of_a_tenant_is_not_starved_by_cheap_ones_of_its_other_sessions() {
    let gate = Gate::new(settings(vec![rated("crm", "1/s burst 3", Per::Tenant)]), Drain::new());
    let [dear, cheap] = ["dear", "cheap"].map(|of| open(&gate, of));
    let cost =
        |cost: u32| move |request: &mut Request<'_>| request.cost = NonZeroU32::new(cost).unwrap();
    drop(ask_for(&dear, "crm", cost(3)).granted());
    let start = clock::now();
    let dear = ask_for(&dear, "crm", cost(3)).waiting();
    advance(S(1)).await;
    let mut cheap = ask_for(&cheap, "crm", cost(1)).waiting();
    assert!(poll(&mut cheap).is_none(), "its token is there, and it comes second");
    drop(dear.await.unwrap());
    assert_eq!(clock::now() - start, S(3));
    drop(cheap.await.unwrap());
    assert_eq!(clock::now() - start, S(4));
}

#[tokio::test(start_paused = true)]
async fn whoever_runs_out_of_places_holds_nobody_from_its_tenants_tokens() {
    for is_by_owner in [false, true] {
        let crm = rated("crm", "1/s burst 3", Per::Tenant);
        let mut settings = settings(vec![crm, api("other")]);
        settings.session = nz(if is_by_owner { 9 } else { 1 });
        let gate = Gate::new(settings, Drain::new());
        let [dear, last] = match is_by_owner {
            true => ["dear", "last"].map(|of| owned(&gate, "planner", of, 1)),
            false => [(); 2].map(|()| open(&gate, "dear")),
        };
        let cheap = open(&gate, "cheap");
        let ask = |scope, api, cost| {
            ask_for(scope, api, |request| request.cost = NonZeroU32::new(cost).unwrap())
        };
        drop(ask(&dear, "crm", 2).granted());
        let mut first = ask(&dear, "crm", 3).waiting();
        let mut behind = ask(&cheap, "crm", 1).waiting();
        assert!(poll(&mut first).is_none() && poll(&mut behind).is_none(), "it comes second");
        // What is granted elsewhere leaves the first without a place for its tokens.
        let held = ask(&last, "other", 1).granted();
        gate.lock().check_invariants();
        drop(poll(&mut behind).expect("its token was there all the time"));
        drop(held);
        assert!(poll(&mut first).is_none());
        gate.lock().check_invariants();
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_who_has_what_the_others_of_its_session_lack_goes() {
    let mut settings = settings(vec![rated("crm", "1/s burst 3", Per::Session)]);
    settings.tools = vec![(ToolName::try_new("full").unwrap(), nz(1))];
    let gate = Gate::new(settings, Drain::new());
    let batch = open(&gate, "s");
    let crm = name("crm");
    let of = |tool: &str, cost: u32, path: Duration| {
        let tool = ToolName::try_new(tool).unwrap();
        let mut request = request(&crm, &tool);
        (request.cost, request.path) = (NonZeroU32::new(cost).unwrap(), path);
        batch.ask(request)
    };
    let held = of("full", 1, S(0)).granted();
    // It lacks tokens; the next one lacks a place of its tool, and would go first.
    let mut dear = of("tool", 3, S(1)).waiting();
    let mut full = of("full", 1, S(2)).waiting();
    assert!(poll(&mut dear).is_none() && poll(&mut full).is_none());
    drop(held);
    drop(poll(&mut full).unwrap());
    let mut first = of("tool", 1, S(9)).waiting();
    assert!(poll(&mut first).is_some());
    assert!(poll(&mut dear).is_none());
}

proptest! {
    /// Random arrivals at every cost, grants taken, permits returned, places given up
    /// and time: nobody waits who could run by the rules, read as they stand.
    #[test]
    fn nobody_who_stands_aside_is_forgotten(
        has_caps in proptest::bool::ANY,
        steps in proptest::collection::vec((0u8..8, 0usize..6, 0usize..4, 0u64..900), 1..250),
    ) {
        clock::paused(async {
            let mut crm = rated("crm", "4/s burst 6", Per::Session);
            crm.rates.push((Rate::try_new("6/s burst 7").unwrap(), Per::Tenant));
            crm.rates.push((Rate::try_new("9/s burst 8").unwrap(), Per::Api));
            crm.concurrency = Some(nz(5));
            let mut settings = settings(vec![crm, capped("other", 2)]);
            (settings.process, settings.session) = (nz(6), nz(4));
            if has_caps {
                settings.batch = nz(3);
                settings.tools = ["a", "b"].map(|of| (ToolName::try_new(of).unwrap(), nz(2))).into();
            }
            let gate = Gate::new(settings, Drain::new());
            let batches = [("x", "1"), ("x", "1"), ("x", "2"), ("x", "3"), ("y", "1"), ("y", "4")]
                .map(|(tenant, of)| gate.open(&Tenant::try_new(tenant).unwrap(), &session(of)));
            let tools = ["a", "b", "c"].map(|of| ToolName::try_new(of).unwrap());
            let apis = [name("crm"), name("other")];
            let mut held: Vec<Permit> = Vec::new();
            let mut waits: Vec<Wait> = Vec::new();
            for (step, which, how, pause) in steps {
                match step {
                    0..=3 => {
                        let api = usize::from(step == 3);
                        // A tool is of one API.
                        let tool = if api == 1 { &tools[2] } else { &tools[how % 3] };
                        let mut request = request(&apis[api], tool);
                        request.cost = NonZeroU32::new(1 + how as u32).unwrap();
                        request.path = S(pause / 300);
                        match batches[which].ask(request) {
                            Asked::Granted(permit) => held.push(permit),
                            Asked::Waiting(wait) => waits.push(wait),
                            Asked::Refused(refused) => panic!("{refused:?}"),
                        }
                    }
                    4 | 5 if !held.is_empty() => drop(held.remove((which + how) % held.len())),
                    6 if !waits.is_empty() => drop(waits.remove((which + how) % waits.len())),
                    _ => tokio::time::sleep(Duration::from_millis(pause)).await,
                }
                tokio::task::yield_now().await;
                waits.retain_mut(|wait| poll(wait).map(|permit| held.push(permit)).is_none());
                assert_eq!(gate.in_flight(), held.len());
                match has_caps {
                    true => gate.lock().check_invariants_but_for_tokens(),
                    false => gate.lock().check_invariants(),
                }
            }
            for _ in 0..400 {
                held.clear();
                tokio::time::sleep(S(1)).await;
                waits.retain_mut(|wait| poll(wait).map(|permit| held.push(permit)).is_none());
            }
            assert_eq!((gate.in_flight(), gate.waiting(), waits.len()), (0, 0, 0));
        });
    }
}
