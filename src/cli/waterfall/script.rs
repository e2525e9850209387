//! Turns for the tests: their events, each with the time at which it is seen.

use std::time::Duration;

use crate::proto::v1::{self, batch_event::Event};

type Seen = Vec<(u64, v1::BatchEvent)>;

fn ms(ms: u64) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(Duration::from_millis(ms)).ok()
}

pub(crate) fn plan(calls: &[(&str, u64)], edges: &[(u32, u32, &str)]) -> v1::Plan {
    let mut depths = vec![0; calls.len()];
    for (from, to, _) in edges {
        depths[*to as usize] = depths[*to as usize].max(depths[*from as usize] + 1);
    }
    let call = |(at, (tool, latency)): (usize, &(&str, u64))| v1::PlannedCall {
        call_id: format!("toolu_{:02}", at + 1),
        tool: (*tool).to_owned(),
        latency: ms(*latency),
        depth: depths[at],
        ..Default::default()
    };
    let edge = |(from, to, reason): &(u32, u32, &str)| v1::Edge {
        from: *from,
        to: *to,
        kind: v1::EdgeKind::Reference.into(),
        strength: v1::EdgeStrength::Need.into(),
        reason: (*reason).to_owned(),
        ..v1::Edge::default()
    };
    v1::Plan {
        calls: calls.iter().enumerate().map(call).collect(),
        edges: edges.iter().map(edge).collect(),
        ..Default::default()
    }
}

fn event(event: Event) -> v1::BatchEvent {
    v1::BatchEvent { sequence: 0, event: Some(event) }
}

fn accepted(plan: v1::Plan) -> (u64, v1::BatchEvent) {
    (0, event(Event::Accepted(v1::BatchAccepted { batch_id: "b-1".into(), plan: Some(plan) })))
}

fn started(index: u32, attempt: u32, at: u64) -> (u64, v1::BatchEvent) {
    let call_id = format!("toolu_{:02}", index + 1);
    let started = v1::CallStarted { call_id, index, attempt, at: ms(at), timings: None };
    (at, event(Event::Started(started)))
}

/// `[blocked, queued, backing off, running]`, in milliseconds.
fn timings(spent: [u64; 4]) -> v1::Timings {
    let [blocked, queued, backing_off, running] = spent.map(ms);
    v1::Timings { blocked, queued, backing_off, running, ..Default::default() }
}

fn finished(index: u32, tool: &str, spent: [u64; 4]) -> (u64, v1::BatchEvent) {
    ended(index, tool, spent, v1::Outcome::Succeeded, None)
}

fn ended(
    index: u32,
    tool: &str,
    spent: [u64; 4],
    outcome: v1::Outcome,
    failure: Option<v1::Failure>,
) -> (u64, v1::BatchEvent) {
    let result = v1::ToolResult {
        call_id: format!("toolu_{:02}", index + 1),
        tool: tool.to_owned(),
        index,
        outcome: outcome.into(),
        failure,
        timings: Some(timings(spent)),
        ..Default::default()
    };
    let at = spent.iter().sum();
    (at, event(Event::CallFinished(v1::CallFinished { result: Some(result) })))
}

/// Succeeds after these waits for a place and for a token, in milliseconds.
fn waited(
    index: u32,
    tool: &str,
    queued: u64,
    throttled: u64,
    ran: u64,
) -> [(u64, v1::BatchEvent); 2] {
    let (start, end) = (queued + throttled, queued + throttled + ran);
    let timings = v1::Timings {
        queued: ms(queued),
        throttled: ms(throttled),
        running: ms(ran),
        ..Default::default()
    };
    let (_, mut event) = finished(index, tool, [0; 4]);
    if let Some(Event::CallFinished(finished)) = &mut event.event
        && let Some(result) = &mut finished.result
    {
        result.timings = Some(timings);
    }
    let (_, mut begun) = started(index, 1, start);
    if let Some(Event::Started(started)) = &mut begun.event {
        started.timings = Some(v1::Timings { running: None, ..timings });
    }
    [(start, begun), (end, event)]
}

/// The same with a result from elsewhere.
fn from(source: v1::Source, (at, mut event): (u64, v1::BatchEvent)) -> (u64, v1::BatchEvent) {
    if let Some(Event::CallFinished(finished)) = &mut event.event
        && let Some(result) = &mut finished.result
    {
        result.source = source.into();
    }
    (at, event)
}

fn over(at: u64, summary: v1::BatchSummary) -> (u64, v1::BatchEvent) {
    (at, event(Event::BatchFinished(v1::BatchFinished { summary: Some(summary) })))
}

/// One source, then a fan, then a gather.
pub(crate) fn gather() -> Seen {
    let calls = [
        ("find_customer", 200),
        ("list_orders", 200),
        ("track_shipment", 120),
        ("track_shipment", 120),
        ("get_billing", 200),
        ("write_brief", 80),
    ];
    let edges = [
        (0, 1, "${find_customer.id}"),
        (1, 2, "${list_orders.orders[0].shipment}"),
        (1, 3, "${list_orders.orders[1].shipment}"),
        (0, 4, "${find_customer.id}"),
        (2, 5, "${track_shipment#1.place}"),
        (3, 5, "${track_shipment#2.place}"),
        (4, 5, "${get_billing.balance}"),
    ];
    let mut plan = plan(&calls, &edges);
    plan.estimate = Some(v1::PlanEstimate { critical_path: ms(600), ..Default::default() });
    vec![
        accepted(plan),
        started(0, 1, 1),
        finished(0, "find_customer", [0, 1, 0, 201]),
        started(1, 1, 203),
        started(4, 1, 203),
        finished(1, "list_orders", [202, 1, 0, 200]),
        started(2, 1, 404),
        // Queued for a while.
        finished(4, "get_billing", [202, 1, 0, 220]),
        started(3, 1, 450),
        finished(2, "track_shipment", [403, 1, 0, 122]),
        finished(3, "track_shipment", [403, 47, 0, 121]),
        started(5, 1, 572),
        finished(5, "write_brief", [571, 1, 0, 80]),
        over(
            653,
            v1::BatchSummary {
                calls: 6,
                succeeded: 6,
                duration: ms(653),
                sequential: ms(944),
                critical_path: ["toolu_01", "toolu_02", "toolu_04", "toolu_06"]
                    .map(Into::into)
                    .into(),
                ..Default::default()
            },
        ),
    ]
}

/// The same result of two attempts, the second 50 ms after the first.
fn tried_again((at, mut event): (u64, v1::BatchEvent)) -> (u64, v1::BatchEvent) {
    let attempt = |at, backing_off| v1::Attempt {
        at: ms(at),
        backing_off: ms(backing_off),
        running: ms(60),
        code: v1::FailureCode::Unavailable.into(),
        ..Default::default()
    };
    if let Some(Event::CallFinished(finished)) = &mut event.event
        && let Some(result) = &mut finished.result
    {
        result.attempts = vec![attempt(0, 0), attempt(110, 50)];
    }
    (at, event)
}

/// One call fails, after an attempt more; its child is skipped; the rest runs.
pub(crate) fn failure() -> Seen {
    let calls = [("get_customer", 200), ("get_score", 60), ("propose_limit", 80), ("pay", 90)];
    let failure = |code: v1::FailureCode, message: &str| v1::Failure {
        code: code.into(),
        message: message.to_owned(),
        attempts: 2,
        ..Default::default()
    };
    let down = failure(
        v1::FailureCode::Unavailable,
        "bureau answered 503 Service Unavailable: {\"error\": \"closed until 06:00 UTC\"}. It is \
         out of service; the same call may succeed later.",
    );
    let retrying = v1::CallRetrying {
        call_id: "toolu_02".into(),
        index: 1,
        attempt: 1,
        delay: ms(50),
        failure: Some(failure(v1::FailureCode::Unavailable, "bureau answered 503")),
    };
    let needs = failure(
        v1::FailureCode::DependencyFailed,
        "get_score (toolu_02), which this call needs, failed. Correct that call and send both.",
    );
    vec![
        accepted(plan(&calls, &[(1, 2, "${get_score.score}")])),
        started(0, 1, 0),
        started(1, 1, 0),
        started(3, 1, 0),
        (60, event(Event::Retrying(retrying))),
        ended(3, "pay", [0, 0, 0, 90], v1::Outcome::Cancelled, None),
        started(1, 2, 110),
        tried_again(ended(1, "get_score", [0, 0, 50, 120], v1::Outcome::Failed, Some(down))),
        ended(2, "propose_limit", [170, 0, 0, 0], v1::Outcome::Skipped, Some(needs)),
        finished(0, "get_customer", [0, 0, 0, 202]),
        over(
            203,
            v1::BatchSummary {
                calls: 4,
                succeeded: 1,
                failed: 1,
                cancelled: 1,
                skipped: 1,
                duration: ms(203),
                sequential: ms(412),
                critical_path: vec!["toolu_01".into()],
                ..Default::default()
            },
        ),
    ]
}

/// An API of a rate: the first call finds a token, the others wait for theirs,
/// the last for a place before that.
pub(crate) fn rated() -> Seen {
    let mut events = vec![accepted(plan(&[("get_quote", 60); 4], &[]))];
    for (index, (queued, throttled)) in (0..).zip([(0, 0), (0, 50), (0, 100), (60, 90)]) {
        events.extend(waited(index, "get_quote", queued, throttled, 60));
    }
    events.sort_by_key(|(seen, _)| *seen);
    events.push(over(
        210,
        v1::BatchSummary {
            calls: 4,
            succeeded: 4,
            duration: ms(210),
            sequential: ms(240),
            critical_path: vec!["toolu_04".into()],
            ..Default::default()
        },
    ));
    events
}

/// So many calls, of which the first ones have ended and the next five run.
pub(crate) fn wide(calls: usize, ended: u32) -> Seen {
    let mut events = vec![accepted(plan(&vec![("get_page", 100); calls], &[]))];
    events.extend((0..ended + 5).map(|index| started(index, 1, u64::from(index))));
    events
        .extend((0..ended).map(|index| finished(index, "get_page", [0, u64::from(index), 0, 30])));
    events
}

/// Identical calls that ran once, one that was answered before, and one whose
/// tool's fallback was taken.
pub(crate) fn shared() -> Seen {
    let get = "get_customer";
    let calls = [(get, 200), (get, 200), (get, 200), ("get_region", 10), ("get_tier", 50)];
    vec![
        accepted(plan(&calls, &[])),
        from(v1::Source::Cached, finished(3, "get_region", [0; 4])),
        started(0, 1, 0),
        started(4, 1, 0),
        from(v1::Source::Fallback, finished(4, "get_tier", [0, 0, 0, 60])),
        from(v1::Source::Executed, finished(0, get, [0, 0, 0, 200])),
        from(v1::Source::Shared, finished(1, get, [200, 0, 0, 0])),
        from(v1::Source::Shared, finished(2, get, [200, 0, 0, 0])),
        over(
            201,
            v1::BatchSummary {
                calls: 5,
                succeeded: 5,
                duration: ms(201),
                sequential: ms(260),
                ..Default::default()
            },
        ),
    ]
}

/// Calls that took no time: one that was answered before, one whose session has
/// spent all, and one whose API is left alone; each is seen to end a while later.
pub(crate) fn at_once() -> Seen {
    let calls = [("get_region", 10), ("get_score", 200), ("get_quote", 60)];
    let refused = |index, tool, code: v1::FailureCode| {
        let failure = v1::Failure {
            code: code.into(),
            message: "Nothing was sent.".into(),
            ..Default::default()
        };
        ended(index, tool, [0; 4], v1::Outcome::Failed, Some(failure)).1
    };
    vec![
        accepted(plan(&calls, &[])),
        (3, from(v1::Source::Cached, finished(0, "get_region", [0; 4])).1),
        (4, refused(1, "get_score", v1::FailureCode::BudgetExceeded)),
        (4, refused(2, "get_quote", v1::FailureCode::Unavailable)),
        over(
            4,
            v1::BatchSummary {
                calls: 3,
                succeeded: 1,
                failed: 2,
                duration: ms(0),
                sequential: ms(0),
                ..Default::default()
            },
        ),
    ]
}
