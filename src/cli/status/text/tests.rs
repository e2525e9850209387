use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::*;

const LOOK: Look = Look { width: 80, unicode: true, color: false };

fn ms(ms: u64) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(Duration::from_millis(ms)).ok()
}

fn of(used: u32, max: impl Into<Option<u32>>) -> Option<v1::Usage> {
    Some(v1::Usage { used, max: max.into() })
}

fn level(owner: &str, level: u32, next_ms: impl Into<Option<u64>>) -> v1::BucketLevel {
    let next_token = next_ms.into().and_then(ms);
    v1::BucketLevel { owner: owner.into(), level, next_token }
}

fn process() -> v1::ProcessStatus {
    v1::ProcessStatus {
        version: "0.1.0".into(),
        uptime: ms(8_055_000),
        draining: false,
        batches: of(0, 256),
        calls: of(0, 16384),
        attempts: of(0, 1024),
        waiting: 0,
        sessions: 0,
        config: Some(v1::ConfigStatus { generation: 1, age: ms(8_055_000), ..Default::default() }),
        memory: None,
    }
}

/// Nothing happens.
fn idle() -> v1::StatusResponse {
    let api = |name: &str, cap: Option<u32>, buckets| v1::ApiStatus {
        name: name.into(),
        attempts: of(0, cap),
        queue: of(0, 10_000),
        buckets,
        breaker: Some(v1::BreakerStatus {
            state: v1::BreakerState::Closed.into(),
            ..Default::default()
        }),
        retries: Some(v1::RetryStatus { percent: 20, left: 3, ..Default::default() }),
        ..Default::default()
    };
    let full = v1::BucketStatus {
        rate: "10/s burst 20".into(),
        scope: v1::BucketScope::Api.into(),
        burst: 20,
        kept: 1,
        lowest: vec![level("", 20, None)],
        omitted: 0,
    };
    let unused = v1::BucketStatus {
        rate: "5/s".into(),
        scope: v1::BucketScope::Session.into(),
        burst: 1,
        ..Default::default()
    };
    v1::StatusResponse {
        process: Some(process()),
        apis: vec![api("crm", Some(8), vec![full, unused]), api("shop", None, Vec::new())],
        ..Default::default()
    }
}

fn bucket(rate: &str, burst: u32, lowest: Vec<v1::BucketLevel>) -> v1::BucketStatus {
    v1::BucketStatus {
        rate: rate.into(),
        scope: v1::BucketScope::Api.into(),
        burst,
        kept: 1,
        lowest,
        omitted: 0,
    }
}

/// Calls wait for its tokens.
fn throttled() -> v1::ApiStatus {
    v1::ApiStatus {
        name: "market".into(),
        attempts: of(4, 4),
        queue: of(95, 10_000),
        longest_wait: ms(2_100),
        next_grant: ms(12),
        buckets: vec![
            bucket("20/s burst 20", 20, vec![level("", 7, 12)]),
            bucket("300/min", 1, vec![level("", 0, 140)]),
            v1::BucketStatus {
                scope: v1::BucketScope::Session.into(),
                kept: 311,
                omitted: 308,
                ..bucket(
                    "5/s burst 5",
                    5,
                    vec![level("agent-42", 0, 90), level("agent-7", 1, 30), level("a", 4, 30)],
                )
            },
        ],
        retries: Some(v1::RetryStatus { percent: 20, first_attempts: 120, retries: 21, left: 3 }),
        ..Default::default()
    }
}

fn guarded(
    name: &str,
    (attempts, queue): (Option<v1::Usage>, u32),
    breaker: v1::BreakerStatus,
) -> v1::ApiStatus {
    v1::ApiStatus {
        name: name.into(),
        attempts,
        queue: of(queue, 10_000),
        breaker: Some(breaker),
        ..Default::default()
    }
}

/// One API for each state of a breaker.
fn with_breakers() -> [v1::ApiStatus; 3] {
    let open = v1::BreakerStatus {
        state: v1::BreakerState::Open.into(),
        consecutive_failures: 10,
        next_probe: ms(3_200),
        why: "its last 10 calls failed".into(),
        opened: 1,
        ..Default::default()
    };
    let half_open = v1::BreakerStatus {
        state: v1::BreakerState::HalfOpen.into(),
        window_attempts: Some(40),
        window_failures: Some(24),
        probes: 1,
        why: "24 of its 40 calls in 10s failed".into(),
        ..Default::default()
    };
    let closed = v1::BreakerStatus {
        state: v1::BreakerState::Closed.into(),
        consecutive_failures: 3,
        window_attempts: Some(40),
        window_failures: Some(9),
        ..Default::default()
    };
    let bureau = v1::ApiStatus {
        paused: ms(3_200),
        retries: Some(v1::RetryStatus { percent: 20, first_attempts: 12, retries: 3, left: 0 }),
        ..guarded("bureau", (of(0, None), 0), open)
    };
    let long = "legal_documents_of_the_whole_group_and_its_subsidiaries";
    let legal = v1::ApiStatus { longest_wait: ms(40), ..guarded(long, (of(1, 16), 2), half_open) };
    [bureau, legal, guarded("shaky", (of(2, 8), 0), closed)]
}

fn tools() -> Vec<v1::ToolStatus> {
    let cache = v1::CacheStatus {
        entries: of(12, 1000),
        bytes: 34_900,
        bytes_max: 16 << 20,
        hits: 320,
        misses: 12,
    };
    let tool = |name: &str, attempts, cache| v1::ToolStatus {
        name: name.into(),
        api: "market".into(),
        attempts,
        cache,
    };
    vec![tool("render", of(2, 2), None), tool("get_rates", None, Some(cache))]
}

fn locks() -> v1::LocksStatus {
    let holder = |call: &str, held| v1::LockHolder {
        batch_id: "turn-17".into(),
        call_id: call.into(),
        held,
    };
    let order = v1::LockStatus {
        key: "order/o-17".into(),
        access: v1::LockAccess::Write.into(),
        holders: vec![holder("toolu_02", ms(1_200))],
        waiters: 4,
        longest_wait: ms(3_100),
        ..Default::default()
    };
    let customer = v1::LockStatus {
        key: "customer/cus_4711".into(),
        access: v1::LockAccess::Read.into(),
        holders: vec![holder("toolu_04", None), holder("toolu_05", ms(10))],
        holders_omitted: 3,
        waiters: 1,
        longest_wait: ms(10),
    };
    let quiet = v1::LockStatus {
        key: "customer/cus_9".into(),
        access: v1::LockAccess::Read.into(),
        holders: vec![holder("toolu_06", ms(10))],
        ..Default::default()
    };
    v1::LocksStatus {
        held: 3,
        waiting: 5,
        keys: 4,
        busiest: vec![order, customer, quiet],
        omitted: 1,
    }
}

fn budgets() -> v1::BudgetsStatus {
    let session = |session: &str, calls, cost| v1::SessionStatus {
        session_id: session.into(),
        calls: of(calls, 200),
        cost,
    };
    let lowest = vec![session("agent-42", 200, None), session("agent-7", 120, of(900, 1000))];
    v1::BudgetsStatus { sessions: 40, lowest, omitted: 38 }
}

/// Everything at once.
fn busy() -> v1::StatusResponse {
    let process = v1::ProcessStatus {
        draining: true,
        batches: of(12, 256),
        calls: of(143, 16384),
        attempts: of(38, 1024),
        waiting: 97,
        sessions: 9,
        config: Some(v1::ConfigStatus {
            generation: 4,
            age: ms(61_000),
            refused: true,
            refusal: "sidecall.yaml:4:9: apis.crm.ulr: `apis.crm` has no key `ulr`; write `url`\n\
                      sidecall.yaml:9:7: tools.read.http: there is no method; write `get`"
                .into(),
        }),
        memory: Some(v1::MemoryStatus {
            used_bytes: 111 << 20,
            max_bytes: 128 << 20,
            shed_at_percent: 85,
            short: true,
            refused: 7,
        }),
        ..process()
    };
    v1::StatusResponse {
        process: Some(process),
        apis: std::iter::once(throttled()).chain(with_breakers()).collect(),
        apis_omitted: 2,
        tools: tools(),
        tools_omitted: 1,
        locks: Some(locks()),
        budgets: Some(budgets()),
        workers: None,
    }
}

fn drawn(status: &v1::StatusResponse, look: &Look) -> String {
    let lines = text(status, look);
    for line in &lines {
        assert!(look.color || line.width() < look.width, "{} of {line}", line.width());
        assert!(look.unicode || line.is_ascii(), "{line}");
        assert!(look.color || line.trim_end().len() == line.len() || line.is_empty(), "{line:?}");
    }
    lines.join("\n")
}

#[test]
fn where_nothing_happens_it_says_so() {
    insta::assert_snapshot!(drawn(&idle(), &LOOK));
}

#[test]
fn everything_at_once_is_drawn_in_60_columns() {
    insta::assert_snapshot!(drawn(&busy(), &Look { width: 60, ..LOOK }));
}

#[test]
fn everything_at_once_is_drawn_in_80_columns() {
    insta::assert_snapshot!(drawn(&busy(), &LOOK));
}

#[test]
fn everything_at_once_is_drawn_in_120_columns() {
    insta::assert_snapshot!(drawn(&busy(), &Look { width: 120, ..LOOK }));
}

#[test]
fn without_unicode_only_ascii_is_drawn() {
    insta::assert_snapshot!(drawn(&busy(), &Look { unicode: false, ..LOOK }));
}

#[test]
fn colours_only_repeat_what_the_words_say() {
    let colored = drawn(&busy(), &Look { color: true, ..LOOK });
    assert!(colored.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), drawn(&busy(), &LOOK));
}

#[test]
fn what_others_named_cannot_reach_the_terminal() {
    let mut status = busy();
    let bad = || "\u{1b}[2J\u{7}".to_owned();
    status.apis[0].name = bad();
    status.apis[0].buckets[2].lowest[0].owner = bad();
    status.apis[1].breaker.as_mut().unwrap().why = bad();
    let locks = status.locks.as_mut().unwrap();
    locks.busiest[0].key = bad();
    locks.busiest[0].holders[0].batch_id = bad();
    status.budgets.as_mut().unwrap().lowest[0].session_id = bad();
    status.process.as_mut().unwrap().config.as_mut().unwrap().refusal = bad();
    assert!(!drawn(&status, &LOOK).contains(['\u{1b}', '\u{7}']));
}

#[test]
fn one_that_waits_for_its_keys_is_no_plural() {
    let keys = |held, waiting| {
        let locks = v1::LocksStatus { keys: 1, held, waiting, ..Default::default() };
        let status = v1::StatusResponse {
            process: Some(process()),
            locks: Some(locks),
            ..Default::default()
        };
        let drawn = drawn(&status, &LOOK);
        drawn.lines().find(|line| line.contains("keys")).unwrap().trim().to_owned()
    };
    assert_eq!(keys(1, 1), "1 call holds keys, 1 waits for its");
    assert_eq!(keys(2, 3), "2 calls hold keys, 3 wait for theirs");
}

#[test]
fn a_size_has_the_unit_that_fits() {
    for (bytes, says) in
        [(0, "0 B"), (999, "999 B"), (1024, "1.0 KiB"), (34_900, "34 KiB"), (16 << 20, "16 MiB")]
    {
        assert_eq!(size(bytes), says);
    }
}
