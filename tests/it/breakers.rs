//! Breakers and quotas, by the log of the API that fails, recovers, or says that
//! it has had enough.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sidecall::proto::v1::{
    ApiStatus, BreakerState, FailureCode, FailureOrigin, Outcome, RetryAdvice, Source,
    StatusRequest, batch_event::Event,
};

use crate::support::{Gate, Reply, Turn, World, events::Running, tools::base_with_api};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Opens with the third failure in a row, for a moment, and no attempt is made
/// again.
const FRAGILE: &str = "breaker: {failures: 3, open: 1s}, retry: {attempts: 1}";

fn reads(prefix: &str, count: usize) -> Turn {
    let read =
        |n| (format!("{prefix}-{n}"), "read".to_owned(), format!(r#"{{"id":"{prefix}-{n}"}}"#));
    Turn::of((0..count).map(read))
}

/// Sends the turn once the breaker's time is over, so that all of it meets a
/// breaker that lets one through.
async fn let_through(world: &World, turn: &Turn) -> Running {
    let mut client = world.client();
    let is_over = |api: &ApiStatus| {
        api.breaker.as_ref().is_some_and(|breaker| breaker.state() == BreakerState::HalfOpen)
    };
    while !client
        .status(StatusRequest::default())
        .await
        .unwrap()
        .into_inner()
        .apis
        .iter()
        .any(is_over)
    {}
    let mut running = world.send(turn).await.unwrap();
    let is_decided = |event: &Event| matches!(event, Event::Started(_) | Event::CallFinished(_));
    let first = running.until(is_decided).await;
    assert!(matches!(first, Event::Started(_)), "{first:?}");
    running
}

/// Fails until the switch is set.
fn fails_until(world: &World, is_up: &Arc<AtomicBool>, how: Reply) {
    let is_up = Arc::clone(is_up);
    world.peer.script("GET /read/*", move |_| match is_up.load(Ordering::SeqCst) {
        true => Reply::json("{}"),
        false => how.clone(),
    });
}

/// Fails so, is left alone, is asked once in vain, and is back.
async fn is_left_alone_until_one_probe_succeeds(how: Reply) {
    let world = World::start(&base_with_api(FRAGILE)).await;
    let is_up = Arc::default();
    fails_until(&world, &is_up, how);
    assert_eq!(world.run(&reads("down", 3)).await.count(Outcome::Failed), 3);

    let barred = world.run(&reads("barred", 20).session("other")).await;
    let failure = barred.failure("barred-7");
    assert_eq!((failure.code(), failure.attempts), (FailureCode::Unavailable, 0));
    assert_eq!((failure.origin(), failure.retry()), (FailureOrigin::Sidecall, RetryAdvice::After));
    assert!(failure.message.contains("its last 3 calls failed"), "{}", failure.message);
    let after: Duration = failure.retry_after.unwrap().try_into().unwrap();
    assert!(after <= ms(1000), "{after:?}");
    assert_eq!(world.peer.log().len(), 3, "none of the twenty came");

    // Still down when its time is over: one of them learns it for all.
    let probed = let_through(&world, &reads("probe", 20)).await.finish().await;
    assert_eq!(probed.count(Outcome::Failed), 20);
    assert_eq!(world.peer.log().len(), 4);

    is_up.store(true, Ordering::SeqCst);
    let back = let_through(&world, &reads("back", 20)).await.finish().await;
    assert_eq!(back.count(Outcome::Succeeded), 20);
    assert_eq!(world.peer.log().len(), 24);
    world.end().await;
}

#[tokio::test]
async fn an_api_that_fails_is_left_alone_until_one_probe_succeeds() {
    tokio::join!(
        is_left_alone_until_one_probe_succeeds(Reply::text(503, "down")),
        is_left_alone_until_one_probe_succeeds(Reply::text(500, "boom")),
        is_left_alone_until_one_probe_succeeds(Reply::cut()),
    );
}

#[tokio::test]
async fn the_others_wait_while_one_probes() {
    let world = World::start(&base_with_api(FRAGILE)).await;
    let gate = Gate::closed();
    world.peer.on("GET /read/down-0", Reply::text(503, ""));
    world.peer.on("GET /read/down-1", Reply::text(503, ""));
    world.peer.on("GET /read/down-2", Reply::text(503, ""));
    world.peer.on("GET /read/probe-0", Reply::json("{}").behind(&gate));
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.run(&reads("down", 3)).await;
    let probe = let_through(&world, &reads("probe", 1)).await;
    let others = world.send(&reads("other", 5)).await.unwrap();
    // One whose time is over before anything comes of the probe is not kept.
    let hasty = world.run(&reads("hasty", 1).call_timeout(ms(50))).await;
    hasty.assert_failed("hasty-0", FailureCode::DeadlineExceeded, &["before its turn came"]);
    assert_eq!(world.peer.log().len(), 4);
    gate.open();
    probe.finish().await.assert_succeeded("probe-0", "{}");
    assert_eq!(others.finish().await.count(Outcome::Succeeded), 5);
    world.end().await;
}

#[tokio::test]
async fn a_probe_whose_caller_goes_away_is_followed_by_another() {
    let world = World::start(&base_with_api(FRAGILE)).await;
    for n in 0..3 {
        world.peer.on(&format!("GET /read/down-{n}"), Reply::text(503, ""));
    }
    world.peer.on("GET /read/probe-0", Reply::hang());
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.run(&reads("down", 3)).await;
    let probe = let_through(&world, &reads("probe", 1)).await;
    let next = world.send(&reads("next", 1)).await.unwrap();
    probe.hang_up();
    next.finish().await.assert_succeeded("next-0", "{}");
    world.end().await;
}

#[tokio::test]
async fn refusals_and_throttles_never_open_it() {
    let world = World::start(&base_with_api(FRAGILE)).await;
    world.peer.on("GET /read/ok-0", Reply::json("{}"));
    for (status, code) in [
        (404, FailureCode::ToolError),
        (409, FailureCode::Conflict),
        (401, FailureCode::BackendError),
        (429, FailureCode::RateLimited),
    ] {
        for turn in 0..4 {
            let prefix = format!("{status}-{turn}");
            world.peer.on(&format!("GET /read/{prefix}-0"), Reply::text(status, ""));
            let ran = world.run(&reads(&prefix, 1)).await;
            ran.assert_failed(&format!("{prefix}-0"), code, &[]);
        }
    }
    world.run(&reads("ok", 1)).await.assert_succeeded("ok-0", "{}");
    world.end().await;
}

#[tokio::test]
async fn an_api_without_a_breaker_is_always_asked() {
    let world = World::start(&base_with_api("breaker: off, retry: {attempts: 1}")).await;
    world.peer.on("GET /read/*", Reply::text(503, ""));
    for n in 0..15 {
        world.run(&reads(&format!("r{n}"), 1)).await;
    }
    assert_eq!(world.peer.log().len(), 15);
    world.end().await;
}

#[tokio::test]
async fn a_fallback_stands_for_what_is_not_asked() {
    let yaml = base_with_api(FRAGILE).replace("  read:\n", "  read:\n    fallback: {old: true}\n");
    let world = World::start(&yaml).await;
    world.peer.on("GET /read/*", Reply::text(503, ""));
    world.run(&reads("down", 3)).await;
    let ran = world.run(&reads("barred", 1)).await;
    ran.assert_succeeded("barred-0", r#"{"old":true}"#);
    assert_eq!(ran.result("barred-0").source(), Source::Fallback);
    assert_eq!(world.peer.log().len(), 3);
    world.end().await;
}

/// Whatever says that nothing of the quota is left, also beside a success: the
/// next call waits for it, or is told so.
#[tokio::test]
async fn an_api_whose_quota_is_used_up_is_left_alone_until_it_is_there_again() {
    // A moment counts by the clock of whoever names it.
    let date = ("Date", "Fri, 20 Nov 2026 12:00:00 GMT");
    let moment = ("X-RateLimit-Reset", "1795176001");
    let of = |status, headers: &[(&str, &str)]| {
        let mut reply = match status {
            200 => Reply::json("{}"),
            _ => Reply::text(status, ""),
        };
        for (name, value) in headers {
            reply = reply.header(name, value);
        }
        reply
    };
    for (last, is_known) in [
        (of(200, &[("X-RateLimit-Remaining", "0"), moment, date]), true),
        (of(200, &[("RateLimit", "\"burst\";r=0;t=1, \"day\";r=99;t=9999")]), true),
        (of(404, &[("RateLimit", "\"burst\";r=0;t=1")]), true),
        (of(200, &[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "1")]), true),
        (of(200, &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1")]), true),
        (of(429, &[("RateLimit", "\"burst\";r=0;t=1")]), true),
        (of(200, &[("RateLimit", "\"burst\";r=0;t=soon")]), false),
        (of(200, &[("RateLimit", "\"burst\";r=1;t=1")]), false),
        (of(200, &[("X-RateLimit-Remaining", "0")]), false),
    ] {
        let world = World::start(&base_with_api("retry: {attempts: 1}")).await;
        world.peer.on("GET /read/last-0", last.clone());
        world.peer.on("GET /read/*", Reply::json("{}"));
        world.run(&reads("last", 1)).await;
        let hasty = world.run(&reads("hasty", 1).session("other").call_timeout(ms(200))).await;
        if is_known {
            hasty.assert_failed("hasty-0", FailureCode::RateLimited, &["was not sent"]);
            let patient = world.run(&reads("patient", 1).session("other")).await;
            patient.assert_succeeded("patient-0", "{}");
            let log = world.peer.log();
            assert_eq!(log.len(), 2, "{last:?}");
            assert!(log[1].at - log[0].at >= ms(900), "{last:?}: {:?}", log[1].at - log[0].at);
        } else {
            hasty.assert_succeeded("hasty-0", "{}");
        }
        world.end().await;
    }
}

#[tokio::test]
async fn a_date_in_retry_after_counts_from_the_answers_own_clock() {
    let world = World::start(&base_with_api("retry: {attempts: 2, base: 1ms}")).await;
    let is_up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_up);
    world.peer.script("GET /read/*", move |_| match seen.swap(true, Ordering::SeqCst) {
        true => Reply::json("{}"),
        false => Reply::text(429, "slow down")
            .header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .header("Retry-After", "Sun, 06 Nov 1994 08:49:39 GMT"),
    });
    let ran = world.run(&reads("r", 1)).await;
    ran.assert_succeeded("r-0", "{}");
    let log = world.peer.log();
    assert!(log[1].at - log[0].at >= ms(2000), "{:?}", log[1].at - log[0].at);
    assert!(log[1].at - log[0].at < ms(10_000), "no clock of ours was taken for theirs");
    world.end().await;
}

#[tokio::test]
async fn a_pause_is_heeded_no_longer_than_the_settings_allow() {
    let world = World::start(&base_with_api("retry: {attempts: 1}, pause_max: 300ms")).await;
    world.peer.on("GET /read/busy-0", Reply::text(429, "").header("Retry-After", "86400"));
    world.peer.on("GET /read/*", Reply::json("{}"));
    world.run(&reads("busy", 1)).await;
    world.run(&reads("next", 1)).await.assert_succeeded("next-0", "{}");
    let log = world.peer.log();
    assert!(log[1].at - log[0].at >= ms(300), "{:?}", log[1].at - log[0].at);
    world.end().await;
}

#[tokio::test]
async fn an_api_that_fails_half_of_the_time_is_left_alone_where_that_is_too_often() {
    let rated = "breaker: {failures: 100, rate: 50%, calls: 6, window: 1m, open: 1h}, \
                 retry: {attempts: 1}, concurrency: 1";
    let world = World::start(&base_with_api(rated)).await;
    let count = std::sync::atomic::AtomicUsize::new(0);
    world.peer.script("GET /read/*", move |_| match count.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => Reply::json("{}"),
        _ => Reply::text(503, "now and then"),
    });
    let ran = world.run(&reads("half", 20)).await;
    assert_eq!(ran.count(Outcome::Succeeded), 3, "{ran:#?}");
    assert_eq!(world.peer.log().len(), 6, "the sixth call opened it");
    let says = |result: &sidecall::proto::v1::ToolResult| {
        let failure = result.failure.clone().unwrap_or_default();
        failure.message.contains("circuit breaker is open")
    };
    assert_eq!(ran.finished.iter().filter(|result| says(result)).count(), 14);
    world.end().await;
}
