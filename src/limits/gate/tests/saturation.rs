//! A minute of more work than the rates allow: what is allowed is used, and no
//! window of any length sees more.

use super::{rates::drain, *};

const MINUTE: Duration = Duration::from_secs(60);

/// A bucket as its rate was written, for a reader who knows nothing of GCRA.
struct Allowance {
    burst: f64,
    /// A second.
    rate: f64,
}

/// Saturates an API of these rates by sessions that ask for calls of these
/// costs in turn; gives when tokens were granted, and to which session.
async fn saturated(
    rates: &[(&str, Per)],
    sessions: usize,
    costs: &[u32],
) -> Vec<(Duration, usize, u32)> {
    let rates = rates.iter().map(|(rate, per)| (Rate::try_new(rate).unwrap(), *per)).collect();
    let gate = Gate::new(settings(vec![Api { rates, ..api("crm") }]), Drain::new());
    let scopes: Vec<_> = (0..sessions).map(|n| open(&gate, &format!("s{n}"))).collect();
    let mut granted = Vec::new();
    let mut waits = Vec::new();
    let calls: Vec<_> = (0..9000).map(|n| (n % sessions, costs[n % costs.len()])).collect();
    for (n, (session, tokens)) in calls.iter().enumerate() {
        let cost = NonZeroU32::new(*tokens).unwrap();
        match ask_for(&scopes[*session], "crm", |request| request.cost = cost) {
            Asked::Granted(_) => granted.push((Duration::ZERO, *session, *tokens)),
            Asked::Waiting(wait) => waits.push((n, wait)),
            Asked::Refused(refused) => panic!("{refused:?}"),
        }
    }
    let later = drain(waits, MINUTE).await;
    granted.extend(later.into_iter().map(|(n, at)| (at, calls[n].0, calls[n].1)));
    granted
}

/// In no window more than a bucket allows; in the whole minute next to all of
/// what the scarcest allows.
#[track_caller]
fn assert_used_and_kept(granted: &[(Duration, u32)], buckets: &[Allowance]) {
    for (first, (from, _)) in granted.iter().enumerate() {
        let mut tokens = 0;
        for (to, cost) in &granted[first..] {
            tokens += cost;
            for bucket in buckets {
                let allowed = bucket.burst + bucket.rate * (*to - *from).as_secs_f64();
                assert!(f64::from(tokens) <= allowed + 1e-6, "{tokens} in {from:?}..{to:?}");
            }
        }
    }
    let all: u32 = granted.iter().map(|(_, cost)| cost).sum();
    let of = |bucket: &Allowance| bucket.burst + bucket.rate * MINUTE.as_secs_f64();
    let allowed = buckets.iter().map(of).fold(f64::MAX, f64::min);
    assert!(f64::from(all) / allowed >= 0.99, "{all} of {allowed}");
}

#[tokio::test(start_paused = true)]
async fn a_saturated_minute_uses_what_a_rate_allows_and_no_window_sees_more() {
    let granted = saturated(&[("50/s burst 5", Per::Api)], 1, &[1]).await;
    let granted: Vec<_> = granted.into_iter().map(|(at, _, cost)| (at, cost)).collect();
    assert_used_and_kept(&granted, &[Allowance { burst: 5.0, rate: 50.0 }]);
}

#[tokio::test(start_paused = true)]
async fn two_rates_and_dear_calls_of_many_sessions_share_a_saturated_minute() {
    let rates = [("60/s burst 10", Per::Api), ("2400/min burst 300", Per::Api)];
    let granted = saturated(&rates, 7, &[1, 5, 2]).await;
    let granted: Vec<_> = granted.into_iter().map(|(at, _, cost)| (at, cost)).collect();
    assert_used_and_kept(
        &granted,
        &[Allowance { burst: 10.0, rate: 60.0 }, Allowance { burst: 300.0, rate: 40.0 }],
    );
}

#[tokio::test(start_paused = true)]
async fn each_sessions_own_rate_is_used_and_kept_beside_the_shared_one() {
    let rates = [("100/s burst 20", Per::Api), ("10/s burst 3", Per::Session)];
    let granted = saturated(&rates, 5, &[1]).await;
    for session in 0..5 {
        let of = granted.iter().filter(|(_, of, _)| *of == session);
        let own: Vec<_> = of.map(|(at, _, cost)| (*at, *cost)).collect();
        assert_used_and_kept(&own, &[Allowance { burst: 3.0, rate: 10.0 }]);
    }
}
