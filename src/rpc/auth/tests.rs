use http::HeaderValue;
use tonic::Code;

use super::*;
use crate::{
    model::{Owner, Tenant},
    policy::Entry,
    rpc::listen::visitor,
};

fn entry(name: &str) -> Entry {
    let caller = Caller {
        owner: Owner::try_new(name).unwrap(),
        tenant: Tenant::try_new(name).unwrap(),
        is_admin: false,
        ..Caller::local()
    };
    Entry {
        caller: Arc::new(caller),
        uids: Vec::new(),
        gids: Vec::new(),
        names: Vec::new(),
        tokens: Vec::new(),
        subjects: Vec::new(),
    }
}

fn auth(entries: impl IntoIterator<Item = Entry>) -> Auth {
    Auth::new(Some(Settings { policy: Policy::new(entries), jwt: None }))
}

fn by_token(name: &str, token: &str) -> Entry {
    Entry { tokens: vec![Token::of(token)], ..entry(name) }
}

fn process(uid: u32, gid: u32) -> Peer {
    Peer::Unix { uid, gid, pid: None }
}

fn tcp(certificate: Option<Certificate>) -> Peer {
    Peer::Tcp { address: ([127, 0, 0, 1], 1).into(), certificate: certificate.map(Arc::new) }
}

fn request(peer: Peer, authorizations: &[&str]) -> Request<()> {
    let mut request = Request::new(());
    request.extensions_mut().insert(visitor(peer));
    for text in authorizations {
        let text = HeaderValue::from_bytes(text.as_bytes()).unwrap();
        request.headers_mut().append(AUTHORIZATION, text);
    }
    request
}

fn pass(request: &Request<()>) -> &Pass {
    request.extensions().get().unwrap()
}

/// As whom it is let in.
fn let_in(auth: &Auth, peer: Peer, authorizations: &[&str]) -> Option<String> {
    let mut request = request(peer, authorizations);
    match auth.admit(&mut request) {
        Ok(()) => Some(pass(&request).caller().unwrap().owner.to_string()),
        Err(status) => {
            assert_eq!(status.code(), Code::Unauthenticated);
            assert!(request.extensions().get::<Pass>().is_none());
            None
        }
    }
}

#[tokio::test]
async fn everyone_is_let_in_where_nothing_says_who_may_call() {
    let auth = Auth::new(None);
    for authorizations in [&[][..], &["Bearer x"], &["Basic x", "y"]] {
        assert_eq!(let_in(&auth, tcp(None), authorizations).as_deref(), Some("local"));
    }
}

#[tokio::test]
async fn a_token_is_shown_in_one_way() {
    let auth = auth([by_token("planner", "swordfish")]);
    for shown in ["Bearer swordfish", "bearer swordfish", "BEARER  swordfish "] {
        assert_eq!(let_in(&auth, tcp(None), &[shown]).as_deref(), Some("planner"), "{shown}");
    }
    for shown in [
        &["Bearer Swordfish"][..],
        &["Bearer swordfish2"],
        &["Bearer "],
        &["Bearer"],
        &["Bearerswordfish"],
        &["swordfish"],
        &["Basic swordfish"],
        &["Token swordfish"],
        &["Bearer swordfish", "Bearer swordfish"],
        &["Bearer swordfish", "Bearer other"],
        &["Bearer swordfïsh"],
        &[],
    ] {
        assert_eq!(let_in(&auth, tcp(None), shown), None, "{shown:?}");
    }
}

#[tokio::test]
async fn a_process_is_let_in_by_its_user_or_its_group() {
    let auth = auth([
        Entry { uids: vec![1000], ..entry("planner") },
        Entry { gids: vec![2000], ..entry("others") },
    ]);
    assert_eq!(let_in(&auth, process(1000, 2000), &[]).as_deref(), Some("planner"));
    assert_eq!(let_in(&auth, process(7, 2000), &[]).as_deref(), Some("others"));
    assert_eq!(let_in(&auth, process(7, 1000), &[]), None);
    assert_eq!(let_in(&auth, process(0, 0), &[]), None);
    assert_eq!(let_in(&auth, tcp(None), &[]), None);
}

/// What was withdrawn must not become something else.
#[tokio::test]
async fn what_is_shown_counts_before_the_connection_and_is_not_passed_over() {
    let auth = auth([
        Entry { uids: vec![1000], ..entry("process") },
        Entry { names: vec!["planner.svc".into()], ..entry("certificate") },
        by_token("token", "swordfish"),
    ]);
    let certified =
        || tcp(Some(Certificate { dns: vec!["planner.svc".into()], ..Certificate::default() }));
    for peer in [process(1000, 0), certified()] {
        assert_eq!(let_in(&auth, peer.clone(), &["Bearer swordfish"]).as_deref(), Some("token"));
        assert_eq!(let_in(&auth, peer.clone(), &["Bearer old"]), None);
        assert_eq!(let_in(&auth, peer, &["Basic swordfish"]), None);
    }
    assert_eq!(let_in(&auth, certified(), &[]).as_deref(), Some("certificate"));
}

#[tokio::test]
async fn a_certificate_is_known_by_its_alternative_names_or_else_its_common_name() {
    let uri = "spiffe://cluster/ns/a/sa/planner";
    let auth = auth([Entry { names: vec!["planner.svc".into(), uri.into()], ..entry("planner") }]);
    let certificate = |dns: &[&str], uris: &[&str], common_name: Option<&str>| {
        let all = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let common_name = common_name.map(str::to_owned);
        tcp(Some(Certificate { dns: all(dns), uris: all(uris), common_name }))
    };
    for peer in [
        certificate(&["other", "PLANNER.svc"], &[], None),
        certificate(&[], &["spiffe://cluster/x", uri], Some("x")),
        certificate(&[], &[], Some("planner.svc")),
    ] {
        assert_eq!(let_in(&auth, peer.clone(), &[]).as_deref(), Some("planner"), "{peer:?}");
    }
    for peer in [
        certificate(&["other"], &[], Some("planner.svc")),
        certificate(&["*.svc"], &["spiffe://cluster/ns/a/sa/PLANNER"], None),
        // Names of one kind that look like the other's.
        certificate(&[uri], &["planner.svc"], None),
        certificate(&[], &[], Some(uri)),
        certificate(&[], &[], None),
    ] {
        assert_eq!(let_in(&auth, peer.clone(), &[]), None, "{peer:?}");
    }
}

#[tokio::test]
async fn all_who_are_not_known_are_told_the_same() {
    let auth = auth([by_token("planner", "swordfish"), Entry { uids: vec![1], ..entry("p") }]);
    let told = |peer, authorizations: &[&str]| {
        let status = auth.admit(&mut request(peer, authorizations)).unwrap_err();
        (status.code(), status.message().to_owned(), status.details().to_vec())
    };
    let first = told(tcp(None), &[]);
    for (peer, authorizations) in [
        (tcp(None), &["Bearer x"][..]),
        (tcp(None), &["Bearer a.b.c"]),
        (tcp(None), &["Basic x"]),
        (tcp(None), &["Bearer x", "Bearer y"]),
        (tcp(Some(Certificate::default())), &[]),
        (process(7, 7), &[]),
    ] {
        assert_eq!(told(peer, authorizations), first);
    }
}

#[tokio::test]
async fn other_settings_hold_from_the_next_rpc_on() {
    let auth = auth([by_token("planner", "old")]);
    let clone = auth.clone();
    let policy = Policy::new([by_token("planner", "new")]);
    auth.replace(Some(Settings { policy, jwt: None }));
    assert_eq!(let_in(&clone, tcp(None), &["Bearer old"]), None);
    assert_eq!(let_in(&clone, tcp(None), &["Bearer new"]).as_deref(), Some("planner"));
}

/// What is withdrawn is that by which it came, and nothing else of its caller's.
#[tokio::test]
async fn a_pass_holds_for_as_long_as_what_was_shown_for_it() {
    let policy = |entries: &[Entry]| Settings { policy: Policy::new(entries.to_vec()), jwt: None };
    let of = |tokens: &[&str], uids: &[u32], name: &str| Entry {
        tokens: tokens.iter().map(|token| Token::of(token)).collect(),
        uids: uids.to_vec(),
        ..entry(name)
    };
    let auth = Auth::new(Some(policy(&[of(&["old", "new"], &[7], "planner")])));
    let admitted = |peer, authorizations: &[&str]| {
        let mut request = request(peer, authorizations);
        auth.admit(&mut request).unwrap();
        pass(&request).clone()
    };
    let by_old = admitted(process(7, 7), &["Bearer old"]);
    let by_new = admitted(tcp(None), &["Bearer new"]);
    let by_user = admitted(process(7, 7), &[]);
    let who = || {
        [&by_old, &by_new, &by_user].map(|pass| match pass.caller() {
            Ok(caller) => caller.owner.to_string(),
            Err(status) => format!("{:?}", status.code()),
        })
    };
    assert_eq!(who(), ["planner", "planner", "planner"]);
    auth.replace(Some(policy(&[of(&["new"], &[7], "planner")])));
    assert_eq!(who(), ["Unauthenticated", "planner", "planner"]);
    auth.replace(Some(policy(&[of(&["new"], &[8], "planner"), of(&["old"], &[], "other")])));
    assert_eq!(who(), ["other", "planner", "Unauthenticated"]);
    // What a caller may do is what it may do now.
    let caller = Caller { tools: crate::policy::Tools::Matching(Vec::new()), ..Caller::local() };
    let narrowed = Entry { caller: Arc::new(caller), ..of(&["new"], &[], "planner") };
    auth.replace(Some(policy(&[narrowed])));
    assert!(!by_new.caller().unwrap().knows("read"));
}

#[tokio::test]
async fn who_came_while_everyone_was_let_in_is_nobody_once_callers_are_named() {
    let auth = Auth::new(None);
    let mut request = request(process(7, 7), &["Bearer swordfish"]);
    auth.admit(&mut request).unwrap();
    let settings = || Settings { policy: Policy::new([by_token("p", "swordfish")]), jwt: None };
    auth.replace(Some(settings()));
    assert!(pass(&request).caller().is_err());
}

#[tokio::test(start_paused = true)]
async fn those_who_are_not_known_do_not_fill_the_log() {
    let auth = auth([by_token("planner", "swordfish")]);
    let untold = || auth.told.lock().unwrap().untold;
    for others in 0..100 {
        assert_eq!(let_in(&auth, tcp(None), &["Bearer x"]), None);
        assert_eq!(untold(), others);
    }
    tokio::time::advance(TOLD_EVERY).await;
    assert_eq!(let_in(&auth, tcp(None), &["Bearer x"]), None);
    assert_eq!(untold(), 0, "a line told of the others");
}

#[test]
fn the_reasons_are_told_without_what_was_shown() {
    let names = Certificate { common_name: Some("x".repeat(9000)), ..Certificate::default() };
    for (why, says) in [
        (Unknown::Token, "nobody has its token"),
        (Unknown::Process { uid: 7, gid: 8 }, "the user 7 or the group 8"),
        (Unknown::Subject("a\nb".into()), r#"subject "a\nb""#),
        (Unknown::Certificate(Arc::new(names)), "a name of its certificate"),
        (Unknown::Nothing, "neither a token nor a certificate"),
    ] {
        let text = why.to_string();
        assert!(text.contains(says) && text.len() < 400, "{text}");
    }
}
