use super::*;
use crate::clock;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn policy(attempts: u32) -> Policy {
    let attempts = NonZeroU32::new(attempts).unwrap();
    Policy::new(Settings { attempts, ..Settings::default() })
}

/// An unavailable backend, before anything was sent.
fn unavailable(effect: Effect, sent: Sent) -> Failed {
    Failed {
        attempt: 1,
        effect,
        code: FailureCode::Unavailable,
        advice: RetryAdvice::SameInput,
        sent,
        retry_after: None,
    }
}

fn is_retried(failed: Failed) -> bool {
    let now = clock::now();
    policy(3).decide(failed, now, now + MS(60_000), 0.5).is_some()
}

#[test]
fn only_what_may_be_repeated_is() {
    use Effect::{AtLeastOnce, AtMostOnce, Keyed, ReadOnly};
    use Sent::{Answered, Maybe, No};
    for (effect, sent, expected) in [
        (ReadOnly, No, true),
        (ReadOnly, Maybe, true),
        (ReadOnly, Answered, true),
        (Keyed, Maybe, true),
        (Keyed, Answered, true),
        (AtLeastOnce, Maybe, true),
        (AtMostOnce, No, true),
        (AtMostOnce, Maybe, false),
        (AtMostOnce, Answered, false),
    ] {
        assert_eq!(is_retried(unavailable(effect, sent)), expected, "{effect:?} {sent:?}");
    }
    let refused = Failed { code: FailureCode::RateLimited, ..unavailable(AtMostOnce, Answered) };
    assert!(is_retried(refused), "a 429 is refused before it is processed");
}

#[test]
fn a_failure_that_another_attempt_cannot_mend_is_final() {
    for code in FailureCode::ALL {
        let helps = matches!(
            code,
            FailureCode::Unavailable
                | FailureCode::BackendError
                | FailureCode::AttemptTimeout
                | FailureCode::RateLimited
                | FailureCode::WorkerLost
        );
        let failed = Failed { code, ..unavailable(Effect::ReadOnly, Sent::Answered) };
        assert_eq!(is_retried(failed), helps, "{code}");
    }
    for advice in [RetryAdvice::Never, RetryAdvice::ChangedInput] {
        let failed = Failed { advice, ..unavailable(Effect::ReadOnly, Sent::No) };
        assert!(!is_retried(failed), "{advice:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_worker_had_is_taken_over_at_once_whatever_others_spent() {
    let (now, policy) = (clock::now(), policy(3));
    for _ in 0..100 {
        let lost =
            Failed { code: FailureCode::WorkerLost, ..unavailable(Effect::ReadOnly, Sent::Maybe) };
        assert_eq!(policy.decide(lost, now, now + MS(1_000), 1.0), Some(Duration::ZERO));
        let harm = Failed { effect: Effect::AtMostOnce, ..lost };
        assert_eq!(policy.decide(harm, now, now + MS(1_000), 1.0), None);
    }
}

#[tokio::test(start_paused = true)]
async fn waits_double_up_to_the_most_and_are_drawn_from_all_of_it() {
    let now = clock::now();
    let decide = |attempt, random| {
        let failed = Failed { attempt, ..unavailable(Effect::ReadOnly, Sent::No) };
        policy(20).decide(failed, now, now + MS(600_000), random)
    };
    for (attempt, random, delay) in
        [(1, 1.0, 100), (2, 1.0, 200), (3, 1.0, 400), (3, 0.5, 200), (3, 0.0, 0), (19, 1.0, 5000)]
    {
        assert_eq!(decide(attempt, random), Some(MS(delay)), "{attempt} {random}");
    }
    assert_eq!(decide(20, 0.5), None);
}

#[tokio::test(start_paused = true)]
async fn no_retry_is_begun_that_the_deadline_would_cut_off() {
    let now = clock::now();
    let failed = unavailable(Effect::ReadOnly, Sent::No);
    assert!(policy(3).decide(failed, now, now + MS(101), 1.0).is_some());
    assert!(policy(3).decide(failed, now, now + MS(100), 1.0).is_none());
    let told_to_wait = Failed { retry_after: Some(MS(2000)), ..failed };
    assert!(policy(3).decide(told_to_wait, now, now + MS(2000), 0.0).is_none());
    assert!(policy(3).decide(told_to_wait, now, now + MS(2001), 0.0).is_some());
}

#[tokio::test(start_paused = true)]
async fn retries_never_exceed_their_part_of_the_traffic() {
    let budget = Budget::new(20);
    let start = clock::now();
    let (mut firsts, mut retries) = (0, 0);
    for _ in 0..300 {
        for _ in 0..10 {
            budget.earn(clock::now());
            firsts += 1;
            // A storm: everything fails, everyone wants to try again twice.
            retries += usize::from(budget.spend(clock::now()));
            retries += usize::from(budget.spend(clock::now()));
        }
        tokio::time::advance(MS(100)).await;
    }
    assert_eq!(clock::now() - start, MS(30_000));
    let part = f64::from(u32::try_from(retries).unwrap()) / f64::from(firsts);
    assert!((0.17..=0.205).contains(&part), "{part}");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_is_called_rarely_can_be_retried_a_little() {
    let budget = Budget::new(20);
    budget.earn(clock::now());
    let status = budget.status(clock::now());
    assert_eq!(status, Status { percent: 20, firsts: 1, retries: 0, left: 3 });
    let spent = (0..9).filter(|_| budget.spend(clock::now())).count();
    assert_eq!(spent, 3);
    tokio::time::advance(MS(10_000)).await;
    assert!(budget.spend(clock::now()));
}

#[tokio::test(start_paused = true)]
async fn under_other_settings_what_the_budget_has_seen_still_counts() {
    let before = policy(3);
    for _ in 0..100 {
        before.earn(clock::now());
    }
    let of = |percent| Settings { budget_percent: percent, ..Settings::default() };
    assert_eq!(before.status(clock::now()).left, 20);
    let after = before.reconfigured(of(50));
    assert_eq!(after.status(clock::now()).left, 50);
    let failed = unavailable(Effect::ReadOnly, Sent::No);
    assert!(after.decide(failed, clock::now(), clock::now() + MS(60_000), 0.5).is_some());
    // Who still goes by the old ones takes from the same.
    assert_eq!(before.status(clock::now()).left, 19);
}
