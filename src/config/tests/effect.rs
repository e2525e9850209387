//! Every key has an effect.

use super::{schema::keys, *};
use crate::limits::{breaker, gate::Per};

const API: &str = "{url: 'https://a'}";
const TOOL: &str = "description: D., http: {api: a, get: /}";

/// A key, a file that sets it, and what then stands in the settings that an empty
/// file does not put there.
type Row = (&'static str, String, &'static str);

fn root(key: &'static str, text: &str, says: &'static str) -> Row {
    (key, text.to_owned(), says)
}

fn otlp(key: &'static str, text: &str, says: &'static str) -> Row {
    (key, format!("telemetry: {{otlp: {{endpoint: 'http://a:1'{text}}}}}"), says)
}

const TLS: &str = "listen: {tcp: {address: '0.0.0.0:7', tls: {certificate: a.crt, key: a.key, \
                   client_ca: /ca.crt}}}";
const EXPOSED: &str = "listen: {tcp: {address: '0.0.0.0:7', exposed: 'yes, anyone who reaches this \
                       address may call every tool'}}";
/// A caller with this, beside what it is recognised by.
fn callers(key: &'static str, text: &str, says: &'static str) -> Row {
    let jwt = "{jwks: jwks.json, issuer: 'https://seven', audience: seven}";
    let jwt = if text.contains("subject") { format!("jwt: {jwt}, ") } else { String::new() };
    let is_recognised = ["unix", "certificate", "token", "subject"]
        .iter()
        .any(|way| text.starts_with(&format!("{way}:")));
    let uid = if is_recognised { "" } else { ", unix: {uids: [1]}" };
    (key, format!("callers: {{{jwt}allowed: {{a: {{{text}{uid}}}}}}}"), says)
}

/// The keys of the process.
fn process() -> Vec<Row> {
    vec![
        root("listen.unix.path", "listen: {unix: {path: /x.sock}}", "\"/x.sock\""),
        root("listen.unix.mode", "listen: {unix: {mode: '0660'}}", "mode: 432"),
        root("listen.unix.group", "listen: {unix: {group: agents}}", "Some(\"agents\")"),
        root("listen.tcp.address", "listen: {tcp: {address: '[::1]:7'}}", "address: [::1]:7,"),
        root("listen.tcp.tls.certificate", TLS, "certificate: \"a.crt\""),
        root("listen.tcp.tls.key", TLS, "key: \"a.key\""),
        root("listen.tcp.tls.client_ca", TLS, "client_ca: Some(\"/ca.crt\")"),
        root("listen.tcp.exposed", EXPOSED, "exposed: true"),
        root("listen.admin.address", "listen: {admin: '0.0.0.0:9464'}", "address: 0.0.0.0:9464"),
        root(
            "listen.admin.metrics",
            "listen: {admin: {address: '0.0.0.0:9464', metrics: off}}",
            "shows_metrics: false",
        ),
        root(
            "listen.admin_hosts",
            "listen: {admin: '0.0.0.0:9464', admin_hosts: ['*.a.b']}",
            "hosts: [Host { name: \"a.b\", is_suffix: true }]",
        ),
        root("listen.message_bytes", "listen: {message_bytes: 64 KiB}", "message_bytes_max: 65536"),
        root("listen.connections", "listen: {connections: 7}", "connections_max: 7"),
        root("listen.streams", "listen: {streams: 7}", "streams_max: 7"),
        root("defaults.batch_timeout", "defaults: {batch_timeout: 7s}", "batch_timeout: 7s"),
        root("sessions.calls", "sessions: {calls: 7}", "Settings { calls: Some(7), cost: None"),
        root("sessions.cost", "sessions: {cost: 7}", "cost: Some(7)"),
        root("sessions.repeat.calls", "sessions: {repeat: {calls: 7}}", "Repeat { calls: 7,"),
        root("sessions.repeat.within", "sessions: {repeat: {within: 7s}}", "within: 7s"),
        root("sessions.remembered", "sessions: {remembered: 7}", "remembered: 7"),
        root("sessions.idle", "sessions: {idle: 7s}", "idle: 7s"),
        root("workers.heartbeat", "workers: {heartbeat: 7s}", "heartbeat: 7s"),
        root("workers.total", "workers: {total: 7}", "workers_max: 7, timeout"),
        root("workers.per_session", "workers: {per_session: 7}", "session_workers_max: 7,"),
        root("workers.tools", "workers: {tools: 7}", "tools_max: 7,"),
        root("workers.attempts", "workers: {attempts: 7}", "attempts: 7, attempts_max: 7,"),
        root(
            "workers.concurrency",
            "workers: {concurrency: 7}",
            "\"workers\", concurrency: Some(7)",
        ),
        root("workers.queue", "workers: {queue: 777}", "queue_max: 777"),
        root("workers.result_bytes", "workers: {result_bytes: 7 KiB}", "result_bytes_max: 7168 }"),
        root("telemetry.log.filter", "telemetry: {log: {filter: trace}}", "filter: \"trace\""),
        root("telemetry.log.format", "telemetry: {log: {format: json}}", "format: Json"),
        otlp("telemetry.otlp.endpoint", "", "\"http://a:1\""),
        otlp("telemetry.otlp.headers.*.env", ", headers: {X-A: {env: CRM_TOKEN}}", "[\"x-a\"]"),
        otlp("telemetry.otlp.headers.*.file", ", headers: {X-A: {file: token}}", "[\"x-a\"]"),
        otlp("telemetry.otlp.timeout", ", timeout: 7s", " timeout: 7s"),
        otlp("telemetry.otlp.queue", ", queue: 7", "queue_spans_max: 7,"),
        otlp("telemetry.otlp.delay", ", delay: 7s", " delay: 7s"),
        otlp("telemetry.otlp.interval", ", interval: 7s", "metrics_every: 7s"),
        root("telemetry.capture.inputs", "telemetry: {capture: {inputs: on}}", "inputs: true"),
        root("telemetry.capture.results", "telemetry: {capture: {results: on}}", "results: true"),
        root("telemetry.capture.bytes", "telemetry: {capture: {bytes: 777}}", "bytes_max: 777"),
        root(
            "telemetry.capture.redact",
            "telemetry: {capture: {redact: [ssn]}}",
            "keys: [\"ssn\"]",
        ),
        root("telemetry.sampling", "telemetry: {sampling: 0.5}", "sampling: 0.5"),
        root("drain.timeout", "drain: {timeout: 7s}", "drain_timeout: 7s"),
    ]
}

/// The bounds of the process.
fn bounds() -> Vec<Row> {
    vec![
        root("bounds.batches", "bounds: {batches: 7}", "batches_max: 7,"),
        root("bounds.batch_calls", "bounds: {batch_calls: 7}", "batch_calls_max: 7,"),
        root("bounds.batch_bytes", "bounds: {batch_bytes: 7 KiB}", "batch_bytes_max: 7168"),
        root("bounds.session_calls", "bounds: {session_calls: 7}", "session_calls_max: 7,"),
        root("bounds.calls", "bounds: {calls: 7}", ", calls_max: 7,"),
        root("bounds.batch_concurrency", "bounds: {batch_concurrency: 7}", "batch_concurrency: 7"),
        root(
            "bounds.session_concurrency",
            "bounds: {session_concurrency: 7}",
            "session_concurrency: 7",
        ),
        root("bounds.threads", "bounds: {threads: 7}", "threads: Some(7)"),
        root("bounds.memory.limit", "bounds: {memory: {limit: 64 MiB}}", "limit: Some(67108864)"),
        root("bounds.memory.shed_at", "bounds: {memory: {shed_at: 77%}}", "shed_at: 77"),
        root("bounds.concurrency", "bounds: {concurrency: 7}", ", concurrency: 7"),
    ]
}

/// The keys of who may call.
fn who_may_call() -> Vec<Row> {
    vec![
        callers("callers.jwt.jwks", "subject: a", "keys: Keys(1)"),
        callers("callers.jwt.issuer", "subject: a", "issuer: \"https://seven\""),
        callers("callers.jwt.audience", "subject: a", "audience: \"seven\""),
        callers("callers.allowed.*.unix.uids", "unix: {uids: [7]}", " uids: {7: Caller"),
        callers("callers.allowed.*.unix.gids", "unix: {gids: [7]}", " gids: {7: Caller"),
        (
            "callers.allowed.*.certificate.names",
            format!("{TLS}\ncallers: {{allowed: {{a: {{certificate: {{names: [seven.svc]}}}}}}}}"),
            " names: {\"seven.svc\": Caller",
        ),
        callers("callers.allowed.*.token", "token: {env: CRM_TOKEN}", "[(Token(…), Caller"),
        callers("callers.allowed.*.subject", "subject: [seven]", " subjects: {\"seven\": Caller"),
        callers("callers.allowed.*.tools", "tools: [seven_*]", "Matching([\"seven_*\"])"),
        callers("callers.allowed.*.tenant", "tenant: seven", "tenant: \"seven\""),
        callers(
            "callers.allowed.*.limits.concurrency",
            "limits: {concurrency: 7}",
            "Limits { concurrency: Some(7)",
        ),
        callers("callers.allowed.*.limits.batches", "limits: {batches: 7}", "batches: Some(7)"),
        callers("callers.allowed.*.limits.workers", "limits: {workers: 7}", "workers: Some(7)"),
        callers("callers.allowed.*.admin", "admin: on", "is_admin: true"),
    ]
}

/// The keys of APIs and tools.
fn apis_and_tools() -> Vec<Row> {
    let api = |key, text: &str, says| {
        let text = format!("apis: {{a: {{url: 'https://a', {text}}}}}\ntools: {{t: {{{TOOL}}}}}");
        (key, text, says)
    };
    let tool = |key, text: &str, says| {
        (key, format!("apis: {{a: {API}}}\ntools: {{t: {{{TOOL}, {text}}}, u: {{{TOOL}}}}}"), says)
    };
    vec![
        api("apis.*.url", "", "\"a\""),
        api("apis.*.headers", "headers: {X-A: b}", "HeaderValue"),
        api("apis.*.auth.bearer.env", "auth: {bearer: {env: CRM_TOKEN}}", "\"authorization\""),
        api("apis.*.auth.bearer.file", "auth: {bearer: {file: token}}", "\"authorization\""),
        api("apis.*.auth.basic.user", BASIC_ENV, "\"authorization\""),
        api("apis.*.auth.basic.password.env", BASIC_ENV, "\"authorization\""),
        api("apis.*.auth.basic.password.file", BASIC_FILE, "\"authorization\""),
        api("apis.*.auth.header.name", HEADER_ENV, "\"x-key\""),
        api("apis.*.auth.header.value.env", HEADER_ENV, "\"x-key\""),
        api("apis.*.auth.header.value.file", HEADER_FILE, "\"x-key\""),
        api("apis.*.ca", "ca: authority.pem", "CaBundle(1 certificates)"),
        api("apis.*.timeout", "timeout: 7s", "timeout: 7s"),
        api("apis.*.connect_timeout", "connect_timeout: 7s", "connect_timeout: 7s"),
        api("apis.*.concurrency", "concurrency: 7", "concurrency: Some(7)"),
        api("apis.*.rate", "rate: 7/min", "[(Rate { count: 7, unit: Minute, burst: 1 }, Api)]"),
        api("apis.*.queue", "queue: 777", "queue_max: 777"),
        api("apis.*.pause_max", "pause_max: 7s", "pause_max: 7s"),
        api("apis.*.breaker.failures", "breaker: {failures: 7}", "{ failures: 7, rate: None"),
        api("apis.*.breaker.rate", "breaker: {rate: 7%}", "Some(FailureRate { percent: 7,"),
        api("apis.*.breaker.calls", "breaker: {rate: 50%, calls: 7}", "50, calls: 7,"),
        api("apis.*.breaker.window", "breaker: {rate: 50%, window: 7s}", ", window: 7s"),
        api("apis.*.breaker.open", "breaker: {open: 7s}", ", open: 7s, open_max: 60s"),
        api("apis.*.breaker.open_max", "breaker: {open_max: 7s}", "open: 5s, open_max: 7s"),
        api("apis.*.breaker.probes", "breaker: {probes: 7}", ", probes: 7"),
        api("apis.*.retry.attempts", "retry: {attempts: 7}", "attempts: 7"),
        api("apis.*.retry.base", "retry: {base: 7s}", "base: 7s"),
        api("apis.*.retry.max", "retry: {max: 7s}", "max: 7s"),
        api("apis.*.retry.budget", "retry: {budget: 7}", "budget_percent: 7"),
        api(
            "apis.*.retry.attempt_timeout",
            "retry: {attempt_timeout: 7s}",
            "attempt_timeout: Some(7s)",
        ),
        api("apis.*.idempotency_header", "idempotency_header: X-Once", "\"x-once\""),
        api("apis.*.ordering", "ordering: none", "ordering: None"),
        api("apis.*.response_bytes", "response_bytes: 7 KiB", "response_bytes_max: 7168"),
        tool("tools.*.input", "input: {type: object, title: T}", "\"title\":\"T\""),
        tool("tools.*.timeout", "timeout: 7s", "timeout: 7s"),
        tool("tools.*.latency", "latency: 7s", "latency: Some(7s)"),
        tool("tools.*.concurrency", "concurrency: 777", "tools: [(\"t\", 777)]"),
        tool("tools.*.cost", "cost: 7", "cost: 7"),
        tool("tools.*.effect", "effect: at_least_once", "effect: AtLeastOnce"),
        tool("tools.*.fallback", "fallback: {tier: 7}", "fallback: Some({\"tier\":7})"),
        tool("tools.*.cache.ttl", "cache: {ttl: 7s}", "Settings { ttl: 7s, entries_max: 1000"),
        tool("tools.*.cache.entries", "cache: {ttl: 8s, entries: 7}", "entries_max: 7,"),
        tool("tools.*.cache.bytes", "cache: {ttl: 8s, bytes: 7 KiB}", "bytes_max: 7168 }"),
        tool("tools.*.after", "after: [u]", "after: [\"u\"]"),
        tool("tools.*.reads", "reads: [all]", "[(\"all\", Read)]"),
        tool("tools.*.writes", "writes: [all]", "[(\"all\", Write)]"),
        tool("tools.*.references", "references: off", "references: false"),
        tool("tools.*.max_bytes", "max_bytes: 777", "result_bytes_max: 777"),
        tool("defaults.timeout", "}}\ndefaults: {timeout: 7s}\n#", "timeout: 7s"),
        tool("defaults.max_bytes", "}}\ndefaults: {max_bytes: 777}\n#", "result_bytes_max: 777"),
    ]
}

/// The keys of a tool's description and of its request.
fn requests() -> Vec<Row> {
    let http = |key, text: &str, says| {
        let tool = format!("description: D., http: {{{text}}}");
        (key, format!("apis: {{a: {API}, b: {API}}}\ntools: {{t: {{{tool}}}}}"), says)
    };
    vec![
        http("tools.*.description", "api: a, get: /", "description: \"D.\""),
        http("tools.*.http.api", "api: b, get: /", "api: \"b\""),
        http("tools.*.http.get", "api: a, get: /x", "method: Get"),
        http("tools.*.http.head", "api: a, head: /x", "method: Head"),
        http("tools.*.http.post", "api: a, post: /x", "method: Post"),
        http("tools.*.http.put", "api: a, put: /x", "method: Put"),
        http("tools.*.http.patch", "api: a, patch: /x", "method: Patch"),
        http("tools.*.http.delete", "api: a, delete: /x", "method: Delete"),
        http("tools.*.http.query", "api: a, get: /, query: {q: r}", "query: [(\"q\""),
        http("tools.*.http.headers", "api: a, get: /, headers: {X-A: b}", "\"x-a\""),
        http("tools.*.http.json", "api: a, post: /, json: {a: 1.10}", "Fixed(\"1.10\")"),
        http("tools.*.http.form", "api: a, post: /, form: {a: b}", "Form([(\"a\""),
        http("tools.*.http.text", "api: a, post: /, text: abc", "Some(Text("),
        http(
            "tools.*.http.version",
            "api: a, put: /, version: '{v}'}, input: {type: object, properties: {v: {}}",
            "Some(Version { slot: {v}",
        ),
        http(
            "tools.*.http.result_headers",
            "api: a, get: /, result_headers: {seven: X-Seven}",
            "[(\"seven\", HeaderName(\"x-seven\"))]",
        ),
    ]
}

const BASIC_ENV: &str = "auth: {basic: {user: u, password: {env: CRM_TOKEN}}}";
const BASIC_FILE: &str = "auth: {basic: {user: u, password: {file: token}}}";
const HEADER_ENV: &str = "auth: {header: {name: X-Key, value: {env: CRM_TOKEN}}}";
const HEADER_FILE: &str = "auth: {header: {name: X-Key, value: {file: token}}}";

/// Incident 7: settings that were dropped silently or never enforced.
#[test]
fn every_key_has_an_effect() {
    let parts = [process(), bounds(), who_may_call(), apis_and_tools(), requests()];
    let table = parts.concat();
    let mut listed: Vec<_> = table.iter().map(|(key, ..)| (*key).to_owned()).collect();
    listed.sort();
    assert_eq!(listed, keys(), "the table and the schema name the same keys");
    let before = format!("{:?}", good(""));
    for (key, text, says) in table {
        let after = format!("{:?}", good(&text));
        assert!(!before.contains(says), "{key}: {says} stands there without it");
        assert!(after.contains(says), "{key}: {says} is not in {after}");
        assert!(!after.contains("canary"), "{key}: a secret is shown: {after}");
    }
}

#[test]
fn what_holds_for_all_tools_holds_for_those_of_workers() {
    let config = good("defaults: {timeout: 7s, max_bytes: 777}\nlisten: {message_bytes: 64 KiB}");
    assert_eq!(config.offers.timeout, Duration::from_secs(7));
    assert_eq!(config.offers.shown_bytes_max, 777);
    assert_eq!(config.workers.input_bytes_max, 48 << 10);
}

#[test]
fn no_api_has_the_name_of_that_of_the_workers() {
    let faults = bad("apis: {workers: {url: 'https://a'}}");
    assert!(faults.contains("`workers` is the API of the tools that workers offer"), "{faults}");
}

#[test]
fn the_nearest_timeout_holds() {
    let timeout = |defaults: &str, api: &str, tool: &str| {
        let text = format!(
            "defaults: {{{defaults}}}\napis: {{a: {{url: 'https://a', {api}}}}}\n\
             tools: {{t: {{{TOOL}, {tool}}}}}"
        );
        good(&text).tools[0].0.timeout
    };
    assert_eq!(timeout("", "", ""), Duration::from_secs(30));
    assert_eq!(timeout("timeout: 4s", "", ""), Duration::from_secs(4));
    assert_eq!(timeout("timeout: 4s", "timeout: 3s", ""), Duration::from_secs(3));
    assert_eq!(timeout("timeout: 4s", "timeout: 3s", "timeout: 2h"), Duration::from_secs(7200));
}

#[test]
fn the_guard_against_repetition_is_on_unless_it_is_switched_off() {
    let repeat = |text: &str| good(text).bounds.sessions.repeat;
    assert_eq!(repeat(""), Some(crate::budget::Repeat::default()));
    assert_eq!(repeat("sessions: {repeat: {}}"), Some(crate::budget::Repeat::default()));
    assert_eq!(repeat("sessions: {repeat: off}"), None);
}

#[test]
fn a_tcp_address_may_stand_alone() {
    let tcp = |text: &str| good(&format!("listen: {{tcp: {text}}}")).listen.tcp;
    assert_eq!(tcp("'127.0.0.1:7070'"), tcp("{address: '127.0.0.1:7070'}"));
    assert_eq!(tcp("'[::1]:0'").unwrap(), rpc::listen::Tcp::new("[::1]:0".parse().unwrap()));
}

#[test]
fn naming_one_way_to_listen_leaves_the_other_out() {
    let listen = good("listen: {tcp: '127.0.0.1:0'}").listen;
    assert!(listen.unix.is_none() && listen.tcp.is_some());
    let listen = good("listen: {unix:}").listen;
    assert_eq!(listen, rpc::listen::Settings::default());
}

#[test]
fn an_api_has_a_breaker_unless_it_is_switched_off() {
    let breaker = |text: &str| {
        let text = format!("apis: {{a: {{url: 'https://a', {text}}}}}\ntools: {{t: {{{TOOL}}}}}");
        good(&text).bounds.apis[0].breaker.clone()
    };
    assert_eq!(breaker(""), Some(breaker::Settings::default()));
    assert_eq!(breaker("breaker:"), Some(breaker::Settings::default()));
    assert_eq!(breaker("breaker: off"), None);
}

#[test]
fn of_a_time_and_its_bound_the_one_that_is_not_written_gives_way() {
    let api = |text: &str| {
        let api = format!("apis: {{a: {{url: 'https://a', {text}}}}}\ntools: {{t: {{{TOOL}}}}}");
        let config = good(&api);
        let breaker = config.bounds.apis[0].breaker.clone().unwrap();
        let retry = &config.retries[0].1;
        [breaker.open, breaker.open_max, retry.base, retry.max].map(|time| time.as_millis())
    };
    let [open, open_max, base, max] = api("");
    for (text, times) in [
        ("breaker: {open: 5m}", [300_000, 300_000, base, max]),
        ("breaker: {open_max: 1s}", [1000, 1000, base, max]),
        ("breaker: {open: 2s, open_max: 2s}", [2000, 2000, base, max]),
        ("retry: {base: 7s}", [open, open_max, 7000, 7000]),
        ("retry: {max: 10ms}", [open, open_max, 10, 10]),
    ] {
        assert_eq!(api(text), times, "{text}");
    }
}

#[test]
fn a_rate_is_everyones_or_each_sessions_or_each_tenants() {
    let rate = |text: &str| {
        let text = format!("apis: {{a: {{url: 'https://a', rate: {text}}}}}");
        good(&text).bounds.apis[0].rates[0]
    };
    for (text, per) in [
        ("5/s", Per::Api),
        ("5/s per session", Per::Session),
        ("5/s burst 7 per tenant", Per::Tenant),
    ] {
        assert_eq!(rate(text).1, per, "{text}");
    }
}

#[test]
fn a_cost_that_a_bucket_never_holds_is_refused() {
    let file = |rate: &str, cost: &str| {
        format!("apis: {{a: {{url: 'https://a', rate: {rate}}}}}\ntools: {{t: {{{TOOL}, {cost}}}}}")
    };
    let faults = bad(&file("[10/s burst 4, 1/min]", "cost: 4"));
    assert!(
        faults.contains("a call costs 4 tokens, and `1/min` never has more than 1"),
        "{faults}"
    );
    assert!(faults.contains("give the rate `burst 4`") && !faults.contains("10/s"), "{faults}");
    assert_eq!(good(&file("10/s burst 4", "cost: 4")).tools[0].0.cost.get(), 4);
}
