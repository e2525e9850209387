use super::*;

fn caller(name: &str) -> Arc<Caller> {
    let owner = Owner::try_new(name).unwrap();
    let tenant = Tenant::try_new(name).unwrap();
    Arc::new(Caller { owner, tenant, is_admin: false, ..Caller::local() })
}

fn entry(name: &str) -> Entry {
    Entry {
        caller: caller(name),
        uids: Vec::new(),
        gids: Vec::new(),
        names: Vec::new(),
        tokens: Vec::new(),
        subjects: Vec::new(),
    }
}

fn named(caller: Option<&Arc<Caller>>) -> Option<&str> {
    caller.map(|caller| caller.owner.as_str())
}

#[test]
fn nobody_is_recognised_by_an_empty_policy() {
    let policy = Policy::default();
    assert_eq!(policy.of_process(0, 0), None);
    assert_eq!(policy.of_name(""), None);
    assert_eq!(policy.of_token(&Token::of("")), None);
    assert_eq!(policy.of_subject(""), None);
    assert!(!policy.takes_tokens());
}

#[test]
fn a_process_is_known_by_its_user_before_its_group() {
    let policy = Policy::new([
        Entry { gids: vec![20], ..entry("group") },
        Entry { uids: vec![10, 11], ..entry("user") },
    ]);
    assert_eq!(named(policy.of_process(10, 20)), Some("user"));
    assert_eq!(named(policy.of_process(11, 0)), Some("user"));
    assert_eq!(named(policy.of_process(12, 20)), Some("group"));
    // Users and groups are numbered each for themselves.
    assert_eq!(named(policy.of_process(20, 10)), None);
}

#[test]
fn a_token_is_whose_it_is_wherever_it_stands() {
    let tokens = |names: &[&str]| names.iter().map(|name| Token::of(name)).collect();
    let policy = Policy::new([
        Entry { tokens: tokens(&["one", "one, rotated"]), ..entry("one") },
        Entry { tokens: tokens(&["other"]), ..entry("other") },
    ]);
    for (token, whose) in [
        ("one", Some("one")),
        ("one, rotated", Some("one")),
        ("other", Some("other")),
        ("", None),
        ("On", None),
        ("otheR", None),
    ] {
        assert_eq!(named(policy.of_token(&Token::of(token))), whose, "{token}");
    }
}

#[test]
fn a_hosts_name_has_no_case_and_a_uri_has() {
    let names = ["Planner.agents.svc", "spiffe://cluster/ns/a/sa/Planner"];
    let policy =
        Policy::new([Entry { names: names.map(str::to_owned).to_vec(), ..entry("planner") }]);
    for name in ["planner.agents.svc", "PLANNER.AGENTS.SVC", names[1]] {
        assert_eq!(named(policy.of_name(name)), Some("planner"), "{name}");
    }
    for name in ["spiffe://cluster/ns/a/sa/planner", "agents.svc", "*.agents.svc", ""] {
        assert_eq!(named(policy.of_name(name)), None, "{name}");
    }
}

#[test]
fn a_subject_is_compared_as_it_stands() {
    let subjects = vec!["system:serviceaccount:agents:planner".to_owned()];
    let policy = Policy::new([Entry { subjects, ..entry("planner") }]);
    assert_eq!(named(policy.of_subject("system:serviceaccount:agents:planner")), Some("planner"));
    assert_eq!(policy.of_subject("system:serviceaccount:agents:Planner"), None);
    assert_eq!(policy.of_subject("system:serviceaccount:agents"), None);
}

#[test]
fn a_caller_knows_what_its_patterns_fit_and_nothing_else() {
    let pattern = |text| Pattern::try_new(text).unwrap();
    let of = |tools| Caller { tools, ..Caller::local() };
    let some = of(Tools::Matching(vec![pattern("crm_*"), pattern("get_user")]));
    assert!(some.knows("crm_read") && some.knows("get_user") && !some.knows_all());
    assert!(!some.knows("get_users") && !some.knows("refund"));
    assert_eq!(some.tools.to_string(), "crm_*, get_user");
    let none = of(Tools::Matching(Vec::new()));
    assert!(!none.knows("get_user") && !none.knows(""));
    let all = Caller::local();
    assert!(all.knows("anything") && all.knows_all());
}
