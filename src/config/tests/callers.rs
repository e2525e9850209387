//! `callers:`: what it means for the listeners, and what is warned of.

use super::*;

const TOKEN: &str = "callers: {allowed: {a: {token: {env: CALLER_TOKEN}}}}";
const PROCESS: &str = "callers: {allowed: {a: {unix: {uids: [1]}}}}";

/// What is warned of that has to do with callers.
fn warned(text: &str) -> String {
    let warnings = good(text).warnings.warnings;
    warnings.iter().map(|warning| format!("{}: {}", warning.path, warning.what)).collect()
}

#[test]
fn an_address_that_others_reach_is_guarded_by_callers() {
    let open = "listen: {tcp: '0.0.0.0:7'}\n";
    assert!(bad(open).contains("say who may call (`callers`)"));
    let config = good(&format!("{open}{TOKEN}"));
    assert!(config.listen.authenticated && config.callers.is_some());
    assert!(!good("").listen.authenticated);
    // What is said wrongly is said.
    let faults = bad(&format!("{open}callers: {{allowed: {{a: {{}}}}}}"));
    assert!(!faults.contains("nothing authenticates"), "{faults}");
}

#[test]
fn a_token_in_the_clear_is_warned_of() {
    let clear = "listen.tcp: tokens travel to this address for everyone on the way to read";
    assert_eq!(warned(&format!("listen: {{tcp: '0.0.0.0:7'}}\n{TOKEN}")), clear);
    for tcp in [
        "'127.0.0.1:7'",
        "'[::1]:7'",
        "{address: '0.0.0.0:7', tls: {certificate: a.crt, key: a.key}}",
    ] {
        assert_eq!(warned(&format!("listen: {{tcp: {tcp}}}\n{TOKEN}")), "", "{tcp}");
    }
    assert_eq!(warned(TOKEN), "");
}

#[test]
fn an_address_where_nobody_may_call_is_warned_of() {
    let nobody = "listen.tcp: nobody may call at this address";
    assert_eq!(warned(&format!("listen: {{tcp: '127.0.0.1:7'}}\n{PROCESS}")), nobody);
    assert_eq!(warned(PROCESS), "");
}

#[test]
fn a_certificate_is_asked_for_where_it_is_to_be_known_by() {
    let named = "callers: {allowed: {a: {certificate: {names: [a.svc]}}}}";
    for listen in ["", "listen: {tcp: '127.0.0.1:7'}\n"] {
        let faults = bad(&format!("{listen}{named}"));
        assert!(faults.contains("nobody is asked for a certificate"), "{faults}");
    }
    let tls = "tls: {certificate: a.crt, key: a.key, client_ca: ca.crt}";
    good(&format!("listen: {{tcp: {{address: '0.0.0.0:7', {tls}}}}}\n{named}"));
}

#[test]
fn a_slip_in_a_tools_name_and_a_token_that_can_be_guessed_are_warned_of() {
    let tools = "apis: {a: {url: 'https://a'}}\n\
                 tools: {get_user: {description: D., http: {api: a, get: /}}}\n";
    let of = |tools: &str| {
        format!("callers: {{allowed: {{a: {{unix: {{uids: [1]}}, tools: {tools}}}}}}}")
    };
    for (patterns, says) in [
        ("[get_usr]", "callers.allowed.a.tools[0]: there is no tool `get_usr`"),
        ("[get_user, 'get_*', 'nobody_*', other]", ""),
    ] {
        assert_eq!(warned(&format!("{tools}{}", of(patterns))), says, "{patterns}");
    }
    let short = "callers: {allowed: {a: {token: {env: CRM_TOKEN}}}}";
    assert_eq!(warned(short), "callers.allowed.a.token: a token of 12 bytes can be guessed");
}

#[test]
fn a_caller_has_every_tool_and_a_tenant_of_its_own_unless_it_says_otherwise() {
    let policy = |text: &str| good(text).callers.unwrap().policy;
    let caller = policy(PROCESS).of_process(1, 1).unwrap().clone();
    assert_eq!((caller.owner.as_str(), caller.tenant.as_str()), ("a", "a"));
    assert!(caller.knows_all() && !caller.is_admin);
    assert_eq!(caller.limits, crate::policy::Limits::default());
    let none = "callers: {allowed: {a: {unix: {uids: [1]}, tools: [], tenant: t}}}";
    let caller = policy(none).of_process(1, 1).unwrap().clone();
    assert!(!caller.knows("get_user"));
    assert_eq!(caller.tenant.as_str(), "t");
}
