//! What the gate shows of itself.

use super::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Where nothing happens, nothing is said to.
#[tokio::test(start_paused = true)]
async fn a_gate_at_rest_holds_nothing_and_its_buckets_are_full() {
    let gate =
        Gate::new(settings(vec![rated("crm", "2/s burst 4", Per::Api), api("shop")]), Drain::new());
    let status = gate.status(10);
    assert_eq!(status.in_flight, Usage { used: 0, max: Some(99_999) });
    assert_eq!((status.waiting, status.sessions, status.apis_omitted), (0, 0, 0));
    let names: Vec<_> = status.apis.iter().map(|api| api.name.as_str()).collect();
    assert_eq!(names, ["crm", "shop"]);
    let crm = &status.apis[0];
    assert_eq!((crm.longest_wait, crm.next_grant, crm.paused), (None, None, None));
    let full = Level { whose: Whose::Everyone, tokens: 4, next_token: None };
    assert_eq!(crm.buckets[0].lowest, [full]);
    assert_eq!(status.apis[1].in_flight, Usage { used: 0, max: None });
}

#[tokio::test(start_paused = true)]
async fn levels_waits_and_the_next_grant_are_told_to_the_moment() {
    let gate = Gate::new(settings(vec![rated("crm", "1/s burst 2", Per::Api)]), Drain::new());
    let scope = open(&gate, "a");
    let _held = [ask(&scope, "crm").granted(), ask(&scope, "crm").granted()];
    let mut first = ask(&scope, "crm").waiting();
    tokio::time::advance(Duration::from_millis(400)).await;
    let second = ask(&scope, "crm").waiting();

    let status = gate.status(10);
    let crm = &status.apis[0];
    assert_eq!((status.in_flight.used, status.waiting, status.sessions), (2, 2, 1));
    assert_eq!((crm.in_flight.used, crm.queue.used), (2, 2));
    assert_eq!(crm.longest_wait, Some(Duration::from_millis(400)));
    assert_eq!(crm.next_grant, Some(Duration::from_millis(600)));
    let next_token = Some(Duration::from_millis(600));
    let empty = Level { whose: Whose::Everyone, tokens: 0, next_token };
    assert_eq!(crm.buckets[0].lowest, [empty]);

    // One that was granted and has not been taken waits no more.
    tokio::time::sleep(Duration::from_millis(601)).await;
    let status = gate.status(10);
    assert_eq!((status.waiting, status.in_flight.used), (1, 3));
    assert_eq!(status.apis[0].longest_wait, Some(Duration::from_millis(601)));
    drop((poll(&mut first).unwrap(), second));
    let status = gate.status(10);
    assert_eq!((status.waiting, status.apis[0].longest_wait), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_told_until_it_is_over() {
    let gate = Gate::new(settings(vec![api("crm")]), Drain::new());
    let scope = open(&gate, "a");
    scope.pause(&name("crm"), secs(3));
    tokio::time::advance(secs(1)).await;
    assert_eq!(gate.status(10).apis[0].paused, Some(secs(2)));
    tokio::time::advance(secs(2)).await;
    assert_eq!(gate.status(10).apis[0].paused, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_waited_for_comes_first_and_what_is_left_out_is_counted() {
    let apis = ["idle", "busy", "paused", "queued"].map(|of| capped(of, 2));
    let gate = Gate::new(settings(apis.to_vec()), Drain::new());
    let scope = open(&gate, "a");
    scope.pause(&name("paused"), secs(3));
    let _busy = ask(&scope, "busy").granted();
    let _full = [ask(&scope, "queued").granted(), ask(&scope, "queued").granted()];
    let _waits = ask(&scope, "queued").waiting();
    let names = |most| {
        let status = gate.status(most);
        let names: Vec<_> = status.apis.iter().map(|api| api.name.to_string()).collect();
        (names, status.apis_omitted)
    };
    let all = ["queued", "paused", "busy", "idle"];
    assert_eq!(names(10), (all.map(str::to_owned).to_vec(), 0));
    assert_eq!(names(2), (all[..2].iter().map(ToString::to_string).collect(), 2));
    assert_eq!(names(0), (vec![], 4));
}

#[tokio::test(start_paused = true)]
async fn of_many_buckets_those_with_the_fewest_tokens_are_shown() {
    let gate = Gate::new(settings(vec![rated("crm", "1/s burst 9", Per::Session)]), Drain::new());
    let mut held = Vec::new();
    for (session, calls) in [("b", 2), ("a", 2), ("most", 7), ("none", 0), ("one", 1)] {
        let scope = open(&gate, session);
        held.extend((0..calls).map(|_| ask(&scope, "crm").granted()));
    }
    let bucket = gate.status(3).apis[0].buckets[0].clone();
    let shown = |level: &Level| match &level.whose {
        Whose::Session(_, session) => (session.to_string(), level.tokens, level.next_token),
        other => panic!("a session's bucket is {other:?}'s"),
    };
    let lowest: Vec<_> = bucket.lowest.iter().map(shown).collect();
    let row = |session: &str, tokens| (session.to_owned(), tokens, Some(secs(1)));
    assert_eq!(lowest, [row("most", 2), row("a", 7), row("b", 7)]);
    assert_eq!((bucket.kept, bucket.per), (4, Per::Session));
    tokio::time::advance(secs(60)).await;
    assert_eq!(gate.status(3).apis[0].buckets[0].lowest, [], "all are full again");
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_others_is_counted_and_takes_no_row() {
    let api = Api {
        rates: vec![
            (Rate::try_new("1/s burst 9").unwrap(), Per::Session),
            (Rate::try_new("1/s burst 99").unwrap(), Per::Tenant),
        ],
        ..rated("crm", "1/s burst 99", Per::Api)
    };
    let gate = Gate::new(settings(vec![api]), Drain::new());
    let (us, them) = (Tenant::try_new("us").unwrap(), Tenant::try_new("them").unwrap());
    let owner = |name: &str| Owner::try_new(name).unwrap();
    let mut held = Vec::new();
    // The others have less left, each of them.
    let others = (0..9).map(|n| (&us, "other", format!("o{n}"), 8));
    let strangers = (0..9).map(|n| (&them, "me", format!("s{n}"), 8));
    let ours = [("a", 1), ("b", 3), ("c", 2)].map(|(id, calls)| (&us, "me", id.to_owned(), calls));
    for (tenant, of, session, calls) in others.chain(strangers).chain(ours) {
        let session = SessionId::try_new(session).unwrap().of(&owner(of));
        let scope = gate.open_within(tenant, &session, None);
        held.extend((0..calls).map(|_| ask(&scope, "crm").granted()));
    }
    let me = owner("me");
    let look = |buckets| {
        let view = View { apis: 9, buckets, of: Some((&us, &me)) };
        let [own, tenants] = gate.view(&view).apis.remove(0).buckets.try_into().unwrap();
        (own, tenants)
    };
    let shown = |bucket: &BucketStatus| -> Vec<u32> {
        bucket.lowest.iter().map(|level| level.tokens).collect()
    };
    for (most, expected) in [(1, &[6][..]), (2, &[6, 7]), (9, &[6, 7, 8])] {
        let (own, tenants) = look(most);
        assert_eq!((shown(&own).as_slice(), own.kept), (expected, 21));
        assert_eq!((shown(&tenants), tenants.kept), (vec![21], 2));
        assert_eq!(tenants.lowest[0].whose, Whose::Tenant(us.clone()));
    }
}

#[tokio::test(start_paused = true)]
async fn caps_of_tools_are_told_by_name() {
    let tools = [("b", 2), ("a", 1)].map(|(of, max)| (ToolName::try_new(of).unwrap(), nz(max)));
    let settings = Settings { tools: tools.to_vec(), ..settings(vec![api("crm")]) };
    let gate = Gate::new(settings, Drain::new());
    let scope = open(&gate, "s");
    let tool = ToolName::try_new("a").unwrap();
    let crm = name("crm");
    let _held = scope.ask(request(&crm, &tool)).granted();
    let tools: Vec<_> =
        gate.status(10).tools.into_iter().map(|(of, cap)| (of.to_string(), cap)).collect();
    let cap = |used, max| Usage { used, max: Some(max) };
    assert_eq!(tools, [("a".to_owned(), cap(1, 1)), ("b".to_owned(), cap(0, 2))]);
}
