//! What those see who watch the process.

use super::*;
use crate::limits::breaker;

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_is_seen_for_as_long_as_there_is_a_scheduler() {
    let mut settings = settings();
    let opens = breaker::Settings { failures: std::num::NonZeroU32::MIN, ..Default::default() };
    settings.apis = vec![gate::Api { breaker: Some(opens), ..api(None, &[]) }];
    let world = world_with(settings, &[("get", Script::Recovers(5, 1))]);
    let breakers = breakers(&world.scheduler);
    assert_eq!(breakers(), [(Arc::from("api"), 0)]);
    world.run(turn(&["get"])).await;
    assert_eq!(breakers(), [(Arc::from("api"), 2)]);
    drop(world);
    assert!(breakers().is_empty());
}
