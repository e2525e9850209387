//! Rates and queues of an API, by the log of the API itself: what comes in
//! which order and how fast, and what a call is told that may not come.

use std::time::Duration;

use sidecall::proto::v1::{
    FailureCode, FailureOrigin, Outcome, RetryAdvice, ToolResult, batch_event::Event,
    sidecall_service_client::SidecallServiceClient,
};
use tonic::transport::Endpoint;

use crate::support::{
    Gate, Reply, Turn, World,
    events::{Ran, Running},
    peer::Arrival,
    tools::base_with_api,
};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A timer's step, and what the wire rounds.
const STEP: Duration = ms(2);

fn reads(prefix: &str, count: usize) -> Turn {
    let read =
        |n| (format!("{prefix}-{n}"), "read".to_owned(), format!(r#"{{"id":"{prefix}-{n}"}}"#));
    Turn::of((0..count).map(read))
}

fn throttled(result: &ToolResult) -> Duration {
    let throttled = result.timings.as_ref().unwrap().throttled;
    throttled.map_or(Duration::ZERO, |time| time.try_into().unwrap())
}

/// How much longer some requests were under way than others, from the token
/// to the API: seen from the wait for the token and from the attempt's start,
/// since each of the two alone leaves a part of the way out.
fn jitter(ran: &Ran, log: &[Arrival]) -> Duration {
    let id = |arrival: &Arrival| arrival.line.strip_prefix("GET /read/").unwrap().to_owned();
    let waited = spread(log, |arrival| throttled(ran.result(&id(arrival))));
    let started = spread(log, |arrival| started(ran, &id(arrival)));
    waited + started
}

/// What the start of each attempt tells of the wait for it.
fn told_at_start(ran: &Ran, id: &str) -> Duration {
    let starts = ran.events.iter().filter_map(|event| match event.event.as_ref().unwrap() {
        Event::Started(started) if started.call_id == id => started.timings,
        _ => None,
    });
    let throttled = starts.last().unwrap().throttled;
    throttled.map_or(Duration::ZERO, |time| time.try_into().unwrap())
}

fn started(ran: &Ran, id: &str) -> Duration {
    let starts = ran.events.iter().filter_map(|event| match event.event.as_ref().unwrap() {
        Event::Started(started) if started.call_id == id => started.at,
        _ => None,
    });
    starts.last().unwrap().try_into().unwrap()
}

/// Between the least and the most that arrivals came after that time.
fn spread(log: &[Arrival], of: impl Fn(&Arrival) -> Duration) -> Duration {
    let late =
        |arrival: &Arrival| (arrival.at - log[0].at).as_secs_f64() - of(arrival).as_secs_f64();
    let least = log.iter().map(late).fold(f64::MAX, f64::min);
    let most = log.iter().map(late).fold(f64::MIN, f64::max);
    Duration::from_secs_f64(most - least)
}

/// In every window at most `burst` + `rate` × (window + jitter) came.
#[track_caller]
fn assert_within(log: &[Arrival], burst: f64, rate: f64, jitter: Duration) {
    for (first, from) in log.iter().enumerate() {
        for (last, to) in log.iter().enumerate().skip(first) {
            let came = (last - first + 1) as f64;
            let window = to.at - from.at;
            let allowed = burst + rate * (window + jitter + STEP).as_secs_f64();
            assert!(came <= allowed, "{came} in {window:?}, with a jitter of {jitter:?}");
        }
    }
}

/// Incident 4.
#[tokio::test]
async fn in_no_window_does_an_api_see_more_than_its_rate_allows() {
    for (text, burst, rate, calls) in [("20/s", 1.0, 20.0, 12), ("50/s burst 10", 10.0, 50.0, 30)] {
        let world = World::start(&base_with_api(&format!("rate: {text}"))).await;
        world.peer.on("GET /read/*", Reply::json("{}"));
        let ran = world.run(&reads("r", calls)).await;
        assert_eq!(ran.count(Outcome::Succeeded), calls, "none is lost");
        let log = world.peer.log();
        assert_eq!(log.len(), calls, "none comes twice");
        for result in &ran.finished {
            let at_start = told_at_start(&ran, &result.call_id);
            assert_eq!(at_start, throttled(result), "known before the call ends");
        }
        assert_within(&log, burst, rate, jitter(&ran, &log));
        let spread = log.last().unwrap().at - log[0].at;
        assert!(
            spread.as_secs_f64() < 10.0 * calls as f64 / rate,
            "{spread:?} is no rate of {text}"
        );
        world.end().await;
    }
}

#[tokio::test]
async fn the_time_for_which_a_call_was_throttled_is_in_its_timings() {
    let world = World::start(&base_with_api("rate: 20/s")).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let ran = world.run(&reads("r", 4)).await;
    assert_eq!(throttled(ran.result("r-0")), Duration::ZERO, "the first token was there");
    for n in 1..4 {
        // Half of it, for a machine that was slow to ask.
        let waited = throttled(ran.result(&format!("r-{n}")));
        assert!(2 * waited > n * ms(50) && waited < ran.duration(), "{n}: {waited:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_call_whose_token_comes_too_late_is_told_at_once_when_it_would_come() {
    let world = World::start(&base_with_api("rate: 1/min")).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let mut running = world.send(&reads("r", 3).call_timeout(ms(30_000))).await.unwrap();
    // The one that was sent has no answer yet.
    for id in ["r-1", "r-2"] {
        let refused = running.until_finished(id).await;
        let failure = refused.failure.unwrap();
        assert_eq!(failure.code(), FailureCode::RateLimited, "{failure:?}");
        assert_eq!(failure.retry(), RetryAdvice::After);
        assert_eq!((failure.origin(), failure.attempts), (FailureOrigin::Sidecall, 0));
        assert!(failure.message.contains("rate limit of crm"), "{}", failure.message);
        let after: Duration = failure.retry_after.unwrap().try_into().unwrap();
        assert!(after > ms(30_000) && after <= ms(60_000), "{after:?}");
    }
    gate.open();
    let ran = running.finish().await;
    ran.assert_succeeded("r-0", "{}");
    assert_eq!(world.peer.lines(), ["GET /read/r-0"]);
    world.end().await;
}

/// Incident 2: more calls than fit are told so; those that wait are served.
#[tokio::test]
async fn a_call_more_than_the_queue_takes_fails_at_once_and_the_queue_is_served() {
    let world = World::start(&base_with_api("concurrency: 1, queue: 2")).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/*", Reply::json("{}").behind(&gate));
    let mut running = world.send(&reads("r", 5)).await.unwrap();
    for id in ["r-3", "r-4"] {
        let failure = running.until_finished(id).await.failure.unwrap();
        assert_eq!(failure.code(), FailureCode::Overloaded, "{failure:?}");
        assert_eq!(failure.attempts, 0);
    }
    gate.open();
    let ran = running.finish().await;
    assert_eq!((ran.count(Outcome::Succeeded), ran.count(Outcome::Failed)), (3, 2));
    assert_eq!(world.peer.lines(), ["GET /read/r-0", "GET /read/r-1", "GET /read/r-2"]);
    assert_eq!(world.peer.in_flight_max(), 1);
    world.end().await;
}

/// Incident 5: one batch's 429 is every batch's pause.
#[tokio::test]
async fn an_api_that_asks_to_be_left_alone_is_left_alone_by_every_batch() {
    let world = World::start(&base_with_api("retry: {attempts: 1}")).await;
    world.peer.on("GET /read/busy", Reply::text(429, "slow down").header("Retry-After", "2"));
    world.peer.on("GET /read/*", Reply::json("{}"));
    let turn = Turn::of([("ok", "read", r#"{"id":"ok"}"#), ("busy", "read", r#"{"id":"busy"}"#)]);
    let first = world.run(&turn).await;
    first.assert_succeeded("ok", "{}");
    let failure = first.failure("busy");
    assert_eq!((failure.code(), failure.retry()), (FailureCode::RateLimited, RetryAdvice::After));

    let in_vain = world.run(&reads("hasty", 1).session("other").call_timeout(ms(100))).await;
    let failure = in_vain.failure("hasty-0");
    assert_eq!((failure.code(), failure.attempts), (FailureCode::RateLimited, 0), "{failure:?}");

    let later = world.run(&reads("patient", 2).session("other")).await;
    assert_eq!(later.count(Outcome::Succeeded), 2);
    assert!(throttled(later.result("patient-0")) > Duration::ZERO);
    let busy = world.peer.only("GET /read/busy").at;
    for arrival in world.peer.log().iter().filter(|arrival| arrival.line.contains("patient")) {
        assert!(arrival.at - busy >= ms(2000), "{:?} after the 429", arrival.at - busy);
    }
    assert_eq!(world.peer.log().len(), 4, "the hasty one never came");
    world.end().await;
}

#[tokio::test]
async fn a_session_with_few_calls_does_not_wait_for_one_with_many() {
    let world = World::start(&base_with_api("rate: 50/s")).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let mut many = world.send(&reads("many", 40).session("many")).await.unwrap();
    many.until_started("many-0").await;
    let few = world.run(&reads("few", 4).session("few")).await;
    assert_eq!(few.count(Outcome::Succeeded), 4);
    assert_eq!(many.finish().await.count(Outcome::Succeeded), 40);

    // They took turns, whatever went before: and many were left at the end.
    let lines = world.peer.lines();
    let is_few = |line: &String| line.contains("few");
    let first = lines.iter().position(is_few).unwrap();
    let last = lines.iter().rposition(is_few).unwrap();
    assert!(last - first <= 12 && last < 39, "{lines:#?}");
    world.end().await;
}

#[tokio::test]
async fn a_rate_per_session_is_each_sessions_own() {
    let world = World::start(&base_with_api("rate: 1/min per session")).await;
    world.peer.on("GET /read/*", Reply::json("{}"));
    let read = |prefix, session| reads(prefix, 1).session(session).call_timeout(ms(5000));
    world.run(&read("a", "one")).await.assert_succeeded("a-0", "{}");
    world.run(&read("b", "other")).await.assert_succeeded("b-0", "{}");
    let again = world.run(&read("c", "one")).await;
    again.assert_failed("c-0", FailureCode::RateLimited, &["was not sent"]);
    assert_eq!(world.peer.lines(), ["GET /read/a-0", "GET /read/b-0"]);
    world.end().await;
}

#[tokio::test]
async fn a_call_pays_its_tools_cost_to_every_rate_or_to_none() {
    let yaml = base_with_api("rate: [1/min burst 3, 1/h burst 4]")
        .replace("  echo:\n", "  echo:\n    cost: 3\n");
    let world = World::start(&yaml).await;
    world.peer.on("GET /read/*", Reply::json("{}")).on("POST /echo", Reply::json("{}"));
    let hasty = |turn: Turn| turn.call_timeout(ms(5000));
    world.run(&hasty(reads("a", 1))).await.assert_succeeded("a-0", "{}");
    let dear = world.run(&hasty(Turn::one("echo", "{}"))).await;
    dear.assert_failed("a", FailureCode::RateLimited, &[]);
    // What could not be paid in full was not paid in part.
    assert_eq!(world.run(&hasty(reads("b", 3))).await.count(Outcome::Succeeded), 2);
    assert_eq!(world.peer.log().len(), 3);
    world.end().await;
}

/// Incident 6, within a process: limits multiplied with whoever asked. Across
/// processes each has buckets of its own, as the documentation says.
#[tokio::test]
async fn a_rate_is_one_for_all_connections_sessions_and_tools() {
    let world = World::start(&base_with_api("rate: 1/h burst 5")).await;
    world.peer.on("GET /read/*", Reply::json("{}")).on("POST /echo", Reply::json("{}"));
    let tcp = Endpoint::from_shared(format!("http://{}", world.tcp)).unwrap();
    let turns = (0..8).map(|n| {
        let (tool, input) = if n % 2 == 0 { ("read", r#"{"id":"a"}"#) } else { ("echo", "{}") };
        let turn = Turn::one(tool, input).session(&format!("s{n}")).call_timeout(ms(5000));
        let (tcp, unix) = (tcp.clone(), world.channel());
        async move {
            let channel = if n < 4 { tcp.connect().await.unwrap() } else { unix };
            let mut client = SidecallServiceClient::new(channel);
            let events = client.execute_batch(turn.0).await.unwrap().into_inner();
            Running::new(events).finish().await.count(Outcome::Succeeded)
        }
    });
    let succeeded: usize = futures_util::future::join_all(turns).await.into_iter().sum();
    assert_eq!((succeeded, world.peer.log().len()), (5, 5));
    world.end().await;
}
