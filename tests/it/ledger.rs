//! Payments, and the ledger of who takes them: a process that crashes nobody and
//! counts what really happened.

use sidecall::proto::v1::{FailureCode, Outcome};

use crate::support::{Turn, World, upstream::Upstream};

const CONFIG: &str = r#"
apis:
  bank:
    url: "{upstream}"
    idempotency_header: Idempotency-Key
    retry: {base: 1ms, budget: 100}
    breaker: off
tools:
  pay:
    description: Pays.
    input: {type: object, properties: {kind: {type: string}, id: {type: string}}, required: [kind, id]}
    http: {api: bank, post: "/ledger/{kind}/{id}"}
  pay_keyed:
    description: Pays, once for each key.
    effect: keyed
    input: {type: object, properties: {kind: {type: string}, id: {type: string}}, required: [kind, id]}
    http: {api: bank, post: "/ledger/{kind}/{id}"}
"#;

/// What becomes of the first attempt.
const KINDS: [&str; 4] = ["made", "refused", "lost", "failed"];
const EACH: usize = 10;

/// Incident 24: no payment is made twice, whatever became of its first attempt,
/// and whoever cannot know says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_of_another_process_knows_each_payment_once() {
    let Some(upstream) = Upstream::start(&[]).await else { return };
    let world = World::start(&CONFIG.replace("{upstream}", &upstream.url())).await;
    let calls = ["pay", "pay_keyed"].into_iter().flat_map(|tool| {
        KINDS.into_iter().flat_map(move |kind| {
            (0..EACH).map(move |n| {
                let id = format!("{tool}-{kind}-{n}");
                let input = format!(r#"{{"kind":"{kind}","id":"{id}"}}"#);
                (id, tool.to_owned(), input)
            })
        })
    });
    let ran = world.run(&Turn::of(calls)).await;
    world.end().await;

    let effects = upstream.effects().await;
    assert_eq!(effects.len(), 2 * KINDS.len() * EACH, "every payment was made");
    assert!(effects.iter().all(|(_, count)| *count == 1), "some were made twice: {effects:?}");
    for n in 0..EACH {
        for kind in KINDS {
            let keyed = format!("pay_keyed-{kind}-{n}");
            assert_eq!(ran.result(&keyed).outcome(), Outcome::Succeeded, "{keyed}");
        }
        ran.assert_succeeded(&format!("pay-made-{n}"), "{}");
        ran.assert_succeeded(&format!("pay-refused-{n}"), "{}");
        ran.assert_failed(
            &format!("pay-lost-{n}"),
            FailureCode::OutcomeUnknown,
            &["may or may not"],
        );
        assert_eq!(ran.failure(&format!("pay-failed-{n}")).attempts, 1);
    }
}
