//! What a caller sees of the moment.

use super::*;

/// Two of one tenant: one may call everything, the other may not.
#[tokio::test]
async fn keys_and_batches_of_calls_that_a_caller_does_not_know_are_only_counted() {
    let tools = BASE.replace("  write:\n", "  write:\n    writes: [\"record/{id}\"]\n");
    let tools = tools.replace("  read:\n", "  read:\n    reads: [\"record/{id}\"]\n");
    let world = world_of(&(tools + CALLERS)).await;
    let gate = Gate::closed();
    for request in ["POST /write/*", "GET /read/*"] {
        world.peer.on(request, Reply::json("{}").behind(&gate));
    }
    let send = |name: &str, turn: &Turn| {
        let (turn, shown) = (turn.clone(), format!("Bearer {}", token(name)));
        let world = &world;
        async move { world.send_with(&turn, &[("authorization", &shown)]).await.unwrap() }
    };
    let locks = |name: &'static str| {
        let mut client = world.client();
        // There is room for no more than one row of each kind.
        let request = StatusRequest { rows_max: Some(1) };
        async move { client.status(of(name, request)).await.unwrap().into_inner().locks.unwrap() }
    };
    let secret = Turn::one("write", r#"{"id":"secret-4711"}"#).batch_id("secret-batch");
    let theirs = send("reviewer", &secret).await;
    world.peer.arrived(1).await;
    let seen = locks("planner").await;
    assert_eq!((seen.held, seen.keys, seen.omitted), (1, 1, 1), "{seen:?}");
    assert!(seen.busiest.is_empty(), "{seen:?}");

    // Of a key that its own call waits for it sees the key, and not who has it.
    let ours = send("planner", &read("secret-4711").batch_id("ours")).await;
    let waits = async { while locks("planner").await.waiting != 1 {} };
    timeout(PATIENCE, waits).await.expect("it does not wait");
    let seen = locks("planner").await;
    assert_eq!((seen.busiest.len(), seen.omitted), (1, 0), "{seen:?}");
    assert_eq!(seen.busiest[0].key, "record/secret-4711");
    assert_eq!((seen.busiest[0].holders.len(), seen.busiest[0].holders_omitted), (0, 1));
    // Who may call everything sees what its tenant's callers do, and no other's.
    let seen = locks("reviewer").await;
    assert_eq!(seen.busiest[0].holders[0].batch_id, "secret-batch");
    let seen = locks("operator").await;
    assert!(seen.busiest.is_empty() && seen.keys == 1, "{seen:?}");

    gate.open();
    for ran in [theirs, ours] {
        ran.finish().await.assert_succeeded("a", "{}");
    }
    world.end().await;
}

/// The rows of others take no room from one's own.
#[tokio::test]
async fn a_callers_own_session_is_shown_whatever_others_spend() {
    let world = world_of(&(BASE.to_owned() + "sessions: {calls: 9}\n" + CALLERS)).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    for (name, calls) in [("reviewer", 5), ("planner", 1)] {
        for call in 0..calls {
            let turn = read(&call.to_string()).session(&format!("session-of-{name}"));
            run(&world, name, &turn).await.assert_succeeded("a", "{}");
        }
    }
    let request = of("planner", StatusRequest { rows_max: Some(1) });
    let seen = world.client().status(request).await.unwrap().into_inner().budgets.unwrap();
    let shown: Vec<_> = seen.lowest.iter().map(|session| &*session.session_id).collect();
    assert_eq!((shown, seen.sessions, seen.omitted), (vec!["session-of-planner"], 2, 1));
    world.end().await;
}

/// The same of buckets; of as many as were asked for.
#[tokio::test]
async fn a_callers_own_buckets_are_shown_whatever_others_have_left() {
    let rate = base_with_api("rate: 1/min burst 9 per session");
    let world = world_of(&(rate + CALLERS)).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let sessions = [("reviewer", "r1", 5), ("reviewer", "r2", 5), ("reviewer", "r3", 5)];
    for (name, session, calls) in
        sessions.into_iter().chain([("planner", "p1", 2), ("planner", "p2", 1)])
    {
        for call in 0..calls {
            let turn = read(&call.to_string()).session(session);
            run(&world, name, &turn).await.assert_succeeded("a", "{}");
        }
    }
    for (name, rows, expected) in [
        ("planner", 1, &["p1"][..]),
        ("planner", 9, &["p1", "p2"]),
        ("reviewer", 2, &["r1", "r2"]),
        ("operator", 9, &[]),
    ] {
        let request = of(name, StatusRequest { rows_max: Some(rows) });
        let seen = world.client().status(request).await.unwrap().into_inner();
        let api = seen.apis.iter().find(|api| api.name == "crm").unwrap();
        let bucket = &api.buckets[0];
        let owners: Vec<_> = bucket.lowest.iter().map(|level| &*level.owner).collect();
        assert_eq!(owners.len(), expected.len(), "{name} {rows}: {owners:?}");
        // The reviewer's have been asked one after the other: which is lower is time's.
        let is_own = |owner: &&str| owner.starts_with(&expected[0][..1]);
        assert!(name == "reviewer" && owners.iter().all(is_own) || owners == expected);
        let count = |n: usize| u32::try_from(n).unwrap();
        assert_eq!((bucket.kept, bucket.omitted), (5, 5 - count(owners.len())));
    }
    world.end().await;
}
