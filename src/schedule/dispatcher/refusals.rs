//! Why a call is not let in, as the model reads it.

use std::time::Duration;

use crate::{
    limits::{Refused, breaker::Barred},
    locks::{By, Holder, Obstacle},
    model::{ApiName, BatchId, Failure, FailureCode, FailureOrigin, RetryAdvice},
};

/// Why a call is not granted an attempt, or another one, as the model reads it.
pub(super) fn refused(
    refused: Refused,
    api: &ApiName,
    left: Duration,
    was_attempted: bool,
) -> Failure {
    let unsent = if was_attempted { "it was not sent again" } else { "it was not sent" };
    match refused {
        Refused::Barred(Barred { after, cause }) => Failure::new(
            FailureCode::Unavailable,
            format!(
                "{api} is not asked at the moment, since {cause} (its circuit breaker is open); \
                 {unsent}. A call is let through again in {after:.1?}: wait before calling it \
                 again, or do without it."
            ),
        )
        .with_origin(FailureOrigin::Sidecall)
        .with_retry(RetryAdvice::After(after)),
        Refused::TooLate(ready) => Failure::new(
            FailureCode::RateLimited,
            format!(
                "the rate limit of {api} has room for this call in {ready:.1?}, and its time is \
                 over in {left:.1?}; {unsent}. Wait before calling it again, or make fewer \
                 calls of it."
            ),
        )
        .with_retry(RetryAdvice::After(ready)),
        Refused::QueueFull(waiting) => Failure::new(
            FailureCode::Overloaded,
            format!("{waiting} calls wait for {api} already; {unsent}. Try again later."),
        ),
    }
}

/// Why a call has not got its locks, as the model reads it. Of other turns it says
/// no more than that they are others.
pub(super) fn lock_timed_out(
    obstacle: Option<Obstacle>,
    waited: Duration,
    own: &BatchId,
) -> Failure {
    let Some(Obstacle { key, by }) = obstacle else {
        // They came in the same moment.
        let message = "the call's time was over before its turn came; it was not sent";
        return Failure::new(FailureCode::DeadlineExceeded, message);
    };
    let who = |holder: &Holder| {
        if holder.batch == *own {
            format!("{} ({}) of this turn", holder.tool, holder.call)
        } else {
            "a call of another turn".to_owned()
        }
    };
    let by = match by {
        By::Writer(holder, since) => format!("{} has held it for {since:.1?}", who(&holder)),
        By::Readers(1) => "a call that reads it holds it".to_owned(),
        By::Readers(readers) => format!("{readers} calls that read it hold it"),
        By::Earlier(holder) => format!("{} asked for it before and waits, too", who(&holder)),
    };
    Failure::new(
        FailureCode::LockTimeout,
        format!(
            "`{key}` was not free within the call's time: {by}. It waited for {waited:.1?} and was \
             not sent. Calls that touch the same thing take turns: make it again when the other \
             has ended, or make fewer of them at once."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallId, SessionId, Tenant, ToolName};

    #[test]
    fn what_was_in_the_way_of_a_lock_is_told_and_nothing_of_other_turns() {
        let own = BatchId::try_new("own").unwrap();
        let holder = |batch: &str| Holder {
            tenant: Tenant::local(),
            session: SessionId::try_new("session").unwrap(),
            batch: BatchId::try_new(batch).unwrap(),
            call: CallId::try_new("call_1").unwrap(),
            tool: ToolName::try_new("pay").unwrap(),
        };
        let seconds = Duration::from_secs;
        for (by, says) in [
            (
                By::Writer(holder("own"), seconds(3)),
                "pay (call_1) of this turn has held it for 3.0s",
            ),
            (By::Writer(holder("b"), seconds(3)), "a call of another turn has held it for 3.0s"),
            (By::Readers(1), "a call that reads it holds it"),
            (By::Readers(7), "7 calls that read it hold it"),
            (By::Earlier(holder("own")), "pay (call_1) of this turn asked for it before and waits"),
            (By::Earlier(holder("b")), "a call of another turn asked for it before and waits"),
        ] {
            let obstacle = Obstacle { key: "order/7".into(), by };
            let failure = lock_timed_out(Some(obstacle), seconds(30), &own);
            assert_eq!(failure.code, FailureCode::LockTimeout);
            assert!(failure.message.contains(says), "{}", failure.message);
            assert!(failure.message.starts_with("`order/7` was not free"), "{}", failure.message);
            assert!(failure.message.contains("waited for 30.0s and was not sent"), "{says}");
        }
        let failure = lock_timed_out(None, seconds(30), &own);
        assert_eq!(failure.code, FailureCode::DeadlineExceeded);
    }
}
